"""Look-alikes: how similar two uses of GenAI are, from 0 to 1 (requirement R12; weights and cut point are defaults).

Text is compared by the cosine of TF-IDF vectors (term counts, smoothed inverse document frequency over the register);
the task by the share of equal leading levels of its path (``draft/message/reply``, ``draft/message/recall``: 2 of 3);
FHIR inputs by the Jaccard index; trigger, output and role by equality. What is not stated is never equal to anything.
"""

import re
from collections import Counter
from collections.abc import Sequence

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
    parts = _parts(items, rows=len(items))
    total = np.zeros((len(items), len(items)))
    for name, weight in WEIGHTS.items():
        total += weight * parts[name]
    np.fill_diagonal(total, 1.0)
    return total


def overlapping(items: Sequence[RegisterItem]) -> dict[str, tuple[str, ...]]:
    """By item id, the ids of the others that are at least ``SAME``; items without any are left out."""
    if not items:
        return {}
    matrix = similarities(items)
    np.fill_diagonal(matrix, 0.0)
    found: dict[str, list[str]] = {}
    for one, other in np.argwhere(matrix >= SAME - 1e-9):
        found.setdefault(items[one].id, []).append(items[other].id)
    return {item: tuple(others) for item, others in found.items()}


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
    parts = {name: matrix[0] for name, matrix in _parts(items, rows=1).items()}
    found = []
    for index, other in enumerate(others, start=1):
        own = {name: float(row[index]) for name, row in parts.items()}
        figure = similarity(**own)
        found.append(
            LookAlike(item=other.id, title=other.title, similarity=figure, parts=own, must_decide=figure >= SAME - 1e-9)
        )
    return sorted(found, key=lambda other: (-other.similarity, other.item))[:limit]


def _parts(items: Sequence[RegisterItem], rows: int) -> dict[str, Matrix]:
    """The parts of the similarity of the first ``rows`` items to all, each a rows × n matrix."""
    return {
        "text": _text_cosine([f"{item.title} {item.summary}" for item in items], rows),
        "task": _tasks([item.task for item in items], rows),
        "trigger": _equal([item.trigger for item in items], rows),
        "inputs": _jaccard([item.inputs for item in items], rows),
        "output": _equal([item.output for item in items], rows),
        "role": _equal([item.role for item in items], rows),
    }


def _text_cosine(texts: Sequence[str], rows: int) -> Matrix:
    counts = [Counter(w for w in _WORD.findall(text.lower()) if w not in _STOP_WORDS) for text in texts]
    terms = {term: index for index, term in enumerate(sorted(set().union(*counts)))}
    table = np.zeros((len(texts), len(terms)))
    for row, count in enumerate(counts):
        for term, times in count.items():
            table[row, terms[term]] = times
    table *= np.log((1 + len(texts)) / (1 + (table > 0).sum(axis=0))) + 1
    unit = _unit_rows(table)
    return unit[:rows] @ unit.T


def _unit_rows(table: Matrix) -> Matrix:
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    unit: Matrix = np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)
    return unit


def _jaccard(sets: Sequence[Sequence[str]], rows: int) -> Matrix:
    names = {name: index for index, name in enumerate(sorted({name for one in sets for name in one}))}
    table = np.zeros((len(sets), len(names)))
    for row, one in enumerate(sets):
        table[row, [names[name] for name in one]] = 1
    common = table[:rows] @ table.T
    size = table.sum(axis=1)
    union = size[:rows, None] + size[None, :] - common
    jaccard: Matrix = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return jaccard


def _equal(values: Sequence[str], rows: int) -> Matrix:
    codes = _codes(values)
    same: Matrix = ((codes[:rows, None] == codes[None, :]) & (codes[None, :] > 0)).astype(np.float64)
    return same


def _tasks(tasks: Sequence[str], rows: int) -> Matrix:
    """The share of equal leading levels, summed level by level: a level counts while all before it are equal."""
    paths = [[level for level in task.lower().split("/") if level] for task in tasks]
    lengths = np.array([len(path) for path in paths], dtype=np.float64)
    both = lengths[:rows, None] + lengths[None, :]
    common = np.zeros_like(both)
    for depth in range(1, 1 + max(map(len, paths), default=0)):
        common += _equal(["/".join(path[:depth]) if len(path) >= depth else "" for path in paths], rows)
    shares: Matrix = np.divide(2 * common, both, out=np.zeros_like(both), where=both > 0)
    return shares


def _codes(values: Sequence[str]) -> NDArray[np.int64]:
    """One number for each distinct value, 0 for what is not stated."""
    numbers = {value: number for number, value in enumerate(sorted({"", *values}))}
    return np.array([numbers[value] for value in values], dtype=np.int64)
