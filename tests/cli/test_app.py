"""``careplane app`` and ``careplane stop`` as a person types them."""

import json
from pathlib import Path

import click.testing
import pytest

from careplane.cli.app import command as app
from careplane.cli.stop import command as stop
from careplane.errors import InputError, NotFound, Refused
from careplane.store.lake import load_path


def run(command: click.Command, *arguments: str | Path) -> click.testing.Result:
    """What a command printed and its exit code; an error of ours is raised as itself."""
    result = click.testing.CliRunner().invoke(command, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_new_then_check(tmp_path: Path) -> None:
    run(app, "new", "my_idea")
    assert run(app, "check", "apps/my_idea").exit_code == 0
    manifest = tmp_path / "apps/my_idea/app.yaml"
    manifest.write_text(manifest.read_text().replace("owner:", "ownr:"))
    told = run(app, "check", "apps/my_idea")
    assert told.exit_code == 1
    assert "apps/my_idea/app.yaml:7: ownr: is not a field here. Did you mean 'owner'?" in told.output
    with pytest.raises(NotFound):
        run(app, "check", "apps/your_idea")


def test_a_measure_that_is_not_on_the_shelf_is_told_and_is_no_fault(tmp_path: Path) -> None:
    run(app, "new", "my_idea")
    assert "note:" not in run(app, "check", "apps/my_idea").output
    manifest = tmp_path / "apps/my_idea/app.yaml"
    manifest.write_text(manifest.read_text().replace("balancing: [", "balancing: [smiles, "))
    told = run(app, "check", "apps/my_idea")
    assert told.exit_code == 0
    assert "balancing[0]: 'smiles' is not on the shelf of measures; a plan leaves it out" in told.output
    (row,) = json.loads(run(app, "check", "apps/my_idea", "--json").output)
    assert (row["note"], row["field"]) == (True, "measures.balancing[0]")


def test_list_fits_eighty_columns_and_counts_thirty(tmp_path: Path) -> None:
    assert max(map(len, run(app, "list", "--home", tmp_path).output.splitlines())) <= 80
    rows = json.loads(run(app, "list", "--home", tmp_path, "--json").output)
    assert len(rows) == 30
    assert sum(row["runnable"] for row in rows) == 11


def test_show_fits_eighty_columns_and_names_the_nearest(tmp_path: Path) -> None:
    shown = run(app, "show", "portal_reply", "--home", tmp_path).output
    assert max(map(len, shown.splitlines())) <= 80
    with pytest.raises(NotFound, match="portal_reply"):
        run(app, "show", "portal_repli", "--home", tmp_path)


def test_try_refuses_what_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is an idea"):
        run(app, "try", "result_letter", "--patient", "x", "--home", tmp_path)
    with pytest.raises(InputError, match="add --patient"):
        run(app, "try", "previsit_summary", "--home", tmp_path)
    with pytest.raises(NotFound, match="careplane load"):
        run(app, "try", "previsit_summary", "--patient", "x", "--home", tmp_path)


def test_stop_of_an_app_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    for scope, target in (("app", "portal_repli"), ("version", "portal_repli@1.0.0")):
        with pytest.raises(NotFound, match=r"Nothing was stopped\..*portal_reply"):
            run(stop, scope, target, "--reason", "wrong doses", "--by", "p1", "--home", tmp_path)
    assert "Nothing is stopped" in run(stop, "--list", "--home", tmp_path).output


def test_stop_list_and_release(tmp_path: Path) -> None:
    run(stop, "app", "portal_reply", "--reason", "wrong doses", "--by", "p1", "--home", tmp_path)
    (held,) = json.loads(run(stop, "--list", "--json", "--home", tmp_path).output)
    assert (held["target"], held["reason"]) == ("portal_reply", "wrong doses")
    with pytest.raises(Refused):
        run(stop, "app", "portal_reply", "--release", "--by", "p1", "--home", tmp_path)
    run(stop, "app", "portal_reply", "--release", "--by", "p2", "--home", tmp_path)
    assert "Nothing is stopped" in run(stop, "--list", "--home", tmp_path).output


def test_an_app_goes_from_folder_to_intake(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    again = run(app, "register", "portal_reply", "--by", "Engineer", "--home", home)
    assert "stage idea" in again.output
    moved = run(app, "move", "portal_reply", "intake", "--by", "Owner", "--why", "Asked for", "--home", home)
    assert "from idea to intake" in moved.output


def test_try_takes_no_other_type_for_a_patient(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Observation/o: must be the id of a Patient"):
        run(app, "try", "previsit_summary", "--patient", "Observation/o", "--home", tmp_path)


@pytest.fixture
def loaded(tmp_path: Path) -> Path:
    """A home with one patient."""
    patient = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-01-01"}
    (tmp_path / "a.ndjson").write_text(json.dumps(patient) + "\n")
    load_path(tmp_path / "a.ndjson", tmp_path / "home")
    return tmp_path / "home"


def test_try_fits_eighty_columns_and_says_what_it_could_not_read(loaded: Path) -> None:
    tried = run(app, "try", "discharge_summary", "--patient", "p1", "--home", loaded)
    assert "[1] Patient: female, born 1970-01-01" in tried.stdout
    assert "Not read, as --encounter was not given: Encounter," in tried.stderr
    assert max(map(len, tried.stdout.splitlines())) <= 80


def test_try_on_a_unit_that_is_not_there(loaded: Path) -> None:
    with pytest.raises(NotFound, match="There is no Location/nowhere"):
        run(app, "try", "bed_huddle", "--unit", "nowhere", "--home", loaded)
