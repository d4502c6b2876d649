"""Against worked examples of Montgomery's Statistical Quality Control (p 0.2313, 0.0524-0.4102; u 1.93, 0.07-3.79; XmR
300.5, 279.78-321.22; to the digits printed), and against R's qicharts2 for p' and u' charts (to 1e-4).

The cans of juice concentrate and the computers are in R's qcc (``orangejuice``, ``pcmanufact``), the cost of mortgage
applications is Montgomery's example of individual measurements, and the weeks of emergency departments are those of
Mohammed et al. 2013 (BMJ Qual Saf 22:362) in qicharts2 (``nhs_accidents``).
"""

from typing import Any

import numpy as np
import pytest

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.spc import INFO, estimate

CANS = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]
COMPUTERS = [10, 12, 8, 14, 10, 16, 11, 7, 10, 15, 9, 5, 7, 11, 12, 6, 8, 10, 7, 5]
COSTS = [310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306, 301, 304]
# fmt: off
SEEN = [
    266501, 264225, 276532, 281461, 269071, 261215, 270409, 279778, 270483, 270320,
    267923, 271478, 255353, 256820, 261835, 259144, 255910, 260863, 264465, 260989,
]
ATTENDED = [
    280443, 276823, 291681, 296155, 282343, 275888, 283867, 295251, 284468, 282529,
    279618, 283932, 266629, 268091, 276803, 271578, 266005, 273520, 278574, 273772,
]
# fmt: on


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays: dict[str, Any] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(columns["y"]) + 2), {})
    return estimate(frame, read_spec(INFO, {"outcome": "y", **keys}))


def marked(found: Result, rule: str) -> list[list[str]]:
    return [one["points"] for one in found.details["signals"] if one["rule"] == rule]


def test_proportions_of_montgomery() -> None:
    found = run({"y": CANS, "n": [50] * 30}, size="n", chart="p")
    assert found.estimate == pytest.approx(0.2313, abs=5e-5)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.0524, 0.4102), abs=5e-5)
    assert marked(found, "outside") == [["15"], ["23"]]


def test_limits_without_the_two_samples_whose_cause_was_found() -> None:
    kept = [count for number, count in enumerate(CANS, 1) if number not in (15, 23)]
    found = run({"y": kept, "n": [50] * 28}, size="n", chart="p")
    assert found.estimate == pytest.approx(0.2150, abs=5e-5)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.0407, 0.3893), abs=5e-5)


def test_rates_of_montgomery() -> None:
    found = run({"y": COMPUTERS, "n": [5] * 20}, size="n", chart="u", rules="western_electric")
    assert found.estimate == pytest.approx(1.93)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.07, 3.79), abs=5e-3)
    assert not marked(found, "outside")


def test_individuals_of_montgomery() -> None:
    found = run({"y": COSTS})
    assert found.estimate == pytest.approx(300.5)
    assert (found.ci_low, found.ci_high) == pytest.approx((279.78, 321.22), abs=5e-3)
    assert found.details["signals"] == []
    assert found.details["variation"].startswith("common cause")


def test_the_example_of_the_instruments() -> None:
    """Mean 35.0 and mean moving range 2.36 give 28.71 to 41.29, to the rounding of the range."""
    values = [35 + 1.18, 35 - 1.18] * 6
    found = run({"y": values})
    assert found.estimate == pytest.approx(35.0)
    assert (found.ci_low, found.ci_high) == pytest.approx((28.71, 41.29), abs=0.02)


def test_prime_charts_as_qicharts2_draws_them() -> None:
    found = run({"y": SEEN, "n": ATTENDED}, size="n", chart="p_prime")
    high = [one["high"] for one in found.details["points"]]
    low = [one["low"] for one in found.details["points"]]
    assert high[:5] == pytest.approx([0.96567, 0.965753, 0.965421, 0.965326, 0.965627], abs=1e-6)
    assert low[:5] == pytest.approx([0.94013, 0.940046, 0.940378, 0.940473, 0.940173], abs=1e-6)
    assert (high[19], high[12]) == pytest.approx((0.965824, 0.965996), abs=1e-6)
    rates = run({"y": SEEN, "n": ATTENDED}, size="n", chart="u_prime")
    assert [one["high"] for one in rates.details["points"]][:4] == pytest.approx(
        [0.9657, 0.9658, 0.9654, 0.9653], abs=1e-4
    )
    plain = run({"y": SEEN, "n": ATTENDED}, size="n", chart="p")
    assert len(marked(plain, "outside")) > 10
    assert not marked(found, "outside")


def test_rare_events() -> None:
    """By hand: mean 9 gives 9 + 3 sqrt(90) = 37.46; times are an XmR chart of y^(1/3.6), taken back."""
    cases = run({"y": [9, 4, 14, 8, 10, 9, 40]}, chart="g", baseline=6)
    assert cases.estimate == pytest.approx(9.0)
    assert (cases.ci_low, cases.ci_high) == pytest.approx((0.0, 37.4605), abs=1e-4)
    assert marked(cases, "outside") == [["7"]]
    days = np.array([12.0, 30, 5, 22, 41, 8, 17, 25])
    times = run({"y": days.tolist()}, chart="t")
    moved = days ** (1 / 3.6)
    spread = 2.66 * np.abs(np.diff(moved)).mean()
    assert times.ci_high == pytest.approx((moved.mean() + spread) ** 3.6)
    assert times.ci_low == pytest.approx(max(moved.mean() - spread, 0) ** 3.6)


BASE = [10.0, 11.0] * 6
"""Mean 10.5, moving range 1: limits 7.84 to 13.16, one standard deviation is 0.8865."""


def after(*values: float, **keys: Any) -> Result:
    return run({"y": [*BASE, *values]}, baseline=12, **keys)


def test_the_rules_of_the_nhs() -> None:
    assert marked(after(13.2), "outside") == [["13"]]
    assert marked(after(13.1), "outside") == []
    assert marked(after(*[11.2] * 5, 10.4), "shift") == []
    # The twelfth point of the baseline (11) lies above the mean, so seven end at the eighteenth.
    assert marked(after(*[11.2] * 6), "shift") == [[str(n) for n in range(12, 19)]]
    rising = after(9.0, 9.3, 9.6, 9.9, 10.2, 10.6, 10.9)
    assert marked(rising, "trend") == [[str(n) for n in range(13, 20)]]
    assert marked(after(9.0, 9.3, 9.6, 9.9, 10.2, 10.6), "trend") == []
    assert marked(after(12.4, 11.0, 12.4), "two_of_three") == [["13", "15"]]
    assert marked(after(12.4, 10.0, 12.4), "two_of_three") == []


def test_the_rules_of_western_electric() -> None:
    keys: dict[str, Any] = {"rules": "western_electric"}
    assert marked(after(12.4, 10.0, 12.4, **keys), "two_of_three") == [["13", "15"]]
    assert marked(after(11.5, 11.5, 10.0, 11.5, 11.5, **keys), "four_of_five") == [["13", "14", "16", "17"]]
    assert marked(after(*[9.9] * 8, **keys), "run_of_eight") == [[str(n) for n in range(13, 21)]]
    assert marked(after(*[9.9] * 7, **keys), "run_of_eight") == []


def test_the_rules_of_nelson() -> None:
    keys: dict[str, Any] = {"rules": "nelson"}
    assert marked(after(*[9.9] * 9, **keys), "run_of_nine") == [[str(n) for n in range(13, 22)]]
    assert marked(after(9.0, 9.3, 9.6, 9.9, 10.2, 10.6, **keys), "trend_of_six") == [[str(n) for n in range(13, 19)]]
    assert marked(after(10.0, 11.0, **keys), "alternating") == [[str(n) for n in range(1, 15)]]
    assert marked(run({"y": BASE}, **keys), "alternating") == []
    assert marked(after(*[10.5, 10.6, 10.4] * 5, **keys), "hugging")[0][-1] == "27"
    mixed = after(*[12.0, 9.0] * 4, **keys)
    assert marked(mixed, "mixture") == [[str(n) for n in range(13, 21)]]
    assert marked(mixed, "mixture") != marked(after(*[12.0] * 8, **keys), "mixture")


def test_a_new_phase_has_limits_of_its_own_and_a_reason() -> None:
    found = after(*[20.0, 21.0] * 6, rebase={"13": "moved to another model"}, better="lower", target=25)
    assert [one["centre"] for one in found.details["phases"]] == [10.5, 20.5]
    assert found.details["phases"][1]["reason"] == "moved to another model"
    assert found.details["signals"] == []
    assert found.details["assurance"] == "the process will consistently meet the target"
    without = after(*[20.0, 21.0] * 6, better="lower", target=25)
    assert without.details["variation"] == "special cause variation: a concern"
    assert without.estimate == 10.5


def test_assurance_in_words() -> None:
    assert after(better="lower", target=5).details["assurance"].endswith("consistently miss the target")
    assert after(better="higher", target=5).details["assurance"].endswith("consistently meet the target")
    assert after(better="higher", target=10).details["assurance"].startswith("hit and miss")
    assert after(target=10).details["assurance"] == "no target is set"


def test_a_baseline_without_variation() -> None:
    found = run({"y": [0.0] * 12 + [1.0], "n": [20] * 13}, size="n", chart="p_prime", baseline=12, better="lower")
    assert marked(found, "outside") == [["13"]]
    assert any("does not vary" in one for one in found.warnings)


def test_false_alarms_are_as_rare_as_the_limits_promise() -> None:
    """Known limits (a long baseline): a normal point lies outside three standard deviations 2.7 times in a thousand."""
    draws = np.random.default_rng(1)
    outside = 0
    for _ in range(20):
        found = run({"y": draws.normal(size=600)}, baseline=300)
        outside += sum("outside" in one["rules"] for one in found.details["points"][300:])
    assert outside / 6_000 == pytest.approx(0.0027, abs=0.0015)


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="is needed for chart p"):
        run({"y": CANS}, chart="p")
    with pytest.raises(InputError, match="more events than cases"):
        run({"y": [3.0, 9.0], "n": [5.0, 5.0]}, size="n", chart="p")
    with pytest.raises(InputError, match="takes none"):
        run({"y": CANS, "n": CANS}, size="n")
    with pytest.raises(InputError, match="more than 0"):
        run({"y": [0.0, 0.0], "n": [5.0, 0.0]}, size="n", chart="u")
    with pytest.raises(InputError, match="no point"):
        run({"y": CANS}, rebase={"99": "why"})
    with pytest.raises(InputError, match="reason"):
        run({"y": CANS}, rebase={"9": " "})
    with pytest.raises(InputError, match="one point"):
        run({"y": CANS}, rebase={"30": "why"})
    with pytest.raises(InputError, match="repeats"):
        run({"y": [1.0, 2.0], "t": ["a", "a"]}, time="t")
    with pytest.raises(InputError, match="negative"):
        run({"y": [-1.0, 2.0]}, chart="t")
    assert run({"y": [1.0, float("nan"), 2.0]}).left_out == {"y is missing": 1}
