"""The same ViewDefinition on Spark: the rows of the Python path, for all official cases and for what goes wrong."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.lib as pa
import pyarrow.parquet as pq
import pytest

from careplane.codecs.views import compile_view
from careplane.codecs.views.arrow_rows import arrow_table
from careplane.errors import CareplaneError, DataError, InputError
from careplane.evidence.engines.on_spark import Spark
from careplane.records import JSON

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "sql-on-fhir"
DECODER = msgspec.json.Decoder(float_hook=Decimal)
THREADS = 4


def parts(resources: list[JSON], folder: Path) -> list[Path]:
    """A part of a lake with these resources."""
    texts = [json.dumps(resource, default=float) for resource in resources]
    write: Any = pq.write_table  # the library has no types
    write(pa.table({"resource": pa.array(texts, type=pa.string())}), folder / "part.parquet")
    return [folder / "part.parquet"]


def on_spark(spark: Spark, view: JSON, files: list[Path], name: str = "given") -> list[JSON]:
    schema = spark.put_view(name, view, files)
    found = spark.query(f"SELECT * FROM {name}")
    assert found.schema.names == schema.names
    return list(found.to_pylist())


def in_python(view: JSON, resources: list[JSON]) -> list[JSON]:
    compiled = compile_view(view)
    return list(arrow_table(compiled, [row for one in resources for row in compiled.rows(one)]).to_pylist())


def cases() -> Iterator[tuple[str, JSON, list[JSON]]]:
    for file in sorted(OFFICIAL.glob("*.json")):
        suite = DECODER.decode(file.read_bytes())
        for case in suite["tests"]:
            yield f"{file.stem}: {case['title']}", case, suite["resources"]


def ordered(rows: list[JSON]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, default=float) for row in rows)


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official cases are not beside the repository")
def test_official_cases_give_the_rows_of_python(spark: Spark, tmp_path: Path) -> None:
    files = {}
    for title, _, resources in cases():
        suite = title.partition(":")[0]
        if suite not in files:
            (tmp_path / suite).mkdir()
            files[suite] = parts(resources, tmp_path / suite)

    def differs(numbered: tuple[int, tuple[str, JSON, list[JSON]]]) -> str:
        number, (title, case, resources) = numbered
        try:
            found: Any = ordered(on_spark(spark, case["view"], files[title.partition(":")[0]], f"case_{number}"))
        except CareplaneError as error:
            found = type(error)
        try:
            expected: Any = ordered(in_python(case["view"], resources))
        except CareplaneError as error:
            expected = type(error)
        assert case.get("expectError", False) == isinstance(expected, type)
        return "" if found == expected else title

    with ThreadPoolExecutor(THREADS) as pool:
        assert [title for title in pool.map(differs, enumerate(cases())) if title] == []


OBSERVATION: JSON = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "valueQuantity": {"value": 6.10, "unit": "%"},
    "component": [{"valueInteger": 1}, {"valueInteger": 2}],
}


def view(*columns: JSON, **more: object) -> JSON:
    return {"resource": "Observation", "status": "active", "select": [{"column": list(columns), **more}]}


def test_types_and_collections(spark: Spark, tmp_path: Path) -> None:
    columns = (
        {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
        {"name": "all", "path": "component.value.ofType(integer)", "type": "integer", "collection": True},
        {"name": "final", "path": "status = 'final'", "type": "boolean"},
        {"name": "as_written", "path": "value.ofType(Quantity).value"},
    )
    resources = [DECODER.decode(json.dumps(OBSERVATION)), {"resourceType": "Patient", "id": "p"}]
    files = parts(resources, tmp_path)
    found = on_spark(spark, view(*columns), files)
    assert found == in_python(view(*columns), resources)
    assert found[0]["all"] == [1, 2]
    assert found[0]["value"] == 6.1


def test_several_values_in_one_column_are_an_error_that_names_the_path(spark: Spark, tmp_path: Path) -> None:
    wrong = view({"name": "many", "path": "component.value.ofType(integer)", "type": "integer"})
    with pytest.raises(DataError, match=r"component\.value\.ofType\(integer\) found 2 values"):
        on_spark(spark, wrong, parts([OBSERVATION], tmp_path))


def test_a_view_that_does_not_hold_is_refused_before_spark_runs(spark: Spark, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nonsense"):
        on_spark(spark, view({"name": "x", "path": "nonsense("}), parts([OBSERVATION], tmp_path))


def test_an_empty_lake_has_typed_columns(spark: Spark) -> None:
    given = view({"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"})
    assert on_spark(spark, given, [], "empty_lake") == []
