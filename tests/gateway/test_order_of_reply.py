"""A client sees thinking, text and tool calls in the order in which the model gave them, whatever is held back."""

import re
from itertools import groupby

import pytest

from careplane.gateway.replying import Returning
from careplane.records import JSON
from careplane.records.model import Chunk, ToolDelta
from careplane.shield import Shield
from careplane.shield.guards import ToolPolicy

CHART: list[JSON] = [{"resourceType": "Patient", "name": [{"family": "Quackenbush", "given": ["Zebulon"]}]}]
BODY: JSON = {
    "messages": [{"role": "user", "content": "My name is Zebulon Quackenbush."}],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
}
CALL = Chunk(tool_calls=(ToolDelta(index=0, id="c1", name="weather", arguments="{}"),))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_is_held_back_comes_before_what_follows(size: int) -> None:
    session = Shield(CHART).request(BODY)
    content = session.body["messages"][0]["content"]
    surrogate = re.sub(r"^My name is |\.$", "", content)
    returning = Returning(session, ToolPolicy.of_body(("weather",), BODY), ())
    thought, text = f"It is {surrogate}", f"Hello {surrogate}"
    chunks = [Chunk(reasoning=thought[i : i + size]) for i in range(0, len(thought), size)]
    chunks += [Chunk(text=text[i : i + size]) for i in range(0, len(text), size)]
    seen: list[tuple[str, str]] = []
    for out in [*map(returning.take, [*chunks, CALL, Chunk(finish_reason="tool_calls")]), returning.finish()]:
        if out is not None:
            seen += [("reasoning", out.reasoning), ("text", out.text), ("call", "x" if out.tool_calls else "")]
    seen = [one for one in seen if one[1]]
    assert [kind for kind, _ in groupby(kind for kind, _ in seen)] == ["reasoning", "text", "call"]
    assert "".join(piece for kind, piece in seen if kind == "reasoning") == "It is Zebulon Quackenbush"
    assert "".join(piece for kind, piece in seen if kind == "text") == "Hello Zebulon Quackenbush"
    assert "".join(returning.reply.text) == "Hello Zebulon Quackenbush"
    assert "".join(returning.reply.reasoning) == "It is Zebulon Quackenbush"
