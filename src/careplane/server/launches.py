"""Launches on their way: begun here, not yet back. Each works once, within ten minutes, in the browser that began it.

Nothing secret is kept: the state and what ties it to the browser are hashes. The PKCE verifier and the nonce are drawn
from the cookie's value, which only that browser has.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from careplane.errors import Refused
from careplane.records import Record
from careplane.store import Store, stamp
from careplane.store.tables import smart_launches

MINUTES = 10
MOST = 100_000
_GONE = ["This launch is not known here: it was used already, it is older than ten minutes, or it began elsewhere."]
AGAIN = "Launch again from the EHR."


class Browser(Record, frozen=True):
    """What one browser holds while a launch is on its way: one secret, from which the others follow."""

    secret: str

    @property
    def verifier(self) -> str:
        """The PKCE verifier."""
        return self._derived("verifier")

    @property
    def nonce(self) -> str:
        """What the id_token must repeat."""
        return self._derived("nonce")

    @property
    def mark(self) -> str:
        """What the store knows the browser by."""
        return self._derived("browser")

    def __repr__(self) -> str:
        return "Browser()"

    def _derived(self, purpose: str) -> str:
        return hmac.digest(self.secret.encode(), f"careplane smart {purpose}".encode(), hashlib.sha384).hex()


class Pending(Record, frozen=True):
    """A launch that began here: at which EHR, for which app, and the scopes that were asked."""

    ehr: str
    app: str | None
    scope: str


def new_browser() -> Browser:
    """A browser's secret, drawn afresh for each launch."""
    return Browser(secret=secrets.token_urlsafe(32))


def cookie_name(state: str) -> str:
    """The cookie of one launch; several may be on their way in one browser."""
    return f"careplane_state_{_hash(state)[:16]}"


def keep_launch(store: Store, state: str, browser: Browser, pending: Pending, at: datetime) -> None:
    """Keep a launch until it comes back.

    Raises:
        Refused: too many are on their way.
    """
    with store.write() as connection:
        connection.execute(delete(smart_launches).where(smart_launches.c.expires_at < stamp(at)))
        if connection.execute(select(func.count()).select_from(smart_launches)).scalar_one() >= MOST:
            raise Refused(["Too many launches are on their way at this moment."], "Launch again in a few minutes.")
        connection.execute(
            smart_launches.insert().values(
                state=_hash(state),
                ehr=pending.ehr,
                browser=browser.mark,
                expires_at=stamp(at + timedelta(minutes=MINUTES)),
                app=pending.app,
                scope=pending.scope,
            )
        )


def take_launch(store: Store, state: str, browser: Browser | None, ehr: str, at: datetime) -> Pending:
    """Use a launch up. Only the browser that began it may, and only where its own EHR sends it back to.

    Raises:
        Refused: it is not known, or too old, or began in another browser, or comes from another EHR.
    """
    row_of = smart_launches.c.state == _hash(state)
    with store.read() as connection:
        row = connection.execute(select(smart_launches).where(row_of)).first()
    if row is None or row.expires_at < stamp(at):
        raise Refused(_GONE, AGAIN)
    if row.ehr != ehr:
        raise Refused(["The answer came back as another EHR's than the one that was asked."], AGAIN)
    if browser is None or not hmac.compare_digest(browser.mark, row.browser):
        raise Refused(
            ["This launch began in another browser, or the browser did not keep its cookie."],
            f"{AGAIN} If it happens again, allow cookies of this site inside the EHR.",
        )
    with store.write() as connection:
        if connection.execute(delete(smart_launches).where(row_of)).rowcount != 1:
            raise Refused(_GONE, AGAIN)
    return Pending(ehr=row.ehr, app=row.app, scope=row.scope)


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode(errors="surrogatepass")).hexdigest()
