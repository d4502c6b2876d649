"""Retention and legal hold: whole segments, all or nothing, and what was signed goes on to hold."""

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli import careplane
from careplane.errors import Conflict, InputError, LedgerBroken, NotFound, Refused
from careplane.ledger import Ledger, Prepared, open_ledger, prepare, verify
from careplane.ledger.anchoring import anchor, open_tree
from careplane.ledger.holds import add_hold, holds, release_hold
from careplane.ledger.packing import pack
from careplane.ledger.proofs import check_proof, prove_growth, prove_record
from careplane.ledger.retention import removable, remove, without_held, years_before

START = datetime(2018, 1, 15, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HALF_YEAR = timedelta(days=181)
OLD = years_before(NOW, 6)


def _append(ledger: Ledger, entries: list[Prepared]) -> None:
    async def main() -> None:
        for first in range(0, len(entries), 26):  # a batch never spans two segments
            await ledger.append_all_async(entries[first : first + 26])

    asyncio.run(main())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight years of records, one a week, in a segment for each half year; two patients take turns."""
    home = tmp_path_factory.mktemp("written")
    ledger = open_ledger(home / "ledger", segment_age=HALF_YEAR)
    entries = []
    for week in range(420):
        patient = "seldom" if week in (10, 200) else str(week % 2)
        facts = {"patient": ledger.pseudonym(f"Patient/{patient}")}
        entries.append(prepare("run.permitted", _week(week), f"run-{week}", f"app_{week % 3}", None, facts))
    _append(ledger, entries)
    ledger.close()
    return home


def _week(number: int) -> datetime:
    return START + timedelta(weeks=number)


@pytest.fixture
def long(written: Path, home: Path) -> Ledger:
    """A copy of that ledger of its own."""
    shutil.copytree(written, home, dirs_exist_ok=True)
    return open_ledger(home / "ledger", segment_age=HALF_YEAR)


def _numbers(folder: Path) -> set[int]:
    return {int(path.name[:6]) for path in folder.glob("*.jsonl*")}


def test_rotation_follows_the_age_of_records(long: Ledger) -> None:
    assert len(_numbers(long.folder)) == 17
    assert verify(long.folder).seq == 420


def test_removal_keeps_chain_anchors_and_proofs(long: Ledger) -> None:
    early = anchor(long, NOW)
    tree, key = open_tree(long, NOW)
    old_proof = prove_record(tree, 5, key, NOW)
    plan = removable(long, OLD, NOW)
    assert plan.segments[0].segment == 1
    assert all(summary.ended <= OLD for summary in plan.segments)
    before = _numbers(long.folder)
    remove(long, plan, "K. Lee", NOW)
    assert before - _numbers(long.folder) == {summary.segment for summary in plan.segments}
    after = long.append("after", at=NOW)
    late = anchor(long, NOW)
    assert verify(long.folder, [early, late]).seq == after.seq + 1
    tree, key = open_tree(long, NOW)
    check_proof(old_proof, key.public)
    check_proof(prove_record(tree, 300, key, NOW), key.public)
    check_proof(prove_growth(tree, early, key, NOW), key.public)
    with pytest.raises(Refused, match=r"Record 5 was removed on 2026-03-01 by K\. Lee"):
        prove_record(tree, 5, key, NOW)
    assert next(long.records()).seq == plan.segments[-1].last + 1
    (record,) = long.records(kind="ledger.retained")
    assert (record.actor, record.facts["records"]) == ("K. Lee", plan.records)
    assert removable(long, OLD, NOW).segments == ()


def test_anchor_inside_a_removed_segment_still_checks(home: Path) -> None:
    ledger = open_ledger(home / "ledger", segment_age=HALF_YEAR)
    heads = []
    for half in range(16):
        _append(ledger, [prepare("a", _week(half * 26 + week)) for week in range(26)])
        if half in (0, 1, 3, 10):
            heads.append(anchor(ledger, _week(half * 26 + 25)))
            _append(ledger, [prepare("b", _week(half * 26 + 25))] * 3)
    remove(ledger, removable(ledger, OLD, NOW), "K. Lee", NOW)
    assert verify(ledger.folder, heads).seq == ledger.head.seq
    tree, key = open_tree(ledger, NOW)
    for head in heads:
        check_proof(prove_growth(tree, head, key, NOW), key.public)


def test_removed_by_hand_is_missing(long: Ledger) -> None:
    anchor(long, NOW)
    (long.folder / "000003.jsonl").unlink()
    with pytest.raises(LedgerBroken, match="segment 3 is missing"):
        verify(long.folder)
    with pytest.raises(LedgerBroken, match="segment 3 is missing"):
        removable(long, OLD, NOW)


@pytest.mark.parametrize("what", ["run", "app", "patient", "period"])
def test_hold_refuses_until_a_second_person_releases_it(long: Ledger, what: str) -> None:
    covers: dict[str, Callable[[], dict[str, object]]] = {
        "run": lambda: {"run": "run-3"},
        "app": lambda: {"app": "app_1"},
        "patient": lambda: {"patient": long.pseudonym("Patient/seldom")},
        "period": lambda: {"since": START + timedelta(weeks=20), "until": START + timedelta(weeks=21)},
    }
    hold = add_hold(long, "K. Lee", "case 12", NOW, **covers[what]())  # type: ignore[arg-type]
    plan = removable(long, OLD, NOW)
    assert {held for held, _ in plan.held} == {hold.id}
    before = _numbers(long.folder)
    with pytest.raises(Refused, match=f"Hold {hold.id} covers segment"):
        remove(long, plan, "K. Lee", NOW)
    assert _numbers(long.folder) == before
    with pytest.raises(Refused, match="second person"):
        release_hold(long, hold.id, "k. lee ", "done", NOW)
    release_hold(long, hold.id, "A. Roe", "case closed", NOW)
    assert holds(long) == []
    remove(long, removable(long, OLD, NOW), "K. Lee", NOW)
    assert verify(long.folder).seq == long.head.seq


def test_hold_on_one_patient_pins_the_segments_of_her_runs_only(long: Ledger) -> None:
    add_hold(long, "K. Lee", "case 12", NOW, patient=long.pseudonym("Patient/seldom"))
    plan = removable(long, OLD, NOW)
    ((_, number),) = plan.held
    assert number == 1
    remove(long, without_held(plan), "K. Lee", NOW)
    assert number in _numbers(long.folder)
    assert _numbers(long.folder).isdisjoint(summary.segment for summary in plan.segments[1:])
    assert [record.run for record in long.find(holds(long)[0].query)] == ["run-10", "run-200"]
    assert verify(long.folder).seq == long.head.seq


def test_hold_that_is_set_meanwhile_stops_the_removal(long: Ledger) -> None:
    plan = removable(long, OLD, NOW)
    add_hold(long, "K. Lee", "case 12", NOW, app="app_1")
    before = _numbers(long.folder)
    with pytest.raises(Conflict, match="set meanwhile"):
        remove(long, plan, "A. Roe", NOW)
    assert _numbers(long.folder) == before
    assert list(long.records(kind="ledger.retained")) == []


def test_hold_keeps_its_own_record(home: Path) -> None:
    ledger = open_ledger(home / "ledger", segment_age=HALF_YEAR)
    add_hold(ledger, "K. Lee", "case 1", START, run="run-later")
    _append(ledger, [prepare("a", _week(week)) for week in range(420)])
    plan = removable(ledger, OLD, NOW)
    assert [number for _, number in plan.held] == [1]


def test_interrupted_removal_is_finished_by_the_next(long: Ledger, tmp_path: Path) -> None:
    plan = removable(long, OLD, NOW)
    kept = {summary.segment: (long.folder / f"{summary.segment:06d}.jsonl").read_bytes() for summary in plan.segments}
    remove(long, plan, "K. Lee", NOW)
    for number in (2, 3):  # as if the process had died after it marked them
        (long.folder / f"{number:06d}.jsonl").write_bytes(kept[number])
    assert verify(long.folder).seq == long.head.seq
    remove(long, removable(long, OLD, NOW), "K. Lee", NOW)
    assert not {2, 3} & _numbers(long.folder)


def test_compressed_segments_are_removed_too(long: Ledger) -> None:
    anchor(long, NOW)
    pack(long.folder, long.tail.segment)
    plan = removable(long, OLD, NOW)
    remove(long, plan, "K. Lee", NOW)
    assert _numbers(long.folder).isdisjoint(summary.segment for summary in plan.segments)
    assert verify(long.folder).seq == long.head.seq


def test_bad_requests_are_refused(long: Ledger) -> None:
    with pytest.raises(InputError, match="not old yet"):
        removable(long, NOW + timedelta(days=1), NOW)
    with pytest.raises(InputError, match="what the hold covers"):
        add_hold(long, "K. Lee", "case", NOW)
    with pytest.raises(InputError, match="why"):
        add_hold(long, "K. Lee", " ", NOW, run="r")
    with pytest.raises(InputError, match="before it begins"):
        add_hold(long, "K. Lee", "case", NOW, since=NOW, until=START)
    with pytest.raises(NotFound, match="no hold x"):
        release_hold(long, "x", "A. Roe", "y", NOW)


def test_29_february_six_years_ago() -> None:
    assert years_before(datetime(2024, 2, 29, tzinfo=UTC), 6) == datetime(2018, 2, 28, tzinfo=UTC)


def test_commands(long: Ledger, home: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(careplane, ["ledger", *arguments, "--home", str(home)])
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    made = json.loads(
        run("hold", "add", "--patient", "seldom", "--by", "K. Lee", "--why", "case 12", "--json")
    )["hold"]  # fmt: skip
    assert made in run("hold", "list")
    assert "seldom" not in run("hold", "list", "--json")
    told = json.loads(run("retain", "--json"))
    assert told["removed"] is False
    assert [one["hold"] for one in told["held"]] == [made]
    assert "Would remove" in run("retain", "--older-than", "2200d")
    run("retain", "--older-than", "six years", code=1)
    run("hold", "release", made, "--by", "A. Roe", "--why", "closed")
    assert "Removed" in run("retain", "--remove", "--by", "K. Lee")
    assert "No hold" in run("hold", "list")
    assert json.loads(run("verify", "--json"))["verified"] is True
