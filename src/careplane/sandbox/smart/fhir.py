"""The FHIR API of the sandbox EHR behind its access tokens: each request is held to the scopes and to the patient."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response

from careplane.codecs.fhir import RESOURCE_TYPES, patient_of
from careplane.codecs.smart import ResourceScope
from careplane.codecs.smart.scopes import Level
from careplane.records import JSON
from careplane.sandbox.smart.grants import Grant, Grants

MEDIA = "application/fhir+json"
MAX_BODY = 4_194_304
_SENT_ON = ("accept", "content-type", "if-match", "if-none-exist", "prefer")
_LEVELS: tuple[Level, ...] = ("system", "user", "patient")


class FhirProxy:
    """Stands before the FHIR server at ``upstream`` and calls itself ``base``; ``oauth`` are our endpoints."""

    def __init__(self, upstream: str, base: str, grants: Grants, oauth: Mapping[str, str]) -> None:
        self._upstream, self._base, self._grants, self._oauth = upstream.rstrip("/"), base, grants, oauth
        self.client = httpx.AsyncClient(timeout=30, trust_env=False)

    async def __call__(self, request: Request) -> Response:
        """Answer one request to the FHIR API."""
        path = request.path_params["path"].strip("/")
        if path == "metadata" and request.method == "GET":
            return await self._metadata()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self._grants.find(token) if scheme.lower() == "bearer" else None
        if grant is None:
            return _outcome(401, "login", "Send an access token of this server.", {"WWW-Authenticate": "Bearer"})
        asked = _interaction(request.method, path, dict(parse_qsl(request.url.query)))
        if asked is None:
            return _outcome(403, "forbidden", "This sandbox lets apps read, search, create, update and delete only.")
        kind, letter, params = asked
        levels = [level for level in _LEVELS if grant.scopes.allows(_scope(level, kind, letter, params))]
        if not levels:
            levels = await self._narrowed(grant, path, kind) if letter == "r" else []
        if not levels:
            return _outcome(403, "forbidden", f"The token's scopes do not allow this on {kind}.")
        return await self._forward(request, path, None if levels != ["patient"] else grant.context.patient)

    async def read(self, path: str) -> JSON:
        """A resource or bundle for the EHR's own pages; empty when there is none."""
        response = await self.client.get(f"{self._upstream}/{path}", headers={"Accept": MEDIA})
        return dict(orjson.loads(response.content)) if response.status_code == 200 else {}

    async def _narrowed(self, grant: Grant, path: str, kind: str) -> list[Level]:
        """The levels at which a scope with parameters reaches this very resource: the server finds it by them."""
        found: list[Level] = []
        for scope in grant.scopes.resources:
            if scope.type == kind and "r" in scope.interactions and scope.params and scope.level not in found:
                query = urlencode([("_id", path.partition("/")[2]), *scope.params])
                bundle = await self.read(f"{kind}?{query}")
                if bundle.get("entry"):
                    found.append(scope.level)
        return found

    async def _forward(self, request: Request, path: str, patient: str | None) -> Response:
        body = await request.body()
        if len(body) > MAX_BODY:
            return _outcome(413, "too-long", "This sandbox takes resources up to 4 MB.")
        if patient is not None and body and not _of(body, patient):
            return _outcome(403, "forbidden", "The resource is about another patient than the launch.")
        headers = {name: request.headers[name] for name in _SENT_ON if name in request.headers}
        query = f"?{request.url.query}" if request.url.query else ""
        answer = await self.client.request(
            request.method, f"{self._upstream}/{path}{query}", content=body, headers=headers
        )
        content = answer.content.replace(self._upstream.encode(), self._base.encode())
        if patient is not None and answer.status_code < 300 and content and not _of(content, patient):
            return _outcome(403, "forbidden", "The answer is about another patient than the launch.")
        kept = {name: answer.headers[name] for name in ("etag", "last-modified") if name in answer.headers}
        if "location" in answer.headers:
            kept["location"] = answer.headers["location"].replace(self._upstream, self._base)
        return Response(content, answer.status_code, kept, media_type=answer.headers.get("content-type", MEDIA))

    async def _metadata(self) -> Response:
        """The capability statement, with the OAuth endpoints where older clients look for them."""
        statement = await self.read("metadata")
        uris = [{"url": name, "valueUri": uri} for name, uri in self._oauth.items()]
        security = {
            "service": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                     "code": "SMART-on-FHIR"}]}],
            "extension": [{"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                           "extension": uris}],
        }  # fmt: skip
        for rest in statement.get("rest", []):
            rest["security"] = security
        content = orjson.dumps(statement).replace(self._upstream.encode(), self._base.encode())
        return Response(content, media_type=MEDIA)


def _interaction(
    method: str, path: str, query: Mapping[str, str]
) -> tuple[str, str, tuple[tuple[str, str], ...]] | None:
    """Type, letter of ``cruds`` and parameters of a request; ``None`` for what this sandbox does not offer to apps."""
    kind, _, rest = path.partition("/")
    if kind not in RESOURCE_TYPES or "/" in rest or "$" in rest:
        return None
    if not rest:
        letter = {"GET": "s", "POST": "c", "PUT": "u"}.get(method)
    else:
        letter = {"GET": "r", "PUT": "u", "DELETE": "d"}.get(method) if not rest.startswith("_") else None
    params = tuple(sorted(query.items())) if letter == "s" else ()
    return None if letter is None else (kind, letter, params)


def _scope(level: Level, kind: str, letter: str, params: tuple[tuple[str, str], ...]) -> ResourceScope:
    return ResourceScope(level=level, type=kind, interactions=letter, params=params)


def _of(body: bytes, patient: str) -> bool:
    """Whether everything in a body is about the patient, or about nobody."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if type(given) is not dict:
        return False
    entries = given.get("entry", []) if given.get("resourceType") == "Bundle" else [{"resource": given}]
    resources = [entry.get("resource", {}) for entry in entries if type(entry) is dict]
    return all(patient_of(one) in (None, patient) for one in resources if type(one) is dict)


def _outcome(status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> Response:
    issue = {"severity": "error", "code": code, "diagnostics": text}
    body = orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return Response(body, status, dict(headers or {}), media_type=MEDIA)
