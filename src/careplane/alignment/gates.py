"""Evidence gates G0 to G6: computed from data, with the proof behind each line (requirements, section B).

A requirement that nothing in the platform records yet says "not measured", which does not pass; a waiver that has not
expired lets it pass with a signature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from msgspec.structs import replace

from careplane.alignment import gate_checks as checks
from careplane.alignment.gate_facts import USE_TARGET, Case, Check, answer, read_case
from careplane.alignment.waivers import Waiver, waivers
from careplane.change import ThreeQuestions
from careplane.errors import NotFound
from careplane.records.evidence import Result
from careplane.records.money import AimCell, Value
from careplane.records.portfolio import Gate, GateCheck
from careplane.store import Store


@dataclass(frozen=True, slots=True)
class GateRule:
    """A gate: its title, its checks, and who decides at tier 1, 2 and 3."""

    title: str
    checks: tuple[Check, ...]
    decides: tuple[str, str, str]


def unrecorded(name: str, text: str) -> Check:
    """A requirement that no room of the platform records yet."""

    def check(_case: Case) -> GateCheck:
        return answer(name, None, f"{text}: not measured.")

    return check


_REVIEW = ("by rule", "fast-track pair", "committee")
GATES: Mapping[str, GateRule] = {
    "G0": GateRule(
        "Idea to intake",
        (checks.owned, checks.overlap_answered, checks.asked_for),
        ("product owner", "product owner", "product owner"),
    ),
    "G1": GateRule(
        "Intake to shadow",
        (checks.co_design, checks.measures_chosen, checks.path_to_scale, checks.overlap_answered),
        _REVIEW,
    ),
    "G2": GateRule(
        "Shadow to pilot",
        (
            checks.silent_quality,
            unrecorded("seeded_faults", "Review of seeded faults"),
            checks.drilled,
            checks.trained,
            checks.plan_locked,
        ),
        _REVIEW,
    ),
    "G3": GateRule(
        "Pilot to limited production",
        (
            checks.primary_effect,
            checks.balancing,
            checks.asked_enough,
            checks.trained,
            checks.used,
            checks.forecast_signed,
            checks.support_model,
        ),
        ("owner", "fast-track pair", "committee and sponsor"),
    ),
    "G4": GateRule(
        "Limited production to the whole system",
        (
            checks.design_grade,
            checks.primary_interval,
            checks.equity_kept,
            checks.liked,
            checks.funded,
            checks.integrated,
            checks.aims_filled,
        ),
        ("owner and finance", "committee", "committee and executive"),
    ),
    "G5": GateRule(
        "Sustained use",
        (
            unrecorded("monitoring", "Monitoring in three layers"),
            checks.trained,
            checks.net_value,
            unrecorded("incidents", "Incidents closed"),
            unrecorded("model_card", "Model card fresh"),
        ),
        ("owner", "committee", "committee"),
    ),
    "G6": GateRule(
        "Retirement",
        (
            unrecorded("users_told", "Users told"),
            unrecorded("data_exported", "Data exported and retention set"),
            unrecorded("contract_ended", "Contract ended"),
            unrecorded("lesson_written", "Lesson written"),
        ),
        ("owner", "owner", "owner"),
    ),
}


def gate(
    store: Store,
    item_id: str,
    name: str,
    today: date,
    *,
    result: Result | None = None,
    value: Value | None = None,
    questions: ThreeQuestions | None = None,
    trained_share: float | None = None,
    aims: Sequence[AimCell] | None = None,
    use_target: float = USE_TARGET,
) -> Gate:
    """Compute a gate of an item from what is recorded; what the caller gives wins over what the store holds.

    Raises:
        NotFound: no such gate, or the item is not on the register.
    """
    rule = GATES.get(name)
    if rule is None:
        raise NotFound(f"There is no gate {name!r}; the gates are: {', '.join(GATES)}.")
    case = read_case(
        store,
        item_id,
        today,
        result=result,
        value=value,
        questions=questions,
        trained_share=trained_share,
        aims=aims,
        use_target=use_target,
    )
    held = waivers(store, item_id, today)
    return Gate(
        item=item_id,
        gate=name,
        title=rule.title,
        checks=tuple(_waived(check(case), held) for check in rule.checks),
        computed_at=datetime.combine(today, time(), UTC),
        decides=rule.decides[case.item.tier - 1],
    )


def _waived(check: GateCheck, held: Mapping[str, Waiver]) -> GateCheck:
    waiver = held.get(check.name)
    if waiver is None or check.status == "pass":
        return check
    if check.name in checks.NEVER_WAIVED and check.status == "fail" and checks.UNCONTROLLED in check.text:
        return replace(check, text=f"{check.text} No waiver holds for this.")
    text = f"{check.text} Waived by {waiver.by} until {waiver.expires_on}: {waiver.reason}"
    return replace(check, status="waived", text=text)
