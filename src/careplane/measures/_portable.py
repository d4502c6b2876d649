"""What a measure must be before anybody may run it: complete, and in operators that every engine answers alike."""

from collections.abc import Iterator
from typing import Any

from ibis.expr.operations import Cast, Node, WindowFunction

from careplane.codecs.views import duckdb_sql, problems_of
from careplane.errors import InputError
from careplane.measures._contract import COLUMNS, Measure, expression
from careplane.measures._instants import PATTERNS
from careplane.measures._tables import TABLES
from careplane.records.evidence import MeasureInfo

OPERATORS = frozenset(
    {
        *("UnboundTable", "Project", "Filter", "Aggregate", "Sort", "SortKey", "Union", "Distinct", "SelfReference"),
        *("JoinChain", "JoinLink", "JoinReference", "JoinTable", "Field", "Literal", "Cast", "Alias"),
        *("Add", "Subtract", "Multiply", "Divide", "FloorDivide", "Modulus", "Negate", "Abs", "Floor", "Ceil"),
        *("Sqrt", "Ln", "Exp", "Power", "Clip", "Least", "Greatest", "Coalesce", "IfElse", "SearchedCase", "NullIf"),
        *("SimpleCase", "IsNull", "NotNull", "InValues", "And", "Or", "Not", "Between"),
        *("Equals", "NotEquals", "Less", "LessEqual", "Greater", "GreaterEqual"),
        *(
            "Substring",
            "StrRight",
            "StringLength",
            "StartsWith",
            "EndsWith",
            "StringReplace",
            "StringConcat",
            "Lowercase",
            "Strip",
        ),
        *("ExtractEpochSeconds", "Sum", "Min", "Max", "CountStar", "Count", "CountDistinct"),
        *("WindowFunction", "WindowBoundary", "Lag", "Lead", "RowNumber"),
    }
)
"""Ibis operations that DuckDB, Spark and PostgreSQL answer alike. Left out on purpose: means and sums of booleans and
casts of them (PostgreSQL refuses), quantiles and distinct counts that an engine may approximate, first/last/any (ties),
try_cast (PostgreSQL has none), regular expressions (dialects) but those of instants, clocks and random numbers."""

SOURCES = {
    "timestamp('UTC')": {"string"},
    "int64": {"string", "int64", "int32", "int8", "int16", "float64"},
}
SOURCES["float64"] = SOURCES["int64"] | {"decimal"}
SOURCES["string"] = {"string", "int64"}
AIMS = {
    *("provider", "provider experience", "patient experience", "outcome", "population", "equity", "cost"),
    *("process", "safety", "access"),
}
_TEXTS = ("id", "title", "definition", "numerator", "denominator", "unit", "aim", "source", "citation", "row")
_SHORTEST = 40


def problems(measure: Measure) -> list[str]:
    """Everything that keeps a measure off the shelf, one sentence each; empty when nothing does."""
    found = [*_of_definition(measure.info), *_of_measure(measure), *_of_views(measure)]
    return found or [*_of_expression(measure)]


def _of_definition(info: MeasureInfo) -> Iterator[str]:
    yield from (f"its {name} is empty" for name in _TEXTS if not getattr(info, name).strip())
    if len(info.definition) < _SHORTEST:
        yield "its definition does not say what is counted"
    if info.aim not in AIMS:
        yield f"its aim {info.aim!r} is none of {', '.join(sorted(AIMS))}"
    if info.judged != (info.mcid > 0):
        yield "a smallest worthwhile change is positive, and 0 for a measure that is not judged"
    if info.judged and not info.mcid_source.strip():
        yield "it does not say where its smallest worthwhile change comes from"
    if info.cadence_days < 1 or info.small_cell < 11:
        yield "its cadence is at least a day and its small cell at least 11"
    if info.import_only and not info.licence:
        yield "an instrument that may only be imported says under which licence"


def _of_measure(measure: Measure) -> Iterator[str]:
    yield from (f"it reads {name!r}, no table of the run record" for name in measure.reads if name not in TABLES)
    if not measure.views and not measure.reads:
        yield "it reads nothing"
    if not measure.missing.strip() or measure.follow_up_days < 0:
        yield "it does not say why a row may have no value, or how long one may still come"


def _of_views(measure: Measure) -> Iterator[str]:
    for name, view in measure.views.items():
        yield from (f"view {name}: {problem}" for problem in problems_of(view))
        try:
            duckdb_sql(view)
        except InputError as error:
            yield f"view {name}: {error}"


def _of_expression(measure: Measure) -> Iterator[str]:
    try:
        rows = expression(measure)
    except InputError as error:
        yield str(error)
        return
    wanted = dict.fromkeys(COLUMNS, "string") | {"at": "int64", "value": "float64", "weight": "float64"}
    for name, kind in wanted.items():
        if str(rows.schema()[name].copy(nullable=True)) != kind:
            yield f"its column {name} is {rows.schema()[name]}, not {kind}"
    nodes = tuple(rows.op().find(Node))
    used = {node.name for node in nodes if type(node).__name__ == "UnboundTable"}
    for name in sorted({*measure.views, *measure.reads} - used):
        yield f"it names {name!r} and does not read it"
    yield from sorted({told for node in nodes if (told := _of_node(node))})


def _of_node(node: Any) -> str:
    name = type(node).__name__
    if name in ("RegexSearch", "RegexReplace"):
        known = getattr(node.pattern, "value", None) in PATTERNS
        return "" if known else "a regular expression: dialects differ; cut the text by its characters"
    if name not in OPERATORS:
        return f"{name} is outside the operators that every engine answers alike"
    if isinstance(node, Cast):
        source, target = node.arg.dtype, str(node.to.copy(nullable=True))
        kind = "decimal" if source.is_decimal() else str(source.copy(nullable=True))
        if kind not in SOURCES.get(target, set()):
            return f"a cast from {kind} to {target}: use ifelse(x, 1.0, 0.0) for a truth value"
    if isinstance(node, WindowFunction) and not node.order_by and type(node.func).__name__ in ("Lag", "Lead"):
        return "a window without an order"
    if name == "Sum" and node.arg.dtype.is_boolean():
        return "a sum of a truth value: use ifelse(x, 1, 0)"
    return ""
