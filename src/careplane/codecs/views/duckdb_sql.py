"""SQL on FHIR v2: a ViewDefinition compiled to a DuckDB ``SELECT`` over FHIR kept as JSON text.

Understood: ``resource``, ``where``, and ``select`` with ``column`` (path, name, type), nested ``select``, ``forEach``
and ``forEachOrNull``; paths as in :mod:`careplane.codecs.views.duckdb_path`. A column that finds more than one value is
an error when the query runs, as the specification asks. Anything else is an :class:`InputError` that names it.

Source: https://sql-on-fhir.org/ (SQL on FHIR v2, ViewDefinition).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from careplane.codecs.views.duckdb_path import compile_path, is_true
from careplane.errors import InputError
from careplane.records import JSON

_TYPES = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "positiveInt": "BIGINT",
    "unsignedInt": "BIGINT",
    "decimal": "DOUBLE",
    "base64Binary": "VARCHAR",
    "canonical": "VARCHAR",
    "code": "VARCHAR",
    "date": "VARCHAR",
    "dateTime": "VARCHAR",
    "id": "VARCHAR",
    "instant": "VARCHAR",
    "markdown": "VARCHAR",
    "string": "VARCHAR",
    "time": "VARCHAR",
    "uri": "VARCHAR",
    "url": "VARCHAR",
    "uuid": "VARCHAR",
}
_PROSE = {"description", "tag"}
_VIEW = {"resourceType", "resource", "select", "where", "name", "title", "status", "url", "description", "fhirVersion"}
_SELECT = {"column", "select", "forEach", "forEachOrNull"} | _PROSE
_COLUMN = {"path", "name", "type", "collection"} | _PROSE


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str
    path: str


def duckdb_sql(view: JSON, source: str | None = None, carried: Sequence[str] = ()) -> str:
    """The ``SELECT`` of a ViewDefinition.

    Args:
        view: the ViewDefinition, decoded from JSON.
        source: the relation to read, with a JSON text column ``resource``; by default named after the resource type.
        carried: columns of the relation that each row has before those of the view; they begin with an underscore, as
            no column of a view does.

    Raises:
        InputError: the definition is not valid, or uses what this compiler leaves out; names the path or element.
    """
    _only(view, _VIEW, "ViewDefinition")
    resource = _text(view, "resource", "ViewDefinition")
    relation = _quoted(source or resource)
    wheres = [is_true(compile_path(_text(row, "path", "where"), "node0")) for row in view.get("where", [])]
    build = _Build(_select(", ".join(("resource::JSON AS node0", *map(_quoted, carried))), relation), carried)
    if wheres:
        build.sql = _select("*", f"({build.sql}) WHERE {' AND '.join(wheres)}")
    build.selects(view.get("select", []), "node0")
    return build.finish()


class _Build:
    """Wraps a query layer by layer: a node column per ``forEach``, a collection column per view column."""

    def __init__(self, sql: str, carried: Sequence[str]) -> None:
        self.sql = sql
        self.carried = carried
        self.columns: list[_Column] = []
        self.nodes = 0

    def selects(self, selects: Iterable[JSON], node: str) -> None:
        for select in selects:
            _only(select, _SELECT, "select")
            inner = self._each(select, node)
            self._columns(select.get("column", []), inner)
            self.selects(select.get("select", []), inner)

    def finish(self) -> str:
        if not self.columns:
            raise InputError("a view needs at least one column", field="ViewDefinition.select")
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise InputError("two columns have the same name", field="ViewDefinition.select")
        columns = (*map(_quoted, self.carried), *map(_value, self.columns))
        return _select(", ".join(columns), f"({self.sql})")

    def _each(self, select: JSON, node: str) -> str:
        if "forEach" in select:
            rows = compile_path(_text(select, "forEach", "select"), node)
        elif "forEachOrNull" in select:
            found = compile_path(_text(select, "forEachOrNull", "select"), node)
            rows = f"CASE WHEN len({found}) = 0 THEN [NULL::JSON] ELSE {found} END"
        else:
            return node
        self.nodes += 1
        self.sql = _select(f"*, unnest({rows}) AS node{self.nodes}", f"({self.sql})")
        return f"node{self.nodes}"

    def _columns(self, columns: Iterable[JSON], node: str) -> None:
        parts = []
        for row in columns:
            _only(row, _COLUMN, "column")
            column = _Column(_text(row, "name", "column"), _type(row), _text(row, "path", "column"))
            parts.append(f"{compile_path(column.path, node)} AS {_quoted('all ' + column.name)}")
            self.columns.append(column)
        if parts:
            self.sql = _select(f"*, {', '.join(parts)}", f"({self.sql})")


def _select(what: str, source: str) -> str:
    # Names are quoted and literals escaped where they enter (``_quoted``, ``compile_path``).
    return f"SELECT {what} FROM {source}"  # noqa: S608


def _value(column: _Column) -> str:
    values = _quoted("all " + column.name)
    many = f"{column.path} found more than one value".replace("'", "''")
    single = f"CAST(json_extract_string({values}[1], '$') AS {column.type})"
    return f"CASE WHEN len({values}) > 1 THEN error('{many}') ELSE {single} END AS {_quoted(column.name)}"


def _type(row: JSON) -> str:
    kind = row.get("type", "string")
    if row.get("collection"):
        raise InputError("collection columns are not supported yet", field=str(row.get("path")))
    if kind not in _TYPES:
        raise InputError(f"{kind!r} is not a type that a column may have", field=str(row.get("path")))
    return _TYPES[kind]


def _only(row: JSON, known: set[str], where: str) -> None:
    for name in row:
        if name not in known:
            raise InputError("is not supported in a view yet", field=f"{where}.{name}")


def _text(row: JSON, name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise InputError("is required", field=f"{where}.{name}")
    return value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
