"""``careplane estimate``: every example runs, and what is wrong is told with its place."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane._shelf import items
from careplane.cli.estimate import command
from careplane.errors import CareplaneError

TABLE = "y,arm,name\n1.5,0,a\n2,0,b\n\n4,1,c\nNA,1,d\n5,1,e\n"


def run(folder: Path, spec: str, table: str | bytes = TABLE, name: str = "t.csv") -> dict[str, object]:
    (folder / "spec.yaml").write_text(f"data: {name}\n{spec}")
    (folder / name).write_bytes(table.encode() if isinstance(table, str) else table)
    shown = CliRunner().invoke(command, [str(folder / "spec.yaml"), "--json"], catch_exceptions=False)
    found: dict[str, object] = json.loads(shown.stdout)
    return found


MEANS = "estimator: difference_in_means\noutcome: y\ntreatment: arm\n"


def test_the_answer_has_the_published_keys_first(tmp_path: Path) -> None:
    found = run(tmp_path, MEANS)
    assert list(found)[:8] == ["estimate", "se", "ci_low", "ci_high", "df", "p", "n", "clusters"]
    assert (found["estimate"], found["n"], found["left_out"]) == (2.75, 4, {"y is missing": 1})


def test_gzip_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    assert run(tmp_path, MEANS, gzip.compress(b"\xef\xbb\xbf" + TABLE.encode()), "t.csv.gz")["estimate"] == 2.75


@pytest.mark.parametrize("mark", [";", "\t"])
def test_semicolons_and_tabs_part_fields_too(tmp_path: Path, mark: str) -> None:
    table = TABLE.replace(",", mark).replace("name", '"name, or ""none"", or so"')
    assert run(tmp_path, MEANS, table)["estimate"] == 2.75
    assert run(tmp_path, MEANS, gzip.compress(b"\xef\xbb\xbf" + table.encode()), "t.csv.gz")["estimate"] == 2.75


@pytest.mark.parametrize("name", sorted(items("estimators")))
def test_every_example_runs(tmp_path: Path, name: str) -> None:
    CliRunner().invoke(command, ["--example", name, "--out", str(tmp_path)], catch_exceptions=False)
    shown = CliRunner().invoke(command, [str(tmp_path / f"{name}.yaml"), "--json"], catch_exceptions=False)
    found = json.loads(shown.stdout)
    assert found["method"]
    assert {"estimate", "se", "ci_low", "ci_high", "df", "p", "n", "clusters", "details", "warnings"} <= set(found)
    assert CliRunner().invoke(command, [str(tmp_path / f"{name}.yaml")], catch_exceptions=False).exit_code == 0


def test_the_list_documents_each() -> None:
    told = json.loads(CliRunner().invoke(command, ["--list", "--json"], catch_exceptions=False).stdout)
    assert [one["name"] for one in told] == sorted(items("estimators"))
    assert all(one["purpose"] and one["source"] and one["keys"] and one["example"] for one in told)
    plain = CliRunner().invoke(command, ["--list"], catch_exceptions=False).stdout
    assert max(map(len, plain.splitlines())) <= 80


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("estimator: difference_in_meens\n", "Did you mean difference_in_means"),
        ("outcome: y\n", r"estimator: is needed"),
        ("estimator: difference_in_means\noutcom: y\ntreatment: arm\n", "outcom: is not a key .*did you mean outcome"),
        ("estimator: difference_in_means\noutcome: y\n", "treatment: is needed"),
        ("estimator: difference_in_means\noutcome: z\ntreatment: arm\n", "z: the data have no such column"),
        ("estimator: difference_in_means\noutcome: name\ntreatment: arm\n", r"name: holds text .*line 2"),
        ("estimator: difference_in_means\noutcome: y\ntreatment: name\n", "name: must hold two values, not 4"),
        (f"{MEANS}alpha: 2\n", "alpha: must be from"),
        (f"{MEANS}alpha: '0.05'\n", "alpha: must be a number"),
        (f"{MEANS}variance: welsh\n", "did you mean welch"),
        ("estimator: [\n", "is not YAML"),
        ("- a\n- b", "is not YAML|must be a table"),
    ],
)
def test_what_is_wrong_in_a_specification_is_told(tmp_path: Path, spec: str, told: str) -> None:
    with pytest.raises(CareplaneError, match=told) as caught:
        run(tmp_path, spec)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("y,arm\n1,0,9\n", r"t\.csv:2: has 3 fields where the header has 2"),
        ("y,arm,y\n1,0,1\n", r"t\.csv:1: y: two columns"),
        ("y,\n1,0\n", r"t\.csv:1: the first line must name every column"),
        ("y,arm\n", "holds no row"),
        ("", "must name every column"),
        ('y,arm\n"1,0\n', "is not CSV"),
        (b"y,arm\n\xe9,0\n", "is not UTF-8; save"),
        ("y,arm\n1,0\ninf,0\n3,1\n4,1\n", r"y: is not finite \(line 3\)"),
        ("y,arm\nNA,0\nNA,1\n", "no row is left"),
    ],
)
def test_what_is_wrong_in_a_table_is_told(tmp_path: Path, table: str | bytes, told: str) -> None:
    with pytest.raises(CareplaneError, match=told) as caught:
        run(tmp_path, MEANS, table)
    assert caught.value.exit_code == 2


def test_the_command_ends_with_a_message_and_no_traceback(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "careplane", "estimate", str(tmp_path / "nix.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"careplane: {tmp_path / 'nix.yaml'}: cannot be read: No such file or directory\n"
