"""One served console per module, on a store filled by :mod:`seeding`, with the real review path behind it."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import get_args

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.applications import Starlette

from careplane import change, console, workflow
from careplane._shelf import load
from careplane.estimators._item import item
from careplane.ledger import open_ledger
from careplane.records.model import ModelReply, ModelRequest
from careplane.records.people import Role
from careplane.records.run import ReviewAction, Run
from careplane.shield.checks import run_checks
from careplane.store import open_store
from careplane.workflow.outages import Outages

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _seeding() -> ModuleType:
    """The module beside this file; tests are no package, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("console_seeding", Path(__file__).with_name("seeding.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


seeding = _seeding()


@dataclass(frozen=True)
class Served:
    """A console on a loopback port."""

    context: console.ConsoleContext
    address: str

    @contextmanager
    def client(self, name: str, *roles: Role, person: str | None = None) -> Iterator[httpx.Client]:
        """A browser of a new account, signed in by its one-time link."""
        now = datetime.now(UTC)
        console.create_account(self.context.store, name, name.title(), roles, now, person)
        path = console.one_time_link(self.context.store, name, now)
        with httpx.Client(base_url=self.address, follow_redirects=True, timeout=60) as client:
            done = client.post(path, data={"csrf": token(client.get(path))})
            assert done.status_code == 200, done.text
            yield client


def token(page: httpx.Response) -> str:
    """The form token of a page."""
    return page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0]


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, serving: Callable[[Starlette], AbstractContextManager[str]]
) -> Iterator[Served]:
    """A console with a small installation behind it."""
    context = _context(tmp_path_factory.mktemp("console"))
    with serving(console.app(context)) as address:
        yield Served(context, address)
    context.store.close()


def _context(home: Path) -> console.ConsoleContext:
    fresh = not (home / "careplane.db").exists()
    store = open_store(f"sqlite:///{home / 'careplane.db'}")
    ledger = open_ledger(home / "ledger")
    apps = seeding.seed(store, ledger) if fresh else seeding.read_apps()
    runtime = workflow.Runtime(
        apps=apps.__getitem__,
        store=store,
        ledger=ledger,
        fhir=load("connectors", "fhir_files").open({"home": str(home)}),
        complete=_no_model,
        permit=lambda app, event: pytest.fail("a review asks for no permit"),
        may_sign=partial(change.trained, store),
        checks=run_checks,
        clock=lambda: seeding.NOW,
        synthetic=True,
        outages=Outages(store, ledger),
    )

    async def review(
        run_id: str,
        action: ReviewAction,
        by: str,
        seconds: float,
        final_text: str | None,
        reason: str | None,
        comment: str,
        *,
        clicks: int | None = None,
        confirmed: str = "",
    ) -> Run:
        return await workflow.review_run(
            runtime,
            run_id,
            action,
            by,
            seconds,
            at=seeding.NOW,
            final_text=final_text,
            reason=reason,
            comment=comment,
            clicks=clicks,
            confirmed=confirmed,
        )

    return console.ConsoleContext(
        store=store,
        ledger=ledger,
        apps=apps,
        review=review,
        clock=lambda: seeding.NOW,
        home=home,
        synthetic=True,
        site_name="Prairie Health",
        answer_survey=partial(workflow.answer_survey, runtime),
        runtime=runtime,
        power=item(load("estimators", "power")),
        icer=item(load("estimators", "icer")),
        measures={"msg_turnaround": load("measures", "msg_turnaround").MEASURE.info}
        | {"message_minutes": load("measures", "message_minutes").MEASURE.info},
    )


async def _no_model(request: ModelRequest) -> ModelReply:
    raise AssertionError(f"a console page called the model: {request.id}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    expect.set_options(timeout=15_000)  # a busy machine is no failure
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, served) -> Iterator[BrowserContext]:  # type: ignore[no-untyped-def]
    """A browser at the size of a ward PC, signed in by its one-time link; trouble in its console fails the test."""
    store, now = served.context.store, datetime.now(UTC)
    console.create_account(store, "lee", "Lee Park", get_args(Role), now, "Practitioner/p001")
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, base_url=served.address)
    page = context.new_page()
    page.goto(console.one_time_link(store, "lee", now))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Portfolio today · Careplane")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    opened = signed_in.new_page()
    trouble: list[str] = []
    opened.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    yield opened
    opened.close()
    # a page that says why not is no trouble, and neither is a network that a test cuts off
    expected = ("the server responded with a status of 40", "ERR_INTERNET_DISCONNECTED")
    assert not [text for text in trouble if not any(part in text for part in expected)]
