"""Amendments: a new version of a locked plan, with why, when, by whom, and what differs; never in place.

What decides who got which arm cannot be amended once arms are drawn. The primary measure, the design or a margin can,
but once results have been seen the plan says so for good (``post_hoc``), and so does every result of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from careplane.errors import Conflict, InputError
from careplane.evidence.arms import find_assignments
from careplane.evidence.plans import amend_plan, find_versions, load_plan, save_draft
from careplane.evidence.results import find_results
from careplane.ledger import FreeText, Ledger
from careplane.records import Record
from careplane.records.design import PlanChange
from careplane.records.evidence import Plan, PlannedMeasure
from careplane.store import Store

FIXED = ("id", "app", "version", "hash", "locked_at", "locked_by", "change", "post_hoc")
"""What an amendment writes itself, or what makes another plan."""

DRAWN = (
    *("design", "unit", "clusters", "strata", "seed", "start", "allocation", "enrol", "block_sizes", "minimisation"),
    *("waves", "steps", "switching", "utc_offset_minutes"),
)
"""What the arms were drawn from."""

_MISTAKES = (msgspec.ValidationError, msgspec.DecodeError)


class Difference(Record, frozen=True):
    """One field of a plan that two versions differ in, as text."""

    field: str
    before: str
    after: str


def amend(
    store: Store, ledger: Ledger, plan_id: str, changes: Mapping[str, str], reason: str, by: str, at: datetime
) -> Plan:
    """Keep a draft of the next version of a plan.

    Args:
        changes: field to new value; values as JSON, or as plain text for text, dates and choices.
            ``measures.ID.field`` changes a field of a measure.
        reason: why, in a sentence that names no patient.

    Raises:
        InputError: a field that plans do not have, a value that does not fit, no change, or no reason.
        Conflict: the plan is not locked yet, or its arms are drawn and the change would make them others.
    """
    held = load_plan(store, plan_id)
    if not held.locked:
        raise Conflict(f"Version {held.version} of plan {plan_id} is a draft; lock it before it is amended again.")
    if not reason.strip():
        raise InputError("say why, in a sentence", field="reason")
    changed = _changed(held, changes)
    fields = tuple(one.field for one in differences(held, changed))
    if not fields:
        raise InputError("nothing differs from the version that is locked", field="set")
    _keep_arms(store, held, fields)
    seen = len(find_results(store, plan_id))
    note = PlanChange(reason=reason.strip(), at=at, by=by, changed=fields, from_hash=held.hash, results_seen=seen)
    late = [one for one in fields if seen and _decides(held, one)]
    amended = amend_plan(changed, change=note, post_hoc=(*held.post_hoc, *(f for f in late if f not in held.post_hoc)))
    saved = save_draft(store, replace(amended, version=held.version + 1))
    facts: dict[str, str | int] = {
        "plan": plan_id,
        "version": saved.version,
        "changed": FreeText(" ".join(fields)),
        "results_seen": seen,
        "reason": FreeText(note.reason),
    }
    ledger.append("plan.amended", at=at, app=held.app, actor=ledger.pseudonym(by), facts=facts)
    return saved


def differences(before: Plan, after: Plan) -> tuple[Difference, ...]:
    """What two versions differ in, field by field; measures field by field too."""
    old, new = _flat(before), _flat(after)
    return tuple(
        Difference(field=name, before=old.get(name, "not there"), after=new.get(name, "not there"))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )


def version_of(store: Store, plan_id: str, version: int | None) -> Plan:
    """A version of a plan; by default the newest.

    Raises:
        NotFound: no plan has this id.
        InputError: it has no such version.
    """
    found = {plan.version: plan for plan in find_versions(store, plan_id)}
    wanted = max(found) if version is None else version
    if wanted not in found:
        raise InputError(f"plan {plan_id} has versions {', '.join(map(str, found))}, not {version}", field="version")
    return found[wanted]


def history(versions: Sequence[Plan]) -> str:
    """``Locked 3 Mar 2026, 0 amendments``, in words."""
    locked = [plan for plan in versions if plan.locked_at is not None]
    if not locked or locked[0].locked_at is None:
        return "Draft, not locked"
    amendments = len(locked) - 1
    plural = "" if amendments == 1 else "s"
    draft = ", and a draft of another" if len(versions) > len(locked) else ""
    return f"Locked {locked[0].locked_at:%-d %b %Y}, {amendments} amendment{plural}{draft}"


def _changed(held: Plan, changes: Mapping[str, str]) -> Plan:
    bare: dict[str, Any] = msgspec.to_builtins(held)
    for name, text in changes.items():
        _set(bare, name, text)
    try:
        return msgspec.convert(bare, Plan)
    except _MISTAKES as error:
        raise InputError(_readable(error, changes), field="set") from error


def _set(bare: dict[str, Any], name: str, text: str) -> None:
    if name.startswith("measures."):
        ident, _, field = name.removeprefix("measures.").rpartition(".")
        measure = next((one for one in bare["measures"] if one["id"] == ident), None)
        if measure is None or field not in PlannedMeasure.__struct_fields__ or field == "id":
            known = ", ".join(one["id"] for one in bare["measures"])
            raise InputError(f"is no field of a measure of the plan ({known})", field=name)
        measure[field] = _value(text)
        return
    if name not in Plan.__struct_fields__ or name in FIXED:
        allowed = ", ".join(one for one in Plan.__struct_fields__ if one not in FIXED)
        raise InputError(f"cannot be amended; fields: {allowed}", field=name)
    bare[name] = _value(text)


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _readable(error: Exception, changes: Mapping[str, str]) -> str:
    told = str(error).replace("`", "")
    return f"{', '.join(changes)}: {told}"


def _keep_arms(store: Store, held: Plan, fields: Sequence[str]) -> None:
    moved = [one for one in fields if one in DRAWN]
    if moved and find_assignments(store, held.id):
        raise Conflict(
            f"The arms of plan {held.id} are drawn from {', '.join(moved)}; that cannot change any more. Make a new "
            f"plan for other units, or amend the end, the looks or the analysis."
        )


def _decides(held: Plan, field: str) -> bool:
    """Whether a field is the design, the primary measure, or the margin of one."""
    if field in ("design", "measures"):
        return True
    if not field.startswith("measures."):
        return False
    ident, _, of = field.removeprefix("measures.").rpartition(".")
    primary = any(one.id == ident and one.role == "primary" for one in held.measures)
    return primary or of in ("role", "margin", "mcid", "hypothesis", "")


def _flat(plan: Plan) -> dict[str, str]:
    bare: dict[str, Any] = msgspec.to_builtins(plan)
    measures = {one["id"]: one for one in bare.pop("measures")}
    flat = {name: _text(value) for name, value in bare.items() if name not in FIXED}
    for ident, measure in measures.items():
        flat |= {f"measures.{ident}.{name}": _text(value) for name, value in measure.items() if name != "id"}
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
