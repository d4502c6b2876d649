"""What a message to a patient has to say about AI: dated rules by jurisdiction, from a data file.

A jurisdiction that no rule of the file names gets the most protective text, and so does a patient or site whose
jurisdiction is not known. An exemption for reviewed texts holds only where the row is verified.
"""

import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import msgspec

from careplane.errors import DataError
from careplane.records import Record
from careplane.records.message import Disclosure, Placement

FILE = Path(__file__).with_name("rules") / "disclosure.toml"
PROTECTIVE = "protective"
"""The id under which the most protective text is recorded."""


class ProtectiveText(Record, frozen=True):
    """The text for where no rule is known: language to words."""

    text: dict[str, str]
    placement: Placement = "start"


class DisclosureRules(Record, frozen=True):
    """A rule file. ``version`` is the day on which it was written."""

    version: str
    protective: ProtectiveText
    rule: tuple[Disclosure, ...] = ()

    def of(self, jurisdiction: str) -> tuple[Disclosure, ...]:
        """The rules of a jurisdiction, whatever their dates."""
        return tuple(one for one in self.rule if one.jurisdiction == jurisdiction)


class Demand(Record, frozen=True):
    """What a message has to say: ``start`` and ``end`` are the texts in order, ``rules`` the ids they come from,
    ``exempt`` the ids of rules that do not apply because a licensed person reviewed the text."""

    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()


def read_disclosure_rules(file: Path = FILE) -> DisclosureRules:
    """Read a rule file.

    Raises:
        DataError: it cannot be read, a row or value is not one, an id occurs twice, or a disclosure lacks English.
    """
    try:
        rules = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), DisclosureRules, strict=True)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise DataError(f"is not a file of disclosure rules: {error}", file=file) from error
    seen: set[str] = set()
    for one in rules.rule:
        if one.id in seen or one.id == PROTECTIVE:
            raise DataError(f"the id {one.id} occurs twice", file=file, field="id")
        seen.add(one.id)
        if one.kind == "disclosure" and not one.text.get("en"):
            raise DataError(f"the rule {one.id} has no English text", file=file, field="text")
    if not rules.protective.text.get("en"):
        raise DataError("has no English text", file=file, field="protective")
    return rules


def demand(
    rules: DisclosureRules, jurisdictions: Iterable[str], on: date, *, licensed_review: bool, language: str
) -> Demand:
    """What a message of a day has to say.

    Args:
        rules: the rule file.
        jurisdictions: all that apply (of the patient, of the site), such as ``US-CA``; ``""`` is one that is not known.
        on: the day it leaves.
        licensed_review: whether a licensed person read and reviewed the text.
        language: BCP 47; where a rule has no text in it, the English one stands.
    """
    wanted = tuple(dict.fromkeys(jurisdictions)) or ("",)
    known = [one for one in wanted if rules.of(one)]
    held = [one for place in known for one in rules.of(place) if one.kind == "disclosure" and one.holds(on)]
    exempt = [one for one in held if licensed_review and one.exempts_reviewed and one.verified]
    applied = [one for one in held if one not in exempt]
    texts = [(one.id, one.placement, _in(one.text, language)) for one in applied]
    if len(known) < len(wanted):
        texts.insert(0, (PROTECTIVE, rules.protective.placement, _in(rules.protective.text, language)))
    return Demand(
        start=_texts(texts, "start"),
        end=_texts(texts, "end"),
        rules=tuple(ident for ident, _, _ in texts),
        exempt=tuple(one.id for one in exempt),
    )


def _texts(texts: Sequence[tuple[str, Placement, str]], placement: Placement) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for _, where, text in texts if where == placement))


def _in(texts: dict[str, str], language: str) -> str:
    return texts.get(language) or texts.get(language.partition("-")[0]) or texts["en"]
