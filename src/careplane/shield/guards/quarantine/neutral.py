"""Untrusted text that can no longer pose as a part of the prompt: one place for all of it."""

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ud800-\uf8ff\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
"""Controls, formats (zero-width, bidirectional, tags), variation selectors, surrogates and private use."""

_ANGLES = str.maketrans({"<": "‹", ">": "›", "＜": "‹", "＞": "›", "﹤": "‹", "﹥": "›", "〈": "‹", "〉": "›"})
_CODED_ANGLE = re.compile(r"&(?:(lt|#0*60|#x0*3c)|gt|#0*62|#x0*3e);?", re.IGNORECASE)
_CITATION = re.compile(r"[\[［](\d[\d,\s]*)[\]］]")
_ROLE = r"(?:system|developer|user|assistant|human|tool|instructions?|response|prompt)"
_FENCE = re.compile(rf"[-=_*~]{{3,}}\s*((?:(?:begin|end|new)\s+)?{_ROLE}(?:\s+prompt)?)\s*[-=_*~]{{3,}}", re.IGNORECASE)
_HEADING = re.compile(rf"^[ \t]*(?:#{{1,6}}[ \t]*)+(?={_ROLE}\b)", re.IGNORECASE | re.MULTILINE)
_BRACKETED = re.compile(
    rf"[\[［](/?(?:inst|sys|{_ROLE}|(?:begin|end)_?[a-z_]*|available_tools|tool_calls|tool_results|im_start|im_end))[\]］]",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r"\b(TASK|LANGUAGE)\s*[:：]", re.IGNORECASE)
_SPEAKER = re.compile(
    r"^([ \t]*(?:system|developer|user|assistant|human|ai|tool))[ \t]*[:：]", re.IGNORECASE | re.MULTILINE
)
_SHOUTED = re.compile(r"\b(SYSTEM|DEVELOPER|ASSISTANT)[ \t]*[:：]")


def neutralise(text: str, *, citations: bool = True) -> str:
    """Quoted text without anything that a model or a template reads as structure.

    Angle brackets (also full-width and as HTML entities) become ``‹ ›``, which takes the meaning from tags,
    chat-template tokens and comments; role tokens in brackets, fences such as ``---user---``, headings such as ``###
    System``, speakers such as ``Assistant:`` and the directives of our own prompts lose their marks; characters that
    nobody sees (zero-width, bidirectional, tags, variation selectors, controls) are dropped; with ``citations`` a
    number in square brackets, which would pose as a source, gets round ones. Words stay as they are. Applying it
    twice changes nothing more.
    """
    text = _UNSEEN.sub("", text)
    while (changed := _without_marks(text, citations=citations)) != text:
        text = changed
    return text


def _without_marks(text: str, *, citations: bool) -> str:
    text = _CODED_ANGLE.sub(lambda found: "‹" if found[1] else "›", text).translate(_ANGLES)
    text = _FENCE.sub(r"- \1 -", text)
    text = _HEADING.sub("", text)
    text = _BRACKETED.sub(r"(\1)", text)
    text = _DIRECTIVE.sub(r"\1 -", text)
    text = _SHOUTED.sub(r"\1 -", _SPEAKER.sub(r"\1 -", text))
    return (_CITATION.sub(r"(\1)", text) if citations else text).strip()
