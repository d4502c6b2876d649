"""Who calls a CDS service: the signed token of a call, checked against what was agreed with its issuer."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from careplane.codecs.jwt import Expected, peek, verify
from careplane.connectors._jwks import Jwks
from careplane.errors import TokenError, UpstreamError
from careplane.governance.cds_trust import find_trust, use_token
from careplane.records.hooks import CdsTrust
from careplane.store import Store
from careplane.store.grouping import GroupedWrites

ALGORITHMS = ("ES384", "RS384", "ES256", "RS256", "ES512", "RS512", "PS256", "PS384", "PS512")
MAX_LIFE_SECONDS = 600.0


class CdsClients:
    """Verifies the tokens of calls; every refusal is a :class:`~careplane.errors.TokenError`.

    Tokens of calls that come at the same moment are remembered in one ``writes``.
    """

    def __init__(self, store: Store, writes: GroupedWrites, jwks: Jwks, clock: Callable[[], datetime]) -> None:
        self._store, self._writes, self._jwks, self._clock = store, writes, jwks, clock

    async def admit(self, authorization: str, url: str) -> CdsTrust:
        """Who calls ``url``, which the token must name exactly. A token is good for one call.

        Raises:
            TokenError: there is no token, it does not hold, its issuer is not trusted, or it was used before.
            StoreError: whether it was used before cannot be known.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("Send a signed token: Authorization: Bearer JWT.", "malformed")
        seen = peek(token)
        trust = await asyncio.to_thread(find_trust, self._store, seen.issuer) if seen.issuer else None
        if trust is None:
            raise TokenError("The issuer of the token is not trusted here: careplane cds trust add.", "untrusted")
        if seen.jku is not None and seen.jku != trust.jku:
            raise TokenError("The token names another place for its keys (jku) than was agreed.", "untrusted")
        expected = Expected(issuer=trust.issuer, audience=url, algorithms=ALGORITHMS, max_age=MAX_LIFE_SECONDS)
        try:
            keys = await self._jwks.keys(trust.jku, seen.kid)
        except UpstreamError as error:
            raise TokenError(
                "The keys of the issuer cannot be fetched, so its token cannot be checked.", "key"
            ) from error
        now = self._clock()
        claims = verify(token, keys, expected, now)
        if trust.tenant and claims.all.get("tenant") != trust.tenant:
            raise TokenError("The token is of another tenant than was agreed.", "untrusted")
        use = partial(use_token, issuer=trust.issuer, jti=str(claims.jti), expires=claims.expires, now=now.timestamp())
        if not await self._writes.run_async(use):
            raise TokenError("This token was used before; sign a new one for each call.", "replayed")
        return trust
