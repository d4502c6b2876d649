"""``careplane shield scan``: offsets of the original, bad lines told, the rest answered."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from careplane.cli import careplane
from careplane.cli.shield import command

CHART = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient", "name": [{"family": "Muñoz", "given": ["Maria"]}]}}]}  # fmt: skip # noqa: E501


def scan(lines: bytes, *options: str) -> Result:
    return CliRunner().invoke(command, ["scan", "--input", "-", *options], input=lines)


def line(**fields: object) -> bytes:
    return json.dumps({"id": "a", "text": "nothing here", "context": None, **fields}).encode() + b"\n"


def test_spans_are_code_points_of_the_original_text() -> None:
    text = "\U0001f600 Visit of MU\u00d1OZ, maria at 12 Elm Street on 3/5/2024"
    answer = json.loads(scan(line(text=text, context=CHART)).output)
    assert answer["id"] == "a"
    found = [(text[span["start"] : span["end"]], span["category"]) for span in answer["spans"]]
    assert found == [("MU\u00d1OZ, maria", "NAME"), ("12 Elm Street", "GEO"), ("3/5/2024", "DATE")]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b"not json\n", "not valid JSON"),
        (b'{"id": "a", "text": "\\ud800"}\n', "not valid JSON"),
        (b'{"id": "a", "text": "\xff"}\n', "not valid JSON"),
        (b"[]\n", "must be a JSON object"),
        (b'{"id": "a"}\n', "text: must be text"),
        (line(text=5), "text: must be text"),
        (line(id=None), "id: must be"),
        (line(context=[]), "context: must be a FHIR Bundle or null"),
        (line(context={"resourceType": "Patient"}), "context: must be a FHIR Bundle or null"),
        (line(context={"resourceType": "Bundle", "entry": {}}), "context.entry: must be a list"),
        (line(context={"resourceType": "Bundle", "entry": [{}]}), "context.entry[0]: must hold a resource"),
        (
            line(context={"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "name": "Q"}}]}),
            "The chart could not be read",
        ),
    ],
)
def test_a_bad_line_is_told_by_number_and_the_rest_is_answered(bad: bytes, told: str) -> None:
    shown = scan(line(id=1) + b"\n" + bad + line(id=2, text="call 312-555-0188"))
    assert [json.loads(row)["id"] for row in shown.stdout.splitlines()] == [1, 2]
    assert f"-:3: {told}" in shown.stderr
    assert isinstance(shown.exception, Exception)


def test_exit_code_2_and_a_missing_file(tmp_path: Path) -> None:
    missing = CliRunner().invoke(careplane, ["shield", "scan", "--input", str(tmp_path / "no.jsonl")])
    assert getattr(missing.exception, "exit_code", missing.exit_code) == 2
    file = tmp_path / "texts.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + line() + b"{\n")
    bad = CliRunner().invoke(careplane, ["shield", "scan", "--input", str(file)])
    assert getattr(bad.exception, "exit_code", bad.exit_code) == 2
    assert "texts.jsonl:2: not valid JSON" in bad.stderr
    assert json.loads(bad.stdout) == {"id": "a", "spans": []}
