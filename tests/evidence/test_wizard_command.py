"""``careplane plan wizard | assign | amend | diff | exposures`` from the answers to the balance of the arms."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from careplane.cli import careplane
from careplane.evidence.questions import QUESTIONS

YAML = """\
units:
  Hospital A: [Location/a1, Location/a2, Location/a3, Location/a4, Location/a5]
  Hospital B: [Location/b1, Location/b2, Location/b3, Location/b4, Location/b5]
start: 2027-01-04
weeks: 24
sd: 6
icc: 0.05
per_week: 20
"""


def run(home: Path, *arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(careplane, ["plan", *arguments, "--home", str(home)], input=said)


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    file = tmp_path / "rollout.yaml"
    file.write_text(YAML, encoding="utf-8")
    return file


def test_from_answers_to_arms_and_their_audit(home: Path, answers: Path) -> None:
    done = run(home, "wizard", "portal_reply", "--answers", str(answers), "--draft", "first")
    assert done.exit_code == 0, done.output
    assert "Recommended: Units randomised side by side, 10 units, up to grade A" in done.output
    assert "Cannot answer here" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    name = "portal_reply-20270104"
    assert run(home, "assign", name).exit_code != 0, "arms are drawn from a locked plan only"
    assert run(home, "lock", name, "--by", "p.lee").exit_code == 0
    drawn = run(home, "assign", name)
    assert "Hospital A" in drawn.output
    again = json.loads(run(home, "assign", name, "--json").stdout)
    assert {one["arm"] for one in again} == {"intervention", "control"}
    check = run(home, "assign", name, "--verify", "--json")
    assert (check.exit_code, json.loads(check.stdout)["holds"]) == (0, True)
    made = run(home, "amend", name, "--set", "end=2027-07-05", "--reason", "A clinic was closed", "--by", "p.lee")
    assert made.exit_code == 0, made.output
    told = run(home, "diff", name)
    assert "2027-06-21" in told.output
    assert "+ 2027-07-05" in told.output
    assert "Why: A clinic was closed" in told.output
    assert json.loads(run(home, "diff", name, "--from", "1", "--to", "2", "--json").stdout)["differences"]
    assert "0 amendments, and a draft of another" in run(home, "show", name).output
    assert json.loads(run(home, "exposures", name, "--json").stdout)["events"] == 0


def test_the_answers_are_asked_one_by_one_and_a_mistake_is_asked_again(home: Path) -> None:
    said = {"units": "A: Location/1, Location/2", "start": "soon\n2027-01-04", "sd": "6", "per_week": "20"}
    lines = [said.get(one.name, "") for one in QUESTIONS]
    done = run(home, "wizard", "portal_reply", said="\n".join(lines) + "\n")
    assert done.exit_code == 0, done.output
    assert "must be a day, as YYYY-MM-DD" in done.output
    assert "only" not in done.output
    assert "the exact test is the method" in " ".join(done.output.split())


def test_options_go_before_the_file(home: Path, answers: Path) -> None:
    done = run(home, "wizard", "portal_reply", "--answers", str(answers), "--everyone", "yes", "--waves", "5", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["advice"]["options"][0]["design"] == "stepped_wedge"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("units: {A: [u1, u2], A: [u3]}\nstart: 2027-01-04\n", "A is named twice"),
        ("units: {A: [u1, u2], B: [u2]}\nstart: 2027-01-04\n", "u2"),
        (YAML + "cheese: 3\n", "cheese"),
        (YAML + "weeks_between: 0\n", "weeks_between"),
        (YAML + "cac: 7\n", "cac"),
        ("units: {A: [u1, u2]}\n", "start"),
        ("- a\n", "must be a table"),
        ("a: [", "bad.yaml"),
        ("start: 2027-01-04\nunits: {A: [u1]}\n", "second unit"),
    ],
    ids=["stratum twice", "unit twice", "no question", "no weeks", "cac", "no start", "list", "no yaml", "one clinic"],
)
def test_answers_that_are_none_are_named(home: Path, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(
        careplane, ["plan", "wizard", "portal_reply", "--answers", str(file), "--home", str(home)]
    )
    assert done.exit_code != 0
    assert told in str(done.exception), done.exception
    assert not isinstance(done.exception, TypeError | KeyError | AttributeError)
