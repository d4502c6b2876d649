"""Retention: whole closed segments that are older than the schedule says are removed; their signed summaries stay.

Default: 6 years, which HIPAA asks for policies, decisions and the audit of access (45 CFR 164.316(b)(2), 164.530(j)).
The steps are ordered so that any of them may be the last before a crash: the intent is recorded, every summary is
marked, and only then files are removed; the next run finishes what was marked. Nobody appends between the last look at
the holds and the removal.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from careplane.errors import Conflict, InputError, LedgerError, Refused
from careplane.ledger.anchoring import open_tree
from careplane.ledger.facts import Scalar
from careplane.ledger.holds import Hold, holds
from careplane.ledger.journal import Ledger
from careplane.ledger.segments import locked, packed_path, segment_numbers, segment_path, sync_folder
from careplane.ledger.summaries import Removal, Summary, write_summary
from careplane.records import Record

DEFAULT_YEARS = 6


class Removable(Record, frozen=True):
    """What the schedule would remove, and what keeps some of it."""

    before: datetime
    segments: tuple[Summary, ...]
    held: tuple[tuple[str, int], ...]

    @property
    def records(self) -> int:
        """How many records the segments hold."""
        return sum(summary.last - summary.first + 1 for summary in self.segments)


def years_before(at: datetime, years: int) -> datetime:
    """The same day and time some years earlier; 28 February for 29 February."""
    try:
        return at.replace(year=at.year - years)
    except ValueError:
        return at.replace(year=at.year - years, day=28)


def removable(ledger: Ledger, before: datetime, at: datetime) -> Removable:
    """Closed segments whose last record is older than ``before``, and the holds (id, segment) that cover any of them.

    Raises:
        InputError: ``before`` is not in the past.
        LedgerBroken: the ledger does not hold; nothing is removed from a ledger that does not verify.
    """
    if before >= at:
        raise InputError("The schedule would remove records that are not old yet.")
    tree, _ = open_tree(ledger, at)
    old = tuple(
        summary for summary in tree.closed if summary.removed is None and summary.ended + timedelta(seconds=1) <= before
    )
    found = holds(ledger) if old else []
    held = tuple((hold.id, number) for hold in found for number in _covered(ledger, hold, old))
    return Removable(before=before, segments=old, held=held)


def remove(ledger: Ledger, plan: Removable, by: str, at: datetime) -> None:
    """Remove what a plan names: all of it or nothing.

    Raises:
        Refused: a hold covers some of it.
        Conflict: a hold was set since the plan was made.
        LedgerError: a summary or the folder cannot be written.
    """
    if not by.strip():
        raise InputError("must not be empty", field="by")
    if plan.held:
        reasons = tuple(f"Hold {hold} covers segment {number}." for hold, number in plan.held)
        raise Refused(reasons, "Nothing was removed. Release the hold, or remove what is not held with --skip-held.")
    tree, key = open_tree(ledger, at)
    there = set(segment_numbers(ledger.folder))
    _unlink(ledger.folder, [one.segment for one in tree.closed if one.removed is not None and one.segment in there])
    if not plan.segments:
        return
    facts: dict[str, Scalar] = {
        "segments": len(plan.segments),
        "first_segment": plan.segments[0].segment,
        "last_segment": plan.segments[-1].segment,
        "records": plan.records,
        "before": plan.before.isoformat(),
    }
    ledger.append("ledger.retention_begun", at=at, actor=by, facts=facts)
    with locked(ledger.folder):
        _check_holds(ledger, plan)
        for summary in plan.segments:
            write_summary(ledger.folder, msgspec.structs.replace(summary, removed=Removal(at=at, by=by)), key)
        _unlink(ledger.folder, [summary.segment for summary in plan.segments])
    ledger.append("ledger.retained", at=at, actor=by, facts=facts)


def without_held(plan: Removable) -> Removable:
    """The plan without the segments that a hold covers."""
    held = {number for _, number in plan.held}
    free = tuple(summary for summary in plan.segments if summary.segment not in held)
    return msgspec.structs.replace(plan, segments=free, held=())


def _check_holds(ledger: Ledger, plan: Removable) -> None:
    if any(_covered(ledger, hold, plan.segments) for hold in holds(ledger)):
        raise Conflict("A hold was set meanwhile, and covers what would be removed. Nothing was removed; look again.")


def _covered(ledger: Ledger, hold: Hold, old: Sequence[Summary]) -> list[int]:
    """The segments that hold records which a hold covers, or the hold itself."""
    covered: set[int] = set()
    spans = [(summary.first, summary.last, summary.segment) for summary in old]
    last = old[-1].last
    covered.update(segment for first, end, segment in spans if first <= hold.seq <= end)
    for record in ledger.find(hold.query):
        if record.seq > last or len(covered) == len(spans):
            break
        covered.update(segment for first, end, segment in spans if first <= record.seq <= end)
    return sorted(covered)


def _unlink(folder: Path, numbers: Sequence[int]) -> None:
    try:
        for number in numbers:
            segment_path(folder, number).unlink(missing_ok=True)
            packed_path(folder, number).unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise LedgerError(f"A segment cannot be removed: {error.strerror}. Run the command again to finish.") from error
