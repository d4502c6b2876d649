"""CAHPS files of survey vendors (CSV) as QuestionnaireResponse, which the measures of patient experience read.

Each line is one person of the sample, also who did not answer. ``survey_id`` names the line, ``encounter`` the visit or
stay that it is about, ``patient`` the person, ``sampled_on`` the day of sampling and ``answered_on`` that of the answer
(empty: none). Items of the instrument are columns with the number of the answer; empty, ``M``, ``8`` and ``9`` are no
answer (vendors write skips and double marks so). Item texts are not needed and not kept.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from careplane.errors import DataError, InputError
from careplane.records import JSON

PREFIX = "urn:careplane:survey:"
INSTRUMENTS: Mapping[str, Mapping[str, int]] = {
    "cgcahps": {"explain": 4, "listen": 4, "respect": 4, "time": 4},
    "hcahps": {"respect": 4, "listen": 4, "explain": 4, "help_at_home": 2, "symptoms": 2},
}
"""The items of each instrument and the highest number of an answer; the lowest is 1."""
NEEDED = ("survey_id", "patient", "encounter", "sampled_on", "answered_on")
NO_ANSWER = frozenset({"", "M", "8", "9"})
MOST_BYTES = 200_000_000
_ID = re.compile(r"[A-Za-z0-9.\-]{1,48}")


def read_surveys(content: bytes, instrument: str, file: Path) -> Iterator[JSON]:
    """QuestionnaireResponse resources, one for each line, in order.

    Args:
        content: the bytes of the file (UTF-8, with or without a byte-order mark).
        instrument: a name of :data:`INSTRUMENTS`.
        file: its name, for errors.

    Raises:
        InputError: there is no such instrument.
        DataError: the file is not of this form; names the line and the field, never what is in it.
    """
    if instrument not in INSTRUMENTS:
        raise InputError(f"must be one of {', '.join(INSTRUMENTS)}", field="instrument")
    if len(content) > MOST_BYTES:
        raise DataError(f"has more than {MOST_BYTES:,} bytes; split it by month", file=file)
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = header
        missing = [name for name in (*NEEDED, *INSTRUMENTS[instrument]) if name not in header]
        if missing:
            raise DataError(f"the header lacks {', '.join(missing)}", file=file, line=1)
        seen: set[str] = set()
        for row in reader:
            yield _response(row, instrument, seen, file, reader.line_num)
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8; save it as UTF-8, or use iconv", file=file) from error
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", file=file) from error


def _response(row: Mapping[str, str | None], instrument: str, seen: set[str], file: Path, line: int) -> JSON:
    cells = {name: (row.get(name) or "").strip() for name in (*NEEDED, *INSTRUMENTS[instrument])}
    if None in row or any(row.get(name) is None for name in cells):
        raise DataError("has another number of fields than the header", file=file, line=line)
    for name in ("survey_id", "patient", "encounter"):
        if not _ID.fullmatch(cells[name]):
            raise DataError(f"{name}: must be an id of letters, digits, '-' and '.'", file=file, line=line)
    if cells["survey_id"] in seen:
        raise DataError("survey_id: was there before", file=file, line=line)
    seen.add(cells["survey_id"])
    asked = _day(cells["sampled_on"], "sampled_on", file, line)
    if cells["answered_on"] and _day(cells["answered_on"], "answered_on", file, line) < asked:
        raise DataError("answered_on: is before sampled_on", file=file, line=line)
    answers = _answers(cells, instrument, file, line)
    if answers and not cells["answered_on"]:
        raise DataError("answered_on: is empty although there are answers", file=file, line=line)
    body: JSON = {
        "resourceType": "QuestionnaireResponse",
        "id": f"{instrument}-{cells['survey_id']}",
        "questionnaire": f"{PREFIX}{instrument}",
        "status": "completed" if answers else "stopped",
        "subject": {"reference": f"Patient/{cells['patient']}"},
        "encounter": {"reference": f"Encounter/{cells['encounter']}"},
        "authored": cells["sampled_on"],
    }
    if answers:
        body["item"] = [{"linkId": item, "answer": [{"valueInteger": n}]} for item, n in answers.items()]
    return body


def _answers(cells: Mapping[str, str], instrument: str, file: Path, line: int) -> dict[str, int]:
    found = {}
    for item, highest in INSTRUMENTS[instrument].items():
        cell = cells[item].upper()
        if cell in NO_ANSWER:
            continue
        if not (cell.isascii() and cell.isdecimal() and 1 <= int(cell) <= highest):
            raise DataError(f"{item}: must be 1 to {highest}, or empty", file=file, line=line)
        found[item] = int(cell)
    return found


def _day(cell: str, name: str, file: Path, line: int) -> date:
    try:
        if len(cell) != 10:
            raise ValueError
        return date.fromisoformat(cell)
    except ValueError as error:
        raise DataError(f"{name}: must be a day such as 2026-03-02", file=file, line=line) from error
