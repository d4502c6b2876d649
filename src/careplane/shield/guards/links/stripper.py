"""Taking links out of a text, whole or in a stream.

What may still become a link is held back: the word under way, a Markdown target from ``](`` to its ``)``, an HTML tag
from ``<`` to its ``>``. Everything else leaves at once, so any cutting of a stream gives the same text.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from careplane.shield.guards.links.targets import Hosts, is_harmless, link_start, plain, split_trailing

GONE = "(link removed)"
IMAGE_GONE = "(image removed)"
_LONGEST_WORD = 4096
_LONGEST_CONSTRUCT = 2048
_KEPT_OF_A_LONG_WORD = 64
_MARKS = re.compile(r"[:/.&%@\\<>\[\]()：／．＆％＠＜＞。．｡]")
_PLAIN = re.compile(r"(?:[A-Za-z0-9'\"-]+[.,;:!?]*\s+)+")
_TAG = re.compile(r"[A-Za-z/!?]")
_PLAIN_TAG = re.compile(
    r"</?(?:b|i|u|s|p|br|hr|em|strong|sup|sub|ul|ol|li|h[1-6]|table|thead|tbody|tr|td|th|code|pre|blockquote|span|div)\s*/?>",
    re.IGNORECASE,
)
_TAG_NAME = re.compile(r"<[/!?]?\s*([A-Za-z][A-Za-z0-9:-]*)")
_LOADING = frozenset(
    {"a", "img", "iframe", "frame", "frameset", "script", "link", "object", "embed"}
    | {"applet", "svg", "math", "form", "input", "button", "video", "audio", "source"}
    | {"track", "base", "meta", "style", "picture", "portal", "area", "map", "body"}
    | {"html", "head", "title", "noscript", "template", "slot", "marquee", "textarea", "select"}
    | {"image"}
)


@lru_cache(maxsize=256)
def _hosts(allowed: tuple[str, ...]) -> Hosts:
    """The list of an app, read once."""
    return Hosts(allowed)


def has_no_link(text: str) -> bool:
    """Whether a text can hold no link, at a glance: plain words, without any mark of an address and without a full
    stop inside a word. Most replies are such."""
    if not text.isascii() or "/" in text or "&" in text or "%" in text or "@" in text:
        return False
    if "\\" in text or "<" in text or "]" in text:
        return False
    return not (_inside_a_word(text, ".") or _inside_a_word(text, ":"))


def _inside_a_word(text: str, mark: str) -> bool:
    """Whether a mark stands before something other than white space or a digit; a number with two of them counts."""
    at = text.find(mark)
    while at >= 0:
        after = text[at + 1 : at + 2]
        if after.isdigit():
            if "." in text[at + 1 : at + 5]:
                return True
        elif after and not after.isspace():
            return True
        at = text.find(mark, at + 1)
    return False


class LinkStripper:
    """Strips what leads to a foreign host. ``removed`` counts what was taken out.

    ``strip`` for a whole text; ``feed`` and ``finish`` for a stream, of which one object sees one.
    """

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        self._hosts = _hosts(tuple(allowed_hosts))
        self._held = ""
        self._bracket = ""
        self._last = ""
        self.removed = 0

    def strip(self, text: str) -> str:
        """The whole text at once."""
        if not self._held and has_no_link(text):
            return text
        return self.feed(text) + self.finish()

    def feed(self, text: str) -> str:
        """Take a piece and give what can leave."""
        self._held += text
        return self._drain(final=False)

    def finish(self) -> str:
        """What was held back, judged as it stands."""
        return self._drain(final=True)

    def _drain(self, *, final: bool) -> str:
        out: list[str] = []
        while self._held:
            taken, shown = self._step(final=final)
            if not taken:
                break
            self._held = self._held[taken:]
            self._remember(shown)
            out.append(shown)
        return "".join(out)

    def _remember(self, shown: str) -> None:
        """The last character that left, and whether the bracket that is open was opened by ``![``."""
        i = shown.rfind("[")
        if i >= 0:
            before = shown[i - 1] if i else self._last
            self._bracket = "!" if before == "!" else "["
        self._last = shown[-1:] or self._last

    def _step(self, *, final: bool) -> tuple[int, str]:
        """How many characters of the held text are settled, and what stands in their place; 0 when more must come."""
        held = self._held
        plain_words = _PLAIN.match(held)
        if plain_words:
            return plain_words.end(), plain_words.group()
        if held[0].isspace():
            spaces = len(held) - len(held.lstrip())
            return spaces, held[:spaces]
        if held.startswith("](") or (held == "]" and not final):
            return self._target(final=final)
        if held[0] == "<":
            return self._tag(final=final)
        return self._word(final=final)

    def _target(self, *, final: bool) -> tuple[int, str]:
        """``](target)``: kept when harmless or allowed."""
        held = self._held
        if len(held) < 2:
            return 0, ""
        end = _closing(held)
        if end is not None and (end >= _LONGEST_CONSTRUCT or "\n\n" in held[2:end]):
            end, final = None, True  # in a stream it would have been given up before its end came
        if end is None and not final and len(held) < _LONGEST_CONSTRUCT and "\n\n" not in held:
            return 0, ""
        if end is None:
            return 2, "] ("  # no target: what follows is judged word by word
        inside = held[2:end]
        address = re.sub(r"""\s+(?:"[^"]*"|'[^']*'|\([^)]*\))\s*$""", "", inside.strip()).strip()
        if is_harmless(address) and link_start(re.sub(r"\s", "", inside)) is None:
            return end + 1, held[: end + 1]
        if self._hosts.allow(address.removeprefix("<").removesuffix(">")) and _clean_title(inside, address):
            return end + 1, held[: end + 1]
        self.removed += 1
        return end + 1, f"] {IMAGE_GONE if self._bracket == '!' else GONE}"

    def _tag(self, *, final: bool) -> tuple[int, str]:
        """``<...>``: plain formatting is kept, an autolink to an allowed host too; a comment and what can load go."""
        held = self._held
        if len(held) < 2:
            return (1, "<") if final else (0, "")
        if not _TAG.match(held[1]):
            return 1, "<"
        end = held.find("-->" if held.startswith("<!--") else ">")
        if end >= _LONGEST_CONSTRUCT:
            end, final = -1, True  # as in a stream, which does not wait so long
        if end < 0 and not final and len(held) < _LONGEST_CONSTRUCT:
            return 0, ""
        if end < 0:
            return 1, "‹"  # never closed: it can open no tag any more, and its words are judged one by one
        end += 3 if held.startswith("<!--") else 1
        tag = held[:end]
        if _PLAIN_TAG.fullmatch(tag):
            return end, tag
        if "://" in tag and self._hosts.allow(tag[1:-1]):
            return end, tag
        if not _can_load(tag):
            return end, tag
        self.removed += 1
        return end, "" if re.match(r"</[A-Za-z]", tag) else GONE

    def _word(self, *, final: bool) -> tuple[int, str]:
        """A run without white space, up to a Markdown target or a tag."""
        held = self._held
        found = re.search(r"\s|\](?=\()|<(?=[A-Za-z/!?])", held[1:])
        end = found.start() + 1 if found else len(held)
        if found is None and not final:
            if len(held) < _LONGEST_WORD:
                return self._start_of_long_word()
            return end, self._judged(held)
        return end, self._judged(held[:end])

    def _start_of_long_word(self) -> tuple[int, str]:
        """Of a long run without white space and without the marks of an address, all but its end can leave."""
        held = self._held
        if len(held) > 4 * _KEPT_OF_A_LONG_WORD and not _MARKS.search(held):
            taken = len(held) - _KEPT_OF_A_LONG_WORD
            return taken, held[:taken]
        return 0, ""

    def _judged(self, word: str) -> str:
        start = link_start(word)
        if start is None:
            return word
        link, after = split_trailing(word[start:])
        if self._hosts.allow(link):
            return word
        self.removed += 1
        return f"{word[:start]}{GONE}{after}"


def strip_links(text: str, allowed_hosts: Iterable[str] = ()) -> str:
    """The text with every link and image to a foreign host replaced by words that say so."""
    return LinkStripper(allowed_hosts).strip(text)


def _closing(held: str) -> int | None:
    """Where the ``)`` of a Markdown target stands; inner brackets are balanced, ``<...>`` may hold any."""
    if held.startswith("](<"):
        angle = held.find(">", 3)
        close = held.find(")", angle) if angle >= 0 else -1
        return close if close >= 0 else None
    depth = 0
    for i in range(1, len(held)):
        if held[i] == "(" and held[i - 1] != "\\":
            depth += 1
        elif held[i] == ")" and held[i - 1] != "\\":
            depth -= 1
            if depth == 0:
                return i
    return None


def _clean_title(inside: str, address: str) -> bool:
    return all(link_start(word) is None for word in inside.replace(address, " ", 1).split())


def _can_load(tag: str) -> bool:
    """Whether a tag can load or lead somewhere; ``<normal range>`` is not a tag that does."""
    name = _TAG_NAME.match(tag)
    said = plain(tag)
    if tag.startswith(("<!", "<?")) or (name and name[1].lower() in _LOADING):
        return True
    return bool(re.search(r"[=:.@&\\]|//", said[1:-1])) or link_start(re.sub(r"\s", "", said)) is not None
