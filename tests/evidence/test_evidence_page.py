"""The commands of docs/how-to/read-and-replay-evidence.md run as they stand, on a study that was really analysed."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli import careplane
from careplane.ledger import open_ledger
from careplane.store import open_store

from .test_analysis import run, study
from .test_replay import load_more

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/read-and-replay-evidence.md"


def test_the_page_reads_prints_and_replays_a_result(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"sqlite:///{home / 'careplane.db'}")
    result = run(store, home, study(store, open_ledger(home / "ledger"), home, hours=-1.5, minutes=0.2))
    store.close()
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^ *(careplane evidence .*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(lines) == 7
    told = {}
    for line in lines:
        if "--pdf" in line:
            pytest.importorskip("weasyprint", reason="the extra pdf is not installed")
        done = CliRunner().invoke(careplane, [*shlex.split(line)[1:], "--home", str(home)])
        assert done.exit_code == 0, (line, done.output, done.exception)
        told[line] = done.output
    assert result.id in told["careplane evidence list"]
    assert "msg_turnaround (primary): BENEFIT" in told["careplane evidence show trial"]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "bit for bit" in told["careplane evidence replay trial"]

    load_more(home)
    moved = CliRunner().invoke(careplane, ["evidence", "replay", "trial", "--home", str(home)])
    assert moved.exit_code == 0, moved.output
    assert "1 new" in " ".join(moved.output.split())
