"""Synthetic difference-in-differences: units and periods are weighted so that controls run parallel before the start.

Arkhangelsky et al. 2021, algorithm 1: the penalty of unit weights is (N1 T1)^(1/4) times the spread of changes.
"""

from careplane.estimators._frame import Frame
from careplane.estimators._spec import Info, Result, Spec
from careplane.estimators._synthetic import SYNTHETIC_KEYS, Tuning, example_panel, noise, read_block, told, weigh

INFO = Info(
    name="sdid",
    purpose="Few units that start together, many that never do: synthetic difference-in-differences.",
    keys=SYNTHETIC_KEYS,
    source="Arkhangelsky, Athey, Hirshberg, Imbens & Wager 2021, Am Econ Rev 111:4088",
    example={"estimator": "sdid", "outcome": "calls", "unit": "clinic", "time": "month", "treatment": "after"}
    | {"replications": 50, "seed": 1},
    made=example_panel,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The average effect on the treated after the start.

    Raises:
        InputError: a column does not fit, or the treatment switches back.
        Refused: starts differ, the panel has holes, or there are too few controls or periods.
    """
    block = read_block(frame, spec)
    spread = noise(block)
    many = (len(block.y) - block.n0) * (block.y.shape[1] - block.t0)
    tuning = Tuning(omega=many**0.25 * spread, lam=1e-6 * spread, stop=1e-5 * spread, levels=True)
    weights = weigh(block.y, block.n0, block.t0, tuning)
    return told(block, spec, tuning, weights, "synthetic difference-in-differences")
