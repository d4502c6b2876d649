"""Synthetic control: a weighted mean of controls that follows the treated unit before the start.

Abadie, Diamond & Hainmueller 2010, with weights that match the outcome in each period before the start alone.
"""

from careplane.estimators._frame import Frame
from careplane.estimators._spec import Info, Result, Spec
from careplane.estimators._synthetic import SYNTHETIC_KEYS, Tuning, example_panel, noise, read_block, told, weigh

INFO = Info(
    name="synthetic_control",
    purpose="One unit (or few that start together) against a weighted mean of units that never start.",
    keys=SYNTHETIC_KEYS,
    source="Abadie, Diamond & Hainmueller 2010, J Am Stat Assoc 105:493",
    example={"estimator": "synthetic_control", "outcome": "calls", "unit": "clinic", "time": "month"}
    | {"treatment": "after", "replications": 50, "seed": 1},
    made=example_panel,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The average gap to the synthetic control after the start.

    Raises:
        InputError: a column does not fit, or the treatment switches back.
        Refused: starts differ, the panel has holes, or there are too few controls or periods.
    """
    block = read_block(frame, spec)
    spread = noise(block)
    tuning = Tuning(omega=1e-6 * spread, lam=0.0, stop=1e-5 * spread, levels=False)
    weights = weigh(block.y, block.n0, block.t0, tuning, periods=False)
    return told(block, spec, tuning, weights, "synthetic control", periods=False)
