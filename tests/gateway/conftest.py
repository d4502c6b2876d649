"""A real gateway on a free loopback port, with its ledger and store in a temporary folder."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette

from careplane.errors import Refused
from careplane.gateway import Gateway, issue_key, routes
from careplane.ledger import Ledger, open_ledger
from careplane.providers import ChatRequest, Chunk, Price, Provider
from careplane.records.app import (
    AppSpec,
    DataPolicy,
    MeasureChoice,
    Output,
    ReviewRule,
    Route,
    TierAnswers,
    Trigger,
)
from careplane.store import Store, open_store

Serving = Callable[[Starlette], AbstractContextManager[str]]
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def spec(name: str, policy: DataPolicy) -> AppSpec:
    """A registered app, as short as the schema allows."""
    return AppSpec(
        id=name,
        title=name,
        version="1.0.0",
        area="clinical",
        problem="p",
        owner="o",
        sponsor="s",
        technical_owner="t",
        goals=("goal",),
        task="draft_reply",
        tier=TierAnswers(patient_impact=1, autonomy=0, audience=1, data=1, reach=1),
        trigger=Trigger(kind="manual"),
        context=(),
        output=Output(kind="text"),
        review=ReviewRule(role="clinician", reasons=("wrong",)),
        measures=MeasureChoice(primary=("m1",), balancing=("m2",), equity=("language",)),
        stop_rule="s",
        fallback="by hand",
        data_policy=policy,
        route=Route(model="default", max_tokens=300),
    )


@dataclass(frozen=True)
class Site:
    """A running gateway."""

    url: str
    key: str
    gateway: Gateway
    store: Store
    ledger: Ledger


def echoing(pieces: Callable[[ChatRequest], Iterator[str]]) -> Provider:
    """A provider that answers with pieces made from the request."""

    async def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        for piece in pieces(request):
            yield Chunk(text=piece)
        yield Chunk(finish_reason="stop", input_tokens=11, output_tokens=7)

    return Provider(name="echo", model="echo-1", chat=chat, price=Price(input=1.0, output=2.0))


@contextmanager
def site(
    folder: Path, serving: Serving, providers: Mapping[str, Provider], policy: DataPolicy | None = None
) -> Iterator[Site]:
    """A gateway that is served until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    store = open_store(f"sqlite:///{folder / 'careplane.db'}")
    ledger = open_ledger(folder / "ledger")
    gateway = Gateway(providers, ledger, clock)
    apps = {"an_app": spec("an_app", policy or DataPolicy(phi="deidentified"))}

    def entitle(app: str) -> AppSpec:
        if app not in apps:
            raise Refused([f"{app} is not on the register."], "Register it.")
        return apps[app]

    with serving(Starlette(routes=routes(gateway, store, entitle, clock))) as address:
        yield Site(address, issue_key(store, "an_app", NOW), gateway, store, ledger)
    store.close()


@pytest.fixture
def serve(tmp_path: Path, serving: Serving) -> Iterator[Callable[..., Site]]:
    """Start gateways; each gets its own folder, all stop with the test."""
    with ExitStack() as stack:
        count = iter(range(100))

        def start(providers: Mapping[str, Provider], policy: DataPolicy | None = None) -> Site:
            return stack.enter_context(site(tmp_path / f"site{next(count)}", serving, providers, policy))

        yield start
