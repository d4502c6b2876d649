"""The parts of the gateway benchmark that could tell something false: what they read, and what they count as wrong."""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import _bodies
import _faults
import _proc
import _upstream
from _load import Reply, ask_each, parse_wrk, percentile, streams
from _parts import Measured
from _targets import Target, free_port, running

WRK = """Running 2s test @ http://127.0.0.1:9001/v1/chat/completions
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.24ms    2.68ms  18.37ms   83.50%
    Req/Sec    24.68k     4.54k   35.11k    70.00%
  Latency Distribution
     50%  526.00us
     75%    3.47ms
     90%    6.37ms
     99%    1.06s
  73739 requests in 3.00s, 183.26MB read
  Socket errors: connect 0, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 7
Requests/sec:  24568.00
Transfer/sec:     61.06MB
"""
BODY = {"model": "mock", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def upstream(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Target]:
    """The stand-in for a provider, as a process; options by parameter."""
    port = free_port()
    script = str(Path(_upstream.__file__))
    target = Target("upstream", (sys.executable, script, "--port", str(port), *request.param), port)
    with running(target, tmp_path, "0"):
        yield target


def test_what_wrk_prints_is_read() -> None:
    load = parse_wrk(WRK.replace("1.06s", "1.06s  "))
    assert (load.requests, load.rps, load.p50_ms, load.p99_ms, load.errors) == (73739, 24568.0, 0.526, 1060.0, 12)


def test_wrk_without_an_answer_has_no_percentiles() -> None:
    load = parse_wrk("  0 requests in 2.00s, 0.00B read\nRequests/sec:      0.00\n")
    assert (load.requests, load.p50_ms) == (0, 0.0)
    with pytest.raises(ValueError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


def test_percentiles_are_values_that_occurred() -> None:
    assert [percentile([5, 1, 4, 2, 3], at) for at in (1, 50, 99)] == [1, 3, 5]
    assert percentile([], 50) == 0


def test_processor_time_is_read_though_a_name_has_brackets() -> None:
    assert _proc.ticks("7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 11 22 3 4 20 0 1 0 99") == 40
    before = _proc.processor_s(os.getpid())
    sum(range(5_000_000))
    assert _proc.processor_s(os.getpid()) > before
    assert _proc.resident_mb(os.getpid()) > 5


def test_ratios_are_taken_within_a_round_and_not_at_all_with_errors() -> None:
    found = Measured()
    for ours, theirs in ((30.0, 10.0), (90.0, 30.0), (8.0, 4.0)):
        found.add("ours", "32", {"rps": ours, "errors": 0})
        found.add("theirs", "32", {"rps": theirs, "errors": 0})
    assert found.against("ours", "theirs", "32", "rps") == 3
    found.add("ours", "32", {"rps": 1, "errors": 1})
    assert found.against("ours", "theirs", "32", "rps") is None
    assert found.wrong() == {"ours": 1}


@pytest.mark.parametrize("upstream", [("--echo",)], indirect=True)
def test_replies_are_read_whole_and_as_streams(upstream: Target) -> None:
    numbers = itertools.count()
    texts: list[str] = []

    def bodies() -> bytes | None:
        number = next(numbers)
        return upstream.asked({**BODY, "stream": number % 2 == 0}).body if number < 20 else None

    def check(_: bytes, reply: Reply) -> None:
        texts.append(_faults.said(reply))

    assert asyncio.run(ask_each(upstream.asked(BODY), bodies, check, 4)) == 0
    assert texts == ["hello"] * 20


@pytest.mark.parametrize("upstream", [("--chunks", "5", "--delay-ms", "20", "--interval-ms", "5")], indirect=True)
def test_events_of_streams_are_counted(upstream: Target) -> None:
    found = asyncio.run(streams(upstream.asked({**BODY, "stream": True}), 3, 1.2))
    assert found.done >= 3
    assert found.failed == 0
    assert found.chunks == 6 * found.done  # the last one says that it ends
    assert len(found.first_ms) == found.done


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("About CANARY-00000000000000ab: fine", None),
        ("", "empty"),
        ("About CANARY-00000000000000ab and CANARY-00000000000000cd", "crossed"),
        ("About nobody", "own one missing"),
    ],
)
def test_a_reply_that_crosses_or_is_empty_is_seen(said: str, wrong: str | None) -> None:
    reply = Reply(200, b"HTTP/1.1 200 OK\r\n\r\n", _upstream.completion(said))
    assert _faults.wrong_with(b"CANARY-00000000000000ab", reply) == wrong
    refused = Reply(503, b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"{}")
    assert _faults.wrong_with(b"CANARY-00000000000000ab", refused) == "status 503"


def test_the_body_has_the_size_that_it_is_said_to_have() -> None:
    assert len(Target("t", (), 1).asked(_bodies.chat()).body) == _bodies.SIZE
