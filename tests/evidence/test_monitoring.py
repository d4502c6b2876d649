"""The three layers: metrics by hand, frozen baselines, breaches that do not flap, small cells, what is not measured."""

import importlib.util
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

from careplane._shelf import load
from careplane.errors import Conflict, InputError, NotFound
from careplane.evidence.monitoring import (
    Sources,
    acknowledge,
    find_baselines,
    find_breaches,
    find_readings,
    metric_of,
    read_app,
    rebase,
)
from careplane.evidence.monitoring.series import Calendar, run_points
from careplane.governance import switches
from careplane.ledger import Ledger
from careplane.measures import Measure
from careplane.records.app import App
from careplane.records.monitoring import MetricRule, MonitoringRule, Reading
from careplane.records.run import Finding, Run
from careplane.server.monitoring import chart
from careplane.store import Store
from careplane.store.lake import load_path
from careplane.workflow.records import save_new_run

MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def _monitored() -> ModuleType:
    spec = importlib.util.spec_from_file_location("monitored", Path(__file__).with_name("monitored.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


monitored = _monitored()
RULE = MonitoringRule(period="day", baseline_points=4, metrics=(MetricRule(metric="failures", threshold=0.3),))
APP: App = monitored.app(RULE)


@pytest.fixture
def sources(sqlite_store: Store, ledger: Ledger, home: Path) -> Sources:
    return Sources(store=sqlite_store, ledger=ledger, home=home, measures={}, chart=chart)


def day(store: Store, number: int, failed: int = 0, of: int = 20) -> None:
    """One day of runs, some of them failed."""
    at = MONDAY + number * DAY
    for one in range(of):
        status = "failed" if one < failed else "accepted"
        save_new_run(store, monitored.run(f"d{number}-{one}", at + timedelta(minutes=one), status))


def read(sources: Sources, number: int, app: App = APP) -> dict[str, Reading]:
    """All metrics as of a day."""
    return {one.metric: one for one in read_app(sources, app, MONDAY + number * DAY)}


def points(metric: str, runs: Sequence[Run]) -> list[tuple[str, float, int]]:
    return [(one.time, one.amount, one.size) for one in run_points(metric, runs, [], Calendar("week", UTC))]


def test_metrics_by_hand() -> None:
    drug = Finding(check="drugs", severity="critical", text="x")
    links = Finding(check="reading_grade", severity="caution", text="x")
    runs = [
        monitored.run("1", MONDAY, latency=100.0, findings=(drug,), distance=0.4),
        monitored.run("2", MONDAY + DAY, "rejected", latency=300.0, findings=(links,)),
        monitored.run("3", MONDAY + 6 * DAY, "edited", latency=800.0, distance=0.2),
        monitored.run("4", MONDAY + 7 * DAY, "failed"),
        monitored.run("5", MONDAY + 7 * DAY, "refused"),
        monitored.run("6", MONDAY + 8 * DAY, "draft", model="other"),
    ]
    first, second = "2026-01-05", "2026-01-12"
    assert points("calls", runs) == [(first, 3.0, 3), (second, 1.0, 1)]
    assert points("latency", runs) == [(first, 300.0, 3), (second, 900.0, 1)]
    assert points("failures", runs) == [(first, 0.0, 3), (second, 1.0, 2)]
    assert points("refusals", runs) == [(first, 0.0, 3), (second, 1.0, 3)]
    assert points("acceptance", runs) == [(first, 2.0, 3)]
    assert points("edit_distance", runs) == [(first, (0.4 + 0.2) / 2, 2)]
    assert points("error_rate", runs) == [(first, 1.0, 3), (second, 0.0, 1)]
    assert points("grounding_flags", runs) == [(first, 1.0, 3), (second, 0.0, 1)]
    assert points("guard_flags", runs) == [(first, 1.0, 3), (second, 0.0, 1)]
    assert points("fallbacks", runs) == [(first, 0.0, 3), (second, 1.0, 1)]
    assert points("canaries", runs) == []


def test_what_nothing_records_is_not_measured(sources: Sources) -> None:
    found = read(sources, 1)
    assert {one.state for one in found.values()} == {"not_measured"}
    assert "Nothing plants any" in found["canaries"].text
    assert "not on the shelf" in found["harm_flag"].text
    assert {one.metric for one in find_readings(sources.store, APP.id)} == set(found)
    assert [one.metric for one in find_readings(sources.store)][:2] == ["calls", "latency"]


def test_a_breach_opens_once_is_acknowledged_and_closes_after_two_good_days(sources: Sources) -> None:
    store, ledger = sources.store, sources.ledger
    for number, failed in enumerate((1, 2, 1, 2, 9)):
        day(store, number, failed)
    assert read(sources, 4)["failures"].state == "steady"
    broken = read(sources, 5)["failures"]
    assert broken.state == "breach"
    assert broken.value == 0.45
    assert "Breach of 2026-01-09: 45.0%, beyond the threshold of 30.0%." in broken.text
    read(sources, 5)
    (breach,) = find_breaches(store, APP.id, only_open=True)
    assert (breach.owner, breach.due_on) == ("Director of primary care", date(2026, 1, 12))
    seen = acknowledge(store, ledger, breach.id, "p.lee", "rolled back", MONDAY)
    assert seen.open
    with pytest.raises(Conflict, match=r"p\.lee"):
        acknowledge(store, ledger, breach.id, "m.ortiz", "me too", MONDAY)
    day(store, 5, 1)
    assert read(sources, 6)["failures"].state == "concern"  # one good day is not enough
    day(store, 6, 9)
    assert read(sources, 7)["failures"].state == "breach"  # it flapped: the same breach holds
    for number in (7, 8):
        day(store, number, 1)
    assert read(sources, 9)["failures"].state != "breach"
    (closed,) = find_breaches(store, APP.id)
    assert not closed.open
    assert (closed.note, closed.closed_why) == ("rolled back", "good for 2 periods, the last 2026-01-13")
    kinds = [record.kind for record in ledger.records()]
    assert kinds == ["monitor.breached", "monitor.acknowledged", "monitor.closed"]


def test_a_breach_may_pause_the_app(sources: Sources) -> None:
    rule = replace(RULE, metrics=(MetricRule(metric="failures", threshold=0.3, action="pause", reviewer="A. Person"),))
    for number, failed in enumerate((1, 2, 1, 2, 12)):
        day(sources.store, number, failed)
    assert read(sources, 5, monitored.app(rule))["failures"].reviewer == "A. Person"
    (held,) = switches(sources.store)
    assert held.automatic
    assert held.reason.startswith("Runs that failed: 60.0%, beyond the threshold")
    read(sources, 5, monitored.app(rule))
    assert len(switches(sources.store)) == 1


def test_limits_alone_make_a_breach_only_once_the_baseline_is_whole(sources: Sources) -> None:
    app = monitored.app(MonitoringRule(period="day", baseline_points=6))
    for number in range(8):
        day(sources.store, number)
    day(sources.store, 8, failed=1)
    learning = read(sources, 4, app)["failures"]
    assert learning.state == "learning"
    assert "4 of 6 periods" in learning.text
    broken = read(sources, 9, app)["failures"]
    assert broken.state == "breach"
    assert "A signal of concern: a point outside the limits" in broken.text


def test_a_baseline_is_frozen_and_a_new_one_needs_a_reason(sources: Sources) -> None:
    store = sources.store
    for number, failed in enumerate((2, 3, 2, 3, 2)):
        day(store, number, failed)
    before = read(sources, 5)["failures"].chart
    assert before is not None
    late = [monitored.run(f"late{n}", MONDAY + timedelta(hours=1), "failed") for n in range(9)]
    for one in late:
        save_new_run(store, one)
    after = read(sources, 5)["failures"].chart
    assert after is not None
    assert after.phases == before.phases
    (frozen,) = find_baselines(store, APP.id, "failures")
    assert (frozen.by, len(frozen.points)) == ("monitor", 4)
    with pytest.raises(InputError):
        rebase(store, sources.ledger, APP.id, "failures", date(2026, 1, 10), " ", "p.lee", MONDAY)
    rebase(store, sources.ledger, APP.id, "failures", date(2026, 1, 10), "another model", "p.lee", MONDAY)
    for number in (5, 6, 7):
        day(store, number, 5)
    found = read(sources, 8)["failures"].chart
    assert found is not None
    assert [one.start for one in found.phases] == ["2026-01-05", "2026-01-10"]
    assert found.phases[1].reason == "another model (p.lee)"
    assert found.phases[1].centre == pytest.approx(0.25)


def test_small_cells_are_withheld(sources: Sources) -> None:
    for number in range(3):
        day(sources.store, number, of=10)
    found = read(sources, 3)["failures"]
    assert (found.state, found.value, found.n, found.withheld) == ("not_measured", None, None, 3)
    assert found.text == "Withheld: no whole period has 11 cases."


def test_the_impact_layer_reads_the_measures(sources: Sources, home: Path, tmp_path: Path) -> None:
    """Visits whose notes are closed in time or not: three days, two, one and no note late of twelve."""
    lines = []
    for number, late in enumerate((2, 1, 0)):
        for visit in range(12):
            lines += _visit(f"v{number}-{visit}", MONDAY + number * DAY, 30 if visit < late else 1)
    file = tmp_path / "visits.ndjson"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    load_path(file, home)
    measure = load("measures", "note_closure").MEASURE
    app = replace(APP, spec=replace(APP.spec, measures=replace(APP.spec.measures, primary=("note_closure",))))
    found = read(replace_measures(sources, {"note_closure": measure}), 4, app)["note_closure"]
    assert found.layer == "impact"
    assert found.chart is not None
    assert [point.value for point in found.chart.points] == pytest.approx([10 / 12, 11 / 12, 1.0])
    assert found.better == "higher"


def replace_measures(sources: Sources, measures: dict[str, Measure]) -> Sources:
    return Sources(
        store=sources.store, ledger=sources.ledger, home=sources.home, measures=measures, chart=sources.chart
    )


def _visit(name: str, ended: datetime, hours: int) -> list[str]:
    end, noted = (one.isoformat().replace("+00:00", "Z") for one in (ended, ended + timedelta(hours=hours)))
    place = '"location": [{"location": {"reference": "Location/a"}}]'
    return [
        f'{{"resourceType": "Encounter", "id": "{name}", "status": "finished", "class": {{"code": "AMB"}}, {place}, '
        f'"subject": {{"reference": "Patient/p"}}, "period": {{"start": "{end}", "end": "{end}"}}}}',
        f'{{"resourceType": "DocumentReference", "id": "n{name}", "status": "current", "docStatus": "final", '
        f'"type": {{"coding": [{{"system": "http://loinc.org", "code": "11506-3"}}]}}, "date": "{noted}", '
        f'"context": {{"encounter": [{{"reference": "Encounter/{name}"}}]}}}}',
    ]


def test_names_that_are_not_there(sources: Sources) -> None:
    with pytest.raises(NotFound, match="Known: calls"):
        metric_of(APP, "speed", {})
    with pytest.raises(NotFound):
        acknowledge(sources.store, sources.ledger, "b-none", "p", "note", MONDAY)
    with pytest.raises(InputError):
        acknowledge(sources.store, sources.ledger, "b-none", "p", " ", MONDAY)
