"""What a load did: counts by resource type and the problems, each with its file and line."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import msgspec

from careplane.records import Record

Kind = Literal[
    "broken_json",
    "broken_gzip",
    "not_an_object",
    "unknown_type",
    "missing_id",
    "invalid_utf8",
    "line_too_long",
    "version_conflict",
    "empty_file",
    "dangling_reference",
]
WARNINGS: frozenset[Kind] = frozenset({"empty_file", "dangling_reference"})
"""Problems that leave nothing out."""

SHOWN = 100
"""How many problems a report holds; the file of problems holds all."""


class Problem(Record, frozen=True):
    """One thing wrong in a file. ``line`` counts from 1; ``None`` means the file as a whole."""

    file: str
    line: int | None
    kind: Kind
    text: str
    resource_type: str = ""

    @property
    def where(self) -> str:
        """``file:line``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


class TypeCount(Record, frozen=True):
    """What became of the resources of one type; ``type`` is empty where a line does not tell.

    ``new`` were added, ``already`` were there with the same content, ``updated`` replaced an older version, ``older``
    are versions older than the one held, ``quarantined`` were left out and are among the problems.
    """

    type: str
    new: int = 0
    already: int = 0
    updated: int = 0
    older: int = 0
    quarantined: int = 0

    @property
    def lines(self) -> int:
        """Every line of this type that was read."""
        return self.new + self.already + self.updated + self.older + self.quarantined


class LoadReport(Record, frozen=True):
    """A finished load. ``problems`` are the first ones, ``problems_file`` holds all (``None`` when there is none)."""

    path: str
    files: int
    bytes_read: int
    types: tuple[TypeCount, ...]
    problems: tuple[Problem, ...]
    problems_by_kind: dict[str, int]
    problems_file: str | None

    @property
    def quarantined(self) -> int:
        """Lines and files that were left out."""
        return sum(count for kind, count in self.problems_by_kind.items() if kind not in WARNINGS)

    @property
    def new(self) -> int:
        """Resources added."""
        return sum(count.new for count in self.types)


class ProblemLog:
    """Writes every problem to a JSON Lines file as it is found; the file appears with the first problem."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.first: list[Problem] = []
        self.by_kind: Counter[str] = Counter()
        self._out: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()

    def add(self, problem: Problem) -> None:
        """Note one problem."""
        if self._out is None:
            self._out = self.file.open("wb")
        self._out.write(msgspec.json.encode(problem) + b"\n")
        self.by_kind[problem.kind] += 1
        if len(self.first) < SHOWN:
            self.first.append(problem)


class Tally:
    """Counts what became of the lines, by resource type."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, resource_type: str, fates: Mapping[str, int]) -> None:
        """Count lines of a type; ``fates`` are named like the fields of :class:`TypeCount`."""
        self._counts.setdefault(resource_type, Counter()).update(fates)

    def counts(self) -> tuple[TypeCount, ...]:
        """The counts, by type."""
        return tuple(TypeCount(type=name, **self._counts[name]) for name in sorted(self._counts))
