"""Two writers on one chart: what somebody else changed is shown and never overwritten unseen.

The chart is a real FHIR server. That server cannot find a Composition or a QuestionnaireResponse by its identifier, so
it refuses to create one conditionally; these two are written to the files of an installation, by two connectors.
"""

import asyncio
import base64
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import httpx
import pytest
from msgspec.structs import replace

from careplane.connectors import FhirConnector, fhir_files, fhir_r4
from careplane.errors import ChartChanged, Conflict, InputError, Refused, UpstreamError
from careplane.ledger import open_ledger
from careplane.records import JSON
from careplane.records.app import App, OutputKind
from careplane.records.run import ChartChange, Run
from careplane.sandbox.ehr_server import EhrServer
from careplane.store import Store
from careplane.workflow import Runtime, load_run, run_event
from careplane.workflow.outages import Outages
from careplane.workflow.pending import pending_write_back
from careplane.workflow.review import amend_run, confirm_held, held_changes, refresh_run, review_run, withdraw_run
from careplane.workflow.writeback import finish_write_backs, write_back

WHO = "Practitioner/p001"
TEXT = "Hello Maria, your follow-up is on 2026-03-12 [4]. We look forward to seeing you at the clinic. Your care team"
CITING = "Hello Maria, your hemoglobin A1c was 7.2 % on 2026-02-20 [3]. We look forward to seeing you. Your care team"
OTHER = "Hello Maria, your follow-up is on 2026-03-12 [4]. Please bring your list of medicines. Your care team"
KINDS: tuple[OutputKind, ...] = ("Communication", "DocumentReference", "Composition", "Task", "QuestionnaireResponse")

T = TypeVar("T")
Go = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EhrServer]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(tmp_path_factory.mktemp("ehr")) as running:
        yield running


class Chart:
    """An installation on the server: its runtime, another writer's connector, and one event loop for both."""

    def __init__(
        self, runtime: Runtime, other: FhirConnector, runner: asyncio.Runner, event: Callable[[], Any]
    ) -> None:
        self.runtime, self.other, self._runner, self._event = runtime, other, runner, event

    def go(self, what: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(what)

    def read(self, reference: str) -> JSON:
        found = self.go(_of(self.other.read(reference)))
        assert found is not None
        return found

    def change(self, reference: str, **elements: Any) -> None:
        """The other writer changes a resource."""
        self.go(_of(self.other.update({**self.read(reference), **elements})))

    def drafted(self) -> Run:
        return self.go(run_event(self.runtime, self._event()))

    def sign(self, run: Run, text: str = TEXT, confirmed: str = "") -> Run:
        return self.go(
            review_run(
                self.runtime,
                run.id,
                "edit",
                WHO,
                40.0,
                at=self.runtime.clock(),
                final_text=text,
                confirmed=confirmed,
                clicks=3,
            )
        )

    def amend(self, run: Run, text: str = OTHER, confirmed: str = "") -> Run:
        at = self.runtime.clock()
        return self.go(amend_run(self.runtime, run.id, text, WHO, "a slip", at=at, confirmed=confirmed))

    def withdraw(self, run: Run, confirmed: str = "") -> Run:
        at = self.runtime.clock()
        return self.go(withdraw_run(self.runtime, run.id, WHO, "wrong patient", at=at, confirmed=confirmed))

    def provenance(self, target: str) -> list[JSON]:
        return list(self.go(_of(self.other.search("Provenance", {"target": target}))))

    def of_kind(self, kind: OutputKind) -> "Chart":
        """The same chart, whose app writes another kind of artefact."""
        runtime = self.runtime

        def apps(name: str) -> App:
            app = runtime.apps(name)
            return replace(app, spec=replace(app.spec, output=replace(app.spec.output, kind=kind)))

        return Chart(dataclasses.replace(runtime, apps=apps), self.other, self._runner, self._event)

    def with_fhir(self, fhir: FhirConnector) -> "Chart":
        return Chart(dataclasses.replace(self.runtime, fhir=fhir), self.other, self._runner, self._event)


async def _of(what: Awaitable[T]) -> T:
    return await what


_patients = iter(range(1000))
ON_FILES = ("Composition", "QuestionnaireResponse")


@pytest.fixture
def chart(server: EhrServer, installation: ModuleType, home: Path, sqlite_store: Store) -> Iterator[Chart]:
    """A patient of this test's own on the server."""
    n = next(_patients)
    built = installation.runtime_of(home, sqlite_store)
    mine, other = (fhir_r4.open({"base_url": server.base_url}) for _ in range(2))
    runtime = dataclasses.replace(built, fhir=mine, outages=Outages(sqlite_store, open_ledger(home / "ledger")))
    with asyncio.Runner() as runner:

        async def put() -> None:
            for resource in installation.resources(n + 1):
                if resource["id"][1:] in (str(n), "001", "linic-01"):
                    await other.update(resource)

        runner.run(put())
        yield Chart(runtime, other, runner, lambda: installation.message_event(n))
        runner.run(_of(mine.aclose()))
        runner.run(_of(other.aclose()))


@pytest.fixture
def on_files(installation: ModuleType, home: Path, sqlite_store: Store) -> Iterator[Chart]:
    """The same over the files of an installation, which a second connector writes too."""
    runtime = installation.runtime_of(home, sqlite_store)
    other = fhir_files.open({"home": str(home)})
    with asyncio.Runner() as runner:
        yield Chart(runtime, other, runner, installation.message_event)


@pytest.fixture
def charts(kind: OutputKind, request: pytest.FixtureRequest) -> Chart:
    """The chart for a kind of artefact."""
    chart: Chart = request.getfixturevalue("on_files" if kind in ON_FILES else "chart")
    return chart.of_kind(kind)


def source_of(run: Run, kind: str) -> str:
    return next(source.reference for source in run.sources if source.reference.startswith(f"{kind}/"))


def changed(caught: pytest.ExceptionInfo[ChartChanged]) -> ChartChange:
    (change,) = caught.value.changes
    assert isinstance(change, ChartChange)
    return change


def cited(run: Run, kind: str) -> str:
    """A text that cites the source of a kind."""
    n = next(source.n for source in run.sources if source.reference.startswith(f"{kind}/"))
    return f"Hello Maria, thank you for your message about this [{n}]. We look forward to seeing you. Your care team"


def test_a_source_that_changed_is_shown_and_signed_only_with_eyes_open(chart: Chart) -> None:
    run = chart.drafted()
    observation = source_of(run, "Observation")
    chart.change(observation, valueQuantity={"value": 9.1, "unit": "%"})
    text = cited(run, "Observation")
    with pytest.raises(ChartChanged) as caught:
        chart.sign(run, text)
    change = changed(caught)
    assert change.reference == observation
    assert change.version == "2"
    assert [(one.path, one.before, one.after) for one in change.fields] == [("value quantity", "7.2 %", "9.1 %")]
    assert load_run(chart.runtime.store, run.id).status == "draft"
    with pytest.raises(ChartChanged):
        chart.sign(run, text, confirmed="something else")
    chart.change(observation, valueQuantity={"value": 9.2, "unit": "%"})
    with pytest.raises(ChartChanged) as again:
        chart.sign(run, text, confirmed=caught.value.fingerprint)
    signed = chart.sign(run, text, confirmed=again.value.fingerprint)
    assert signed.review is not None
    assert signed.review.despite == (observation,)
    assert signed.review.clicks == 3
    assert signed.written


def test_the_message_that_is_answered_counts_too(chart: Chart) -> None:
    run = chart.drafted()
    assert run.event.focus is not None
    chart.change(run.event.focus, status="entered-in-error")
    with pytest.raises(ChartChanged) as caught:
        chart.sign(run)
    assert [(one.path, one.after) for one in changed(caught).fields] == [("status", "entered-in-error")]


def test_what_the_draft_does_not_rest_on_is_no_conflict(chart: Chart) -> None:
    run = chart.drafted()
    condition = source_of(run, "Condition")
    chart.change(condition, note=[{"text": "a note that the app may not read"}])
    chart.change(source_of(run, "Observation"), valueQuantity={"value": 9.1, "unit": "%"})
    assert chart.sign(run, cited(run, "Condition")).written, "new version, same content; and a source that is not cited"


def test_a_source_that_is_gone_is_shown(chart: Chart, server: EhrServer) -> None:
    run = chart.drafted()
    observation = source_of(run, "Observation")
    assert httpx.delete(f"{server.base_url}/{observation}", trust_env=False).is_success
    with pytest.raises(ChartChanged) as caught:
        chart.sign(run, cited(run, "Observation"))
    assert changed(caught).gone


def test_a_refreshed_draft_rests_on_the_chart_as_it_is(chart: Chart) -> None:
    run = chart.drafted()
    observation = source_of(run, "Observation")
    chart.change(observation, valueQuantity={"value": 9.1, "unit": "%"})
    again = chart.go(refresh_run(chart.runtime, run.id, WHO, at=chart.runtime.clock()))
    assert again.id == run.id
    assert len(again.calls) == 2
    assert again.calls[0].id != again.calls[1].id
    assert any("9.1 %" in source.text for source in again.sources)
    assert chart.sign(again, cited(again, "Observation")).written
    with pytest.raises(Conflict):
        chart.go(refresh_run(chart.runtime, run.id, WHO, at=chart.runtime.clock()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_text_is_amended_and_withdrawn(charts: Chart, kind: OutputKind) -> None:
    chart = charts
    signed = chart.sign(chart.drafted())
    first = signed.written[0]
    assert signed.landed[first] == chart.read(first)["meta"]["versionId"]
    amended = chart.amend(signed)
    (deed,) = amended.amendments
    now = chart.read(deed.written[0])
    assert amended.signed_text == OTHER
    assert "list of medicines" in _text_of(now)
    if kind == "Communication":
        assert now["payload"][0]["contentString"].startswith("This corrects an earlier message.")
        assert {"reference": first} in now["about"]
        assert chart.read(first)["status"] == "completed"
    elif kind == "DocumentReference":
        assert now["relatesTo"] == [{"code": "replaces", "target": {"reference": first}}]
        assert chart.read(first)["status"] == "superseded"
    else:
        assert deed.written[0] == first
        assert now["status"] == ("requested" if kind == "Task" else "amended")
        assert int(now["meta"]["versionId"]) == 2
    assert any(tag["code"] == "AIAST" for tag in now["meta"]["security"])
    proof = chart.read(deed.written[1])
    assert proof["activity"]["coding"][0]["code"] == "UPDATE"
    assert proof["reason"] == [{"text": "a slip"}]
    assert proof["entity"][0] == {"role": "revision", "what": {"reference": first}}
    twice = chart.amend(amended, TEXT)
    assert [one.n for one in twice.amendments] == [1, 2]
    done = chart.withdraw(twice)
    assert done.withdrawn
    assert done.signed_text is None
    for target in {run[0] for run in (signed.written, *(one.written for one in done.amendments))}:
        gone = chart.read(target)
        assert gone["status"] == "entered-in-error"
        if kind in ("Communication", "Task"):
            assert gone["statusReason"] == {"text": "wrong patient"}
    last = chart.read(done.amendments[-1].written[1])
    assert last["activity"]["coding"][0]["code"] == "NULLIFY"
    assert last["entity"][0]["role"] == "removal"
    assert {agent["who"]["reference"] for agent in last["agent"]} == {WHO, signed.written[2]}
    with pytest.raises(Conflict, match="withdrawn"):
        chart.amend(done)
    kinds = [record.kind for record in chart.runtime.ledger.records(run=signed.id)]
    assert kinds.count("run.amended") == 2
    assert kinds.count("run.amendment_written") == 3
    assert kinds.count("run.withdrawn") == 1
    assert pending_write_back(chart.runtime.store, signed.id) is None


def _text_of(resource: JSON) -> str:
    if resource["resourceType"] == "DocumentReference":
        return base64.b64decode(resource["content"][0]["attachment"]["data"]).decode()
    return str(resource)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("deed", ["amend", "withdraw"])
def test_what_another_person_changed_is_not_overwritten_unseen(charts: Chart, kind: OutputKind, deed: str) -> None:
    chart = charts
    signed = chart.sign(chart.drafted())
    target = signed.written[0]
    chart.change(target, language="es")
    before = chart.read(target)
    act = chart.amend if deed == "amend" else chart.withdraw
    with pytest.raises(ChartChanged) as caught:
        act(signed)
    assert changed(caught).reference == target
    assert chart.read(target) == before
    assert load_run(chart.runtime.store, signed.id).amendments == ()
    done = act(signed, confirmed=caught.value.fingerprint)
    assert done.amendments[0].despite == (target,)
    assert done.amendments[0].written
    assert chart.read(target)["language"] == "es", "the other's change is kept"


def test_a_change_between_looking_and_writing_is_held_for_a_person(chart: Chart) -> None:
    chart = chart.of_kind("Task")
    signed = chart.sign(chart.drafted())
    target = signed.written[0]
    racing = chart.with_fhir(Racing(chart.runtime.fhir, lambda: chart.other.update({**before, "language": "es"})))
    before = chart.read(target)
    held = racing.amend(signed)
    assert held.amendments[0].written == ()
    row = pending_write_back(chart.runtime.store, signed.id)
    assert row is not None
    assert "a person has to look" in row.held
    assert "list of medicines" not in str(chart.read(target))
    with pytest.raises(Conflict, match="not in the chart yet"):
        chart.amend(held, TEXT)
    changes = chart.go(held_changes(chart.runtime, held))
    assert changes[0].reference == target
    at = chart.runtime.clock()
    with pytest.raises(ChartChanged) as caught:
        chart.go(confirm_held(chart.runtime, signed.id, WHO, "", at=at))
    done = chart.go(confirm_held(chart.runtime, signed.id, WHO, caught.value.fingerprint, at=at))
    assert done.amendments[0].written
    assert "list of medicines" in str(chart.read(target))
    assert chart.read(target)["language"] == "es"


class Racing:
    """An EHR in which somebody else writes just before our update arrives."""

    def __init__(self, inner: FhirConnector, first: Callable[[], Awaitable[object]]) -> None:
        self._inner, self._first = inner, first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def update(self, resource: JSON, if_match: str | None = None) -> str:
        await self._first()
        return await self._inner.update(resource, if_match)


class Dying:
    """An EHR that is cut off after its nth write."""

    def __init__(self, inner: FhirConnector, writes: int) -> None:
        self._inner, self._left = inner, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        return await self._then(self._inner.create(resource, if_none_exist))

    async def update(self, resource: JSON, if_match: str | None = None) -> str:
        return await self._then(self._inner.update(resource, if_match))

    async def _then(self, write: Awaitable[str]) -> str:
        done = await write
        self._left -= 1
        if self._left == 0:
            raise UpstreamError("cut off: the answer was lost")
        return done


@pytest.mark.parametrize("writes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Communication", "DocumentReference", "Task"])
def test_a_deed_cut_off_anywhere_is_made_up_for_once(charts: Chart, kind: OutputKind, writes: int) -> None:
    chart = charts
    signed = chart.sign(chart.drafted())
    cut = chart.with_fhir(Dying(chart.runtime.fhir, writes)).amend(signed)
    chart.go(write_back(chart.runtime, load_run(chart.runtime.store, cut.id)))
    done = load_run(chart.runtime.store, cut.id)
    assert done.amendments[0].written
    assert pending_write_back(chart.runtime.store, done.id) is None
    focus = {"patient": str(done.event.patient)}
    found = chart.go(_of(chart.other.search(kind, focus)))
    ours = [one for one in found if "urn:careplane:run" in str(one.get("identifier"))]
    assert len(ours) == (1 if kind == "Task" else 2)
    assert len(chart.provenance(done.amendments[0].written[0])) == (2 if kind == "Task" else 1)


def test_what_was_signed_while_the_ehr_was_away_is_looked_at_before_it_is_written(chart: Chart) -> None:
    run = chart.drafted()
    away = fhir_r4.open({"base_url": "http://127.0.0.1:9/fhir"})
    away._endpoint.sleep = lambda _seconds: asyncio.sleep(0)
    text = cited(run, "Observation")
    signed = chart.with_fhir(away).sign(run, text)
    chart.go(away.aclose())
    assert signed.review is not None
    assert signed.review.unchecked
    assert signed.written == ()
    chart.change(source_of(run, "Observation"), valueQuantity={"value": 9.1, "unit": "%"})
    assert chart.go(finish_write_backs(chart.runtime)) == 0
    row = pending_write_back(chart.runtime.store, run.id)
    assert row is not None
    assert row.held
    changes = chart.go(held_changes(chart.runtime, signed))
    assert changes[0].fields[0].after == "9.1 %"
    at = chart.runtime.clock()
    with pytest.raises(ChartChanged) as caught:
        chart.go(confirm_held(chart.runtime, run.id, WHO, "", at=at))
    assert chart.go(confirm_held(chart.runtime, run.id, WHO, caught.value.fingerprint, at=at)).written


def test_what_was_withdrawn_before_it_was_written_is_never_written(chart: Chart) -> None:
    run = chart.drafted()
    away = fhir_r4.open({"base_url": "http://127.0.0.1:9/fhir"})
    away._endpoint.sleep = lambda _seconds: asyncio.sleep(0)
    signed = chart.with_fhir(away).sign(run)
    chart.go(away.aclose())
    assert chart.withdraw(signed).withdrawn
    assert chart.go(finish_write_backs(chart.runtime)) == 0
    found = chart.go(_of(chart.other.search("Communication", {"patient": str(run.event.patient)})))
    assert len(found) == 1, "the patient's own message only"


def test_who_may_not_sign_may_neither_amend_nor_withdraw(chart: Chart, installation: ModuleType) -> None:
    signed = chart.sign(chart.drafted())
    at, who = chart.runtime.clock(), installation.UNTRAINED
    with pytest.raises(Refused):
        chart.go(amend_run(chart.runtime, signed.id, OTHER, who, "a slip", at=at))
    with pytest.raises(Refused):
        chart.go(withdraw_run(chart.runtime, signed.id, who, "a slip", at=at))
    wrong = OTHER.replace("your follow-up", "please take warfarin 5 mg [3], and your follow-up")
    with pytest.raises(Refused, match="warfarin"):
        chart.amend(signed, wrong)
    with pytest.raises(InputError, match="the text that stands"):
        chart.amend(signed, TEXT)
    with pytest.raises(InputError, match="Say why"):
        chart.go(withdraw_run(chart.runtime, signed.id, WHO, "  ", at=at))


def test_the_model_card_is_linked_from_the_device(chart: Chart) -> None:
    signed = chart.sign(chart.drafted())
    made_by = chart.read(signed.written[2])
    (link,) = made_by["extension"]
    assert link["url"].endswith("/aitransparency.modelCardDescription")
    card = chart.read(link["valueReference"]["reference"])
    assert card["type"]["coding"][0]["code"] == "AIModelCard"
    words = _text_of(card)
    assert words.startswith("# Portal message reply draft, version 1.0.0")
    assert "The clinician answers the message without a draft." in words
    assert "not measured" in words
    proof = chart.read(signed.written[1])
    assert proof["occurredDateTime"] <= proof["recorded"]
