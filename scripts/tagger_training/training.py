"""Training: labels of words, the optimiser (CRFsuite), and the weights as the shield reads them."""

import random
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pycrfsuite  # type: ignore[import-not-found,import-untyped,unused-ignore]

from careplane.shield.folding import Folded
from careplane.shield.tagger.features import features
from careplane.shield.tagger.model import LABELS, Model
from careplane.shield.tagger.tokens import Tokens
from careplane.shield.vocabulary import vocabulary
from tagger_training.corpora import Document
from tagger_training.variation import Names, invented, varied

VARIANTS, INVENTED = 3, 14_000
SCALE = 1000
_SMALLEST = 20
OPTIONS = {"c1": 0.05, "c2": 0.02, "max_iterations": 120, "feature.minfreq": 2, "feature.possible_transitions": True}
BIAS = (1.3, 2.4)


def train(documents: Sequence[Document], seed: int) -> dict[str, Any]:
    """Train on documents, on variants of them, and on invented sentences. The same input gives the same weights."""
    names = Names(random.Random(seed))  # noqa: S311 - not for secrets
    trainer = pycrfsuite.Trainer(verbose=False)
    everything: list[Document] = list(documents)
    for document in documents:
        everything += [varied(document, names) for _ in range(VARIANTS)]
    everything += invented(names, INVENTED)
    for document in everything:
        for observed, labels in runs(document):
            trainer.append(observed, labels)
    trainer.select("lbfgs")
    trainer.set_params(OPTIONS)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        trainer.train(path)
        reader = pycrfsuite.Tagger()
        reader.open(path)
        learnt = reader.info()
        reader.close()
    return _content(learnt)


def runs(document: Document) -> Iterable[tuple[list[list[str]], list[str]]]:
    """The runs of a document that may hold names: features and labels of each word."""
    known = vocabulary()
    folded = Folded(document.text)
    tokens = Tokens(folded.plain, known)
    for run in tokens.runs():
        labels = [_label(document, *folded.place(*tokens.span(i, i))) for i in run]
        yield [features(tokens, i, known) for i in run], labels


def _label(document: Document, start: int, end: int) -> str:
    for first, last, category in document.spans:
        if start < last and end > first and category in LABELS:
            return category
    return "O"


def _content(learnt: Any) -> dict[str, Any]:
    table: dict[str, list[int]] = {}
    for (feature, label), weight in learnt.state_features.items():
        table.setdefault(feature, [0, 0, 0])[LABELS.index(label)] = round(weight * SCALE)
    weights = {name: row for name, row in sorted(table.items()) if max(map(abs, row)) >= _SMALLEST}
    moves = [[round(learnt.transitions.get((a, b), 0.0), 4) for b in LABELS] for a in LABELS]
    return {"scale": SCALE, "bias": BIAS, "transitions": moves, "weights": weights}


def model(content: dict[str, Any]) -> Model:
    """The model that these weights make."""
    scale = content["scale"]
    weights = {name: [value / scale for value in row] for name, row in content["weights"].items()}
    return Model(weights, content["transitions"], content["bias"])
