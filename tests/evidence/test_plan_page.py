"""The commands of docs/how-to/plan-a-study.md run as they stand, in their order."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli import careplane

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/plan-a-study.md"


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_page_runs_from_answers_to_an_amendment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (answers,) = blocks(text, "yaml")
    (tmp_path / "rollout.yaml").write_text(answers, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(text, "") for line in block.splitlines() if line]
    assert len(lines) == 10
    for line in lines:
        done = CliRunner().invoke(careplane, [*shlex.split(line)[1:], "--home", str(home)])
        assert done.exit_code == 0, (line, done.output, done.exception)
