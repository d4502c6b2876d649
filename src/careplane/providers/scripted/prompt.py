"""Reading the conventions of Careplane's prompts: task, language, the quoted message and the numbered sources."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from careplane.records.model import Message

_SECTION = r"<{0}>\s*(.*?)\s*</{0}>"
_SOURCE = re.compile(r"^\s*\[(\d{1,3})\]\s*(.+?)\s*$", re.M)
_FIRST_NAME = (
    re.compile(r"(?:first|given) name:?\s+(\[[A-Z]+-[\d-]+\]|[^\W\d_][\w'’-]*)", re.I),
    re.compile(r"\bpatient:\s*(\[NAME-[\d-]+\]|[A-Z][\w'’-]*)", re.I),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One source as the prompt numbers it."""

    n: int
    text: str

    @property
    def kind(self) -> str:
        """The type of the resource, where the line names one before its colon (``2026-03-01 Slot: ...``).

        The quarantine of untrusted text writes ``Task - ...`` for ``Task: ...``, which would read as an instruction.
        """
        return re.split(r":| - ", self.text, maxsplit=1)[0].rpartition(" ")[2]

    def has(self, *words: str) -> bool:
        """Whether any of the words begins a word of the line; case does not matter."""
        return any(re.search(rf"\b{re.escape(word)}", self.text, re.I) for word in words)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the scripted model reads in a prompt."""

    task: str
    language: str
    message: str
    sources: tuple[Line, ...]
    ask: str

    @property
    def first_name(self) -> str:
        """The patient's first name (or its placeholder) when a source gives it, else empty."""
        for pattern in _FIRST_NAME:
            for line in self.sources:
                found = pattern.search(line.text)
                if found:
                    return found[1]
        return ""

    def about(self, *words: str, limit: int = 3) -> list[Line]:
        """The first sources that hold one of the words."""
        return [line for line in self.sources if line.has(*words)][:limit]


def read_prompt(messages: Sequence[Message]) -> Prompt:
    """Read the messages of a request; what does not follow the conventions is a generic task."""
    system = "\n".join(message.content for message in messages if message.role == "system")
    user = "\n".join(message.content for message in messages if message.role == "user")
    task = re.search(r"^TASK:\s*(\w+)", system, re.M)
    language = re.search(r"^LANGUAGE:\s*([a-z]{2})", system, re.M)
    sources = _section("sources", user)
    return Prompt(
        task=task[1] if task else "generic",
        language=language[1] if language else "en",
        message=_section("message", user),
        sources=tuple(Line(int(n), text) for n, text in _SOURCE.findall(sources)),
        ask=user.strip(),
    )


def _section(name: str, text: str) -> str:
    found = re.search(_SECTION.format(name), text, re.S)
    return found[1] if found else ""
