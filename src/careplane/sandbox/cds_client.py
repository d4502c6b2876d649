"""The EHR of the sandbox as a CDS client: it signs its calls, prefetches for synthetic patients, and tells what became
of cards. It is what tests and ``careplane app simulate`` call our own services with.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from careplane.codecs.cdshooks import Query, Reply, fill, read_reply
from careplane.codecs.cdshooks.calls import primitives
from careplane.codecs.cdshooks.templates import read_query
from careplane.connectors import FhirReader
from careplane.errors import UpstreamError, UpstreamRejected
from careplane.records import JSON
from careplane.records.hooks import CdsTrust

LIFE_SECONDS = 120
TIMEOUT_SECONDS = 30.0
_PAGE = 200


class CdsClient:
    """A client as a context manager: within it, its keys are published on a port of 127.0.0.1.

    Args:
        base_url: where the services are, without ``/cds-services``.
        tenant: what its tokens name as their tenant; empty for none.
    """

    def __init__(self, base_url: str, tenant: str = "") -> None:
        self.base_url = base_url.rstrip("/")
        self.tenant = tenant
        self._key = _new_key()
        self._published = [self._key]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.jku = f"{self.issuer}/jwks"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "CdsClient":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def trust(self, **agreed: Any) -> CdsTrust:
        """What the services have to know to answer this client."""
        known = {"issuer": self.issuer, "jku": self.jku, "tenant": self.tenant, "added_by": "sandbox"}
        return CdsTrust(added_at=datetime.now(UTC), **{**known, **agreed})

    def rotate(self, *, keep_old: bool = False) -> None:
        """Sign with a new key from now on; the old one is published no longer unless it is kept."""
        self._key = _new_key()
        self._published = [*(self._published if keep_old else ()), self._key]

    def token(self, url: str, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token for one call of ``url``. ``None`` takes a header or claim away."""
        now = int(datetime.now(UTC).timestamp())
        held = {"iss": self.issuer, "aud": url, "iat": now, "exp": now + LIFE_SECONDS, "jti": str(uuid4())}
        if self.tenant:
            held["tenant"] = self.tenant
        named = {"alg": "ES384", "typ": "JWT", "kid": self._key.kid, "jku": self.jku, **(header or {})}
        return jwt.encode(
            {name: value for name, value in named.items() if value is not None},
            {name: value for name, value in {**held, **claims}.items() if value is not None},
            self._key,
            algorithms=["ES384"],
            default_type=None,
        )

    async def discover(self) -> list[JSON]:
        """The services that there are.

        Raises:
            UpstreamError: they were not told.
        """
        given = await self.send("GET", "/cds-services")
        services = given.get("services")
        if not isinstance(services, list):
            raise UpstreamError("Discovery gave no list of services.")
        return services

    async def call(
        self,
        service: str,
        hook: str,
        context: JSON,
        *,
        prefetch: JSON | None = None,
        instance: str | None = None,
        fhir_server: str | None = None,
        token: JSON | None = None,
    ) -> Reply:
        """Call a service, and check its answer by every rule of the specification.

        Raises:
            UpstreamRejected: it answered with an error; ``code`` is the HTTP status.
            InputError: its cards break a rule.
        """
        body: JSON = {"hook": hook, "hookInstance": instance or str(uuid4()), "context": context}
        optional = {"prefetch": prefetch, "fhirServer": fhir_server, "fhirAuthorization": token}
        body |= {name: value for name, value in optional.items() if value is not None}
        return read_reply(await self.send("POST", f"/cds-services/{service}", body))

    async def tell(self, service: str, entries: Sequence[JSON]) -> None:
        """Send feedback.

        Raises:
            UpstreamRejected: it was not taken.
        """
        await self.send("POST", f"/cds-services/{service}/feedback", {"feedback": list(entries)})

    async def send(self, method: str, path: str, body: JSON | None = None) -> JSON:
        """One signed exchange.

        Raises:
            UpstreamRejected: an answer other than 200; its text is what the OperationOutcome says.
            UpstreamError: no answer, or one that is not JSON.
        """
        url = f"{self.base_url}{path}"
        headers = {"Authorization": f"Bearer {self.token(url)}"}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
                answer = await client.request(method, url, json=body, headers=headers)
            given = answer.json()
        except httpx.HTTPError as error:
            raise UpstreamError(f"{method} {path}: there was no answer.") from error
        except ValueError as error:
            raise UpstreamError(f"{method} {path}: the answer is not JSON (HTTP {answer.status_code}).") from error
        if answer.status_code != 200:
            issues = given.get("issue") if isinstance(given, dict) else None
            told = issues[0].get("diagnostics", "") if issues else ""
            raise UpstreamRejected(f"HTTP {answer.status_code}. {told}".strip(), str(answer.status_code))
        if not isinstance(given, dict):
            raise UpstreamError(f"{method} {path}: the answer is not an object.")
        return given

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        client = self

        class Keys(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path == "/jwks"
                body = json.dumps({"keys": [dict(one.as_dict(private=False)) for one in client._published]}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body if found else b"{}")

            def log_message(self, *_args: Any) -> None:
                """Nothing: a line for each request would be noise."""

        return Keys


async def prefetch_of(service: JSON, context: JSON, chart: FhirReader) -> JSON:
    """What a client sends along: each template of a service that can be filled, ``null`` where there are no data."""
    values, user, found = primitives(context), context.get("userId"), {}
    for key, template in (service.get("prefetch") or {}).items():
        url = fill(template, values, user if isinstance(user, str) else None)
        if url is not None:
            found[key] = await _fetch(read_query(url), chart)
    return found


async def _fetch(query: Query, chart: FhirReader) -> JSON | None:
    if query.ident is not None:
        return await chart.read(f"{query.resource}/{query.ident}")
    resources = await chart.search(query.resource, dict(query.params), _PAGE)
    if not resources:
        return None
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


def _new_key() -> ECKey:
    return ECKey.generate_key("P-384", {"kid": str(uuid4()), "use": "sig", "alg": "ES384"})
