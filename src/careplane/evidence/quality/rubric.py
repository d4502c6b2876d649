"""The rubric that readers score an output by: the app's own, or nine attributes in words of our own.

The nine attributes cover what published instruments for the quality of clinical documents and of summaries ask about.
The wording is ours; no instrument's text is shipped, so no validity of an instrument is claimed either: a site that
holds a licence can put the licensed text into its ``app.yaml``.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

import msgspec

from careplane.errors import InputError
from careplane.records.app import App, RubricAttribute


def _one(name: str, question: str, low: str, high: str) -> RubricAttribute:
    return RubricAttribute(name=name, question=question, low=low, high=high)


DEFAULT: tuple[RubricAttribute, ...] = (
    _one("cited", "Can each statement be traced to where it comes from?", "no source is named", "every fact has one"),
    _one("accurate", "Does it say what the sources say?", "it contradicts them", "nothing in it is wrong"),
    _one("thorough", "Is everything in it that the task needs?", "what matters most is missing", "nothing is missing"),
    _one("useful", "Does it help the reader do the next step?", "it is no help", "one can act on it at once"),
    _one("organised", "Is it in an order that makes sense here?", "no order can be seen", "one finds all at a glance"),
    _one("understandable", "Do its words suit its reader?", "the reader would be lost", "it is clear in one reading"),
    _one("succinct", "Is it as short as it can be?", "most of it could go", "no word too many"),
    _one("synthesised", "Does it put facts together into a picture?", "a list of facts", "the facts are weighed"),
    _one("respectful", "Does it speak of the person without blame?", "it blames or labels", "every word is fair"),
)


def rubric_of(app: App) -> tuple[RubricAttribute, ...]:
    """The rubric of an app.

    Raises:
        InputError: it names an attribute twice.
    """
    rubric = app.spec.quality.rubric or DEFAULT
    twice = [name for name, count in Counter(one.name for one in rubric).items() if count > 1]
    if twice:
        raise InputError(f"names {', '.join(twice)} twice", file=f"{app.folder}/app.yaml", field="quality.rubric")
    return rubric


def rubric_hash(rubric: tuple[RubricAttribute, ...]) -> str:
    """What a change of the rubric is told by."""
    return hashlib.sha256(msgspec.json.encode(rubric)).hexdigest()[:16]


def check_scores(rubric: tuple[RubricAttribute, ...], scores: Mapping[str, int]) -> None:
    """Hold scores against their rubric.

    Raises:
        InputError: one is missing, belongs to no attribute, or is not from 1 to 5.
    """
    names = [one.name for one in rubric]
    missing = [name for name in names if name not in scores]
    if missing:
        raise InputError(f"Score every attribute of the rubric; not scored: {', '.join(missing)}.", field=missing[0])
    strange = [name for name in scores if name not in names]
    if strange:
        raise InputError(f"The rubric has no {strange[0]}; it has: {', '.join(names)}.", field=strange[0])
    for name, score in scores.items():
        if not 1 <= score <= 5:
            raise InputError("Choose a score from 1 to 5.", field=name)
