"""The few pages of the sandbox EHR: patients, a chart that opens apps, and the question of a standalone launch."""

from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from careplane.codecs.fhir.elements import as_list, as_object
from careplane.codecs.smart import LaunchContext
from careplane.codecs.smart.context import ID
from careplane.records import JSON, Record
from careplane.sandbox.smart.authorization import AuthorizationServer, asked_scopes
from careplane.sandbox.smart.clients import RegisteredClient
from careplane.sandbox.smart.fhir import FhirProxy

SHOWN = 200


class Row(Record, frozen=True):
    """One line of a list: an id, a name, and what else is known."""

    id: str
    name: str
    more: str = ""


class EhrPages:
    """What a person sees of the sandbox EHR. ``users`` and ``patients`` come first in the lists when they are given."""

    def __init__(self, server: AuthorizationServer, fhir: FhirProxy) -> None:
        self._server, self._fhir = server, fhir
        self.first_users: tuple[str, ...] = ()
        self.first_patients: tuple[str, ...] = ()

    async def home(self, _request: Request) -> Response:
        """``GET /``: the patients."""
        return _page("home.html", patients=await self._rows("Patient", self.first_patients))

    async def chart(self, request: Request) -> Response:
        """``GET /chart/{patient}``: one patient, and the apps that can be opened here."""
        ident = request.path_params["patient"]
        patient = await self._fhir.read(f"Patient/{ident}") if ID.fullmatch(ident) else {}
        if not patient:
            return _page("refused.html", status=404, text="There is no such patient in this sandbox.")
        encounters = await self._fhir.read(f"Encounter?patient={ident}&_sort=-date&_count=20")
        return _page(
            "chart.html",
            patient=_row(patient),
            encounters=[_row(one) for one in _resources(encounters)],
            users=await self._rows("Practitioner", self.first_users),
            clients=[one for one in self._server.clients.values() if one.launch_url],
        )

    async def launch(self, request: Request) -> Response:
        """``POST /launch``: begin an EHR launch, in a tab of its own or in a frame of the chart."""
        form = {name: str(value) for name, value in (await request.form(max_files=0, max_fields=20)).items()}
        client = self._server.clients.get(form.get("client", ""))
        fits = all(ID.fullmatch(form.get(name, "")) for name in ("patient", "user"))
        if client is None or not client.launch_url or not fits:
            return _page("refused.html", status=400, text="Choose a person, a patient and an app.")
        target = self.launch_url(
            client,
            f"Practitioner/{form['user']}",
            LaunchContext(
                patient=f"Patient/{form['patient']}",
                encounter=f"Encounter/{form['encounter']}" if ID.fullmatch(form.get("encounter", "")) else None,
                banner=form.get("frame") != "yes",
                intent=form.get("intent") or None,
                app_context=form.get("app_context") or None,
            ),
        )
        if form.get("frame") == "yes":
            patient = _row(await self._fhir.read(f"Patient/{form['patient']}"))
            return _page("framed.html", target=target, client=client, patient=patient)
        return RedirectResponse(target, 303)

    def launch_url(self, client: RegisteredClient, user: str, context: LaunchContext) -> str:
        """Where the browser goes to open an app from the chart."""
        handle = self._server.grants.launch(client.id, user, context)
        query = urlencode({"iss": self._server.fhir_base, "launch": handle})
        return f"{client.launch_url}{'&' if '?' in client.launch_url else '?'}{query}"

    async def authorize(self, request: Request) -> Response:
        """``GET`` or ``POST /auth/authorize``: an EHR launch goes straight back, a standalone one asks who and whom."""
        query = dict(request.query_params) if request.method == "GET" else await _posted(request)
        client, wrong = self._server.checked(query)
        if client is None:
            return _page("refused.html", status=400, text="The app or its redirect URI is not registered here.")
        if wrong:
            return self._server.redirect(query, error=wrong)
        if query.get("launch"):
            handle = self._server.grants.take_launch(query["launch"], client.id)
            if handle is None:
                return self._server.redirect(query, error="invalid_request")
            return self._server.approve(query, client, handle.user, handle.context)
        user, patient = query.get("ehr_user", ""), query.get("ehr_patient", "")
        if query.get("ehr_answer") == "no":
            return self._server.redirect(query, error="access_denied")
        if query.get("ehr_answer") == "yes" and ID.fullmatch(user) and ID.fullmatch(patient):
            context = LaunchContext(patient=f"Patient/{patient}")
            return self._server.approve(query, client, f"Practitioner/{user}", context)
        return await self._question(query, client)

    async def _question(self, query: dict[str, str], client: RegisteredClient) -> Response:
        return _page(
            "question.html",
            client=client,
            query={name: value for name, value in query.items() if not name.startswith("ehr_")},
            scopes=client.granted(asked_scopes(query)),
            users=await self._rows("Practitioner", self.first_users),
            patients=await self._rows("Patient", self.first_patients),
        )

    async def _rows(self, kind: str, first: tuple[str, ...]) -> list[Row]:
        bundle = await self._fhir.read(f"{kind}?_count={SHOWN}")
        found = {row.id: row for row in map(_row, _resources(bundle))}
        for ident in first:
            if ident not in found and (one := await self._fhir.read(f"{kind}/{ident}")):
                found[ident] = _row(one)
        leading = [found.pop(ident) for ident in first if ident in found]
        return [*leading, *sorted(found.values(), key=lambda row: row.name)]


async def _posted(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=30, max_part_size=65_536)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _resources(bundle: JSON) -> list[JSON]:
    return [as_object(as_object(entry).get("resource")) for entry in as_list(bundle.get("entry"))]


def _row(resource: JSON) -> Row:
    name = as_object(next(iter(as_list(resource.get("name"))), {}))
    given = " ".join(str(part) for part in as_list(name.get("given")))
    shown = " ".join(filter(None, (given, str(name.get("family", ""))))) or str(name.get("text", ""))
    more = resource.get("birthDate") or as_object(resource.get("period")).get("start", "")
    return Row(id=str(resource.get("id")), name=shown or str(resource.get("id")), more=str(more)[:10])


def _page(template: str, status: int = 200, **values: Any) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(_templates().get_template(template).render(**values), status, headers)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("careplane.sandbox.smart"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
