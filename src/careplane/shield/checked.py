"""What an output check is given, and how a draft is cut into sentences."""

import re
from collections.abc import Callable, Sequence

from careplane.records import Record
from careplane.records.app import Output
from careplane.records.run import Finding, Source


class Checked(Record, frozen=True):
    """A draft on its way to a reviewer.

    ``text`` has its originals restored, ``sentences`` are :func:`sentences` of it, ``sources`` are what it may cite as
    ``[n]``, ``request_text`` is the untrusted message that it answers (empty when there is none), ``cut`` says that the
    model stopped at its limit of tokens.
    """

    text: str
    sentences: tuple[str, ...]
    sources: tuple[Source, ...]
    output: Output
    request_text: str = ""
    cut: bool = False

    def cited(self, sentence: str) -> tuple[Source, ...]:
        """The sources that a sentence cites and that exist."""
        numbers = set(citations(sentence))
        return tuple(source for source in self.sources if source.n in numbers)


Check = Callable[[Checked], Sequence[Finding]]
"""One callable per seam: a pure function from a draft to what it saw."""

_CITATION = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_END = re.compile(r"[.!?]+[\"')\]]*(?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\][.!?]?)*(?=\s|$)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:dr|dra|mr|mrs|ms|sr|sra|st|vs|no|approx|e\.g|i\.e|etc|p\.o|b\.i\.d|t\.i\.d|q\.d|[A-Za-z])\.$", re.I
)


def citations(text: str) -> list[int]:
    """The numbers cited in a text as ``[1]`` or ``[1, 2]``; a surrogate such as ``[NAME-417]`` is not a citation."""
    return [int(number) for group in _CITATION.findall(text) for number in group.split(",")]


def uncited(text: str) -> str:
    """The text without its citations."""
    return _CITATION.sub("", text)


def sentences(text: str) -> tuple[str, ...]:
    """Cut a draft into sentences: at line ends, and after ``.``, ``!`` or ``?`` with the citations that follow.

    Titles (``Dr.``), initials and common abbreviations do not end a sentence. Joined by spaces the sentences hold every
    word of the text, in order.
    """
    found: list[str] = []
    for line in text.splitlines():
        start = 0
        for end in _END.finditer(line):
            head = line[start : end.end()]
            if _ABBREVIATION.search(head):
                continue
            found.append(head.strip())
            start = end.end()
        if line[start:].strip():
            found.append(line[start:].strip())
    return tuple(found)
