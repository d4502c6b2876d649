"""The cache of replies: what is never shared, what is not kept, and its bounds."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.gateway.cache import Asked, ReplyCache, why_not
from careplane.records.model import ModelCall, ModelReply, Usage

BODY = {"messages": [{"role": "user", "content": "Summarise the visit."}], "temperature": 0}
ASKED = Asked("an_app", "1.0.0", "p1", "default", "m", "Patient/1", BODY)


def reply(text: str = "Fine.", finish: str = "stop") -> ModelReply:
    call = ModelCall(
        id="c",
        route="default",
        provider="p",
        model="m",
        usage=Usage(input_tokens=1, output_tokens=1, cost_usd=0.0),
        latency_ms=1.0,
        surrogates=0,
        at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    return ModelReply(text=text, call=call, finish_reason=finish)


def test_two_patients_with_the_same_text_never_share() -> None:
    cache = ReplyCache()
    cache.put(cache.key(ASKED), reply("of patient 1"))
    assert cache.get(cache.key(ASKED._replace(patient="Patient/2"))) is None
    assert cache.get(cache.key(ASKED._replace(patient=None))) is None
    assert cache.get(cache.key(ASKED._replace(patient=""))) is None
    found = cache.get(cache.key(ASKED))
    assert found is not None
    assert found.text == "of patient 1"


@pytest.mark.parametrize(
    "change",
    [
        {"app": "other"},
        {"app_version": "1.0.1"},
        {"policy_version": "p2"},
        {"route": "fast"},
        {"model": "m2"},
        {"body": {**BODY, "temperature": 0.1}},
        {"body": {**BODY, "max_tokens": 7}},
    ],
)
def test_anything_that_may_change_the_answer_is_in_the_key(change: dict[str, object]) -> None:
    cache = ReplyCache()
    assert cache.key(ASKED) != cache.key(ASKED._replace(**change))  # type: ignore[arg-type]
    assert cache.key(ASKED) == cache.key(ASKED._replace(body=dict(reversed(BODY.items()))))


@given(st.tuples(*[st.text(max_size=6)] * 5), st.tuples(*[st.text(max_size=6)] * 5))
def test_keys_of_different_requests_differ(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    cache = ReplyCache()
    first, second = Asked(*one, "Patient/1", BODY), Asked(*two, "Patient/1", BODY)  # type: ignore[call-arg, arg-type]
    assert (cache.key(first) == cache.key(second)) == (one == two)


def test_the_key_says_nothing_to_another_process() -> None:
    assert ReplyCache().key(ASKED) != ReplyCache().key(ASKED)


def ask_why(**change: object) -> str | None:
    given_: dict[str, object] = {
        "body": BODY,
        "app_opted_in": True,
        "request_opted_in": False,
        "stream": False,
        "patient": "Patient/1",
        "identifiers": 3,
    }
    return why_not(**(given_ | change))  # type: ignore[arg-type]


def test_who_may_be_answered_from_it() -> None:
    hot = {**BODY, "temperature": 0.7}
    assert ask_why() is None
    assert ask_why(body=hot, request_opted_in=True) is None
    assert ask_why(stream=True) is None
    assert ask_why(patient=None, identifiers=0) is None
    assert ask_why(app_opted_in=False, request_opted_in=True) == "the app has not opted in"
    assert "temperature" in str(ask_why(body=hot))
    assert "temperature" in str(ask_why(body={"messages": []}))
    assert "tools" in str(ask_why(stream=True, body={**BODY, "tools": [{}]}))
    assert "several" in str(ask_why(body={**BODY, "n": 2}))
    assert "not named" in str(ask_why(patient=None, identifiers=1))


def test_replies_end_with_time_and_room() -> None:
    now = [0.0]
    cache = ReplyCache(most_bytes=80_000, ttl_seconds=60, clock=lambda: now[0])
    keys = [cache.key(ASKED._replace(patient=f"Patient/{i}")) for i in range(40)]
    for key in keys:
        assert cache.put(key, reply("x" * 1000))
    assert cache.status.size_bytes <= 80_000
    assert cache.get(keys[0]) is None
    assert cache.get(keys[-1]) is not None
    assert not cache.put(keys[0], reply("x" * 3000)), "one reply may not push out all others"
    now[0] = 61
    assert cache.get(keys[-1]) is None
    assert cache.status.replies == 0
    assert (cache.status.hits, cache.status.misses) == (1, 2)


def test_what_was_cut_or_filtered_is_not_kept_and_clear_forgets() -> None:
    cache = ReplyCache()
    key = cache.key(ASKED)
    for finish in ("length", "content_filter", "aborted"):
        assert not cache.put(key, reply(finish=finish))
    assert cache.put(key, reply())
    cache.clear()
    assert cache.get(key) is None
