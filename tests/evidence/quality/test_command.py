"""``careplane quality`` at the command line: what it prints, its JSON, its exit codes and what it refuses."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from careplane.cli import careplane
from careplane.evidence import quality
from careplane.evidence.quality.rubric import DEFAULT
from careplane.ledger import open_ledger
from careplane.records.quality import Reading
from careplane.server.platform import Platform
from careplane.store import open_store


@pytest.fixture
def run(place: Path, site: Platform, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(place)
    monkeypatch.setenv("CAREPLANE_HOME", str(place / "home"))
    monkeypatch.setenv("CAREPLANE_APPS_PATH", str(place / "apps"))
    monkeypatch.setenv("CAREPLANE_GATEWAY_FILE", str(place / "gateway.toml"))

    def act(*arguments: str) -> Result:
        return CliRunner().invoke(careplane, ["quality", *arguments])

    return act


def test_from_evaluation_to_a_judge_that_is_refused(run, place: Path) -> None:  # type: ignore[no-untyped-def]
    made = run("evaluate", "portal_reply", "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.output)["model"] == "writer-a"
    told = run("evaluate", "portal_reply", "--runs", "30")
    assert told.exit_code == 0, told.output
    assert "30 outputs of runs" in " ".join(told.output.split())
    assert max(map(len, told.output.splitlines())) <= 80
    drawn = run("sample", "portal_reply", "--readers", "ana,ben", "--adjudicator", "cy", "--size", "12", "--json")
    assert drawn.exit_code == 0, drawn.output
    (sample,) = json.loads(drawn.output)
    assert (sample["size"], sample["readers"], len(sample["rubric"])) == (12, ["ana", "ben"], 9)
    assert "not measured" in run("show", "portal_reply").output.lower()
    _read(place, sample["id"])
    shown = run("show", "portal_reply")
    assert "Settled by people (12 outputs)" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    judged = run("judge", "portal_reply", "--limit", "5")
    assert judged.exit_code == 0, judged.output
    assert "It is refused:" in judged.output
    assert "it takes 30" in " ".join(judged.output.split())


def _read(place: Path, sample: str) -> None:
    store = open_store(f"sqlite:///{place / 'home/careplane.db'}")
    ledger = open_ledger(place / "home/ledger")
    held = quality.load_sample(store, sample)
    for row in quality.find_sampled(store, sample):
        for who in held.readers:
            scores = {one.name: 4 for one in DEFAULT}
            reading = Reading(
                sample=sample, output=row.output, reader=who, at=held.drawn_at, marks=(), scores=scores, seconds=9
            )
            quality.keep_reading(store, ledger, reading)
    store.close()


def test_a_comparison_ends_with_the_answer_as_exit_code(run, place: Path, make_folder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("evaluate", "portal_reply", "--json")
    other = make_folder(tmp_path / "next", version="1.1.0", route="steady")
    assert run("evaluate", "portal_reply", "--folder", str(other)).exit_code == 0
    found = run("compare", "portal_reply", "1.0.0@writer-a", "1.1.0")
    assert found.exit_code == 1
    flat = " ".join(found.output.split())
    assert "1.1.0@writer-b against 1.0.0@writer-a, 1 cases: not shown" in flat
    assert "is not ruled out" in flat
    asked = run("compare", "portal_reply", "1.0.0", "2.0.0")
    assert isinstance(asked.exception, Exception)
    assert "There are: " in str(asked.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "portal_reply", "--runs", "4", "--replay", "4"), "one of --cases, --runs and --replay"),
        (("evaluate", "portal_reply", "--cases", "nothing"), "no case 'nothing'"),
        (("evaluate", "portal_repl"), "portal_reply"),
        (("evaluate", "care_gap_brief"), "no cases"),
        (("sample", "portal_reply", "--readers", "ana", "--adjudicator", "cy"), "two readers with a comma"),
        (("sample", "portal_reply", "--readers", "ana,ana", "--adjudicator", "cy"), "three different people"),
        (("sample", "bed_huddle", "--readers", "ana,ben", "--adjudicator", "cy"), "no output of its present version"),
        (("judge", "bed_huddle"), "Nobody has settled"),
    ],
)
def test_what_it_refuses(run, arguments: tuple[str, ...], words: str) -> None:  # type: ignore[no-untyped-def]
    told = run(*arguments)
    assert told.exit_code != 0
    assert words in str(told.exception), told.output
