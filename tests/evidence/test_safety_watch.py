"""The safety watch: its error however often one looks, late and repeated flags, crossing once, release by two."""

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from msgspec.structs import replace

from careplane.change import import_requests
from careplane.errors import InputError, LedgerError, NotFound, Refused
from careplane.evidence.monitoring import (
    current_watch,
    e_value,
    find_flags,
    find_watches,
    flag_harm,
    lower_bound,
    pulse,
    runs_to_notice,
    watch_app,
)
from careplane.evidence.monitoring.betting import MULTIPLES
from careplane.governance import release, stopped, switches
from careplane.ledger import Ledger, open_ledger
from careplane.records.app import App
from careplane.records.monitoring import MonitoringRule, SafetyRule
from careplane.records.people import Request
from careplane.store import Store, open_store
from careplane.workflow.records import load_run, replace_run

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def _monitored() -> ModuleType:
    spec = importlib.util.spec_from_file_location("monitored", Path(__file__).with_name("monitored.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


monitored = _monitored()
APP: App = monitored.app(MonitoringRule(safety=SafetyRule(max_rate=0.05)))


class Asked:
    """Whom the watch told."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    def __call__(self, app: App, question: str) -> None:
        if question not in self.questions:
            self.questions.append(question)


def test_the_wealth_by_hand() -> None:
    """Two events in three runs against 0.1: m^2 / (1 + (m - 1) / 10)^3, the mean over the multiples."""
    by_hand = sum(m**2 / (1 + (m - 1) * 0.1) ** 3 for m in MULTIPLES) / len(MULTIPLES)
    assert e_value(2, 3, 0.1) == pytest.approx(by_hand, rel=1e-12)
    assert e_value(0, 0, 0.1) == 1.0
    assert e_value(0, 400, 0.1) < 1e-6
    assert e_value(5000, 5000, 1e-9) > 1e200  # large, and no overflow


def test_the_lower_bound_is_where_the_wealth_meets_the_bound() -> None:
    low = lower_bound(30, 200, 0.05)
    assert 0.08 < low < 0.15
    assert e_value(30, 200, low) == pytest.approx(20.0, rel=1e-6)
    assert lower_bound(0, 200, 0.05) == 0.0


def test_a_thousand_looks_keep_the_error() -> None:
    """2,000 apps exactly at the share that is allowed, 1,000 runs each, a look after every run: at most 5 % ever cross,
    within two Monte Carlo errors; a test of the share that peeks as often would cross far oftener."""
    draws = np.random.default_rng(11)
    events = np.cumsum(draws.random((2000, 1000)) < 0.05, axis=1)
    looks = np.arange(1, 1001)
    logs = [events * np.log(m) - looks * np.log1p((m - 1) * 0.05) for m in MULTIPLES]
    crossed = (np.exp(logs).mean(axis=0) >= 20).any(axis=1).mean()
    assert crossed <= 0.05 + 2 * (0.05 * 0.95 / 2000) ** 0.5
    z = (events - 0.05 * looks) / np.sqrt(0.0475 * looks)
    assert (z[:, 30:] > 1.645).any(axis=1).mean() > 0.2


def test_late_flags_never_make_it_bolder() -> None:
    """Flags come up to 200 runs late, in any order: at no look is the wealth above that of the same runs fully told."""
    draws = np.random.default_rng(5)
    harmed = draws.random(1000) < 0.08
    told_at = np.arange(1000) + draws.integers(0, 200, 1000)
    for look in range(50, 1000, 50):
        seen = int((harmed[:look] & (told_at[:look] < look)).sum())
        assert e_value(seen, look, 0.05) <= e_value(int(harmed[:look].sum()), look, 0.05)


def test_how_soon_it_notices() -> None:
    twice, five = runs_to_notice(0.01, 0.05, 0.02), runs_to_notice(0.01, 0.05, 0.05)
    assert twice is not None
    assert five is not None
    assert five < 200 < twice < 2000
    assert runs_to_notice(0.01, 0.05, 0.005) is None


def test_it_crosses_once_pauses_and_tells(store: Store, ledger: Ledger) -> None:
    runs, asked = monitored.keep(store, 40, AT), Asked()
    assert watch_app(store, ledger, APP, asked, AT).looks == 1
    assert watch_app(store, ledger, APP, asked, AT).looks == 1  # nothing new is no look
    for number, run in enumerate(runs[:12]):
        flag_harm(store, ledger, run, "moderate", f"Practitioner/p{number}", AT)
        flag_harm(store, ledger, run, "severe", f"Practitioner/p{number}", AT)  # the same person again
        flag_harm(store, ledger, run, "mild", "Practitioner/other", AT)  # another one, of the same run
    watch = watch_app(store, ledger, APP, asked, AT + timedelta(minutes=1))
    assert (watch.runs, watch.events) == (40, 12)
    assert watch.evidence == pytest.approx(e_value(12, 40, 0.05))
    assert watch.evidence > watch.bound == 20
    for _ in range(3):
        watch_app(store, ledger, APP, asked, AT + timedelta(minutes=2))
    assert len(asked.questions) == 1
    kinds = [record.kind for record in ledger.records() if record.kind != "harm.flagged"]
    assert kinds == ["switch.stopped", "safety.crossed"]
    reason = stopped(store, "portal_reply", None, "1.0.0")
    assert reason is not None
    assert reason.startswith("12 of 40 runs had a harm flag, so the true share is above 5.00%")


def test_it_takes_two_people_to_release_and_then_a_new_watch_begins(store: Store, ledger: Ledger) -> None:
    _cross(store, ledger)
    with pytest.raises(InputError):
        release(store, ledger, "app", APP.id, " ", AT)
    assert release(store, ledger, "app", APP.id, "p1", AT) == "asked"
    assert switches(store)[0].asked_by == "p1"
    with pytest.raises(Refused, match="asked for the release"):
        release(store, ledger, "app", APP.id, "p1", AT)
    assert watch_app(store, ledger, APP, Asked(), AT).number == 1  # still stopped
    assert release(store, ledger, "app", APP.id, "p2", AT) == "released"
    later = AT + timedelta(days=1)
    watch = watch_app(store, ledger, APP, Asked(), later)
    assert (watch.number, watch.runs, watch.why) == (2, 0, "the app was released")
    monitored.keep(store, 5, later, "after")
    assert watch_app(store, ledger, APP, Asked(), later + timedelta(hours=1)).runs == 5
    assert stopped(store, "portal_reply", None, "1.0.0") is None
    assert [one.number for one in find_watches(store, APP.id)] == [2, 1]


def _cross(store: Store, ledger: Ledger) -> None:
    for number, run in enumerate(monitored.keep(store, 20, AT)[:10]):
        flag_harm(store, ledger, run, "mild", f"p{number}", AT)
    assert watch_app(store, ledger, APP, Asked(), AT).crossed_at is not None


def test_flags_without_harm_do_not_count(sqlite_store: Store, ledger: Ledger) -> None:
    for number, run in enumerate(monitored.keep(sqlite_store, 20, AT)):
        flag_harm(sqlite_store, ledger, run, "no_harm" if number % 2 else "none_reached", "p1", AT)
    watch = watch_app(sqlite_store, ledger, APP, Asked(), AT)
    assert (watch.runs, watch.events) == (20, 0)
    assert len(find_flags(sqlite_store, "portal_reply")) == 20


def test_a_problem_that_is_reported_as_unsafe_counts(sqlite_store: Store, ledger: Ledger) -> None:
    runs = monitored.keep(sqlite_store, 20, AT)
    for number, what in enumerate(("unsafe", "wrong_patient", "missing", "unsafe")):
        told = Request(id=f"r{number}", app=APP.id, by="p", kind="problem", text="x", at=AT, run=runs[0], what=what)
        import_requests(sqlite_store, [replace(told, run=runs[1]) if what == "wrong_patient" else told])
    flag_harm(sqlite_store, ledger, runs[0], "mild", "p1", AT)
    assert watch_app(sqlite_store, ledger, APP, Asked(), AT).events == 2


def test_runs_that_come_late_or_out_of_order_count_once(sqlite_store: Store, ledger: Ledger) -> None:
    monitored.keep(sqlite_store, 5, AT, "b")
    assert watch_app(sqlite_store, ledger, APP, Asked(), AT).runs == 5
    monitored.keep(sqlite_store, 5, AT - timedelta(days=9), "a")
    monitored.keep(sqlite_store, 5, AT, "refused", "refused")
    assert watch_app(sqlite_store, ledger, APP, Asked(), AT).runs == 10
    assert watch_app(sqlite_store, ledger, APP, Asked(), AT).runs == 10


def test_other_events_than_flags(sqlite_store: Store, ledger: Ledger) -> None:
    rule = SafetyRule(events=("failed", "critical_finding", "rejected"), max_rate=0.3)
    app = monitored.app(MonitoringRule(safety=rule))
    ids = monitored.keep(sqlite_store, 6, AT)
    monitored.keep(sqlite_store, 2, AT, "f", "failed")
    monitored.keep(sqlite_store, 1, AT, "waits", "draft")
    finding = monitored.Finding(check="drugs", severity="critical", text="“x” is in no source.")
    monitored.save_new_run(sqlite_store, monitored.run("c", AT, findings=(finding,)))
    assert watch_app(sqlite_store, ledger, app, Asked(), AT).events == 3
    waiting = load_run(sqlite_store, monitored.run_id("portal_reply", "waits0"))
    assert replace_run(sqlite_store, monitored.run("waits0", AT, "rejected"), waiting.status)
    watch = watch_app(sqlite_store, ledger, app, Asked(), AT)
    assert (watch.runs, watch.events) == (len(ids) + 4, 4)


def test_a_changed_rule_begins_a_new_watch(sqlite_store: Store, ledger: Ledger) -> None:
    monitored.keep(sqlite_store, 5, AT)
    watch_app(sqlite_store, ledger, APP, Asked(), AT)
    other = monitored.app(MonitoringRule(safety=SafetyRule(max_rate=0.2)))
    watch = watch_app(sqlite_store, ledger, other, Asked(), AT + timedelta(days=1))
    assert (watch.number, watch.runs, watch.why) == (2, 0, "its rule was changed")


def test_without_pause_it_only_tells(sqlite_store: Store, ledger: Ledger) -> None:
    app = monitored.app(MonitoringRule(safety=SafetyRule(max_rate=0.05, pause=False)))
    asked = Asked()
    for number, run in enumerate(monitored.keep(sqlite_store, 20, AT)[:10]):
        flag_harm(sqlite_store, ledger, run, "mild", f"p{number}", AT)
    for _ in range(3):
        watch_app(sqlite_store, ledger, app, asked, AT)
    assert switches(sqlite_store) == []
    assert len(asked.questions) == 1
    watch = current_watch(sqlite_store, "portal_reply")
    assert watch is not None
    assert watch.number == 1
    assert watch.settled_at is not None


def test_a_crash_between_pausing_and_telling_is_made_good(home: Path) -> None:
    """The ledger cannot be written as it crosses: the pause holds, nothing is told twice, the next process goes on."""
    url, asked = f"sqlite:///{home / 'careplane.db'}", Asked()
    store, ledger = open_store(url), open_ledger(home / "ledger")
    for number, run in enumerate(monitored.keep(store, 20, AT)[:10]):
        flag_harm(store, ledger, run, "mild", f"p{number}", AT)
    with pytest.raises(LedgerError):
        watch_app(store, _Full(ledger), APP, asked, AT)  # type: ignore[arg-type]
    assert stopped(store, "portal_reply", None, "1.0.0") is not None
    assert asked.questions == []
    store.close()
    again = open_store(url)
    watch = watch_app(again, open_ledger(home / "ledger"), APP, asked, AT)
    assert watch.crossed_at == AT
    assert len(asked.questions) == 1
    kinds = [record.kind for record in open_ledger(home / "ledger").records()]
    assert kinds.count("safety.crossed") == 1
    again.close()


def test_a_worker_that_dies_while_it_tells_is_followed_by_another(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first writes the ledger and dies; the next waits for its claim to end, tells, and does not write again."""
    for number, run in enumerate(monitored.keep(store, 20, AT)[:10]):
        flag_harm(store, ledger, run, "mild", f"p{number}", AT)

    def die(_app: App, _question: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch_app(store, ledger, APP, die, AT)
    asked = Asked()
    assert watch_app(store, ledger, APP, asked, AT).settled_at is None
    assert asked.questions == []
    monkeypatch.setattr("careplane.evidence.monitoring.crossing.CLAIM_SECONDS", -1.0)
    watch_app(store, ledger, APP, asked, AT)
    assert len(asked.questions) == 1
    watch = current_watch(store, APP.id)
    assert watch is not None
    assert watch.settled_at == AT
    assert sum(record.kind == "safety.crossed" for record in ledger.records()) == 1


class _Full:
    """A ledger on a full disk."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def append(self, *_args: object, **_keys: object) -> None:
        raise LedgerError("No space left on device.")


def test_bad_flags(sqlite_store: Store, ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        flag_harm(sqlite_store, ledger, "run-nothing", "mild", "p1", AT)
    run = monitored.keep(sqlite_store, 1, AT)[0]
    with pytest.raises(InputError):
        flag_harm(sqlite_store, ledger, run, "mild", " ", AT)
    with pytest.raises(InputError, match="at most 2000"):
        flag_harm(sqlite_store, ledger, run, "mild", "p1", AT, "x" * 2001)
    assert find_flags(sqlite_store) == []


def test_the_pulse_changes_with_whatever_a_look_could_find(sqlite_store: Store, ledger: Ledger) -> None:
    seen = [pulse(sqlite_store, APP.id)]
    runs = monitored.keep(sqlite_store, 20, AT)
    seen.append(pulse(sqlite_store, APP.id))
    for number, run in enumerate(runs[:10]):
        flag_harm(sqlite_store, ledger, run, "mild", f"p{number}", AT)
    seen.append(pulse(sqlite_store, APP.id))
    watch_app(sqlite_store, ledger, APP, Asked(), AT)
    seen.append(pulse(sqlite_store, APP.id))
    release(sqlite_store, ledger, "app", APP.id, "p1", AT)
    release(sqlite_store, ledger, "app", APP.id, "p2", AT)
    seen.append(pulse(sqlite_store, APP.id))
    assert len(set(seen)) == 4
    assert (
        seen[-1] == seen[2]
    )  # a release leads back to before the crossing, which is another pulse than that of the stop
    assert pulse(sqlite_store, APP.id) == seen[-1]
