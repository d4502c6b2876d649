"""Local accounts of the embedded mode: made without a password, opened by a one-time link.

Only hashes are kept: SHA-256 of links and session tokens (256 random bits need no salt), scrypt with a salt of its
own for each password.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, select, update

from careplane.errors import Conflict, InputError, NotFound
from careplane.records.launch import Launch
from careplane.records.people import Account, Role
from careplane.store import Store, fetch, find, insert_new, save, stamp
from careplane.store.rows import encode
from careplane.store.tables import accounts, sessions, sign_in_links

LINK_MINUTES = 30
PASSWORD_LENGTH = 12
# scrypt parameters as the OWASP Password Storage Cheat Sheet offers them: N=2^15, r=8, p=3 (32 MiB).
_N, _R, _P = 2**15, 8, 3
_MAX_MEMORY = 64 * 1024 * 1024


class Session(msgspec.Struct, frozen=True):
    """A signed-in browser: who it is, the token its forms must send back, and what an EHR's launch limits it to."""

    account: Account
    csrf: str
    launch: Launch | None = None


def create_account(
    store: Store, ident: str, name: str, roles: tuple[Role, ...], at: datetime, person: str | None = None
) -> Account:
    """Make an account that nobody can open until it gets a link.

    Raises:
        Conflict: the id is taken.
    """
    account = Account(id=ident, name=name, roles=roles, person=person, created_at=at)
    with store.write() as connection:
        if not insert_new(connection, accounts, account, id=ident, disabled=False):
            raise Conflict(f"There is already an account {ident!r}. Choose another name, or run: careplane user list")
    return account


def find_accounts(store: Store) -> list[Account]:
    """All accounts by id."""
    with store.read() as connection:
        return find(connection, accounts, Account, order_by=(accounts.c.id,))


def load_account(store: Store, ident: str) -> Account:
    """One account.

    Raises:
        NotFound: there is none of that id.
    """
    with store.read() as connection:
        account = fetch(connection, accounts, Account, accounts.c.id == ident)
    if account is None:
        raise NotFound(f"There is no account {ident!r}. Run: careplane user list")
    return account


def save_account(store: Store, account: Account) -> None:
    """Keep an account; disabling it also ends its sessions and links."""
    with store.write() as connection:
        save(connection, accounts, account, id=account.id, disabled=account.disabled)
        if account.disabled:
            connection.execute(delete(sessions).where(sessions.c.account == account.id))
            connection.execute(delete(sign_in_links).where(sign_in_links.c.account == account.id))


def one_time_link(store: Store, account: str, at: datetime) -> str:
    """The path of a link that signs in once, within 30 minutes; only its hash is kept.

    Raises:
        NotFound: there is no such account, or it is disabled.
    """
    if load_account(store, account).disabled:
        raise NotFound(f"The account {account!r} is disabled.")
    token = secrets.token_urlsafe(32)
    expires = stamp(at + timedelta(minutes=LINK_MINUTES))
    with store.write() as connection:
        connection.execute(sign_in_links.delete().where(sign_in_links.c.expires_at < stamp(at)))
        connection.execute(sign_in_links.insert().values(hash=_hash(token), account=account, expires_at=expires))
    return f"/sign-in/{token}"


def account_of_link(store: Store, token: str, at: datetime) -> Account | None:
    """Whose link it is, while it can still be used; looking does not use it up."""
    live = (sign_in_links.c.hash == _hash(token), sign_in_links.c.used_at.is_(None))
    with store.read() as connection:
        row = connection.execute(
            select(sign_in_links.c.account).where(*live, sign_in_links.c.expires_at >= stamp(at))
        ).first()
        return None if row is None else fetch(connection, accounts, Account, accounts.c.id == row.account)


def use_link(store: Store, token: str, at: datetime) -> Account | None:
    """Use a link up. ``None`` when it is unknown, used or too old; of two at once only one gets in."""
    account = account_of_link(store, token, at)
    if account is None or account.disabled:
        return None
    mine = (sign_in_links.c.hash == _hash(token), sign_in_links.c.used_at.is_(None))
    with store.write() as connection:
        used = connection.execute(update(sign_in_links).where(*mine).values(used_at=stamp(at)))
    return account if used.rowcount == 1 else None


def start_session(store: Store, account: Account, at: datetime, hours: float, launch: Launch | None = None) -> str:
    """Sign an account in; returns the token for the cookie. A ``launch`` limits the session to its patient."""
    token = secrets.token_urlsafe(32)
    with store.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.expires_at < stamp(at)))
        connection.execute(
            sessions.insert().values(
                hash=_hash(token),
                account=account.id,
                expires_at=stamp(at + timedelta(hours=hours)),
                csrf=secrets.token_urlsafe(24),
                ehr=None if launch is None else launch.ehr,
                launch=None if launch is None else encode(launch),
            )
        )
    return token


def session_of(store: Store, token: str, at: datetime) -> Session | None:
    """The session of a cookie, while it lasts and its account is not disabled."""
    with store.read() as connection:
        row = connection.execute(
            select(sessions.c.csrf, sessions.c.launch, accounts.c.body)
            .join_from(sessions, accounts, sessions.c.account == accounts.c.id)
            .where(sessions.c.hash == _hash(token), sessions.c.expires_at >= stamp(at), ~accounts.c.disabled)
        ).first()
    if row is None:
        return None
    launch = None if row.launch is None else msgspec.json.decode(row.launch, type=Launch)
    return Session(msgspec.json.decode(row.body, type=Account), row.csrf, launch)


def end_session(store: Store, token: str) -> None:
    """Sign out."""
    with store.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.hash == _hash(token)))


def set_password(store: Store, account: Account, password: str) -> Account:
    """Give an account a password of its own.

    Raises:
        InputError: shorter than 12 characters.
    """
    if len(password) < PASSWORD_LENGTH:
        raise InputError(f"Use at least {PASSWORD_LENGTH} characters; a few words are fine.", field="password")
    changed = msgspec.structs.replace(account, password_hash=_password_hash(password, secrets.token_bytes(16)))
    save_account(store, changed)
    return changed


def check_password(account: Account | None, password: str) -> bool:
    """Whether the password is right; takes as long for an account that does not exist or has none."""
    kept = account.password_hash if account is not None and not account.disabled else None
    salt = b64decode(kept.split("$")[1]) if kept else b"no such account "
    answer = _password_hash(password, salt)
    return kept is not None and hmac.compare_digest(answer, kept)


def _password_hash(password: str, salt: bytes) -> str:
    digest = hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MAX_MEMORY)
    return f"scrypt${b64encode(salt).decode()}${b64encode(digest).decode()}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
