"""``careplane view``: rows as JSON, CSV and Parquet, what is wrong told with its place, and nothing half written."""

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from careplane.cli.view import command
from careplane.errors import CareplaneError

VIEW = {
    "resourceType": "ViewDefinition",
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "id", "path": "getResourceKey()", "type": "id"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "final", "path": "status = 'final'", "type": "boolean"},
                {"name": "codes", "path": "code.coding.code", "type": "code", "collection": True},
            ]
        }
    ],
}
ONE = (
    b'{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"code":"x"},{"code":"y"}]},'
    b'"valueQuantity":{"value":1.10}}'
)
TWO = b'{"resourceType":"Observation","id":"b","code":{}}'
OTHER = b'{"resourceType":"Patient","id":"p"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "view.json").write_text(json.dumps(VIEW))
    (tmp_path / "o.ndjson").write_bytes(b"\xef\xbb\xbf" + ONE + b"\n\n" + OTHER + b"\n" + TWO + b"\n")
    return tmp_path


def run(folder: Path, *words: str) -> bytes:
    shown = CliRunner().invoke(command, ["run", str(folder / "view.json"), *words], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    return shown.stdout_bytes


def test_rows_as_json_keep_the_digits_and_the_order(folder: Path) -> None:
    written = run(folder, str(folder / "o.ndjson"))
    assert b'"value":1.10' in written
    assert [list(row.values()) for row in json.loads(written)] == [
        ["a", 1.1, True, ["x", "y"]],
        ["b", None, None, []],
    ]


def test_no_rows_are_an_empty_array(folder: Path) -> None:
    (folder / "p.ndjson").write_bytes(OTHER)
    assert json.loads(run(folder, str(folder / "p.ndjson"))) == []


def test_gzip_json_a_bundle_and_a_list_are_read(folder: Path) -> None:
    (folder / "a.ndjson.gz").write_bytes(gzip.compress(ONE))
    (folder / "b.json").write_bytes(b'{"resourceType":"Bundle","entry":[{"resource":%b},{"resource":%b}]}' % (ONE, TWO))
    (folder / "c.json").write_bytes(b"[%b]" % TWO)
    found = json.loads(run(folder, *(str(folder / name) for name in ("a.ndjson.gz", "b.json", "c.json"))))
    assert [row["id"] for row in found] == ["a", "a", "b", "b"]


def test_csv(folder: Path) -> None:
    written = run(folder, str(folder / "o.ndjson"), "--format", "csv").decode()
    assert list(csv.reader(io.StringIO(written))) == [
        ["id", "value", "final", "codes"],
        ["a", "1.10", "true", '["x","y"]'],
        ["b", "", "", "[]"],
    ]


def test_parquet_has_the_types_that_the_view_declares(folder: Path) -> None:
    out = folder / "rows.parquet"
    run(folder, str(folder / "o.ndjson"), "--format", "parquet", "--output", str(out))
    reader: Any = pq.ParquetFile  # the library has no types
    table = reader(out).read()
    assert [str(field.type) for field in table.schema] == ["string", "double", "bool", "list<element: string>"]
    assert table.to_pylist()[1] == {"id": "b", "value": None, "final": None, "codes": []}
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (ONE + b"\n{broken\n", r"bad\.ndjson:2: is not JSON"),
        (ONE + b"\n[1]\n", r"bad\.ndjson:2: is not a FHIR resource"),
        (b'{"id":"x"}\n', r"bad\.ndjson:1: is not a FHIR resource"),
        (b"\xff\xfe{\x00", r"bad\.ndjson:1: is not JSON in UTF-8"),
        (b"[" * 100_000, r"bad\.ndjson:1: is not JSON"),
        (
            b'{"resourceType":"Observation","component":1,"valueQuantity":{"value":[1,2]}}',
            r"bad\.ndjson:1: select\[0\]\.column\[1\]\.path: .*found 2 values",
        ),
    ],
)
def test_a_bad_line_ends_it_with_its_place_and_nothing_is_written(folder: Path, content: bytes, told: str) -> None:
    (folder / "bad.ndjson").write_bytes(content)
    out = folder / "rows.json"
    words = ["run", str(folder / "view.json"), str(folder / "bad.ndjson"), "--output", str(out)]
    with pytest.raises(CareplaneError, match=told) as caught:
        CliRunner().invoke(command, words, catch_exceptions=False)
    assert caught.value.exit_code == 2
    assert not out.exists()


def test_damaged_gzip_is_told(folder: Path) -> None:
    (folder / "bad.ndjson.gz").write_bytes(gzip.compress(ONE)[:-6])
    with pytest.raises(CareplaneError, match="damaged or breaks off"):
        CliRunner().invoke(
            command, ["run", str(folder / "view.json"), str(folder / "bad.ndjson.gz")], catch_exceptions=False
        )


def test_check_tells_everything_at_once(folder: Path) -> None:
    shown = CliRunner().invoke(command, ["check", str(folder / "view.json"), "--json"], standalone_mode=False)
    assert json.loads(shown.stdout)["columns"][3] == {"name": "codes", "type": "code", "collection": True}
    (folder / "view.json").write_text('{"resource":"Nix","select":[{"column":[{"name":"a","path":"b."}]}]}')
    shown = CliRunner().invoke(command, ["check", str(folder / "view.json"), "--json"], standalone_mode=False)
    assert [one["where"] for one in json.loads(shown.stdout)["problems"]] == ["resource", "select[0].column[0].path"]
    assert shown.return_value == 2


def test_the_command_ends_with_a_message_and_no_traceback(folder: Path) -> None:
    words = [sys.executable, "-m", "careplane", "view", "run", str(folder / "nix.json"), str(folder / "o.ndjson")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"careplane: {folder / 'nix.json'}: there is no such file\n"
