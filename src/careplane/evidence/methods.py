"""Which estimators of the shelf answer a plan of each design, the first and those beside it, and what they are given.

Below six units no model is asked: the exact test is the method where arms were drawn, and where they were not the
result says that its interval is not to be trusted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from careplane.errors import CareplaneError, InputError, MissingExtra, Refused
from careplane.estimators._item import Item
from careplane.estimators._spec import Assumption, Result
from careplane.evidence import tables
from careplane.evidence.tables import Table
from careplane.evidence.trial import Trial
from careplane.records.design import AnalysisMethod, Design

FEW = 6
MOST_FOR_EXACT = 500
PLACEBOS = 100
"""Placebo draws of a synthetic comparison: each fits weights anew, which takes seconds in all."""
MISTAKES = (InputError, Refused, MissingExtra)


@dataclass(frozen=True, slots=True)
class Choice:
    """An estimator, its keys beside those of the data, and a word where two choices use the same."""

    estimator: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    word: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What one method found of the rows of a trial: ``n`` rows in ``clusters`` units."""

    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    clusters: int
    method: str
    se: float | None = None
    df: float | None = None
    warnings: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def estimate(items: Mapping[str, Item], trial: Trial, choice: Choice, alpha: float | None = None) -> Found:
    """One method on the rows of a trial; ``alpha`` takes the place of the plan's.

    Raises:
        InputError: the data do not fit.
        Refused: the method is not valid here.
        MissingExtra: it needs a library that is not installed.
    """
    if choice.estimator not in items or choice.estimator not in _TABLES:
        raise Refused(
            [f"{choice.estimator!r} is no method that a plan can name."], f"Use one of {', '.join(sorted(_TABLES))}."
        )
    table, keys = _TABLES[choice.estimator](trial, choice)
    seeded = {"seed": trial.plan.seed} if _takes_seed(items[choice.estimator]) else {}
    error = {"alpha": trial.plan.alpha if alpha is None else alpha}
    found = items[choice.estimator].run(table.columns, **{**error, **seeded, **keys, **choice.keys})
    return _found(found, table, choice)


def _takes_seed(item: Item) -> bool:
    return any(key.name == "seed" for key in item.info.keys)


def _found(result: Result, table: Table, choice: Choice) -> Found:
    if result.estimate is None or result.ci_low is None or result.ci_high is None:
        raise Refused([f"{choice.estimator} gives no interval here."], "Use another method.")
    left = {**table.left_out, **{f"in the estimator: {why}": count for why, count in result.left_out.items()}}
    return Found(
        estimate=result.estimate,
        ci_low=result.ci_low,
        ci_high=result.ci_high,
        p_value=1.0 if result.p is None else result.p,
        n=table.rows,
        clusters=table.units,
        method=f"{result.method}{f', {choice.word}' if choice.word else ''}",
        se=result.se,
        df=result.df,
        warnings=result.warnings,
        assumptions=result.assumptions,
        left_out=left,
        details=result.details,
    )


def beside(
    items: Mapping[str, Item], trial: Trial, choices: Sequence[Choice], alpha: float | None = None
) -> list[tuple[Choice, Found | str]]:
    """The methods beside the first; one that is not valid here says why in place of its result."""
    answers: list[tuple[Choice, Found | str]] = []
    for choice in choices:
        try:
            answers.append((choice, estimate(items, trial, choice, alpha)))
        except MISTAKES as error:
            answers.append((choice, told(error)))
    return answers


def told(error: CareplaneError) -> str:
    """An error as one line."""
    return str(error).replace("\n", " ")


def choices(trial: Trial, named: AnalysisMethod | None) -> tuple[Choice, ...]:
    """The methods for a trial, the plan's own (or the design's) first."""
    usual = _DESIGNS[trial.plan.design](trial)
    if named is None:
        return usual
    first = Choice(named.estimator, named.keys)
    return (first, *(one for one in usual if one.estimator != first.estimator))


# by design


def _individual(trial: Trial) -> tuple[Choice, ...]:
    table = tables.units_table(trial)
    exact = Choice("exact_permutation")
    if table.units < FEW:
        return (exact,)
    events = bool(np.isin(trial.value[trial.usable], (0.0, 1.0)).all()) and table.rows == table.units
    plain = Choice("proportions") if events else Choice("difference_in_means")
    adjusted = trial.plan.adjust == "baseline" and table.has("before")
    more = (exact,) if table.units <= MOST_FOR_EXACT else ()
    return (Choice("ancova"), plain, *more) if adjusted else (plain, *more)


def _clusters(trial: Trial) -> tuple[Choice, ...]:
    table = tables.rows_table(trial)
    exact = Choice("exact_permutation")
    if table.units < FEW:
        return (exact,)
    first = Choice("cluster_ols", word="weighted") if table.has("weight") else Choice("cluster_itt")
    return (first, exact, Choice("lmm"), Choice("gee"))


def _wedge(_trial: Trial) -> tuple[Choice, ...]:
    return (
        Choice("stepped_wedge", {"model": "hussey_hughes"}, "of cell means"),
        Choice("stepped_wedge", {"model": "nested_exchangeable"}, "of rows"),
        Choice("stepped_wedge", {"model": "exposure_time"}, "of rows"),
    )


def _rollout(trial: Trial) -> tuple[Choice, ...]:
    return (Choice("staggered_did", {"method": "efficient"}), *_staggered(trial))


def _staggered(trial: Trial) -> tuple[Choice, ...]:
    never = int((trial.ever == 0).sum())
    group = "never" if never >= FEW else "notyet"
    return (
        Choice("staggered_did", {"method": "callaway_santanna", "control_group": group}, f"controls: {group}"),
        Choice("staggered_did", {"method": "imputation"}),
    )


def _series(_trial: Trial) -> tuple[Choice, ...]:
    return (Choice("its"), Choice("its", {"change": "level_and_slope"}))


def _switchback(trial: Trial) -> tuple[Choice, ...]:
    exact = Choice("exact_permutation", word="order of the periods within pairs")
    if tables.switch_table(trial).units < FEW:
        return (exact,)
    return (Choice("cluster_ols", word="within pairs of periods"), exact)


def _synthetic(first: str, second: str) -> Callable[[Trial], tuple[Choice, ...]]:
    draws = {"replications": PLACEBOS}
    return lambda _trial: (Choice(first, draws), Choice(second, draws))


def _before_after(_trial: Trial) -> tuple[Choice, ...]:
    return (Choice("difference_in_means", word="of weeks, after against before"), Choice("its"))


_DESIGNS: Mapping[Design, Callable[[Trial], tuple[Choice, ...]]] = {
    "individually_randomised": _individual,
    "cluster_randomised": _clusters,
    "stepped_wedge": _wedge,
    "randomised_rollout": _rollout,
    "staggered_did": _staggered,
    "interrupted_time_series": _series,
    "controlled_its": _series,
    "switchback": _switchback,
    "synthetic_control": _synthetic("synthetic_control", "sdid"),
    "sdid": _synthetic("sdid", "synthetic_control"),
    "before_after": _before_after,
}

# what each estimator is given

Given = tuple[Table, dict[str, Any]]
_ARMS = {"outcome": "y", "treatment": "arm"}


def _of_rows(trial: Trial, _choice: Choice) -> Given:
    """Rows within clusters, with strata and the mean of the unit before the start."""
    table = tables.rows_table(trial)
    return table, {**_ARMS, "cluster": "unit", **_strata_and_baseline(trial, table)}


def _strata_and_baseline(trial: Trial, table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if table.has("stratum"):
        found["strata"] = "stratum"
    if trial.plan.adjust == "baseline" and table.has("before"):
        found["baseline"] = "before"
    return found


def _of_rows_with_covariates(trial: Trial, choice: Choice) -> Given:
    if trial.plan.design == "switchback":
        table = tables.switch_table(trial)
        return table, {**_ARMS, "cluster": "pair_number", "fixed_effects": ["pair"]}
    table, keys = _of_rows(trial, choice)
    covariates = [keys.pop(name) for name in ("strata", "baseline") if name in keys]
    if choice.estimator == "cluster_ols" and table.has("weight"):
        keys["weights"] = "weight"
    return table, {**keys, "covariates": covariates}


def _exact(trial: Trial, choice: Choice) -> Given:
    if trial.plan.design == "switchback":
        return tables.switch_table(trial), {**_ARMS, "cluster": "cell", "strata": "pair"}
    return _of_rows(trial, choice)


def _of_units(trial: Trial, choice: Choice) -> Given:
    if trial.plan.design == "before_after":
        table = tables.series_table(trial, *tables.periods(trial, tables.WEEK), control=False)
        return table, {"outcome": "y", "treatment": "after"}
    table = tables.units_table(trial)
    if choice.estimator != "ancova":
        return table, dict(_ARMS)
    return table, {**_ARMS, "covariates": list(_strata_and_baseline(trial, table).values())}


def _wedge_table(trial: Trial, choice: Choice) -> Given:
    """Cell means for Hussey-Hughes, which then holds its error where clusters vary from period to period; else rows."""
    period, inside = tables.steps(trial)
    keys = {**_ARMS, "cluster": "unit", "time": "period"}
    if choice.keys.get("model") == "hussey_hughes":
        return tables.cells_table(trial, period, inside), keys
    keep = trial.measured
    table = tables.cells_table(trial, period, inside)
    columns = {
        "y": trial.value[keep],
        "arm": trial.treated[keep].astype(np.float64),
        "unit": trial.unit[keep].astype(np.float64),
        "period": period[keep].astype(np.float64),
    }
    return replace(table, columns=columns), keys


def _panel(trial: Trial, choice: Choice) -> Given:
    whole = choice.keys.get("method") == "efficient"
    table = tables.cells_table(trial, *tables.periods(trial), whole=whole)
    return table, {"outcome": "y", "unit": "unit", "time": "period", "first_treated": "first"}


def _block(trial: Trial, _choice: Choice) -> Given:
    table = tables.cells_table(trial, *tables.periods(trial), whole=True)
    return table, {**_ARMS, "unit": "unit", "time": "period"}


def _one_series(trial: Trial, _choice: Choice) -> Given:
    control = trial.plan.design == "controlled_its"
    table = tables.series_table(trial, *tables.periods(trial, tables.WEEK), control=control)
    keys = {"outcome": "y", "time": "period", "treatment": "after"}
    return table, {**keys, "control": "control"} if control else keys


_TABLES: Mapping[str, Callable[[Trial, Choice], Given]] = {
    "cluster_itt": _of_rows,
    "exact_permutation": _exact,
    "cluster_ols": _of_rows_with_covariates,
    "lmm": _of_rows_with_covariates,
    "gee": _of_rows_with_covariates,
    "ancova": _of_units,
    "difference_in_means": _of_units,
    "proportions": _of_units,
    "stepped_wedge": _wedge_table,
    "staggered_did": _panel,
    "sdid": _block,
    "synthetic_control": _block,
    "its": _one_series,
}
