"""Files of FHIR resources that a command is given: NDJSON, plain or gzip, or JSON with a resource, a Bundle or a list.

Decimals come as :class:`decimal.Decimal`, so that they keep the digits that were written.
"""

import gzip
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from careplane.errors import DataError
from careplane.records import JSON

MAX_LINE = 64 * 1024 * 1024
"""Bytes of the longest line, and of the largest JSON file."""
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_LINES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz", ".deleted")


def resources(path: Path, *, any_object: bool = False) -> Iterator[tuple[int, JSON]]:
    """The resources of a file, each with its line (1 for those of a JSON file). Blank lines are skipped.

    Args:
        path: the file; what its name ends with says how it is read.
        any_object: also objects without ``resourceType``.

    Raises:
        DataError: the file cannot be read, or something in it is not a resource; names file and line.
    """
    if not path.is_file():
        raise DataError("there is no such file", file=path)
    try:
        with _opened(path) as file:
            found = _lines(file, path) if path.name.endswith(_LINES) else _whole(file, path)
            for place, given in found:
                if not isinstance(given, dict) or not (any_object or isinstance(given.get("resourceType"), str)):
                    raise DataError("is not a FHIR resource: it has no resourceType", file=path, line=place)
                yield place, given
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError("the compressed data is damaged or breaks off", file=path) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", file=path) from error


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise DataError(f"is longer than {MAX_LINE} bytes", file=path, line=number)
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if line.strip():
            yield number, _decoded(line, path, number)


def _whole(file: BinaryIO, path: Path) -> Iterator[tuple[int, Any]]:
    content = file.read(MAX_LINE + 1)
    if len(content) > MAX_LINE:
        raise DataError(f"is larger than {MAX_LINE} bytes; give it as NDJSON", file=path)
    given = _decoded(content.removeprefix(b"\xef\xbb\xbf"), path, 1)
    if isinstance(given, dict) and given.get("resourceType") == "Bundle":
        entries = given.get("entry") or []
        given = [entry.get("resource") for entry in entries if isinstance(entry, dict) and "resource" in entry]
    for one in given if isinstance(given, list) else [given]:
        yield 1, one


def _decoded(content: bytes, path: Path, line: int) -> Any:
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # the decoder's own words are left out: they may quote the line
        raise DataError("is not JSON in UTF-8", file=path, line=line) from error
