"""Output checks on grounding: does the chart say what the draft says?

They flag the sentence for the reviewer and block nothing (figures in ``README.md``).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from careplane.records.run import Finding, Severity, Source
from careplane.shield.checked import Checked, citations, uncited
from careplane.shield.lexicon import drugs_in
from careplane.shield.quantities import Day, Quantity, dates_in, quantities_in, same_value

_DOSE_UNITS = frozenset({"mcg", "mg", "g", "ml", "unit", "iu", "meq", "mmol", "tablet", "capsule", "puff", "drop"})
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
_PUBLIC_NUMBERS = frozenset({"911", "988", "112", "999", "24", "7"})
_SIDE = re.compile(r"\b(left|right|bilateral|lt|rt|izquierd[ao]|derech[ao])\b", re.I)
_SIDES = {"left": "left", "lt": "left", "right": "right", "rt": "right", "bilateral": "bilateral"}
_NOT_A_SIDE = re.compile(r"\bright (?:away|now|here|after|before|to)\b|\ball right\b", re.I)
_NEGATED = re.compile(
    r"\b(?:no|not|denies|denied|without|negative for|never|absence of)\s+((?:[a-z-]+\W+){0,3}[a-z-]+)", re.I
)
_EMPTY_WORDS = frozenset(
    {
        "acute",
        "known",
        "recent",
        "history",
        "evidence",
        "signs",
        "sign",
        "symptoms",
        "symptom",
        "current",
        "with",
        "been",
    }
    | {"have", "were", "significant", "significantly", "changes", "change", "other", "further", "longer", "more"}
    | {"record", "recorded", "listed", "found"}
)


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
            found.append(_finding("citations", "critical", f"Source [{number}] does not exist.", i))
        if not cited and checked.output.citations == "required" and states_fact(sentence):
            found.append(_finding("citations", "caution", "This sentence states a fact and cites no source.", i))
    return found


def numbers(checked: Checked) -> Sequence[Finding]:
    """A number or date that the cited sources (else any source, or the message) do not hold."""
    found: list[Finding] = []
    everything = " \n".join((*(_whole(source) for source in checked.sources), checked.request_text))
    for i, sentence in enumerate(checked.sentences):
        cited = " \n".join(_whole(source) for source in checked.cited(sentence))
        for shown, held_by in _claims(sentence):
            if held_by(everything):
                if cited and not held_by(cited):
                    found.append(_finding("numbers", "caution", f"“{shown}” is not in the source it cites.", i))
                continue
            severity: Severity = "critical" if _has_dose_unit(shown) else "caution"
            found.append(_finding("numbers", severity, f"“{shown}” is in no source.", i))
    return found


def drugs(checked: Checked) -> Sequence[Finding]:
    """A drug that no source names, or a dose that no source gives for that drug."""
    texts = [*(_whole(source) for source in checked.sources), checked.request_text]
    known = set[str]().union(*(drugs_in(text) for text in texts))
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        named = drugs_in(sentence)
        for drug in sorted(named - known):
            found.append(_finding("drugs", "critical", f"“{drug}” is in no source.", i))
        doses = [quantity for quantity in quantities_in(uncited(sentence)) if quantity.unit in _DOSE_UNITS]
        of_named = [dose for text in texts if drugs_in(text) & named for dose in quantities_in(text)]
        if len(named) != 1 or not named <= known:
            continue
        for dose in doses:
            if not _among(dose, of_named):
                text = f"No source gives {dose.shown} of {next(iter(named))}."
                found.append(_finding("drugs", "critical", text, i))
    return found


def laterality(checked: Checked) -> Sequence[Finding]:
    """Left where every cited source that names a side says right, or the other way round."""
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        said = _sides(sentence)
        known = set[str]().union(*(_sides(source.text) for source in checked.cited(sentence)))
        for side in sorted(said - known):
            if known and "bilateral" not in known:
                text = f"The draft says {side}; the cited source says {' and '.join(sorted(known))}."
                found.append(_finding("laterality", "critical", text, i))
    return found


def negation(checked: Checked) -> Sequence[Finding]:
    """Something denied here and affirmed in the cited source, or the other way round."""
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        for source in checked.cited(sentence):
            for word in sorted(_contradicted(sentence, source.text)):
                text = f"The draft and source [{source.n}] disagree on whether “{word}” is present."
                found.append(_finding("negation", "caution", text, i))
    return found


def _finding(check: str, severity: Severity, text: str, sentence: int) -> Finding:
    return Finding(check=check, severity=severity, text=text, sentence=sentence)


def _whole(source: Source) -> str:
    return f"{source.label} {source.text} {source.date or ''}"


def _claims(sentence: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """The dates and numbers that a sentence states, each with the question whether a text holds it."""
    prose = _ADVICE_TIME.sub(" ", uncited(sentence))
    for day, shown in dates_in(prose):
        yield shown, partial(_holds_day, day)
    for quantity in quantities_in(prose):
        if quantity.shown not in _PUBLIC_NUMBERS:
            yield quantity.shown, partial(_holds_number, quantity)


def _holds_day(day: Day, text: str) -> bool:
    return any(day.agrees(known) for known, _ in dates_in(text))


def _holds_number(quantity: Quantity, text: str) -> bool:
    if any(same_value(quantity.value, known.value) for known in quantities_in(text)):
        return True
    return not quantity.unit and any(quantity.value in (day.year, day.day) for day, _ in dates_in(text))


def _contradicted(draft: str, source: str) -> set[str]:
    denied_here, denied_there = _denied(draft), _denied(source)
    here, there = _words(draft), _words(source)
    return {word for word in denied_here - denied_there if word in there} | {
        word for word in denied_there - denied_here if word in here
    }


def _denied(text: str) -> set[str]:
    return {word for scope in _NEGATED.findall(text) for word in _words(re.split(r"[.;:]|\bbut\b", scope)[0])}


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z]{4,}", text.lower()) if word not in _EMPTY_WORDS}


def _sides(text: str) -> set[str]:
    found = {side.lower() for side in _SIDE.findall(_NOT_A_SIDE.sub(" ", text))}
    return {_SIDES.get(side, "left" if side.startswith("izq") else "right") for side in found}


def _has_dose_unit(shown: str) -> bool:
    return any(quantity.unit in _DOSE_UNITS for quantity in quantities_in(shown))


def _among(said: Quantity, known: Sequence[Quantity]) -> bool:
    return any(said.unit in (one.unit, "") and same_value(said.value, one.value) for one in known)
