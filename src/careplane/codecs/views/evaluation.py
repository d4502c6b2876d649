"""Paths as functions in Python: from the nodes that a path starts at to the collection that it finds.

A path is compiled once into nested closures; evaluating it walks JSON and nothing else. Every collection is a list, and
the empty list is FHIRPath's empty collection.
"""

from collections.abc import Callable, Mapping

from careplane.codecs.views.functions import FUNCTIONS, Arguments
from careplane.codecs.views.operators import OPERATORS, negated
from careplane.codecs.views.syntax import Binary, Call, Index, Literal, Member, Node, Sign, This, TypeName, Variable
from careplane.codecs.views.values import Item, Typed, capital, is_of, plain
from careplane.errors import InputError
from careplane.records import JSON


class Scope:
    """Where a path is evaluated: the resource, and the place of the row among those of its ``forEach``."""

    __slots__ = ("resource", "row")

    def __init__(self, resource: JSON, row: int = 0) -> None:
        self.resource = resource
        self.row = row


Path = Callable[[list[Item], Scope], list[Item]]
_DATES = frozenset(
    {"birthDate", "approvalDate", "lastReviewDate", "expirationDate", "nextScheduled", "paymentDate", "statusDate"}
)
"""Elements that are always of the type ``date`` in FHIR R4; other texts that read as dates may be a ``dateTime``."""


class Evaluation:
    """Compiles the paths of one view.

    Args:
        constants: the view's constants by name.
    """

    def __init__(self, constants: Mapping[str, Item]) -> None:
        self._constants = constants

    def compile(self, node: Node, path: str, kind: str = "") -> Path:
        """The function of a tree.

        Args:
            node: the tree.
            path: its text, for messages.
            kind: the type that the column says it has, which may tell a date from a dateTime.

        Raises:
            InputError: it names a function or a constant that is not known.
        """
        return _Compiler(self._constants, path, kind).of(node)


class _Compiler:
    def __init__(self, constants: Mapping[str, Item], path: str, kind: str) -> None:
        self._constants = constants
        self._path = path
        self._kind = kind

    def of(self, node: Node) -> Path:
        match node:
            case This():
                return _this
            case Literal():
                return _literal(node)
            case Member():
                return _member(self.of(node.on), node.name)
            case Call():
                return self._call(node)
            case Binary():
                return self._binary(node)
            case Index():
                return _indexed(self.of(node.on), self.of(node.at))
            case Sign():
                return negated(self.of(node.of))
            case Variable():
                return self._variable(node.name)
        raise self._problem("has the name of a type where a value should be")

    def _variable(self, name: str) -> Path:
        if name == "rowIndex":
            return lambda _items, scope: [scope.row]
        if name in ("resource", "rootResource"):
            return lambda _items, scope: [scope.resource]
        if name == "context":
            return _this
        if name not in self._constants:
            raise self._problem(f"uses the constant %{name}, which the view does not define")
        return _constantly([self._constants[name]])

    def _binary(self, node: Binary) -> Path:
        make = OPERATORS.get(node.operator)
        if make is None:
            raise self._problem(f"uses the operator {node.operator!r}, which views do not know")
        left, rights = node.left, [node.right]  # a list of alternatives is long, not deep
        while isinstance(left, Binary) and left.operator == node.operator:
            rights.append(left.right)
            left = left.left
        path = self.of(left)
        for right in reversed(rights):
            path = make(path, self.of(right))
        return path

    def _call(self, node: Call) -> Path:
        if node.name in ("ofType", "as", "is"):
            return self._typed(node)
        if node.name == "extension" and isinstance(node.on, Member) and len(node.arguments) == 1:
            return _member_extension(self.of(node.on.on), node.on.name, self.of(node.arguments[0]))
        known = FUNCTIONS.get(node.name)
        if known is None:
            raise self._problem(f"uses {node.name}(), which views do not know")
        least, most, make = known
        if not least <= len(node.arguments) <= most:
            raise self._problem(f"gives {node.name}() {len(node.arguments)} arguments")
        types = [one.name for one in node.arguments if isinstance(one, TypeName)]
        paths = [self.of(one) for one in node.arguments if not isinstance(one, TypeName)]
        return make(self.of(node.on), Arguments(paths, types, self._boundary_kind(node.on)))

    def _typed(self, node: Call) -> Path:
        if len(node.arguments) != 1 or not isinstance(node.arguments[0], TypeName):
            raise self._problem(f"gives {node.name}() something else than the name of a type")
        kind = node.arguments[0].name
        if node.name == "is":
            return _is(self.of(node.on), kind)
        if isinstance(node.on, Member):
            return _choice(self.of(node.on.on), node.on.name, kind)
        on = self.of(node.on)
        return lambda items, scope: [item for item in on(items, scope) if is_of(item, kind)]

    def _boundary_kind(self, on: Node) -> str:
        if isinstance(on, Call) and on.name in ("ofType", "as") and isinstance(on.arguments[0], TypeName):
            return on.arguments[0].name
        if isinstance(on, Member) and on.name in _DATES:
            return "date"
        return self._kind

    def _problem(self, what: str) -> InputError:
        return InputError(what, field=self._path)


def _this(items: list[Item], _scope: Scope) -> list[Item]:
    return items


def _literal(node: Literal) -> Path:
    if node.value is None:
        return _constantly([])
    return _constantly([Typed(node.value, node.kind) if node.kind else node.value])


def _constantly(value: list[Item]) -> Path:
    return lambda _items, _scope: value


def children(item: Item, name: str) -> list[Item]:
    """The children of one node by name: those of ``name``, else of the choice element ``name[x]``."""
    value = item.value if type(item) is Typed else item
    if type(value) is not dict:
        return []
    found = value.get(name)
    if found is None:
        return _any_choice(value, name)
    return [one for one in found if one is not None] if type(found) is list else [found]


def _any_choice(value: JSON, name: str) -> list[Item]:
    size = len(name)
    for key, found in value.items():
        if len(key) > size and key.startswith(name) and key[size].isupper() and found is not None:
            kind = key[size:]
            small = kind[0].lower() + kind[1:]
            return [Typed(found, small if type(found) is not dict else kind)]
    return []


def _member(on: Path, name: str) -> Path:
    if on is _this:

        def first(items: list[Item], _scope: Scope) -> list[Item]:
            if len(items) == 1:
                return children(items[0], name) or _resource_itself(items, name)
            return [child for item in items for child in children(item, name)]

        return first

    def member(items: list[Item], scope: Scope) -> list[Item]:
        return [child for item in on(items, scope) for child in children(item, name)]

    return member


def _resource_itself(items: list[Item], name: str) -> list[Item]:
    """``Patient.name`` may begin with the type of the resource."""
    item = items[0]
    return items if type(item) is dict and item.get("resourceType") == name else []


def _choice(on: Path, name: str, kind: str) -> Path:
    key = name + capital(kind)

    def choice(items: list[Item], scope: Scope) -> list[Item]:
        found: list[Item] = []
        for item in on(items, scope):
            value = plain(item)
            if type(value) is not dict:
                continue
            chosen = value.get(key)
            if chosen is not None:
                found.append(chosen)
            elif name in value:
                found += [one for one in children(item, name) if is_of(one, kind)]
        return found

    return choice


def _is(on: Path, kind: str) -> Path:
    def judged(items: list[Item], scope: Scope) -> list[Item]:
        found = on(items, scope)
        if len(found) > 1:
            raise ValueError("'is' takes one value")
        return [is_of(one, kind) for one in found]

    return judged


def _indexed(on: Path, at: Path) -> Path:
    def indexed(items: list[Item], scope: Scope) -> list[Item]:
        places = [plain(one) for one in at(items, scope)]
        if not places:
            return []
        if len(places) > 1 or type(places[0]) is not int:
            raise ValueError("an index is one whole number")
        found = on(items, scope)
        return [found[places[0]]] if 0 <= places[0] < len(found) else []

    return indexed


def _member_extension(on: Path, name: str, url: Path) -> Path:
    """Extensions of an element by URL; those of a primitive stand beside it, under ``_name``."""

    def extensions(items: list[Item], scope: Scope) -> list[Item]:
        wanted = [plain(one) for one in url(items, scope)]
        found: list[Item] = []
        for item in on(items, scope):
            holders = [*children(item, name), *children(item, f"_{name}")]
            found += [one for holder in holders for one in children(holder, "extension") if one.get("url") in wanted]
        return found

    return extensions
