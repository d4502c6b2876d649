"""Draws: balance, seeds, independence of the order of listing and of PYTHONHASHSEED, and blocks that cannot be told."""

import os
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from math import comb
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from careplane.evidence.allocation import ARMS, block_arm, draw, minimised_arm, periods
from careplane.records.design import Arm, Minimisation, Switching
from careplane.records.evidence import Plan

from .synthetic_trial import START, UNITS, plan

SEEDS = st.integers(0, 10**9)
STEPS = tuple(START + timedelta(days=7 * week) for week in (1, 2, 3))
WAVES = {unit: START + timedelta(days=7 * (n % 3)) for n, unit in enumerate(sorted(UNITS)) if n % 4}
DESIGNS: dict[str, dict[str, object]] = {
    "stratified": {},
    "blocked": {"allocation": "blocked"},
    "minimised": {"allocation": "minimised"},
    "stepped_wedge": {"design": "stepped_wedge", "steps": STEPS},
    "switchback": {"design": "switchback", "switching": Switching(period_days=3)},
    "staggered_did": {"design": "staggered_did", "waves": WAVES},
    "interrupted_time_series": {"design": "interrupted_time_series"},
}


@pytest.mark.parametrize("name", DESIGNS)
@settings(max_examples=20)
@given(seed=SEEDS, order=st.permutations(sorted(UNITS)))
def test_the_order_of_listing_changes_nothing(name: str, seed: int, order: list[str]) -> None:
    listed = plan(seed=seed, clusters=tuple(order), strata={unit: UNITS[unit] for unit in order}, **DESIGNS[name])
    assert draw(listed) == draw(plan(seed=seed, **DESIGNS[name]))
    assert [one.unit for one in draw(listed)] == sorted(UNITS)


def test_a_draw_is_the_same_in_every_process() -> None:
    code = (
        "from tests.evidence.test_allocation import DESIGNS, fingerprint\n"
        "print([fingerprint(name) for name in DESIGNS])"
    )
    env = {**os.environ, "PYTHONHASHSEED": "5"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([fingerprint(name) for name in DESIGNS])


def fingerprint(name: str) -> str:
    drawn = draw(plan(seed=11, **DESIGNS[name]))
    return " ".join(f"{one.arm[0]}{one.starts or ''}{''.join(arm[0] for arm in one.sequence)}" for one in drawn)


def test_the_draws_of_today_are_those_of_tomorrow() -> None:
    """A draw is part of a trial's record: these never change."""
    assert fingerprint("stratified") == "c i c i i c i c i c i c"
    assert [block_arm(7, "s", (2, 4), position)[0] for position in range(8)] == list("cciiicci")


@settings(max_examples=30)
@given(seed=SEEDS, sizes=st.lists(st.sampled_from([2, 4, 6, 8]), min_size=1, max_size=3))
def test_blocks_are_never_more_than_half_a_block_apart(seed: int, sizes: list[int]) -> None:
    balance = 0
    for position in range(60):
        balance += 1 if block_arm(seed, "s", sizes, position) == "intervention" else -1
        assert abs(balance) <= max(sizes) // 2


def test_every_order_of_a_block_is_as_likely() -> None:
    """Six orders of a block of four, 3,000 seeds; chi-square on 5 degrees of freedom."""
    orders = Counter("".join(block_arm(seed, "s", (4,), n)[0] for n in range(4)) for seed in range(3000))
    assert len(orders) == 6
    assert chisquare(list(orders.values())).pvalue > 0.001


def test_guessing_the_next_arm_succeeds_as_rarely_as_theory_says() -> None:
    """The best guess of who knows the arms so far is the one that is behind. In a block of 2b it is right
    b + (4^b / C(2b, b) - 1) / 2 times on average (Blackwell & Hodges 1957, Ann Math Stat 28:449)."""
    right = 0.0
    for seed in range(200):
        balance = 0
        for position in range(40):
            arm = block_arm(seed, "s", (4, 6, 8), position)
            guess = "control" if balance > 0 else "intervention"
            right += 0.5 if balance == 0 else guess == arm
            balance += 1 if arm == "intervention" else -1
    expected = sum(b + (4**b / comb(2 * b, b) - 1) / 2 for b in (2, 3, 4)) / (4 + 6 + 8)
    assert right / 8000 == pytest.approx(expected, abs=0.015)


def test_minimisation_balances_better_than_a_coin_and_stays_random() -> None:
    """40 arrivals with two factors, 300 seeds: mean imbalance per level, and the share of the better arm."""
    rule = Minimisation(probability=0.8)
    worst, better, chances = 0.0, 0, 0
    for seed in range(300):
        held: list[tuple[dict[str, str], Arm]] = []
        for n in range(40):
            levels = {"clinic": f"c{(seed + n * n) % 5}", "age": "old" if (n * 7 + seed) % 3 else "young"}
            arm = minimised_arm(seed, rule, held, levels, n)
            gap = _gap(held, levels)
            if gap:
                chances += 1
                better += arm == ("control" if gap > 0 else "intervention")
            held.append((levels, arm))
        worst += max(abs(_gap(held, {"age": level})) for level in ("old", "young"))
    assert worst / 300 < 4.0  # a coin leaves about 5.5 among 27
    share = better / chances
    expected = [rule.probability * chances, (1 - rule.probability) * chances]
    assert chisquare([better, chances - better], expected).pvalue > 0.001, share


def _gap(held: list[tuple[dict[str, str], Arm]], levels: dict[str, str]) -> int:
    """The signed imbalance that minimisation weighs, for the arm of the one who comes."""
    signs = [(1 if arm == "intervention" else -1, others) for others, arm in held]
    whole = [sum(sign for sign, _ in signs)]
    whole += [sum(sign for sign, others in signs if others[f] == level) for f, level in levels.items()]
    up = sum(abs(one + 1) for one in whole)
    down = sum(abs(one - 1) for one in whole)
    return up - down


def test_minimised_arms_of_few_units_are_balanced_and_each_unit_gets_either() -> None:
    counts = dict.fromkeys(UNITS, 0)
    gaps = []
    for seed in range(400):
        drawn = draw(plan(seed=seed, allocation="minimised"))
        chosen = [one for one in drawn if one.arm == "intervention"]
        gaps.append(abs(2 * len(chosen) - len(drawn)))
        for one in chosen:
            counts[one.unit] += 1
    assert sum(gaps) / len(gaps) < 2  # a coin: 2.7
    assert all(abs(count - 200) < 5 * 10 for count in counts.values())


@settings(max_examples=30)
@given(seed=SEEDS)
def test_a_stepped_wedge_has_groups_of_equal_size_that_mix_the_strata(seed: int) -> None:
    drawn = draw(plan(seed=seed, **DESIGNS["stepped_wedge"]))
    assert Counter(one.starts for one in drawn) == dict.fromkeys(STEPS, 4)
    for step in STEPS:
        strata = Counter(one.stratum for one in drawn if one.starts == step)
        assert strata == {"hospital-1": 2, "hospital-2": 2}


def test_every_unit_begins_at_every_step_about_as_often() -> None:
    counts: Counter[tuple[str, date | None]] = Counter()
    for seed in range(600):
        counts.update((one.unit, one.starts) for one in draw(plan(seed=seed, **DESIGNS["stepped_wedge"])))
    assert chisquare(list(counts.values())).pvalue > 0.001
    assert len(counts) == 36


@settings(max_examples=30)
@given(seed=SEEDS, days=st.integers(1, 14))
def test_a_switchback_gives_each_pair_of_periods_both_arms(seed: int, days: int) -> None:
    switching: Plan = plan(seed=seed, design="switchback", switching=Switching(period_days=days))
    for one in draw(switching):
        assert len(one.sequence) == periods(switching)
        for period in range(0, len(one.sequence) - 1, 2):
            assert set(one.sequence[period : period + 2]) == set(ARMS)


def test_chosen_waves_are_as_they_were_chosen() -> None:
    drawn = {one.unit: one for one in draw(plan(**DESIGNS["staggered_did"]))}
    assert {unit: one.starts for unit, one in drawn.items() if one.arm == "intervention"} == WAVES
    assert all(one.starts is None for one in drawn.values() if one.arm == "control")
