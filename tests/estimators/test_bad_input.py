"""What is wrong with a table or a specification, tried on every estimator of the shelf.

Each estimator's own example is spoilt in every way that its keys allow. It must end in an answer that counts its rows,
or in a message (exit code 2) that says what and where and what to do; never in a traceback, a warning or a number that
is none.
"""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.lib as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from careplane._shelf import items, load
from careplane.cli.estimate import _write_csv, command
from careplane.errors import CareplaneError
from careplane.estimators._spec import Info, Key

Table = dict[str, list[Any]]
Spec = dict[str, Any]
INFOS: dict[str, Info] = {name: load("estimators", name).INFO for name in items("estimators")}
WITH_DATA = sorted(name for name, info in INFOS.items() if info.made is not None)
QUICK = {"replications": 20}
LABELS = {"cluster", "unit", "block", "strata", "nested", "fixed_effects"}
"""Keys of columns whose values are names, whatever they look like."""
ANY_NUMBER = {"cluster_ols", "gee", "lmm"}
"""Estimators whose treatment may be a number."""
CRASHES = (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, AssertionError, Warning)


def example(name: str) -> tuple[Table, Spec]:
    info = INFOS[name]
    assert info.made is not None
    known = {key.name for key in info.keys}
    least = {key.name: int(key.least or 0) for key in info.keys}
    quick: Spec = {key: max(value, least[key]) for key, value in QUICK.items() if key in known}
    if "placebo" in {one for key in info.keys for one in key.choices}:
        quick["se"] = "none"
    return {column: list(values) for column, values in info.made().items()}, {**info.example, **quick}


def columns(name: str, spec: Spec) -> dict[str, str]:
    """Columns that the example names, and by which key."""
    found: dict[str, str] = {}
    for key in INFOS[name].keys:
        if key.kind in ("column", "columns") and key.name in spec:
            given = spec[key.name]
            found |= dict.fromkeys([given] if isinstance(given, str) else given, key.name)
    return found


def outcome_of(folder: Path, spec: Spec, table: Table | None, file: str = "t.csv") -> dict[str, Any] | CareplaneError:
    if table is not None:
        _write_csv(folder / file, table)
    (folder / "spec.yaml").write_text(yaml.safe_dump({"data": file, **spec}), encoding="utf-8")
    try:
        shown = CliRunner().invoke(command, [str(folder / "spec.yaml"), "--json"], catch_exceptions=False)
    except CareplaneError as error:
        return error
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def fault(name: str, spec: Spec, rows: int, found: dict[str, Any] | CareplaneError) -> str:
    """What is wrong with an answer or a message; empty for nothing."""
    if isinstance(found, CareplaneError):
        text = str(found)
        if found.exit_code != 2:
            return f"exit code {found.exit_code}: {text}"
        if "Traceback" in text or len(text) > 900 or len(text.split()) < 4:
            return f"message: {text}"
        return ""
    if found["estimate"] is None and name != "icer":
        return "an answer without an estimate"
    if found["se"] is not None and not 0 <= found["se"] < 1e40:
        return f"standard error {found['se']}"
    if found["ci_low"] is not None and found["ci_high"] is not None and found["ci_low"] > found["ci_high"]:
        return "an interval that is turned"
    if found["n"] + sum(found["left_out"].values()) != rows:
        return f"{rows} rows, but n is {found['n']} and left out are {found['left_out']}"
    return ""


Spoilt = tuple[str, Table, str]
"""What was done, the table, and what the message must hold if the example must not pass (else empty)."""


def spoilt(name: str) -> Iterator[Spoilt]:
    table, spec = example(name)
    rows = len(next(iter(table.values())))
    for column, key in columns(name, spec).items():
        yield f"no column {column}", {k: v for k, v in table.items() if k != column}, column
        numeric = not isinstance(table[column][0], str)
        yield f"{column} empty", table | {column: [""] * rows}, column if key != "first_treated" else ""
        yield f"{column} constant", table | {column: [table[column][0]] * rows}, ""
        yield f"{column} one missing", table | {column: ["", *table[column][1:]]}, ""
        if numeric:
            last = table[column][:-1]
            told = "" if key in LABELS else column
            yield f"{column} with text", table | {column: [*last, "about 3"]}, told
            yield f"{column} with inf", table | {column: [*last, "inf"]}, told
            yield f"{column} with -inf", table | {column: ["-inf", *table[column][1:]]}, told
            yield f"{column} huge", table | {column: [*last, 1e300]}, told
            yield f"{column} tiny", table | {column: [value * 1e-200 for value in table[column]]}, ""
            yield f"{column} all ones", table | {column: [1] * rows}, ""
            yield f"{column} all zero", table | {column: [0] * rows}, ""
            yield f"{column} negative", table | {column: [-value - 1 for value in table[column]]}, ""
        else:
            yield f"{column} each row its own", table | {column: [f"v{i}" for i in range(rows)]}, ""
    yield from shapes(name, table, spec, rows)


def shapes(name: str, table: Table, spec: Spec, rows: int) -> Iterator[Spoilt]:
    for kept in (1, 2, 3, 7):
        yield f"{kept} rows", {column: values[:kept] for column, values in table.items()}, ""
    yield "one row less", {column: values[:-1] for column, values in table.items()}, ""
    yield "every third row away", {c: [v for i, v in enumerate(values) if i % 3] for c, values in table.items()}, ""
    twice = {column: [*values, values[-1]] for column, values in table.items()}
    yield "last row twice", twice, ""
    group = next((spec[key] for key in ("cluster", "unit") if key in spec), None)
    if group is not None:
        for count in (1, 2, 4, 5):
            chosen = list(dict.fromkeys(table[group]))[:count]
            at = [i for i, value in enumerate(table[group]) if value in chosen]
            yield f"{count} of {group}", {c: [values[i] for i in at] for c, values in table.items()}, ""
    if "treatment" in spec and not isinstance(table[spec["treatment"]][0], str):
        arm = spec["treatment"]
        yield "back to control at the end", table | {arm: [*table[arm][:-1], 0]}, ""
        yield "the other way round", table | {arm: [1 - value for value in table[arm]]}, ""
        yield "a third arm", table | {arm: [2, *table[arm][1:]]}, "" if name in ANY_NUMBER else arm
        if "outcome" in spec:
            yield "outcome is the arm", table | {spec["outcome"]: list(table[arm])}, ""


@pytest.mark.parametrize("name", WITH_DATA)
def test_every_way_to_spoil_a_table(tmp_path: Path, name: str) -> None:
    spec = example(name)[1]
    wrong = []
    for what, table, named in spoilt(name):
        rows = len(next(iter(table.values())))
        try:
            found = outcome_of(tmp_path, spec, table)
        except CRASHES as error:
            wrong.append(f"{what}: {type(error).__name__}: {error}")
            continue
        told = fault(name, spec, rows, found)
        if not told and named and not (isinstance(found, CareplaneError) and named in str(found)):
            told = f"not told: {found if isinstance(found, CareplaneError) else found['estimate']}"
        wrong += [f"{what}: {told}"] * bool(told)
    assert not wrong, "\n".join(wrong)


def wrong_values(key: Key) -> list[Any]:
    nothing_of: Mapping[str, list[Any]] = {
        "column": [3, ["a", "b"], {"a": 1}, True],
        "columns": [{"a": 1}, [["a"]], [1]],
        "number": ["much", [1, 2], {"a": 1}, True, float("nan"), float("inf")],
        "numbers": ["much", {"a": 1}, ["a"], [True]],
        "integer": ["many", 1.5, [1], True],
        "choice": ["nix", 3, ["a"], {"a": 1}],
        "choices": ["nix", [3], {"a": 1}],
        "flag": ["yes", 1, [True]],
        "mapping": ["a", 3, [1], {"a": 1}],
    }
    found = list(nothing_of[key.kind])
    if key.least is not None and key.kind in ("number", "integer"):
        found.append(int(key.least - 1) if key.kind == "integer" else key.least - 1.0)
    if key.most is not None and key.kind in ("number", "integer"):
        found.append(int(key.most + 1) if key.kind == "integer" else key.most + 1.0)
    return found


@pytest.mark.parametrize("name", sorted(INFOS))
def test_every_key_given_a_value_that_it_cannot_have(tmp_path: Path, name: str) -> None:
    info = INFOS[name]
    table, spec = example(name) if info.made is not None else (None, dict(info.example))
    file = {} if table is None else {"data": "t.csv"}
    if table is not None:
        _write_csv(tmp_path / "t.csv", table)
    wrong = []
    cases = [(key.name, value) for key in info.keys for value in wrong_values(key)]
    for key, value in [*cases, ("outcom", "y"), ("estimatr", "x"), (7, 1), ("", 2)]:
        given: dict[Any, Any] = {**file, **spec, key: value}
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
        try:
            CliRunner().invoke(command, [str(tmp_path / "spec.yaml"), "--json"], catch_exceptions=False)
        except CareplaneError as error:
            if error.exit_code != 2 or str(key).split(".")[0] not in str(error):
                wrong.append(f"{key}: {value}: {error.exit_code} {error}")
        except CRASHES as error:
            wrong.append(f"{key}: {value}: {type(error).__name__}: {error}")
        else:
            wrong.append(f"{key}: {value}: passed")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(INFOS))
def test_every_needed_key_left_out(tmp_path: Path, name: str) -> None:
    spec = dict(INFOS[name].example)
    for key in INFOS[name].keys:
        if key.needed:
            (tmp_path / "spec.yaml").write_text(yaml.safe_dump({k: v for k, v in spec.items() if k != key.name}))
            with pytest.raises(CareplaneError, match=f"{key.name}: is needed") as caught:
                CliRunner().invoke(command, [str(tmp_path / "spec.yaml")], catch_exceptions=False)
            assert caught.value.exit_code == 2


def damaged() -> dict[str, tuple[str, bytes, str]]:
    """What is wrong with a file: its name, its content, what is told."""
    plain = "y,arm\n" + "".join(f"{i},{i % 2}\n" for i in range(40))
    table = pa.table({"y": [1.0, 2.0, 3.0, 4.0] * 10, "arm": [0, 1] * 20})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)  # type: ignore[no-untyped-call]
    whole = sink.getvalue().to_pybytes()
    return {
        "empty": ("t.csv", b"", "must name every column"),
        "only a header": ("t.csv", b"y,arm\n", "holds no row"),
        "empty gzip": ("t.csv.gz", b"", "must name every column|damaged"),
        "not UTF-8": ("t.csv", plain.encode() + b"\xff,1\n", "UTF-8"),
        "UTF-16": ("t.csv", plain.encode("utf-16"), "UTF-8"),
        "zero bytes inside": ("t.csv", plain.encode() + b"\x00,1\n", "y|CSV|zero"),
        "not gzip": ("t.csv.gz", plain.encode(), "damaged"),
        "broken gzip": ("t.csv.gz", gzip.compress(plain.encode() * 50)[:-30], "damaged"),
        "gzip of bytes": ("t.csv.gz", gzip.compress(b"\xff\xfe\x00"), "UTF-8|name every"),
        "not Parquet": ("t.parquet", plain.encode(), "not Parquet"),
        "empty Parquet": ("t.parquet", b"", "not Parquet"),
        "broken Parquet": ("t.parquet", whole[: len(whole) // 2], "not Parquet"),
        "spoilt Parquet": ("t.parquet", whole[:40] + b"\xff" * 60 + whole[100:], "not Parquet|damaged|y|arm"),
        "another kind": ("t.xlsx", b"PK", "must end in"),
        "too many fields": ("t.csv", plain.encode() + b"1,0,9\n", "fields where the header"),
        "an open quote": ("t.csv", plain.encode() + b'"1,0\n', "not CSV"),
    }


@pytest.mark.parametrize("what", sorted(damaged()))
def test_damaged_files(tmp_path: Path, what: str) -> None:
    name, content, told = damaged()[what]
    (tmp_path / name).write_bytes(content)
    spec: Spec = {"estimator": "difference_in_means", "outcome": "y", "treatment": "arm"}
    found = outcome_of(tmp_path, spec, None, name)
    assert isinstance(found, CareplaneError)
    assert found.exit_code == 2
    assert re.search(told, str(found)), found
    assert name in str(found) or "(line 42)" in str(found)


def refused(make: Callable[[Table], Table], name: str, folder: Path) -> str:
    table, spec = example(name)
    found = outcome_of(folder, spec, make(table))
    assert isinstance(found, CareplaneError)
    return str(found)


def test_refusals_name_a_method_that_would_be_valid(tmp_path: Path) -> None:
    """Four clusters or one: each estimator of clusters names one of the shelf that bears them."""
    for name in ("cluster_itt", "cluster_ols", "gee", "glmm", "stepped_wedge", "staggered_did", "switchback"):
        spec = example(name)[1]
        group = spec.get("cluster") or spec.get("unit") or spec["block"]
        told = refused(
            lambda table, group=group: {  # type: ignore[misc]
                c: [v for v, g in zip(values, table[group], strict=True) if g in sorted(set(table[group]))[:4]]
                for c, values in table.items()
            },
            name,
            tmp_path,
        )
        assert any(other in told for other in INFOS if other != name), (name, told)


@pytest.mark.slow
def test_the_command_itself_ends_with_two_and_one_line(tmp_path: Path) -> None:
    table, spec = example("gee")
    few = [i for i, value in enumerate(table["clinic"]) if value in ("c00", "c01")]
    _write_csv(tmp_path / "t.csv", {column: [values[i] for i in few] for column, values in table.items()})
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump({"data": "t.csv", **spec}), encoding="utf-8")
    words = [sys.executable, "-W", "error", "-m", "careplane", "estimate", str(tmp_path / "spec.yaml"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "exact_permutation" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
