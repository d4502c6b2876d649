"""What a detector found in a text, remembered: a chat sends its history again with every turn, an app its instructions
with every call.

Bounded in number, per detector and for as long as the detector lives; a text itself is not kept, a keyed digest stands
for it.
"""

import secrets
import threading
from collections.abc import Sequence
from hashlib import blake2b
from weakref import WeakKeyDictionary

from cachetools import LRUCache

from careplane.shield.detect import Detector
from careplane.shield.spans import Span

MOST_TEXTS = 512
"""Texts remembered per detector."""

_secret = secrets.token_bytes(32)
_lock = threading.Lock()
_found: "WeakKeyDictionary[Detector, LRUCache[bytes, Sequence[Span]]]" = WeakKeyDictionary()


def find(detector: Detector, text: str) -> Sequence[Span]:
    """As :meth:`Detector.find`."""
    key = blake2b(text.encode("utf-8", "surrogatepass"), key=_secret, digest_size=16).digest()
    with _lock:
        known = _found.get(detector)
        if known is None:
            known = _found[detector] = LRUCache(MOST_TEXTS)
        spans = known.get(key)
    if spans is None:
        spans = detector.find(text)
        with _lock:
            known[key] = spans
    return spans
