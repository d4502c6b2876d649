"""A client that goes away stops the provider, and what was used until then is on record."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest

from careplane.providers import ChatRequest, Chunk, Provider

from .conftest import Serving, site


def endless(stopped: threading.Event) -> Provider:
    """A provider that talks until it is stopped."""

    async def chat(_request: ChatRequest) -> AsyncIterator[Chunk]:
        try:
            while True:
                yield Chunk(text="more ")
                await anyio.sleep(0.001)
        finally:
            stopped.set()

    return Provider("endless", "endless-1", chat)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_stops_the_provider(tmp_path: Path, serving: Serving, stream: bool) -> None:
    stopped = threading.Event()
    body = {"model": "default", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    with site(tmp_path, serving, {"default": endless(stopped)}) as served:
        headers = {"Authorization": f"Bearer {served.key}"}
        url = f"{served.url}/v1/chat/completions"
        if stream:
            with httpx.stream("POST", url, json=body, headers=headers) as response:
                next(response.iter_lines())
        else:
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(url, json=body, headers=headers, timeout=0.5)
        assert stopped.wait(10)
    # The server has ended, so every request it had is settled.
    (record,) = served.ledger.records(kind="model_call")
    assert record.facts["finish"] == "aborted"
