"""What DuckDB can express of ViewDefinitions: the official cases, its promises, and the same rows as in Python."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.codecs.views import compile_view, duckdb_sql
from careplane.errors import DataError, InputError
from careplane.records import JSON

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "sql-on-fhir"
ANSWERED = 42


def run(view: JSON, resources: list[JSON]) -> list[dict[str, Any]]:
    """The rows of a view over resources of its type, in no promised order."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE lake (resource VARCHAR)")
    chosen = [[json.dumps(r)] for r in resources if r["resourceType"] == view.get("resource")]
    if chosen:
        connection.executemany("INSERT INTO lake VALUES (?)", chosen)
    rows = connection.execute(duckdb_sql(view, source="lake"))
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def cases() -> Iterator[tuple[str, JSON, list[JSON]]]:
    for file in sorted(OFFICIAL.glob("*.json")):
        suite = json.loads(file.read_text())
        for case in suite["tests"]:
            yield f"{file.stem}: {case['title']}", case, suite["resources"]


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official cases are not beside the repository")
def test_official_cases_are_answered_rightly_or_refused() -> None:
    """No case gets a wrong answer: what the subset leaves out is an InputError that names the element."""
    answered = 0
    wrong: list[tuple[str, object]] = []
    for title, case, resources in cases():
        try:
            rows = run(case["view"], resources)
        except InputError as error:
            answered += bool(case.get("expectError"))
            wrong += [] if error.field else [(title, "a refusal without the element")]
            continue
        except duckdb.Error:
            rows = None
        if case.get("expectError"):
            right = rows is None
        else:
            expected = case.get("expect")
            right = rows is not None and (expected is None or ordered(rows) == ordered(expected))
        answered += right
        if not right:
            wrong.append((title, rows))
    assert wrong == []
    assert answered == ANSWERED


PATIENT: JSON = {
    "resourceType": "Patient",
    "id": "a",
    "name": [{"use": "usual", "given": ["Ann", "O'Hara"]}, {"use": "official", "given": ["Anna"]}],
    "active": True,
    "multipleBirthInteger": 2,
    "extension": [{"url": "x", "valueQuantity": {"value": 1.5}}],
    "managingOrganization": {"reference": "http://ehr.test/fhir/Organization/o1/_history/2"},
    "generalPractitioner": [{"reference": "Practitioner/p1"}, {"reference": "Organization/o2"}],
}


@pytest.mark.parametrize(
    ("path", "kind", "value"),
    [
        ("id", "id", "a"),
        ("active", "boolean", True),
        ("name.where(use = 'official').given.first()", "string", "Anna"),
        ("name.first().given.where($this = 'O\\'Hara')", "string", "O'Hara"),
        ("name.where(use = 'nickname').given", "string", None),
        ("managingOrganization.getReferenceKey(Organization)", "string", "o1"),
        ("managingOrganization.getReferenceKey(Patient)", "string", None),
        ("generalPractitioner.getReferenceKey(Organization)", "string", "o2"),
        ("name.exists()", "boolean", True),
        ("id = 'b'", "boolean", False),
        ("multipleBirth.ofType(integer)", "integer", 2),
        ("multipleBirth.ofType(boolean)", "boolean", None),
        ("extension.where(url = 'x').value.ofType(Quantity).value", "decimal", 1.5),
    ],
)
def test_paths(path: str, kind: str, value: object) -> None:
    view = {"resource": "Patient", "select": [{"column": [{"path": path, "name": "x", "type": kind}]}]}
    assert run(view, [PATIENT]) == [{"x": value}]


@pytest.mark.parametrize(
    "path",
    [
        "name.given[0]",
        "name.given.join(',')",
        "a and b",
        "%constant",
        "name.",
        "name)",
        "'x",
        "where(a='b'",
        "x.getReferenceKey('Patient')",
        "name.ofType(HumanName)",
        "value.ofType(Quantity",
    ],
)
def test_a_path_outside_the_subset_is_refused_by_name(path: str) -> None:
    view = {"resource": "Patient", "select": [{"column": [{"path": path, "name": "x"}]}]}
    with pytest.raises(InputError) as caught:
        duckdb_sql(view)
    assert caught.value.field == path


def test_two_values_in_one_cell_are_an_error_not_a_guess() -> None:
    view = {"resource": "Patient", "select": [{"column": [{"path": "name.use", "name": "use"}]}]}
    with pytest.raises(duckdb.Error, match=r"name.use found more than one value"):
        run(view, [PATIENT])


def test_text_from_a_definition_cannot_leave_its_quotes() -> None:
    column = {"path": "id = 'a\\' OR 1=1 --'", "name": 'x" FROM lake; DROP TABLE lake; --'}
    view = {"resource": "Patient", "select": [{"column": [column]}]}
    assert run(view, [PATIENT]) == [{'x" FROM lake; DROP TABLE lake; --': "false"}]


PATHS = st.sampled_from(
    [
        "id",
        "active",
        "name.family",
        "name.given",
        "name.given.first()",
        "name.where(use = 'official').family",
        "name.where(use = 'official').given.first()",
        "name.exists()",
        "name.where(family = 'A').empty()",
        "active.not()",
        "telecom.value.first()",
        "link.other.getReferenceKey(Patient)",
        "getResourceKey()",
        "$this.gender = 'male'",
        "'text'",
    ]
)
WORDS = st.sampled_from(["A", "B", "official", "usual"])
NAMES = st.lists(
    st.fixed_dictionaries({}, optional={"use": WORDS, "family": WORDS, "given": st.lists(WORDS, max_size=2)}),
    max_size=3,
)
PATIENTS = st.fixed_dictionaries(
    {"resourceType": st.just("Patient"), "id": WORDS},
    optional={
        "active": st.booleans(),
        "gender": st.sampled_from(["male", "female"]),
        "name": NAMES,
        "telecom": st.lists(st.fixed_dictionaries({"value": WORDS}), max_size=2),
        "link": st.lists(st.just({"other": {"reference": "Patient/p9"}}), max_size=1),
    },
)


@st.composite
def views(draw: st.DrawFn) -> JSON:
    """A view with columns at the top and, mostly, rows for each name."""
    top = [{"name": f"c{i}", "path": draw(PATHS)} for i in range(draw(st.integers(1, 3)))]
    selects: list[JSON] = [{"column": top}]
    each = draw(st.sampled_from(["", "forEach", "forEachOrNull"]))
    if each:
        below = draw(
            st.lists(st.sampled_from(["family", "use", "given.first()", "given.exists()"]), min_size=1, max_size=2)
        )
        columns = [{"name": f"n{i}", "path": path} for i, path in enumerate(below)]
        selects.append({each: draw(st.sampled_from(["name", "name.where(use = 'official')"])), "column": columns})
    wheres = draw(st.lists(st.sampled_from(["active", "name.exists()", "gender = 'male'"]), max_size=1))
    return {"resource": "Patient", "select": selects, "where": [{"path": path} for path in wheres]}


@settings(max_examples=150, deadline=None)
@given(views(), st.lists(PATIENTS, max_size=3))
def test_duckdb_gives_the_rows_that_python_gives(view: JSON, patients: list[JSON]) -> None:
    """The same rows, or both find several values where one may be: DuckDB only where the row is made, so a ``forEach``
    that finds nothing hides it."""
    try:
        expected = [row for patient in patients for row in compile_view(view).rows(patient)]
    except DataError:
        if any("forEach" in select for select in view["select"]):
            return
        with pytest.raises(duckdb.Error, match="more than one value"):
            run(view, patients)
        return
    written = [{name: as_text(cell) for name, cell in row.items()} for row in expected]
    assert ordered(run(view, patients)) == ordered(written)


def as_text(cell: object) -> object:
    """A cell of a column without a type, which DuckDB gives as text."""
    return str(cell).lower() if isinstance(cell, bool) else cell
