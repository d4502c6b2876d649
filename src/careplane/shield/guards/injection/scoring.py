"""Scoring with the shipped weights: two linear heads over windows of a text, without any machine-learning library.

The *attack* head knows texts that speak to a model, wherever they stand. The *foreign* head knows sentences that do not
belong into a chart (a task, a question, an advertisement); it is asked only inside a document that otherwise reads
like a chart, since a request that stands alone is no attack.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from careplane.shield.guards.injection import features
from careplane.shield.guards.injection.decoding import views

Floats = NDArray[np.float32]

_WIDTHS = (1, 2, 4)
_CHART_UNITS = 4
_NEVER = np.float32(-50)
_SLOPE = 1.5
_SMALLEST = 0.01
_SAYS = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True)
class Weights:
    """``tables`` is 2 x TABLE and ``biases`` 2 (attack, foreign); ``limits`` are 3: attack, foreign, their sum."""

    tables: Floats
    biases: Floats
    limits: Floats


def raw_scores(weights: Weights, text: str) -> Floats:
    """The highest score of each head, and of their sum, over all windows of a text and of what it hides by encoding."""
    best = np.full(3, _NEVER, dtype=np.float32)
    for hidden, view in enumerate(views(text)):
        found = _of_view(weights, view)
        best[0] = max(best[0], found[0])
        if not hidden:
            best[1:] = found[1:]
    return best


def score(weights: Weights, text: str) -> float:
    """0 to 1; 0.5 is where a head reaches its limit."""
    over = float(np.max(raw_scores(weights, text) - weights.limits))
    return float(1 / (1 + np.exp(-_SLOPE * np.clip(over, -30, 30))))


def _of_view(weights: Weights, text: str) -> Floats:
    units = [features.normal(unit) for unit in features.units_of(text)]
    units = [unit for unit in units if _SAYS.search(unit)]
    best = np.full(3, _NEVER, dtype=np.float32)
    if not units:
        return best
    grams = features.characters(units), features.words(units)
    for width in _WIDTHS:
        if width > 1 and width > len(units):
            continue
        sums = sum(features.window_sums(part, weights.tables, len(units), width) for part in grams)
        scores = sums + weights.biases[:, None]
        best[0] = max(best[0], scores[0].max())
        if width == 1 and len(units) >= _CHART_UNITS and np.median(scores[1]) < 0:
            best[1], best[2] = scores[1].max(), scores.sum(axis=0).max()
    return best


def save_weights(weights: Weights, path: Path) -> None:
    """Write the weights as numbers of 16 bits; what is too small to matter becomes 0 and packs well."""
    small = np.where(np.abs(weights.tables) < _SMALLEST, 0, weights.tables).astype(np.float16)
    np.savez_compressed(path, tables=small, biases=weights.biases, limits=weights.limits)


@lru_cache(maxsize=1)
def shipped_weights() -> Weights:
    """The weights that come with the package."""
    with np.load(BytesIO(files(__package__).joinpath("weights.npz").read_bytes())) as held:
        return Weights(held["tables"].astype(np.float32), held["biases"], held["limits"])
