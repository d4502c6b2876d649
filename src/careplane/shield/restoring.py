"""Putting originals back, in a whole text or in a stream cut anywhere, in prose or in JSON.

A model rewrites surrogates, so they are matched as sequences of tokens (runs of letters, runs of digits):
``[NAME-417]`` is ``name 417``, and brackets, hyphens, spaces, emphasis and entities between and around them are read by
:mod:`careplane.shield.rewriting`. Where a token of a surrogate may begin is found in one pass of an Aho-Corasick
automaton; only there a tree of tokens is walked. A walk that runs into the end of what has arrived is undecided, and
the stream is held back from there: so every cutting of a text gives the same result as the whole.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import ahocorasick_rs
import orjson

from careplane.shield import rewriting
from careplane.shield.rewriting import BRACKETS, CODE, FORM, INITIAL, NAME, SPELLING, TOKEN, Joint, plain_token

_CONTEXT = 32
"""Characters before the undecided part that a decision may look back at."""


class Meaning(Protocol):
    """What a surrogate stands for."""

    def told(self, matched: str) -> str:
        """The original for the words that were matched."""
        ...

    def told_in_json(self, matched: str) -> str:
        """The same as it stands inside a JSON string."""
        ...

    @property
    def bare(self) -> bool:
        """Whether in JSON the original stands without quotes (a number)."""
        ...


@dataclass(frozen=True, slots=True)
class Original:
    """``words`` as they were; ``source`` is how JSON text wrote them, where that was not the usual way."""

    words: str
    source: str | None = None
    bare: bool = False

    def told(self, matched: str) -> str:
        """The original words."""
        return self.words

    def told_in_json(self, matched: str) -> str:
        """The original as it stood, or escaped."""
        return escape(self.words) if self.source is None else self.source


@dataclass(frozen=True, slots=True)
class Form:
    """One written form of a surrogate: its tokens, what it stands for, and what may stand between the tokens.

    ``bracketed`` forms may stand in brackets, which go with them. ``initial`` is the letter that may stand before it
    (``A. Bexhurst``), with what both together stand for; the last token of a ``letter`` form is one (``Bexhurst, A.``).
    ``after`` is what stands between the tokens after the first, where that is something else.
    """

    tokens: tuple[str, ...]
    meaning: Meaning
    joint: Joint = CODE
    bracketed: bool = False
    initial: tuple[str, Meaning] | None = None
    letter: bool = False
    dated: bool = False
    after: Joint | None = None


def escape(words: str) -> str:
    """Words as they stand inside a JSON string."""
    try:
        return orjson.dumps(words).decode()[1:-1]
    except TypeError:  # half a surrogate pair has no UTF-8
        return json.dumps(words)[1:-1]


class _Node:
    """A place in the tree of tokens. ``joint`` is what may stand before the next token, ``joins`` what may not stand
    between the end of this form and a digit."""

    __slots__ = ("ahead", "begins", "bracketed", "dated", "initials", "joins", "joint", "letter", "meaning", "next")

    def __init__(self) -> None:
        self.joint = CODE
        self.next: dict[str, _Node] = {}
        self.begins: set[str] = set()
        self.ahead = {"0"}
        self.meaning: Meaning | None = None
        self.bracketed = False
        self.initials: dict[str, Meaning] = {}
        self.letter = False
        self.joins = ""
        self.dated = False

    def may_follow(self, text: str, lower: str, end: int) -> bool:
        """Whether the next token may lead on, by its first character; quick, as most words in a text lead nowhere."""
        if self.meaning is not None or end + 1 >= len(lower):
            return True
        after = lower[end]
        if after == " ":
            after = lower[end + 1]
        if after.isalpha() and after not in self.ahead and after not in "ni":  # most words end here
            return False
        next_at = self.joint.whole.match(text, end).end()  # type: ignore[union-attr] # it matches the empty text
        return (
            next_at == len(text)
            or lower[next_at] in self.ahead
            or (lower[next_at] in "&%\\uxni<" or lower[next_at] > "\x7f")
        )

    def step(self, token: str) -> "_Node | None":
        """The next place, leading zeros aside."""
        found = self.next.get(token)
        return found if found is not None or token[0] != "0" else self.next.get(token.lstrip("0"))

    def grow(self, form: Form) -> None:
        """Add a form below this place."""
        node = self
        before = ""
        for i, token in enumerate(form.tokens):
            joint = form.joint if i < 2 or form.after is None else form.after
            after = node.next.get(token)
            if after is None:
                after = node.next[token] = _Node()
                node.foresee(token)
                node.joint = INITIAL if len(before) == 1 and form.joint is NAME else joint
            node, before = after, token
        if node.meaning is None and not form.initial:
            node.meaning, node.bracketed, node.letter = form.meaning, form.bracketed, form.letter
            node.joins, node.dated = "" if form.dated else _AFTER_CODE if form.bracketed else _AFTER_NUMBER, form.dated
        if form.initial:
            letter, meaning = form.initial
            node.initials.setdefault(letter, meaning)

    def foresee(self, token: str) -> None:
        """Note what the next token may begin with."""
        self.ahead.add(token[0])
        self.begins.update([token[:end] for end in range(1, len(token) + 1)])


class _Root(_Node):
    """Where all forms begin. A branch is grown when a text first leads into it: most surrogates come back as they were
    sent, and then none is needed."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, list[Form]] = {}

    def plant(self, form: Form) -> None:
        """Take a form, to be grown when it is needed."""
        token = form.tokens[0]
        forms = self.waiting.get(token)
        if forms is None:
            self.waiting[token] = [form]
            self.foresee(token)
        else:
            forms.append(form)

    def step(self, token: str) -> _Node | None:
        """As :meth:`_Node.step`."""
        for first in (token, token.lstrip("0")):
            if first in self.waiting:
                for form in self.waiting[first] if first not in self.next else ():
                    self.grow(form)
                return self.next[first]
        return None

    def may_follow(self, text: str, lower: str, end: int, first: str = "") -> bool:
        """Whether ``first`` may lead on here; a branch that is not grown yet may."""
        node = self.next.get(first)
        return node is None or node.may_follow(text, lower, end)


_DIGITS = re.compile(r"[0-9]+")
_AFTER_CODE, _AFTER_NUMBER = ".,-/\u2010\u2011", "-\u2010\u2011"


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
        self.root = _Root()
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

    def _walk(self) -> tuple[_Node, int, bool] | None:
        """The last place in the tree that means something, where its text ends, and whether a plural s follows."""
        text, at = self._text, self._start
        node: _Node = self._aliases.root
        best: tuple[_Node, int, bool] | None = None
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

    def _step(self, node: _Node, token: Any) -> tuple[_Node | None, bool]:
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

    def _after_joint(self, node: _Node, at: int) -> int:
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

    def _ends_word(self, end: int, node: _Node) -> bool:
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

    def _with_initial(self, node: _Node, end: int) -> Found | None:
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


def _is_initial(text: str, best: tuple[_Node, int, bool] | None, token: Any) -> bool:
    return best is not None and token.group().isupper() and "," in text[best[1] : token.start()]


def _may_become(node: _Node, token: str) -> bool:
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
