"""Putting originals back, in a whole text or in a stream cut anywhere, in prose or in JSON.

A model rewrites surrogates, so they are matched as sequences of tokens (runs of letters, runs of digits):
``[NAME-417]`` is ``name 417``, and brackets, hyphens, spaces, emphasis and entities between and around them are read by
:mod:`careplane.shield.rewriting`. Where a token of a surrogate may begin is found in one pass of an Aho-Corasick
automaton; only there a tree of tokens is walked. A walk that runs into the end of what has arrived is undecided, and
the stream is held back from there: so every cutting of a text gives the same result as the whole.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ahocorasick_rs

from careplane.shield import rewriting
from careplane.shield.branches import Form, Meaning, Node, Root, escape
from careplane.shield.rewriting import BRACKETS, FORM, SPELLING, TOKEN, plain_token

_CONTEXT = 32
"""Characters before the undecided part that a decision may look back at."""


_DIGITS = re.compile(r"[0-9]+")


class _Undecided(Exception):
    """The text ends where more of it could change the answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """``start`` to ``end`` of a text stands for ``text``."""

    start: int
    end: int
    text: str


@lru_cache(maxsize=64)
def _automaton(needles: tuple[str, ...]) -> Any:
    # made for one reply and used once or twice: what is quick to build wins over what is quick to run
    return ahocorasick_rs.AhoCorasick(
        needles,
        matchkind=ahocorasick_rs.MatchKind.LeftmostLongest,
        implementation=ahocorasick_rs.Implementation.ContiguousNFA,
    )


class Aliases:
    """All written forms of the surrogates of one run, and the original that each stands for.

    ``literals`` and ``json_literals`` are stretches of outgoing text that must come back as they were, whatever the
    forms say; who sent the text adds them.
    """

    def __init__(self, exact: Mapping[str, Meaning] | None = None, forms: Iterable[Form] = ()) -> None:
        """``exact`` leads from each surrogate to its original, ``forms`` are all that may come back."""
        self.exact = dict(exact or {})
        self.literals: dict[str, str] = {}
        self.json_literals: dict[str, str] = {}
        self.root = Root()
        self.initials: set[str] = set()
        self.longest = max(map(len, self.exact), default=0)
        self.has_codes = False
        for form in forms:
            self._add(form)
        needles = self.root.waiting
        # words are few and the same for many replies; numbers are a reply's own, and found without an automaton
        self._words = tuple(sorted(needle for needle in needles if not needle.isdigit()))
        self._numbers = len(self._words) < len(needles)
        self._matcher: Any = _automaton(self._words) if self._words else None
        self._head_ends = frozenset(char for needle in needles for char in needle)
        self._longest_head = max(map(len, needles), default=0)
        self.has_bare = any(meaning.bare for meaning in self.exact.values())

    def __len__(self) -> int:
        return len(self.exact)

    def _add(self, form: Form) -> None:
        self.root.plant(form)
        self.has_codes = self.has_codes or form.bracketed
        if form.initial:
            self.initials.add(form.initial[0])
        self.longest = max(self.longest, sum(map(len, form.tokens)) + len(form.tokens) + 3)

    def restore(self, text: str, *, as_json: bool = False) -> str:
        """A whole text, restored."""
        return self.run(text, 0, last=True, as_json=as_json)[0]

    def run(self, text: str, at: int, *, last: bool, as_json: bool) -> tuple[str, int]:
        """The text from ``at`` restored as far as it is decided, and where it is not; ``text[:at]`` is only context."""
        found, cut = self.find(text, at, last=last, as_json=as_json)
        if not found:
            return text[at:cut], cut
        out: list[str] = []
        for one in found:
            out += (text[at : one.start], one.text)
            at = one.end
        out.append(text[at:cut])
        return "".join(out), cut

    def passes(self, piece: str, before: str) -> bool:
        """Whether a piece of a stream, before which nothing is held, holds nothing that is or may become a surrogate;
        quick, as most pieces are like that, and sometimes wrong in saying no."""
        lower = piece.lower()
        if len(lower) != len(piece) or (self._matcher is not None and self._matcher.find_matches_as_indexes(lower)):
            return False
        if self._numbers and any(run in self.root.waiting for run in _DIGITS.findall(lower)):
            return False
        if rewriting.SIGNS.search(piece) or (self.initials and piece[-3:] != lower[-3:]):
            return False
        at = lower.rfind(" ") + 1
        if not at and rewriting.SIGNS.search(before, max(0, len(before) - 12)):
            return False  # the word may have begun with an escape
        word = lower[at:]
        if word.isalnum():
            return word not in self.root.begins
        return not word or not (word[-1].isalnum() or (self.has_bare and '"' in word))

    def find(self, text: str, at: int, *, last: bool, as_json: bool) -> tuple[list[Found], int]:
        """What stands for something, in order, and the end of what is decided."""
        found: list[Found] = []
        if not self.root.waiting:
            return found, len(text)
        lower = _lower(text)
        done = at
        for start in self._starts(text, lower):
            if start < done:
                continue
            if start > done and text[start - 1] == "[":
                one = self._as_sent(text, start - 1, as_json)
                if one is not None:
                    found.append(one)
                    done = one.end
                    continue
            reading = _Reading(self, text, start, done, last=last, as_json=as_json)
            try:
                one = reading.read()
            except _Undecided:
                return found, min(reading.held_from(), self._tail_open(text, done, as_json))
            if one is not None:
                found.append(one)
                done = one.end
        return found, len(text) if last else self._tail(text, lower, done, as_json)

    def _as_sent(self, text: str, start: int, as_json: bool) -> Found | None:
        """A surrogate in brackets as it was sent, with nothing before it that could belong to it; the usual case."""
        if start and text[start - 1] not in " \n":
            return None
        end = text.find("]", start, start + self.longest) + 1
        meaning = self.exact.get(text[start:end])
        if meaning is None or meaning.bare:
            return None
        matched = text[start:end]
        literal = (self.json_literals if as_json else self.literals).get(matched)
        if literal is None:
            literal = meaning.told_in_json(matched) if as_json else meaning.told(matched)
        return Found(start, end, literal)

    def _starts(self, text: str, lower: str) -> Iterable[int]:
        words = () if self._matcher is None else self._matcher.find_matches_as_indexes(lower)
        starts = [start for index, start, end in words if self.root.may_follow(text, lower, end, self._words[index])]
        if self._numbers:
            runs = [one.start() for one in _DIGITS.finditer(lower) if one.group() in self.root.waiting]
            starts = sorted([*starts, *runs]) if runs else starts
        if text.isascii() or not rewriting.DISGUISED.search(text):
            return starts
        hidden = (one for one in TOKEN.finditer(text) if not one.group().isascii())
        return sorted({*starts, *(one.start() for one in hidden if plain_token(one.group()) in self.root.waiting)})

    def _tail(self, text: str, lower: str, done: int, as_json: bool) -> int:
        """Where the end of the text may be the beginning of a surrogate."""
        size = len(text)
        if size == done:
            return size
        cut = min(self._tail_head(text, lower, done, as_json), self._tail_open(text, done, as_json))
        if as_json and self.has_bare and text[-1] == '"':
            cut = min(cut, size - 1)
        if self.initials:
            initial = rewriting.TAIL_INITIAL.search(text, max(done, size - 4))
            if initial and initial.group(1) in self.initials:
                cut = min(cut, initial.start())
        return cut

    def _tail_open(self, text: str, done: int, as_json: bool) -> int:
        """Where an opening bracket, an entity or an escape begins in which the text ends."""
        window = max(done, len(text) - rewriting.OPEN_WINDOW)
        if not rewriting.SIGNS.search(text, window):
            return len(text)
        opening = rewriting.TAIL_OPEN.search(text, window)
        return self.with_quote(text, opening.start(), done, as_json) if opening else len(text)

    def _tail_head(self, text: str, lower: str, done: int, as_json: bool) -> int:
        """Where the first token of a surrogate may have begun."""
        size = len(text)
        for start in self._heads(text, lower, done):
            reading = _Reading(self, text, start, done, last=False, as_json=as_json)
            if reading.begins_word():
                return reading.held_from()
        return size

    def _heads(self, text: str, lower: str, done: int) -> Iterator[int]:
        size = len(text)
        if not text.isascii() and rewriting.DISGUISED.search(text, done):
            run = rewriting.LAST_RUN.search(text, max(done, size - 2 * self._longest_head))
            if run and plain_token(run.group()) in self.root.begins:
                yield run.start()
        if lower[-1] in self._head_ends:
            for length in range(min(self._longest_head, size - done), 0, -1):
                if lower[size - length :] in self.root.begins:
                    yield size - length

    def with_quote(self, text: str, start: int, done: int, as_json: bool) -> int:
        """The place before a quotation mark, where it may belong to what stands in for a number."""
        return start - 1 if as_json and self.has_bare and start > done and text[start - 1] == '"' else start


class _Reading:
    """The attempt to read a surrogate at a place of a text, of which everything before ``floor`` is settled."""

    __slots__ = ("_aliases", "_bracket", "_double", "_floor", "_json", "_last", "_looked", "_start", "_text", "begin")

    def __init__(self, aliases: Aliases, text: str, start: int, floor: int, *, last: bool, as_json: bool) -> None:
        self._aliases = aliases
        self._text = text
        self._start = self.begin = self._double = start
        self._floor = floor
        self._last = last
        self._json = as_json
        self._bracket: rewriting.Bracket | None = None
        self._looked = False

    def read(self) -> Found | None:
        """What stands here.

        Raises:
            _Undecided: the text ends where more of it could change the answer.
        """
        if self._start and self._text[self._start - 1].isalnum() and not self.begins_word():
            return None
        walked = self._walk()
        if walked is None or not self.begins_word():
            return None
        node, end, plural = walked
        assert node.meaning is not None or node.initials  # noqa: S101 - a promise of _walk
        closed = self._closed(end) if node.bracketed and self._bracket and not plural else None
        if closed is None:
            self._bracket = None
            self.begin = self._start
            end = self._balanced(end)
            if not self.begins_word() or not (plural or self._ends_word(end, node)):
                return None
            return self._with_initial(node, end)
        assert node.meaning is not None  # noqa: S101 - a promise of _walk
        return self._found(closed, node.meaning)

    def held_from(self) -> int:
        """Where to hold back from, when this is undecided."""
        self._look_back()
        start = min(self.begin, self._double)
        before = rewriting.BEFORE_INITIAL.search(self._text, max(self._floor, start - 4), start)
        if before and before.group(1) in self._aliases.initials:
            start = before.start()
        return self._aliases.with_quote(self._text, start, self._floor, self._json)

    def begins_word(self) -> bool:
        """Whether a word begins here, or a bracket stands before."""
        self._look_back()
        text, start = self._text, self.begin
        if self._json and _odd_backslashes(text, start):
            return False
        if self._bracket or not start or not text[start - 1].isalnum():
            return True
        return self._json and rewriting.AFTER_ESCAPE.search(text, max(0, start - 12), start) is not None

    def _look_back(self) -> None:
        """Find an opening bracket before this place."""
        if self._looked:
            return
        self._looked = True
        text, start, floor = self._text, self._start, max(self._floor, self._start - rewriting.OPEN_WINDOW)
        if start == floor or not self._aliases.has_codes or text[start - 1] not in rewriting.OPENS:
            return
        if text[start - 1] == "[" and (start - 1 == floor or text[start - 2] == " "):  # the usual case, quickly
            self._bracket, self.begin, self._double = BRACKETS[0], start - 1, start - 1
            return
        for bracket in BRACKETS:
            single = bracket.open.search(text, floor, start)
            if single and not (self._json and _odd_backslashes(text, single.start())):
                self._bracket = bracket
                self.begin = self._double = single.start()
                double = bracket.double.search(text, floor, start)
                if double and not (self._json and _odd_backslashes(text, double.start())):
                    self._double = double.start()
                return

    def _walk(self) -> tuple[Node, int, bool] | None:
        """The last place in the tree that means something, where its text ends, and whether a plural s follows."""
        text, at = self._text, self._start
        node: Node = self._aliases.root
        best: tuple[Node, int, bool] | None = None
        while token := TOKEN.match(text, at):
            after, plural = self._step(node, token)
            if after is None or (after.letter and not _is_initial(text, best, token)):
                break
            node, at = after, token.end() - plural
            if node.meaning is not None or node.initials:
                best = (node, at, plural)
            if plural or not node.next:
                break
            at = self._after_joint(node, at)
        return best

    def _step(self, node: Node, token: Any) -> tuple[Node | None, bool]:
        plain = plain_token(token.group())
        if not self._last and self._cut_at(token.end()) and _may_become(node, plain):
            raise _Undecided
        after = node.step(plain)
        if after is not None or not plain.endswith("s") or token.end() - token.start() < 3:
            return after, False
        singular = node.step(plain[:-1])
        return (singular, True) if singular is not None and singular.meaning is not None else (None, False)

    def _cut_at(self, end: int) -> bool:
        """Whether the text ends here, but for invisible characters."""
        text = self._text
        return end == len(text) or (not text[end].isascii() and rewriting.ENDS_HIDDEN.match(text, end) is not None)

    def _after_joint(self, node: Node, at: int) -> int:
        joint = node.joint
        if node.bracketed:
            self._look_back()
            joint = SPELLING if self._bracket else FORM
        text = self._text
        end = joint.whole.match(text, at).end()  # type: ignore[union-attr] # it matches the empty text
        if not self._last and len(text) - end < 12 and (end == len(text) or joint.cut.match(text, at)):
            raise _Undecided
        return end

    def _balanced(self, end: int) -> int:
        """The end with a bracket that was opened within: ``NAME [417]``."""
        text = self._text
        inside = text[self._start : end]
        closing = "]" if inside.count("[") > inside.count("]") else ")" if inside.count("(") > inside.count(")") else ""
        if closing and end == len(text) and not self._last:
            raise _Undecided
        return end + 1 if closing and text.startswith(closing, end) else end

    def _closed(self, end: int) -> int | None:
        """The end of the closing bracket, if there is one."""
        text, bracket = self._text, self._bracket
        assert bracket is not None  # noqa: S101 - the caller has looked
        doubled = self._double < self.begin
        if not doubled and bracket is BRACKETS[0] and text.startswith("]", end):  # the usual case, quickly
            return end + 1
        twice = bracket.twice.match(text, end) if doubled else None
        if twice:
            self.begin = self._double
            return twice.end()
        once = bracket.close.match(text, end)
        if not self._last and (doubled or not once) and bracket.cut.match(text, end):
            raise _Undecided
        return once.end() if once else None

    def _ends_word(self, end: int, node: Node) -> bool:
        text, size = self._text, len(self._text)
        if end == size:
            if not self._last:
                raise _Undecided
            return True
        after = text[end]
        if node.dated and after == "T":  # 2024-04-09T10:00
            return True
        if text[end - 1].isdigit() and (after == "s" or after in node.joins):
            # NAME-417s is a plural; the 417 of NAME-417-9 and of 417.5 is not ours
            if end + 1 == size and not self._last:
                raise _Undecided
            follows = text[end + 1 : end + 2]
            return not follows.isalnum() if after == "s" else not follows.isdigit()
        return not after.isalnum()

    def _with_initial(self, node: Node, end: int) -> Found | None:
        if node.initials:
            before = rewriting.BEFORE_INITIAL.search(self._text, max(self._floor, self._start - 4), self._start)
            if before and before.group(1) in node.initials:
                self.begin = before.start()
                return self._found(end, node.initials[before.group(1)])
        return None if node.meaning is None else self._found(end, node.meaning)

    def _found(self, end: int, meaning: Meaning) -> Found:
        text, begin, aliases = self._text, self.begin, self._aliases
        matched = text[begin:end]
        meaning = aliases.exact.get(matched, meaning)
        literal = (aliases.json_literals if self._json else aliases.literals).get(matched)
        if literal is not None:
            return Found(begin, end, literal)
        if not self._json:
            return Found(begin, end, meaning.told(matched))
        if meaning.bare:
            return self._found_bare(end, meaning, matched)
        return Found(begin, end, meaning.told_in_json(matched))

    def _found_bare(self, end: int, meaning: Meaning, matched: str) -> Found:
        """A number that went out as text: its quotation marks go with it."""
        text, begin = self._text, self.begin
        if end == len(text) and not self._last:
            raise _Undecided
        if begin > self._floor and text[begin - 1] == '"' and text[end : end + 1] == '"':
            return Found(begin - 1, end + 1, meaning.told_in_json(matched))
        return Found(begin, end, escape(meaning.told(matched)))


def _is_initial(text: str, best: tuple[Node, int, bool] | None, token: Any) -> bool:
    return best is not None and token.group().isupper() and "," in text[best[1] : token.start()]


def _may_become(node: Node, token: str) -> bool:
    """Whether the token, or what it grows into, leads on from here (a plural s included)."""
    if token in node.begins or (token[0] == "0" and (token.lstrip("0") or "0") in node.begins | {"0"}):
        return True
    return token.endswith("s") and token[:-1] in node.next


def _odd_backslashes(text: str, end: int) -> bool:
    start = end
    while start and text[start - 1] == "\\":
        start -= 1
    return (end - start) % 2 == 1


def _lower(text: str) -> str:
    """Lower case of the same length."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


class Restorer:
    """Restores a stream. Any cutting of a text gives the same result as the whole; what is held back is never longer
    than the longest written form of a surrogate. Each stream (choice, tool call, reasoning) takes one of its own.

    With ``as_json`` the stream is JSON text and stays so: originals come back escaped.
    """

    def __init__(self, aliases: Aliases, *, as_json: bool = False) -> None:
        self._aliases = aliases
        self._json = as_json
        self._before = ""
        self._held = ""
        self._idle = len(aliases) == 0

    @property
    def held(self) -> int:
        """How many characters wait for what follows."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """Take the next piece; what can be decided comes back restored."""
        if self._idle:
            return piece
        if not self._held and piece and self._aliases.passes(piece, self._before):
            self._before = (self._before + piece)[-_CONTEXT:]
            return piece
        return self._restore(piece, last=False)

    def finish(self) -> str:
        """The rest, at the end of the stream."""
        return "" if self._idle else self._restore("", last=True)

    def _restore(self, piece: str, *, last: bool) -> str:
        text = self._before + self._held + piece
        out, cut = self._aliases.run(text, len(self._before), last=last, as_json=self._json)
        self._before = text[max(0, cut - _CONTEXT) : cut]
        self._held = text[cut:]
        return out
