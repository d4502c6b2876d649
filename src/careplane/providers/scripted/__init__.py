"""A scripted model: no AI, no network, deterministic. It lets anybody try and test every app, and says what it is.

It reads the conventions of Careplane's prompts (``TASK:`` and ``LANGUAGE:`` in the system message, ``<message>`` and
``<sources>`` in the user message) and templates a draft from the sources, each factual sentence with its citation.
A stated share of drafts has one seeded fault (:mod:`careplane.providers.scripted.faults`). It calls tools that a
message names, fills in JSON schemas and hashes texts to vectors; its tokens are words.

Settings: ``fault_percent`` (default 6), ``delay_ms`` before the first word (default 0): a model that takes its time.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping

from careplane.errors import SettingsError
from careplane.providers import ChatRequest, Chunk, Embeddings, EmbedRequest, Provider
from careplane.providers.scripted.calls import deltas, wanted
from careplane.providers.scripted.faults import digest, with_fault
from careplane.providers.scripted.instances import Writer
from careplane.providers.scripted.judging import judge_quality
from careplane.providers.scripted.paperwork import appeal_letter, authorisation_answers
from careplane.providers.scripted.prompt import Prompt, read_prompt
from careplane.providers.scripted.public import access_answer, plain_instructions
from careplane.providers.scripted.replies import draft_reply
from careplane.providers.scripted.rounds import infection_candidates, shift_handoff, visit_note
from careplane.providers.scripted.summaries import discharge_summary, generic, huddle_brief, summarise
from careplane.providers.scripted.vectors import DIMENSIONS, vector

TASKS: Mapping[str, Callable[[Prompt], str]] = {
    "draft_reply": draft_reply,
    "summarise": summarise,
    "discharge_summary": discharge_summary,
    "huddle_brief": huddle_brief,
    "visit_note": visit_note,
    "shift_handoff": shift_handoff,
    "infection_candidates": infection_candidates,
    "authorisation_answers": authorisation_answers,
    "appeal_letter": appeal_letter,
    "plain_instructions": plain_instructions,
    "access_answer": access_answer,
}
JUDGING = "judge_quality"
"""The task whose reply is JSON by itself, and never has a seeded fault."""
_WORD = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+$")


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001 - the name every item of the shelf has
    """Open the scripted model.

    Raises:
        SettingsError: ``fault_percent`` is not a number from 0 to 100, or ``delay_ms`` none from 0 to 600,000.
    """
    percent = _number(settings, "fault_percent", "6", 100)
    delay = _number(settings, "delay_ms", "0", 600_000) / 1000

    async def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        read = sum(len(message.content.split()) for message in request.messages)
        if delay:
            await asyncio.sleep(delay)
        calls = wanted(request.body)
        if calls:
            for delta in deltas(calls, digest(request.messages)):
                yield Chunk(tool_calls=(delta,))
            yield Chunk(finish_reason="tool_calls", input_tokens=read, output_tokens=len(calls))
            return
        words = _WORD.findall(write(request, percent))
        kept = words[: request.max_tokens]
        for word in kept:
            yield Chunk(text=word)
        reason = "stop" if len(kept) == len(words) else "length"
        yield Chunk(finish_reason=reason, input_tokens=read, output_tokens=len(kept))

    return Provider(
        name="scripted",
        model="scripted-1",
        chat=chat,
        embed=embed,
        label="Scripted model: no AI, text templated from the context",
    )


def _number(settings: Mapping[str, str], name: str, default: str, most: float) -> float:
    given = settings.get(name) or default
    try:
        number = float(given)
    except ValueError as error:
        raise SettingsError(f"{given!r} is not a number", field=name) from error
    if not 0 <= number <= most:
        raise SettingsError(f"{given} is not from 0 to {most:g}", field=name)
    return number


async def embed(request: EmbedRequest) -> Embeddings:
    """Hashed vectors: no model either."""
    vectors = tuple(vector(text, request.dimensions or DIMENSIONS) for text in request.inputs)
    return Embeddings(vectors=vectors, input_tokens=sum(len(text.split()) for text in request.inputs))


def write(request: ChatRequest, fault_percent: float) -> str:
    """The whole reply to a request, in the form that it asks for."""
    prompt = read_prompt(request.messages)
    if prompt.task == JUDGING:
        return judge_quality(prompt)
    text = _draft(request, fault_percent)
    wanted_format = request.body.get("response_format") or {}
    if wanted_format.get("type") == "json_schema":
        return Writer(wanted_format["json_schema"].get("schema") or {}, text).write()
    return json.dumps({"text": text}, ensure_ascii=False) if wanted_format.get("type") == "json_object" else text


def _draft(request: ChatRequest, fault_percent: float) -> str:
    prompt = read_prompt(request.messages)
    last = request.body["messages"][-1]
    if last["role"] == "tool" and prompt.task not in TASKS:
        return f"This is a scripted reply without any AI. The tool answered: {request.messages[-1].content[:200]}"
    text = TASKS.get(prompt.task, generic)(prompt)
    return with_fault(text, digest(request.messages), fault_percent)
