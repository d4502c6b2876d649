"""Citations, numbers and dates: what a sentence states, and whether a source holds it."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from careplane.records.run import Finding, Severity, Source
from careplane.shield.checked import Checked, citations, uncited
from careplane.shield.guards.grounding.quantities import Day, Quantity, dates_in, quantities_in, same_mass, same_value

DOSE_UNITS = frozenset({"mcg", "mg", "g", "ml", "unit", "iu", "meq", "mmol", "tablet", "capsule", "puff", "drop"})
_COURTESY = re.compile(
    r"^\W*(?:hello|hi|hey|dear|thank|thanks|sincerely|regards|best|warm|take care|kind|good (?:morning|day|afternoon)"
    r"|please|call|go to|seek|contact|let us|we will|we'll|we are|we can|i will"
    r"|your care team|you can|you may|if you|do not"
    r"|until then|hola|estimad|gracias|por favor|llame|acuda|vaya|si |le |su equipo|puede|atentamente"
    r"|saludos|revisaremos)",
    re.I,
)
_ADVICE_TIME = re.compile(
    r"\b(?:in|within|for|every|after|en|dentro de)\s+\d+(?:\s*(?:-|to)\s*\d+)?\s+(?:business )?"
    r"(?:hours?|days?|weeks?|minutes?|horas?|d[ií]as?|semanas?)\b",
    re.I,
)
_CLASS_NUMBER = re.compile(
    r"\b(?:glp|dpp|sglt|5|h|b|ddp|il|cox|pde|type|stage|grade|class)-?\d?[- ](?:alpha|agonist|inhibitor|blocker)", re.I
)
_PUBLIC_NUMBERS = frozenset({"911", "988", "112", "999", "24", "7"})


def states_fact(sentence: str) -> bool:
    """Whether a sentence says something that the chart must back: not a greeting, question, heading, or advice."""
    prose = uncited(sentence).strip()
    words = re.findall(r"[^\W\d_]+", prose)
    if len(words) < 4 or prose.endswith(("?", ":")) or prose.startswith("#"):
        return False
    return not _COURTESY.match(prose)


def citations_present(checked: Checked) -> Sequence[Finding]:
    """A citation of a source that is not there; with ``citations: required`` also a factual sentence without one."""
    if checked.output.citations == "none":
        return ()
    known = {source.n for source in checked.sources}
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        cited = citations(sentence)
        for number in sorted(set(cited) - known):
            found.append(finding("citations", "critical", f"Source [{number}] does not exist.", i))
        if not cited and checked.output.citations == "required" and states_fact(sentence):
            found.append(finding("citations", "caution", "This sentence states a fact and cites no source.", i))
    return found


def numbers(checked: Checked) -> Sequence[Finding]:
    """A number or date that the cited sources (else any source, or the message) do not hold."""
    found: list[Finding] = []
    everything = " \n".join((*(whole(source) for source in checked.sources), checked.request_text))
    for i, sentence in enumerate(checked.sentences):
        cited = " \n".join(whole(source) for source in checked.cited(sentence))
        for shown, held_by in _claims(sentence):
            if held_by(everything):
                if cited and not held_by(cited):
                    found.append(finding("numbers", "caution", f"“{shown}” is not in the source it cites.", i))
                continue
            severity: Severity = "critical" if _has_dose_unit(shown) else "caution"
            found.append(finding("numbers", severity, f"“{shown}” is in no source.", i))
    return found


def finding(check: str, severity: Severity, text: str, sentence: int) -> Finding:
    """A finding about one sentence."""
    return Finding(check=check, severity=severity, text=text, sentence=sentence)


def whole(source: Source) -> str:
    """A source with its label and date, as its claims are compared."""
    return f"{source.label} {source.text} {source.date or ''}"


def _claims(sentence: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """The dates and numbers that a sentence states, each with the question whether a text holds it."""
    prose = _CLASS_NUMBER.sub(" ", _ADVICE_TIME.sub(" ", uncited(sentence)))
    for day, shown in dates_in(prose):
        yield shown, partial(_holds_day, day)
    for quantity in quantities_in(prose):
        if quantity.shown not in _PUBLIC_NUMBERS:
            yield quantity.shown, partial(_holds_number, quantity)


def _holds_day(day: Day, text: str) -> bool:
    return any(day.agrees(known) for known, _ in dates_in(text))


def _holds_number(quantity: Quantity, text: str) -> bool:
    if any(
        same_value(quantity.value, known.value) or same_mass(quantity, known)
        for known in quantities_in(text, spelt=True)
    ):
        return True
    return not quantity.unit and any(quantity.value in (day.year, day.day) for day, _ in dates_in(text))


def _has_dose_unit(shown: str) -> bool:
    return any(quantity.unit in DOSE_UNITS for quantity in quantities_in(shown))
