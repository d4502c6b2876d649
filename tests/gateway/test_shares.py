"""The arithmetic of leases: whatever the processes do, in whatever order, the sum stays within the limit."""

from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.gateway.shares import (
    PURSE_SECONDS,
    SLOT_SECONDS,
    WINDOW,
    Purse,
    PurseAsk,
    Slots,
    SlotsAsk,
    Window,
    WindowAsk,
    purse_step,
    slots_step,
    window_step,
)

PROCESSES = ("p0", "p1", "p2")
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.floats(0, 9), st.integers(1, 12), st.integers(0, 30), st.floats(0, 1)),
    min_size=1,
    max_size=80,
)


@given(st.integers(0, 40), STEPS)
@settings(max_examples=200, deadline=None)
def test_no_more_than_the_limit_is_spent_in_any_60_seconds(
    limit: int, steps: list[tuple[int, float, int, int, float]]
) -> None:
    state, now = Window(), 1_000_000.0
    left, until, second = [0] * 3, [0.0] * 3, [0] * 3
    spent: list[tuple[float, int]] = []
    for who, wait, need, want, share in steps:
        now += wait
        back: dict[int, int] = {}
        hold = left[who]
        if now >= until[who]:
            back, hold, left[who] = {second[who]: left[who]} if left[who] else {}, 0, 0
        grant = window_step(state, now, limit, WindowAsk(need, want, hold, second[who], back))
        assert (grant.retry_after is None) == (grant.units >= need)
        left[who] += grant.units
        until[who], second[who] = grant.until, grant.second
        use = int(left[who] * share)
        at = now + share * (grant.until - now)  # any time within the lease
        if use:
            left[who] -= use
            spent.append((at, use))
    for end, _ in spent:
        assert sum(units for at, units in spent if end - WINDOW <= at <= end) <= limit


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_window_opens_again_when_it_says_so(limit: int, need: int) -> None:
    state, now = Window(), 5000.25
    assert window_step(state, now, limit, WindowAsk(need=limit)).units == limit
    grant = window_step(state, now + 1, limit, WindowAsk(need=min(need, limit)))
    assert grant.units == 0
    assert grant.retry_after is not None
    again = window_step(state, now + 1 + grant.retry_after + 0.001, limit, WindowAsk(need=min(need, limit)))
    assert again.units == min(need, limit)


def test_what_is_given_back_or_owed_counts() -> None:
    state = Window()
    first = window_step(state, 100.0, 10, WindowAsk(need=8))
    assert window_step(state, 101.0, 10, WindowAsk(need=5)).units == 0
    assert window_step(state, 102.0, 10, WindowAsk(need=5, back={first.second: 6})).units == 5
    window_step(state, 103.0, 10, WindowAsk(owe=50))
    assert window_step(state, 104.0, 10, WindowAsk(need=1)).units == 0
    assert window_step(state, 103.0 + WINDOW + 11, 10, WindowAsk(need=1)).units == 1


def test_a_clock_set_back_does_not_block_for_ever() -> None:
    state = Window()
    window_step(state, 9_000_000.0, 10, WindowAsk(need=10))
    assert window_step(state, 1000.0, 10, WindowAsk(need=1)).units == 0
    assert window_step(state, 1000.0 + WINDOW + 12, 10, WindowAsk(need=1)).units == 1


@given(st.integers(0, 20), STEPS)
@settings(max_examples=200, deadline=None)
def test_slots_never_exceed_the_limit_and_a_crash_frees_them(
    limit: int, steps: list[tuple[int, float, int, int, float]]
) -> None:
    state, now = Slots(), 0.0
    slots, used, until = [0] * 3, [0] * 3, [0.0] * 3
    for who, wait, need, want, share in steps:
        now += wait
        live = used[who] if now < until[who] else 0  # a process that missed its renewal is a crashed one here
        used[who] = live
        hold = min(slots[who], live + 1) if now < until[who] else 0
        grant = slots_step(state, now, limit, SlotsAsk(PROCESSES[who], hold, need % 4, want))
        slots[who], until[who] = grant.units, grant.until
        used[who] = int(slots[who] * share)
        assert sum(used[i] for i in range(3) if now < until[i]) <= limit
        assert sum(slots[i] for i in range(3) if now < until[i]) <= limit
    now += SLOT_SECONDS + 0.001
    assert slots_step(state, now, limit, SlotsAsk("new", need=limit)).units == limit


def test_a_process_that_is_refused_is_seen_by_the_others() -> None:
    state = Slots()
    assert slots_step(state, 1.0, 4, SlotsAsk("a", need=4)).units == 4
    refused = slots_step(state, 2.0, 4, SlotsAsk("b", need=1))
    assert (refused.units, refused.retry_after) == (0, 1.0)
    assert slots_step(state, 3.0, 4, SlotsAsk("a", hold=2)).fair == 2
    assert slots_step(state, 3.1, 4, SlotsAsk("b", need=1)).units == 1
    assert slots_step(state, 3.2, 4, SlotsAsk("a", hold=2)).fair is None


def test_a_lower_limit_takes_nothing_from_what_is_under_way() -> None:
    state = Slots()
    slots_step(state, 1.0, 10, SlotsAsk("a", need=8))
    assert slots_step(state, 2.0, 3, SlotsAsk("a", hold=8)).units == 8
    assert slots_step(state, 3.0, 3, SlotsAsk("a", hold=2)).units == 2
    assert slots_step(state, 4.0, 3, SlotsAsk("b", need=2)).retry_after == 1.0


MONEY = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 400), st.integers(0, 4000), st.floats(0, 1), st.booleans()),
    min_size=1,
    max_size=80,
)


@given(st.integers(0, 5000), MONEY)
@settings(max_examples=200, deadline=None)
def test_money_spent_and_leased_never_exceeds_the_budget(
    limit: int, steps: list[tuple[int, int, int, float, bool]]
) -> None:
    state = Purse()
    left, total = [0] * 3, [0] * 3
    warned = 0
    for i, (who, need, want, share, twice) in enumerate(steps):
        ask = PurseAsk(PROCESSES[who], spent=total[who], keep=left[who], need=need, want=want)
        if twice:  # the answer got lost: the same is told again
            lost = purse_step(state, float(i), limit, ask)
            warned += lost.warn
        grant = purse_step(state, float(i), limit, ask)
        warned += grant.warn
        assert state.spent + state.leased <= limit
        left[who] += grant.units
        use = int(left[who] * share)
        left[who] -= use
        total[who] += use
        assert sum(total) <= limit
    for who in range(3):
        purse_step(state, 99.0, limit, PurseAsk(PROCESSES[who], spent=total[who], last=True))
    assert state.spent == sum(total)
    assert state.leased == 0
    assert not state.held
    assert warned <= 1


def test_a_crashed_process_keeps_its_lease_counted() -> None:
    state = Purse()
    purse_step(state, 0.0, 100, PurseAsk("a", need=60))
    late = purse_step(state, 100 * PURSE_SECONDS, 100, PurseAsk("b", need=60))
    assert late.units == 0
    assert late.retry_after is not None


def test_warned_and_stopped_are_told_once() -> None:
    state = Purse()
    assert purse_step(state, 0.0, 100, PurseAsk("a", need=90)).units == 90
    assert not purse_step(state, 1.0, 100, PurseAsk("a", spent=79, keep=11)).warn
    assert purse_step(state, 2.0, 100, PurseAsk("a", spent=80, keep=10)).warn
    assert not purse_step(state, 3.0, 100, PurseAsk("a", spent=90, keep=0)).warn
    first = purse_step(state, 4.0, 100, PurseAsk("a", spent=90, need=20))
    again = purse_step(state, 5.0, 100, PurseAsk("b", need=20))
    assert (first.stop, again.stop) == (True, False)
