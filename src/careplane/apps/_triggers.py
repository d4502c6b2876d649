"""What a trigger must say, by its kind."""

import re
from collections.abc import Iterator

from careplane.apps._cron import cron_problem
from careplane.apps._source import Place, Source
from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.errors import ManifestError
from careplane.records.app import AppSpec, Trigger

_CHANGE = r"created|updated|deleted|\*"
_FORMS = {
    "hook": (r"[A-Za-z][A-Za-z0-9._-]{1,63}", "the name of a CDS hook, such as patient-view"),
    "subscription": (
        rf"([A-Za-z]+)\.({_CHANGE})",
        "a FHIR type and what happened to it, such as Communication.created",
    ),
    "hl7v2": (r"[A-Z][A-Z0-9]{2}\^([A-Z][A-Z0-9]{2}|\*)", "a message type and event, such as ADT^A03 or ADT^*"),
    "erp": (r"[a-z][A-Za-z0-9._-]{1,63}", "what happened in the ERP, such as invoice.posted"),
    "api": (r"[A-Za-z][A-Za-z0-9._-]{1,63}", "the name that the sender uses, such as call.ended"),
}


def old_kinds(source: Source) -> Iterator[ManifestError]:
    """The kind ``event`` of earlier manifests, with the kind that it is now."""
    trigger = source.data.get("trigger") if isinstance(source.data, dict) else None
    if not isinstance(trigger, dict) or trigger.get("kind") != "event":
        return
    kind, on = "api", str(trigger.get("on", ""))
    if on.partition(".")[0] in RESOURCE_TYPES:
        kind = "subscription"
    told = f"subscription (the EHR tells of a resource, on: {_example(on)}) and api (a system posts to /events)"
    yield source.problem(("trigger", "kind"), f"'event' is now two kinds: {told}. Write kind: {kind}")


def _example(on: str) -> str:
    kind = on.partition(".")[0]
    return f"{kind if kind in RESOURCE_TYPES else 'Communication'}.created"


def trigger_problems(source: Source, spec: AppSpec) -> Iterator[ManifestError]:
    """What the triggers of a manifest lack."""
    yield from _one(source, ("trigger",), spec.trigger)
    for index, trigger in enumerate(spec.triggers):
        yield from _one(source, ("triggers", index), trigger)
        if trigger.kind == "schedule" and any(one.kind == "schedule" for one in spec.starts[: index + 1]):
            yield source.problem(("triggers", index, "kind"), "is a second schedule; give one cron for all times")
        elif trigger in spec.starts[: index + 1]:
            yield source.problem(("triggers", index), "repeats a trigger")


def _one(source: Source, place: Place, trigger: Trigger) -> Iterator[ManifestError]:
    if trigger.kind == "schedule":
        problem = cron_problem(trigger.cron)
        if problem:
            yield source.problem((*place, "cron"), problem)
        if not trigger.jobs:
            yield source.problem((*place, "jobs"), "must name the jobs whose units get a run, such as charge_nurse")
    else:
        for name, kinds in (("cron", ("schedule",)), ("jobs", ("schedule", "chat"))):
            if getattr(trigger, name) and trigger.kind not in kinds:
                yield source.problem((*place, name), f"belongs to kind: {kinds[0]}, not to kind: {trigger.kind}")
    problem = _on_problem(trigger)
    if problem:
        yield source.problem((*place, "on"), problem)


def _on_problem(trigger: Trigger) -> str | None:
    if trigger.kind not in _FORMS:
        return f"has no meaning for kind: {trigger.kind}; leave it out" if trigger.on else None
    pattern, meaning = _FORMS[trigger.kind]
    if not trigger.on:
        return f"must name what starts the app, as its kind is {trigger.kind}: {meaning}"
    found = re.fullmatch(pattern, trigger.on)
    if found is None:
        return f"must be {meaning}, not {trigger.on!r}"
    if trigger.kind == "subscription" and found[1] not in RESOURCE_TYPES:
        return f"{found[1]!r} is no FHIR R4 resource type"
    return None
