"""Putting originals back, in a whole text or in a stream cut anywhere.

A model rewrites surrogates: lower case, brackets stripped or escaped (``\\[NAME-417\\]``), other hyphens or spaces.
Each surrogate therefore has aliases, all matched on a form in which those differences vanish.
"""

from collections.abc import Iterable, Mapping

_JOINTS = frozenset(" _\u00a0\u2007\u202f\u2010\u2011\u2012\u2013\u2212")


class Aliases:
    """All written forms of the surrogates of one run, and the original that each stands for."""

    def __init__(self, originals: Mapping[str, str]) -> None:
        self.originals: dict[str, str] = {}
        for surrogate, original in originals.items():
            for alias in _forms(surrogate):
                self.originals.setdefault(loosen(alias), original)
        self.prefixes = frozenset(alias[:end] for alias in self.originals for end in range(1, len(alias) + 1))
        self.longest = max(map(len, self.originals), default=0)


def loosen(text: str) -> str:
    """The form on which surrogates are matched: lower case, one kind of joint; as long as the text."""
    return "".join("-" if char in _JOINTS else _lower(char) for char in text)


def _lower(char: str) -> str:
    lower = char.lower()
    return lower if len(lower) == 1 else char


def _forms(surrogate: str) -> Iterable[str]:
    yield surrogate
    if surrogate.startswith("["):
        core = surrogate[1:-1]
        yield f"\\[{core}\\]"
        yield core
    elif surrogate.count(" ") == 1:
        first, last = surrogate.split(" ")
        yield f"{last}, {first}"


class Restorer:
    """Restores a stream. Any cutting of a text gives the same result as the whole; what is held back is never longer
    than the longest surrogate."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._held = ""
        self._before = ""

    @property
    def held(self) -> int:
        """How many characters wait for what follows."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """Take the next piece; what can be decided comes back restored."""
        return self._restore(piece, last=False)

    def finish(self) -> str:
        """The rest, at the end of the stream."""
        return self._restore("", last=True)

    def _restore(self, piece: str, *, last: bool) -> str:
        text = self._held + piece
        loose = loosen(text)
        out: list[str] = []
        at = 0
        while at < len(text):
            end, undecided = self._match(loose, at, last=last)
            if undecided:
                break
            if end:
                out.append(self._aliases.originals[loose[at:end]])
            else:
                end = at + 1
                out.append(text[at])
            self._before = text[end - 1]
            at = end
        self._held = text[at:]
        return "".join(out)

    def _match(self, loose: str, at: int, *, last: bool) -> tuple[int, bool]:
        """The end of the longest alias at a place (0: none), and whether more text is needed to know."""
        best, end = 0, at + 1
        while end <= len(loose) and loose[at:end] in self._aliases.prefixes:
            if loose[at:end] in self._aliases.originals:
                if end == len(loose) and not last and loose[end - 1].isalnum():
                    return 0, True
                if self._stands_alone(loose, at, end):
                    best = end
            end += 1
        open_ended = end > len(loose) and not last and self._can_grow(loose[at:])
        return best, open_ended

    def _can_grow(self, text: str) -> bool:
        if text not in self._aliases.originals:
            return text in self._aliases.prefixes
        return any(alias.startswith(text) and alias != text for alias in self._aliases.originals)

    def _stands_alone(self, loose: str, at: int, end: int) -> bool:
        before = loose[at - 1] if at else loosen(self._before)
        after = loose[end : end + 1]
        inside_left = before.isalnum() and loose[at].isalnum()
        return not inside_left and not (after.isalnum() and loose[end - 1].isalnum())
