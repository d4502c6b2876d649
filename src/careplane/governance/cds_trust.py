"""Which EHRs may call our CDS services, and that none of their tokens is used twice.

Nothing is trusted by default. A token names its issuer; the keys come from the URL that was agreed for it, whatever the
token says. Tokens that were seen are kept in the store, so that a replay is noticed by every process of the site.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, delete

from careplane.codecs.smart.urls import origin_of, secure_url
from careplane.errors import InputError, NotFound
from careplane.ledger import Ledger
from careplane.records.hooks import CdsTrust
from careplane.store import Store, fetch, find, save
from careplane.store.rows import insert_row
from careplane.store.tables import cds_trusts, seen_tokens

_OLD_SECONDS = 300.0
"""How long a token is remembered beyond its end, more than any leeway of clocks."""


def trust_client(store: Store, ledger: Ledger, trust: CdsTrust) -> None:
    """Answer the calls of an EHR from now on; the same issuer again replaces what was agreed.

    Raises:
        InputError: a URL is not one, or is not https (http is for this machine only).
    """
    for field, url in (("jku", trust.jku), ("fhir", trust.fhir), *(("origin", one) for one in trust.origins)):
        if url:
            secure_url(url, field)
    with store.write() as connection:
        save(connection, cds_trusts, trust, issuer=trust.issuer)
    ledger.append(
        "cds.trusted",
        at=trust.added_at,
        actor=trust.added_by,
        facts={"issuer": trust.issuer[:256], "jku": trust.jku[:256], "own_reads": trust.own_reads},
    )


def distrust_client(store: Store, ledger: Ledger, issuer: str, by: str, at: datetime) -> None:
    """Refuse the calls of an EHR from now on.

    Raises:
        NotFound: it was not trusted.
    """
    known = [trust.issuer for trust in find_trusts(store)]
    if issuer not in known:
        raise NotFound(f"No EHR with this issuer is trusted. Trusted: {', '.join(known) or 'none'}.")
    with store.write() as connection:
        connection.execute(delete(cds_trusts).where(cds_trusts.c.issuer == issuer))
    ledger.append("cds.distrusted", at=at, actor=by, facts={"issuer": issuer[:256]})


def find_trusts(store: Store) -> list[CdsTrust]:
    """All EHRs that may call, by issuer."""
    with store.read() as connection:
        return find(connection, cds_trusts, CdsTrust, order_by=(cds_trusts.c.issuer.asc(),))


def find_trust(store: Store, issuer: str) -> CdsTrust | None:
    """What was agreed with an issuer, or ``None``."""
    with store.read() as connection:
        return fetch(connection, cds_trusts, CdsTrust, cds_trusts.c.issuer == issuer)


def use_token(connection: Connection, issuer: str, jti: str, expires: float, now: float) -> bool:
    """Use a token up; durable with the transaction. Says whether it was new: not used before, here or elsewhere.

    Args:
        connection: a transaction that writes.
        issuer: who signed it.
        jti: its id, unique with the issuer.
        expires: when it ends, in seconds since 1970; it is remembered until a while after.
        now: the time, in the same seconds.
    """
    digest = hashlib.sha256(f"{issuer}\n{jti}".encode()).hexdigest()
    connection.execute(delete(seen_tokens).where(seen_tokens.c.expires < now - _OLD_SECONDS))
    return insert_row(connection, seen_tokens, hash=digest, expires=expires)


def allowed_origins(trusts: Sequence[CdsTrust]) -> frozenset[str]:
    """The web origins whose pages may call: those that were named, and those of the issuers."""
    found = {origin_of(origin, "origin") for trust in trusts for origin in trust.origins}
    for trust in trusts:
        with suppress(InputError):  # an issuer may be any URI
            found.add(origin_of(trust.issuer, "issuer"))
    return frozenset(found)
