"""The public surface: exported names, command-line help, the settings page, what an import costs."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from careplane.cli import COMMANDS, careplane

REPOSITORY = Path(__file__).resolve().parents[1]

EXPORTED = {
    "careplane.ledger": [
        *("CheckedFacts", "FreeText", "Head", "Ledger", "LedgerRecord", "Prepared", "Query"),
        *("open_ledger", "prepare", "torn_files", "trusted", "verify"),
    ],
    "careplane.store": ["Store", "count", "fetch", "find", "insert_new", "open_store", "save", "stamp"],
}
HEAVY = ["starlette", "uvicorn", "sqlalchemy", "duckdb", "ibis", "pyarrow", "numpy", "scipy", "altair", "dbos", "httpx"]


def _paths(name: str) -> Iterator[tuple[str, ...]]:
    """The command and its sub-commands."""
    yield (name,)
    command = importlib.import_module(f"careplane.cli.{name}").command
    if isinstance(command, click.Group):
        yield from ((name, inner) for inner in sorted(command.commands))


@pytest.mark.parametrize("module", EXPORTED)
def test_exported_names_are_the_promised_ones(module: str) -> None:
    loaded = importlib.import_module(module)
    assert sorted(loaded.__all__) == sorted(EXPORTED[module])
    assert all(hasattr(loaded, name) for name in loaded.__all__)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_every_command_has_an_example_and_fits_80_columns(name: str) -> None:
    for path in _paths(name):
        shown = CliRunner().invoke(careplane, [*path, "--help"], prog_name="careplane", terminal_width=80)
        assert shown.exit_code == 0, path
        assert f"careplane {' '.join(path)}" in shown.output.partition("Example:")[2], path
        assert max(map(len, shown.output.splitlines())) <= 80, path


def test_first_page_of_help_lists_every_command() -> None:
    output = CliRunner().invoke(careplane, ["--help"]).output
    assert all(f"  {name} " in output for name in COMMANDS)


def test_unknown_command_names_the_nearest() -> None:
    shown = CliRunner().invoke(careplane, ["ledgr"])
    assert shown.exit_code == 2
    assert "Did you mean ledger" in shown.output


def test_settings_page_is_current() -> None:
    subprocess.run([sys.executable, REPOSITORY / "scripts/settings-reference", "--check"], check=True)


def test_the_page_of_estimators_is_current() -> None:
    subprocess.run([sys.executable, REPOSITORY / "scripts/estimators-reference", "--check"], check=True)


@pytest.mark.parametrize("statement", ["import careplane", "import careplane.cli", "import careplane.ledger"])
def test_import_is_cheap(statement: str) -> None:
    code = f"import sys; {statement}; print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_help_is_cheap() -> None:
    code = (
        "import sys; from careplane.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print('LOADED', *sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
