"""Identifiers that the chart does not name, found by pattern on a linear-time engine (RE2: no backtracking).

Each pattern has one capture group: the identifier itself, without the cue before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2

from careplane.shield.folding import Folded
from careplane.shield.spans import Category, Span

_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"  # noqa: E501
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_NUMBER = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)\d\d"
_STREET = r"(?:street|st|avenue|ave|road|rd|drive|dr|lane|ln|boulevard|blvd|court|ct|place|pl|circle|cir|way|highway|hwy|parkway|pkwy|terrace|ter)"  # noqa: E501
_LONG_STREET = r"(?:street|avenue|ave|road|rd|drive|lane|ln|boulevard|blvd|highway|parkway|terrace)"
_CAPITAL = r"[A-Z][a-z]+(?:['-][A-Z]?[a-z]+)*"
_FULL_NAME = rf"{_CAPITAL}(?: [A-Z]\b\.?)?(?: (?:(?:de|la|van|von|der|del) )*{_CAPITAL})?"
_FACILITY = r"(?:Hospital|Clinic|Medical Center|Health Center|Medical Group|Surgery Center|Nursing Home|Hospice)"
_STATE = (
    r"(?:AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR"
    r"|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC)"
)
_WITH_UNDERSCORES = frozenset({"EMAIL", "URL"})
_KIN = r"(?:wife|husband|spouse|partner|daughter|son|mother|father|mom|dad|sister|brother|aunt|uncle|niece|nephew|cousin|friend|neighbor|caregiver|grandmother|grandfather)"  # noqa: E501


@dataclass(frozen=True, slots=True)
class Pattern:
    """One detector: the compiled pattern, and whether the case of letters matters."""

    category: Category
    compiled: Any


def _compile(category: Category, pattern: str, *, cased: bool = False) -> Pattern:
    options = re2.Options()
    options.case_sensitive = cased
    options.log_errors = False
    return Pattern(category, re2.compile(pattern, options))  # type: ignore[no-untyped-call] # it has no types


def _numbered(category: Category, cue: str) -> Pattern:
    """A number introduced by its name: ``account no. 12345``."""
    link = r"(?: (?:is|was))?(?: ?(?:number|no\.?|num|id|#))?(?: (?:is|was))?[ :#]*"
    return _compile(category, rf"\b{cue}{link}\b([A-Z0-9][A-Z0-9-]*\d[A-Z0-9-]{{2,}})\b")


PATTERNS: tuple[Pattern, ...] = (
    _compile("EMAIL", r"([a-z0-9][a-z0-9._%+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,})"),
    _compile("URL", r"((?:https?|ftp)://[^\s<>\"')\]]+|\bwww\.[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/[^\s<>\"')\]]*)?)"),
    _compile("IP", r"\b((?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d))\b"),
    _compile("IP", r"\b((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4})\b"),
    _compile("SSN", r"\b(\d{3}[- ]\d{2}[- ]\d{4})\b"),
    _compile("SSN", r"\b(?:ssn|social security)(?: (?:number|no\.?|is))*[ :#]*(\d{9})\b"),
    _compile("PHONE", r"((?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,5})?)\b"),
    _compile("PHONE", r"(\+\d{1,3}(?:[ .-]?\d{2,4}){3,4})\b"),
    _compile("PHONE", r"\b(?:phone|tel|cell|mobile|fax|call(?: me)?(?: at)?)[ :.#]*(\d{3}[ .-]?\d{4}|\d{10})\b"),
    _compile("PHONE", r"\b([2-9]\d{9})\b"),
    _compile("DATE", rf"\b({_YEAR}[-/]{_MONTH_NUMBER}[-/]{_DAY})(?:\b|T)"),
    _compile("DATE", rf"\b({_MONTH_NUMBER}[/.-]{_DAY}[/.-](?:{_YEAR}|\d\d))\b"),
    _compile("DATE", rf"\b({_DAY}[/.-]{_MONTH_NUMBER}[/.-]{_YEAR})\b"),
    _compile("DATE", rf"\b({_MONTH}\.? {_DAY}(?:st|nd|rd|th)?(?:,? {_YEAR})?)\b"),
    _compile("DATE", rf"\b({_DAY}(?:st|nd|rd|th)?[ -](?:of )?{_MONTH}\.?(?:,?[ -]{_YEAR})?)\b"),
    _compile("DATE", rf"\b({_MONTH}\.?,? (?:of )?{_YEAR})\b"),
    _compile("DATE", rf"\b(?:on|since|until|by|from|dated|seen|born)[ :]+({_MONTH_NUMBER}/{_DAY})\b"),
    _compile("AGE", r"\b((?:9\d|1[0-2]\d)) ?-? ?(?:year|yr|y/o|yo\b|y\.o)"),
    _compile("AGE", r"\bage(?:d)?[ :]+((?:9\d|1[0-2]\d))\b"),
    _compile(
        "STREET", rf"\b(\d{{1,6}} (?:[NSEW]\.? )?(?:[A-Z][A-Za-z0-9'-]* ){{1,4}}{_STREET.title()}\b\.?)", cased=True
    ),
    _compile(
        "STREET", rf"\b(\d{{1,6}} (?:[a-z0-9'-]+ ){{1,3}}{_LONG_STREET}\b(?:,? (?:apt|unit|suite|#) ?[a-z0-9-]+)?)"
    ),
    _compile("STREET", r"\b(p\.?o\.? box \d+)\b"),
    _compile("GEO", r"\b[A-Z]{2},? (\d{5}(?:-\d{4})?)\b", cased=True),
    _compile("GEO", rf"\b((?:[A-Z][A-Za-z'-]+ ){{1,4}}{_FACILITY})\b", cased=True),
    _compile("GEO", rf"\b({_CAPITAL}(?: {_CAPITAL})?, {_STATE}(?: \d{{5}})?)\b", cased=True),
    _compile("GEO", r"\bzip(?: code)?[ :]*(\d{5}(?:-\d{4})?)\b"),
    _numbered("MRN", r"(?:mrn|medical record|chart|patient id)"),
    _numbered("PLAN", r"(?:member|subscriber|policy|plan|group|insurance|beneficiary|medicare|medicaid)"),
    _numbered("ACCOUNT", r"(?:account|acct|invoice|claim|billing)"),
    _numbered("LICENSE", r"(?:licen[cs]e|certificate|dea|npi|passport)"),
    _numbered("DEVICE", r"(?:serial|device|pacemaker|implant|lot|imei|udi)"),
    _numbered("VEHICLE", r"(?:vin|(?:licen[cs]e )?plate|vehicle|tag)"),
    _compile("VEHICLE", r"\b([A-HJ-NPR-Z0-9]{3}[A-HJ-NPR-Z][A-HJ-NPR-Z0-9]{4}\d[A-HJ-NPR-Z0-9]{2}\d{6})\b", cased=True),
    _compile("NAME", rf"\b(?:Dr|Doctor|Mr|Mrs|Ms|Miss|Mx|Nurse|Prof|Dra|Sra|Sr)\.? ({_FULL_NAME})", cased=True),
    _compile("NAME", rf"\b(?i:my|his|her|their|patient's) {_KIN},? ({_FULL_NAME})", cased=True),
    _compile("NAME", rf"\b(?i:my name is|this is|i am|i'm|named|me llamo|mi nombre es) ({_FULL_NAME})", cased=True),
    _compile(
        "NAME",
        rf"\b(?i:name|patient name|emergency contact|next of kin|signed|regards|sincerely)[:,] ({_FULL_NAME})",
        cased=True,
    ),
    _compile("NAME", rf"\b({_CAPITAL}(?: [A-Z]\.?)? {_CAPITAL}),? (?:MD|DO|RN|NP|PA-C|PhD|LCSW|PharmD)\b", cased=True),
)


def find_patterns(folded: Folded) -> Iterator[Span]:
    """The identifiers that the patterns see; offsets are those of the original text.

    Raises:
        re2.error: the engine could not run.
    """
    for pattern in PATTERNS:
        text = folded.raw if pattern.category in _WITH_UNDERSCORES else folded.text
        for found in pattern.compiled.finditer(text):
            start, end = folded.original(*found.span(1))
            yield Span(start, end, pattern.category, f"{pattern.category}:{found.group(1).lower()}")
