"""Linear mixed models by REML, with small-sample inference for one contrast: Satterthwaite and Kenward-Roger.

The covariance is linear in its parameters: ``V = s2 D + sum_k t_k V_k`` in independent blocks, where ``D`` is diagonal
(1 / n of each cell mean) and ``V_k`` is known. Rows of a block that have the same design are collapsed to their mean
first, which loses nothing: what varies within cells enters the likelihood of ``s2`` through its sum of squares. So a
million rows in 48 clusters and 12 periods are 576 cells.

Sources: Kenward & Roger 1997, Biometrics 53:983 (expected information, their A1, A2, B and the moments of a scaled F);
Giesbrecht & Burns 1985, Biometrics 41:477 and Fai & Cornelius 1996, J Stat Comput Simul 54:363 (Satterthwaite, with the
observed information, as lmerTest takes it).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import chdtrc, fdtrc

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints

MAX_BLOCK = 3_000
_CHUNK = 2_000_000
"""Numbers in one matrix of a stack of blocks."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
MAX_STEPS = 200
_TINY = 1e-10
_MINIMUM: Any = optimize.minimize  # the library has no types


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One independent block: cell means ``y`` (m,), their design (m, p), rows per cell, and each ``V_k`` (m, m)."""

    y: Floats
    x: Floats
    count: Floats
    parts: tuple[Floats, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """Blocks of one size, one above the other: ``y`` (b, m), ``x`` (b, m, p), ``count`` (b, m), ``parts`` (b, k, m, m),
    of which the first is that of the residual."""

    y: Floats
    x: Floats
    count: Floats
    parts: Floats

    def covariance(self, theta: Floats) -> Floats:
        return np.asarray(np.tensordot(theta, self.parts, axes=(0, 1)), dtype=np.float64)


def _stacked(blocks: Sequence[Block]) -> list[_Stack]:
    by_size: dict[int, list[Block]] = {}
    for block in blocks:
        by_size.setdefault(len(block.y), []).append(block)
    found = []
    for size, own in by_size.items():
        step = max(1, _CHUNK // (size * size))
        for at in range(0, len(own), step):
            some = own[at : at + step]
            parts = np.array([[np.diag(1 / one.count), *one.parts] for one in some])
            y, x, count = (np.array([getattr(one, name) for one in some]) for name in ("y", "x", "count"))
            found.append(_Stack(y, x, count, parts))
    return found


@dataclass(frozen=True, slots=True)
class Within:
    """What varies within cells: sum of squares and degrees of freedom."""

    squares: float
    df: float


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted model. ``theta`` is ``s2`` and then each ``t_k``; ``active`` are those above zero."""

    beta: Floats
    phi: Floats
    theta: Floats
    active: tuple[int, ...]
    p_parts: Floats
    q_parts: Floats
    expected: Floats
    observed: Floats


@dataclass(frozen=True, slots=True)
class Contrast:
    """Estimate, standard error and degrees of freedom of one contrast."""

    value: float
    se: float
    df: float


def cells(
    y: Floats, x: Floats, group: Ints, design: Floats
) -> tuple[list[Ints], Floats, Floats, Floats, Floats, Within]:
    """Rows collapsed to cells of one group and one design.

    Args:
        y: outcome, (n,).
        x: fixed design, (n, p).
        group: block of each row, (n,).
        design: everything else that ``V_k`` is made of, (n, q).

    Returns:
        The places of the cells of each block; then by cell: mean, design, rows and ``design``; and what is within.
    """
    first, code, count = _distinct(np.column_stack([group, x, design]))
    mean = np.bincount(code, weights=y) / count
    squares = float(((y - mean[code]) ** 2).sum())
    of_group = group[first]
    order = np.argsort(of_group, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(of_group[order]) != 0])
    places = np.split(order, bounds[1:])
    largest = max(map(len, places))
    if largest > MAX_BLOCK:
        raise Refused(
            [f"A cluster has {largest} different rows, and a mixed model takes up to {MAX_BLOCK}."],
            "Leave continuous covariates out, or use cluster_ols with CR2.",
        )
    within = Within(squares, float(len(y) - len(count)))
    return places, mean, x[first], count.astype(np.float64), design[first], within


def _distinct(keys: Floats) -> tuple[Ints, Ints, Ints]:
    """Of rows of numbers: where each different one stands first, which each row is, and how often it comes.

    A million rows are sorted by one number mixed from their bits, which is then checked; sorting whole rows takes
    twenty times as long.
    """
    mixed = np.zeros(len(keys), dtype=np.uint64)
    for column in keys.T:
        bits = (np.ascontiguousarray(column, dtype=np.float64) + 0.0).view(np.uint64)  # -0 is 0
        mixed = (mixed ^ bits) * _MIX
        mixed ^= mixed >> np.uint64(29)
    _, first, code, count = np.unique(mixed, return_index=True, return_inverse=True, return_counts=True)
    if not (keys == keys[first][code]).all():
        _, first, code, count = np.unique(keys, axis=0, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort(keys[first].T[::-1])  # the order that the rows themselves have
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[code.ravel()], count[order].astype(np.int64)


def reml(blocks: Sequence[Block], within: Within) -> Fit:
    """Fit by Fisher scoring.

    Raises:
        InputError: the fixed effects cannot be told apart, or the outcome does not vary.
        Refused: it does not converge, or the variances cannot be told apart.
    """
    number = 1 + len(blocks[0].parts)
    theta = _start(blocks, within, number)
    active = tuple(range(number))
    stacks = _stacked(blocks)
    for _ in range(MAX_STEPS):
        state = _State(stacks, within, theta, active)
        step = np.linalg.lstsq(state.expected, state.score, rcond=None)[0]
        theta, active, moved = _stepped(stacks, within, theta, active, step, state.deviance)
        if moved < 1e-11:
            state = _State(stacks, within, theta, active)
            _told_apart(state.expected)
            return Fit(
                state.beta, state.phi, theta, active, state.p_parts, state.q_parts, state.expected, state.observed()
            )
    raise Refused(["The mixed model does not converge."], "Use cluster_ols with CR2, or fewer random effects.")


def _told_apart(information: Floats) -> None:
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    if np.linalg.cond(information / np.outer(scale, scale)) > 1e12:
        raise Refused(
            ["The variances cannot be told apart, as where each cluster has one row or one period."],
            "Leave a level of the model out (hussey_hughes has the fewest), or use cluster_ols.",
        )


def _start(blocks: Sequence[Block], within: Within, number: int) -> Floats:
    x, y = np.vstack([b.x for b in blocks]), np.concatenate([b.y for b in blocks])
    weight = np.concatenate([b.count for b in blocks])
    root = np.sqrt(weight)
    beta = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
    squares = float((weight * (y - x @ beta) ** 2).sum()) + within.squares
    total = squares / max(1.0, weight.sum() - x.shape[1])
    if total <= _TINY * max(1.0, float(np.abs(y).max()) ** 2):
        raise InputError("does not vary once the fixed effects are taken out", field="outcome")
    theta = np.full(number, 0.1 * total)
    theta[0] = within.squares / within.df if within.df > 10 and within.squares > 0 else 0.8 * total
    return theta


def _stepped(
    stacks: Sequence[_Stack], within: Within, theta: Floats, active: tuple[int, ...], step: Floats, deviance: float
) -> tuple[Floats, tuple[int, ...], float]:
    """The next parameters: the step, halved until the likelihood does not fall; those that reach zero stay there."""
    places = list(active)
    scale = float(theta[places].sum())
    for _ in range(40):
        trial = theta.copy()
        trial[places] = theta[places] + step
        low = [k for k in places if k and _is_variance(stacks, k) and trial[k] <= _TINY * scale]
        trial[low] = 0.0
        if trial[0] > 0:
            kept = tuple(k for k in active if k not in low)
            found = _deviance(stacks, within, trial)
            if found is not None and found <= deviance + 1e-9 * abs(deviance):
                return trial, kept, float(np.abs(trial - theta).max() / scale)
        step = step / 2
    return theta, active, 0.0


def _is_variance(stacks: Sequence[_Stack], k: int) -> bool:
    """Whether a parameter is a variance (``V_k`` has no negative diagonal and is no covariance)."""
    part = stacks[0].parts[0, k]
    return bool(np.linalg.eigvalsh(part)[0] > -1e-9 * max(1.0, float(np.abs(part).max())))


def _deviance(stacks: Sequence[_Stack], within: Within, theta: Floats, *, restricted: bool = True) -> float | None:
    """Minus twice the restricted (or the full) log-likelihood, up to a constant; None where V is no covariance."""
    total = 0.0
    p = stacks[0].x.shape[2]
    both = np.zeros((p + 1, p + 1))
    for stack in stacks:
        try:
            root = np.linalg.cholesky(stack.covariance(theta))
        except np.linalg.LinAlgError:
            return None
        solved = np.linalg.solve(root, np.concatenate([stack.x, stack.y[:, :, None]], axis=2))
        total += 2 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum())
        both += np.einsum("bmi,bmj->ij", solved, solved)
    xx, xy, yy = both[:-1, :-1], both[:-1, -1], float(both[-1, -1])
    sign, log_det = np.linalg.slogdet(xx)
    if sign <= 0:
        raise InputError("cannot be told apart from the other columns; leave one of them out", field="treatment")
    total += (float(log_det) if restricted else 0.0) + yy - float(xy @ np.linalg.solve(xx, xy))
    return total + within.df * float(np.log(theta[0])) + within.squares / float(theta[0])


class _State:
    """All that follows from one value of the parameters: fixed effects, score, information, Kenward & Roger's parts."""

    def __init__(self, stacks: Sequence[_Stack], within: Within, theta: Floats, active: tuple[int, ...]) -> None:
        self._within, self._theta = within, theta
        found = _deviance(stacks, within, theta)
        self.deviance = np.inf if found is None else found
        p, k = stacks[0].x.shape[2], len(active)
        inverses = [np.linalg.inv(stack.covariance(theta)) for stack in stacks]
        reached = [inverse @ stack.x for stack, inverse in zip(stacks, inverses, strict=True)]
        xx = sum(np.einsum("bmp,bmq->pq", stack.x, one) for stack, one in zip(stacks, reached, strict=True))
        xy = sum(np.einsum("bmp,bm->p", one, stack.y) for stack, one in zip(stacks, reached, strict=True))
        self.phi: Floats = np.linalg.inv(xx).astype(np.float64)
        self.beta: Floats = self.phi @ xy
        self.p_parts, self.q_parts = np.zeros((k, p, p)), np.zeros((k, k, p, p))
        traces, single, squares = np.zeros((k, k)), np.zeros(k), np.zeros(k)
        cross, reach = np.zeros((k, k)), np.zeros((k, p))
        for stack, inverse, ix in zip(stacks, inverses, reached, strict=True):
            derived = stack.parts[:, list(active)]
            held = inverse[:, None] @ derived
            e = np.einsum("bmn,bn->bm", inverse, stack.y - stack.x @ self.beta)
            u = np.einsum("bimn,bn->bim", derived, e)
            hx = held @ ix[:, None]
            xh = np.einsum("bmp,bimn->bipn", stack.x, held, optimize=True)
            single += np.einsum("bimm->i", held)
            squares += np.einsum("bm,bim->i", e, u)
            reach += np.einsum("bmp,bim->ip", ix, u)
            self.p_parts -= np.einsum("bmp,bimq->ipq", stack.x, hx, optimize=True)
            traces += np.einsum("bimn,bjnm->ij", held, held, optimize=True)
            cross += np.einsum("bim,bmn,bjn->ij", u, inverse, u, optimize=True)
            self.q_parts += np.einsum("bipn,bjnq->ijpq", xh, hx, optimize=True)
        self._cross = cross - reach @ self.phi @ reach.T
        phi_p = [self.phi @ one for one in self.p_parts]
        projected = traces.copy()
        for i in range(k):
            for j in range(k):
                projected[i, j] -= 2 * float(np.trace(self.phi @ self.q_parts[i, j]))
                projected[i, j] += float((phi_p[i] * phi_p[j].T).sum())
        self._projected = projected
        self.score = 0.5 * (squares - single - np.array([float(np.trace(one)) for one in phi_p]))
        self.expected = 0.5 * projected
        s2 = float(theta[0])
        self.score[0] += 0.5 * (within.squares / s2**2 - within.df / s2)
        self.expected[0, 0] += 0.5 * within.df / s2**2

    def observed(self) -> Floats:
        """The observed information."""
        found = self._cross - 0.5 * self._projected
        s2 = float(self._theta[0])
        found[0, 0] += self._within.squares / s2**3 - 0.5 * self._within.df / s2**2
        return np.asarray(found)


def model_based(fit: Fit, contrast: Floats) -> Contrast:
    """The contrast with the plain standard error, and the normal distribution."""
    return Contrast(float(contrast @ fit.beta), float(contrast @ fit.phi @ contrast) ** 0.5, np.inf)


def satterthwaite(fit: Fit, contrast: Floats) -> Contrast:
    """The contrast with the plain standard error and Satterthwaite's degrees of freedom."""
    plain = model_based(fit, contrast)
    gradient = np.array([-float(contrast @ fit.phi @ p @ fit.phi @ contrast) for p in fit.p_parts])
    spread = float(gradient @ np.linalg.solve(fit.observed, gradient))
    return Contrast(plain.value, plain.se, 2 * plain.se**4 / spread if spread > 0 else np.inf)


def _adjusted(fit: Fit) -> Floats:
    """Kenward and Roger's covariance of the fixed effects."""
    phi, w = fit.phi, np.linalg.inv(fit.expected)
    inner = np.zeros_like(phi)
    for i in range(len(w)):
        for j in range(len(w)):
            inner += w[i, j] * (fit.q_parts[i, j] - fit.p_parts[i] @ phi @ fit.p_parts[j])
    return phi + 2 * phi @ inner @ phi


def kenward_roger(fit: Fit, contrast: Floats) -> Contrast:
    """The contrast with Kenward and Roger's adjusted standard error and degrees of freedom.

    For one contrast A1 = A2 = a, so their B is 3.5 a and g is -1; the moments of the scaled F then solve to 2 / a.
    """
    phi, w, adjusted = fit.phi, np.linalg.inv(fit.expected), _adjusted(fit)
    variance = float(contrast @ phi @ contrast)
    ratios = np.array([float(contrast @ phi @ p @ phi @ contrast) / variance for p in fit.p_parts])
    a = float(ratios @ w @ ratios)
    value, se = float(contrast @ fit.beta), float(contrast @ adjusted @ contrast) ** 0.5
    return Contrast(value, se, 2 / a if a > 0 else np.inf)


@dataclass(frozen=True, slots=True)
class Joint:
    """A test that several contrasts are zero: F with its degrees of freedom, and its p-value."""

    f: float
    ndf: int
    ddf: float
    p: float


def kenward_roger_f(fit: Fit, contrasts: Floats) -> Joint:
    """Kenward and Roger's scaled F of the rows of ``contrasts``, (l, p) (1997, section 3)."""
    phi, w, number = fit.phi, np.linalg.inv(fit.expected), len(contrasts)
    theta = contrasts.T @ np.linalg.solve(contrasts @ phi @ contrasts.T, contrasts)
    parts = [theta @ phi @ p @ phi for p in fit.p_parts]
    traces = np.array([float(np.trace(part)) for part in parts])
    a1 = float(traces @ w @ traces)
    a2 = float(sum(w[i, j] * np.sum(a * b.T) for i, a in enumerate(parts) for j, b in enumerate(parts)))
    value = contrasts @ fit.beta
    wald = float(value @ np.linalg.solve(contrasts @ _adjusted(fit) @ contrasts.T, value)) / number
    if a2 <= 0:
        return Joint(wald, number, np.inf, float(chdtrc(number, wald * number)))
    a2 *= 1 - 1e-9 if abs(1 - a2 / number) < 1e-10 else 1.0  # the moments have a pole there
    b = (a1 + 6 * a2) / (2 * number)
    g = ((number + 1) * a1 - (number + 4) * a2) / ((number + 2) * a2)
    scale = 3 * number + 2 * (1 - g)
    c1, c2, c3 = g / scale, (number - g) / scale, (number + 2 - g) / scale
    mean = 1 / (1 - a2 / number)
    variance = 2 / number * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    ddf = 4 + (number + 2) / (number * variance / (2 * mean**2) - 1)
    f = wald * ddf / (mean * (ddf - 2)) if ddf > 2 + 1e-9 else wald
    return Joint(f, number, ddf, float(fdtrc(number, ddf, f)))


def likelihood_ratio(blocks: Sequence[Block], within: Within, dropped: Sequence[int]) -> tuple[float, float]:
    """Chi-square and p-value of leaving out columns of the design, both models fitted by full maximum likelihood."""
    kept = [i for i in range(blocks[0].x.shape[1]) if i not in dropped]
    fewer = [Block(b.y, b.x[:, kept], b.count, b.parts) for b in blocks]
    chi2 = max(0.0, _least_deviance(fewer, within) - _least_deviance(blocks, within))
    return chi2, float(chdtrc(len(dropped), chi2))


def _least_deviance(blocks: Sequence[Block], within: Within) -> float:
    start = reml(blocks, within).theta
    start = np.log(np.maximum(start, 1e-4 * float(start.max())))

    stacks = _stacked(blocks)

    def loss(logs: Floats) -> float:
        found = _deviance(stacks, within, np.exp(np.clip(logs, -60, 60)), restricted=False)
        return np.inf if found is None else found

    found = _MINIMUM(loss, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-8, "maxiter": 2_000})
    return float(found.fun)


INFERENCES: Mapping[str, Callable[[Fit, Floats], Contrast]] = {
    "KR": kenward_roger,
    "satterthwaite": satterthwaite,
    "model": model_based,
}
NAMED = {"KR": "Kenward-Roger", "satterthwaite": "Satterthwaite", "model": "model-based"}


def told(one: Contrast) -> dict[str, float | None]:
    """Standard error and degrees of freedom of a contrast, as an answer has them."""
    return {"se": one.se, "df": None if np.isinf(one.df) else one.df}
