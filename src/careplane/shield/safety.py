"""Output checks on safety: urgent messages, leftovers of the shield, links, and instructions from untrusted text."""

import re
from collections.abc import Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked
from careplane.shield.folding import fold

_CHEST = r"chest(?! (?:of drawers|freezer|strap|x-?ray))\b"
_FEELING = (
    r"(?:(?<!blood )pressure|pains?|tight(?:ness)?|heav(?:y|iness)|weight|squeez\w*|crushing|burning|ach(?:es?|ing)"
    r"|discomfort|hurts?|sitting)"
)
_PLACE = r"(?:my|the|his|her|left|right|upper|lower|mid(?:dle)?|cent(?:er|re)|side|part|whole|of)"
_CHEST_EN = (
    rf"{_CHEST} (?:pains?|pressure|tightness|heaviness|discomfort|hurts|aches)"
    rf"|{_CHEST} (?:is|feels?|has been|was) (?:\w+ )?(?:tight|heavy|hurting|aching|burning|painful|crushed)"
    rf"|{_FEELING}(?: (?:feeling|sensation))?(?: (?:is|right|deep|all|here|down))?"
    rf" (?:in|on|inside|across|around|over|of) (?:{_PLACE} ){{0,5}}{_CHEST}"
)
_CHEST_ES = (
    r"(?:dolor|presion|opresion|peso|ardor|punzadas?|molestias?)(?: \w+){0,2} (?:en (?:el|mi)|de|del) pecho"
    r"|duele(?: \w+)? (?:el|mi) pecho|(?:el|mi) pecho (?:me )?(?:duele|aprieta|oprime)|aprieta el pecho"
)
_RED_FLAG = re.compile(
    rf"\b(?:{_CHEST_EN}|{_CHEST_ES})\b|"
    r"(?:trouble|difficulty|hard(?:er)?|struggling|can'?t|cannot|unable|hardly|barely)"
    r"(?: (?:it is|to|with|time))* ?breath\w*|short(?:ness)? of breath|suicid\w*|kill(?:ing)? myself"
    r"|end(?:ing)? my life"
    r"|want(?:ed)? to die|better off (?:dead|without me)|hurt(?:ing)? myself|face (?:is |looks |feels )?droop\w*|slurred speech|(?:sudden|new) (?:weakness|numbness)"
    r"|passed out|faint(?:ed|ing)|cough\w* (?:up )?blood|vomit\w* blood|black(?:,)? tarry|worst headache"
    r"|throat (?:is )?(?:closing|swelling)|overdos\w+|severe (?:bleeding|allergic)|bleeding (?:that )?won'?t stop"
    r"|falta (?:de|el) aire|no puedo respirar|(?:dificultad|dificil|cuesta|problemas|trabajo)(?: \w+)? respirar"
    r"|me (?:ahogo|asfixio|desmaye)|matarme|quitarme la vida|quiero morir",
    re.I,
)
_NOT_NOW = re.compile(
    r"(?:\bno\b|\bnot\b|\bdenies\b|\bwithout\b|\bnever\b|n['’]t (?:have|had)|\bsin\b)(?:\W+\w+){0,3}\W*$", re.I
)
_URGENT_CARE = re.compile(
    r"\b(?:911|988|112|999)\b|emergency (?:room|department|services|number|care)|nearest (?:er|emergency)|urgent care"
    r"|call us (?:right away|now|immediately)|(?:servicios? de )?(?:urgencias|emergencias?)",
    re.I,
)
_SURROGATE = re.compile(
    r"\\?\[?(?:NAME|GEO|STREET|DATE|PHONE|EMAIL|SSN|MRN|PLAN|ACCOUNT|LICENSE|DEVICE|VEHICLE|URL|IP|AGE|OTHERID)"
    r"[-_ ]\d{3,6}(?:-\d+)?\\?\]?"
)
_LINK = re.compile(
    r"!?\[[^\]]*\]\(\s*[^)\s]+[^)]*\)|<img\b[^>]*>|<a\b[^>]*>|(?:https?|ftp|data|javascript):[^\s)>\]]+", re.I
)
_ECHO = re.compile(
    r"^\s*(?:TASK:|LANGUAGE:|<\/?(?:message|sources)>)|<\/?(?:message|sources)>|you are (?:an?|the) (?:ai|assistant)"
    r"|as an ai\b|my instructions|system prompt|here is (?:the|a) (?:draft|reply|summary)",
    re.I | re.M,
)
_INJECTION = re.compile(
    r"(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompt|rules|above|previous)"
    r"|you are now\b|new instructions?:|system\s*:|</?(?:system|instructions?|sources|message)>|act as (?:an?|my)\b"
    r"|(?:reveal|print|repeat|show)\b.{0,30}\b(?:prompt|instructions)"
    r"|do not tell (?:the )?(?:doctor|clinician|reviewer)"
    r"|(?:other|another|all) patients?['’]?s? (?:records?|data|chart)|send\b.{0,40}\bhttps?:",
    re.I | re.S,
)


def red_flag(message: str) -> str | None:
    """The words of an emergency in a patient's message (English, Spanish), unless they are denied just before.

    Accents, typographic quotes and the breaks of lines make no difference.
    """
    folded = fold(message)
    for found in _RED_FLAG.finditer(folded.text):
        start, end = folded.original(*found.span())
        clause = re.split(r"[.;!?\n]|\bbut\b|\bpero\b", message[:start], flags=re.I)[-1]
        if not _NOT_NOW.search(clause):
            return " ".join(message[start:end].split())
    return None


def urgent(checked: Checked) -> Sequence[Finding]:
    """A message with a red flag, answered without directing the patient to urgent care."""
    flag = red_flag(checked.request_text)
    if flag is None or _URGENT_CARE.search(checked.text):
        return ()
    text = f"The message mentions “{flag.lower()}”, but the draft does not direct the patient to urgent care."
    return (Finding(check="urgent", severity="critical", text=text),)


def surrogates(checked: Checked) -> Sequence[Finding]:
    """A placeholder of the shield that was not turned back into its original."""
    return tuple(
        Finding(
            check="surrogates",
            severity="critical",
            text=f"The draft holds the placeholder {found.group()}, which stands for something in the chart.",
            sentence=i,
        )
        for i, sentence in enumerate(checked.sentences)
        for found in _SURROGATE.finditer(sentence)
        if found.group() not in checked.request_text
    )


def links(checked: Checked) -> Sequence[Finding]:
    """A link or image, by which a reply can carry data to a foreign host; see :func:`strip_links`."""
    return tuple(
        Finding(check="links", severity="critical", text="The draft holds a link or an image.", sentence=i)
        for i, sentence in enumerate(checked.sentences)
        if _LINK.search(sentence)
    )


def strip_links(text: str) -> str:
    """The text with every link and image replaced by ``(link removed)``."""
    return _LINK.sub("(link removed)", text)


def echo(checked: Checked) -> Sequence[Finding]:
    """The prompt's own words in the draft, or the model speaking about itself."""
    return tuple(
        Finding(check="echo", severity="caution", text="The draft speaks of its own instructions.", sentence=i)
        for i, sentence in enumerate(checked.sentences)
        if _ECHO.search(sentence)
    )


def injection(checked: Checked) -> Sequence[Finding]:
    """A message that tries to instruct the model: a signal for the reviewer, not a boundary."""
    if not _INJECTION.search(checked.request_text):
        return ()
    text = "The message reads like an instruction to the model; check that the draft does not follow it."
    return (Finding(check="injection", severity="caution", text=text),)
