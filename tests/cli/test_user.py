"""``careplane user``: accounts are made without a password and opened by a one-time link."""

import json
from pathlib import Path

import pytest

from careplane.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["user", *arguments])
    return int(ended.value.code or 0)


def test_add_list_grant_link_and_disable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--home", str(tmp_path / "home"))
    assert run("add", "kim", "--role", "clinician", "--person", "Practitioner/p001", *home) == 0
    first = capsys.readouterr().out.strip()
    assert "/sign-in/" in first
    assert run("link", "kim", *home) == 0
    assert capsys.readouterr().out.strip() != first
    assert run("grant", "kim", "--role", "committee", *home) == 0
    assert run("disable", "kim", *home) == 0
    capsys.readouterr()
    assert run("list", "--json", *home) == 0
    (account,) = json.loads(capsys.readouterr().out)
    assert account["roles"] == ["clinician", "committee"]
    assert account["disabled"]
    assert not account["password"]
    assert run("link", "kim", *home) == 2
    assert "disabled" in capsys.readouterr().err


def test_the_same_name_twice_and_an_unknown_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--home", str(tmp_path / "home"))
    assert run("add", "kim", "--role", "admin", *home) == 0
    assert run("add", "kim", "--role", "admin", *home) == 1
    assert run("link", "nobody", *home) == 2
    assert "no account" in capsys.readouterr().err
