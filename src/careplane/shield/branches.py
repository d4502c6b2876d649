"""The forms that may stand for an original, as a tree of tokens that grows where a text leads into it."""

import json
from dataclasses import dataclass
from typing import Protocol

import orjson

from careplane.shield.rewriting import CODE, INITIAL, NAME, Joint

_AFTER_CODE, _AFTER_NUMBER = ".,-/\u2010\u2011", "-\u2010\u2011"


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


class Node:
    """A place in the tree of tokens. ``joint`` is what may stand before the next token, ``joins`` what may not stand
    between the end of this form and a digit."""

    __slots__ = ("ahead", "begins", "bracketed", "dated", "initials", "joins", "joint", "letter", "meaning", "next")

    def __init__(self) -> None:
        self.joint = CODE
        self.next: dict[str, Node] = {}
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

    def step(self, token: str) -> "Node | None":
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
                after = node.next[token] = Node()
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


class Root(Node):
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

    def step(self, token: str) -> Node | None:
        """As :meth:`Node.step`."""
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
