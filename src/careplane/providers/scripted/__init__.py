"""A scripted model: no AI, no network, deterministic. It lets anybody try and test every app, and says what it is.

It reads the conventions of Careplane's prompts (``TASK:`` and ``LANGUAGE:`` in the system message, ``<message>`` and
``<sources>`` in the user message) and templates a draft from the sources, each factual sentence with its citation.
A stated share of drafts has one seeded fault (:mod:`careplane.providers.scripted.faults`).

Settings: ``fault_percent`` (default 6).
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping

from careplane.errors import SettingsError
from careplane.providers import ChatRequest, Chunk, Provider
from careplane.providers.scripted.faults import digest, with_fault
from careplane.providers.scripted.prompt import Prompt, read_prompt
from careplane.providers.scripted.replies import draft_reply
from careplane.providers.scripted.summaries import discharge_summary, generic, huddle_brief, summarise

TASKS: Mapping[str, Callable[[Prompt], str]] = {
    "draft_reply": draft_reply,
    "summarise": summarise,
    "discharge_summary": discharge_summary,
    "huddle_brief": huddle_brief,
}
_WORD = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+$")


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001 - the name every item of the shelf has
    """Open the scripted model.

    Raises:
        SettingsError: ``fault_percent`` is not a number from 0 to 100.
    """
    given = settings.get("fault_percent") or "6"
    try:
        percent = float(given)
    except ValueError as error:
        raise SettingsError(f"{given!r} is not a number", field="fault_percent") from error
    if not 0 <= percent <= 100:
        raise SettingsError(f"{given} is not from 0 to 100", field="fault_percent")

    async def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        words = _WORD.findall(write(request, percent))
        kept = words[: request.max_tokens]
        for word in kept:
            yield Chunk(text=word)
        yield Chunk(finish_reason="stop" if len(kept) == len(words) else "length")

    return Provider(
        name="scripted",
        model="scripted-1",
        chat=chat,
        label="Scripted model: no AI, text templated from the context",
    )


def write(request: ChatRequest, fault_percent: float) -> str:
    """The whole reply to a request."""
    prompt = read_prompt(request.messages)
    text = TASKS.get(prompt.task, generic)(prompt)
    return with_fault(text, digest(request.messages), fault_percent)
