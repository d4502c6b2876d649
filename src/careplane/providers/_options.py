"""The settings of a provider, read with errors that name the field and the way out."""

import difflib
import math
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from careplane.codecs.openai_upstream import Quirks
from careplane.errors import SettingsError
from careplane.providers import Price
from careplane.providers._upstream import Timeouts
from careplane.settings import read_secret_file

_ELSEWHERE = {"kind", "region", "baa", "openai_region"}
"""Keys that routing reads; a provider may be given them and need not know them."""

QUIRKS = {"max_tokens_field", "stream", "stream_options", "temperature"}
_COMMON = {
    "connect_timeout",
    "first_token_timeout",
    "timeout",
    "ca_file",
    "usd_per_million_input",
    "usd_per_million_cached_input",
    "usd_per_million_output",
}


class Options:
    """What one provider was given. ``known`` are the settings it has beside those that all remote ones have.

    Raises:
        SettingsError: a setting that nobody knows; the message names the nearest.
    """

    def __init__(self, given: Mapping[str, str], known: set[str]) -> None:
        self._given = {name: value.strip() for name, value in given.items() if value.strip()}
        for name in self._given.keys() - known - _COMMON - _ELSEWHERE:
            near = difflib.get_close_matches(name, known | _COMMON, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SettingsError(f"is not a setting of this provider{hint}", field=name)

    def text(self, name: str, default: str = "") -> str:
        """A text; it must fit on one line, since it may travel in a header."""
        value = self._given.get(name, default)
        if not value.isprintable():
            raise SettingsError("must be plain text on one line", field=name)
        return value

    def needed(self, name: str, why: str) -> str:
        """A text that must be given."""
        value = self.text(name)
        if not value:
            raise SettingsError(f"is missing: {why}", field=name)
        return value

    def chosen(self, name: str, choices: tuple[str, ...]) -> str:
        """One of some words; the first is the default."""
        value = self.text(name, choices[0])
        if value not in choices:
            raise SettingsError(f"must be one of {', '.join(choices)}, not {value!r}", field=name)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """true or false."""
        return self.chosen(name, ("true", "false") if default else ("false", "true")) == "true"

    def number(self, name: str, default: float) -> float:
        """A finite number, 0 or more."""
        given = self.text(name, str(default))
        try:
            value = float(given)
        except ValueError as error:
            raise SettingsError(f"{given!r} is not a number", field=name) from error
        if not math.isfinite(value) or value < 0:
            raise SettingsError(f"must be 0 or more, not {given}", field=name)
        return value

    def url(self, name: str, default: str = "") -> str:
        """The http(s) URL of a service, without user, password and a slash at its end."""
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise SettingsError("must be an http(s) URL without user and password", field=name)
        if parts.query or parts.fragment or not value.isascii() or " " in value:
            raise SettingsError("must be percent-encoded, without a query", field=name)
        return value

    def secret(self, name: str) -> str:
        """The value itself, or the first line of the file that ``<name>_file`` names (mode 600)."""
        value = self.text(name)
        path = self.text(f"{name}_file")
        if value and path:
            raise SettingsError(f"is given twice: as {name} and as {name}_file", field=name)
        value = read_secret_file(Path(path), f"{name}_file") if path else value
        if not value.isascii() or not value.isprintable():
            raise SettingsError("must be plain ASCII text", field=name)
        return value

    @property
    def quirks(self) -> Quirks:
        """What an endpoint with OpenAI's API wants differently from it (:data:`QUIRKS`)."""
        return Quirks(
            max_tokens_field=self.chosen("max_tokens_field", ("max_tokens", "max_completion_tokens")),
            stream=self.flag("stream", default=True),
            stream_options=self.flag("stream_options", default=True),
            temperature=self.flag("temperature", default=True),
        )

    def file(self, name: str) -> str:
        """The path of a file that must exist."""
        path = self.text(name)
        if path and not Path(path).is_file():
            raise SettingsError(f"there is no file {path}", field=name)
        return path

    @property
    def ca_file(self) -> str:
        """Certificates to trust in place of the system's, as a PEM file."""
        path = self.file("ca_file")
        if not path:
            return ""
        try:
            ssl.create_default_context(cafile=path)
        except (ssl.SSLError, OSError) as error:
            raise SettingsError(f"{path} holds no certificates that can be read (PEM)", field="ca_file") from error
        return path

    @property
    def timeouts(self) -> Timeouts:
        """``timeout`` is the total; the others are never longer."""
        total = self.number("timeout", 120.0)
        return Timeouts(
            connect=min(self.number("connect_timeout", 10.0), total),
            first_byte=min(self.number("first_token_timeout", 60.0), total),
            total=total,
        )

    @property
    def price(self) -> Price | None:
        """The price that the settings give, which overrides the price file."""
        if not {"usd_per_million_input", "usd_per_million_output"} & self._given.keys():
            return None
        cached = "usd_per_million_cached_input"
        return Price(
            input=self.number("usd_per_million_input", 0.0),
            output=self.number("usd_per_million_output", 0.0),
            cached_input=self.number(cached, 0.0) if cached in self._given else None,
            source="settings",
        )
