"""Putting originals back: a whole reply, the pieces of a stream, and what protecting adds to detection.

Run ``bench/run restoration``. The reply has 2,000 characters and five surrogates. Beside it: five calls of
``str.replace`` on the same reply, which restore what was repeated exactly and nothing else. Times are CPU of one
thread, the best of many rounds.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from _machine import record
from careplane.shield import Protected, Shield
from careplane.shield.detect import detector_for

CHART: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"family": "Quesenberry", "given": ["Theodora"]}],
        "telecom": [{"system": "phone", "value": "(413) 867-5309"}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "00731946"}],
        "address": [{"line": ["81 Tamarack Lane"], "city": "Chicopee", "state": "MA", "postalCode": "01013"}],
    }
]
PROSE = (
    "The patient reports that the date of her next appointment is unclear and asks about the name of the drug. "
    "She takes metformin twice a day and has no fever today; the plan stands, as the street is quiet. "
)
KNOWN = "Theodora Quesenberry of Chicopee, phone 413-867-5309, MRN 00731946, seen 2024-03-05. "
SIZE, PIECE = 2_000, 20


def main() -> None:
    """Measure both styles and record."""
    text = (PROSE + KNOWN + PROSE * 12)[:SIZE]
    detector = detector_for(CHART)
    results: dict[str, float] = {"detect_us": best(lambda: detector.find(text), 40)}
    for style, dates in (("bracketed", "surrogate"), ("realistic", "shifted")):
        protected = Shield(CHART, surrogates=style, dates=dates, detector=detector).texts([text])
        reply = protected.texts[0]
        pairs = [(surrogate, meaning.told("")) for surrogate, meaning in protected.aliases.exact.items()]
        restorer = protected.restorer()
        clean = [(PROSE * 12)[at : at + PIECE] for at in range(0, SIZE, PIECE)]
        protect = partial(Shield, CHART, surrogates=style, dates=dates, detector=detector)
        results |= {
            f"{style}_restore_us": best(partial(protected.restore, reply), 400),
            f"{style}_str_replace_us": best(partial(replaced, reply, pairs), 400),
            f"{style}_feed_{PIECE}_characters_us": best(partial(fed, restorer.feed, clean), 40) / len(clean),
            f"{style}_protect_us": best(partial(protected_by, protect, text), 40),
        }
    record("restoration", {name: round(value, 2) for name, value in results.items()})


def best(work: Callable[[], object], calls: int, rounds: int = 30) -> float:
    """Microseconds of CPU per call in the best of the rounds."""
    found = []
    for _ in range(rounds):
        start = time.thread_time()
        for _ in range(calls):
            work()
        found.append((time.thread_time() - start) / calls)
    return min(found) * 1e6


def protected_by(shield: Callable[[], Shield], text: str) -> Protected:
    """A text protected by a new shield, as every call has one."""
    return shield().texts([text])


def replaced(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    """What ``str.replace`` can do."""
    for surrogate, original in pairs:
        text = text.replace(surrogate, original)
    return text


def fed(feed: Callable[[str], str], pieces: Sequence[str]) -> None:
    """All pieces of a stream."""
    for piece in pieces:
        feed(piece)


if __name__ == "__main__":
    main()
