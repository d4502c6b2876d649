"""Replies with something changed in them: each is read or is an error of ours, in time, and never anything else."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from careplane.errors import UpstreamError
from careplane.providers import Chunk, ToolDelta

from .conftest import Line
from .shelf import request, tool
from .test_contract import collect
from .upstream import Asked, Http, Step, well_behaved

TRIES = 150
_VALUES: tuple[Any, ...] = (None, True, -1, 10**400, 0.5, "", "x", "\ud800", [], [[]], {}, {"text": 1}, [None], [{}])


def answer(_: Asked) -> list[Chunk]:
    """A reply with one of everything."""
    return [
        Chunk(reasoning="Hm."),
        Chunk(text="Grüße "),
        Chunk(text="🙂"),
        Chunk(tool_calls=(ToolDelta(index=0, id="call_1", name="find_drug"),)),
        Chunk(tool_calls=(ToolDelta(index=0, arguments='{"drug": "x"}'),)),
        Chunk(finish_reason="tool_calls"),
        Chunk(input_tokens=11, output_tokens=7, cached_tokens=4),
    ]


def bytes_changed(pieces: list[bytes], dice: random.Random) -> list[bytes]:
    """A byte, a piece or a span that is another, gone, doubled or moved."""
    pieces = list(pieces)
    at = dice.randrange(len(pieces))
    piece = pieces[at]
    place = dice.randrange(len(piece))
    match dice.randrange(6):
        case 0:
            pieces[at] = piece[:place] + bytes([dice.randrange(256)]) + piece[place + 1 :]
        case 1:
            pieces[at] = piece[:place] + piece[place + dice.randrange(1, 9) :] or b" "
        case 2:
            pieces[at] = piece * 2
        case 3:
            dice.shuffle(pieces)
        case 4:
            del pieces[at:]
            pieces.append(b" ")
        case _:
            pieces[at] = dice.randbytes(dice.randrange(1, 200))
    return pieces


def value_changed(body: bytes, dice: random.Random) -> bytes:
    """One value of a JSON body, at any depth, is of another kind or gone."""
    given = json.loads(body)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    walk(given)
    holder, key = dice.choice(places)
    if dice.random() < 0.2:
        del holder[key]
    else:
        holder[key] = dice.choice(_VALUES)
    return json.dumps(given).encode()


def outcomes(line: Line, stream: bool, change: Callable[[Http, random.Random], Http]) -> dict[str, int]:
    """How often changed replies were read, and how often they were an error."""
    found = {"read": 0, "refused": 0}
    line.endpoint.answer = answer
    dice = random.Random(20260302)

    def changed(http: Http) -> list[Step]:
        return well_behaved(change(http, dice))

    line.endpoint.manner = changed

    async def run() -> None:
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(10):
                    await collect(line.provider, request(stream=stream, tools=[tool("find_drug")]))
                found["read"] += 1
            except UpstreamError:
                found["refused"] += 1

    asyncio.run(run())
    return found


def test_a_changed_stream_is_read_or_refused(line: Line) -> None:
    def change(http: Http, dice: random.Random) -> Http:
        return Http(200, http.content_type, bytes_changed(http.pieces, dice), streamed=True)

    found = outcomes(line, True, change)
    assert found["refused"] > TRIES / 5
    assert sum(found.values()) == TRIES


@pytest.mark.parametrize("kind", ["values", "bytes"])
def test_a_changed_body_is_read_or_refused(line: Line, kind: str) -> None:
    def change(http: Http, dice: random.Random) -> Http:
        (body,) = http.pieces
        changed = value_changed(body, dice) if kind == "values" else b"".join(bytes_changed([body], dice))
        return Http(200, http.content_type, [changed])

    found = outcomes(line, False, change)
    assert found["refused"] > TRIES / 10
    assert sum(found.values()) == TRIES
