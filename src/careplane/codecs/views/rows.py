"""The rows of a view over one resource after the other, in Python.

Source: SQL on FHIR v2, "Process a View". Columns of one level are joined with the rows of each nested ``select`` and of
``unionAll`` (a cross product); the order of rows is that of the resource.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from careplane.codecs.views.definition import Column, Definition, Expression, Select, read_definition
from careplane.codecs.views.evaluation import Scope
from careplane.codecs.views.values import Item, plain
from careplane.errors import DataError
from careplane.records import JSON

Row = dict[str, Any]
MAX_REPEATED = 100_000
"""Nodes that ``repeat`` may find in one resource."""


class View:
    """A view that makes rows; decimals should come as :class:`decimal.Decimal`, so that they stay as written."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.columns = tuple(name for name, _, _ in definition.columns)

    def rows(self, resource: JSON) -> Iterator[Row]:
        """The rows of one resource, none where it is of another type or a ``where`` does not hold; keys in the order of
        the specification.

        Raises:
            DataError: a path finds several values where one may be, or compares what has no order; names the path.
        """
        if resource.get("resourceType") != self.definition.resource:
            return
        scope = Scope(resource)
        if not all(_holds(where, resource, scope) for where in self.definition.wheres):
            return
        for row in _joined(self.definition.selects, [resource], scope):
            yield {name: row[name] for name in self.columns}


def compile_view(view: object) -> View:
    """A view from its ViewDefinition.

    Raises:
        InputError: it does not hold; ``field`` says where.
    """
    return View(read_definition(view))


def _holds(where: Expression, resource: JSON, scope: Scope) -> bool:
    found = [plain(one) for one in _found(where, [resource], scope)]
    if len(found) > 1 or (found and not isinstance(found[0], bool)):
        raise DataError(f"{where.where}: {where.text} is not true or false for this resource")
    return found == [True]


def _found(path: Expression, items: list[Item], scope: Scope) -> list[Item]:
    try:
        return path.run(items, scope)
    except ValueError as error:
        raise DataError(f"{path.where}: {path.text}: {error}") from None


def _joined(selects: Iterable[Select], items: list[Item], scope: Scope) -> list[Row]:
    """The cross product of the rows of sibling selects."""
    rows: list[Row] = [{}]
    for select in selects:
        found = _rows(select, items, scope)
        if not found:
            return []
        rows = found if rows == [{}] else [{**row, **one} for row in rows for one in found]
    return rows


def _rows(select: Select, items: list[Item], scope: Scope) -> list[Row]:
    if not select.each:
        return _level(select, items, scope)
    nodes = _repeated(select, items, scope) if select.each == "repeat" else _found(select.paths[0], items, scope)
    if not nodes and select.each == "forEachOrNull":
        return _level(select, [], Scope(scope.resource))
    return [row for i, node in enumerate(nodes) for row in _level(select, [node], Scope(scope.resource, i))]


def _level(select: Select, items: list[Item], scope: Scope) -> list[Row]:
    """The rows of one node."""
    rows: list[Row] = [{column.name: _value(column, items, scope) for column in select.columns}]
    if select.selects:
        below = _joined(select.selects, items, scope)
        rows = [{**row, **one} for row in rows for one in below]
    if select.unions:
        branches = [row for branch in select.unions for row in _rows(branch, items, scope)]
        rows = [{**row, **one} for row in rows for one in branches]
    return rows


def _value(column: Column, items: list[Item], scope: Scope) -> Any:
    found = _found(column.path, items, scope)
    if column.collection:
        return [plain(one) for one in found]
    if len(found) > 1:
        raise DataError(
            f"{column.path.where}: {column.path.text} found {len(found)} values where the column {column.name} holds"
            " one; use first(), forEach or collection"
        )
    return plain(found[0]) if found else None


def _repeated(select: Select, items: list[Item], scope: Scope) -> list[Item]:
    """All nodes that the paths lead to, and those that they lead to from there, each before its own."""
    found: list[Item] = []
    waiting = [items]
    while waiting:
        start = waiting.pop()
        if start is not items:
            found.append(start[0])
        if len(found) > MAX_REPEATED:
            raise DataError(f"{select.paths[0].where}: finds more than {MAX_REPEATED} nodes in one resource")
        below = [node for path in select.paths for node in _found(path, start, scope)]
        waiting += [[node] for node in reversed(below)]
    return found
