"""A platform, the sandbox's SMART EHR before a real FHIR server, and a browser that keeps cookies as browsers do.

The platform is opened once; each test begins without drafts, EHRs, accounts and sessions.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import delete

from careplane import alignment
from careplane.codecs.smart import LaunchContext
from careplane.console import create_account
from careplane.governance.ehrs import register_ehr
from careplane.records.launch import Credentials, Ehr
from careplane.records.people import Role
from careplane.records.portfolio import Stage
from careplane.records.run import Draft, Event, Permit, Reason, Run, Source
from careplane.sandbox.ehr_server import EhrServer
from careplane.sandbox.smart import AuthorizationServer, RegisteredClient, SmartEhr
from careplane.server.asgi import asgi_app
from careplane.server.binding import bind
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.store.tables import accounts, runs, sessions, smart_ehrs, smart_launches
from careplane.workflow.records import save_new_run

ADMIN = "admin"
PRACTITIONER = "Practitioner/p1"
APPS = ("portal_reply", "previsit_summary")
STAGES: tuple[Stage, ...] = ("intake", "shadow", "pilot")
PEOPLE = (
    {"resourceType": "Patient", "id": "ana", "name": [{"family": "Quill", "given": ["Ana"]}], "gender": "female",
     "birthDate": "1950-02-03",
     "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "4711"}]},
    {"resourceType": "Patient", "id": "ben", "name": [{"family": "Okoro", "given": ["Ben"]}]},
    {"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Okafor", "given": ["Nia"]}]},
    {"resourceType": "Practitioner", "id": "p9", "name": [{"family": "Stranger"}]},
    {"resourceType": "Encounter", "id": "e1", "status": "in-progress", "class": {"code": "IMP"},
     "subject": {"reference": "Patient/ana"}, "period": {"start": "2026-03-01"}},
)  # fmt: skip


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real FHIR server with two synthetic patients."""
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(tmp_path_factory.mktemp("fhir")) as server:
        for one in PEOPLE:
            httpx.put(f"{server.base_url}/{one['resourceType']}/{one['id']}", json=one).raise_for_status()
        yield server.base_url


@dataclass
class Site:
    """One installation that an EHR may launch."""

    platform: Platform
    address: str
    ehr: SmartEhr
    name: str = "main"

    def redirect_uri(self, name: str = "") -> str:
        return f"{self.address}/smart/callback/{name or self.name}"

    def launch_url(self, context: LaunchContext, user: str = PRACTITIONER, app: str = "") -> str:
        """Where the EHR sends the browser."""
        client = self.ehr.server.clients["careplane"]
        url = self.ehr.pages.launch_url(client, user, context)
        return url.replace("/smart/launch?", f"/smart/launch/{app}?") if app else url


@dataclass
class Browser:
    """A browser as far as launches need one: it keeps cookies by host, also ``Secure`` ones on loopback."""

    client: httpx.Client
    jar: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: list[httpx.Response] = field(default_factory=list)

    def get(self, url: str) -> httpx.Response:
        return self._send("GET", url, None)

    def post(self, url: str, form: Mapping[str, str]) -> httpx.Response:
        return self._send("POST", url, form)

    def go(self, url: str, most: int = 10) -> httpx.Response:
        """Follow redirects to the page at their end."""
        response = self.get(url)
        for _ in range(most):
            if response.next_request is None:
                return response
            response = self.get(str(response.next_request.url))
        raise AssertionError("too many redirects")

    def _send(self, method: str, url: str, form: Mapping[str, str] | None) -> httpx.Response:
        host = httpx.URL(url).netloc.decode()
        held = self.jar.setdefault(host, {})
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items())} if held else {}
        self.client.cookies.clear()
        response = self.client.request(method, url, data=form, headers=headers)
        for line in response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if not value or "Max-Age=0" in line:
                held.pop(name, None)
            else:
                held[name] = value
        self.seen.append(response)
        return response


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def browser(http: httpx.Client) -> Browser:
    return Browser(http)


@contextmanager
def _served(platform: Platform) -> Iterator[str]:
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(asgi_app(platform), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform on which two apps run; the chart that it reads is empty."""
    home = tmp_path_factory.mktemp("installation")
    made = open_platform(read_settings({}, home=str(home)), synthetic=True)
    for app in APPS:
        for stage in STAGES:
            item = alignment.load_item(made.store, app)
            alignment.move_stage(made.store, made.ledger, item, stage, made.clock(), "owner", "test")
    yield made
    made.close()


@pytest.fixture
def platform(opened: Platform) -> Platform:
    """The platform with one clinician and nothing else that a test before may have left."""
    with opened.store.write() as connection:
        for table in (runs, smart_ehrs, smart_launches, sessions, accounts):
            connection.execute(delete(table))
    create_account(opened.store, "nia", "Nia Okafor", ("clinician",), datetime.now(UTC), PRACTITIONER)
    return opened


Open = Callable[..., Site]


@pytest.fixture
def open_site(platform: Platform, upstream: str) -> Iterator[Open]:
    """Starts a site and its EHR, which know each other; the EHR may be one that misbehaves."""
    with ExitStack() as stack:

        def act(
            server: type[AuthorizationServer] = AuthorizationServer, *, says_issuer: bool = True, **agreed: Any
        ) -> Site:
            ehr = stack.enter_context(SmartEhr(upstream, name="localhost", says_issuer=says_issuer, server=server))
            return _introduced(Site(platform, stack.enter_context(_served(platform)), ehr), **agreed)

        yield act


@pytest.fixture(scope="session")
def running(opened: Platform, upstream: str) -> Iterator[Site]:
    """A site and its EHR that all tests share which need nothing special."""
    with SmartEhr(upstream, name="localhost") as ehr, _served(opened) as address:
        yield Site(opened, address, ehr)


@pytest.fixture
def site(platform: Platform, running: Site) -> Site:
    """A site and its EHR, as they should be, introduced to each other afresh."""
    return _introduced(running)


@pytest.fixture
def agree(platform: Platform, running: Site) -> Open:
    """The same, with something else agreed between them."""
    return lambda **agreed: _introduced(running, **agreed)


def _introduced(
    site: Site,
    *,
    credentials: Credentials = "ES384",
    scopes: str = "",
    frames: tuple[str, ...] = (),
    framed: bool = False,
    tenant: str | None = None,
) -> Site:
    """Register each at the other."""
    site.ehr.server.clients.clear()
    site.ehr.register(
        RegisteredClient(
            id="careplane",
            title="Careplane",
            redirect_uris=(site.redirect_uri(),),
            launch_url=f"{site.address}/smart/launch",
            jwks_uri=None if credentials == "public" else f"{site.address}/.well-known/jwks.json",
            scopes=scopes,
        )
    )
    known = Ehr(
        name=site.name,
        issuer=site.ehr.fhir_base,
        client_id="careplane",
        credentials=credentials,
        frames=(site.ehr.address, *frames) if framed else frames,
        tenant=tenant,
        same_chart=True,
        added_at=datetime.now(UTC),
        added_by=ADMIN,
    )
    register_ehr(site.platform.store, site.platform.ledger, known)
    return site


Account = Callable[..., None]


@pytest.fixture
def account(platform: Platform) -> Account:
    """Makes an account for a person of the EHR."""

    def act(name: str, person: str, *roles: Role) -> None:
        create_account(platform.store, name, name.title(), roles, datetime.now(UTC), person)

    return act


WriteDraft = Callable[..., str]


@pytest.fixture
def draft(platform: Platform) -> WriteDraft:
    """Puts a draft of an app about a patient before a reviewer; gives the id of its run."""

    def act(ident: str, patient: str = "ana", app: str = "previsit_summary", user: str = PRACTITIONER) -> str:
        known = platform.app(app)
        at = platform.clock()
        sentence = f"Marker {ident}: potassium was 4.1 on 12 March [1]."
        source = Source(n=1, reference="Observation/o1", label="Observation", text="Observation: potassium 4.1")
        run = Run(
            id=f"run-{ident}",
            app=app,
            app_version=known.spec.version,
            app_hash=known.hash,
            event=Event(id=f"e-{ident}", app=app, kind="test", at=at, patient=f"Patient/{patient}", user=user),
            status="draft",
            permit=Permit(allowed=True, reasons=(Reason(rule="test", allowed=True, text="A test."),)),
            created_at=at,
            sources=(source,),
            draft=Draft(text=sentence, sentences=(sentence,), sources=(source,), findings=()),
            synthetic=True,
        )
        save_new_run(platform.store, run)
        return run.id

    return act


@pytest.fixture
def everything(platform: Platform) -> Callable[[], bytes]:
    """All that the installation keeps, to look for what must not be there."""
    return lambda: b"".join(path.read_bytes() for path in sorted(platform.home.rglob("*")) if path.is_file())
