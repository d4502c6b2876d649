"""``careplane shield roundtrip``: nothing known leaves, everything comes back, bad lines are told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli import careplane
from careplane.cli.shield import command

NAME = {"family": "Mu\u00f1oz", "given": ["Maria"]}
CHART = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"resource": {"resourceType": "Patient", "id": "p", "name": [NAME], "birthDate": "1980-02-03"}}],
}
TEXT = (
    "Maria Mu\u00f1oz [1] \u2014 born 02/03/1980, seen March 5, 2024 in Dayton, OH; "
    "call (312) 555-9876.\r\n\u200bM\u00fcller"
)


@pytest.mark.parametrize("chunk", [(), ("--chunk", "1"), ("--chunk", "3"), ("--chunk", "7")])
@pytest.mark.parametrize(
    "style", [(), ("--surrogates", "realistic"), ("--surrogates", "realistic", "--dates", "shifted")]
)
def test_the_text_comes_back_byte_for_byte(chunk: tuple[str, ...], style: tuple[str, ...]) -> None:
    lines = [
        {"id": 7, "text": TEXT, "context": CHART},
        {"id": "b", "text": "", "context": None},
        {"id": 3, "text": TEXT},
    ]
    given = "".join(json.dumps(line) + "\n" for line in lines)
    shown = CliRunner().invoke(command, ["roundtrip", "--input", "-", *chunk, *style], input=given)
    answers = [json.loads(row) for row in shown.stdout.splitlines()]
    assert [answer["restored"] for answer in answers] == [TEXT, "", TEXT]
    assert [answer["id"] for answer in answers] == [7, "b", 3]
    assert not any(word in answers[0]["outgoing"] for word in ("Maria", "02/03/1980", "March 5", "Dayton", "9876"))


def test_bad_lines_are_told_and_the_rest_is_answered(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"id": 1, "text": "a"}\n{"id": 2, "text": 5}\nnot json\n{"id": 4, "text": "Maria"}\n')
    shown = CliRunner().invoke(careplane, ["shield", "roundtrip", "--input", str(file), "--chunk", "2"])
    assert [json.loads(row)["id"] for row in shown.stdout.splitlines()] == [1, 4]
    assert "texts.jsonl:2: text: must be text" in shown.stderr
    assert "texts.jsonl:3: not valid JSON" in shown.stderr
    assert getattr(shown.exception, "exit_code", shown.exit_code) == 2


def test_a_chunk_is_at_least_one_character() -> None:
    shown = CliRunner().invoke(command, ["roundtrip", "--input", "-", "--chunk", "0"], input="")
    assert shown.exit_code == 2
