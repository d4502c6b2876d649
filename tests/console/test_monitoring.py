"""Monitoring in the console: the board, an app's charts, acknowledging a breach, flagging harm, releasing by two."""

import importlib.util
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from careplane.console.charts import control_figure
from careplane.evidence.monitoring import Sources, find_breaches, find_flags, read_app, watch_app
from careplane.governance import switches
from careplane.records.monitoring import Mark, MetricRule, MonitoringRule, SafetyRule
from careplane.server.monitoring import chart


def _monitored() -> ModuleType:
    file = Path(__file__).parents[1] / "evidence/monitored.py"
    spec = importlib.util.spec_from_file_location("monitored", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


monitored = _monitored()
RULE = MonitoringRule(
    period="day",
    baseline_points=4,
    metrics=(MetricRule(metric="failures", threshold=0.3),),
    safety=SafetyRule(max_rate=0.01),
)


@pytest.fixture(scope="module")
def watched(served):  # type: ignore[no-untyped-def]
    """The served console, with nine days of runs of which the last failed too often."""
    context = served.context
    for number in range(9):
        at = context.clock() - timedelta(days=10 - number)
        monitored.keep(context.store, 8 if number == 8 else 1, at, f"f{number}-", "failed")
        monitored.keep(context.store, 12, at, f"d{number}-")
    sources = Sources(store=context.store, ledger=context.ledger, home=context.home, measures={}, chart=chart)
    read_app(sources, monitored.app(RULE), context.clock() - timedelta(days=1))
    return served


def test_the_board_says_it_in_words_and_shapes(watched) -> None:  # type: ignore[no-untyped-def]
    with watched.client("reader", "clinician") as client:
        page = client.get("/safety/monitoring").text
        assert "■ breach" in page
        assert "– not measured" in page
        assert "Director of primary care" in page
        assert "nobody has answered" in page
        assert "not looked at yet" in page
        assert 'href="/safety/monitoring"' in client.get("/safety").text


def test_an_app_shows_its_charts_and_who_may_answer(watched) -> None:  # type: ignore[no-untyped-def]
    breaches = find_breaches(watched.context.store, "portal_reply")
    (breach,) = [one for one in breaches if one.metric == "failures"]
    address = f"/safety/monitoring/portal_reply/breaches/{breach.id}"
    with watched.client("nurse.b", "clinician") as client:
        page = client.get("/safety/monitoring/portal_reply")
        assert breach.reason.endswith("beyond the threshold of 30.0%.")
        assert breach.reason in page.text
        assert "Canaries that came through" in page.text
        assert "A breach goes to Platform engineering (default)" in page.text
        assert page.text.count("<figure>") >= 5
        assert "Acknowledge" not in page.text
        form = {"csrf": monitored_token(page.text), "note": "no"}
        assert client.post(address, data=form).status_code == 403
        assert client.get("/safety/monitoring/no_such_app").status_code == 404
    with watched.client("owner.b", "owner") as client:
        form = {"csrf": monitored_token(client.get("/safety/monitoring/portal_reply").text), "note": "rolled back"}
        assert "rolled back (owner.b" in client.post(address, data=form).text
        assert client.post(address, data=form).status_code == 409


def monitored_token(page: str) -> str:
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]


def test_flags_cross_the_watch_and_two_people_release(watched) -> None:  # type: ignore[no-untyped-def]
    context = watched.context
    runs = [monitored.run_id("portal_reply", f"d0-{number}") for number in range(6)]
    with watched.client("nurse.c", "clinician") as client:
        token = monitored_token(client.get("/safety/monitoring/portal_reply").text)
        for run in runs:
            form = {"csrf": token, "run": run, "level": "moderate", "note": "seen in time"}
            assert client.post("/safety/monitoring/portal_reply/flags", data=form).status_code == 200
        bad = {"csrf": token, "run": runs[0], "level": "awful"}
        assert client.post("/safety/monitoring/portal_reply/flags", data=bad).status_code == 400
        gone = {"csrf": token, "run": "run-000000000000000000000000", "level": "mild"}
        assert client.post("/safety/monitoring/portal_reply/flags", data=gone).status_code == 404
    assert len(find_flags(context.store, "portal_reply")) == 6
    app = monitored.app(MonitoringRule(safety=SafetyRule(max_rate=0.002)))
    watch_app(context.store, context.ledger, app, lambda _app, _question: None, context.clock())
    release = "/safety/stops/portal_reply/release"
    with watched.client("first", "privacy") as first, watched.client("second", "executive") as second:
        page = first.get("/safety/monitoring/portal_reply").text
        assert "■ crossed" in page
        assert "one who asks and another who gives it" in page
        safety = first.get("/safety").text
        assert "Ask for release" in safety
        form = {"csrf": monitored_token(safety)}
        assert "first asks for the release" in first.post(release, data=form).text
        assert first.post(release, data=form).status_code == 403
        assert len(switches(context.store)) == 1
        form = {"csrf": monitored_token(second.get("/safety").text)}
        second.post(release, data=form)
    assert switches(context.store) == []


def test_a_chart_marks_by_shape_and_word(watched) -> None:  # type: ignore[no-untyped-def]
    context = watched.context
    sources = Sources(store=context.store, ledger=context.ledger, home=context.home, measures={}, chart=chart)
    readings = {one.metric: one for one in read_app(sources, monitored.app(RULE), context.clock())}
    failures = readings["failures"]
    assert failures.chart is not None
    first = date.fromisoformat(failures.chart.points[2].time)
    marks = [Mark(on=first, text="decided: approve"), Mark(on=date(2020, 1, 1), text="long ago")]
    figure = control_figure(failures, failures.chart, marks)
    assert "outside" in figure.svg
    assert "concern" in figure.svg
    assert "Special cause variation: a concern." in figure.sentence
    assert any("concern: outside" in row[-1] for row in figure.rows)
    assert {len(row) for row in figure.rows} == {len(figure.columns)}
    assert f"1: decided: approve ({first})" in figure.note
    assert "long ago" not in figure.note
