"""A definition, the contract, and figures of loaded data with small units withheld."""

import json
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from careplane.cli import careplane
from careplane.records import JSON
from careplane.store.lake import load_path


def measure(*arguments: str) -> Result:
    return CliRunner().invoke(careplane, ["measure", *arguments])


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(careplane, ["measure", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_definition_says_what_a_reader_needs() -> None:
    text = shown("show", "pfi_we")
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "M07 of the catalogue",
        "lower is better",
        "from 0.2 0-4",
        "small",
        "never shown",
        "QuestionnaireResponse",
    ):
        assert part in text or part.capitalize() in text, part
    told = json.loads(shown("show", "pfi_we", "--json"))
    assert (told["import_only"], told["catalogue"], sorted(told["views"])) == (
        True,
        "M07",
        ["answers", "invitations", "roles"],
    )
    assert shown("show", "sus", "--sql").lstrip().startswith(("SELECT", "WITH"))
    assert "neither is better" in shown("show", "utilisation")


def test_the_contract_is_checked() -> None:
    assert shown("check", "note_closure", "sus") == "2 measures checked: no problems.\n"


def test_unknown_names_are_told_with_the_nearest() -> None:
    for command in ("show", "figure", "check"):
        done = measure(command, "note_closer")
        assert done.exit_code != 0
        assert "Did you mean note_closure" in str(done.exception)


def stay(ident: str, ward: str, hour: int) -> JSON:
    return {
        "resourceType": "Encounter", "id": ident, "status": "finished", "class": {"code": "IMP"},
        "subject": {"reference": "Patient/x"}, "location": [{"location": {"reference": f"Location/{ward}"}}],
        "period": {"start": "2026-03-01T08:00:00Z", "end": f"2026-03-02T{hour:02}:00:00Z"},
    }  # fmt: skip


@pytest.fixture
def loaded(home: Path, tmp_path: Path) -> Path:
    """Sixteen stays of ward A (four before noon), twelve of B and three of C."""
    stays = [stay(f"a{n}", "ward-a", 9 if n < 4 else 14) for n in range(16)]
    stays += [stay(f"b{n}", "ward-b", 9) for n in range(12)] + [stay(f"c{n}", "ward-c", 9) for n in range(3)]
    file = tmp_path / "Encounter.ndjson"
    file.write_bytes(b"\n".join(map(orjson.dumps, stays)) + b"\n")
    load_path(file, home)
    return home


def test_a_figure_of_the_loaded_data(loaded: Path) -> None:
    """19 of 31 stays ended before noon; ward A has 4 of 16; C is small and takes B with it."""
    where = ("--home", str(loaded))
    text = shown("figure", "discharge_before_noon", *where)
    assert max(map(len, text.splitlines())) <= 80
    assert "0.6129 proportion; higher is better" in text
    found = json.loads(shown("figure", "discharge_before_noon", "--json", *where))
    assert (found["rows"], found["n"], round(found["figure"], 4)) == (31, 31, 0.6129)
    assert [(one["unit"], one["n"], one["figure"]) for one in found["units"]] == [
        ("Location/ward-a", 16, 0.25),
        ("Location/ward-b", None, None),
        ("Location/ward-c", None, None),
    ]


def test_days_bound_it_and_nothing_is_said_to_be_nothing(loaded: Path) -> None:
    where = ("--home", str(loaded))
    assert json.loads(shown("figure", "discharge_before_noon", "--from", "2026-03-03", "--json", *where))["rows"] == 0
    assert "no rows in this time" in shown("figure", "discharge_before_noon", "--to", "2026-03-02", *where)
    day = ("--from", "2026-03-02", "--to", "2026-03-03")
    assert json.loads(shown("figure", "discharge_before_noon", *day, "--json", *where))["rows"] == 31
    wrong = measure("figure", "discharge_before_noon", "--from", "2026-03-03", "--to", "2026-03-02", *where)
    assert "--to" in str(wrong.exception)


def test_measures_of_the_run_record_run_on_an_empty_one(loaded: Path) -> None:
    for ident in ("utilisation", "edit_distance", "harm_flag", "error_rate", "alert_action"):
        assert json.loads(shown("figure", ident, "--json", "--home", str(loaded)))["rows"] == 0
