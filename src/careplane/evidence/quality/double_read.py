"""What two readers of the same outputs agree on: each class of error, harm, and each attribute of the rubric."""

from collections.abc import Callable, Sequence

from careplane.evidence.quality.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from careplane.evidence.quality.errors import counted, error_count
from careplane.evidence.quality.reading import HARMS
from careplane.records.quality import Agreement, Reading

Pair = tuple[Reading, Reading]
GROUPS = ("fabrications", "omissions", "inaccuracies", "others")
_SCORES = (1, 2, 3, 4, 5)


def agreements(pairs: Sequence[Pair]) -> tuple[Agreement, ...]:
    """Kappa of any error, of each group of errors, of the worst harm and of each attribute, over outputs both read.

    The outputs were drawn by risk, so this is agreement on the sample: kappa depends on how common errors are in it.
    Where more than two people read, Fleiss' kappa and Krippendorff's alpha of any error stand beside.
    """
    if not pairs:
        return ()
    found = [_binary(pairs, "any error", lambda reading: error_count(reading.marks) > 0)]
    found += [_binary(pairs, group, _has(group)) for group in GROUPS]
    found.append(_weighted(pairs, "worst harm", _harm, tuple(range(len(HARMS) + 1)), "linear"))
    names = [name for name in pairs[0][0].scores if all(name in one.scores for pair in pairs for one in pair)]
    found += [_weighted(pairs, name, _score(name), _SCORES, "quadratic") for name in names]
    return (*found, *_of_many(pairs))


def _has(group: str) -> Callable[[Reading], bool]:
    return lambda reading: counted(reading.marks)[group] > 0


def _score(name: str) -> Callable[[Reading], int]:
    return lambda reading: reading.scores[name]


def _harm(reading: Reading) -> int:
    """0 without an error, else one more than the place of the worst harm."""
    return max((1 + HARMS.index(mark.harm) for mark in reading.marks), default=0)


def _binary(pairs: Sequence[Pair], what: str, holds: Callable[[Reading], bool]) -> Agreement:
    first, second = ([int(holds(pair[side])) for pair in pairs] for side in (0, 1))
    return cohen_kappa(first, second, (0, 1), what)


def _weighted(
    pairs: Sequence[Pair],
    what: str,
    value: Callable[[Reading], int],
    categories: Sequence[int],
    weights: str,
) -> Agreement:
    first, second = ([value(pair[side]) for pair in pairs] for side in (0, 1))
    return cohen_kappa(first, second, categories, what, "linear" if weights == "linear" else "quadratic")


def _of_many(pairs: Sequence[Pair]) -> tuple[Agreement, ...]:
    readers = sorted({one.reader for pair in pairs for one in pair})
    if len(readers) < 3:
        return ()
    counts, values = [], []
    for pair in pairs:
        said = {one.reader: int(error_count(one.marks) > 0) for one in pair}
        yes = sum(said.values())
        counts.append([len(said) - yes, yes])
        values.append([said.get(reader) for reader in readers])
    by_reader = list(zip(*values, strict=True))
    return fleiss_kappa(counts, "any error"), krippendorff_alpha(by_reader, "any error")
