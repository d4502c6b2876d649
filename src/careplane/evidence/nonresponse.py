"""Who of a survey's sample answered, and weights that make those who did stand for those who did not.

Two ways to the chance to answer: the response rate of a cell (a class of people alike, such as age by language), or a
logistic regression on what is known of everybody who was asked. A weight is the inverse of that chance. Both assume
that within a cell, or given the covariates, answering does not depend on the answer; that cannot be tested from the
answers, so the response rate is shown beside every weighted figure.

Sources: Kalton and Flores-Cervantes, Weighting methods, Journal of Official Statistics 19:81 (2003); AAPOR Standard
Definitions (response rate 1: complete answers over all who were asked and eligible); Kish, Survey Sampling (1965).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from careplane.errors import InputError, Refused

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_CELL = 5
"""Answers that a cell needs, so that its rate is not an accident; smaller ones are joined."""
_STEPS, _CLOSE = 50, 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """How a sample responded.

    Attributes:
        rate: answers over all who were asked.
        asked: people.
        answered: of them.
        weights: by person, 0 for who did not answer; their sum is ``asked``.
        effective: Kish's effective number of answers, (sum w)^2 / sum w^2.
        design_effect: what unequal weights cost: ``answered`` over ``effective``.
        trimmed: how many weights were cut to the limit.
    """

    rate: float
    asked: int
    answered: int
    weights: Floats
    effective: float
    design_effect: float
    trimmed: int = 0


def cell_weights(answered: Mask, cells: Sequence[str]) -> Response:
    """Weights by cells: everybody of a cell who answered stands for an equal share of the cell.

    A cell with fewer than ``LEAST_CELL`` answers is joined with the smallest other ones until it has enough.

    Args:
        answered: by person.
        cells: the class of each person; what is not known is a class of its own.

    Raises:
        InputError: lengths differ, or nobody was asked.
        Refused: fewer than ``LEAST_CELL`` people answered.
    """
    said = _checked(answered)
    if len(cells) != len(said):
        raise InputError("must have one class for each person", field="cells")
    names, code = np.unique(np.asarray(cells, dtype=object).astype(str), return_inverse=True)
    code = _joined(code, said, len(names))
    size, replies = np.bincount(code), np.bincount(code, weights=said.astype(np.float64))
    chance = np.divide(replies, size, out=np.ones(len(size)), where=size > 0)
    return _response(said, chance[code], limit=None)


def propensity_weights(answered: Mask, covariates: Floats, limit: float | None = 5.0) -> Response:
    """Weights by the chance to answer that a logistic regression gives each person.

    Args:
        answered: by person.
        covariates: people by columns, numbers without gaps (a missing value is a column of its own); no intercept.
        limit: weights above this many times the median are cut to it and the rest scaled up; ``None``: not cut.

    Raises:
        InputError: shapes differ, a value is not finite, or a column says the same of everybody.
        Refused: fewer than ten answers or silences for each column, or covariates that tell exactly who answered.
    """
    said = _checked(answered)
    x = np.asarray(covariates, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] != len(said) or not np.isfinite(x).all():
        raise InputError("must be people by columns of finite numbers", field="covariates")
    if (np.ptp(x, axis=0) == 0).any():
        raise InputError("a column says the same of everybody; leave it out", field="covariates")
    fewest = int(min(said.sum(), (~said).sum()))
    if said.all():
        return _response(said, np.ones(len(said)), limit=None)
    if fewest < 10 * x.shape[1]:
        raise Refused(
            [f"{fewest} answers or silences are too few for {x.shape[1]} covariates (ten for each)."],
            "Use fewer covariates, or weights by cells.",
        )
    return _response(said, _chance(said, x), limit)


def survey_weights(value: Floats, patient: Sequence[str], groups: Mapping[str, Mapping[str, str]]) -> Floats:
    """The weights that an analysis gives to the rows of a survey of patients: by cells of language and age.

    Everybody who was asked is a row; who did not answer has no value. The cells do not look at arms or clinics, so a
    response that differs between arms in other ways than by language and age is not mended: look at the rates of both.
    With too few answers for any weight, every answer counts once.

    Args:
        value: NaN where somebody did not answer.
        patient: by row; empty where none is recorded.
        groups: by dimension, the group of each patient (:func:`careplane.evidence.patients.read_groups`).
    """
    dimensions = [groups.get(name, {}) for name in ("language", "age")]
    cells = ["|".join(of.get(who, "") for of in dimensions) for who in patient]
    try:
        return cell_weights(~np.isnan(value), cells).weights
    except (InputError, Refused):
        return np.ones(len(value))


def weighted_mean(value: Floats, weights: Floats) -> tuple[float, float]:
    """The weighted mean of answers and its standard error (linearised, weights taken as known)."""
    kept = ~np.isnan(value) & (weights > 0)
    y, w = value[kept], weights[kept]
    if len(y) < 2:
        raise Refused(["Fewer than two answers."], "Ask more people.")
    mean = float(w @ y / w.sum())
    scale = len(y) / (len(y) - 1)
    return mean, float(np.sqrt(scale * ((w * (y - mean)) ** 2).sum()) / w.sum())


def _checked(answered: Mask) -> Mask:
    said = np.asarray(answered, dtype=bool)
    if said.ndim != 1 or not len(said):
        raise InputError("nobody was asked", field="answered")
    if said.sum() < LEAST_CELL:
        raise Refused(
            [f"{int(said.sum())} of {len(said)} people answered; {LEAST_CELL} are the least for any weight."],
            "Report the response rate alone.",
        )
    return said


def _joined(code: NDArray[np.int64], said: Mask, cells: int) -> NDArray[np.int64]:
    """Codes with cells of too few answers joined with the next smallest; ties by the order of names."""
    code = code.copy()
    alive = list(range(cells))
    while len(alive) > 1:
        replies = {cell: int(said[code == cell].sum()) for cell in alive}
        smallest, next_one = sorted(alive, key=lambda cell: (replies[cell], cell))[:2]
        if replies[smallest] >= LEAST_CELL:
            break
        code[code == smallest] = next_one
        alive.remove(smallest)
    return code


def _chance(said: Mask, covariates: Floats) -> Floats:
    """Fitted probabilities by Newton's method on standardised columns."""
    spread = covariates.std(axis=0)
    x = np.column_stack([np.ones(len(said)), (covariates - covariates.mean(axis=0)) / spread])
    y, beta = said.astype(np.float64), np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -35, 35)))
        information = (x * (p * (1 - p))[:, None]).T @ x
        if np.linalg.cond(information) > 1e12:
            break
        step = np.linalg.solve(information, x.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() < _CLOSE:
            return p
    raise Refused(
        ["The covariates tell exactly who answered, or say the same twice, so no chance to answer can be estimated."],
        "Leave one out, or use weights by cells.",
    )


def _response(said: Mask, chance: Floats, limit: float | None) -> Response:
    weights = np.where(said, 1 / chance, 0.0)
    trimmed = 0
    if limit is not None:
        most = limit * float(np.median(weights[said]))
        trimmed = int((weights > most).sum())
        weights = np.minimum(weights, most)
    weights = weights * (len(said) / weights.sum())
    effective = float(weights.sum() ** 2 / (weights @ weights))
    answers = int(said.sum())
    return Response(answers / len(said), len(said), answers, weights, effective, answers / effective, trimmed)
