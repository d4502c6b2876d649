"""A switchback: one system (or several) that is switched on and off for blocks of time, in an order that was drawn.

Rows are compared within a unit and within what else tells times apart (``fixed_effects`` such as the hour or the
weekday); a block is what was drawn, so errors may be shared in it (CR2 with Satterthwaite). What the state before still
does is left out: the first ``washout`` periods of a block (Bojinov, Simchi-Levi & Zhao 2023, Manag Sci 69:3759).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._frame import Frame, duplicated, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import Design, check_rank, design, finite, variances
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec

FEW = 6


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(12)
    hour = np.arange(24 * 14)
    block = hour // 12
    on = draws.permutation(np.repeat([0, 1], 14))[block]
    level = draws.normal(0, 1.5, 28)[block]
    wait = 40 + 6 * np.sin(hour / 24 * 2 * np.pi) - 3 * on + level + draws.normal(0, 4, len(hour))
    return {"wait": np.round(wait, 2).tolist(), "hour": hour.tolist(), "on": on.tolist()} | {
        "block": block.tolist(),
        "of_day": [f"h{one % 24:02d}" for one in hour],
    }


INFO = Info(
    name="switchback",
    purpose="A whole system switched on and off for blocks of time, in an order that was drawn.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("treatment", "column", "1 in rows with the intervention on, else 0", needed=True),
        Key("time", "column", "the number of the period", needed=True),
        Key("unit", "column", "the system that is switched, if there are several"),
        Key("block", "column", "the block of time that was drawn; by default a run of the same state"),
        Key("washout", "integer", "periods at the start of a block that are left out", 0, least=0, most=100_000),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("fixed_effects", "columns", "columns of which each value gets an indicator, numbers too", default=()),
        ALPHA,
    ),
    source="Bojinov, Simchi-Levi & Zhao 2023, Manag Sci 69:3759; Pustejovsky & Tipton 2018, J Bus Econ Stat 36:672",
    example={"estimator": "switchback", "outcome": "wait", "treatment": "on", "time": "hour", "block": "block"}
    | {"washout": 1, "fixed_effects": ["of_day"]},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """Mean with the intervention on minus off, beside what is named.

    Raises:
        InputError: a column does not fit, a unit has two rows in a period, or a block changes its state.
        Refused: fewer than six blocks, or fewer than two in a state.
    """
    named = [spec[name] for name in ("outcome", "treatment", "time", "unit", "block") if name in spec]
    used = frame.complete([*named, *spec["covariates"], *spec["fixed_effects"]])
    duplicated(used, *(spec[name] for name in ("unit", "time") if name in spec))
    used, unit = _in_order(used, spec)
    used.finite(spec["outcome"])
    state = used.binary(spec["treatment"])
    varies(state, spec["treatment"])
    block, since = _blocks(used, spec, state, unit)
    kept = since >= spec["washout"]
    if not kept.any():
        raise InputError("leaves no row; blocks are not longer than that", field="washout")
    used, state, block = used.where(kept, "washout"), state[kept], block[kept]
    _, block = np.unique(block, return_inverse=True)
    _enough(state, block)
    y = finite(used, spec["outcome"])
    varies(y, spec["outcome"])
    built = _design(used, spec, state)
    check_rank(built, [spec["treatment"]])
    (found,) = variances(y, built.x, 1, block, ["CR2"])
    ends = interval(found.value, found.se, found.df, spec["alpha"])
    correlation = _correlation(y, built.x, block)
    return Result(
        method="switchback, least squares, CR2 by block",
        n=len(y),
        estimate=found.value,
        se=found.se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=found.df,
        p=ends.p,
        clusters=int(block.max()) + 1,
        details={
            "blocks": {"on": _count(block, state, 1), "off": _count(block, state, 0)},
            "plain_difference": float(y[state == 1].mean() - y[state == 0].mean()),
            "block_correlation": correlation,
        },
        warnings=_warnings(found.df, correlation, int(block.max()) + 1, spec),
        assumptions=(
            Assumption(name="the order of the blocks was drawn", held=None, text="What went on did not choose."),
            Assumption(
                name="nothing carries over beyond the washout",
                held=None,
                text=f"{spec['washout']} periods of each block are left out; compare a longer washout.",
            ),
        ),
        left_out=dict(used.left_out),
    )


def _in_order(used: Frame, spec: Spec) -> tuple[Frame, Ints]:
    unit = used.labels(spec["unit"])[0] if "unit" in spec else np.zeros(len(used), np.int64)
    order = np.lexsort((finite(used, spec["time"]), unit))
    columns = {name: column[order] for name, column in used.columns.items()}
    return Frame(columns, used.line[order], used.left_out), unit[order]


def _blocks(used: Frame, spec: Spec, state: Floats, unit: Ints) -> tuple[Ints, Ints]:
    """The block of each row, and how many rows of it came before."""
    mark = used.labels(spec["block"])[0] if "block" in spec else state.astype(np.int64)
    new = np.r_[True, (np.diff(mark) != 0) | (np.diff(unit) != 0)]
    block = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    wrong = state != state[first][block]
    if wrong.any():
        at = used.line[int(np.argmax(wrong))]
        raise InputError(f"changes within a block (line {at}); a block has one state", field=spec["treatment"])
    if "block" in spec and len(np.unique(np.column_stack([mark, unit])[first], axis=0)) < len(first):
        raise InputError("comes back after another block; give each block a name of its own", field=spec["block"])
    return block.astype(np.int64), (np.arange(len(state)) - first[block]).astype(np.int64)


def _count(block: Ints, state: Floats, which: int) -> int:
    return len(np.unique(block[state == which]))


def _enough(state: Floats, block: Ints) -> None:
    on, off = _count(block, state, 1), _count(block, state, 0)
    if on + off < FEW or min(on, off) < 2:
        raise Refused(
            [f"There are {on} blocks on and {off} off; {FEW} are needed in all, and two of each."],
            "Use exact_permutation with the block as cluster, or go on for longer.",
        )


def _design(used: Frame, spec: Spec, state: Floats) -> Design:
    units = [spec["unit"]] if "unit" in spec else []
    wide = used.coded({spec["treatment"]: state}, [*units, *spec["fixed_effects"]])
    return design(wide, [spec["treatment"], *units, *spec["covariates"], *spec["fixed_effects"]])


def _correlation(y: Floats, x: Floats, block: Ints) -> float:
    """Of the mean residual of a block with that of the block before."""
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    mean = np.bincount(block, weights=residual) / np.bincount(block)
    mean = mean - mean.mean()
    total = float((mean**2).sum())
    return float((mean[1:] * mean[:-1]).sum()) / total if total > 0 else 0.0


def _warnings(df: float, correlation: float, blocks: int, spec: Spec) -> tuple[str, ...]:
    told = []
    if df < 4:
        told.append(f"The effective degrees of freedom are {df:.1f}; below 4 the interval is not to be trusted.")
    if abs(correlation) > 2 / blocks**0.5:
        told.append(f"Neighbouring blocks correlate by {correlation:.2f}; use longer blocks or name what they share.")
    if "block" not in spec:
        told.append("Runs of one state count as one block; name the blocks that were drawn if some came in a row.")
    if not spec["washout"]:
        told.append("Nothing is left out after a switch; if effects linger this is biased towards no effect.")
    return tuple(told)
