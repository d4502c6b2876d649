"""``careplane downtime``: drills whose result is evidence, and what is away."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.alignment.gates import gate
from careplane.cli import careplane
from careplane.errors import CareplaneError
from careplane.store import open_store


def run(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(careplane, ["downtime", *args])
    assert done.exit_code == code, done.output
    return done.stdout


def test_a_drill_is_told_kept_and_read_by_the_gate(home: Path) -> None:
    where = ("--home", str(home))
    told = run("status", *where)
    assert "Nothing is away." in told
    (done,) = json.loads(
        run(
            "drill",
            "--app",
            "portal_reply",
            "--dependency",
            "network",
            "--minutes",
            "0.02",
            "--by",
            "p.lee",
            "--json",
            *where,
        )
    )
    assert done["passed"], done
    assert {check["name"] for check in done["checks"]} >= {"fallback_stated", "event_waits", "no_lost_draft"}
    status = json.loads(run("status", "--json", *where))
    assert status["away"] == []
    assert status["waiting_events"] == 0
    assert status["drills"][0]["id"] == done["id"]
    assert "No drill is on." in run("end", *where)
    store = open_store(f"sqlite:///{home / 'careplane.db'}")
    today = datetime.now(UTC).date()
    (check,) = [one for one in gate(store, "portal_reply", "G2", today).checks if one.name == "drill"]
    assert check.status == "pass"
    assert "by p.lee: passed" in check.text
    later = gate(store, "portal_reply", "G2", today.replace(year=today.year + 2))
    assert next(one for one in later.checks if one.name == "drill").status == "fail"
    other = gate(store, "bed_huddle", "G2", today)
    assert next(one for one in other.checks if one.name == "drill").status == "not_measured"
    store.close()


@pytest.mark.parametrize(
    "args",
    [
        ("drill", "--minutes", "1", "--by", "p.lee"),
        ("drill", "--app", "portal_reply", "--all", "--minutes", "1", "--by", "p.lee"),
        ("drill", "--app", "nothing_like_it", "--minutes", "1", "--by", "p.lee"),
        ("drill", "--app", "portal_reply", "--minutes", "1000", "--by", "p.lee"),
        ("drill", "--all", "--minutes", "1", "--by", "p.lee"),
    ],
)
def test_what_cannot_be_drilled_is_said(home: Path, args: tuple[str, ...]) -> None:
    done = CliRunner().invoke(careplane, ["downtime", *args, "--home", str(home)])
    assert isinstance(done.exception, CareplaneError), done.output
    assert done.exception.exit_code == 2
