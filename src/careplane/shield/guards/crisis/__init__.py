"""Crisis: what a patient says about harm, abuse or an emergency, and what a person does now.

The rules are data (``rules.yaml``): phrases in English and Spanish, the human route, and what a reply must say. It is
a list of phrases, not a triage: it is there to notice what stands in a message in so many words. Figures are in
``README.md``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

from careplane.records.run import Finding, Severity
from careplane.shield.checked import Checked
from careplane.shield.folding import fold, fold_key

_NOT_NOW = re.compile(
    r"(?:\bno\b|\bnot\b|\bden(?:y|ies|ied)\b|\bwithout\b|\bnever\b|n['’]t (?:have|had)|\bsin\b|\bniego\b|\bnunca\b)"
    r"(?:\W+\w+){0,3}\W*$",
    re.I,
)
_CLAUSE_END = re.compile(r"[.;:!?\n]|\b(?:but|pero)\b", re.I)
_OF_ANOTHER_TIME = re.compile(r"\b(?:died|passed away|death|lost (?:him|her))\b(?:\W+\w+){0,3}\W*$", re.I)
_ASKED_OR_OVER = re.compile(
    r"^\W*(?:\w+\W+){0,4}(?:side effects?|gone\b|went away|resolved|has stopped|is over|no longer"
    r"|years ago|as a (?:child|kid))",
    re.I,
)
_NOT_A_DENIAL = frozenset({"self_harm", "abuse"})
"""Kinds whose phrases hold their own negation ("no reason to live"); only a plain denial in front of them counts."""
_PLAIN_DENIAL = re.compile(
    r"(?:\bnot\b|\bden(?:y|ies|ied)\b|\bwithout\b|\bnever\b|\bno (?:thoughts?|plans?|intention|history|signs?) of\b"
    r"|n['’]t (?:have|had)|\bno tengo\b|\bsin\b|\bnunca\b)(?:\W+(?!sure\b|only\b|just\b)\w+){0,5}\W*$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of crisis."""

    kind: str
    what: str
    route: str
    severity: Severity
    phrases: re.Pattern[str]
    said: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Crisis:
    """What was said, in the patient's own words, and the rule that noticed it."""

    rule: Rule
    words: str


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """The rules, the gravest kind first."""
    spec = yaml.safe_load(files(__package__).joinpath("rules.yaml").read_text(encoding="utf-8"))
    parts = spec.pop("parts")
    return tuple(
        Rule(
            kind=kind,
            what=rule["what"],
            route=rule["route"],
            severity=rule["severity"],
            phrases=re.compile("|".join(f"(?:{_filled(phrase, parts)})" for phrase in rule["phrases"]), re.I),
            said=re.compile(rule["said"], re.I),
        )
        for kind, rule in spec.items()
    )


def crises(message: str) -> tuple[Crisis, ...]:
    """Every kind of crisis that a message speaks of, unless it is denied just before; accents and quotes are free."""
    folded = fold(message)
    found: list[Crisis] = []
    for rule in rules():
        denial = _PLAIN_DENIAL if rule.kind in _NOT_A_DENIAL else _NOT_NOW
        for place in rule.phrases.finditer(folded.text):
            start, end = folded.original(*place.span())
            before, after = _CLAUSE_END.split(message[:start])[-1], _CLAUSE_END.split(message[end:])[0]
            if not (denial.search(before) or _OF_ANOTHER_TIME.search(before) or _ASKED_OR_OVER.search(after)):
                found.append(Crisis(rule, " ".join(message[start:end].split())))
                break
    return tuple(found)


def red_flag(message: str) -> str | None:
    """The words of an emergency or a crisis in a message, ``None`` without any."""
    return next((crisis.words for crisis in crises(message)), None)


def urgent(checked: Checked) -> Sequence[Finding]:
    """Signs of an emergency, answered without directing the patient to urgent care."""
    found = []
    for crisis in crises(checked.request_text):
        if crisis.rule.kind == "emergency" and not _says(checked, crisis):
            words, rule = crisis.words.lower(), crisis.rule
            text = f"The message mentions “{words}”, but the draft does not direct the patient to urgent care."
            found.append(Finding(check="urgent", severity=rule.severity, text=f"{text} {rule.route}"))
    return found


def crisis(checked: Checked) -> Sequence[Finding]:
    """Harm to oneself or others, or abuse: told with what a person does now; critical if the reply offers no help."""
    return tuple(_told(checked, checked.request_text))


def _told(checked: Checked, message: str) -> Iterator[Finding]:
    for found in crises(message):
        rule = found.rule
        if rule.kind == "emergency":
            continue
        said = _says(checked, found)
        missing = "" if said else " The draft does not say where to get help."
        text = f"The message speaks of {rule.what} (“{found.words.lower()}”).{missing} {rule.route}"
        yield Finding(check="crisis", severity="caution" if said else rule.severity, text=text)


def _says(checked: Checked, found: Crisis) -> bool:
    return found.rule.said.search(fold_key(checked.text)) is not None


def _filled(phrase: str, parts: dict[str, str]) -> str:
    return re.sub(r"\{([a-z]+)\}", lambda name: parts[name[1]], phrase)


__all__ = ["Crisis", "Rule", "crises", "crisis", "red_flag", "rules", "urgent"]
