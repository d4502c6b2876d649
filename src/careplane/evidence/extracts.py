"""What an analysis read, kept beside its result: one Parquet file, named by the hash of what it holds.

The lake moves on; a number has to stay traceable. A file is written once, whole, readable by its owner only (it holds
what the lake holds: references of patients, times, values; no names), and is checked against its name when read.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.lib as pa
import pyarrow.parquet as pq

from careplane.errors import DataError, NotFound
from careplane.evidence.rows import Extract, Rows, Texts
from careplane.evidence.uses import Uses
from careplane.records.evidence import Assignment, Plan

FOLDER = "evidence/extracts"
_ROW_TEXTS = ("key", "cluster", "patient", "clinician")
_USE_TEXTS = ("run", "unit", "patient", "clinician", "focus", "arm", "status")
_NUMBERS = ("at", "value", "weight")
_COLUMNS = ("kind", "name", "key", "unit", "patient", "clinician", "focus", "arm", "status", *_NUMBERS)


def data_hash(plan: Plan, assigned: Sequence[Assignment], data: Extract, uses: Uses) -> str:
    """SHA-256 over plan, arms, every row in the order of its key, groups of the patients, and uses."""
    digest = hashlib.sha256(plan.hash.encode())
    _add(digest, "arms", *([one.unit, one.arm, str(one.starts), *one.sequence] for one in assigned))
    for name in sorted(data.rows):
        rows = data.rows[name]
        _add(digest, f"rows {name}", *(getattr(rows, column).tolist() for column in _ROW_TEXTS))
        digest.update(rows.at.astype("<i8").tobytes())
        digest.update(_one_nan(rows.value).astype("<f8").tobytes())
        digest.update(_one_nan(rows.weight).astype("<f8").tobytes())
    for dimension in sorted(data.groups):
        groups = data.groups[dimension]
        _add(digest, f"groups {dimension}", *([patient, groups[patient]] for patient in sorted(groups)))
    _add(digest, "uses", *(getattr(uses, column).tolist() for column in _USE_TEXTS))
    digest.update(uses.at.astype("<i8").tobytes())
    digest.update(uses.drafted.astype("<i8").tobytes())
    return digest.hexdigest()


def _add(digest: Any, title: str, *columns: Sequence[str]) -> None:
    """Texts under their lengths, so that no two tables of texts give the same bytes."""
    for column in ((title,), *columns):
        digest.update(f"\x1e{len(column)}\x1f".encode())
        digest.update("\x1f".join(f"{len(text)}:{text}" for text in column).encode())


def _one_nan(value: Any) -> Any:
    """One pattern of bits for what is missing, and one zero."""
    return np.where(np.isnan(value), np.nan, value + 0.0)


def needed(data: Extract, dimensions: Sequence[str]) -> Extract:
    """The extract with the groups by these dimensions of those patients alone whose rows were read."""
    seen = {str(patient) for rows in data.rows.values() for patient in rows.patient}
    groups = {
        name: {who: group for who, group in of.items() if who in seen}
        for name, of in data.groups.items()
        if name in dimensions
    }
    return Extract(data.rows, groups)


def keep(home: Path, name: str, data: Extract, uses: Uses) -> Path:
    """Write an extract under its hash, unless it is there."""
    path = path_of(home, name)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            pq.write_table(_table(data, uses), file, compression="zstd")  # type: ignore[no-untyped-call]
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def path_of(home: Path, name: str) -> Path:
    """Where an extract is kept."""
    return home / FOLDER / f"{name}.parquet"


def read(home: Path, name: str) -> tuple[Extract, Uses]:
    """An extract as it was kept.

    Raises:
        NotFound: it is not there.
        DataError: it is not an extract.
    """
    path = path_of(home, name)
    if not path.exists():
        raise NotFound(f"The extract {name[:16]} of this result is not kept here: {path} is missing.")
    try:
        table = pq.read_table(path)  # type: ignore[no-untyped-call]
        columns = {column: table.column(column).to_numpy(zero_copy_only=False) for column in _COLUMNS}
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataError("is not an extract of an analysis", file=path) from error
    kind, named = columns["kind"].astype(str), columns["name"].astype(str)
    rows = {
        name: Rows(
            key=columns["key"][kept],
            cluster=columns["unit"][kept],
            patient=columns["patient"][kept],
            clinician=columns["clinician"][kept],
            at=columns["at"][kept].astype(np.int64),
            value=columns["value"][kept].astype(np.float64),
            weight=columns["weight"][kept].astype(np.float64),
        )
        for name in dict.fromkeys(named[kind == "measure"])
        for kept in [(kind == "row") & (named == name)]
    }
    groups: dict[str, dict[str, str]] = {name: {} for name in dict.fromkeys(named[kind == "dimension"])}
    inside = kind == "group"
    for dimension, patient, group in zip(
        named[inside], columns["patient"][inside], columns["status"][inside], strict=True
    ):
        groups[dimension][patient] = group
    kept = kind == "use"
    uses = Uses(
        run=columns["key"][kept],
        at=columns["at"][kept].astype(np.int64),
        drafted=columns["value"][kept].astype(np.int64),
        **{column: columns[column][kept] for column in _USE_TEXTS[1:]},
    )
    return Extract(rows, groups), uses


def _table(data: Extract, uses: Uses) -> pa.Table:
    """Everything in one table; ``kind`` says what a line is. A measure or dimension without lines keeps its name."""
    parts = [_part("measure", name, 1) for name in data.rows]
    parts += [_part("dimension", name, 1) for name in data.groups]
    for name, rows in data.rows.items():
        parts.append(
            _part(
                "row", name, len(rows), key=rows.key, unit=rows.cluster, patient=rows.patient,
                clinician=rows.clinician, at=rows.at, value=rows.value, weight=rows.weight,
            )
        )  # fmt: skip
    for name, of in data.groups.items():
        patients = sorted(of)
        parts.append(
            _part("group", name, len(of), patient=_list(patients), status=_list([of[one] for one in patients]))
        )
    texts = {column: getattr(uses, column) for column in _USE_TEXTS[1:]}
    parts.append(_part("use", "", len(uses), key=uses.run, at=uses.at, value=uses.drafted, **texts))
    return pa.concat_tables(parts)


def _part(kind: str, name: str, count: int, **given: Any) -> pa.Table:
    columns: Mapping[str, Any] = {"kind": [kind] * count, "name": [name] * count, **given}
    arrays = []
    for column in _COLUMNS:
        type_ = {"at": pa.int64(), "value": pa.float64(), "weight": pa.float64()}.get(column, pa.string())
        blank: Any = {"at": 0, "value": 0.0, "weight": 0.0}.get(column, "")
        values = columns.get(column, [blank] * count)
        arrays.append(pa.array(values if isinstance(values, list) else values.tolist(), type=type_))
    return pa.Table.from_arrays(arrays, names=list(_COLUMNS))


def _list(values: Sequence[str]) -> Texts:
    return np.array(values, dtype=object)
