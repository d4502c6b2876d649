"""A chunk of NDJSON as rows of the lake: DuckDB reads the declared paths, orjson judges every line that is in doubt.

DuckDB's JSON reader takes a few things that are not JSON (trailing commas, ``NaN``) or that orjson will not read again
(too deep), so a line that may hold one is judged as well; nothing is ever ignored on error.
"""

from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow.lib as pa

from careplane.codecs.fhir import ID_PATTERN, RESOURCE_TYPES, patient_of
from careplane.store.lake_chunks import Chunk
from careplane.store.lake_report import Kind

Fault = tuple[int, Kind, str, str]
"""Line, kind, explanation, resource type as far as it is known."""

_PATIENTS = ("$.subject.reference", "$.patient.reference", "$.beneficiary.reference", "$.individual.reference")
_PATHS = ["$.resourceType", "$.id", "$.meta.lastUpdated", *_PATIENTS, "$.for.reference"]
_ROWS = r"""
CREATE OR REPLACE TEMP TABLE rows AS
SELECT trim(found[1], '"') AS type, trim(found[2], '"') AS id,
       CASE WHEN found[1] = '"Patient"' THEN trim(found[2], '"') ELSE {patient} END AS patient,
       CASE WHEN starts_with(found[3], '"') THEN trim(found[3], '"') END AS last_updated,
       resource, $source AS source, line, md5(resource) AS hash,
       list_transform(regexp_extract_all(resource, '"reference"\s*:\s*"((?:[^"\\]|\\/)+)"', 1),
                      lambda ref: replace(ref, '\/', '/')) AS refs,
       found[1] IS NULL OR found[2] IS NULL OR NOT list_contains($types, found[1])
         OR NOT regexp_full_match(found[2], $id)
         OR length(string_split(resource, '[')) + length(string_split(resource, '{')) > {deep}
         OR regexp_matches(resource, ',\s*[}\]]') OR regexp_matches(resource, ':\s*-?(?i:nan|inf)')
         OR regexp_matches(resource, ',\s*-?(?i:nan|inf)')
         OR regexp_matches(resource, '\[\s*-?(?i:nan|inf)') AS doubtful
FROM (
  SELECT line, resource, CASE WHEN {sound} THEN json_extract(resource, $paths) END AS found
  FROM chunk WHERE strlen(resource) > 1 OR resource NOT IN ('', chr(10)))
"""
_DEEP = 1000
"""More opening brackets than this in one line, and it may be nested deeper than orjson reads (1,024 levels)."""
_DOUBTFUL = "SELECT line, resource FROM rows WHERE doubtful ORDER BY line"
_PATIENT = (
    r"""nullif(regexp_extract(found[{index}], '^"(?:.*/)?Patient/([A-Za-z0-9\-.]{{1,64}})(?:/_history/.*)?"$', 1), """
    r"""'')"""
)
_UNPLACED = """
SELECT line, resource FROM rows WHERE patient IS NULL AND list_bool_or([starts_with(r, 'Patient/') OR
contains(r, '/Patient/') FOR r IN refs])
"""


def read_rows(connection: duckdb.DuckDBPyConnection, chunk: Chunk, source: str, fault: Callable[[Fault], None]) -> None:
    """Turn a chunk into the temporary table ``rows`` (type and the columns of a part); bad lines go to ``fault``."""
    data = _valid_text(chunk, fault)
    connection.register("chunk", arrow_lines(data, chunk.first_line))
    quoted = [f'"{name}"' for name in sorted(RESOURCE_TYPES)]
    values = {"paths": _PATHS, "source": source, "types": quoted, "id": f'"{ID_PATTERN}"'}
    try:
        connection.execute(_statement("true"), values)
    except duckdb.InvalidInputException:
        connection.execute(_statement("json_valid(resource)"), values)
    connection.unregister("chunk")
    _judge_doubtful(connection, fault)
    _place_patients(connection)


def _statement(sound: str) -> str:
    """The statement that makes ``rows``; ``sound`` says for which lines the JSON may be read."""
    patients = ", ".join(_PATIENT.format(index=index) for index in range(4, len(_PATHS) + 1))
    statement = _ROWS.replace("{patient}", f"coalesce({patients})").replace("{sound}", sound)
    return statement.replace("{deep}", str(_DEEP))


def _judge_doubtful(connection: duckdb.DuckDBPyConnection, fault: Callable[[Fault], None]) -> None:
    """Take the lines out of ``rows`` that are no resource; blank ones go without a word."""
    gone = []
    for line, text in connection.execute(_DOUBTFUL).fetchall():
        found = judge(line, text) if text.strip() else None
        if found:
            fault(found)
        if found or not text.strip():
            gone.append(line)
    if gone:
        connection.execute("DELETE FROM rows WHERE list_contains($lines, line)", {"lines": gone})


def _place_patients(connection: duckdb.DuckDBPyConnection) -> None:
    """Find the patient of the few resources that name it elsewhere than in one of the plain paths."""
    left = connection.execute(_UNPLACED).fetchall()
    found = [(line, patient_of(orjson.loads(text))) for line, text in left]
    placed = [(line, patient.removeprefix("Patient/")) for line, patient in found if patient]
    if placed:
        lines, patients = zip(*placed, strict=True)
        connection.register(
            "placed", pa.table({"line": lines, "patient": [p.removeprefix("Patient/") for p in patients]})
        )
        connection.execute("UPDATE rows SET patient = placed.patient FROM placed WHERE rows.line = placed.line")
        connection.unregister("placed")


def arrow_lines(data: bytes, first_line: int) -> pa.Table:
    """The lines of a text that ends in a newline, without a copy: columns ``line`` and ``resource``.

    The newlines have to stand between the texts in an Arrow buffer, so each is a row of its own, with line 0; the
    statement that reads the table leaves them out.
    """
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n")).astype(np.int32)
    offsets = np.zeros(2 * len(ends) + 1, dtype=np.int32)
    offsets[1::2], offsets[2::2] = ends, ends + 1
    counted = np.zeros(2 * len(ends), dtype=np.int64)
    counted[::2] = np.arange(first_line, first_line + len(ends))
    texts = pa.StringArray.from_buffers(len(counted), pa.py_buffer(offsets), pa.py_buffer(data))
    numbers = pa.Array.from_buffers(pa.int64(), len(counted), [None, pa.py_buffer(counted)])
    table = pa.Table.from_arrays([numbers, texts], names=["line", "resource"])
    return pa.Table.from_batches(table.to_batches(max_chunksize=4096), schema=table.schema)


def _valid_text(chunk: Chunk, fault: Callable[[Fault], None]) -> bytes:
    """The chunk with plain newlines, and every line that is not UTF-8 (or holds a NUL) reported and emptied."""
    data = chunk.data.replace(b"\r\n", b"\n") if b"\r\n" in chunk.data else chunk.data
    try:
        data.decode("utf-8")
        if b"\0" not in data:
            return data
    except UnicodeDecodeError:
        pass
    lines = data.split(b"\n")
    for index, line in enumerate(lines):
        problem = _encoding_problem(line)
        if problem:
            fault((chunk.first_line + index, "invalid_utf8", problem, ""))
            lines[index] = b""
    return b"\n".join(lines)


def _encoding_problem(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start + 1} of the line"
    return "holds a NUL byte" if b"\0" in line else ""


def judge(line: int, text: str) -> Fault | None:
    """What is wrong with a line, or ``None`` when it is a FHIR resource with a type and an id.

    The explanation names positions and names of types, never content of the resource.
    """
    try:
        resource = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return (line, "broken_json", f"not JSON: {error.msg} at character {error.pos + 1}", "")
    if not isinstance(resource, dict):
        return (line, "not_an_object", "a JSON value, but not an object", "")
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in RESOURCE_TYPES:
        told = "resourceType is missing" if kind is None else f"{str(kind)[:40]!r} is no FHIR R4 resource type"
        return (line, "unknown_type", told, "")
    return _judge_id(line, kind, resource.get("id"))


def _judge_id(line: int, kind: str, ident: Any) -> Fault | None:
    if ident is None:
        return (line, "missing_id", f"this {kind} has no id", kind)
    if not isinstance(ident, str) or not _is_id(ident):
        return (line, "missing_id", f"the id of this {kind} is not a FHIR id (letters, digits, '-', '.', 1-64)", kind)
    return None


def _is_id(text: str) -> bool:
    return 1 <= len(text) <= 64 and text.isascii() and text.replace("-", "a").replace(".", "a").isalnum()


def types_of(connection: duckdb.DuckDBPyConnection) -> Sequence[str]:
    """The resource types in the table ``rows``."""
    return [row[0] for row in connection.execute("SELECT DISTINCT type FROM rows ORDER BY type").fetchall()]
