"""Negation: something denied in a draft and affirmed in its sources, or the other way round."""

import re
from collections.abc import Iterator, Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked, uncited
from careplane.shield.guards.grounding.claims import finding, states_fact

_NEGATED = re.compile(
    r"\b(?:no|not|denies|denied|denying|without|negative for|never|absence of|free of|ruled out|don't have|doesn't have"
    r"|sin|niega)\s+(?!longer\b|only\b|change\b|changes\b)((?:[a-záéíóúñ/-]+[ ,]+(?:or |and |nor )?){0,5}"
    r"[a-záéíóúñ-]+)",
    re.IGNORECASE,
)
_SCOPE_END = re.compile(r"[.;:]|\b(?:but|except|however|although|pero|with|on|in|at|since|for|to|of|today|now)\b")
_ENDED = re.compile(
    r"\((?:[^)]*\b)?(?:resolved|inactive|remission|refuted|entered-in-error|ended|stopped|cancelled)\b", re.I
)
_NOW = re.compile(r"\b(?:active|currently|current|ongoing|still (?:has|have|take|takes)|continues? to have)\b", re.I)
_EMPTY_WORDS = (
    "acute known recent history evidence signs sign symptoms symptom current with been have were significant "
    "significantly changes change other further longer more record recorded listed found active status final "
    "patient your chart says shows noted today this that than from they them there will would need needs lists "
    "finding disorder disease syndrome none made given taken past last year years week weeks month months reports "
    "report reported medications medication date"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())


def negation(checked: Checked) -> Sequence[Finding]:
    """Something denied here and affirmed in the source, or the other way round.

    The cited sources decide; a fact without a citation is compared with all of them. A condition that its source calls
    resolved, refuted or inactive is not one that the patient has now.
    """
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        cited = checked.cited(sentence)
        if not cited:
            found += _uncited(checked, sentence, i)
            continue
        for source in cited:
            for word in sorted(_contradicted(uncited(sentence), source.text)):
                text = f"The draft and source [{source.n}] disagree on whether “{word}” is present."
                found.append(finding("negation", "caution", text, i))
            if _ENDED.search(source.text) and _NOW.search(sentence) and not _ENDED.search(sentence):
                found.append(finding("negation", "caution", f"Source [{source.n}] says that this has ended.", i))
    return list(dict.fromkeys(found))


def _uncited(checked: Checked, sentence: str, i: int) -> Iterator[Finding]:
    """A fact without a citation: denied though a source has all of it, or affirmed though every source that names it
    denies it."""
    if not states_fact(sentence) and not _NEGATED.search(sentence):
        return
    here, denied_here = _words(sentence), denied(sentence)
    affirmed: set[str] = set()
    denied_there: set[str] = set()
    for source in checked.sources:
        no = denied(source.text)
        yes = _words(source.text) - no
        affirmed |= yes
        denied_there |= no
        if denied_here and denied_here <= yes:
            words = " ".join(sorted(denied_here))
            yield finding("negation", "caution", f"The draft denies “{words}”; source [{source.n}] has it.", i)
            return
    for word in sorted((here - denied_here) & (denied_there - affirmed)):
        yield finding("negation", "caution", f"The draft and the sources disagree on whether “{word}” is present.", i)


def denied(text: str) -> set[str]:
    """The words that a text denies."""
    return {word for scope in _NEGATED.findall(text) for word in _words(_SCOPE_END.split(scope)[0])}


def _contradicted(draft: str, source: str) -> set[str]:
    """Words that are denied on one side only."""
    denied_here, denied_there = denied(draft), denied(source)
    here, there = _words(draft), _words(source)
    wrongly_denied = {word for word in denied_here - denied_there if word in there}
    return wrongly_denied | {word for word in denied_there - denied_here if word in here and _only_denied(word, source)}


def _only_denied(word: str, source: str) -> bool:
    """Whether every mention of a word in a source is denied."""
    mentions = len(re.findall(rf"\b{re.escape(word)}", source.lower()))
    denials = sum(word in _words(_SCOPE_END.split(scope)[0]) for scope in _NEGATED.findall(source))
    return mentions <= denials


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-záéíóúñ]{4,}", text.lower()) if word not in _EMPTY}
