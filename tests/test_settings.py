"""Settings: precedence, helpful errors, secrets that stay secret."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane.cli.settings import command
from careplane.errors import SettingsError
from careplane.settings import ROWS, default_settings, read_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file with a few values."""
    path = tmp_path / "careplane.toml"
    path.write_text('port = 9000\nsite_name = "From the file"\nsession_hours = 8\n', encoding="utf-8")
    return path


def test_defaults_are_complete() -> None:
    settings = read_settings({})
    assert all(settings.origin(row.name) == "default" for row in ROWS)
    assert settings.text("host") == "127.0.0.1"
    assert settings.database_url == "sqlite:///.careplane/careplane.db"


def test_environment_wins_over_file_and_options_over_both(file: Path) -> None:
    settings = read_settings({"CAREPLANE_PORT": "9100"}, file, site_name="From the option")
    assert (settings.number("port"), settings.origin("port")) == (9100, "environment")
    assert settings.text("site_name") == "From the option"
    assert (settings.number("session_hours"), settings.origin("session_hours")) == (8.0, "file")


def test_config_variable_names_the_file(file: Path) -> None:
    assert read_settings({"CAREPLANE_CONFIG": str(file)}).number("port") == 9000


def test_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read_settings({"CAREPLANE_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("source", ["file", "environment", "option"])
def test_unknown_key_names_the_nearest(source: str, tmp_path: Path) -> None:
    path = tmp_path / "careplane.toml"
    path.write_text("prot = 1\n" if source == "file" else "", encoding="utf-8")
    environment = {"CAREPLANE_PROT": "1"} if source == "environment" else {}
    options: dict[str, int] = {"prot": 1} if source == "option" else {}
    with pytest.raises(SettingsError, match="nearest is 'port'"):
        read_settings(environment, path, **options)


@pytest.mark.parametrize(("line", "expected"), [('port = "many"', "whole number"), ("port = true", "whole number")])
def test_wrong_type_says_where_and_what(line: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "careplane.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"careplane\.toml: port: .*{expected}"):
        read_settings({}, path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("port = 70000", "must be 65535 or less"),
        ("port = -1", "must be 0 or more"),
        ("port = 8470.7", "whole number"),
        ("small_cell = 0", "must be 1 or more"),
        ("session_hours = inf", "not a number"),
        ("model_timeout_seconds = nan", "not a number"),
        ("log_level = 'loud'", "one of debug, info"),
        ("home = ''", "must not be empty"),
        ("host = ' '", "must not be empty"),
        ('site_name = "a\\u0000b"', "not plain text"),
    ],
)
def test_value_out_of_its_range_is_an_error(line: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "careplane.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(SettingsError, match=expected):
        read_settings({}, path)


def test_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_settings({"CAREPLANE_CONFIG": str(tmp_path)})


def test_password_of_a_url_is_not_shown() -> None:
    settings = read_settings({"CAREPLANE_DATABASE_URL": "postgresql://kim:open:s@same@db/careplane"})
    assert settings.shown("database_url") == "postgresql://kim:***@db/careplane"


def test_secret_file_gives_its_first_line(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text("s3cret\nsecond\n", encoding="utf-8")
    settings = read_settings({"CAREPLANE_OPENAI_API_KEY_FILE": str(key)})
    assert settings.secret("openai_api_key") == "s3cret"
    key.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        settings.secret("openai_api_key")


def test_broken_toml_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "careplane.toml"
    path.write_text("port = = 1", encoding="utf-8")
    with pytest.raises(SettingsError, match="not valid TOML"):
        read_settings({}, path)


def test_secret_file_must_be_private(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret\n", encoding="utf-8")
    key.chmod(0o640)
    settings = read_settings({"CAREPLANE_OPENAI_API_KEY_FILE": str(key)})
    with pytest.raises(SettingsError, match="chmod 600"):
        settings.secret("openai_api_key")
    key.chmod(0o600)
    assert settings.secret("openai_api_key") == "s3cret"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_command_never_prints_a_secret(flags: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAREPLANE_OPENAI_API_KEY", "s3cret")
    shown = CliRunner().invoke(command, flags)
    assert shown.exit_code == 0
    assert "s3cret" not in shown.output
    assert "(set)" in shown.output


def test_command_shows_every_setting_in_80_columns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    text = CliRunner().invoke(command).output
    assert max(map(len, text.splitlines())) <= 80
    listed = json.loads(CliRunner().invoke(command, ["--json"]).output)
    assert [row["name"] for row in listed] == [row.name for row in ROWS]
    assert all(row.name in text for row in ROWS)


@pytest.mark.parametrize(("name", "value"), [("host", ""), ("port", 70000), ("home", "a\nb")])
def test_options_are_checked_like_any_other_value(name: str, value: str | int) -> None:
    with pytest.raises(SettingsError, match=f"option: {name}: "):
        read_settings({}).replace(**{name: value})


def test_defaults_heed_neither_file_nor_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("CAREPLANE_DATABASE_URL", "postgresql://real/database")
    settings = default_settings(home="demo")
    assert (settings.database_url, settings.number("port")) == ("sqlite:///demo/careplane.db", 8470)
