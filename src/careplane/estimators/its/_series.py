"""Rows as one series in time, or two, and the segments before and after."""

from dataclasses import dataclass

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._frame import Frame, duplicated, varies
from careplane.estimators._linear import Design, check_rank, design, finite
from careplane.estimators._spec import Spec

LEAST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows in the order of series (0 the one that was changed, 1 the control), then time.

    ``built`` is the design; ``asked`` are the places of the coefficients that are the effect, by name.
    """

    y: Floats
    time: Floats
    after: Floats
    control: Ints
    built: Design
    asked: dict[str, int]
    frame: Frame


def read_series(frame: Frame, spec: Spec) -> Series:
    """The series of a specification.

    Raises:
        InputError: a column does not fit, a period stands twice, or the treatment switches back; names the line.
        Refused: there are too few periods before or after.
    """
    named = [spec["outcome"], spec["time"], spec["treatment"], *spec["covariates"]]
    named += [spec[name] for name in ("offset", "control") if name in spec]
    used = frame.complete(named)
    duplicated(used, *(spec[name] for name in ("time", "control") if name in spec))
    control = used.binary(spec["control"]).astype(np.int64) if "control" in spec else np.zeros(len(used), np.int64)
    time = finite(used, spec["time"])
    order = np.lexsort((time, control))
    used = Frame({name: column[order] for name, column in used.columns.items()}, used.line[order], used.left_out)
    time, control = time[order], control[order]
    after = used.binary(spec["treatment"])
    varies(finite(used, spec["outcome"]), spec["outcome"])
    _check(used, spec, time, after, control)
    built, asked = _design(used, spec, time, after, control)
    check_rank(built, [spec["treatment"]])
    return Series(finite(used, spec["outcome"]), time, after, control, built, asked, used)


def _check(frame: Frame, spec: Spec, time: Floats, after: Floats, control: Ints) -> None:
    if "control" in spec and len(np.unique(control)) < 2:
        raise InputError("must be 1 in the rows of the control series and 0 in the others", field=spec["control"])
    start = time[after == 1].min() if (after == 1).any() else np.inf
    back = (after == 0) & (time >= start)
    if back.any():
        raise InputError(
            f"is 0 again in line {frame.line[int(np.argmax(back))]} after it was 1; leave the time after the end out, "
            "and mark both series by the same date",
            field=spec["treatment"],
        )
    for code in np.unique(control):
        own = after[control == code]
        periods = (int((own == 0).sum()), int((own == 1).sum()))
        if min(periods) < LEAST:
            raise Refused(
                [f"There are {periods[0]} periods before and {periods[1]} after; each side needs {LEAST}."],
                "Use shorter periods or wait.",
            )


def _design(frame: Frame, spec: Spec, time: Floats, after: Floats, control: Ints) -> tuple[Design, dict[str, int]]:
    changes = {"level": [("level", after)], "slope": [("slope", after * (time - time[after == 1].min()))]}
    chosen = changes["level"] * ("level" in spec["change"]) + changes["slope"] * ("slope" in spec["change"])
    terms: list[tuple[str, Floats]] = [("time", time - time.mean())]
    if "control" in spec:
        own = (control == 0).astype(np.float64)
        terms += [(f"common {name}", values) for name, values in chosen] + [
            ("series", own),
            ("series time", own * terms[0][1]),
        ]
        chosen = [(name, values * own) for name, values in chosen]
    for pair in range(1, spec["harmonics"] + 1):
        turn = 2 * np.pi * pair * time / spec["period"]
        terms += [(f"sine {pair}", np.sin(turn)), (f"cosine {pair}", np.cos(turn))]
    more = design(frame, spec["covariates"], intercept=False) if spec["covariates"] else None
    every = [("(intercept)", np.ones(len(time))), *chosen, *terms]
    x = np.column_stack([values for _, values in every] + ([more.x] if more else []))
    names = tuple(name for name, _ in every) + (more.names if more else ())
    return Design(x, names), {name: i + 1 for i, (name, _) in enumerate(chosen)}
