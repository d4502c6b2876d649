"""Finding records: a scan that looks at the bytes of each line first and decodes only what may match.

A million records take about a second, so there is no index to keep, to rebuild or to distrust.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from careplane.ledger.chain import Head, LedgerRecord, quoted, read_line
from careplane.ledger.headfile import Tail
from careplane.ledger.segments import open_segment, place_of, segment_numbers
from careplane.ledger.walking import blocks
from careplane.records import Record

Test = Callable[[bytes], bool]


class Query(Record, frozen=True):
    """Which records are wanted; what is not given does not matter.

    ``actors`` are names or pseudonyms, any of which may be the actor or the fact ``user``. ``patients`` are pseudonyms
    of one person: wanted are the records that name one of them, and all records of the runs that do. ``until`` is not
    included.
    """

    since: datetime | None = None
    until: datetime | None = None
    run: str | None = None
    app: str | None = None
    kind: str | None = None
    actors: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()


def find(folder: Path, tail: Tail, query: Query) -> Iterator[LedgerRecord]:
    """The records that match, in order, as a stream.

    Raises:
        LedgerBroken: a file cannot be read, or ends within a line.
    """
    runs = frozenset(_runs(folder, tail, query.patients))
    tests = _tests(query, runs)
    for lines in _lines(folder, tail):
        for line in lines:
            if all(test(line) for test in tests):
                record = read_line(line)
                if _matches(record, query, runs):
                    yield record


def _runs(folder: Path, tail: Tail, patients: tuple[str, ...]) -> Iterator[str]:
    """The runs that name one of the patients."""
    if patients:
        for record in _naming(folder, tail, patients):
            if record.run is not None:
                yield record.run


def _naming(folder: Path, tail: Tail, patients: tuple[str, ...]) -> Iterator[LedgerRecord]:
    named = _any(b'"patient":%b', patients)
    for lines in _lines(folder, tail):
        for line in lines:
            if named(line):
                record = read_line(line)
                if record.facts.get("patient") in patients:
                    yield record


def _tests(query: Query, runs: frozenset[str]) -> list[Test]:
    """Quick looks at a line; each lets too many pass rather than too few."""
    tests: list[Test] = []
    forms = (b'"kind":%b,"prev":', b',"run":%b,"seq":', b',"app":%b,"at":')
    for form, value in zip(forms, (query.kind, query.run, query.app), strict=True):
        if value is not None:
            tests.append(_any(form, (value,)))
    if query.actors:
        tests.append(_any(b"%b", query.actors))
    if query.patients:
        named, known = _any(b'"patient":%b', query.patients), {quoted(run) for run in runs}
        tests.append(lambda line: _run_of(line) in known or named(line))
    if query.since is not None:
        since = _second(query.since)
        tests.append(lambda line: _at(line) >= since)
    if query.until is not None:
        until = _second(query.until)
        tests.append(lambda line: _at(line) <= until)
    return tests


def _any(form: bytes, values: tuple[str, ...]) -> Test:
    needles = [form % quoted(value) for value in values]
    if len(needles) == 1:
        needle = needles[0]
        return lambda line: needle in line
    return lambda line: any(needle in line for needle in needles)


def _run_of(line: bytes) -> bytes:
    return line[line.rfind(b',"run":') + 7 : line.rfind(b',"seq":')]


def _at(line: bytes) -> bytes:
    at = line.index(b',"at":"') + 7
    return line[at : at + 19]


def _second(at: datetime) -> bytes:
    return at.astimezone(UTC).isoformat()[:19].encode()


def _matches(record: LedgerRecord, query: Query, runs: frozenset[str]) -> bool:
    return (
        query.run in (None, record.run)
        and query.kind in (None, record.kind)
        and query.app in (None, record.app)
        and (not query.actors or record.actor in query.actors or record.facts.get("user") in query.actors)
        and (not query.patients or record.run in runs or record.facts.get("patient") in query.patients)
        and (query.since is None or record.at >= query.since)
        and (query.until is None or record.at < query.until)
    )


def _lines(folder: Path, tail: Tail) -> Iterator[list[bytes]]:
    """The lines that the head covers, block by block; segments that were removed are passed over."""
    for number in segment_numbers(folder):
        if number > tail.segment or (number == tail.segment and not tail.offset):
            return
        try:
            file = open_segment(folder, number)
        except FileNotFoundError:  # removed under the retention schedule since we looked
            continue
        with file:
            limit = tail.offset if number == tail.segment else None
            yield from blocks(file, limit, place_of(folder, number), Head())
