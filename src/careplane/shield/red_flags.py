"""The words of an emergency in a patient's message, in English and Spanish.

A list of phrases, not a triage: it is there to notice a draft that overlooks what a patient says in so many words. The
phrases are matched on folded text (:mod:`careplane.shield.folding`), so they are written without accents.
"""

import re

from careplane.shield.folding import fold

_CHEST = r"chest(?! (?:of drawers|freezer|strap|x-?ray))\b"
_FEELING = (
    r"(?:(?<!blood )pressure|pains?|tight(?:ness)?|heav(?:y|iness)|weight|squeez\w*|crushing|burning|ach(?:es?|ing)"
    r"|discomfort|hurts?|sitting)"
)
_PLACE = r"(?:my|the|his|her|left|right|upper|lower|mid(?:dle)?|cent(?:er|re)|side|part|whole|of)"
_PHRASES: tuple[str, ...] = (
    # the chest
    rf"\b{_CHEST} (?:pains?|pressure|tightness|heaviness|discomfort|hurts|aches)",
    rf"\b{_CHEST} (?:is|feels?|has been|was) (?:\w+ )?(?:tight|heavy|hurting|aching|burning|painful|crushed)",
    rf"\b{_FEELING}(?: (?:feeling|sensation))?(?: (?:is|right|deep|all|here|down))?"
    rf" (?:in|on|inside|across|around|over|of) (?:{_PLACE} ){{0,5}}{_CHEST}",
    r"\b(?:dolor|presion|opresion|peso|ardor|punzadas?|molestias?)(?: \w+){0,2} (?:en (?:el|mi)|de|del) pecho",
    r"\bduele(?: \w+)? (?:el|mi) pecho|\b(?:el|mi) pecho (?:me )?(?:duele|aprieta|oprime)|\baprieta el pecho",
    # the breath
    r"(?:trouble|difficulty|hard(?:er)?|struggling|can'?t|cannot|unable|hardly|barely)"
    r"(?: (?:it is|to|with|time))* ?breath\w*|short(?:ness)? of breath|throat (?:is )?(?:closing|swelling)",
    r"falta (?:de|el) aire|no puedo respirar|(?:dificultad|dificil|cuesta|problemas|trabajo)(?: \w+)? respirar",
    r"\bme (?:ahogo|asfixio|desmaye)",
    # the brain
    r"face (?:is |looks |feels )?droop\w*|slurred speech|(?:sudden|new) (?:weakness|numbness)|passed out"
    r"|faint(?:ed|ing)|worst headache",
    # bleeding, poisoning, allergy
    r"cough\w* (?:up )?blood|vomit\w* blood|black(?:,)? tarry|bleeding (?:that )?won'?t stop"
    r"|severe (?:bleeding|allergic)|overdos\w+",
    # harm to oneself
    r"suicid\w*|kill(?:ing)? myself|end(?:ing)? my life|want(?:ed)? to die|hurt(?:ing)? myself"
    r"|better off (?:dead|without me)|matarme|quitarme la vida|quiero morir",
)
_RED_FLAG = re.compile("|".join(_PHRASES), re.I)
_NOT_NOW = re.compile(
    r"(?:\bno\b|\bnot\b|\bdenies\b|\bwithout\b|\bnever\b|n['’]t (?:have|had)|\bsin\b)(?:\W+\w+){0,3}\W*$", re.I
)
_CLAUSE_END = re.compile(r"[.;:!?\n]|\b(?:but|pero)\b", re.I)


def red_flag(message: str) -> str | None:
    """The words of an emergency in a patient's message (English, Spanish), unless they are denied just before.

    Accents, typographic quotes and the breaks of lines make no difference.
    """
    folded = fold(message)
    for found in _RED_FLAG.finditer(folded.text):
        start, end = folded.original(*found.span())
        clause = _CLAUSE_END.split(message[:start])[-1]
        if not _NOT_NOW.search(clause):
            return " ".join(message[start:end].split())
    return None
