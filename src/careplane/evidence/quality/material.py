"""What an app version is evaluated on: a case of its folder or a real run, both as sources, message and expectation."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from careplane.apps.cases import Case, Expectation
from careplane.apps.template import rule_name
from careplane.errors import InputError
from careplane.evidence.quality.sampling import Draw, Groups, groups_of
from careplane.records.app import App
from careplane.records.run import Event, Run, Source
from careplane.workflow.context import DEFAULT_LANGUAGE, MESSAGE, Context

_LINE = re.compile(r"^(?:(\d{4}-\d{2}-\d{2})\S* )?([A-Z][A-Za-z]+(?: [a-z]+)*): ")


@dataclass(frozen=True, slots=True)
class Material:
    """One thing to write about. ``draft`` is a seeded fault, to be checked and not written; ``event`` is that of the
    run it comes from. ``probability``, ``stratum`` and ``stratum_size`` are those of its draw."""

    key: str
    sources: tuple[Source, ...]
    message: str = ""
    language: str = DEFAULT_LANGUAGE
    expect: Expectation = field(default_factory=Expectation)
    draft: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    event: Event | None = None
    seen: tuple[Mapping[str, object], ...] = ()
    probability: float = 1.0
    stratum: str = "all"
    stratum_size: int = 0


def of_cases(cases: Mapping[str, Case], chosen: Iterable[str] = ()) -> list[Material]:
    """The cases of an app folder, all or the chosen ones.

    Raises:
        InputError: there is no such case, or the folder has none.
    """
    wanted = list(chosen) or sorted(cases)
    unknown = [name for name in wanted if name not in cases]
    if unknown:
        raise InputError(f"There is no case {unknown[0]!r}; the cases are: {', '.join(sorted(cases)) or 'none'}.")
    if not wanted:
        raise InputError("The app has no cases: write some into its folder cases/ (docs/how-to/write-an-app.md).")
    return [_of_case(name, cases[name], len(wanted)) for name in wanted]


def _of_case(name: str, case: Case, total: int) -> Material:
    sources = tuple(_source(n, text) for n, text in enumerate(case.sources, start=1))
    return Material(
        key=name,
        sources=sources,
        message=case.message,
        language=case.groups.get("language") or ("es" if "Spanish" in str(case.sources) else DEFAULT_LANGUAGE),
        expect=case.expect,
        draft=case.draft,
        groups=case.groups,
        stratum_size=total,
    )


def _source(n: int, text: str) -> Source:
    found = _LINE.match(text)
    label = found[2].replace(" ", "") if found else "Basic"
    return Source(n=n, reference=f"{label}/case-{n}", label=label, text=text, date=found[1] if found else None)


def of_run(run: Run, groups: Groups, drawn: Draw | None = None) -> Material:
    """A real run: what its draft rested on, so that another version can write about the same."""
    draft = run.draft
    return Material(
        key=run.id,
        sources=draft.sources if draft else run.sources,
        message=draft.message if draft else "",
        language=groups_of(run, groups).get("language", DEFAULT_LANGUAGE)[:2],
        groups=groups_of(run, groups),
        event=run.event,
        seen=tuple(one.data for one in run.seen if one.data is not None),
        probability=drawn.probability if drawn else 1.0,
        stratum=drawn.stratum if drawn else "all",
        stratum_size=drawn.stratum_size if drawn else 0,
    )


def context_of(app: App, material: Material, chart: tuple[dict[str, object], ...]) -> Context:
    """The material as the context of a prompt; a rule gets the sources of its own resource type."""
    by_name: dict[str, tuple[Source, ...]] = {}
    for rule in app.spec.context:
        if rule.as_name != MESSAGE:
            mine = tuple(source for source in material.sources if source.label == rule.resource)
            by_name[rule_name(rule.resource, rule.as_name)] = mine
    return Context(
        sources=material.sources,
        by_name=by_name,
        message=material.message,
        language=material.language,
        chart=chart,
    )
