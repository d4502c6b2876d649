"""ViewDefinitions in Python: the official SQL on FHIR cases, each function and operator, and what does not hold."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from careplane.codecs.views import compile_view, problems_of
from careplane.errors import CareplaneError, DataError, InputError
from careplane.records import JSON

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "sql-on-fhir"
DECODER = msgspec.json.Decoder(float_hook=Decimal)


def rows_of(view: JSON, resources: list[JSON]) -> list[JSON]:
    compiled = compile_view(view)
    return [row for resource in resources for row in compiled.rows(resource)]


def value(path: str, resource: JSON, kind: str = "", constant: list[JSON] | None = None) -> Any:
    column = {"name": "x", "path": path, **({"type": kind} if kind else {})}
    view = {"resource": resource["resourceType"], "constant": constant or [], "select": [{"column": [column]}]}
    ((cell,),) = [row.values() for row in rows_of(view, [resource])]
    return cell


def cases() -> Iterator[Any]:
    for file in sorted(OFFICIAL.glob("*.json")):
        suite = DECODER.decode(file.read_bytes())
        for case in suite["tests"]:
            yield pytest.param(case, suite["resources"], id=f"{file.stem}: {case['title']}")


def ordered(rows: list[JSON]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, default=float) for row in rows)


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official cases are not beside the repository")
@pytest.mark.parametrize(("case", "resources"), list(cases()))
def test_official_cases(case: JSON, resources: list[JSON]) -> None:
    if case.get("expectError"):
        with pytest.raises(CareplaneError):
            rows_of(case["view"], resources)
        return
    rows = rows_of(case["view"], resources)
    if "expect" in case:
        assert ordered(rows) == ordered(case["expect"])
    if "expectColumns" in case:
        assert list(compile_view(case["view"]).columns) == case["expectColumns"]


PATIENT: JSON = {
    "resourceType": "Patient",
    "id": "a",
    "name": [{"use": "usual", "given": ["Ann", "O'Hara"]}, {"use": "official", "given": ["Anna"], "family": "Lee"}],
    "active": True,
    "birthDate": "1970-06",
    "_birthDate": {"extension": [{"url": "http://x/time", "valueDateTime": "1970-06-01T02:00:00Z"}]},
    "multipleBirthInteger": 2,
    "managingOrganization": {"reference": "http://ehr.test/fhir/Organization/o1/_history/2"},
    "generalPractitioner": [{"reference": "Practitioner/p1"}, {"reference": "Organization/o2"}, {"reference": "#c"}],
    "contained": [{"resourceType": "Practitioner", "id": "c"}, {"resourceType": "Organization", "id": "d"}],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("id", "a"),
        ("Patient.id", "a"),
        ("active", True),
        ("`active`", True),
        ("name.where(use = 'official').given.first()", "Anna"),
        ("name.first().given.where($this = 'O\\'Hara')", "O'Hara"),
        ("name[1].given[0]", "Anna"),
        ("name[7].given", None),
        ("name.given.last()", "Anna"),
        ("name.given.count()", 3),
        ("name.given.join(', ')", "Ann, O'Hara, Anna"),
        ("name.select(given.first()).join('/')", "Ann/Anna"),
        ("name.where(use = 'nickname').given", None),
        ("name.exists(use = 'official')", True),
        ("name.all(given.exists())", True),
        ("name.family.empty()", False),
        ("(name.use | name.use).count()", 2),
        ("name.use.distinct().count()", 2),
        ("'usual' in name.use", True),
        ("name.use contains 'old'", False),
        ("multipleBirth.ofType(integer) + 1", 3),
        ("multipleBirth.ofType(boolean)", None),
        ("multipleBirth", 2),
        ("multipleBirth is integer", True),
        ("(multipleBirth as integer) * 2.5", Decimal("5.0")),
        ("7 div 2", 3),
        ("7 mod 2", 1),
        ("7 / 2", Decimal("3.5")),
        ("1 / 0", None),
        ("-multipleBirth + 5", 3),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("'a' + 'b'", "ab"),
        ("'a' & nothing & 'b'", "ab"),
        ("'a' + nothing", None),
        ("1 < 2 and 'b' >= 'a'", True),
        ("nothing and false", False),
        ("nothing and true", None),
        ("nothing or true", True),
        ("nothing or false", None),
        ("true xor false", True),
        ("false implies nothing", True),
        ("active.not()", False),
        ("nothing = 1", None),
        ("1 != 2", True),
        ("'Ab  c' ~ 'aB C'", True),
        ("1 = 1.0", True),
        ("true = 1", False),
        ("name.use = ('usual' | 'official')", True),
        ("name.use = 'usual'", False),
        ("iif(active, 'yes', 'no')", "yes"),
        ("iif(nothing, 'yes')", None),
        ("{}", None),
        ("birthDate = @1970-06", True),
        ("birthDate = @1970-06-01", None),
        ("birthDate < @1971", True),
        ("@2024-01-01T12:00:00Z = @2024-01-01T13:00:00+01:00", True),
        ("@2024-01-01T12:00:00Z = @2024-01-01T12:00:00", None),
        ("@T12:30 < @T12:31:00", True),
        ("birthDate.extension('http://x/time').value.ofType(dateTime)", "1970-06-01T02:00:00Z"),
        ("contained.ofType(Organization).id", "d"),
        ("contained.ofType(Organization).getResourceKey()", "d"),
        ("managingOrganization.getReferenceKey(Organization)", "o1"),
        ("managingOrganization.getReferenceKey(Patient)", None),
        ("managingOrganization.getReferenceKey()", "o1"),
        ("generalPractitioner.getReferenceKey(FHIR.Organization)", "o2"),
        ("'\\u00e9\\n'", "\u00e9\n"),
        ("id // the key", "a"),
        ("%resource.id", "a"),
        ("%context.id", "a"),
        ("%rowIndex", 0),
    ],
)
def test_paths(path: str, expected: object) -> None:
    found = value(path, PATIENT)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("element", "path", "expected"),
    [
        ({"valueQuantity": {"value": Decimal("1.0")}}, "value.ofType(Quantity).value.highBoundary()", Decimal("1.05")),
        ({"valueInteger": 5}, "value.ofType(integer).lowBoundary()", Decimal("4.5")),
        ({}, "1.587.lowBoundary(2)", Decimal("1.58")),
        ({}, "1.587.highBoundary(2)", Decimal("1.59")),
        ({}, "1.587.lowBoundary(8)", Decimal("1.58650000")),
        ({}, "(-1.587).highBoundary(8)", Decimal("-1.58650000")),
        ({}, "1.587.lowBoundary(29)", None),
        ({"valueDateTime": "2024-02"}, "value.ofType(dateTime).highBoundary()", "2024-02-29T23:59:59.999-12:00"),
        ({"valueDateTime": "2024-02"}, "value.highBoundary()", "2024-02-29T23:59:59.999-12:00"),
        ({"valueDate": "2023"}, "value.ofType(date).lowBoundary()", "2023-01-01"),
        ({"valueDate": "2023"}, "value.ofType(date).highBoundary(6)", "2023-12"),
        ({"valueDateTime": "2024-02-03T04:05Z"}, "value.ofType(dateTime).lowBoundary()", "2024-02-03T04:05:00.000Z"),
        ({"valueDateTime": "2024-02-03T04:05:06.7+01:00"}, "value.lowBoundary()", "2024-02-03T04:05:06.700+01:00"),
        ({"valueTime": "12:34"}, "value.ofType(time).highBoundary()", "12:34:59.999"),
        ({"valueTime": "12:34"}, "value.ofType(time).highBoundary(2)", "12"),
        ({"valueString": "no date"}, "value.ofType(string).lowBoundary()", None),
        ({"valueBoolean": True}, "value.lowBoundary()", None),
        ({"effectiveDateTime": "2024-13"}, "effective.lowBoundary()", None),
    ],
)
def test_boundaries(element: JSON, path: str, expected: object) -> None:
    found = value(path, {"resourceType": "Observation", "id": "o", **element})
    assert (found, type(found), str(found)) == (expected, type(expected), str(expected))


def test_the_type_of_a_column_tells_a_date_from_a_date_time() -> None:
    goal = {"resourceType": "Goal", "startDate": "2024-02"}
    assert value("startDate.highBoundary()", goal, "date") == "2024-02-29"
    assert value("startDate.highBoundary()", goal, "dateTime") == "2024-02-29T23:59:59.999-12:00"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("name.given.foo()", r"uses foo\(\)"),
        ("%constant", "uses the constant %constant"),
        ("name.", "ends where"),
        ("name)", r"has '\)' where it should end"),
        ("'x", "is not FHIRPath at"),
        ("where(a='b'", r"lacks '\)'"),
        ("x.getReferenceKey('Patient')", "name of a type"),
        ("@@", "is not FHIRPath"),
        ("name.where()", "0 arguments"),
        ("id.ofType()", "name of a type"),
        ("$index", "uses \\$index"),
        ("a + ", "ends where"),
        ("(" * 200 + "a" + ")" * 200, "nests too deeply"),
        ("a" * 10_001, "at most 10000 characters"),
        (".a" * 900, "at most 1500 words and marks"),
        ("a" + ".a" * 300, "more than 200 steps"),
    ],
)
def test_what_is_no_path_is_refused_with_its_place(path: str, what: str) -> None:
    view = {"resource": "Patient", "select": [{"column": [{"path": "id", "name": "i"}, {"path": path, "name": "x"}]}]}
    with pytest.raises(InputError, match=what) as caught:
        compile_view(view)
    assert caught.value.field == "select[0].column[1].path"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("name.use", "found 2 values where the column x holds one"),
        ("name.use < 'a'", "'<' takes one value"),
        ("id < 1", "no order"),
        ("id + 1", "takes numbers"),
        ("name and true", "one boolean"),
        ("name['a']", "an index is one whole number"),
        ("active.join()", "takes texts"),
        ("-id", "takes a number"),
    ],
)
def test_what_cannot_be_reckoned_names_the_path_and_no_value(path: str, what: str) -> None:
    with pytest.raises(DataError, match=what) as caught:
        value(path, PATIENT)
    assert str(caught.value).startswith("select[0].column[0].path: ")
    assert "Ann" not in str(caught.value)


def test_a_long_list_of_alternatives_is_fine() -> None:
    assert value(" or ".join(["id = 'b'"] * 300 + ["id = 'a'"]), PATIENT) is True
    assert value("a" + ".a" * 199, PATIENT) is None


def test_a_where_that_is_no_boolean_is_an_error() -> None:
    view = {"resource": "Patient", "where": [{"path": "id"}], "select": [{"column": [{"path": "id", "name": "i"}]}]}
    with pytest.raises(DataError, match=r"where\[0\]\.path: id is not true or false"):
        rows_of(view, [PATIENT])


def column(name: str, path: str = "id", **more: Any) -> JSON:
    return {"name": name, "path": path, **more}


def of_patient(*selects: JSON, **more: Any) -> JSON:
    return {"resource": "Patient", "select": list(selects) or [{"column": [column("a")]}], **more}


@pytest.mark.parametrize(
    ("view", "where"),
    [
        ([], "ViewDefinition"),
        ({"resource": "Patient"}, "select"),
        ({"resource": "Patient", "select": []}, "select"),
        (of_patient(resource="Patent"), "resource"),
        (of_patient(selects=[]), "selects"),
        (of_patient(status="on"), "status"),
        (of_patient(select={"column": [column("a")]}), "select"),
        (of_patient(where=[{}]), "where[0].path"),
        (of_patient(constant=[{"name": "c"}]), "constant[0].value[x]"),
        (of_patient(constant=[{"name": "c", "valueInteger": "1"}]), "constant[0].valueInteger"),
        (of_patient(constant=[{"name": "c", "valuePeriod": {}}]), "constant[0].valuePeriod"),
        (of_patient({"column": [column("a"), column("a")]}), "select"),
        (of_patient({"column": [column("a b")]}), "select[0].column[0].name"),
        (of_patient({"column": [{"name": "a"}]}), "select[0].column[0].path"),
        (of_patient({"column": [column("a", collection="yes")]}), "select[0].column[0].collection"),
        (of_patient({"forEach": "a", "repeat": ["a"], "column": [column("a")]}), "select[0]"),
        (of_patient({"repeat": [], "column": [column("a")]}), "select[0].repeat"),
        (of_patient({"unionAll": [{"column": [column("a")]}, {"column": [column("b")]}]}), "select[0].unionAll[1]"),
        (
            of_patient({"unionAll": [{"column": [column("a", type=kind)]} for kind in ("id", "code")]}),
            "select[0].unionAll[1]",
        ),
    ],
)
def test_what_does_not_hold_is_told_with_its_place(view: object, where: str) -> None:
    with pytest.raises(InputError) as caught:
        compile_view(view)
    assert caught.value.field == where
    assert where in [problem.field for problem in problems_of(view)]


def test_all_that_does_not_hold_is_told_at_once() -> None:
    view = {"resource": "Nix", "select": [{"column": [{"name": "1", "path": "a."}, {"name": "b", "path": "%c"}]}]}
    assert [problem.field for problem in problems_of(view)] == [
        "resource",
        "select[0].column[0].name",
        "select[0].column[0].path",
        "select[0].column[1].path",
    ]


def test_a_view_that_nests_without_end_is_refused() -> None:
    select: JSON = {"column": [column("a")]}
    for _ in range(60):
        select = {"select": [select]}
    with pytest.raises(InputError, match="40 deep"):
        compile_view({"resource": "Patient", "select": [select]})


@pytest.mark.parametrize("kind", ["Boolean", "Integer", "Decimal", "String", "Date", "Code", "Uri", "Canonical"])
def test_constants_of_every_kind(kind: str) -> None:
    given = {"Boolean": True, "Integer": 3, "Decimal": Decimal("1.50"), "Date": "2024-01"}.get(kind, "text")
    assert value("%c", PATIENT, constant=[{"name": "c", f"value{kind}": given}]) == given
    assert value("%c = %c", PATIENT, constant=[{"name": "c", f"value{kind}": given}]) is True


def test_columns_come_in_the_order_of_the_specification() -> None:
    view = {
        "resource": "Patient",
        "select": [
            {
                "unionAll": [{"column": [column("d")]}],
                "select": [{"column": [column("c")]}],
                "column": [column("a"), column("b")],
            },
            {"column": [column("e")]},
        ],
    }
    assert compile_view(view).columns == ("a", "b", "c", "d", "e")
    assert [list(row) for row in rows_of(view, [PATIENT])] == [["a", "b", "c", "d", "e"]]


def test_repeat_does_not_go_round_for_ever() -> None:
    view = {"resource": "Patient", "select": [{"repeat": ["$this"], "column": [column("a", "id")]}]}
    with pytest.raises(DataError, match="more than 100000 nodes"):
        rows_of(view, [PATIENT])


def test_decimals_stay_as_they_were_written() -> None:
    resource = DECODER.decode(b'{"resourceType":"Observation","valueQuantity":{"value":1.10}}')
    assert str(value("value.ofType(Quantity).value", resource)) == "1.10"
