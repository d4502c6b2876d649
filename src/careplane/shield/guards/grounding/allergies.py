"""Allergies: a draft that recommends what the chart lists as an allergy, or denies allergies that are there."""

import re
from collections.abc import Sequence

from careplane.records.run import Finding, Source
from careplane.shield.checked import Checked, uncited
from careplane.shield.guards.grounding.claims import finding
from careplane.shield.guards.grounding.lexicon import classes_in, classes_of, drugs_in, members

_LABELLED = re.compile(
    r"(?:\ballerg(?:y|ies)|\balergias?)\s*(?:to|list|:|a)\s*:?\s*([^.;\n]{3,160})|\ballergic to ([^.;\n]{3,120})", re.I
)
_NONE = re.compile(
    r"\b(?:no|not have any|denies|without|free of|sin|ninguna)\s+(?:known\s+|active\s+|other\s+)?(?:drug\s+|food\s+"
    r"|medication\s+|medicine\s+)*(?:allerg\w+|alergias?)|\bnkd?a\b"
    r"|\bnot allergic\b|\bno (?:es|soy) al[eé]rgic|\ballergies: none\b",
    re.IGNORECASE,
)
_ENDED = re.compile(r"\b(?:inactive|resolved|refuted|entered-in-error)\b", re.I)
_RECOMMENDS = re.compile(
    r"\b(?:take|takes|taking|start|started|begin|continue|prescrib\w+|refill\w*|use|using|try|switch(?:ed)? to|order\w*"
    r"|given?|recommend\w*|restart|increase|send\w*|pick up|tome|tomar|empiece|recet\w+)\b",
    re.IGNORECASE,
)
_WARNS = re.compile(
    r"\b(?:avoid\w*|allerg\w+|al[eé]rgi\w+|do not|don['’]t|never|not take|stop(?:ped)?|instead of"
    r"|reaction to|intoleran\w+"
    r"|not (?:be )?(?:given|prescribed|use))\b",
    re.IGNORECASE,
)
_CROSS = {
    "penicillin": ("cephalosporin", "carbapenem"),
    "cephalosporin": ("penicillin",),
    "nsaid": (),
    "salicylate": ("nsaid",),
}
_TOO_WIDE = frozenset(
    {"antibiotic", "antihypertensive", "analgesic", "inhaler", "antidepressant", "diuretic", "blood thinner"}
)
_GENERAL = {"sulfa": "sulfonamide", "penicillins": "penicillin", "nsaids": "nsaid", "cephalosporins": "cephalosporin"}


def allergies(checked: Checked) -> Sequence[Finding]:
    """A drug that the chart lists as an allergy, or of the same class; allergies denied that the chart lists."""
    listed = _listed(checked.sources)
    if not listed:
        return ()
    shown = ", ".join(sorted(listed)[:5])
    found: list[Finding] = []
    for i, sentence in enumerate(checked.sentences):
        prose = uncited(sentence)
        if _NONE.search(prose):
            found.append(finding("allergies", "critical", f"The chart lists an allergy: {shown}.", i))
            continue
        if _WARNS.search(prose):
            continue
        recommends = _RECOMMENDS.search(prose) is not None
        if not recommends and any(_is_allergy(source) for source in checked.cited(sentence)):
            continue
        for drug in sorted(drugs_in(prose)):
            reason = _conflict(drug, listed)
            if reason:
                sure, text = reason
                found.append(finding("allergies", "critical" if sure and recommends else "caution", text, i))
    return found


def _is_allergy(source: Source) -> bool:
    return source.label.replace(" ", "").startswith("AllergyIntolerance")


def _listed(sources: Sequence[Source]) -> set[str]:
    """The substances that the chart lists as active allergies, as they are named: drugs, classes, else words."""
    found: set[str] = set()
    for source in sources:
        structured = _is_allergy(source)
        if structured and _ENDED.search(source.text):
            continue
        parts = [source.text.partition(":")[2] or source.text] if structured else []
        if not structured:
            parts = [
                one or other for one, other in _LABELLED.findall(source.text) if not _NONE.search(f"no {one or other}")
            ]
        for part in parts:
            if not (_NONE.search(part) or re.match(r"\W*(?:no\b|none|nkda|nka)", part, re.I)):
                found |= _substances(part, named_alone=structured)
    return found


def _substances(text: str, *, named_alone: bool) -> set[str]:
    lower = text.lower()
    found = drugs_in(text) | (classes_in(text) - _TOO_WIDE)
    found |= {name for word, name in _GENERAL.items() if re.search(rf"\b{word}\b", lower)}
    if found or not named_alone:
        return found
    return {re.split(r"[:(,]", text)[0].strip().lower()[:60]} - {""}


def _conflict(drug: str, listed: set[str]) -> tuple[bool, str] | None:
    """Whether a drug is, surely or possibly, what the chart lists; with the reason."""
    if drug in listed:
        return True, f"The chart lists an allergy to {drug}."
    mine = classes_of(drug) - _TOO_WIDE
    for name in sorted(listed):
        theirs = {name} if members(name) else classes_of(name) - _TOO_WIDE
        same = mine & theirs
        if same:
            return True, f"{drug} is a {min(same)}, and the chart lists an allergy to {name}."
        if any(other in mine for one in theirs for other in _CROSS.get(one, ())):
            return False, f"{drug} may cross-react: the chart lists an allergy to {name}."
    return None
