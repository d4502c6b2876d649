"""Least squares on the columns of a table: the design, the fit, and the variances of one coefficient.

Notation: ``X`` the design (n, p), ``M = (X'X)^-1``, ``e`` the residuals. With weights
the model is fitted to rows multiplied by their root; CR2 then takes an identity working model, as clubSandwich does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._cr2 import cr2, cr2_weighted
from careplane.estimators._frame import Frame

MAX_LEVELS = 5_000
_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A design of full column rank, and the names of its columns."""

    x: Floats
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient: its value, standard error, degrees of freedom (infinite for the normal) and kind of variance."""

    kind: str
    value: float
    se: float
    df: float


def finite(frame: Frame, name: str) -> Floats:
    """A column of finite numbers of a size that can be squared.

    Raises:
        InputError: it holds text, an infinite number or one beyond 1e50; names the line.
    """
    return frame.finite(name)


def design(frame: Frame, columns: Sequence[str], *, intercept: bool = True) -> Design:
    """An intercept and the columns: numbers as they are, texts as indicators of each value but the first.

    Raises:
        InputError: a column says nothing beside those before it, or has too many values.
    """
    names: list[str] = ["(intercept)"] if intercept else []
    parts: list[Floats] = [np.ones(len(frame))] if intercept else []
    for name in columns:
        if frame.column(name).dtype == np.float64:
            names.append(name)
            parts.append(finite(frame, name))
        else:
            levels = indicators(frame, name)
            names += [f"{name}={value}" for value, _ in levels]
            parts += [column for _, column in levels]
    return Design(np.column_stack(parts), tuple(names))


def indicators(frame: Frame, name: str) -> list[tuple[str, Floats]]:
    """A 0/1 column for each value of a column but the first.

    Raises:
        InputError: there are too many values.
    """
    codes, values = frame.labels(name)
    if len(values) > MAX_LEVELS:
        raise InputError(f"has {len(values)} values, more than {MAX_LEVELS}", field=name)
    return [(value, (codes == i).astype(np.float64)) for i, value in enumerate(values) if i]


def check_rank(built: Design, wanted: Sequence[str]) -> None:
    """Refuse a design in which a column says nothing beside the others.

    Raises:
        InputError: names the column; one of ``wanted`` where it is among them.
    """
    scale = np.sqrt((built.x**2).sum(axis=0))
    flat = np.flatnonzero(scale == 0)
    if len(flat):
        raise InputError("is 0 in every row", field=built.names[int(flat[0])])
    r = np.linalg.qr(built.x / scale, mode="r")
    bare = np.flatnonzero(np.abs(np.diag(r)) < _SINGULAR * max(1.0, float(np.abs(np.diag(r)).max())) * 100)
    if len(bare) or len(built.x) <= len(built.names):
        name = built.names[int(bare[0])] if len(bare) else (wanted[0] if wanted else built.names[-1])
        raise InputError("cannot be told apart from the other columns; leave one of them out", field=name)


def least_squares(y: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Coefficients, residuals and ``M``."""
    beta: Floats = np.linalg.lstsq(x, y, rcond=None)[0].astype(np.float64)
    return beta, y - x @ beta, np.linalg.inv(x.T @ x).astype(np.float64)


def variances(
    y: Floats, x: Floats, place: int, cluster: Ints | None, kinds: Sequence[str], weight: Floats | None = None
) -> list[Coefficient]:
    """The coefficient at ``place`` under each kind of variance.

    ``classical``, ``HC0`` to ``HC3`` are of independent rows (MacKinnon & White 1985), ``CR0`` to ``CR2`` of clusters:
    ``CR1`` multiplies by G / (G - 1), ``CR1S`` as Stata by that and (n - 1) / (n - p), ``CR2`` is the bias-reduced
    linearisation with Satterthwaite degrees of freedom (Pustejovsky & Tipton 2018).

    Raises:
        Refused: a variance of clusters without clusters, or with fewer than two.
    """
    plain = (y, x)
    if weight is not None:
        y, x = y * np.sqrt(weight), x * np.sqrt(weight)[:, None]
    beta, residual, bread = least_squares(y, x)
    n, p = x.shape
    row = bread[place] @ x.T
    found: list[Coefficient] = []
    for kind in kinds:
        if kind == "CR2" and weight is not None and cluster is not None:
            fit = cr2_weighted(*plain, weight, cluster, np.eye(p)[place])
            found.append(Coefficient(kind, float(beta[place]), fit.se, fit.df))
        elif kind.startswith("CR"):
            found.append(_clustered(kind, y, x, place, cluster, float(beta[place]), row * residual))
        else:
            leverage = np.einsum("ij,jk,ik->i", x, bread, x) if kind in ("HC2", "HC3") else np.zeros(n)
            squares = _squares(kind, residual, leverage, n, p)
            value = float(bread[place, place] * squares) if kind == "classical" else float((row**2) @ squares)
            found.append(Coefficient(kind, float(beta[place]), value**0.5, float(n - p)))
    return found


def _squares(kind: str, residual: Floats, leverage: Floats, n: int, p: int) -> Floats:
    if kind == "classical":
        return np.asarray((residual**2).sum() / (n - p))
    if kind == "HC1":
        return residual**2 * n / (n - p)
    power = {"HC0": 0, "HC2": 1, "HC3": 2}[kind]
    return np.asarray(residual**2 / np.maximum(1 - leverage, 1e-12) ** power)


def _clustered(
    kind: str, y: Floats, x: Floats, place: int, cluster: Ints | None, beta: float, parts: Floats
) -> Coefficient:
    if cluster is None:
        raise Refused([f"{kind} is a variance of clusters."], "Name the column of the cluster, or use HC2.")
    _, code = np.unique(cluster, return_inverse=True)
    groups = int(code.max()) + 1
    if groups < 2:
        raise Refused(["There is one cluster, so nothing tells how clusters differ."], "Use more clusters.")
    if kind == "CR2":
        fit = cr2(y, x, cluster, np.eye(x.shape[1])[place])
        return Coefficient(kind, beta, fit.se, fit.df)
    variance = float((np.bincount(code, weights=parts) ** 2).sum())
    n, p = x.shape
    factor = {"CR0": 1.0, "CR1": groups / (groups - 1), "CR1S": groups / (groups - 1) * (n - 1) / (n - p)}[kind]
    return Coefficient(kind, beta, (variance * factor) ** 0.5, float(groups - 1))
