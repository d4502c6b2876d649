"""The true effects of the stated behaviour, for comparison with what the evidence room estimates. Never read by it.

The intention-to-treat effect of offering drafts is the mean over eligible messages of E[Y(1)] - Y(0). Y(1) depends on
what the message is offered: nothing (the permit refused, or the app failed), or a draft whose quality the output
checks found clean, of caution or critical. Those shares are properties of the app, not of the staff, so they come from
the run records of the intervention arm as a :class:`Drafts` value.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import msgspec

from careplane.errors import DataError, InputError
from careplane.records import Record
from careplane.sandbox.behaviour import Outcomes, Parameters, Quality, p_used


class Truth(Record, frozen=True):
    """The content of ``truth.json``."""

    note: str
    seed: int
    parameters: Parameters
    messages: tuple[Outcomes, ...]


class Drafts(Record, frozen=True):
    """What eligible messages of the intervention arm were offered, as shares: ``offered`` of all messages got a draft;
    ``caution`` and ``critical`` are shares of the drafts, by their worst finding.

    Raises:
        InputError: a share outside 0-1, or caution and critical above 1 together.
    """

    offered: float = 1.0
    caution: float = 0.0
    critical: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.offered, self.caution, self.critical, self.caution + self.critical)
        if not all(0 <= share <= 1 + 1e-9 for share in shares):
            raise InputError(f"shares of drafts must lie in 0-1, got {shares}", field="drafts")

    def mix(self) -> tuple[tuple[Quality, float], ...]:
        """Shares of all messages, by the quality of the draft they were offered."""
        clean = max(0.0, 1 - self.caution - self.critical)
        return (
            ("clean", self.offered * clean),
            ("caution", self.offered * self.caution),
            ("critical", self.offered * self.critical),
        )


def read_truth(folder: Path) -> Truth:
    """Read ``truth.json`` of a data set.

    Raises:
        DataError: missing or not of this version.
    """
    path = folder / "truth.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"not the truth of a sandbox data set: {error}", file=path) from error


def true_effects(folder: Path, drafts: Drafts, messages: frozenset[str] | None = None) -> dict[str, float]:
    """The true intention-to-treat effect per message of the pilot window, by measure.

    ``msg_turnaround`` is in business hours, ``message_minutes`` in minutes; negative means the drafts help.
    ``messages`` restricts to the ids of eligible messages; ``None`` takes all.

    Raises:
        InputError: no message of the pilot window is left.
    """
    truth = read_truth(folder)
    rows = [row for row in truth.messages if row.pilot and (messages is None or row.message in messages)]
    return _effects(rows, truth.parameters, drafts)


def true_effects_by_language(folder: Path, drafts: Drafts) -> dict[str, dict[str, float]]:
    """True effects by the patient's preferred language (BCP 47 code)."""
    return _grouped(folder, drafts, lambda row: row.language)


def true_effects_by_race(folder: Path, drafts: Drafts) -> dict[str, dict[str, float]]:
    """True effects by the patient's race (OMB category)."""
    return _grouped(folder, drafts, lambda row: row.race)


def _grouped(folder: Path, drafts: Drafts, group: Callable[[Outcomes], str]) -> dict[str, dict[str, float]]:
    truth = read_truth(folder)
    groups: dict[str, list[Outcomes]] = {}
    for row in truth.messages:
        if row.pilot:
            groups.setdefault(group(row), []).append(row)
    return {name: _effects(rows, truth.parameters, drafts) for name, rows in sorted(groups.items())}


def _effects(rows: Sequence[Outcomes], rules: Parameters, drafts: Drafts) -> dict[str, float]:
    if not rows:
        raise InputError("no message of the pilot window is eligible", field="messages")
    each = [_effect(row, rules, drafts) for row in rows]
    return {
        "msg_turnaround": fmean(hours for hours, _ in each),
        "message_minutes": fmean(minutes for _, minutes in each),
    }


def _effect(row: Outcomes, rules: Parameters, drafts: Drafts) -> tuple[float, float]:
    """E[Y(1)] - Y(0) of one message in hours and in minutes."""
    hours = minutes = 0.0
    for quality, share in drafts.mix():
        used = p_used(row, rules, quality)
        unused = row.p_opened - used
        hours += share * (used * (row.y1_used_hours - row.y0_hours) + unused * (row.y1_unused_hours - row.y0_hours))
        minutes += share * (used * (row.minutes_used - row.minutes0) + unused * (row.minutes_unused - row.minutes0))
    return hours, minutes
