"""A ViewDefinition, read and checked: everything that can be known before a row is made.

Source: SQL on FHIR v2, StructureDefinition ViewDefinition with its invariants (sql-name, sql-expressions), and the
algorithm "Validate Columns".
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.codecs.views.evaluation import Evaluation, Path
from careplane.codecs.views.syntax import Node, parse
from careplane.codecs.views.values import PRIMITIVES, Item, Typed
from careplane.errors import InputError
from careplane.records import JSON

MAX_SELECTS = 500
MAX_NESTING = 40
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}\Z")
_PROSE = frozenset({"description", "tag", "id", "extension", "modifierExtension"})
_CANONICAL = frozenset(
    {
        *("resourceType", "meta", "implicitRules", "language", "text", "contained", "url", "identifier", "version"),
        *("versionAlgorithmString", "versionAlgorithmCoding", "name", "title", "status", "experimental", "date"),
        *("publisher", "contact", "useContext", "jurisdiction", "purpose", "copyright", "copyrightLabel"),
        *("fhirVersion", "profile", "approvalDate", "lastReviewDate", "effectivePeriod", "topic", "author", "editor"),
        *("reviewer", "endorser", "relatedArtifact"),
    }
)
_VIEW = _CANONICAL | _PROSE | {"resource", "resourceVersion", "constant", "select", "where"}
_SELECT = _PROSE | {"column", "select", "forEach", "forEachOrNull", "repeat", "unionAll"}
_COLUMN = _PROSE | {"path", "name", "type", "collection"}
_EACH = ("forEach", "forEachOrNull", "repeat")
_STATUS = ("draft", "active", "retired", "unknown")
_NUMBERS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("integer", "positiveInt", "unsignedInt", "integer64"), (int,)),
    "decimal": (int, float, Decimal),
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A path: its text, its tree, the place in the definition that it was read from, and the function that it is."""

    text: str
    tree: Node
    where: str
    run: Path


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its path, the type that it declares (empty for none), and whether it holds a collection."""

    name: str
    path: Expression
    kind: str
    collection: bool


@dataclass(frozen=True, slots=True)
class Select:
    """One ``select``. ``each`` says how rows are made of the node (``forEach``, ``forEachOrNull``, ``repeat``, or empty
    for once), ``paths`` from what."""

    each: str
    paths: tuple[Expression, ...]
    columns: tuple[Column, ...]
    selects: tuple["Select", ...]
    unions: tuple["Select", ...]

    @property
    def names(self) -> tuple[tuple[str, str, bool], ...]:
        """Name, type and collection of all columns below here, in the order of the specification."""
        own = tuple((column.name, column.kind, column.collection) for column in self.columns)
        nested = tuple(one for select in self.selects for one in select.names)
        return (*own, *nested, *(self.unions[0].names if self.unions else ()))


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole view."""

    name: str
    resource: str
    wheres: tuple[Expression, ...]
    selects: tuple[Select, ...]
    constants: Mapping[str, Item]

    @property
    def columns(self) -> tuple[tuple[str, str, bool], ...]:
        """Name, type and collection of each column, in the order of the specification."""
        return tuple(one for select in self.selects for one in select.names)


def read_definition(view: object) -> Definition:
    """Read a ViewDefinition.

    Raises:
        InputError: the first thing that does not hold; ``field`` says where it is, such as
            ``select[0].column[2].path``.
    """
    reader = _Reader()
    definition = reader.view(view)
    if reader.found:
        raise reader.found[0]
    return definition


def problems_of(view: object) -> list[InputError]:
    """Everything that does not hold in a ViewDefinition, in the order of its elements."""
    reader = _Reader()
    reader.view(view)
    return reader.found


class _Reader:
    """Reads on after a problem, so that all of them are found at once."""

    def __init__(self) -> None:
        self.found: list[InputError] = []
        self._evaluation = Evaluation({})
        self._selects = 0

    def view(self, given: object) -> Definition:
        view = self._object(given, "ViewDefinition", _VIEW)
        if view.get("resourceType", "ViewDefinition") not in ("ViewDefinition", _LOGICAL):
            self._tell("resourceType", "must be ViewDefinition")
        if view.get("status", "draft") not in _STATUS:
            self._tell("status", f"must be one of {', '.join(_STATUS)}")
        resource = self._text(view, "resource", "")
        if resource and resource not in RESOURCE_TYPES:
            self._tell("resource", f"{resource!r} is not a FHIR R4 resource type{_near(resource, RESOURCE_TYPES)}")
        constants = dict(self._constants(view))
        self._evaluation = Evaluation(constants)
        wheres = [
            self._expression(self._object(row, f"where[{i}]", _PROSE | {"path"}), "path", f"where[{i}].")
            for i, row in enumerate(self._list(view, "where", ""))
        ]
        if not view.get("select"):
            self._tell("select", "at least one is needed")
        selects = [self._select(row, f"select[{i}]", 1) for i, row in enumerate(self._list(view, "select", ""))]
        definition = Definition(
            name=str(view.get("name") or ""),
            resource=resource,
            wheres=tuple(filter(None, wheres)),
            selects=tuple(selects),
            constants=constants,
        )
        self._check_columns(definition.columns)
        return definition

    def _check_columns(self, columns: Sequence[tuple[str, str, bool]]) -> None:
        names = [name for name, _, _ in columns]
        if not names and not self.found:
            self._tell("select", "a view needs at least one column")
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            self._tell("select", f"two columns have the name {name!r}")

    def _constants(self, view: JSON) -> Iterator[tuple[str, Item]]:
        seen: set[str] = set()
        for i, given in enumerate(self._list(view, "constant", "")):
            where = f"constant[{i}]"
            row = self._object(given, where, None)
            name = self._name(row, where)
            if name in seen:
                self._tell(f"{where}.name", f"{name!r} is defined twice")
            seen.add(name)
            values = [key for key in row if key.startswith("value")]
            if len(values) != 1:
                self._tell(f"{where}.value[x]", "exactly one value is needed")
                continue
            kind = _CONSTANTS.get(values[0].removeprefix("value"))
            value = row[values[0]]
            if kind == "integer64" and isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
                value = int(value)  # JSON of FHIR has it as text (R5, datatypes: integer64)
            if kind is None:
                self._tell(f"{where}.{values[0]}", "is not a type that a constant may have")
            elif not _fits(value, kind):
                self._tell(f"{where}.{values[0]}", f"is not a {kind}")
            else:
                yield name, Typed(value, kind)

    def _select(self, given: object, where: str, depth: int) -> Select:
        self._selects += 1
        if depth > MAX_NESTING or self._selects > MAX_SELECTS:
            self._tell(where, f"a view has at most {MAX_SELECTS} selects, {MAX_NESTING} deep")
            return Select("", (), (), (), ())
        row = self._object(given, where, _SELECT)
        chosen = [name for name in _EACH if name in row]
        if len(chosen) > 1:
            self._tell(where, f"has {' and '.join(chosen)}; one of them may be there")
        each = chosen[0] if chosen else ""
        unions = [
            self._select(one, f"{where}.unionAll[{i}]", depth + 1)
            for i, one in enumerate(self._list(row, "unionAll", f"{where}."))
        ]
        self._check_union(unions, where)
        columns = [
            self._column(one, f"{where}.column[{i}]") for i, one in enumerate(self._list(row, "column", f"{where}."))
        ]
        selects = [
            self._select(one, f"{where}.select[{i}]", depth + 1)
            for i, one in enumerate(self._list(row, "select", f"{where}."))
        ]
        return Select(
            each=each,
            paths=tuple(self._paths(row, each, where)),
            columns=tuple(filter(None, columns)),
            selects=tuple(selects),
            unions=tuple(unions),
        )

    def _paths(self, row: JSON, each: str, where: str) -> Iterator[Expression]:
        if each == "repeat":
            texts = self._list(row, "repeat", f"{where}.")
            if not texts:
                self._tell(f"{where}.repeat", "at least one path is needed")
            for i, text in enumerate(texts):
                expression = self._path(text, f"{where}.repeat[{i}]")
                if expression is not None:
                    yield expression
        elif each:
            expression = self._path(row[each], f"{where}.{each}")
            if expression is not None:
                yield expression

    def _check_union(self, unions: Sequence[Select], where: str) -> None:
        """All branches have the same columns, in the same order and of the same types."""
        for i, branch in enumerate(unions[1:], start=1):
            if [(name, many) for name, _, many in branch.names] != [(name, many) for name, _, many in unions[0].names]:
                told = ", ".join(name for name, _, _ in unions[0].names) or "none"
                self._tell(f"{where}.unionAll[{i}]", f"its columns differ from those of the first branch ({told})")
            elif any(a and b and a != b for (_, a, _), (_, b, _) in zip(branch.names, unions[0].names, strict=True)):
                self._tell(f"{where}.unionAll[{i}]", "the types of its columns differ from those of the first branch")

    def _column(self, given: object, where: str) -> Column | None:
        row = self._object(given, where, _COLUMN)
        kind = row.get("type", "")
        if not isinstance(kind, str):
            self._tell(f"{where}.type", "must be the name of a type")
            kind = ""
        collection = row.get("collection", False)
        if not isinstance(collection, bool):
            self._tell(f"{where}.collection", "must be true or false")
        name = self._name(row, where)
        path = self._expression(row, "path", f"{where}.", kind)
        return None if path is None else Column(name, path, kind, collection is True)

    def _name(self, row: JSON, where: str) -> str:
        name = self._text(row, "name", f"{where}.")
        if name and not _NAME.match(name):
            self._tell(f"{where}.name", f"{name!r} is not a letter followed by letters, digits and underscores")
        return name

    def _expression(self, row: JSON, name: str, where: str, kind: str = "") -> Expression | None:
        if name not in row:
            self._tell(f"{where}{name}", "is required")
            return None
        return self._path(row[name], f"{where}{name}", kind)

    def _path(self, text: object, where: str, kind: str = "") -> Expression | None:
        if not isinstance(text, str) or not text.strip():
            self._tell(where, "must be a FHIRPath expression")
            return None
        try:
            tree = parse(text)
            return Expression(text, tree, where, self._evaluation.compile(tree, text, kind))
        except InputError as error:
            self._tell(where, f"{error.field}: {error.message}")
            return None

    def _object(self, given: object, where: str, known: frozenset[str] | None) -> JSON:
        if not isinstance(given, dict):
            self._tell(where, "must be an object")
            return {}
        for name in given if known is not None else ():
            if name not in (known or ()) and not str(name).startswith("_"):
                place = name if where == "ViewDefinition" else f"{where}.{name}"
                self._tell(place, f"is not an element that may be here{_near(name, known or ())}")
        return given

    def _list(self, row: JSON, name: str, where: str) -> list[Any]:
        given = row.get(name, [])
        if isinstance(given, list):
            return given
        self._tell(f"{where}{name}", "must be a list")
        return []

    def _text(self, row: JSON, name: str, where: str) -> str:
        value = row.get(name)
        if isinstance(value, str) and value:
            return value
        self._tell(f"{where}{name}", "is required" if value is None else "must be text")
        return ""

    def _tell(self, where: str, what: str) -> None:
        self.found.append(InputError(what, field=where))


_LOGICAL = "http://hl7.org/fhir/uv/sql-on-fhir/StructureDefinition/ViewDefinition"
_CONSTANTS = {kind[0].upper() + kind[1:]: kind for kind in PRIMITIVES}


def _fits(value: object, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in _NUMBERS:
        return isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool)
    return isinstance(value, str)


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), sorted(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""
