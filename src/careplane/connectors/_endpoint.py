"""An EHR's FHIR endpoint over HTTP (hl7.org/fhir/R4/http.html): settings, connections, credential, bounds, errors.

TLS certificates are always verified, redirects are never followed, and the token goes to the endpoint's origin only.
Errors name the method, the type and the status, never ids, queries or bodies: those may identify a patient.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

import httpx
import orjson

from careplane.connectors._credential import Credential, token_form
from careplane.connectors._retry import Answer, Sleep, send_with_retry, unreachable
from careplane.errors import Conflict, Refused, UpstreamAway, UpstreamError
from careplane.records import JSON

FHIR_JSON = "application/fhir+json"
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""The largest answer that is held in memory: a page of a search, or the result of a transaction."""

MAX_SMALL_BYTES = 1024 * 1024
GONE = (404, 410)


class Endpoint:
    """One endpoint; connections are kept and reused.

    A connection belongs to one event loop, and durable runs have a loop of their own, so each loop gets its own client.

    Args:
        base_url: without a slash at its end.
        open_client: makes a client.
        credential: gives the header ``Authorization``.
        seconds: the time that one answer may take as a whole.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        base_url: str,
        open_client: Callable[[], httpx.AsyncClient],
        credential: Credential,
        seconds: float = 30.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._open_client = open_client
        self._credential = credential
        self._seconds = seconds
        self.sleep = sleep
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"

    def with_credential(self, credential: Credential) -> "Endpoint":
        """This endpoint with another credential; for one whose token is asked for over the endpoint's connections."""
        self._credential = credential
        return self

    def url(self, path: str) -> str:
        """The absolute URL of a path; "" is the endpoint itself."""
        return f"{self.base_url}/{path}" if path else self.base_url

    def same_origin(self, url: str) -> bool:
        """Whether an absolute URL leads to the host, port and scheme of the endpoint."""
        try:
            return _origin(httpx.URL(url)) == _origin(httpx.URL(self.base_url))
        except httpx.InvalidURL:
            return False

    async def send(
        self,
        method: str,
        kind: str,
        url: str,
        body: JSON | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool = True,
        accepted: tuple[int, ...] = (),
    ) -> Answer:
        """Send a request, again where that is harmless, and read the answer within the bounds.

        Args:
            method: the HTTP method.
            kind: the resource type, for messages.
            url: a path below the endpoint, or an absolute URL of its origin.
            body: a resource to send.
            headers: further headers.
            repeatable: whether sending twice is harmless when the fate of an attempt is unknown.
            accepted: statuses that are answers and no errors, beside the 2xx.

        Raises:
            Conflict: HTTP 409 or 412.
            Refused: HTTP 401 or 403.
            UpstreamAway: it stays at HTTP 429 or 5xx.
            UpstreamError: any other failure, or an answer that is too large.
        """
        what = f"{method} {kind}"
        content = None if body is None else orjson.dumps(body)
        target = url if "://" in url else self.url(url)
        used: list[str | None] = []

        async def attempt() -> Answer:
            used[:] = [await self._credential.authorization()]
            return await self._once(method, target, content, dict(headers or {}), used[0], what)

        answer = await send_with_retry(attempt, what, self.sleep, repeatable=repeatable)
        if answer.status == 401 and self._credential.refused(used[0]):
            answer = await send_with_retry(attempt, what, self.sleep, repeatable=repeatable)
        raise_for(answer, what, accepted)
        return answer

    @asynccontextmanager
    async def stream(self, kind: str, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """The answer to a GET, whose body is read by the block; the credential is sent where ``url`` is of our origin.

        Raises:
            UpstreamError: the transport fails, also while the block reads. A status is the block's business.
        """
        sent = {"Accept": "*/*", **headers}
        value = await self._credential.authorization() if self.same_origin(url) else None
        if value:
            sent["Authorization"] = value
        try:
            async with self._client.stream("GET", url, headers=sent) as response:
                if response.status_code == 401:
                    self._credential.refused(value)
                yield response
        except httpx.TransportError as error:
            raise unreachable(error, f"GET {kind}") from error

    async def exchange(self, method: str, url: str, form: dict[str, str] | None = None) -> Answer:
        """One small request without our credential, such as to a token endpoint."""
        headers = {"Accept": "application/json"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        content = None if form is None else token_form(form)
        return await self._read(method, url, content, headers, MAX_SMALL_BYTES, f"{method} {url.rpartition('/')[2]}")

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        """The client of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = self._open_client()
        return self._clients[loop]

    async def _once(
        self, method: str, url: str, content: bytes | None, headers: dict[str, str], value: str | None, what: str
    ) -> Answer:
        sent = {"Accept": FHIR_JSON, **headers}
        if content is not None:
            sent.setdefault("Content-Type", FHIR_JSON)
        if value:
            sent["Authorization"] = value
        return await self._read(method, url, content, sent, MAX_ANSWER_BYTES, what)

    async def _read(
        self, method: str, url: str, content: bytes | None, headers: dict[str, str], largest: int, what: str
    ) -> Answer:
        """The whole answer, within its time and its size: a server that drips or never ends costs no more."""
        async with (
            asyncio.timeout(self._seconds),
            self._client.stream(method, url, content=content, headers=headers) as response,
        ):
            held = bytearray()
            async for piece in response.aiter_bytes():
                held += piece
                if len(held) > largest:
                    raise UpstreamError(f"{what}: the answer is larger than {largest // 1024 // 1024} MB.")
            return Answer(
                status=response.status_code,
                headers={name.lower(): text for name, text in response.headers.items()},
                content=bytes(held),
            )


def raise_for(answer: Answer, what: str, accepted: tuple[int, ...] = ()) -> None:
    """The error of ours for a status that is none of success, and not ``accepted``."""
    status = answer.status
    if 200 <= status < 300 or status in accepted:
        return
    if status == 412:
        raise Conflict(f"{what}: the EHR holds another version or several matches (HTTP 412). Read it again.")
    if status == 409:
        raise Conflict(f"{what}: the EHR says that this conflicts with what it holds (HTTP 409). Read it again.")
    if status in (401, 403):
        raise Refused([f"{what}: the EHR refused (HTTP {status})."], "Check the credential and its scopes.")
    told = f"{what}: the EHR answered HTTP {status}{_issue(answer)}."
    raise UpstreamAway(told, "ehr") if status == 429 or status >= 500 else UpstreamError(told)


def _issue(answer: Answer) -> str:
    """The code of the first issue of an OperationOutcome; its text is left out, as it may name a patient."""
    try:
        issue = orjson.loads(answer.content)["issue"][0]["code"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ""
    return f" ({issue})" if isinstance(issue, str) and issue.isascii() and len(issue) < 30 else ""


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
