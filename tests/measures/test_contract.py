"""What every measure on the shelf must pass, whoever wrote it; a site's own package is held to the same."""

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis
import pytest
from msgspec.structs import replace as changed

from careplane._shelf import folder, items, load
from careplane.measures import COLUMNS, Measure, epoch_seconds, problems, rows_in_memory

NAMES = sorted(items("measures"))
GOOD: Measure = load("measures", "discharge_before_noon").MEASURE


def measure(name: str) -> Measure:
    found: Measure = load("measures", name).MEASURE
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_is_complete_and_portable(name: str) -> None:
    assert measure(name).info.id == name
    assert problems(measure(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_no_rows_of_nothing(name: str) -> None:
    assert rows_in_memory(measure(name), []) == {}


@pytest.mark.parametrize("name", NAMES)
def test_it_has_patients_worked_by_hand_in_its_own_folder(name: str) -> None:
    texts = [
        path.read_text(encoding="utf-8") for path in sorted((folder("measures", name) / "tests").glob("test_*.py"))
    ]
    assert any("rows_in_memory" in text for text in texts), "which also holds its keys to be unique"
    assert all(ast.get_docstring(ast.parse(text)) for text in texts)


def test_no_two_measures_have_one_number_in_the_catalogue() -> None:
    numbers = [number for name in NAMES if (number := measure(name).info.catalogue)]
    assert sorted(numbers) == sorted(set(numbers))


def of(**columns: object) -> Measure:
    """The good measure with other columns."""

    def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
        stays = tables["stays"]
        told = {
            "key": stays.id,
            "cluster": stays.cluster,
            "patient": stays.patient,
            "clinician": stays.clinician,
            "at": epoch_seconds(stays.ended),
            "value": (stays.id == "x").ifelse(1.0, 0.0),
        }
        return stays.select(**{**told, **{name: column(stays) for name, column in columns.items()}})  # type: ignore[operator]

    return replace(GOOD, rows=rows)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (replace(GOOD, info=changed(GOOD.info, numerator=" ")), "its numerator is empty"),
        (replace(GOOD, info=changed(GOOD.info, direction="flag")), "a smallest worthwhile change is positive"),
        (replace(GOOD, info=changed(GOOD.info, mcid=0.0)), "a smallest worthwhile change is positive"),
        (replace(GOOD, info=changed(GOOD.info, small_cell=5)), "small cell at least 11"),
        (replace(GOOD, info=changed(GOOD.info, import_only=True)), "says under which licence"),
        (replace(GOOD, info=changed(GOOD.info, aim="glory")), "its aim 'glory' is none of"),
        (replace(GOOD, reads=("sums",)), "reads 'sums', no table of the run record"),
        (replace(GOOD, reads=("runs",)), "it names 'runs' and does not read it"),
        (replace(GOOD, missing=""), "does not say why a row may have no value"),
        (replace(GOOD, views={"stays": {**GOOD.views["stays"], "resource": 7}}), "view stays: "),
        (of(value=lambda t: (t.id == "x").cast("float64")), "a cast from boolean to float64"),
        (of(value=lambda t: t.id.try_cast("float64")), "TryCast is outside the operators"),
        (of(value=lambda t: t.id.length().median()), "Median is outside the operators"),
        (of(value=lambda t: t.id), "its columns value and weight must be numbers"),
        (of(at=lambda t: t.ended), "its column at is string, not int64"),
        (of(extra=lambda t: t.id), "must have the columns"),
    ],
)
def test_what_is_not_whole_is_told(wrong: Measure, told: str) -> None:
    assert any(told in problem for problem in problems(wrong)), problems(wrong)


def test_a_measure_may_leave_the_weight_out_and_then_every_row_counts_once() -> None:
    stay: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": "x",
        "status": "finished",
        "class": {"code": "IMP"},
        "period": {"end": "2026-03-02T09:00:00-06:00"},
    }
    row = rows_in_memory(of(), [stay])["x"]
    assert (tuple(row), row["weight"], row["value"]) == (COLUMNS, 1.0, 1.0)
