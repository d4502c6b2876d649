"""The only reader of ``careplane.toml`` and of the environment.

Each setting is one row: name, default, help. A value comes from the environment (``CAREPLANE_<NAME>``), else from
``careplane.toml`` in the working directory (or the file that ``CAREPLANE_CONFIG`` names), else from the default.
An unknown key is an error that names the nearest one.
"""

import difflib
import math
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from careplane.errors import SettingsError

Origin = Literal["default", "file", "environment"]
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. The type of ``default`` is the type of the setting; ``secret`` values are never printed.

    A number lies from ``least`` to ``most``, a text with ``choices`` is one of them, a ``needed`` text is not empty.
    """

    name: str
    default: Value
    help: str
    secret: bool = False
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    needed: bool = False


ROWS: tuple[Row, ...] = (
    Row("home", ".careplane", "Folder that holds the data of this installation.", needed=True),
    Row("database_url", "", "SQLAlchemy URL of the operational store; empty means SQLite in the home folder."),
    Row("apps_path", "apps", "Folder of this site's own apps, beside those that ship; missing is fine."),
    Row("host", "127.0.0.1", "Address the server binds to; loopback unless you say otherwise.", needed=True),
    Row("port", 8470, "Port of the server; 0 takes a free one.", least=0, most=65535),
    Row(
        "public_url",
        "",
        "URL by which other systems reach this server, such as https://careplane.example.org; empty: as it listens.",
    ),
    Row(
        "cds_budget_ms",
        400,
        "Time that the apps of one CDS Hooks call have together; what is late comes as a link.",
        least=50,
        most=10_000,
    ),
    Row("site_name", "This health system", "Name shown on the pages and in the board pack."),
    Row("timezone", "UTC", "Time zone of this site (IANA name): times are written, and business hours counted, in it."),
    Row("model", "scripted", "Provider behind the route 'default': scripted, local or openai_compatible."),
    Row("openai_base_url", "", "Base URL of an OpenAI-compatible endpoint, ending in /v1."),
    Row("openai_model", "", "Model name sent to the OpenAI-compatible endpoint."),
    Row("openai_region", "external", "Where that endpoint runs; 'local' only if it is inside this installation."),
    Row(
        "openai_baa",
        False,
        "Whether the vendor of that endpoint has signed a business associate agreement (45 CFR 164.504(e)).",
    ),
    Row(
        "gateway_file",
        "",
        "File with the gateway's providers, routes and limits (TOML); it replaces 'model' and 'openai_*'.",
    ),
    Row("metrics_token", "", "Token that /metrics asks for; empty: nobody may read it.", secret=True),
    Row("metrics_token_file", "", "File with that token (mode 600)."),
    Row("openai_api_key", "", "Key of the OpenAI-compatible endpoint.", secret=True),
    Row("openai_api_key_file", "", "File with that key; must not be readable by others (mode 600)."),
    Row("model_timeout_seconds", 120.0, "Total time a model may take for one reply.", least=1, most=3600),
    Row("fhir_base_url", "", "Base URL of the EHR's FHIR R4 endpoint; empty means the loaded data."),
    Row("fhir_token_file", "", "File with the bearer token of that endpoint (mode 600)."),
    Row("fhir_client_id", "", "Our client id at the EHR, for SMART backend services in place of a token."),
    Row("fhir_key_file", "", "File with that client's private key, PEM or JWK (mode 600); empty means our own."),
    Row("fhir_scopes", "", "Scopes of that client; empty means what the apps declare, and more is refused."),
    Row("fhir_token_url", "", "Token endpoint of the EHR; empty means that its .well-known configuration says."),
    Row(
        "subscription_topics",
        "",
        "Topics of the EHR as Type=URL, separated by blanks: their types are subscribed by the R5 backport.",
    ),
    Row("fhir_timeout_seconds", 30.0, "Total time that one answer of the EHR may take.", least=0.1, most=600),
    Row("fhir_max_file_gb", 20.0, "The largest file that is taken of a bulk export, in GB.", least=0.001, most=10_000),
    Row("mllp_port", 0, "Port for HL7 v2 over MLLP; 0: this installation does not listen.", least=0, most=65535),
    Row("mllp_host", "127.0.0.1", "Address of that port; loopback unless you say otherwise.", needed=True),
    Row("mllp_tls_cert_file", "", "Certificate (PEM) of that port; empty: no TLS."),
    Row("mllp_tls_key_file", "", "File with the key of that certificate (mode 600)."),
    Row("mllp_tls_client_ca_file", "", "Authority (PEM) whose certificates senders must show; empty: they need none."),
    Row("mllp_charset", "UNICODE UTF-8", "What a message means whose MSH-18 is empty (HL7 table 0211).", needed=True),
    Row(
        "mllp_systems", "", "FHIR systems of assigning authorities: MRN=https://hospital.example/mrn, VISIT=urn:oid:1.2"
    ),
    Row("mllp_connections", 64, "How many senders may be connected at a time.", least=1, most=10_000),
    Row("mllp_max_mb", 16.0, "The longest message that is taken, in MiB.", least=0.01, most=16),
    Row("mllp_block_seconds", 30.0, "Time for a whole message once it has begun.", least=0.1, most=3600),
    Row(
        "hl7v2_staff_authority",
        "",
        "Assigning authority (name or URI) whose numbers in PV1-7 are ids of the staff list; empty: nobody's are.",
    ),
    Row(
        "hl7v2_keep_days",
        90.0,
        "How long messages that are done, and what was made of them, are kept.",
        least=1,
        most=3650,
    ),
    Row(
        "check_patient", "", "A test patient of the EHR (Patient/ID) that integration checks may read and write about."
    ),
    Row("check_hour", 2, "Hour at which running apps are checked each night; -1: never.", least=-1, most=23),
    Row(
        "small_cell",
        11,
        "Groups smaller than this are withheld on screens and in reports (default of the design).",
        least=1,
        most=1000,
    ),
    Row(
        "messages_file", "", "File with the channels and policy of messages to patients (TOML); empty: portal, letters."
    ),
    Row("erp_path", "", "Folder into which the ERP drops files (CSV, X12); empty: none is read."),
    Row(
        "measures_engine",
        "duckdb",
        "Where measures run: duckdb (in this process), spark or postgres.",
        choices=("duckdb", "spark", "postgres"),
    ),
    Row("measures_at", "02:30", "When all measures run each night (HH:MM in the time zone of the site); empty: never."),
    Row("spark_master", "local[*]", "Master of the Spark on which measures run: local[N], or the URL of a cluster."),
    Row("measures_database_url", "", "URL of the PostgreSQL on which measures run.", secret=True),
    Row("measures_database_url_file", "", "File with that URL (mode 600)."),
    Row("session_hours", 12.0, "How long a console sign-in lasts.", least=0.1, most=720),
    Row(
        "log_level",
        "warning",
        "Level of the log on standard error: debug, info, warning or error.",
        choices=("debug", "info", "warning", "error"),
    ),
)

_BY_NAME = {row.name: row for row in ROWS}
_URL_PASSWORD = re.compile(r"(://[^:/?#]*:)[^/?#]*@")
_PREFIX = "CAREPLANE_"
_OWN = {"CAREPLANE_CONFIG"}


class Settings:
    """The settings in force: values by name, with where each came from."""

    def __init__(self, values: Mapping[str, Value], origins: Mapping[str, Origin]) -> None:
        self._values = dict(values)
        self._origins = dict(origins)

    def text(self, name: str) -> str:
        """The value of a text setting."""
        return str(self._values[name])

    def number(self, name: str) -> float:
        """The value of a numeric setting."""
        return float(self._values[name])

    def origin(self, name: str) -> Origin:
        """Where the value came from."""
        return self._origins[name]

    def shown(self, name: str) -> str:
        """The value as it may be printed: secrets are masked, and so is the password of a URL."""
        value = self._values[name]
        if _BY_NAME[name].secret:
            return "(set)" if value else ""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return _URL_PASSWORD.sub(r"\1***@", text)

    @property
    def home(self) -> Path:
        """The home folder."""
        return Path(self.text("home"))

    @property
    def database_url(self) -> str:
        """The URL of the operational store."""
        return self.text("database_url") or f"sqlite:///{self.home / 'careplane.db'}"

    def secret(self, name: str) -> str:
        """A secret: the value itself, or the content of the file named by ``<name>_file``.

        Raises:
            SettingsError: the file is missing, or others may read it.
        """
        value = str(self._values.get(name, ""))
        if value:
            return value
        path = str(self._values.get(f"{name}_file", ""))
        return read_secret_file(Path(path), f"{name}_file") if path else ""

    def replace(self, **changes: Value) -> "Settings":
        """The same settings with some values given by the caller (command-line options)."""
        checked = {name: _coerce(_row(name, "option"), value, "option") for name, value in changes.items()}
        origins: dict[str, Origin] = {**self._origins, **dict.fromkeys(changes, "environment")}
        return Settings({**self._values, **checked}, origins)


def read_secret_file(path: Path, field: str) -> str:
    """The first line of a file that only its owner may read."""
    return read_private_file(path, field).strip().partition("\n")[0].strip()


def read_private_file(path: Path, field: str) -> str:
    """The text of a file that only its owner may read, such as a private key.

    Raises:
        SettingsError: it cannot be read, others may read it, or it is no text.
    """
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            raise SettingsError(f"others can read this file; run: chmod 600 {path}", file=path, field=field)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=path, field=field) from error
    except UnicodeDecodeError as error:
        raise SettingsError("is not UTF-8 text", file=path, field=field) from error


def secret_of(env: str, file: str, field: str) -> str:
    """A secret that another file names: the value of an environment variable, or the first line of a private file.

    Raises:
        SettingsError: the variable is not set, or the file is missing or others may read it.
    """
    if env:
        value = os.environ.get(env, "")
        if not value:
            raise SettingsError(f"the environment variable {env} is not set", field=field)
        return value
    return read_secret_file(Path(file), field) if file else ""


def read_settings(
    environment: Mapping[str, str] | None = None, file: Path | None = None, **overrides: Value
) -> Settings:
    """Read the settings.

    Args:
        environment: defaults to the process environment.
        file: defaults to ``CAREPLANE_CONFIG``, else ``careplane.toml`` in the working directory when it exists.
        overrides: values of command-line options, which win over everything.

    Raises:
        SettingsError: an unknown key, a value of the wrong type or out of its range, or a file that cannot be read as
            TOML; says where.
    """
    environment = os.environ if environment is None else environment
    named = environment.get("CAREPLANE_CONFIG")
    path = file or (Path(named) if named else Path("careplane.toml"))
    values: dict[str, Value] = {row.name: row.default for row in ROWS}
    origins: dict[str, Origin] = dict.fromkeys(values, "default")
    for name, value in _from_file(path, required=file is not None or named is not None).items():
        row = _row(name, str(path))
        values[row.name] = _coerce(row, value, str(path))
        origins[row.name] = "file"
    for key, text in environment.items():
        if not key.startswith(_PREFIX) or key in _OWN:
            continue
        row = _row(key.removeprefix(_PREFIX).lower(), "environment", key)
        values[row.name] = _coerce(row, text, f"environment: {key}")
        origins[row.name] = "environment"
    settings = Settings(values, origins)
    return settings.replace(**overrides) if overrides else settings


def default_settings(**overrides: Value) -> Settings:
    """The defaults and the given values, whatever file and environment say: a demo must not reach a real database."""
    values: dict[str, Value] = {row.name: row.default for row in ROWS}
    return Settings(values, dict.fromkeys(values, "default")).replace(**overrides)


def _from_file(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.exists():
        if required:
            raise SettingsError("there is no such file", file=path)
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not valid TOML: {error}", file=path) from error


def _row(name: str, file: str, shown: str | None = None) -> Row:
    row = _BY_NAME.get(name)
    if row is None:
        near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.4)
        hint = f"the nearest is {near[0]!r}" if near else "run: careplane settings"
        raise SettingsError(f"unknown setting; {hint}", file=file, field=shown or name)
    return row


def _coerce(row: Row, value: object, file: str) -> Value:
    kind = type(row.default)
    try:
        if kind is bool:
            return _boolean(value)
        if kind in (int, float) and isinstance(value, (str, int, kind)) and not isinstance(value, bool):
            return _in_range(row, kind(value), file)
        if kind is str and isinstance(value, str) and value.isprintable():
            return _allowed(row, value, file)
    except ValueError:
        pass
    expected = {bool: "true or false", int: "a whole number", float: "a number", str: "plain text"}[kind]
    shown = "a value" if row.secret else repr(value)
    raise SettingsError(f"{shown} is not {expected}", file=file, field=row.name)


def _in_range(row: Row, value: float, file: str) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    if row.least is not None and value < row.least:
        raise SettingsError(f"must be {row.least:g} or more, not {value}", file=file, field=row.name)
    if row.most is not None and value > row.most:
        raise SettingsError(f"must be {row.most:g} or less, not {value}", file=file, field=row.name)
    return value


def _allowed(row: Row, value: str, file: str) -> str:
    if row.needed and not value.strip():
        raise SettingsError("must not be empty", file=file, field=row.name)
    if row.choices and value not in row.choices:
        raise SettingsError(f"must be one of {', '.join(row.choices)}, not {value!r}", file=file, field=row.name)
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("1", "true", "yes", "on"):
        return True
    if isinstance(value, str) and value.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(value)
