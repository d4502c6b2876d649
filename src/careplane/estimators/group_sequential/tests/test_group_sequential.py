"""Against Jennison & Turnbull's tables by rpact (to 1e-5), ldbounds, and simulation."""

import numpy as np
import pytest

from careplane.errors import InputError
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.group_sequential import INFO, KINDS, boundaries, crossing, estimate


def run(**keys: object) -> Result:
    return estimate(None, read_spec(INFO, keys))


def test_five_looks_of_jennison_and_turnbull() -> None:
    assert run(boundary="pocock", looks=5).details["critical"] == pytest.approx([2.4131762] * 5, abs=1e-5)
    expected = [4.5617423, 3.2256389, 2.6337231, 2.2808711, 2.0400732]
    assert run(boundary="obrien_fleming", looks=5).details["critical"] == pytest.approx(expected, abs=1e-5)


POCOCK = {
    0.01: [2.772, 2.873, 2.939, 2.986, 3.023, 3.053, 3.078, 3.099, 3.117],
    0.05: [2.178, 2.289, 2.361, 2.413, 2.453, 2.485, 2.512, 2.535, 2.555],
    0.1: [1.875, 1.992, 2.067, 2.122, 2.164, 2.197, 2.225, 2.249, 2.270],
}
OBRIEN_FLEMING = {
    0.01: [2.580, 2.595, 2.609, 2.621, 2.631, 2.640, 2.648, 2.654, 2.660],
    0.05: [1.977, 2.004, 2.024, 2.040, 2.053, 2.063, 2.072, 2.080, 2.087],
    0.1: [1.678, 1.710, 1.733, 1.751, 1.765, 1.776, 1.786, 1.794, 1.801],
}


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_constants_of_their_tables(alpha: float) -> None:
    """Tables 2.1 and 2.3, two to ten looks: half a unit of the last printed digit."""
    for looks, (pocock, obf) in enumerate(zip(POCOCK[alpha], OBRIEN_FLEMING[alpha], strict=True), start=2):
        assert run(boundary="pocock", looks=looks, alpha=alpha).details["critical"][0] == pytest.approx(
            pocock, abs=6e-4
        )
        last = run(boundary="obrien_fleming", looks=looks, alpha=alpha).details["critical"][-1]
        assert last == pytest.approx(obf, abs=6e-4), looks


def test_wang_and_tsiatis_lies_between() -> None:
    """Their family holds both; with delta .25 and five looks the constant is 2.136 (Table 2.9, two-sided .05)."""
    assert run(boundary="wang_tsiatis", delta=0.25, looks=5).details["critical"][-1] == pytest.approx(2.136, abs=6e-4)
    for delta, kind in ((0.0, "obrien_fleming"), (0.5, "pocock")):
        both = [run(boundary=name, delta=delta, looks=4).details["critical"] for name in ("wang_tsiatis", kind)]
        assert both[0] == pytest.approx(both[1], abs=1e-8)


def test_hwang_shih_and_decani_as_gsdesign_prints() -> None:
    """Three looks, gamma -4, one-sided .025: 3.0107, 2.5465, 1.9992."""
    found = run(boundary="hwang_shih_decani", gamma=-4, looks=3, alpha=0.025, sides=1).details["critical"]
    assert found == pytest.approx([3.0107, 2.5465, 1.9992], abs=1e-4)


def test_looks_that_were_not_planned_get_their_boundary_as_they_come() -> None:
    """Of a spending function a look's boundary depends on what was before it, not on what follows."""
    whole = run(boundary="lan_demets_obrien_fleming", information=[0.2, 0.35, 0.8, 1]).details["critical"]
    so_far = run(boundary="lan_demets_obrien_fleming", information=[0.2, 0.35], z=[1.0, 2.0])
    assert so_far.details["critical"] == pytest.approx(whole[:2], abs=1e-10)
    assert so_far.details["decision"] == "go on"
    assert "Not all information" in so_far.warnings[0]
    with pytest.raises(InputError, match="lan_demets_obrien_fleming"):
        run(boundary="pocock", information=[0.2, 0.35])


def test_haybittle_and_peto_pay_for_early_looks_at_the_last() -> None:
    found = run(boundary="haybittle_peto", looks=5)
    assert found.details["critical"][:4] == [3.0] * 4
    assert found.details["critical"][-1] == pytest.approx(1.99, abs=0.02)
    assert found.details["spent"][-1] == pytest.approx(0.05, abs=1e-8)


def test_one_side_is_integrated_without_a_boundary_below() -> None:
    steps = np.random.default_rng(2).normal(size=(200_000, 3))
    z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, 4))
    critical = np.array(run(boundary="pocock", looks=3, sides=1, alpha=0.1).details["critical"])
    assert (z >= critical).any(axis=1).mean() == pytest.approx(0.1, abs=0.003)


def test_lan_demets_as_rpact_prints() -> None:
    """Five equal looks, two-sided .05: 4.8769, 3.3569, 2.6803, 2.2898, 2.0310 (rpact, ldbounds)."""
    found = run(boundary="lan_demets_obrien_fleming", looks=5).details["critical"]
    assert found == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [[0.5, 1.0], [0.1, 0.15, 0.7, 1.0], (np.arange(1, 21) / 20).tolist()])
def test_the_whole_error_is_spent(kind: str, times: list[float]) -> None:
    shape = {"hwang_shih_decani": -4.0, "kim_demets": 3.0, "wang_tsiatis": 0.25, "haybittle_peto": 4.0}.get(kind, 0.0)
    critical = boundaries(np.array(times), kind, 0.05, shape=shape)
    assert crossing(np.array(times), critical).sum() == pytest.approx(0.05, abs=1e-6)


def test_a_simulation_agrees() -> None:
    steps = np.random.default_rng(1).normal(size=(200_000, 4))
    z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, 5))
    critical = boundaries(np.arange(1, 5) / 4, "pocock", 0.05)
    assert (np.abs(z) >= critical).any(axis=1).mean() == pytest.approx(0.05, abs=0.002)


def test_looking_twenty_times_without_a_boundary_errs_in_a_quarter() -> None:
    assert crossing(np.arange(1, 21) / 20, np.full(20, 1.959964)).sum() == pytest.approx(0.248, abs=2e-3)


def test_what_was_seen_is_judged() -> None:
    assert run(looks=5, z=[1.1, 3.3]).details["crossed_at_look"] == 2
    assert run(looks=3, z=[1.0, 1.0, 1.0]).details["decision"].startswith("end")
    assert run(looks=3).details["decision"] == "no look yet"
    one = run(looks=1, sides=1)
    assert one.details["critical"] == pytest.approx([1.6448536], abs=1e-6)
    assert one.details["nominal_p"] == pytest.approx([0.05], abs=1e-8)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "either looks or information"),
        ({"looks": 2, "information": [0.5, 1]}, "either looks or information"),
        ({"information": [0.5, 0.4, 1]}, "must rise"),
        ({"information": [0.5, 0.9]}, "must rise"),
        ({"looks": 2, "z": [1, 2, 3]}, "3 statistics for 2 looks"),
    ],
)
def test_what_does_not_fit(keys: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        run(**keys)
