"""``careplane cds trust``: add, list and remove, and what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli import careplane, main

ADD = ["cds", "trust", "add", "https://ehr.example.org", "--jku", "https://ehr.example.org/jwks"]


def run(home: Path, *args: str) -> str:
    shown = CliRunner().invoke(careplane, [*args, "--home", str(home)])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_an_ehr_is_added_listed_and_removed(home: Path) -> None:
    assert "No EHR is trusted" in run(home, "cds", "trust", "list")
    told = run(home, *ADD, "--fhir", "https://ehr.example.org/fhir/", "--tenant", "north", "--own-reads", "--by", "lee")
    assert "/cds-services" in told
    (held,) = json.loads(run(home, "cds", "trust", "list", "--json"))
    assert (held["fhir"], held["tenant"], held["own_reads"]) == ("https://ehr.example.org/fhir", "north", True)
    shown = run(home, "cds", "trust", "list")
    assert "by lee" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert json.loads(run(home, "cds", "trust", "remove", held["issuer"], "--json")) == {"removed": held["issuer"]}
    assert json.loads(run(home, "cds", "trust", "list", "--json")) == []


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ([*ADD[:4], "--jku", "http://ehr.example.org/jwks"], "https://"),
        ([*ADD, "--fhir", "ehr"], "fhir"),
        ([*ADD, "--origin", "ehr"], "origin"),
        (["cds", "trust", "remove", "https://other.example.org"], "Trusted: none"),
        (["cds", "trust", "add", "not an issuer", "--jku", "https://ehr.example.org/jwks"], "issuer"),
    ],
)
def test_what_cannot_be_trusted_ends_with_2_and_the_field(
    home: Path, capsys: pytest.CaptureFixture[str], args: list[str], why: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*args, "--home", str(home)])
    assert ended.value.code == 2
    assert why in capsys.readouterr().err
