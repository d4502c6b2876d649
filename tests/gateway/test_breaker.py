"""The circuit breaker, with a clock of its own."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from careplane.gateway.breaker import LONGEST_WAIT, Breaker, BreakerRules, Breakers

RULES = BreakerRules(window_seconds=10, least_calls=4, failing_share=0.5, open_seconds=5, most_open_seconds=20)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(retry_after: float | None = None) -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker("t", RULES, clock)
    for _ in range(RULES.least_calls):
        ticket = breaker.enter()
        assert ticket is not None
        breaker.failed(ticket, retry_after)
    assert breaker.status.state == "open"
    return breaker, clock


def test_few_failures_or_few_calls_do_not_open_it() -> None:
    clock = Clock()
    breaker = Breaker("t", RULES, clock)
    for failed in (True, True, True):
        ticket = breaker.enter()
        assert ticket is not None
        breaker.failed(ticket) if failed else breaker.succeeded(ticket)
    assert breaker.status.state == "closed"  # only three are known
    clock.now = 11  # and now none
    for failed in (False, False, False, True):
        ticket = breaker.enter()
        assert ticket is not None
        breaker.failed(ticket) if failed else breaker.succeeded(ticket)
    assert breaker.status.state == "closed"
    assert (breaker.status.calls, breaker.status.failures) == (4, 1)


def test_one_probe_decides_and_each_failure_doubles_the_wait() -> None:
    breaker, clock = opened()
    assert breaker.enter() is None
    for wait in (5, 10, 20, 20):
        assert breaker.status.wait_seconds == wait
        clock.now += wait
        assert breaker.status.state == "half_open"
        assert breaker.healthy
        probe = breaker.enter()
        assert probe is not None
        assert breaker.enter() is None, "a second probe passed"
        assert not breaker.healthy
        breaker.failed(probe)
    clock.now += 20
    probe = breaker.enter()
    assert probe is not None
    breaker.answered(probe)
    assert breaker.status.state == "closed"
    breaker.succeeded(probe)
    assert breaker.status.calls == 1


def test_a_probe_that_is_left_lets_the_next_one_pass() -> None:
    breaker, clock = opened()
    clock.now += 5
    probe = breaker.enter()
    assert probe is not None
    breaker.left(probe)
    assert breaker.enter() is not None


def test_retry_after_keeps_it_open_within_reason() -> None:
    breaker, _ = opened(retry_after=42)
    assert breaker.status.wait_seconds == 42
    breaker, _ = opened(retry_after=1e9)
    assert breaker.status.wait_seconds == LONGEST_WAIT


def test_outcomes_of_calls_from_before_it_opened_are_old_news() -> None:
    clock = Clock()
    breaker = Breaker("t", RULES, clock)
    early = [breaker.enter() for _ in range(6)]
    for ticket in early[:4]:
        assert ticket is not None
        breaker.failed(ticket)
    clock.now += 5
    probe = breaker.enter()
    assert probe is not None
    assert early[4] is not None
    breaker.failed(early[4])
    breaker.succeeded(probe)
    assert breaker.status.state == "closed"
    assert early[5] is not None
    breaker.failed(early[5])
    assert breaker.status.failures == 0


def test_each_target_has_its_own() -> None:
    breakers = Breakers(RULES)
    assert breakers.of("a") is breakers.of("a")
    assert breakers.of("a") is not breakers.of("b")
    assert [status.target for status in breakers.statuses] == ["a", "b"]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_it_opens_exactly_when_the_share_of_known_calls_fails(outcomes: list[bool]) -> None:
    breaker = Breaker("t", RULES, Clock())
    known: list[bool] = []
    for failed in outcomes:
        ticket = breaker.enter()
        if ticket is None:
            break
        known.append(failed)
        breaker.failed(ticket) if failed else breaker.succeeded(ticket)
        should = failed and len(known) >= RULES.least_calls and sum(known) >= RULES.failing_share * len(known)
        assert (breaker.status.state == "open") == should


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: open lets nothing pass, half-open one call."""

    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker("t", RULES, self.clock)
        self.tickets: list[int] = []
        self.probes: set[int] = set()

    @rule()
    def enter(self) -> None:
        before = self.breaker.status.state
        ticket = self.breaker.enter()
        if before == "open":
            assert ticket is None
        if ticket is not None:
            if before == "half_open":
                assert not self.probes
                self.probes.add(ticket)
            self.tickets.append(ticket)

    @rule(pick=st.integers(0, 100), outcome=st.sampled_from(["succeeded", "failed", "left", "answered"]))
    def end(self, pick: int, outcome: str) -> None:
        if self.tickets:
            ticket = self.tickets[pick % len(self.tickets)]
            if outcome != "answered":
                self.tickets.remove(ticket)
            self.probes.discard(ticket)
            getattr(self.breaker, outcome)(ticket)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def counts_hold(self) -> None:
        status = self.breaker.status
        assert 0 <= status.failures <= status.calls
        assert status.wait_seconds <= RULES.most_open_seconds
        if status.state == "open":
            assert not self.breaker.healthy


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30)
