"""The six signs of pilot reliance and their index: pure formulas, no I/O.

Each sign runs from 0 (good) to 100 (bad). Weights, bands and cut points are defaults, shown as such. Source: the
article's six signs, with the formulas of the requirements, section A; :mod:`careplane.alignment.signal_inputs` fills
the inputs from the store.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from statistics import fmean, median

from careplane.records import Record
from careplane.records.portfolio import Signal

WEIGHTS: dict[str, float] = {"s1": 0.20, "s2": 0.20, "s3": 0.10, "s4": 0.20, "s5": 0.15, "s6": 0.15}
TITLES: dict[str, str] = {
    "s1": "Small projects without a clear path to scale",
    "s2": "Point solutions that do not integrate",
    "s3": "Little work across departments",
    "s4": "No metrics",
    "s5": "Decisions that are not made",
    "s6": "Infrastructure, funding and adoption are not discussed",
}
BANDS = (25.0, 50.0)
INTEGRATION_MINIMUM = 4 / 6
ROWS_SHOWN = 5
COMPLETE_MINIMUM = 0.70
WEIGHT_SHIFT = 0.5


class Known(Record, frozen=True):
    """How much of the needed data was there: ``there`` of ``needed`` facts."""

    there: int = 0
    needed: int = 0

    def __add__(self, other: "Known") -> "Known":
        return Known(there=self.there + other.there, needed=self.needed + other.needed)

    @property
    def share(self) -> float:
        """0 when nothing was needed, because then nothing was there to judge."""
        return self.there / self.needed if self.needed else 0.0


class PilotInput(Record, frozen=True):
    """One item in shadow or pilot. ``path`` is the share of the 8 path checks that pass; ``aged`` when it is past the
    limit of its tier without a decision to scale; ``sponsored`` when a confirmed sponsor comes to the reviews."""

    item: str
    path: float
    aged: bool
    sponsored: bool
    known: Known = Known()


class ActiveInput(Record, frozen=True):
    """One item from shadow to sustained. ``integration`` and ``metrics`` are shares of 6 and of 8 checks."""

    item: str
    integration: float
    overlaps: bool
    on_platform: bool
    crosses_departments: bool
    reuses: bool
    metrics: float
    known_s2: Known = Known()
    known_s3: Known = Known()
    known_s4: Known = Known()


class DecisionInput(Record, frozen=True):
    """One decision of the last 180 days. ``ratio`` is its age over its allowed time."""

    item: str
    late: bool
    ratio: float
    deferrals: int


class LongTermInput(Record, frozen=True):
    """One pilot older than 60 days: four parts, each 0 to 1."""

    item: str
    infrastructure: float
    funding: float
    adoption: float
    discussed: float
    known: Known = Known()


class SignalInputs(Record, frozen=True):
    """All that the six signs need. ``single_departments`` of ``departments`` have single-department items only;
    ``registered`` is how many items the register holds."""

    registered: int
    pilots: tuple[PilotInput, ...]
    active: tuple[ActiveInput, ...]
    decisions: tuple[DecisionInput, ...]
    long_term: tuple[LongTermInput, ...]
    single_departments: int
    departments: int


def six_signals(inputs: SignalInputs) -> tuple[Signal, ...]:
    """The six signs, ``s1`` to ``s6``."""
    return tuple(formula(inputs) for formula in _FORMULAS)


def pilot_reliance_index(signals: Iterable[Signal], weights: dict[str, float] | None = None) -> float:
    """The weighted mean of the signs, 0 to 100."""
    weights = WEIGHTS if weights is None else weights
    values = {signal.id: signal.value for signal in signals}
    return sum(weights[name] * values[name] for name in weights) / sum(weights.values())


def index_range(signals: Sequence[Signal], shift: float = WEIGHT_SHIFT) -> tuple[float, float]:
    """The lowest and highest index when each weight may move by ``shift`` of itself, and weights then sum to 1.

    The index is linear-fractional in the weights, so its extremes lie at corners of the box; all 64 are tried.
    """
    corners = [
        pilot_reliance_index(signals, {name: WEIGHTS[name] * move for name, move in zip(WEIGHTS, moves, strict=True)})
        for moves in product((1 - shift, 1 + shift), repeat=len(WEIGHTS))
    ]
    return min(corners), max(corners)


def completeness(signals: Iterable[Signal]) -> float:
    """The share of the data that was there, each sign by its weight."""
    return sum(WEIGHTS[signal.id] * signal.complete for signal in signals)


def _s1(inputs: SignalInputs) -> Signal:
    pilots = inputs.pilots
    parts = {"path_gap": _mean(1 - p.path for p in pilots), "aged": _mean(p.aged for p in pilots)}
    value = 100 * (0.6 * parts["path_gap"] + 0.4 * parts["aged"])
    aged = sum(p.aged for p in pilots)
    return _signal(
        "s1",
        value,
        parts,
        _known((p.known for p in pilots), inputs),
        [(p.item, 0.6 * (1 - p.path) + 0.4 * p.aged) for p in pilots],
        f"Of {len(pilots)} pilots, {aged} {_are(aged)} past the time limit without a decision; on average "
        f"{8 * (1 - parts['path_gap']):.1f} of 8 steps of the path to scale are in place.",
    )


def _s2(inputs: SignalInputs) -> Signal:
    active = inputs.active
    poor = [a.integration < INTEGRATION_MINIMUM - 1e-9 for a in active]
    parts = {
        "not_integrated": _mean(poor),
        "overlapping": _mean(a.overlaps for a in active),
        "off_platform": _mean(not a.on_platform for a in active),
    }
    value = 100 * (0.5 * parts["not_integrated"] + 0.3 * parts["overlapping"] + 0.2 * parts["off_platform"])
    return _signal(
        "s2",
        value,
        parts,
        _known((a.known_s2 for a in active), inputs),
        [(a.item, 0.5 * p + 0.3 * a.overlaps + 0.2 * (not a.on_platform)) for a, p in zip(active, poor, strict=True)],
        f"Of {len(active)} items in use, {sum(poor)} pass fewer than 4 of 6 integration checks, "
        f"{sum(a.overlaps for a in active)} overlap with another and nobody has decided, "
        f"{sum(not a.on_platform for a in active)} run outside the platform.",
    )


def _s3(inputs: SignalInputs) -> Signal:
    active = inputs.active
    parts = {
        "cross_department": _mean(a.crosses_departments for a in active),
        "reusing": _mean(a.reuses for a in active),
        "isolated_departments": inputs.single_departments / inputs.departments if inputs.departments else 0.0,
    }
    value = (
        100
        * (0.5 * (1 - parts["cross_department"]) + 0.25 * (1 - parts["reusing"]) + 0.25 * parts["isolated_departments"])
        if active
        else 0.0
    )
    return _signal(
        "s3",
        value,
        parts,
        _known((a.known_s3 for a in active), inputs),
        [(a.item, 0.5 * (not a.crosses_departments) + 0.25 * (not a.reuses)) for a in active],
        f"{sum(a.crosses_departments for a in active)} of {len(active)} items have two or more departments at work; "
        f"{inputs.single_departments} of {inputs.departments} departments work alone on all of theirs.",
    )


def _s4(inputs: SignalInputs) -> Signal:
    active = inputs.active
    parts = {"metrics": _mean(a.metrics for a in active)}
    bare = sum(a.metrics < 1e-9 for a in active)
    return _signal(
        "s4",
        100 * (1 - parts["metrics"]) if active else 0.0,
        parts,
        _known((a.known_s4 for a in active), inputs),
        [(a.item, 1 - a.metrics) for a in active],
        f"Items in use meet on average {8 * parts['metrics']:.1f} of 8 requirements on measurement; "
        f"{bare} of {len(active)} {_have(bare)} none at all.",
    )


def _s5(inputs: SignalInputs) -> Signal:
    decisions, pilots = inputs.decisions, inputs.pilots
    unlogged = bool(pilots) and not decisions
    ratio = median(d.ratio for d in decisions) if decisions else (2.0 if unlogged else 0.0)
    parts = {
        "overdue": 1.0 if unlogged else _mean(d.late for d in decisions),
        "time_ratio": ratio,
        "deferred_twice": 1.0 if unlogged else _mean(d.deferrals >= 2 for d in decisions),
        "no_sponsor": _mean(not p.sponsored for p in pilots),
    }
    excess = min(1.0, max(0.0, ratio - 1))
    value = 100 * (0.4 * parts["overdue"] + 0.2 * excess + 0.2 * parts["deferred_twice"] + 0.2 * parts["no_sponsor"])
    known = _known((Known(there=not unlogged, needed=1) for _ in pilots or decisions), inputs)
    late = sum(d.late for d in decisions)
    sentence = (
        f"{late} of {len(decisions)} decisions of the last 180 days {_are(late)} late or overdue; "
        f"{sum(not p.sponsored for p in pilots)} of {len(pilots)} pilots have no sponsor who confirmed and attends."
    )
    if unlogged:
        sentence = f"No decision was logged in 180 days for {len(pilots)} pilots; that counts as not deciding."
    raising = [(d.item, 0.4 * d.late + 0.2 * (d.deferrals >= 2)) for d in decisions]
    raising += [(p.item, 0.2 * (not p.sponsored)) for p in pilots]
    return _signal("s5", value, parts, known, raising, sentence)


def _s6(inputs: SignalInputs) -> Signal:
    rows = inputs.long_term
    parts = {
        "infrastructure": _mean(r.infrastructure for r in rows),
        "funding": _mean(r.funding for r in rows),
        "adoption": _mean(r.adoption for r in rows),
        "discussed": _mean(r.discussed for r in rows),
    }
    return _signal(
        "s6",
        100 * (1 - fmean(parts.values())) if rows else 0.0,
        parts,
        _known((r.known for r in rows), inputs),
        [(r.item, 1 - (r.infrastructure + r.funding + r.adoption + r.discussed) / 4) for r in rows],
        f"Of {len(rows)} pilots older than 60 days, {sum(r.infrastructure >= 1 for r in rows)} have a current "
        f"infrastructure plan; on average {100 * parts['funding']:.0f} % of the 24-month forecast is funded.",
    )


_FORMULAS: tuple[Callable[[SignalInputs], Signal], ...] = (_s1, _s2, _s3, _s4, _s5, _s6)


def _signal(
    name: str, value: float, parts: dict[str, float], complete: float, raising: list[tuple[str, float]], sentence: str
) -> Signal:
    return Signal(
        id=name,
        title=TITLES[name],
        value=value,
        band="low" if value < BANDS[0] else "middle" if value <= BANDS[1] else "high",
        parts=parts,
        complete=complete,
        rows=_worst(raising),
        sentence=sentence,
    )


def _worst(raising: list[tuple[str, float]]) -> tuple[str, ...]:
    """The items that raise a sign most, worst first; equal ones by id."""
    totals: dict[str, float] = {}
    for item, amount in raising:
        totals[item] = totals.get(item, 0.0) + amount
    ranked = sorted((item for item in totals if totals[item] > 1e-9), key=lambda item: (-totals[item], item))
    return tuple(ranked[:ROWS_SHOWN])


def _known(facts: Iterable[Known], inputs: SignalInputs) -> float:
    """The share of data that was there. Nothing needed of a register that holds items is complete: a health system
    without pilots does not rely on pilots; an empty register tells nothing."""
    total = sum(facts, Known())
    if total.needed == 0:
        return 1.0 if inputs.registered else 0.0
    return total.share


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return fmean(values) if values else 0.0


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
