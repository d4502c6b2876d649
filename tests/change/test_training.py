"""The training gate: pass mark, expiry, major version."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from careplane.change import lesson, take_quiz, trained, trained_share
from careplane.errors import InputError, NotFound
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.store import Store

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
NURSE = "Practitioner/p001"
LESSON = "# Drafts\nRead before you sign.\n\n## Quiz\n" + "".join(
    f"### Question {n}?\n- [ ] No\n- [x] Yes\n" for n in range(5)
)


@pytest.fixture
def taught(app: App) -> App:
    return replace(app, lesson=LESSON)


def test_pass_mark(store: Store, ledger: Ledger, taught: App) -> None:
    failed = take_quiz(store, ledger, taught, NURSE, [1, 1, 1, 0, -1], AT)
    assert (failed.score, failed.passed) == (0.6, False)
    assert not trained(store, taught, NURSE, AT).allowed
    passed = take_quiz(store, ledger, taught, NURSE, [1, 1, 1, 1, 0], AT + timedelta(minutes=5))
    assert (passed.score, passed.passed) == (0.8, True)
    assert trained(store, taught, NURSE, AT + timedelta(minutes=5)).allowed


def test_the_ledger_names_nobody(store: Store, ledger: Ledger, taught: App) -> None:
    take_quiz(store, ledger, taught, NURSE, [1] * 5, AT)
    [record] = ledger.records(kind="training.taken")
    assert record.actor == ledger.pseudonym(NURSE)
    assert NURSE not in str(record)


def test_refusal_has_a_way_out(store: Store, taught: App) -> None:
    reason = trained(store, taught, NURSE, AT)
    assert not reason.allowed
    assert reason.link == f"/learn/{taught.id}"
    assert "lesson" in reason.way_out


def test_it_lapses_with_time(store: Store, ledger: Ledger, taught: App) -> None:
    take_quiz(store, ledger, taught, NURSE, [1] * 5, AT)
    days = timedelta(days=taught.spec.training.expires_days)
    assert trained(store, taught, NURSE, AT + days - timedelta(seconds=1)).allowed
    assert not trained(store, taught, NURSE, AT + days).allowed


@pytest.mark.parametrize(("version", "allowed"), [("0.9.0", True), ("1.0.0", False)])
def test_it_lapses_with_a_major_version(store: Store, ledger: Ledger, taught: App, version: str, allowed: bool) -> None:
    first = replace(taught, spec=replace(taught.spec, version="0.1.0"))
    take_quiz(store, ledger, first, NURSE, [1] * 5, AT)
    newer = replace(taught, spec=replace(taught.spec, version=version))
    assert trained(store, newer, NURSE, AT).allowed is allowed


def test_a_pass_does_not_count_before_it_was_made(store: Store, ledger: Ledger, taught: App) -> None:
    take_quiz(store, ledger, taught, NURSE, [1] * 5, AT)
    assert not trained(store, taught, NURSE, AT - timedelta(days=1)).allowed


def test_share(store: Store, ledger: Ledger, taught: App) -> None:
    take_quiz(store, ledger, taught, NURSE, [1] * 5, AT)
    assert trained_share(store, taught, [NURSE, "Practitioner/p002"], AT) == 0.5
    assert trained_share(store, taught, [], AT) is None


def test_wrong_number_of_answers_and_no_lesson(store: Store, ledger: Ledger, taught: App) -> None:
    with pytest.raises(InputError, match="5 answers"):
        take_quiz(store, ledger, taught, NURSE, [1], AT)
    bare = replace(taught, lesson=None)
    with pytest.raises(NotFound):
        lesson(bare)
    assert not trained(store, bare, NURSE, AT).allowed
