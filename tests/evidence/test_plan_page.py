"""The commands of docs/how-to/plan-a-study.md run as they stand, in their order."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli import careplane

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/plan-a-study.md"


def test_the_page_runs_from_answers_to_an_amendment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (answers,) = re.findall(r"^```yaml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "rollout.yaml").write_text(answers, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^careplane .*$", text, flags=re.MULTILINE)
    assert len(lines) == 10
    for line in lines:
        done = CliRunner().invoke(careplane, [*shlex.split(line)[1:], "--home", str(home)])
        assert done.exit_code == 0, (line, done.output, done.exception)
