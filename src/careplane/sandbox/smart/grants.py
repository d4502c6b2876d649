"""What the sandbox's authorization server has given out: launches, codes and tokens, in memory, each with its end."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from careplane.codecs.smart import LaunchContext, Scopes

LAUNCH_SECONDS = 300.0
CODE_SECONDS = 60.0
ACCESS_SECONDS = 300.0
REFRESH_SECONDS = 8 * 3600.0
_REFRESHABLE = {"online_access", "offline_access"}


@dataclass(frozen=True, slots=True)
class Grant:
    """What one client may do for one person in one context. ``family`` joins all tokens that grew from one code."""

    client: str
    scopes: Scopes
    user: str | None = None
    context: LaunchContext = field(default_factory=LaunchContext)
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str | None = None
    family: str = field(default_factory=lambda: secrets.token_hex(8))
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Handle:
    """A launch that the EHR began: for whom, about whom, in which app."""

    client: str
    user: str
    context: LaunchContext
    expires: float


class Grants:
    """Everything given out. ``clock`` counts seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._launches: dict[str, Handle] = {}
        self._codes: dict[str, Grant] = {}
        self._spent: dict[str, str] = {}
        self._access: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        self._jti: dict[str, float] = {}

    def now(self) -> float:
        return self._clock()

    def launch(self, client: str, user: str, context: LaunchContext) -> str:
        """Begin a launch; its handle works once, for five minutes."""
        handle = secrets.token_urlsafe(24)
        self._launches[handle] = Handle(client, user, context, self.now() + LAUNCH_SECONDS)
        return handle

    def take_launch(self, handle: str, client: str) -> Handle | None:
        """The launch behind a handle, for the app that it was begun for; it is used up."""
        held = self._launches.get(handle)
        if held is None or held.client != client or held.expires < self.now():
            return None
        return self._launches.pop(handle)

    def code(self, grant: Grant) -> str:
        """A code for a grant; it works once, for a minute."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = replace(grant, expires=self.now() + CODE_SECONDS)
        return code

    def take_code(self, code: str) -> Grant | None:
        """The grant behind a code. A code that comes twice ends every token that grew from it (RFC 6749 10.5)."""
        if code in self._spent:
            self._end(self._spent[code])
            return None
        grant = self._codes.pop(code, None)
        if grant is None or grant.expires < self.now():
            return None
        self._spent[code] = grant.family
        return grant

    def tokens(self, grant: Grant) -> tuple[str, str | None]:
        """An access token, and a refresh token where the scopes ask for one."""
        access, refresh = secrets.token_urlsafe(32), None
        self._access[access] = replace(grant, expires=self.now() + ACCESS_SECONDS)
        if _REFRESHABLE & set(grant.scopes.others):
            refresh = secrets.token_urlsafe(32)
            self._refresh[refresh] = replace(grant, expires=self.now() + REFRESH_SECONDS)
        return access, refresh

    def take_refresh(self, token: str, client: str) -> Grant | None:
        """The grant behind a refresh token, which is used up: the answer carries its successor."""
        held = self._refresh.get(token)
        if held is None or held.client != client or held.expires < self.now():
            return None
        return self._refresh.pop(token)

    def find(self, token: str) -> Grant | None:
        """The grant behind a token, while it lasts."""
        held = self._access.get(token) or self._refresh.get(token)
        return held if held is not None and held.expires >= self.now() else None

    def revoke(self, token: str, client: str) -> None:
        """End a token of a client, and those that grew from the same code."""
        held = self.find(token)
        if held is not None and held.client == client:
            self._end(held.family)

    def fresh_jti(self, client: str, jti: str, expires: float) -> bool:
        """Whether an assertion is new; it is remembered until it has expired."""
        now = self.now()
        self._jti = {name: end for name, end in self._jti.items() if end >= now}
        name = f"{client} {jti}"
        if name in self._jti:
            return False
        self._jti[name] = expires + 120
        return True

    def _end(self, family: str) -> None:
        self._access = {token: held for token, held in self._access.items() if held.family != family}
        self._refresh = {token: held for token, held in self._refresh.items() if held.family != family}
