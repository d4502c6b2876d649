"""Look-alikes: how similar two uses of GenAI are, from 0 to 1 (requirement R12; weights and cut point are defaults).

Text is compared by the cosine of TF-IDF vectors (term counts, smoothed inverse document frequency over the register);
the task by the share of equal leading levels of its path (``draft/message/reply``, ``draft/message/recall``: 2 of 3);
FHIR inputs by the Jaccard index; trigger, output and role by equality. What is not stated is never equal to anything.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from careplane.records import Record
from careplane.records.portfolio import RegisterItem
from careplane.store import Store, find
from careplane.store.tables import register

WEIGHTS = {"text": 0.35, "task": 0.20, "trigger": 0.15, "inputs": 0.15, "output": 0.10, "role": 0.05}
SAME = 0.60
_WORD = re.compile(r"[a-z][a-z0-9]+")
_STOP_WORDS = frozenset(("a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to"))

Matrix = NDArray[np.float64]
Alike = Callable[[str, str], float]


class LookAlike(Record, frozen=True):
    """Another item, how similar it is, and the parts of that figure. From ``SAME`` up somebody must choose: join,
    extend or stay separate with a reason."""

    item: str
    title: str
    similarity: float
    parts: dict[str, float]
    must_decide: bool


def similarity(text: float, task: float, trigger: float, inputs: float, output: float, role: float) -> float:
    """The weighted similarity of two uses; each part from 0 to 1."""
    parts = {"text": text, "task": task, "trigger": trigger, "inputs": inputs, "output": output, "role": role}
    return sum(weight * parts[name] for name, weight in WEIGHTS.items())


def similarities(items: Sequence[RegisterItem]) -> Matrix:
    """The similarity of all pairs, an n × n matrix with ones on its diagonal."""
    total = sum((WEIGHTS[name] * part for name, part in _parts(items).items()), np.zeros((len(items), len(items))))
    np.fill_diagonal(total, 1.0)
    return total


def overlapping(items: Sequence[RegisterItem]) -> dict[str, tuple[str, ...]]:
    """By item id, the ids of the others that are at least ``SAME``; items without any are left out."""
    if not items:
        return {}
    matrix = similarities(items)
    np.fill_diagonal(matrix, 0.0)
    return {
        item.id: tuple(items[int(j)].id for j in np.flatnonzero(row >= SAME - 1e-9))
        for item, row in zip(items, matrix, strict=True)
        if bool((row >= SAME - 1e-9).any())
    }


def look_alikes(store: Store, item: RegisterItem, limit: int = 5) -> list[LookAlike]:
    """The items most like this one that are not retired or stopped, most similar first."""
    with store.read() as connection:
        others = find(
            connection,
            register,
            RegisterItem,
            register.c.id != item.id,
            register.c.stage.not_in(("retired", "stopped")),
            order_by=(register.c.id,),
        )
    items = [item, *others]
    parts = {name: matrix[0] for name, matrix in _parts(items).items()}
    found = []
    for index, other in enumerate(others, start=1):
        own = {name: float(row[index]) for name, row in parts.items()}
        figure = similarity(**own)
        found.append(
            LookAlike(item=other.id, title=other.title, similarity=figure, parts=own, must_decide=figure >= SAME - 1e-9)
        )
    return sorted(found, key=lambda other: (-other.similarity, other.item))[:limit]


def _parts(items: Sequence[RegisterItem]) -> dict[str, Matrix]:
    return {
        "text": _text_cosine([f"{item.title} {item.summary}" for item in items]),
        "task": _by_value([item.task for item in items], _task),
        "trigger": _by_value([item.trigger for item in items], _equal),
        "inputs": _jaccard([item.inputs for item in items]),
        "output": _by_value([item.output for item in items], _equal),
        "role": _by_value([item.role for item in items], _equal),
    }


def _text_cosine(texts: Sequence[str]) -> Matrix:
    counts = [Counter(w for w in _WORD.findall(text.lower()) if w not in _STOP_WORDS) for text in texts]
    terms = {term: index for index, term in enumerate(sorted(set().union(*counts)))}
    table = np.zeros((len(texts), len(terms)))
    for row, count in enumerate(counts):
        for term, times in count.items():
            table[row, terms[term]] = times
    table *= np.log((1 + len(texts)) / (1 + (table > 0).sum(axis=0))) + 1
    return _unit_rows(table) @ _unit_rows(table).T


def _unit_rows(table: Matrix) -> Matrix:
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    unit: Matrix = np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)
    return unit


def _jaccard(sets: Sequence[Sequence[str]]) -> Matrix:
    names = {name: index for index, name in enumerate(sorted({name for one in sets for name in one}))}
    table = np.zeros((len(sets), len(names)))
    for row, one in enumerate(sets):
        table[row, [names[name] for name in one]] = 1
    common = table @ table.T
    size = table.sum(axis=1)
    union = size[:, None] + size[None, :] - common
    jaccard: Matrix = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return jaccard


def _by_value(values: Sequence[str], alike: Alike) -> Matrix:
    """Compare each distinct value once, then spread the answers over all pairs."""
    distinct = sorted(set(values))
    place = {value: index for index, value in enumerate(distinct)}
    small = np.array([[alike(one, other) for other in distinct] for one in distinct], dtype=np.float64)
    index = np.array([place[value] for value in values])
    spread: Matrix = small[np.ix_(index, index)]
    return spread


def _equal(one: str, other: str) -> float:
    return float(bool(one) and one == other)


def _task(one: str, other: str) -> float:
    first, second = ([level for level in text.lower().split("/") if level] for text in (one, other))
    if not first or not second:
        return 0.0
    same = 0
    for level, other_level in zip(first, second, strict=False):
        if level != other_level:
            break
        same += 1
    return 2 * same / (len(first) + len(second))
