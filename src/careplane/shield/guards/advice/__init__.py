"""Unsafe advice: what a draft to a patient must not say. Rules and doses are data (``rules.yaml``, ``*.tsv``).

A sentence that repeats what its cited source orders ("stop metoprolol") is the chart's, not the model's, and passes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from careplane.records.run import Finding, Severity
from careplane.shield.checked import Checked, uncited
from careplane.shield.folding import fold_key
from careplane.shield.guards.crisis import red_flag
from careplane.shield.guards.grounding.lexicon import classes_of, drugs_in
from careplane.shield.guards.grounding.quantities import Quantity, quantities_in

TABLE_DATE = "2026-11-25"
_TIMES = (
    (re.compile(r"\bevery (\d+)(?:\s*(?:to|-)\s*\d+)? hours?\b|\bq ?(\d+) ?h\b|\bcada (\d+) horas"), "hours"),
    (re.compile(r"\b(\d+) (?:times|x) (?:a|per|each|every)? ?day\b|\b(\d+) veces al dia"), "count"),
)
_WORDS = {
    r"\b(?:twice|two times) (?:a|per|each)? ?(?:day|daily)\b|\bbid\b|\bb\.i\.d|\bdos veces al dia": 2,
    r"\b(?:three|thrice) (?:times )?(?:a|per|each)? ?(?:day|daily)\b|\btid\b|\bt\.i\.d|\btres veces al dia": 3,
    r"\bfour times (?:a|per|each)? ?(?:day|daily)\b|\bqid\b|\bq\.i\.d|\bcuatro veces al dia": 4,
    r"\bsix times (?:a|per|each)? ?(?:day|daily)\b": 6,
}
_PIECES = re.compile(
    r"\b(two|three|four|five|six|eight|ten|\d{1,2}) (?:\w+ )?(?:tablets?|pills?|capsules?|caps|tabs|pastillas)\b"
)
_NUMBER_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10}
_MILLIGRAMS = {"mg": Decimal(1), "g": Decimal(1000), "mcg": Decimal("0.001")}
_LIMIT = re.compile(
    r"\b(?:no more than|not (?:to )?exceed|at most|maximum|do not take more|never more|max\b|no mas de)", re.I
)


@dataclass(frozen=True, slots=True)
class _Stop:
    classes: frozenset[str]
    drugs: frozenset[str]
    verb: re.Pattern[str]
    unless: re.Pattern[str]
    medicine: re.Pattern[str]
    abruptly: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Phrases:
    name: str
    severity: Severity
    text: str
    patterns: re.Pattern[str]


@lru_cache(maxsize=1)
def _rules() -> tuple[_Stop, tuple[_Phrases, ...]]:
    spec: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("rules.yaml").read_text(encoding="utf-8"))
    stop = spec["stop"]
    compiled = {name: re.compile(stop[name], re.I) for name in ("verb", "unless", "medicine")}
    phrases = tuple(
        _Phrases(
            name, rule["severity"], rule["text"], re.compile("|".join(f"(?:{one})" for one in rule["patterns"]), re.I)
        )
        for name, rule in spec["phrases"].items()
    )
    abruptly = re.compile(spec["abruptly"], re.I)
    return _Stop(frozenset(stop["classes"]), frozenset(stop["drugs"]), abruptly=abruptly, **compiled), phrases


@lru_cache(maxsize=1)
def max_daily_doses() -> Mapping[str, Decimal]:
    """The most milligrams a day, by drug (``max_daily_dose.tsv``)."""
    lines = files(__package__).joinpath("max_daily_dose.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {row[0]: Decimal(row[1]) for row in rows}


def advice(checked: Checked) -> Sequence[Finding]:
    """Advice that may harm: a medicine stopped at once, too high a dose, no care in spite of alarm, a guarantee."""
    alarm = red_flag(checked.request_text) is not None
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        said = fold_key(uncited(sentence))
        cited = " ".join(fold_key(source.text) for source in checked.cited(sentence))
        for severity, text in (*_phrases(said, alarm=alarm), *_stops(said, cited), *_too_much(said)):
            found.append(Finding(check="advice", severity=severity, text=text, sentence=i))
    return found


def _phrases(said: str, *, alarm: bool) -> Iterator[tuple[Severity, str]]:
    for rule in _rules()[1]:
        if not rule.patterns.search(said):
            continue
        if rule.name == "no_care" and alarm:
            yield "critical", "The message speaks of an alarm, and the draft tells the patient not to seek care."
        else:
            yield rule.severity, rule.text


def _stops(said: str, cited: str) -> Iterator[tuple[Severity, str]]:
    stop = _rules()[0]
    verb = stop.verb.search(said)
    if verb is None or stop.unless.search(said):
        return
    drugs = drugs_in(said)
    if drugs and drugs <= drugs_in(cited) and stop.verb.search(cited):
        return
    risky = sorted(drug for drug in drugs if drug in stop.drugs or classes_of(drug) & stop.classes)
    if risky:
        yield "critical", f"The draft tells the patient to stop {risky[0]}, which must not be stopped at once."
    elif drugs or stop.medicine.search(said[verb.end() : verb.end() + 60]):
        severity: Severity = "critical" if stop.abruptly.search(said) and not drugs else "caution"
        yield severity, "The draft tells the patient to stop a medicine; that is the clinician's decision."


def _too_much(said: str) -> Iterator[tuple[Severity, str]]:
    known = max_daily_doses()
    drugs = [drug for drug in drugs_in(said) if drug in known]
    if len(drugs) != 1 or _LIMIT.search(said):
        return
    limit = known[drugs[0]]
    times, pieces = _times_a_day(said), _pieces(said)
    for dose in quantities_in(said):
        amount = _milligrams(dose)
        if amount is not None and amount * times * pieces > limit:
            total = format((amount * times * pieces).normalize(), "f")
            usual = f"{limit:f} mg, the usual adult maximum (table of {TABLE_DATE})"
            yield "critical", f"{total} mg a day of {drugs[0]} is above {usual}."
            return


def _milligrams(dose: Quantity) -> Decimal | None:
    factor = _MILLIGRAMS.get(dose.unit)
    per = dose.shown.partition("/")[2].lower()
    return None if factor is None or per not in ("", "d", "day", "dia") else dose.value * factor


def _times_a_day(said: str) -> int:
    for pattern, kind in _TIMES:
        found = pattern.search(said)
        if found:
            number = int(next(filter(None, found.groups())))
            return max(1, 24 // number) if kind == "hours" and number else max(1, min(number, 24))
    return next((times for pattern, times in _WORDS.items() if re.search(pattern, said)), 1)


def _pieces(said: str) -> int:
    found = _PIECES.search(said)
    return 1 if found is None else _NUMBER_WORDS.get(found[1]) or max(1, int(found[1]))


__all__ = ["TABLE_DATE", "advice", "max_daily_doses"]
