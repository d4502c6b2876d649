"""Output checks on safety: urgent messages, leftovers of the shield, links, and instructions from untrusted text."""

import re
from collections.abc import Sequence

from careplane.records.run import Finding
from careplane.shield.checked import Checked
from careplane.shield.red_flags import red_flag

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
