"""``careplane plan`` on a small locked study."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from click.testing import CliRunner

from careplane.cli import careplane
from careplane.evidence import assign, load_plan, save_draft
from careplane.ledger import Ledger
from careplane.records.evidence import Result
from careplane.store import Store

from .synthetic_trial import load_trial, plan

AT = datetime(2026, 2, 20, 12, tzinfo=UTC)


def run(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(careplane, ["plan", *arguments, "--home", str(home)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_study_from_draft_to_verdict(home: Path, sqlite_store: Store, ledger: Ledger) -> None:
    assert "no plans yet" in run(home, "list")
    save_draft(sqlite_store, plan())
    assert "draft" in run(home, "list")
    assert "SHA-256" in run(home, "lock", "trial", "--by", "p.lee")
    load_trial(home, assign(sqlite_store, ledger, load_plan(sqlite_store, "trial"), AT), hours=-1.5, minutes=0.0)
    text = run(home, "analyse", "trial")
    assert "msg_turnaround (primary): BENEFIT" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "BENEFIT" in run(home, "show", "trial")
    assert "benefit" in run(home, "list")
    result = msgspec.json.decode(run(home, "analyse", "trial", "--json"), type=Result)
    assert result.effects[0].verdict == "benefit"
