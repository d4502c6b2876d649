"""The six signs reproduce the worked example, and behave as signs must."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from careplane.alignment.signals import (
    WEIGHTS,
    ActiveInput,
    DecisionInput,
    LongTermInput,
    PilotInput,
    SignalInputs,
    completeness,
    index_range,
    pilot_reliance_index,
    six_signals,
)

EXPECTED = {"S1": 42.5, "S2": 45.0, "S3": 51.7, "S4": 41.7, "S5": 32.5, "S6": 54.3}


def worked_example() -> SignalInputs:
    """The inputs of the worked example: 4 pilots, 6 items in use, 8 decisions, 5 departments."""
    pilots = [(8, False), (4, True), (2, True), (6, False)]
    integration, metrics = [6, 5, 4, 3, 2, 1], [8, 6, 5, 3, 2, 4]
    ratios = [0.5, 0.8, 1.0, 1.5, 1.5, 2.0, 2.0, 3.0]
    long_term = [(1.0, 1.0, 1.0, 1.0), (0.0, 0.4, 0.5, 1 / 3), (0.0, 0.0, 0.25, 0.0)]
    return SignalInputs(
        registered=10,
        pilots=tuple(
            PilotInput(item=f"p{i}", path=path / 8, aged=aged, sponsored=i != 2)
            for i, (path, aged) in enumerate(pilots)
        ),
        active=tuple(
            ActiveInput(
                item=f"a{i}",
                integration=integration[i] / 6,
                overlaps=i in (4, 5),
                on_platform=i < 3,
                crosses_departments=i < 3,
                reuses=i < 2,
                metrics=metrics[i] / 8,
            )
            for i in range(6)
        ),
        decisions=tuple(
            DecisionInput(item=f"p{i % 4}", late=i >= 5, ratio=ratio, deferrals=2 if i == 7 else 0)
            for i, ratio in enumerate(ratios)
        ),
        long_term=tuple(
            LongTermInput(item=f"p{i}", infrastructure=a, funding=b, adoption=c, discussed=d)
            for i, (a, b, c, d) in enumerate(long_term)
        ),
        single_departments=2,
        departments=5,
    )


def test_worked_example() -> None:
    found = six_signals(worked_example())
    assert {signal.id.upper(): round(signal.value, 1) for signal in found} == EXPECTED
    assert round(pilot_reliance_index(found), 1) == 44.0


def test_the_vectors_file_says_the_same(shared: Path) -> None:
    vectors = json.loads((shared / "design" / "vectors.json").read_text())
    assert vectors["six signals"] == EXPECTED
    assert vectors["Pilot Reliance Index"] == 44.0


def test_weights_sum_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_rows_name_the_worst_first() -> None:
    signs = {signal.id: signal for signal in six_signals(worked_example())}
    assert signs["s1"].rows == ("p2", "p1", "p3")
    assert signs["s2"].rows[:2] == ("a4", "a5")
    assert signs["s6"].rows == ("p2", "p1")


def test_bands() -> None:
    assert [signal.band for signal in six_signals(worked_example())] == [
        "middle", "middle", "high", "middle", "middle", "high",
    ]  # fmt: skip


def test_index_range_holds_the_index_and_reaches_beyond() -> None:
    found = six_signals(worked_example())
    low, high = index_range(found)
    assert low < 44.0 < high
    assert index_range(found, shift=0.0) == pytest.approx((44.03, 44.03), abs=0.1)


def test_an_empty_register_tells_nothing() -> None:
    empty = SignalInputs(
        registered=0, pilots=(), active=(), decisions=(), long_term=(), single_departments=0, departments=0
    )
    assert completeness(six_signals(empty)) == 0
    assert completeness(six_signals(replace(empty, registered=3))) == pytest.approx(1)


def test_pilots_without_a_decision_log_count_as_undecided() -> None:
    found = six_signals(replace(worked_example(), decisions=()))
    assert found[4].parts["overdue"] == 1
    assert found[4].complete < 1


@given(pilot=st.integers(0, 3), passed=st.integers(0, 8), more=st.integers(0, 8))
def test_a_step_of_the_path_never_raises_the_sign(pilot: int, passed: int, more: int) -> None:
    inputs = worked_example()
    low, high = sorted((passed, min(8, passed + more)))
    values = [six_signals(_with_path(inputs, pilot, steps / 8))[0].value for steps in (low, high)]
    assert values[1] <= values[0] + 1e-9


@given(
    active=st.integers(0, 5),
    field=st.sampled_from(["integration", "on_platform", "crosses_departments", "reuses", "metrics"]),
)
def test_a_passed_check_never_raises_any_sign(active: int, field: str) -> None:
    inputs = worked_example()
    item = inputs.active[active]
    best = True if isinstance(getattr(item, field), bool) else 1.0
    better = tuple(replace(a, **{field: best}) if a is item else a for a in inputs.active)
    before, after = six_signals(inputs), six_signals(replace(inputs, active=better))
    assert all(new.value <= old.value + 1e-9 for old, new in zip(before, after, strict=True))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_signs_stay_between_0_and_100(parts: list[float]) -> None:
    row = LongTermInput(item="p0", infrastructure=parts[0], funding=parts[1], adoption=parts[2], discussed=parts[3])
    for signal in six_signals(replace(worked_example(), long_term=(row,))):
        assert -1e-9 <= signal.value <= 100 + 1e-9


def _with_path(inputs: SignalInputs, pilot: int, share: float) -> SignalInputs:
    pilots = tuple(replace(p, path=share) if i == pilot else p for i, p in enumerate(inputs.pilots))
    return replace(inputs, pilots=pilots)
