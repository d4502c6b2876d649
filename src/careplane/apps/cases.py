"""The cases of an app: inputs and expectations for offline evaluation. All of them are synthetic."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from careplane.apps._source import Place, Source, read_yaml
from careplane.errors import ManifestError
from careplane.records import Record

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")


class Expectation(Record, frozen=True):
    """What must hold: words that a good draft contains or must not contain, and checks that must raise a finding."""

    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


class Case(Record, frozen=True):
    """One case: what the app is given, and what must hold of its draft.

    ``draft`` is given for a seeded fault: a text with a known mistake, which the output checks must find. ``groups``
    says who it is about, so that versions can be compared by group (``language: es``).
    """

    title: Annotated[str, Meta(min_length=1)]
    sources: tuple[str, ...]
    expect: Expectation
    message: str = ""
    draft: str | None = None
    groups: dict[str, str] = msgspec.field(default_factory=dict)


def read_cases(folder: Path) -> dict[str, Case]:
    """The cases of an app folder by name; none is fine.

    Raises:
        ManifestError: a file is not a case.
    """
    return {file.stem: _read(file) for file in sorted((folder / "cases").glob("*.yaml"))}


def case_problems(folder: Path) -> list[ManifestError]:
    """What is wrong with the cases of an app folder."""
    problems: list[ManifestError] = []
    for file in sorted((folder / "cases").glob("*.yaml")):
        try:
            _read(file)
        except ManifestError as error:
            problems.append(error)
    return problems


def _read(file: Path) -> Case:
    source = read_yaml(file)
    if source.problems:
        raise source.problems[0]
    try:
        return msgspec.convert(source.data, Case)
    except msgspec.ValidationError as error:
        raise _problem(source, str(error)) from error


def _problem(source: Source, told: str) -> ManifestError:
    """What the record says is wrong, at the line of the place that it names."""
    message, _, where = told.partition(" - at `")
    place: Place = tuple(
        int(index) if index else name for name, index in _STEP.findall(where.removesuffix("`").removeprefix("$"))
    )
    unknown = _UNKNOWN.search(message)
    if unknown:
        place = (*place, unknown[1])
    return source.problem(place, message[0].lower() + message[1:])
