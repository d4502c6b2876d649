"""The bulk NDJSON of a data set, written as resources come."""

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import IO

import orjson

from careplane.records import JSON
from careplane.sandbox.chart import Measured
from careplane.sandbox.content import read


class History:
    """The NDJSON files of ``fhir/``, one per resource type, written as resources come; remembers lab results."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.counts: Counter[str] = Counter()
        self.results: dict[str, list[Measured]] = {}
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._stack = ExitStack()
        self._labs = {lab["loinc"]: key for key, lab in read("terms")["labs"].items()}

    def __enter__(self) -> "History":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, resources: Iterable[JSON]) -> None:
        """Write resources to the file of their type."""
        for body in resources:
            kind = body["resourceType"]
            if kind not in self._files:
                path = self._folder / f"{kind}.ndjson"
                self._files[kind] = self._stack.enter_context(path.open("wb"))
            self._files[kind].write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
            self.counts[kind] += 1
            if kind == "Observation":
                self._remember(body)

    def _remember(self, observation: JSON) -> None:
        key = self._labs.get(observation["code"]["coding"][0]["code"])
        if key:
            at = datetime.fromisoformat(observation["effectiveDateTime"][:19])
            held = self.results.setdefault(observation["subject"]["reference"], [])
            held.append(Measured(key, observation["valueQuantity"]["value"], at))
            held.sort(key=lambda result: result.at)
