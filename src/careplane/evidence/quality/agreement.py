"""Agreement beyond chance between readers: Cohen's kappa, plain and weighted, Fleiss' kappa, Krippendorff's alpha.

Sources: Cohen 1960 and 1968; the variance of kappa from Fleiss, Cohen & Everitt 1969 (Psychol Bull 72:323); Fleiss
1971 (Psychol Bull 76:378); Krippendorff 2011, "Computing Krippendorff's alpha-reliability". Intervals of Fleiss' kappa
and of alpha come from 2,000 bootstrap draws of outputs with a fixed seed.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from careplane.errors import InputError
from careplane.records.quality import Agreement

Floats = NDArray[np.float64]
Weights = Literal["none", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]
DRAWS = 2_000
SEED = 20_261_130


def cohen_kappa(
    first: Sequence[int],
    second: Sequence[int],
    categories: Sequence[int],
    what: str,
    weights: Weights = "none",
    alpha: float = 0.05,
) -> Agreement:
    """Kappa of two readers. Where one of them put all into one category it cannot be told (``value`` is ``None``):
    it would be 0, or have no meaning, whatever they think.

    Where nobody disagreed the variance is zero, which would promise too much: the lower limit is then that of the same
    table with one disagreement more.

    Args:
        first: category of each output by one reader.
        second: the same by the other, in the same order.
        categories: all categories in their order.
        what: the name of what they judged.
        weights: how much a near miss counts.

    Raises:
        InputError: the readers did not judge the same outputs, or a value is no category.
    """
    table = _table(first, second, categories)
    n = int(table.sum())
    method = f"Cohen's kappa{'' if weights == 'none' else f', {weights} weights'}; Fleiss-Cohen-Everitt interval"
    raw = float(np.trace(table)) / n if n else 0.0
    found = _kappa(table, weights) if n > 1 else None
    if found is None:
        return _agreement(what, "kappa", None, None, None, n, 2, raw, method)
    kappa, variance = found
    half = float(ndtri(1 - alpha / 2)) * float(np.sqrt(max(variance, 0.0)))
    low, high = kappa - half, kappa + half
    if raw == 1.0:
        low = min(_one_more_disagreement(table, weights, alpha), kappa)
    return _agreement(what, "kappa", kappa, max(-1.0, low), min(1.0, high), n, 2, raw, method)


def _agreement(
    what: str,
    coefficient: str,
    value: float | None,
    low: float | None,
    high: float | None,
    n: int,
    raters: int,
    raw: float,
    method: str,
) -> Agreement:
    return Agreement(
        what=what,
        coefficient=coefficient,
        value=value,
        low=low,
        high=high,
        n=n,
        raters=raters,
        raw=raw,
        method=method,
    )


def _table(first: Sequence[int], second: Sequence[int], categories: Sequence[int]) -> Floats:
    if len(first) != len(second):
        raise InputError(f"one reader judged {len(first)} outputs, the other {len(second)}")
    place = {category: index for index, category in enumerate(categories)}
    table = np.zeros((len(categories), len(categories)))
    for one, other in zip(first, second, strict=True):
        if one not in place or other not in place:
            raise InputError(f"{one if one not in place else other} is none of the categories {list(categories)}")
        table[place[one], place[other]] += 1
    return table


def _kappa(table: Floats, weights: Weights) -> tuple[float, float] | None:
    """Kappa and its variance; ``None`` where a reader put all into one category."""
    n = table.sum()
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    if max(rows.max(), columns.max()) > 1 - 1e-12:
        return None
    weight = _agreement_weights(len(table), weights)
    expected = float(rows @ weight @ columns)
    observed = float((weight * share).sum())
    kappa = (observed - expected) / (1 - expected)
    by_row, by_column = weight @ columns, rows @ weight
    spread = weight - (by_row[:, None] + by_column[None, :]) * (1 - kappa)
    top = float((share * spread**2).sum()) - (kappa - expected * (1 - kappa)) ** 2
    return kappa, top / (n * (1 - expected) ** 2)


def _agreement_weights(size: int, weights: Weights) -> Floats:
    if weights == "none" or size < 2:
        return np.eye(size)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / (size - 1)
    return np.asarray(1 - (apart if weights == "linear" else apart**2))


def _one_more_disagreement(table: Floats, weights: Weights, alpha: float) -> float:
    """The lower limit with one disagreement more, between the two most frequent categories."""
    more = table.copy()
    order = np.argsort(-np.diag(table))
    more[order[0], order[1]] += 1
    found = _kappa(more, weights)
    if found is None:
        return -1.0
    return found[0] - float(ndtri(1 - alpha / 2)) * float(np.sqrt(max(found[1], 0.0)))


def fleiss_kappa(counts: Sequence[Sequence[int]], what: str, alpha: float = 0.05) -> Agreement:
    """Kappa of several readers: ``counts[i][c]`` of them put output ``i`` into category ``c``.

    Raises:
        InputError: the outputs were not all read by the same number of readers, two or more.
    """
    table = np.asarray(counts, dtype=np.float64)
    raters = table.sum(axis=1) if table.size else np.zeros(0)
    if not len(raters) or raters.min() != raters.max() or raters[0] < 2:
        raise InputError("each output must be read by the same number of readers, two or more")
    k = float(raters[0])
    agree = ((table**2).sum(axis=1) - k) / (k * (k - 1))

    def value(rows: NDArray[np.int64]) -> float:
        chance = float(((table[rows].sum(axis=0) / (len(rows) * k)) ** 2).sum())
        return float("nan") if 1 - chance < 1e-12 else float((agree[rows].mean() - chance) / (1 - chance))

    return _bootstrapped(what, "Fleiss' kappa", value, len(table), int(k), float(agree.mean()), alpha)


def krippendorff_alpha(
    values: Sequence[Sequence[float | None]], what: str, level: Level = "nominal", alpha: float = 0.05
) -> Agreement:
    """Alpha of any number of readers with missing readings: ``values[r][u]`` is what reader ``r`` said of output ``u``.

    Raises:
        InputError: no output was read by two readers.
    """
    data = np.array([[np.nan if one is None else one for one in row] for row in values], dtype=np.float64)
    kept = data[:, (~np.isnan(data)).sum(axis=0) > 1]
    if not kept.size:
        raise InputError("no output was read by two readers")
    categories = np.unique(kept[~np.isnan(kept)])
    parts = np.stack([_coincidences(kept[:, unit], categories) for unit in range(kept.shape[1])])

    def value(rows: NDArray[np.int64]) -> float:
        return _alpha(parts[rows].sum(axis=0), categories, level)

    same = float(sum(np.trace(part) for part in parts) / parts.sum())
    name = f"Krippendorff's alpha, {level}"
    return _bootstrapped(what, name, value, kept.shape[1], len(data), same, alpha)


def _coincidences(unit: Floats, categories: Floats) -> Floats:
    """The coincidence matrix of one output: each pair of its readings counts 1 / (readings - 1)."""
    said = unit[~np.isnan(unit)]
    counts = np.array([(said == category).sum() for category in categories], dtype=np.float64)
    return np.asarray((np.outer(counts, counts) - np.diag(counts)) / (len(said) - 1))


def _alpha(matrix: Floats, categories: Floats, level: Level) -> float:
    margin = matrix.sum(axis=0)
    total = margin.sum()
    apart = _distance(margin, categories, level)
    expected = float((np.outer(margin, margin) * apart).sum()) / (total - 1)
    return float("nan") if expected <= 0 else 1 - float((matrix * apart).sum()) / expected


def _distance(margin: Floats, categories: Floats, level: Level) -> Floats:
    if level == "nominal":
        return 1 - np.eye(len(categories))
    if level == "interval":
        return np.asarray(np.subtract.outer(categories, categories) ** 2)
    before = np.cumsum(margin) - margin / 2
    return np.asarray(np.subtract.outer(before, before) ** 2)


def _bootstrapped(
    what: str,
    name: str,
    value: Callable[[NDArray[np.int64]], float],
    n: int,
    raters: int,
    raw: float,
    alpha: float,
) -> Agreement:
    found = value(np.arange(n))
    method = f"{name}; percentile interval of {DRAWS:,} bootstrap draws of outputs"
    if np.isnan(found):
        return _agreement(what, name, None, None, None, n, raters, raw, method)
    random = np.random.default_rng(SEED)
    draws = np.array([value(random.integers(0, n, n)) for _ in range(DRAWS)])
    low, high = np.nanquantile(draws, [alpha / 2, 1 - alpha / 2])
    return _agreement(what, name, found, float(low), float(high), n, raters, raw, method)
