"""Reading and checking an app folder."""

import difflib
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from careplane.apps._schema import schema_problems
from careplane.apps._source import MAX_BYTES, Source, read_yaml
from careplane.apps._triggers import old_kinds, trigger_problems
from careplane.apps.cases import case_problems
from careplane.apps.template import compile_prompt, names
from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.codecs.lesson import parse_lesson
from careplane.errors import InputError, ManifestError
from careplane.records.app import App, AppSpec
from careplane.records.monitoring import METRICS

MANIFEST, PROMPT, LESSON = "app.yaml", "prompt.md", "lesson.md"
PLACEHOLDERS = ("{patient}", "{encounter}", "{unit}", "{focus}")


def read_app(folder: Path) -> App:
    """Read an app folder.

    Raises:
        ManifestError: the first problem of the folder, with file, line and field.
    """
    app, problems = _inspect(folder)
    if app is None or problems:
        raise problems[0]
    return app


def check_app(
    folder: Path, *, goals: Collection[str] | None = None, measures: Collection[str] | None = None
) -> list[ManifestError]:
    """All problems of an app folder. Goals and measures must be among those given; ``None`` leaves that open."""
    app, problems = _inspect(folder)
    problems += case_problems(folder)
    if app is not None:
        problems += _unknown_names(folder / MANIFEST, app.spec, goals, measures)
    return problems


def unknown_measures(folder: Path, measures: Collection[str]) -> list[ManifestError]:
    """The measures that an app names and a shelf does not hold: no fault of the app, but a plan leaves them out."""
    app, _ = _inspect(folder)
    return [] if app is None else list(_unknown_names(folder / MANIFEST, app.spec, None, measures))


def _inspect(folder: Path) -> tuple[App | None, list[ManifestError]]:
    source = read_yaml(folder / MANIFEST)
    if source.problems:
        return None, source.problems
    problems = list(old_kinds(source)) or list(schema_problems(source))
    if problems:
        return None, problems
    spec = msgspec.convert(source.data, AppSpec)
    texts = {name: _text(folder / name, problems) for name in (PROMPT, LESSON)}
    problems += _coherence(source, spec, folder.resolve().name)
    problems += _text_problems(folder, spec, texts)
    app = App(
        spec=spec,
        hash=_hash((folder / MANIFEST).read_bytes(), *(text.encode() if text else b"" for text in texts.values())),
        prompt=texts[PROMPT],
        lesson=texts[LESSON],
        folder=str(folder),
    )
    return app, problems


def _text(file: Path, problems: list[ManifestError]) -> str | None:
    if not file.exists():
        return None
    if file.stat().st_size > MAX_BYTES:
        problems.append(ManifestError(f"is larger than {MAX_BYTES // 1024} KiB", file=file))
        return None
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        problems.append(ManifestError("is not UTF-8 text", file=file))
        return None


def _hash(*parts: bytes) -> str:
    """SHA-256 over the parts, each preceded by its length, so that text cannot move from one part to the next."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _coherence(source: Source, spec: AppSpec, name: str) -> Iterator[ManifestError]:
    if spec.id != name:
        yield source.problem(("id",), f"is '{spec.id}' but the folder is named '{name}'; make them the same")
    yield from trigger_problems(source, spec)
    if spec.output.min_words > spec.output.max_words:
        yield source.problem(("output", "min_words"), f"is more than max_words, which is {spec.output.max_words}")
    yield from _watched(source, spec)
    declared = names(spec)
    for index, rule in enumerate(spec.context):
        if rule.resource not in RESOURCE_TYPES:
            near = difflib.get_close_matches(rule.resource, RESOURCE_TYPES, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            problem = f"'{rule.resource}' is no FHIR R4 resource type{hint}"
            yield source.problem(("context", index, "resource"), problem)
        if not any(place in rule.search for place in PLACEHOLDERS):
            problem = f"must be limited to one of {', '.join(PLACEHOLDERS)} (minimum necessary)"
            yield source.problem(("context", index, "search"), problem)
        own = declared[len(declared) - len(spec.context) + index]
        if declared.count(own) > 1:
            yield source.problem(("context", index), f"shares the name '{own}' with another; give it an as_name")


def _watched(source: Source, spec: AppSpec) -> Iterator[ManifestError]:
    """Metrics to monitor that are neither one of every app nor a measure of this one, or that are named twice."""
    known = [*(one.id for one in METRICS), *spec.measures.primary, *spec.measures.balancing]
    seen: set[str] = set()
    for index, rule in enumerate(spec.monitoring.metrics):
        place = ("monitoring", "metrics", index, "metric")
        if rule.metric not in known:
            near = difflib.get_close_matches(rule.metric, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f". Known: {', '.join(known)}"
            yield source.problem(place, f"'{rule.metric}' is neither a metric nor a measure of this app{hint}")
        if rule.metric in seen:
            yield source.problem(place, f"'{rule.metric}' has a rule already")
        seen.add(rule.metric)


def _text_problems(folder: Path, spec: AppSpec, texts: dict[str, str | None]) -> Iterator[ManifestError]:
    prompt, lesson = texts[PROMPT], texts[LESSON]
    try:
        if prompt is not None:
            compile_prompt(prompt, names(spec))
    except InputError as error:
        yield ManifestError(error.message, file=folder / PROMPT, line=error.line)
    try:
        if lesson is not None:
            parse_lesson(lesson)
    except InputError as error:
        yield ManifestError(error.message, file=folder / LESSON, line=error.line)
    if prompt is not None and not (folder / LESSON).exists():
        yield ManifestError("is missing: an app that runs needs a lesson for those who use it", file=folder / LESSON)


def _unknown_names(
    file: Path, spec: AppSpec, goals: Collection[str] | None, measures: Collection[str] | None
) -> Iterator[ManifestError]:
    source = read_yaml(file)
    if goals is not None:
        for index, goal in enumerate(spec.goals):
            if goal not in goals:
                yield source.problem(("goals", index), f"'{goal}' is not a goal. Known: {', '.join(sorted(goals))}")
    if measures is not None:
        for role, chosen in (("primary", spec.measures.primary), ("balancing", spec.measures.balancing)):
            for index, measure in enumerate(chosen):
                if measure not in measures:
                    yield source.problem(("measures", role, index), f"'{measure}' is not on the shelf of measures")
