"""Errors that can be told without a person: what the output checks found, and what a case expects and does not get.

They are a floor: a check that sees nothing proves nothing. What each check catches is in the README of its folder under
``shield/guards``; what it misses only readers can say.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from careplane.apps.cases import Expectation
from careplane.records.quality import INACCURACIES, ErrorClass, Mark
from careplane.records.run import Finding

CLASS_OF_CHECK: Mapping[str, ErrorClass] = {
    "numbers": "wrong_value",
    "drugs": "fabrication",
    "laterality": "wrong_laterality",
    "negation": "wrong_negation",
    "citations": "wrong_attribution",
    "allergies": "unsafe_advice",
    "advice": "unsafe_advice",
    "urgent": "omission",
    "crisis": "omission",
    "empty": "omission",
    "truncated": "omission",
    "reading_grade": "wrong_level",
}
"""What class of error the finding of a check is; checks of form that are not here count as findings only."""


def marks_of_findings(findings: Iterable[Finding]) -> tuple[Mark, ...]:
    """The errors among findings; of several about one sentence in one class the first counts."""
    seen: dict[tuple[ErrorClass, int | None], Mark] = {}
    for finding in findings:
        kind = CLASS_OF_CHECK.get(finding.check)
        if kind is not None and finding.severity != "info":
            seen.setdefault((kind, finding.sentence), Mark(kind=kind, sentence=finding.sentence, note=finding.text))
    return tuple(seen.values())


def missing_words(expect: Expectation, text: str) -> tuple[str, ...]:
    """What the case wants in the text and is not there: each is an omission."""
    return tuple(words for words in expect.contains if words.lower() not in text.lower())


def forbidden_words(expect: Expectation, text: str) -> tuple[str, ...]:
    """What the case forbids and is there: each is a fabrication, as the sources of the case do not hold it."""
    return tuple(words for words in expect.excludes if words.lower() in text.lower())


def marks_of_expectations(expect: Expectation, text: str) -> tuple[Mark, ...]:
    """Omissions and fabrications against what the case says of a good draft."""
    return (
        *(Mark(kind="omission", note=f"expected: {words}") for words in missing_words(expect, text)),
        *(Mark(kind="fabrication", note=f"must not say: {words}") for words in forbidden_words(expect, text)),
    )


def counted(marks: Sequence[Mark]) -> dict[str, int]:
    """How many fabrications, omissions, inaccuracies and other errors there are."""
    kinds = Counter(mark.kind for mark in marks)
    inaccuracies = sum(kinds[kind] for kind in INACCURACIES)
    known = kinds["fabrication"] + kinds["omission"] + inaccuracies
    return {
        "fabrications": kinds["fabrication"],
        "omissions": kinds["omission"],
        "inaccuracies": inaccuracies,
        "others": sum(kinds.values()) - known,
    }


def error_count(marks: Sequence[Mark]) -> int:
    """Fabrications, omissions and inaccuracies (measure M18)."""
    found = counted(marks)
    return found["fabrications"] + found["omissions"] + found["inaccuracies"]
