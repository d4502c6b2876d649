"""A stored result computed again from what was kept beside it, and what of plan, code and data has changed since."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from careplane.errors import CareplaneError, DataError, NotFound
from careplane.estimators._item import Item
from careplane.evidence import extracts
from careplane.evidence.analysis import compute, read_study
from careplane.evidence.arms import find_assignments
from careplane.evidence.code_version import code_version, libraries
from careplane.evidence.plans import plan_hash
from careplane.evidence.results import load_result, plan_of
from careplane.evidence.rows import Extract, Rows
from careplane.evidence.study import Study, known
from careplane.evidence.uses import Uses
from careplane.measures import Measure
from careplane.records import Record
from careplane.records.evidence import Plan, Result
from careplane.store import Store

SHOWN = 20


class Difference(Record, frozen=True):
    """A place in the result that came out otherwise."""

    path: str
    then: str
    now: str


class Replay(Record, frozen=True):
    """What a replay found.

    ``same`` is whether every number and word came out as stored, bit for bit; ``differences`` where not (the first of
    them, ``different`` counts all). ``plan``, ``code``, ``kept`` and ``data`` say of the plan in the store, the code,
    the kept extract and the data as they are loaded now whether each is still what it was.
    """

    result: str
    same: bool
    differences: tuple[Difference, ...]
    different: int
    plan: str
    code: str
    kept: str
    data: str
    code_version: str
    data_hash: str
    plan_hash: str


def replay(store: Store, home: Path, measures: Mapping[str, Measure], items: Mapping[str, Item], name: str) -> Replay:
    """Compute a stored result again.

    Raises:
        NotFound: no such result, or its plan or a measure is gone.
    """
    then = load_result(store, name)
    plan = plan_of(store, then)
    told = {
        "result": then.id or then.plan,
        "code": _code(then),
        "data": _data_now(store, home, plan, measures, items, then),
        "code_version": then.code_version,
        "data_hash": then.data_hash,
        "plan_hash": then.plan_hash,
    }
    changed = plan_hash(plan)
    if changed != then.plan_hash:
        text = f"The plan in the store hashes to {changed[:16]}, not to {then.plan_hash[:16]}: it was changed."
        return Replay(same=False, differences=(), different=0, plan=text, kept="Nothing was computed.", **told)
    text = f"Version {plan.version}, hash {plan.hash[:16]}: as it was locked."
    try:
        again, kept = _again(store, home, plan, measures, items, then)
    except (NotFound, DataError) as error:
        return Replay(same=False, differences=(), different=0, plan=text, kept=str(error), **told)
    if again is not None:  # what names the code is told of the code, and is no number
        again = replace(again, id=then.id, code_version=then.code_version, libraries=then.libraries)
    found = [] if again is None else differences(msgspec.to_builtins(then), msgspec.to_builtins(again))
    same = again is not None and msgspec.json.encode(again) == msgspec.json.encode(then)
    shown = tuple(found[:SHOWN])
    return Replay(same=same, differences=shown, different=len(found), plan=text, kept=kept, **told)


def _again(
    store: Store, home: Path, plan: Plan, measures: Mapping[str, Measure], items: Mapping[str, Item], then: Result
) -> tuple[Result | None, str]:
    data, uses = extracts.read(home, then.data_hash)
    assigned = tuple(sorted(find_assignments(store, plan.id), key=lambda one: one.unit))
    found = extracts.data_hash(plan, assigned, data, uses)
    if found != then.data_hash:
        return None, (
            f"The kept extract and the arms hash to {found[:16]}, not to {then.data_hash[:16]}: they were changed. "
            "Nothing was computed."
        )
    study = Study(
        plan, assigned, known(measures, plan), items, data, uses, then.computed_at, then.earlier, then.data_hash
    )
    rows = sum(len(one) for one in data.rows.values())
    return compute(study), f"{rows:,} rows and {len(uses):,} runs as they were read; hash {found[:16]} holds."


def _code(then: Result) -> str:
    parts = [] if then.code_version == code_version() else [f"{then.code_version} then, {code_version()} now"]
    now = libraries()
    parts += [
        f"{name} {then.libraries.get(name, 'absent')} then, {now.get(name, 'absent')} now"
        for name in sorted({*then.libraries, *now})
        if then.libraries and then.libraries.get(name) != now.get(name)
    ]
    return f"Changed: {'; '.join(parts)}." if parts else f"{then.code_version}: the same code and libraries."


def _data_now(
    store: Store, home: Path, plan: Plan, measures: Mapping[str, Measure], items: Mapping[str, Item], then: Result
) -> str:
    """Whether the same analysis would read the same data today, and if not, what moved."""
    try:
        study = read_study(store, home, plan, measures, items, then.computed_at)
    except CareplaneError as error:
        return f"Could not be read again: {error}"
    if study.data_hash == then.data_hash:
        return f"As loaded now, the same: hash {then.data_hash[:16]}."
    try:
        data, uses = extracts.read(home, then.data_hash)
    except (NotFound, DataError):
        return f"As loaded now, the hash is {study.data_hash[:16]}; what it was is not kept."
    return f"As loaded now, it differs: {'; '.join(_moved(data, uses, study.data, study.uses)) or 'the arms'}."


def _moved(then: Extract, uses_then: Uses, now: Extract, uses_now: Uses) -> list[str]:
    told = []
    for name in sorted({*then.rows, *now.rows}):
        before, after = (_by_key(one.rows.get(name)) for one in (then, now))
        counts = {
            "new": len(after.keys() - before.keys()),
            "gone": len(before.keys() - after.keys()),
            "changed": sum(before[key] != after[key] for key in before.keys() & after.keys()),
        }
        parts = [f"{count:,} {word}" for word, count in counts.items() if count]
        told += [f"rows of {name}: {', '.join(parts)}"] if parts else []
    moved = [name for name in sorted({*then.groups, *now.groups}) if then.groups.get(name) != now.groups.get(name)]
    told += [f"groups by {name}" for name in moved]
    same_uses = msgspec.json.encode(_columns(uses_then)) == msgspec.json.encode(_columns(uses_now))
    return told if same_uses else [*told, f"runs ({len(uses_then):,} then, {len(uses_now):,} now)"]


def _by_key(rows: Rows | None) -> dict[str, tuple[Any, ...]]:
    if rows is None:
        return {}
    columns = (rows.cluster, rows.patient, rows.clinician, rows.at, rows.value, rows.weight)
    values = zip(*(column.tolist() for column in columns), strict=True)
    return {key: tuple(str(one) for one in row) for key, row in zip(rows.key.tolist(), values, strict=True)}


def _columns(uses: Uses) -> dict[str, Any]:
    return {name: getattr(uses, name).tolist() for name in Uses.__dataclass_fields__}


def differences(then: Any, now: Any, path: str = "") -> list[Difference]:
    """Every leaf of two JSON-like values that is not the same, by its path."""
    if isinstance(then, dict) and isinstance(now, dict):
        keys = dict.fromkeys((*then, *now))
        return [one for key in keys for one in differences(then.get(key), now.get(key), f"{path}.{key}".strip("."))]
    if isinstance(then, Sequence) and isinstance(now, Sequence) and not isinstance(then, str):
        longest = range(max(len(then), len(now)))
        pairs = ((_at(then, at), _at(now, at), f"{path}[{at}]") for at in longest)
        return [one for a, b, where in pairs for one in differences(a, b, where)]
    return [] if then == now else [Difference(path, _shown(then), _shown(now))]


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value) if isinstance(value, float) else str(value)[:200]
