"""Tries, fallbacks, timeouts and the retry budget, over providers that are real async generators."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.errors import NotFound, UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.gateway.attempts import Call, Caller, RetryBudget, RetryRules
from careplane.gateway.breaker import BreakerRules, Breakers
from careplane.gateway.routing import Target, Timeouts
from careplane.providers import Chunk

A, B = Target(provider="a", model="m"), Target(provider="b", model="m")
QUICK = RetryRules(again=1, first_wait=0.001, longest_wait=0.002)
Said = str | UpstreamError | float
"""A piece of text, an error to raise, or seconds to wait."""


class Upstream:
    """Answers each call to a provider with the next of its scripts; the last one is said again and again."""

    def __init__(self, **scripts: Sequence[Sequence[Said]]) -> None:
        self.scripts = {name: list(script) for name, script in scripts.items()}
        self.calls: list[str] = []
        self.closed: list[str] = []
        self.sent = 0

    async def __call__(self, target: Target) -> AsyncIterator[Chunk]:
        self.calls.append(target.provider)
        script = self.scripts[target.provider]
        try:
            for said in script.pop(0) if len(script) > 1 else script[0]:
                if isinstance(said, UpstreamError):
                    raise said
                if isinstance(said, float):
                    await asyncio.sleep(said)
                else:
                    self.sent += 1
                    yield Chunk(text=said)
        finally:
            self.closed.append(target.provider)

    def answer(
        self, targets: Sequence[Target] = (A, B), caller: Caller | None = None, timeouts: Timeouts | None = None
    ) -> tuple[str, Call]:
        """The whole text, and how it was got; raises what the call raises, with the call as a note."""
        caller = caller or Caller(rules=QUICK)

        async def run() -> tuple[str, Call]:
            call = caller.begin(targets, timeouts)
            self.call = call
            return "".join([chunk.text async for chunk in call.stream(self)]), call

        return asyncio.run(run())


def outcomes(call: Call) -> list[tuple[str, str]]:
    return [(attempt.target[0], attempt.outcome) for attempt in call.attempts]


def test_the_first_target_answers() -> None:
    upstream = Upstream(a=[["one ", "two"]], b=[["never"]])
    text, call = upstream.answer()
    assert text == "one two"
    assert call.target == A
    assert outcomes(call) == [("a", "ok")]
    assert call.attempts[0].first_ms is not None
    assert upstream.closed == ["a"]


def test_a_failure_is_tried_again_then_elsewhere() -> None:
    upstream = Upstream(a=[[UpstreamError("no")]], b=[["from b"]])
    text, call = upstream.answer()
    assert text == "from b"
    assert call.target == B
    assert outcomes(call) == [("a", "failed"), ("a", "failed"), ("b", "ok")]
    assert call.attempts[1].waited_ms >= 0
    assert upstream.closed == ["a", "a", "b"]
    upstream = Upstream(a=[[UpstreamError("no")], ["from a"]], b=[["never"]])
    assert upstream.answer()[0] == "from a"


@pytest.mark.parametrize("error", [UpstreamBusy("later", 0.001), UpstreamTimeout("slow")])
def test_busy_and_slow_go_elsewhere_at_once(error: UpstreamError) -> None:
    upstream = Upstream(a=[[error]], b=[["from b"]])
    upstream.answer()
    assert upstream.calls == ["a", "b"]


def test_a_last_target_that_is_busy_is_waited_for_within_the_time() -> None:
    upstream = Upstream(a=[[UpstreamBusy("later", 0.01)], ["at last"]])
    text, call = upstream.answer([A])
    assert text == "at last"
    assert call.attempts[1].waited_ms >= 10
    upstream = Upstream(a=[[UpstreamBusy("much later", 3600.0)]])
    with pytest.raises(UpstreamBusy) as busy:
        upstream.answer([A])
    assert busy.value.retry_after == 3600.0
    assert upstream.calls == ["a"]
    upstream = Upstream(a=[[UpstreamBusy("within the time, but not for a waiting client", 15.0)]])
    with pytest.raises(UpstreamBusy):
        upstream.answer([A])
    assert upstream.calls == ["a"]


@pytest.mark.parametrize("code", ["invalid_request", "content_filter"])
def test_a_rejection_is_told_at_once(code: str) -> None:
    upstream = Upstream(a=[[UpstreamRejected("no", code)]], b=[["never"]])
    with pytest.raises(UpstreamRejected):
        upstream.answer()
    assert upstream.calls == ["a"]
    assert upstream.call.attempts[0].error == code


@pytest.mark.parametrize("code", ["context_length_exceeded", "not_found", "authentication"])
def test_a_rejection_that_another_model_may_not_share_goes_there(code: str) -> None:
    upstream = Upstream(a=[[UpstreamRejected("no", code)]], b=[["from b"]])
    assert upstream.answer()[0] == "from b"
    assert upstream.calls == ["a", "b"]


def test_the_last_error_is_raised_when_all_fail() -> None:
    upstream = Upstream(a=[[UpstreamError("first")]], b=[[UpstreamTimeout("last")]])
    with pytest.raises(UpstreamTimeout, match="last"):
        upstream.answer()
    assert outcomes(upstream.call) == [("a", "failed"), ("a", "failed"), ("b", "timeout")]


def test_after_the_first_piece_nothing_is_tried_again() -> None:
    upstream = Upstream(a=[["half", UpstreamError("cut")]], b=[["never"]])
    with pytest.raises(UpstreamError, match="cut"):
        upstream.answer()
    assert upstream.calls == ["a"]
    assert outcomes(upstream.call) == [("a", "failed")]


def test_empty_chunks_do_not_count_as_a_first_piece() -> None:
    upstream = Upstream(a=[["", UpstreamBusy("no")]], b=[["from b"]])
    assert upstream.answer()[0] == "from b"


def test_no_first_token_in_time_goes_elsewhere_and_the_whole_time_ends_it() -> None:
    upstream = Upstream(a=[[30.0]], b=[["from b"]])
    text, call = upstream.answer(timeouts=Timeouts(first_token=0.02))
    assert text == "from b"
    assert outcomes(call) == [("a", "timeout"), ("b", "ok")]
    assert upstream.closed == ["a", "b"]
    upstream = Upstream(a=[[30.0]], b=[["never"]])
    with pytest.raises(UpstreamTimeout):
        upstream.answer(timeouts=Timeouts(total=0.02))
    assert upstream.calls in (["a"], ["a", "b"])  # the time is over, whoever is asked
    upstream = Upstream(a=[["half", 30.0]], b=[["never"]])
    with pytest.raises(UpstreamTimeout, match="rest of its reply"):
        upstream.answer(timeouts=Timeouts(between=0.02))
    assert upstream.closed == ["a"]


def test_a_slow_client_is_not_cut_off_and_a_long_reply_may_take_its_time() -> None:
    upstream = Upstream(a=[["one", 0.02, "two", 0.02, "three", 0.02, "four"]])
    timeouts = Timeouts(between=0.05, first_token=0.05)

    async def run() -> list[str]:
        texts = []
        async for chunk in Caller().begin([A], timeouts).stream(upstream):
            texts.append(chunk.text)
            await asyncio.sleep(0.08 if chunk.text == "two" else 0)
        return texts

    assert asyncio.run(run()) == ["one", "two", "three", "four"]


def test_a_caller_s_own_timeout_is_not_taken_for_the_model_s() -> None:
    upstream = Upstream(a=[["one", 30.0]])

    call: list[Call] = []

    async def run() -> None:
        call.append(Caller().begin([A], Timeouts(between=10.0)))
        async with asyncio.timeout(0.02):
            async for _ in call[0].stream(upstream):
                pass

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert upstream.closed == ["a"]
    assert outcomes(call[0]) == [("a", "left")]


def test_closing_early_closes_the_upstream_and_blames_nobody() -> None:
    upstream = Upstream(a=[["one", "two", "three"]], b=[["never"]])
    caller = Caller(rules=QUICK)

    async def run() -> Call:
        call = caller.begin([A, B])
        stream = call.stream(upstream)
        assert (await anext(stream)).text == "one"
        assert upstream.sent == 1, "nothing is read ahead of the client"
        await stream.aclose()
        return call

    call = asyncio.run(run())
    assert upstream.closed == ["a"]
    assert outcomes(call) == [("a", "left")]
    assert caller.breakers.of(A.key).status.calls == 0


def test_a_cancelled_call_is_recorded_and_blames_nobody() -> None:
    upstream = Upstream(a=[[30.0]])
    caller = Caller(rules=QUICK)

    async def run() -> Call:
        call = caller.begin([A])
        task = asyncio.create_task(anext(call.stream(upstream)))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return call

    call = asyncio.run(run())
    assert outcomes(call) == [("a", "left")]
    assert caller.breakers.of(A.key).status.calls == 0


def test_a_caller_who_gave_up_after_the_time_of_a_first_token_counts_as_a_timeout() -> None:
    caller = Caller(Breakers(BreakerRules(least_calls=1)), rules=QUICK)

    async def given_up(_: Target) -> list[float]:
        time.sleep(0.03)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(30)
        return []

    async def run() -> Call:
        call = caller.begin([A], Timeouts(first_token=0.02))
        await asyncio.gather(asyncio.ensure_future(call.once(given_up)), return_exceptions=True)
        return call

    assert outcomes(asyncio.run(run())) == [("a", "timeout")]
    assert not caller.healthy(A)


def test_an_open_breaker_is_passed_over_and_told_when_there_is_nobody_else() -> None:
    breakers = Breakers(BreakerRules(least_calls=2, open_seconds=60))
    caller = Caller(breakers, rules=RetryRules(again=0))
    upstream = Upstream(a=[[UpstreamError("down")]], b=[["from b"]])
    for _ in range(2):
        upstream.answer(caller=caller)
    assert not caller.healthy(A)
    upstream.calls.clear()
    _, call = upstream.answer(caller=caller)
    assert upstream.calls == ["b"]
    assert outcomes(call) == [("a", "skipped"), ("b", "ok")]
    with pytest.raises(UpstreamBusy) as busy:
        upstream.answer([A], caller)
    assert busy.value.retry_after is not None
    assert 50 < busy.value.retry_after <= 60


def test_rejections_do_not_open_a_breaker_but_a_refused_key_does() -> None:
    for code, healthy in (("invalid_request", True), ("authentication", False)):
        caller = Caller(Breakers(BreakerRules(least_calls=2)), rules=QUICK)
        for _ in range(3):
            with pytest.raises(UpstreamError):
                Upstream(a=[[UpstreamRejected("no", code)]]).answer([A], caller)
        assert caller.healthy(A) is healthy


def test_an_outage_is_not_amplified() -> None:
    budget = RetryBudget(share=0.1, per_second=0.0, most=5.0)
    caller = Caller(Breakers(BreakerRules(least_calls=10_000)), budget, QUICK)
    upstream = Upstream(a=[[UpstreamError("down")]])
    for _ in range(300):
        with pytest.raises(UpstreamError):
            upstream.answer([A], caller)
    retries = len(upstream.calls) - 300
    assert retries <= 0.1 * 300 + 5
    assert budget.refused == 300 - retries


@given(st.lists(st.tuples(st.sampled_from(["call", "retry"]), st.floats(0, 5)), max_size=200))
def test_retries_stay_within_the_budget_whatever_comes(steps: list[tuple[str, float]]) -> None:
    now, calls, retries = [0.0], 0, 0
    budget = RetryBudget(share=0.2, per_second=0.5, most=4.0, clock=lambda: now[0])
    for step, seconds in steps:
        now[0] += seconds
        if step == "call":
            budget.called()
            calls += 1
        else:
            retries += budget.take()
        assert retries <= 4 + 0.2 * calls + 0.5 * now[0] + 1e-6


@given(st.floats(0, 0.999999), st.integers(0, 5))
@settings(max_examples=30)
def test_jitter_stays_within_the_exponential_bound(unit: float, again: int) -> None:
    waits: list[float] = []
    rules = RetryRules(again=again, first_wait=0.0001, longest_wait=0.0004)
    caller = Caller(Breakers(BreakerRules(least_calls=999)), RetryBudget(most=50), rules, rng=lambda: unit)
    upstream = Upstream(a=[[UpstreamError("down")]])
    with pytest.raises(UpstreamError):
        upstream.answer([A], caller)
    waits = [attempt.waited_ms for attempt in upstream.call.attempts]
    assert len(waits) == again + 1
    for number, waited in enumerate(waits[1:]):
        assert waited <= 1000 * min(0.0004, 0.0001 * 2**number) + 0.001


def test_one_answer_is_awaited_with_the_same_tries() -> None:
    calls: list[str] = []

    async def embed(target: Target) -> list[float]:
        calls.append(target.provider)
        if target == A:
            raise UpstreamBusy("no")
        return [1.0]

    async def hang(target: Target) -> list[float]:
        await asyncio.Event().wait()
        return []

    async def run(ask: Callable[[Target], object], timeouts: Timeouts | None = None) -> object:
        return await Caller(rules=QUICK).begin([A, B], timeouts).once(ask)  # type: ignore[arg-type]

    assert asyncio.run(run(embed)) == [1.0]
    assert calls == ["a", "b"]
    with pytest.raises(UpstreamTimeout):
        asyncio.run(run(hang, Timeouts(first_token=0.01)))


def test_a_fault_before_the_call_leaves_no_probe_behind() -> None:
    breakers = Breakers(BreakerRules(least_calls=1, open_seconds=0.0))
    caller = Caller(breakers, rules=RetryRules(again=0))
    with pytest.raises(UpstreamError):
        Upstream(a=[[UpstreamError("down")]]).answer([A], caller)

    def fault(target: Target) -> AsyncIterator[Chunk]:
        raise NotFound(f"no provider {target.provider}")

    async def run() -> None:
        async for _ in caller.begin([A]).stream(fault):
            pass

    with pytest.raises(NotFound):
        asyncio.run(run())
    assert Upstream(a=[["well again"]]).answer([A], caller)[0] == "well again"
