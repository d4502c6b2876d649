"""The FHIRPath of a ViewDefinition: its text as a tree.

The grammar is FHIRPath's (HL7 FHIRPath N1 2.0.0, section "Grammar"), without environment variables other than the
view's constants, ``%context``, ``%resource`` and ``%rowIndex``, and without quantities with units.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from careplane.errors import InputError

MAX_PATH = 10_000
"""Characters of the longest path."""
MAX_DEPTH = 30
"""How deep expressions may nest."""
MAX_TOKENS = 1_500
MAX_STEPS = 200
"""Names, calls and indexes in a row, as in ``a.b[0].c()``."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that the path itself states; ``None`` is ``{}``, the empty collection."""

    value: str | int | bool | Decimal | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class This:
    """``$this``, or the node that a path starts from."""


@dataclass(frozen=True, slots=True)
class Variable:
    """``%name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """The children called ``name`` of each node of ``on``."""

    on: "Node"
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """``on[at]``."""

    on: "Node"
    at: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """``on.name(arguments)``."""

    on: "Node"
    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """A unary ``-``."""

    of: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class TypeName:
    """The name of a type, without its namespace (``FHIR.``, ``System.``)."""

    name: str


Node = Literal | This | Variable | Member | Index | Call | Sign | Binary | TypeName

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<time>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)
    | (?P<date>@\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<name>\$this|\$index|\$total|[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark><=|>=|!=|!~|[-+*/&|=~<>.,()\[\]{}])
    )""",
    re.VERBOSE | re.DOTALL,
)
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"implies"}),
    frozenset({"or", "xor"}),
    frozenset({"and"}),
    frozenset({"in", "contains"}),
    frozenset({"=", "!=", "~", "!~"}),
    frozenset({"<", ">", "<=", ">="}),
    frozenset({"|"}),
    frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}),
    frozenset({"*", "/", "div", "mod"}),
)
"""Binary operators by precedence, the weakest first."""
_WORDS = frozenset(word for level in _LEVELS for word in level if word.isalpha())
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_TYPED = frozenset({"ofType", "as", "is", "getReferenceKey"})
"""Functions whose argument is the name of a type."""


def parse(path: str) -> Node:
    """The tree of a path.

    Raises:
        InputError: the path is not FHIRPath of this grammar; ``field`` is the path, the message says where.
    """
    if len(path) > MAX_PATH:
        raise InputError(f"a path has at most {MAX_PATH} characters", field=f"{path[:40]}…")
    tokens = tuple(_tokens(path))
    if len(tokens) > MAX_TOKENS:
        raise InputError(f"a path has at most {MAX_TOKENS} words and marks", field=f"{path[:40]}…")
    parser = _Parser(path, tokens)
    node = parser.expression()
    parser.end()
    return node


def _tokens(path: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(path.rstrip())
    while at < end:
        found = _TOKEN.match(path, at)
        if found is None or found.lastgroup is None:
            raise InputError(f"is not FHIRPath at {path[at:].strip()[:20]!r}", field=path)
        if found.lastgroup != "comment":
            yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        what = found[1]
        return chr(int(what[1:], 16)) if len(what) == 5 else _ESCAPES.get(what, what)

    return _ESCAPE.sub(one, text[1:-1])


class _Parser:
    """Precedence climbing over the tokens of one path."""

    def __init__(self, path: str, tokens: tuple[tuple[str, str], ...]) -> None:
        self._path = path
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._terms: dict[str, Callable[[str], Node]] = {
            "number": lambda text: Literal(Decimal(text) if "." in text else int(text)),
            "text": lambda text: Literal(_unescaped(text)),
            "date": lambda text: Literal(text[1:].removesuffix("T"), "dateTime" if "T" in text else "date"),
            "time": lambda text: Literal(text[2:], "time"),
            "variable": self._variable,
            "quoted": lambda text: self._named(_unescaped(text)),
            "name": self._word,
            "mark": self._mark,
        }

    def expression(self, level: int = 0) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH * len(_LEVELS):
            raise self._problem("nests too deeply")
        left = self.expression(level + 1) if level + 1 < len(_LEVELS) else self._unary()
        while (operator := self._peek()[1]) in _LEVELS[level] and self._peek()[0] in ("mark", "name"):
            self._at += 1
            if operator in ("is", "as"):
                left = Call(left, operator, (self._type(),))
            else:
                right = self.expression(level + 1) if level + 1 < len(_LEVELS) else self._unary()
                left = Binary(operator, left, right)
        self._depth -= 1
        return left

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._problem(f"has {self._peek()[1]!r} where it should end")

    def _unary(self) -> Node:
        if self._take("-"):
            return Sign(self._unary())
        if self._take("+"):
            return self._unary()
        return self._chain()

    def _chain(self) -> Node:
        node = self._term()
        for _ in range(MAX_STEPS):
            if self._take("."):
                node = self._step(node)
            elif self._take("["):
                node = Index(node, self.expression())
                self._need("]")
            else:
                return node
        raise self._problem(f"has more than {MAX_STEPS} steps in a row")

    def _term(self) -> Node:
        kind, text = self._next()
        return self._terms[kind](text)

    def _mark(self, text: str) -> Node:
        if text == "(":
            node = self.expression()
            self._need(")")
            return node
        if text == "{" and self._take("}"):
            return Literal(None)
        raise self._problem(f"has {text!r} where a value should be")

    def _variable(self, text: str) -> Node:
        return Variable(_unescaped(text[1:]) if text[1] in "`'" else text[1:])

    def _word(self, text: str) -> Node:
        if text in ("true", "false"):
            return Literal(text == "true")
        if text == "$this":
            return This()
        if text.startswith("$"):
            raise self._problem(f"uses {text}, which views do not know")
        return self._named(text)

    def _named(self, text: str) -> Node:
        return self._call(This(), text) if self._take("(") else Member(This(), text)

    def _step(self, on: Node) -> Node:
        kind, text = self._next()
        if kind == "quoted":
            text = _unescaped(text)
        elif kind != "name" or text.startswith("$"):
            raise self._problem(f"has {text!r} where a name should be")
        return self._call(on, text) if self._take("(") else Member(on, text)

    def _call(self, on: Node, name: str) -> Node:
        arguments: list[Node] = []
        if not self._take(")"):
            arguments.append(self._type() if name in _TYPED else self.expression())
            while self._take(","):
                arguments.append(self.expression())
            self._need(")")
        return Call(on, name, tuple(arguments))

    def _type(self) -> TypeName:
        kind, text = self._next()
        if kind not in ("name", "quoted"):
            raise self._problem(f"has {text!r} where the name of a type should be")
        while self._take("."):
            kind, text = self._next()
        name = _unescaped(text) if kind == "quoted" else text
        if not name.isalnum():
            raise self._problem(f"has {name!r} where the name of a type should be")
        return TypeName(name)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise self._problem("ends where a value or a name should be")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, mark: str) -> bool:
        taken = self._peek() == ("mark", mark)
        self._at += taken
        return taken

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise self._problem(f"lacks {mark!r} before {self._peek()[1] or 'its end'!r}")

    def _problem(self, what: str) -> InputError:
        return InputError(what, field=self._path)


def is_word_operator(name: str) -> bool:
    """Whether a name is an operator (``and``, ``div``), which an element of that name must be quoted against."""
    return name in _WORDS
