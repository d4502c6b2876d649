"""Downtime: what is away is noticed, events wait and come back, nothing signed is lost, drills are evidence."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType

import msgspec
import pytest

from careplane.connectors import fhir_r4
from careplane.errors import Conflict, InputError, UpstreamError, UpstreamRejected
from careplane.ledger import Ledger
from careplane.records.model import ModelReply, ModelRequest
from careplane.records.run import Run
from careplane.store import Store, open_store
from careplane.workflow import Runtime, find_runs, load_run, review_run, run_event, run_id
from careplane.workflow.downtime import SUMMARY, active_fallback, run_queued, run_waiting, unavailable, waiting
from careplane.workflow.drill import DrillUnderWay, drills, end_drills, last_drill, settle_drills
from careplane.workflow.outages import FAILURES, Outages
from careplane.workflow.pending import claim, let_go, owe, paid, pending_write_backs, postpone
from careplane.workflow.records import change_run, save_new_run
from careplane.workflow.writeback import run_write_backs

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


class Model:
    """The scripted model, which can be taken away."""

    def __init__(self, complete: Callable[[ModelRequest], object]) -> None:
        self._complete, self.away, self.asked = complete, False, 0

    async def __call__(self, request: ModelRequest) -> ModelReply:
        self.asked += 1
        if self.away:
            raise UpstreamError("no connection: Maria Quill")
        return await self._complete(request)  # type: ignore[misc, no-any-return]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model(runtime: Runtime) -> Model:
    return Model(runtime.complete)


@pytest.fixture
def watched(runtime: Runtime, model: Model, clock: Clock) -> Runtime:
    """The runtime, with its outages noted by the clock that the test moves."""
    seen = Outages(runtime.store, runtime.ledger, clock)
    return dataclasses.replace(runtime, complete=model, outages=seen)


def seen_by(runtime: Runtime) -> Outages:
    assert runtime.outages is not None
    return runtime.outages


def kinds(runtime: Runtime) -> list[str]:
    return [record.kind for record in runtime.ledger.records()]


def queue(runtime: Runtime, installation: ModuleType, n: int) -> None:
    asyncio.run(run_queued(runtime, installation.message_event(n)))


def test_failures_in_a_row_make_an_outage_that_every_process_sees(
    watched: Runtime, model: Model, installation: ModuleType, clock: Clock
) -> None:
    model.away = True
    for n in range(FAILURES):
        assert seen_by(watched).held() == (), f"after {n} failures"
        queue(watched, installation, n)
    other = Outages(open_store(str(watched.store.engine.url)), watched.ledger, clock)
    assert [one.dependency for one in other.held()] == ["model"]
    assert kinds(watched).count("downtime.began") == 1
    model.away = False
    clock.pass_by(minutes=1)
    assert asyncio.run(run_waiting(watched)) == FAILURES
    assert seen_by(watched).held() == ()
    assert other.history()[0].ended == clock.now
    assert kinds(watched).count("downtime.ended") == 1


def test_one_success_between_failures_starts_the_count_again(
    watched: Runtime, model: Model, installation: ModuleType
) -> None:
    for n in range(FAILURES * 2):
        model.away = n % FAILURES != 0
        queue(watched, installation, n)
    assert seen_by(watched).history() == []


def test_a_rejected_request_is_no_outage(watched: Runtime, installation: ModuleType) -> None:
    async def rejecting(request: ModelRequest) -> ModelReply:
        raise UpstreamRejected("too long", "context_length_exceeded")

    refusing = dataclasses.replace(watched, complete=rejecting)
    for n in range(FAILURES):
        run = asyncio.run(run_queued(refusing, installation.message_event(n)))
        assert run is not None
        assert run.status == "failed"
    assert seen_by(watched).history() == []


def test_an_event_waits_with_growing_pauses_and_runs_once(
    watched: Runtime, model: Model, installation: ModuleType, clock: Clock
) -> None:
    model.away = True
    event = installation.message_event()
    assert asyncio.run(run_queued(watched, event)) is None
    assert asyncio.run(run_queued(watched, event)) is None, "delivered again while it waits"
    assert model.asked == 1
    pauses = []
    for _ in range(4):
        (held,) = waiting(watched.store)
        pauses.append((held.next_at - clock.now).total_seconds())
        clock.now = held.next_at
        assert asyncio.run(run_waiting(watched)) == 0
    assert pauses == sorted(pauses)
    assert find_runs(watched.store) == []
    model.away = False
    clock.pass_by(hours=1)
    assert asyncio.run(run_waiting(watched)) == 1
    assert asyncio.run(run_waiting(watched)) == 0
    assert load_run(watched.store, run_id(event.app, event.id)).status == "draft"
    assert waiting(watched.store) == []


def test_a_wait_ends_in_time_with_the_fallback_in_words(
    watched: Runtime, model: Model, installation: ModuleType, clock: Clock
) -> None:
    model.away = True
    queue(watched, installation, 0)
    clock.pass_by(hours=watched.apps("portal_reply").spec.review.due_hours, seconds=1)
    assert asyncio.run(run_waiting(watched)) == 1
    (run,) = find_runs(watched.store)
    assert run.status == "failed"
    assert run.error == "The model is away. The fallback: The clinician answers the message without a draft."
    assert waiting(watched.store) == []


def test_an_event_is_claimed_by_one_of_several_processes(
    watched: Runtime, model: Model, installation: ModuleType, clock: Clock
) -> None:
    model.away = True
    queue(watched, installation, 0)
    model.away, model.asked = False, 0
    clock.pass_by(minutes=10)
    other = dataclasses.replace(watched, store=open_store(str(watched.store.engine.url)))

    async def both() -> int:
        return sum(await asyncio.gather(run_waiting(watched), run_waiting(other)))

    assert asyncio.run(both()) == 1
    assert model.asked == 1


def test_what_every_surface_says(watched: Runtime, model: Model, installation: ModuleType) -> None:
    app = watched.apps("portal_reply")
    assert active_fallback(watched.outages, app) is None
    model.away = True
    for n in range(FAILURES):
        queue(watched, installation, n)
    said = active_fallback(watched.outages, app)
    assert said is not None
    assert said.summary == "Fallback active: The clinician answers the message without a draft."
    assert len(said.summary) < SUMMARY
    assert "the model is away since 15:00 UTC" in said.detail
    assert "waits and is made up for" in said.detail
    body = unavailable(said)
    assert body["away"] == ["model"]
    assert body["retry_after"] == 60
    seen_by(watched).told("Practitioner/p001")
    seen_by(watched).told("Practitioner/p001")
    assert seen_by(watched).held()[0].told == ("Practitioner/p001",)


@contextmanager
def _ehr(status: Callable[[], int]) -> Iterator[str]:
    """An HTTP server that answers each request with a status and an empty search set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"resourceType":"Bundle","type":"searchset","link":[]}'
            self.send_response(status())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/fhir"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_an_ehr_that_fails_is_away_and_one_that_ignores_a_parameter_is_not(
    watched: Runtime, installation: ModuleType
) -> None:
    answer = 200

    async def deliver(url: str) -> None:
        nonlocal answer
        connector = fhir_r4.open({"base_url": url})
        connector._endpoint.sleep = lambda _seconds: asyncio.sleep(0)
        broken = dataclasses.replace(watched, fhir=connector)
        for n in range(FAILURES):
            run = await run_queued(broken, installation.message_event(n))
            assert run is not None
            assert run.error == "The model or the record system failed."
        assert seen_by(watched).history() == []
        answer = 503
        for n in range(FAILURES):
            assert await run_queued(broken, installation.message_event(10 + n)) is None
        await connector.aclose()

    with _ehr(lambda: answer) as url:
        asyncio.run(deliver(url))
    assert [one.dependency for one in seen_by(watched).held()] == ["ehr"]
    assert {held.dependency for held in waiting(watched.store)} == {"ehr"}


def test_a_signed_text_waits_for_the_ehr_and_is_written_later(
    watched: Runtime, installation: ModuleType, clock: Clock
) -> None:
    run = asyncio.run(run_event(watched, installation.message_event()))
    text = "Hello Maria, your follow-up is on 2026-03-12 [4]. We look forward to seeing you. Your care team"

    async def sign() -> Run:
        connector = fhir_r4.open({"base_url": "http://127.0.0.1:9/fhir"})
        connector._endpoint.sleep = lambda _seconds: asyncio.sleep(0)
        away = dataclasses.replace(watched, fhir=connector)
        signed = await review_run(away, run.id, "edit", "Practitioner/p001", 20.0, at=clock.now, final_text=text)
        await connector.aclose()
        return signed

    signed = asyncio.run(sign())
    assert signed.status == "edited"
    assert signed.written == ()
    (row,) = pending_write_backs(watched.store)
    assert row.error == "The record system is away."
    assert asyncio.run(run_write_backs(watched)) == 0, "its pause is not over"
    clock.pass_by(minutes=1)
    assert asyncio.run(run_write_backs(watched)) == 1
    assert load_run(watched.store, run.id).written
    assert pending_write_backs(watched.store) == []


def test_a_drill_passes_and_is_evidence(watched: Runtime, installation: ModuleType, clock: Clock) -> None:
    app = watched.apps("portal_reply")
    drill = DrillUnderWay(watched, app, "network", 5, "Practitioner/p009")
    looked = asyncio.run(drill.look())
    assert all(check.passed for check in looked), looked
    event = installation.message_event()
    assert asyncio.run(run_queued(watched, event)) is None, "a real event waits for the end of the drill"
    assert drill.count() == 1
    said = active_fallback(watched.outages, app)
    assert said is not None
    assert said.summary.startswith("Drill, fallback active: ")
    with pytest.raises(Conflict, match="careplane downtime end"):
        DrillUnderWay(watched, app, "model", 5, "Practitioner/p009")
    clock.pass_by(minutes=5)
    assert not drill.on, "it ends by itself"
    done = drill.finish(looked)
    assert done.passed, done.checks
    assert done.queued == 1
    assert last_drill(watched.store, "portal_reply") == done
    assert asyncio.run(run_waiting(watched)) == 1
    assert [run.event.id for run in find_runs(watched.store)] == [event.id], "the drill's own event never runs"
    assert kinds(watched)[-4:].count("downtime.drill_ended") == 1
    assert seen_by(watched).history()[0].cause == "drill"


def test_a_drill_takes_nothing_from_another_app(watched: Runtime, installation: ModuleType) -> None:
    DrillUnderWay(watched, watched.apps("bed_huddle"), "model", 5, "Practitioner/p009")
    run = asyncio.run(run_queued(watched, installation.message_event()))
    assert run is not None
    assert run.status == "draft"
    assert active_fallback(watched.outages, watched.apps("portal_reply")) is None


def test_a_lost_draft_fails_the_drill(watched: Runtime, installation: ModuleType) -> None:
    run = asyncio.run(run_event(watched, installation.message_event()))
    drill = DrillUnderWay(watched, watched.apps("portal_reply"), "model", 5, "Practitioner/p009")
    looked = asyncio.run(drill.look())
    with watched.store.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM runs WHERE id = '{run.id}'")
    done = drill.finish(looked)
    assert not done.passed
    assert [check.name for check in done.checks if not check.passed] == ["no_lost_draft"]


def test_a_drill_that_was_cut_off_did_not_pass(watched: Runtime, clock: Clock) -> None:
    DrillUnderWay(watched, watched.apps("portal_reply"), "model", 5, "Practitioner/p009")
    clock.pass_by(minutes=7)
    settle_drills(watched.store, seen_by(watched))
    (done,) = drills(watched.store)
    assert done.ended is not None
    assert not done.passed
    assert done.checks[0].name == "finished"


def test_a_drill_is_ended_by_hand(watched: Runtime) -> None:
    drill = DrillUnderWay(watched, watched.apps("portal_reply"), "model", 5, "Practitioner/p009")
    assert end_drills(watched.store, seen_by(watched), "portal_reply") == 1
    assert not drill.on
    assert end_drills(watched.store, seen_by(watched)) == 0


@pytest.mark.parametrize("minutes", [0, -1, 241])
def test_a_drill_has_an_end(watched: Runtime, minutes: float) -> None:
    with pytest.raises(InputError) as caught:
        DrillUnderWay(watched, watched.apps("portal_reply"), "model", minutes, "Practitioner/p009")
    assert caught.value.field == "minutes"
    assert drills(watched.store) == []


def test_outages_and_what_is_owed_hold_on_either_database(store: Store, ledger: Ledger, clock: Clock) -> None:
    one, other = Outages(store, ledger, clock), Outages(store, ledger, clock)
    for n in range(FAILURES + 2):
        (one if n % 2 else other).failed("ehr")
    assert len(one.history()) == 1, "two processes that notice it begin one outage"
    one.told("Practitioner/p001")
    other._forget()
    other.told("Practitioner/p002")
    drill = one.begin_drill("model", "portal_reply", clock.now + timedelta(minutes=5))
    other._forget()
    assert [held.dependency for held in other.held("portal_reply")] == ["ehr", "model"]
    assert [held.dependency for held in other.held("bed_huddle")] == ["ehr"]
    assert other.to_probe(timedelta(seconds=15)) == ()
    clock.pass_by(seconds=20)
    assert other.to_probe(timedelta(seconds=15)) == ("ehr",)
    other.answered("ehr")
    one._forget()
    one.end_drill(drill.id)
    assert one.held() == ()
    assert set(one.history()[-1].told) == {"Practitioner/p001", "Practitioner/p002"}
    with store.write() as connection:
        owe(connection, "run-1", "portal_reply", clock.now)
    (row,) = pending_write_backs(store)
    assert pending_write_backs(store, due=clock.now) == [], "whoever signed has it in hand"
    clock.pass_by(minutes=2)
    assert claim(store, row, clock.now)
    assert not claim(store, row, clock.now), "one of two gets it"
    postpone(store, "run-1", "The chart changed.", clock.now, held="The chart changed.")
    clock.pass_by(hours=1)
    assert pending_write_backs(store, due=clock.now) == [], "a person has to look"
    let_go(store, "run-1", "f1")
    (row,) = pending_write_backs(store, due=clock.now)
    assert row.confirmed == "f1"
    with store.write() as connection:
        paid(connection, "run-1")
    assert pending_write_backs(store) == []


def test_a_run_is_changed_by_who_read_it_last(store: Store, watched: Runtime, installation: ModuleType) -> None:
    run = msgspec.structs.replace(asyncio.run(run_event(watched, installation.message_event())), id="run-copy")
    with store.write() as connection:
        connection.exec_driver_sql("DELETE FROM runs")
    save_new_run(store, run)
    first, second = (msgspec.structs.replace(run, error=text) for text in ("first", "second"))
    assert change_run(store, run, first)
    assert not change_run(store, run, second), "it is not what was read any more"
    assert load_run(store, run.id).error == "first"


def test_an_app_that_cannot_run_is_not_drilled(watched: Runtime) -> None:
    idea = msgspec.structs.replace(watched.apps("portal_reply"), prompt=None)
    with pytest.raises(InputError, match="cannot run"):
        DrillUnderWay(watched, idea, "model", 5, "Practitioner/p009")
    assert drills(watched.store) == []
