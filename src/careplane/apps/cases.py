"""The cases of an app: inputs and expectations for offline evaluation. All of them are synthetic."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from careplane.apps._source import read_yaml
from careplane.errors import ManifestError
from careplane.records import Record


class Expectation(Record, frozen=True):
    """What must hold: words that a good draft contains or must not contain, and checks that must raise a finding."""

    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


class Case(Record, frozen=True):
    """One case: what the app is given, and what must hold of its draft.

    ``draft`` is given for a seeded fault: a text with a known mistake, which the output checks must find.
    """

    title: Annotated[str, Meta(min_length=1)]
    sources: tuple[str, ...]
    expect: Expectation
    message: str = ""
    draft: str | None = None


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
        raise ManifestError(str(error), file=file, line=1) from error
