"""Is this target allowed, and where in a word does a link begin? Every spelling that a renderer would follow counts."""

import re
from collections.abc import Iterable
from html import unescape
from urllib.parse import unquote, urlsplit

from careplane.shield.folding import fold

_ENDINGS = (
    "com|net|org|info|biz|edu|gov|mil|int|io|ai|app|dev|cloud|online|site|website|xyz|top|club|shop|store|link|click|live"
    "|icu|page|me|co|us|uk|eu|de|ru|cn|tk|ml|ga|cf|gq|ly|to|cc|tv|ws|su|example|test|invalid|onion|localhost"
)
_HOST = r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+"
_FOUND = re.compile(
    r"(?:https?|ftps?|wss?|blob|hxxps?|mailto|sms|vbscript|javascript|livescript):(?=\S)"
    r"|file:(?=/)|data:(?=[a-z]+/|[;,])"
    r"|[a-z][a-z0-9+.-]{1,30}://"
    r"|(?<![:\w/])//(?=[^\s/]+\.[^\s/]|localhost|\[)"
    r"|\bwww\d{0,3}\.(?=[^\s.])"
    rf"|(?<![\w@.]){_HOST}(?:[^\W\d_]{{2,}}|xn--[\w-]+)(?::\d+)?[/?#](?=\S)"
    rf"|(?<![\w@.-]){_HOST}(?:{_ENDINGS})(?::\d+)?(?![\w-]|\.\w)"
    r"|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?/(?=\S)",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[:/.&%@\\]")
_TRAILING = ".,;:!?'\"”’)]}>*_"
_UNIT = re.compile(r"\d+(?:\.\d+)?[a-z%µ]*/[a-z\d.]+", re.IGNORECASE)


class Hosts:
    """The hosts that an app may link to: ``example.org`` is that host alone, ``.example.org`` also those below it.

    Only ``http`` and ``https`` addresses can be allowed; with a name or password in front of the host, a port that is
    not the default, or a host that is not plain ASCII they are not.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._exact = frozenset(host.lower().rstrip(".") for host in allowed)

    def allow(self, target: str) -> bool:
        """Whether a renderer may follow a target, an address as it stands in the text."""
        target = target.strip()
        if target != plain(target):
            return False
        try:
            parts = urlsplit(target if "://" in target else f"https://{target.removeprefix('//')}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.scheme.lower() not in ("http", "https") or "@" in parts.netloc or "\\" in target:
            return False
        if port not in (None, 80, 443) or not host.isascii():
            return False
        above = (host[i:] for i, char in enumerate(host) if char == ".")
        return host in self._exact or any(ending in self._exact for ending in above)


def plain(text: str) -> str:
    """A text as a renderer may read it: entities and percent-encoding undone, look-alike forms narrow, unseen gone."""
    for _ in range(4):
        changed = fold(unquote(unescape(text))).raw
        if changed == text:
            break
        text = changed
    return text


def link_start(word: str) -> int | None:
    """Where a link begins in a word (no white space inside), ``None`` without one, 0 when it is hidden by encoding."""
    if word.isascii() and not _MARKS.search(word):
        return None
    said = plain(word)
    forms = {said, said.replace("\\", "/"), re.sub(r"[\s\\]", "", said)} - {word}
    if any(_FOUND.search(form) for form in forms):
        return 0
    found = _FOUND.search(word)
    return None if found is None or _UNIT.fullmatch(word.strip("()[],;.")) else found.start()


def split_trailing(link: str) -> tuple[str, str]:
    """An address and the punctuation behind it."""
    kept = link.rstrip(_TRAILING)
    return kept, link[len(kept) :]


def is_harmless(target: str) -> bool:
    """A target that leads nowhere: empty, a place on the page, a phone number, or a word that is no address."""
    said = plain(target.strip().strip("<>")).replace("\\", "/").strip()
    if not said or said.startswith("#"):
        return True
    if re.fullmatch(r"tel:[+\d().-]+", said, re.IGNORECASE):
        return True
    return not re.search(r"[/:.@]", said)
