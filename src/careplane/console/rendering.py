"""Templates and the words of numbers: every value says its unit, its interval, or that it was not measured."""

import re
from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from careplane import __version__
from careplane.console.navigation import RAIL

_HUMP = re.compile(r"(?<!^)[A-Z]")
_HYPHEN = re.compile(r"(?<![\w)-])-(?=\d)")
NOT_MEASURED = Markup('<span class="unknown">not measured</span>')


def render(template: str, **values: Any) -> str:
    """The HTML of a page."""
    return environment().get_template(template).render(**values)


@cache
def environment() -> Environment:
    """The templates, with autoescape and with an error for a name that is not there."""
    made = Environment(
        loader=PackageLoader("careplane.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "count": count,
        "usd": usd,
        "percent": percent,
        "day": day,
        "moment": moment,
        "words": words,
        "markdown": markdown,
        "interval": interval,
        "minus": minus,
        "kind": kind,
        "without": without,
        "short": short,
    }
    made.globals |= {"rail": RAIL, "version": __version__, "not_measured": NOT_MEASURED}
    return made


def number(value: float | None, digits: int = 1) -> str | Markup:
    """A number with a true minus sign, or "not measured"."""
    if value is None:
        return NOT_MEASURED
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def count(value: int | None) -> str | Markup:
    """A whole number with separators, or "not measured"."""
    return NOT_MEASURED if value is None else f"{value:,}"


def interval(low: float | None, high: float | None, digits: int = 2) -> str | Markup:
    """``low to high``, or "not measured"."""
    if low is None or high is None:
        return NOT_MEASURED
    return f"{number(low, digits)} to {number(high, digits)}"


def minus(text: str) -> str:
    """A sentence with the hyphens in front of its numbers as true minus signs."""
    return _HYPHEN.sub("\N{MINUS SIGN}", text)


def usd(value: float | None) -> str | Markup:
    """Money in USD; cents only below ten dollars."""
    if value is None:
        return NOT_MEASURED
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    amount = abs(value)
    digits = 0 if amount >= 10 or amount == 0 else 2 if amount >= 0.1 else 4
    return f"{sign}${amount:,.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str | Markup:
    """A share (0-1) as a percentage."""
    return NOT_MEASURED if value is None else f"{number(value * 100, digits)} %"


def day(value: date | datetime | None) -> str | Markup:
    """``3 Mar 2026``, or "not measured"."""
    return NOT_MEASURED if value is None else f"{value.day} {value:%b %Y}"


def moment(value: datetime | None) -> str | Markup:
    """``3 Mar 2026 14:05`` with its zone."""
    if value is None:
        return NOT_MEASURED
    return f"{value.day} {value:%b %Y %H:%M} {value.tzname() or ''}".strip()


def short(value: datetime | None) -> str | Markup:
    """``3 Mar 14:05``, for lists whose page says the zone."""
    return NOT_MEASURED if value is None else f"{value.day} {value:%b %H:%M}"


def kind(label: str) -> str:
    """A FHIR resource type as words: ``MedicationRequest`` is "Medication request"; any other label stays."""
    return _HUMP.sub(lambda hump: f" {hump[0].lower()}", label) if label.isalpha() else label


def without(text: str, label: str) -> str:
    """The text of a source without the label that stands above it."""
    return text.replace(f"{label}: ", "", 1)


def words(value: str | None) -> str | Markup:
    """A name of the records as words: ``limited_production`` is "limited production"."""
    if value is None:
        return NOT_MEASURED
    return "re-review" if value == "re_review" else value.replace("_", " ")


def markdown(text: str) -> Markup:
    """Markdown as HTML; HTML inside it is shown as text."""
    return Markup(_markdown().render(text))  # noqa: S704 - the parser escapes HTML (html=False)


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")
