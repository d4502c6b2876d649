"""Platform economics against the worked figures."""

import json
from pathlib import Path

import pytest

from careplane.errors import InputError
from careplane.value import break_even_apps, experience_curve, inference_per_year, productivity_dip

LAUNCHES = [120, 96, 84.3, 76.8]


def test_worked_figures() -> None:
    curve = experience_curve(LAUNCHES)
    assert break_even_apps(900_000, 180_000, 60_000) == 7.5
    assert (round(curve.b, 3), round(curve.progress_ratio, 3)) == (-0.322, 0.8)
    assert round(curve.cost_of(10), 1) == 57.2
    assert productivity_dip(400, 36, 0.10, 3, 95) == pytest.approx(410_400)
    assert round(inference_per_year(1800, 25, 3500, 4.0)) == 32_760


def test_the_vectors_file_says_the_same(shared: Path) -> None:
    vectors = json.loads((shared / "design" / "vectors.json").read_text())
    assert vectors["platform break-even n*"] == 7.5
    assert vectors["learning slope b, progress ratio"] == [-0.322, 0.8]
    assert vectors["predicted cost of app 10 (k$)"] == 57.2
    assert vectors["productivity dip $"] == 410_400
    assert vectors["inference $/yr (1800 users,25 calls/wk,3500 tok,$4/M)"] == 32_760


def test_a_platform_that_saves_nothing_never_pays() -> None:
    assert break_even_apps(900_000, 60_000, 60_000) is None


@pytest.mark.parametrize("costs", [[120, 96], [120, 0, 84]])
def test_a_curve_needs_launches_with_costs(costs: list[float]) -> None:
    with pytest.raises(InputError, match="costs"):
        experience_curve(costs)
