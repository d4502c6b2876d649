"""What tokens cost: a dated data file, a site's own file over it, and the cost of one call.

``prices.toml`` lists USD per million tokens by provider kind and model. A site's file has the same shape and wins. A
dated release (``gpt-4o-2024-08-06``, ``us.anthropic.claude-haiku-4-5-20251001-v1:0``) has the price of its family; any
other suffix names another model (``gpt-5-pro``). A model that is not listed has no price: its tokens are metered, its
cost is not measured.
"""

import re
import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from careplane.errors import DataError
from careplane.records import JSON, Record
from careplane.records.model import Price

FILE = Path(__file__).with_name("prices.toml")
_RELEASE = re.compile(r"(?:[-@]20\d{2}-?\d{2}-?\d{2}|-latest|-v\d+|:\d+k?)+")
"""What may follow a listed name in the name of a release."""
_GEOGRAPHY = re.compile(r"(?:us|us-gov|eu|apac|jp|au|ca|global)\.")
"""What precedes a model's name in a Bedrock inference profile."""

Usd = Annotated[float, Meta(ge=0, le=100_000)]


class _Row(Record, frozen=True):
    provider: str
    model: Annotated[str, Meta(min_length=1)]
    input: Usd
    output: Usd = 0.0
    cached_input: Usd | None = None
    source: str = ""
    as_of: date | None = None
    verified: bool = False


class _File(Record, frozen=True):
    as_of: date
    currency: str = "USD"
    source: dict[str, str] = msgspec.field(default_factory=dict)
    price: tuple[_Row, ...] = ()


class Prices:
    """Prices by provider kind and model; later files win over earlier ones."""

    def __init__(self, files: Iterable[Path] = (FILE,)) -> None:
        self._prices: dict[tuple[str, str], Price] = {}
        self._unverified: set[tuple[str, str]] = set()
        for path in files:
            self._add(_read(path))

    def _add(self, file: _File) -> None:
        for row in file.price:
            name = (row.provider, row.model)
            self._prices[name] = Price(
                input=row.input,
                output=row.output,
                cached_input=row.cached_input,
                as_of=(row.as_of or file.as_of).isoformat(),
                source=row.source or file.source.get(row.provider, ""),
            )
            self._unverified.discard(name)
            if not row.verified:
                self._unverified.add(name)

    def find(self, provider: str, model: str) -> Price | None:
        """The price of a model at a kind of provider (``openai``, ``azure_openai``, ``anthropic``, ``gemini``,
        ``bedrock``), or ``None`` when it is not known."""
        name = self._name(provider, model)
        return None if name is None else self._prices[name]

    def verified(self, provider: str, model: str) -> bool:
        """Whether the price was read on the vendor's own page, and not from a second-hand list."""
        name = self._name(provider, model)
        return name is not None and name not in self._unverified

    def _name(self, provider: str, model: str) -> tuple[str, str] | None:
        if provider == "bedrock":
            model = _GEOGRAPHY.sub("", model, count=1)
        for end in range(len(model), 0, -1):
            whole = end == len(model) or _RELEASE.fullmatch(model, end)
            if whole and (provider, model[:end]) in self._prices:
                return provider, model[:end]
        return None


@cache
def shipped() -> Prices:
    """The prices that ship with this version."""
    return Prices()


def with_site(path: Path | None) -> Prices:
    """The shipped prices, and those of a site's own file over them.

    Raises:
        DataError: the file cannot be read or does not have the shape of ``prices.toml``.
    """
    return shipped() if path is None else Prices((FILE, path))


def cost(price: Price, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
    """USD. ``cached_tokens`` are a part of the input; without a price of their own they cost what input costs."""
    cached = min(cached_tokens, input_tokens)
    cached_price = price.input if price.cached_input is None else price.cached_input
    return ((input_tokens - cached) * price.input + cached * cached_price + output_tokens * price.output) / 1e6


CHARACTERS_PER_TOKEN_AT_MOST = 3.0
TOKENS_PER_IMAGE_AT_MOST = 2_000


def most_tokens(body: JSON) -> int:
    """Input tokens that a canonical body will hardly exceed: for reservations, never for bills.

    English prose has about four characters per token, tables of numbers and other languages fewer; three is assumed,
    over every character of messages, tools and schemas, and 2,000 for an image.
    """
    characters, images = 0, 0
    for name in ("messages", "tools", "response_format", "input"):
        if (part := body.get(name)) is not None:
            more, pictures = _size(part)
            characters, images = characters + more, images + pictures
    return int(characters / CHARACTERS_PER_TOKEN_AT_MOST) + images * TOKENS_PER_IMAGE_AT_MOST + 16


def most_tokens_of(size: int) -> int:
    """The same from the size of the request in bytes alone, which is quicker and never less."""
    return int(size / CHARACTERS_PER_TOKEN_AT_MOST) + 16


def worst_cost(price: Price, body: JSON, max_tokens: int) -> float:
    """The most, in USD, that a call is expected to cost: what is reserved from a budget before it."""
    return cost(price, most_tokens(body), max_tokens)


def _size(part: object) -> tuple[int, int]:
    """Characters and images of a part of a body."""
    if isinstance(part, str):
        return len(part), 0
    if isinstance(part, dict):
        if part.get("type") in ("image_url", "input_image", "image"):
            return 0, 1
        sizes = [_size(value) for value in part.values()]
        keys = sum(len(key) + 3 for key in part)
        return keys + sum(size for size, _ in sizes), sum(images for _, images in sizes)
    if isinstance(part, list | tuple):
        sizes = [_size(value) for value in part]
        return sum(size for size, _ in sizes), sum(images for _, images in sizes)
    return 8, 0


def _read(path: Path) -> _File:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"is not valid TOML: {error}", file=path) from error
    except msgspec.ValidationError as error:
        raise DataError(f"does not have the shape of a price file: {error}", file=path) from error
