"""The rows of a view as Arrow, for engines that take tables: columns typed by what the view declares.

Whole numbers are 64-bit, decimals doubles, booleans booleans; any other column is text, and what is no text in it is
written as JSON. The DuckDB path gives the same types.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow.lib as pa

from careplane.codecs.views.rows import Row, View
from careplane.errors import DataError

_ARROW: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "decimal": pa.float64(),
    **dict.fromkeys(("integer", "integer64", "positiveInt", "unsignedInt"), pa.int64()),
}
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def arrow_schema(view: View) -> pa.Schema:
    """The columns of a view with their Arrow types, in the order of the specification."""
    return pa.schema([pa.field(name, _arrow(kind, many=many)) for name, kind, many in view.definition.columns])


def arrow_table(view: View, rows: Iterable[Row]) -> pa.Table:
    """Rows of a view as a table.

    Raises:
        DataError: a value is not of the type that its column declares; names the column.
    """
    kept = list(rows)
    columns = [_column(name, kind, many, [row[name] for row in kept]) for name, kind, many in view.definition.columns]
    return pa.Table.from_arrays(columns, schema=arrow_schema(view))


def rows_of_texts(view: View, texts: Iterable[str]) -> Iterator[Row]:
    """The rows of resources that are kept as JSON text; decimals stay as written until they are columns.

    Raises:
        DataError: a text is no JSON, or a row cannot be made.
    """
    for text in texts:
        try:
            resource = _DECODER.decode(text)
        except msgspec.DecodeError as error:
            raise DataError(f"a resource is not JSON: {error}") from None
        yield from view.rows(resource)


def _column(name: str, kind: str, many: bool, values: list[Any]) -> pa.Array:
    try:
        return pa.array([_typed(value, kind) for value in values], type=_arrow(kind, many=many))
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, OverflowError):
        raise DataError(f"the column {name} declares {kind or 'text'} and got something else", field=name) from None


def _arrow(kind: str, *, many: bool) -> pa.DataType:
    one = _ARROW.get(kind, pa.string())
    return pa.list_(one) if many else one


def _typed(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_typed(one, kind) for one in value]
    if kind in _ARROW:
        return float(value) if isinstance(value, Decimal) else value
    if value is None or isinstance(value, str):
        return value
    return _ENCODER.encode(value).decode()
