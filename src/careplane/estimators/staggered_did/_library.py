"""Callaway & Sant'Anna (2021) and Borusyak, Jaravel & Spiess (2024), computed by the library diff-diff."""

import importlib
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf, sqrt
from typing import Any

import numpy as np
from scipy.special import chdtrc

from careplane.errors import MissingExtra, Refused
from careplane.estimators import Floats
from careplane.estimators._spec import Spec
from careplane.estimators.staggered_did._effects import Effect, Found
from careplane.estimators.staggered_did._multiplier import Cell, average_influence, cell_influence, shape
from careplane.estimators.staggered_did._panel import Panel

_AIMED = re.compile(r"\bPass \w+=.*", re.DOTALL)
"""How the library is called, which is no key here."""
_TURN = {"never": "never_treated", "notyet": "not_yet_treated"}


def callaway_santanna(panel: Panel, spec: Spec) -> Found:
    """Group-time effects against units never (or not yet) treated, and their averages.

    Raises:
        MissingExtra: diff-diff is not installed.
        Refused: nobody is never treated where those are to be compared with, or the library cannot fit.
    """
    if spec["control_group"] == "never" and not np.isinf(panel.first).any():
        raise Refused(["No unit is never treated."], "Set control_group: notyet to compare with those treated later.")
    library = _diff_diff()
    model = library.CallawaySantAnna(
        control_group=_TURN[spec["control_group"]],
        estimation_method=spec["adjustment"],
        cluster="cluster" if "cluster" in spec else None,
    )
    fitted, told = _fit(model, panel)
    cells = {(float(g), float(t)): one for (g, t), one in fitted.group_time_effects.items()}
    events, average = _events(fitted, told)
    found = Found(
        simple=Effect(float(fitted.overall_att), float(fitted.overall_se)),
        dynamic=average,
        group_time={key: Effect(float(one["effect"]), float(one["se"])) for key, one in cells.items()},
        events=events,
        pretrend=_wald(fitted, panel),
        warnings=tuple(told),
    )
    return found if spec["se"] == "analytic" else _drawn(found, cell_influence(fitted, len(panel.units)), panel, spec)


def _drawn(found: Found, parts: Mapping[Cell, Floats], panel: Panel, spec: Spec) -> Found:
    """The same with standard errors of the multiplier bootstrap; the analytic ones stand beside."""
    _, first = np.unique(panel.unit, return_index=True)
    effects = {cell: one.value for cell, one in found.group_time.items() if cell in parts and np.isfinite(one.value)}
    events: dict[float, list[Cell]] = {at: [cell for cell in effects if cell[1] - cell[0] == at] for at in found.events}
    after = [cell for cell in effects if cell[1] >= cell[0]]
    if not after or not all(events.values()):
        return found

    def mean(chosen: list[Cell]) -> Floats:
        return average_influence(parts, effects, panel.first[first], chosen)

    by_event = {at: mean(chosen) for at, chosen in events.items()}
    later = [column for at, column in by_event.items() if at >= 0]
    columns = [mean(after), np.mean(later, axis=0), *by_event.values(), *(parts[cell] for cell in effects)]
    grown = shape(np.column_stack(columns), panel.cluster[first], spec["replications"], spec["seed"])
    simple, dynamic, *others = (float(one) for one in grown)
    of_event, of_cell = (
        dict(zip(by_event, others, strict=False)),
        dict(zip(effects, others[len(events) :], strict=True)),
    )
    return replace(
        found,
        simple=_scaled(found.simple, simple),
        dynamic=None if found.dynamic is None else _scaled(found.dynamic, dynamic),
        events={at: _scaled(one, of_event[at]) for at, one in found.events.items()},
        group_time={cell: _scaled(one, of_cell.get(cell, 1.0)) for cell, one in found.group_time.items()},
        more={
            "analytic_se": {"simple": found.simple.se, "dynamic": None if found.dynamic is None else found.dynamic.se}
        },
    )


def _scaled(one: Effect, factor: float) -> Effect:
    return Effect(one.value, one.se * factor)


def imputation(panel: Panel, spec: Spec) -> Found:
    """Effects on the treated rows against what unit and period effects of the untreated rows lead to expect.

    Raises:
        MissingExtra: diff-diff is not installed.
        Refused: the library cannot fit.
    """
    library = _diff_diff()
    model = library.ImputationDiD(cluster="cluster" if "cluster" in spec else None, pretrends=True)
    fitted, told = _fit(model, panel)
    events, average = _events(fitted, told)
    tested = _quietly(fitted.pretrend_test, told) if (panel.first - panel.time)[panel.first < inf].max() > 1 else {}
    known = tested and np.isfinite(tested["p_value"])
    return Found(
        simple=Effect(float(fitted.overall_att), float(fitted.overall_se)),
        dynamic=average,
        events=events,
        pretrend={"f": float(tested["f_stat"]), "df": int(tested["df"]), "p": float(tested["p_value"])}
        if known
        else None,
        warnings=tuple(dict.fromkeys(told)),
    )


def _diff_diff() -> Any:
    try:
        return importlib.import_module("diff_diff")
    except ImportError as error:
        raise MissingExtra("diff-diff, which fits this method,", "evidence") from error


def _fit(model: Any, panel: Panel) -> tuple[Any, list[str]]:
    table: dict[str, Any] = {"y": panel.y, "unit": panel.unit, "time": panel.time, "cluster": panel.cluster}
    table["first"] = np.where(np.isinf(panel.first), 0.0, panel.first)
    names = [f"x{i}" for i in range(panel.x.shape[1])]
    table |= {name: panel.x[:, i] for i, name in enumerate(names)}
    data = importlib.import_module("pandas").DataFrame(table)
    told: list[str] = []
    try:
        fitted = _quietly(lambda: model.fit(data, "y", "unit", "time", "first", covariates=names or None), told)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise Refused(
            [f"The model cannot be fitted: {error}"], "Leave covariates out or merge small cohorts."
        ) from error
    return fitted, told


def _quietly(call: Callable[[], Any], told: list[str]) -> Any:
    """The answer of the library; what it warns of is kept, its remarks to programmers and their ways out are not."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = call()
    for one in caught:
        text = _AIMED.sub("", str(one.message).strip()).strip()
        if issubclass(one.category, UserWarning) and text not in told:
            told.append(text)
    return answer


def _events(fitted: Any, told: list[str]) -> tuple[Mapping[float, Effect], Effect | None]:
    """The effect by time since the start, and the mean of those from the start on."""
    study = _quietly(lambda: fitted.aggregate("event_study"), told)
    kept = [i for i in range(len(study.event_time)) if not study.is_reference[i] and np.isfinite(study.se[i])]
    events = {float(study.event_time[i]): Effect(float(study.att[i]), float(study.se[i])) for i in kept}
    after = [at for at in events if at >= 0]
    if study.vcov is None:
        return events, None
    place = {float(at): i for i, at in enumerate(study.vcov_index)}
    if not after or not all(at in place for at in after):
        return events, None
    weight = np.zeros(len(study.vcov_index))
    weight[[place[at] for at in after]] = 1 / len(after)
    mean = float(np.mean([events[at].value for at in after]))
    return events, Effect(mean, sqrt(float(weight @ np.asarray(study.vcov) @ weight)))


def _wald(fitted: Any, panel: Panel) -> dict[str, float] | None:
    """The joint test that all group-time effects before the start are zero, from their influence functions."""
    parts = cell_influence(fitted, len(panel.units))
    _, first = np.unique(panel.unit, return_index=True)
    values, rows = [], []
    for (g, t), one in fitted.group_time_effects.items():
        part = parts.get((float(g), float(t)))
        if t < g and part is not None and np.isfinite(one["effect"]):
            rows.append(np.bincount(panel.cluster[first], weights=part))
            values.append(float(one["effect"]))
    if not rows:
        return None
    influence = np.array(rows)
    variance = influence @ influence.T
    rank = int(np.linalg.matrix_rank(variance))
    if rank < len(rows):
        return None
    chi2 = float(np.array(values) @ np.linalg.solve(variance, np.array(values)))
    return {"chi2": chi2, "df": float(rank), "p": float(chdtrc(rank, chi2))}
