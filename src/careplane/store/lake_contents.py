"""What the lake holds and which problems its loads met, for a person to read; imports no dataframe engine."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from careplane.codecs.fhir_lake import FOLDER
from careplane.records import Record
from careplane.store.lake_commit import read_manifest
from careplane.store.lake_report import Problem

PROBLEM_FILES = "load-problems-*.jsonl"


class Loaded(Record, frozen=True):
    """The loaded resources of one type; ``last`` is when its newest part was written."""

    resource_type: str
    rows: int
    files: int
    last: datetime


def loaded(home: Path) -> list[Loaded]:
    """What is loaded, by resource type."""
    rows: Counter[str] = Counter()
    written: dict[str, list[float]] = {}
    for part in read_manifest(home).parts:
        rows[part.type] += part.rows
        written.setdefault(part.type, []).append((home / FOLDER / part.path).stat().st_mtime)
    return [
        Loaded(resource_type=kind, rows=rows[kind], files=len(at), last=datetime.fromtimestamp(max(at), UTC))
        for kind, at in sorted(written.items())
    ]


def problems(home: Path, most: int) -> tuple[int, list[Problem]]:
    """How many problems all loads met, and the first ``most`` of them, latest load first."""
    count = 0
    first: list[Problem] = []
    for file in sorted(home.glob(PROBLEM_FILES), reverse=True):
        with file.open("rb") as lines:
            for line in lines:
                count += 1
                if len(first) < most:
                    first.append(msgspec.json.decode(line, type=Problem))
    return count, first
