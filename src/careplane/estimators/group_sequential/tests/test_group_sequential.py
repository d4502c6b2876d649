"""Against Jennison & Turnbull's tables by rpact (to 1e-5), ldbounds, and simulation."""

import numpy as np
import pytest

from careplane.errors import InputError
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.group_sequential import INFO, boundaries, crossing, estimate


def run(**keys: object) -> Result:
    return estimate(None, read_spec(INFO, keys))


def test_five_looks_of_jennison_and_turnbull() -> None:
    assert run(boundary="pocock", looks=5).details["critical"] == pytest.approx([2.4131762] * 5, abs=1e-5)
    expected = [4.5617423, 3.2256389, 2.6337231, 2.2808711, 2.0400732]
    assert run(boundary="obrien_fleming", looks=5).details["critical"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("looks", "pocock", "obf"), [(2, 2.178, 1.977), (3, 2.289, 2.004), (10, 2.555, 2.087)])
def test_constants_of_their_tables(looks: int, pocock: float, obf: float) -> None:
    assert run(boundary="pocock", looks=looks).details["critical"][0] == pytest.approx(pocock, abs=5e-4)
    assert run(boundary="obrien_fleming", looks=looks).details["critical"][-1] == pytest.approx(obf, abs=5e-4)


def test_lan_demets_as_rpact_prints() -> None:
    """Five equal looks, two-sided .05: 4.8769, 3.3569, 2.6803, 2.2898, 2.0310 (rpact, ldbounds)."""
    found = run(boundary="lan_demets_obrien_fleming", looks=5).details["critical"]
    assert found == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)


@pytest.mark.parametrize("kind", ["pocock", "obrien_fleming", "lan_demets_pocock", "lan_demets_obrien_fleming"])
@pytest.mark.parametrize("times", [[0.5, 1.0], [0.1, 0.15, 0.7, 1.0], (np.arange(1, 21) / 20).tolist()])
def test_the_whole_error_is_spent(kind: str, times: list[float]) -> None:
    critical = boundaries(np.array(times), kind, 0.05)
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
