"""After signing: another text in the place of a signed one, or withdrawing it; both by whoever may sign.

First the run says what is to be (durable, in the ledger), then the chart is changed, by steps that are harmless to
repeat: a crash or an EHR that is away in between is made up for by the worker of the write-backs. What somebody else
changed in the chart meanwhile is shown, and overwritten only by a person who has seen it.

=====================  ==================================================  =====================================
Artefact               amended                                             withdrawn
=====================  ==================================================  =====================================
Communication          a new one that says what it corrects                all: ``entered-in-error``, the reason
DocumentReference      a new one (``relatesTo`` replaces), the old         both: ``entered-in-error``
                       ``superseded``
Composition            the same, ``amended``                               ``entered-in-error``
Task                   the same, with the new text                         ``entered-in-error``, the reason
QuestionnaireResponse  the same, ``amended``                               ``entered-in-error``
=====================  ==================================================  =====================================
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import Connection

from careplane.codecs.fhir import reference
from careplane.codecs.fhir.elements import as_object
from careplane.codecs.fhir.rows import differences
from careplane.connectors import FhirConnector
from careplane.errors import ChartChanged, Conflict, InputError, NotFound
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.run import Amendment, ChartChange, FieldChange, Run
from careplane.workflow.chart import fingerprint, version_of
from careplane.workflow.difference import unified_diff
from careplane.workflow.outages import reaching, utc_now
from careplane.workflow.pending import owe, paid, pending_write_back
from careplane.workflow.records import change_run
from careplane.workflow.resources import RUN_SYSTEM, Act, Signed, artefact, provenance
from careplane.workflow.runtime import Runtime

IN_PLACE = frozenset({"Composition", "Task", "QuestionnaireResponse"})
"""Artefacts whose next text is a next version of the same resource."""

WITHDRAWN = "entered-in-error"
LONGEST_REASON = 1000


def artefacts(run: Run) -> tuple[str, ...]:
    """The references of the artefacts of a run, the newest last."""
    written = (run.written, *(one.written for one in run.amendments))
    return tuple(dict.fromkeys(one[0] for one in written if one))


async def chart_now(runtime: Runtime, app: App, run: Run) -> tuple[dict[str, str], tuple[ChartChange, ...]]:
    """The versions of the artefacts now, and what others changed in them since they were written.

    Raises:
        UpstreamAway: the EHR is away, so nothing can be said about the chart.
    """
    targets = artefacts(run)
    async with reaching(runtime.outages, "ehr", app.id):
        found = await asyncio.gather(*(runtime.fhir.read(one) for one in targets))
    versions = {target: version_of(one) for target, one in zip(targets, found, strict=True) if one is not None}
    changes = [
        ChartChange(reference=target, gone=True) if one is None else _change(app, run, target, one)
        for target, one in zip(targets, found, strict=True)
        if one is None or version_of(one) != run.landed.get(target, version_of(one))
    ]
    return versions, tuple(changes)


def _change(app: App, run: Run, target: str, current: JSON) -> ChartChange:
    """What differs from what was written, as far as it can be told from the run."""
    ours = _ours(app, run, target)
    both = {name: value for name, value in current.items() if name in ours or name == "status"}
    told = differences(ours, both) if ours else []
    meta = as_object(current.get("meta"))
    return ChartChange(
        reference=target,
        version=version_of(current),
        updated=meta.get("lastUpdated") if isinstance(meta.get("lastUpdated"), str) else None,
        fields=tuple(FieldChange(path=path, before=before, after=after) for path, before, after in told),
    )


def _ours(app: App, run: Run, target: str) -> JSON:
    """The artefact as it was written, made again from the run; without what only the chart knew."""
    review = run.review
    if review is None or review.final_text is None:
        return {}
    newest: tuple[int, str, str, datetime] = (0, review.final_text, review.by, review.at)
    for one in run.amendments:
        if one.text is not None and one.written and one.written[0] == target:
            newest = (one.n, one.text, one.by, one.at)
    n, text, by, at = newest
    before = [one for one in artefacts(run) if one != target]
    made = artefact(Signed(app, run, text, by, at, n=n, corrects=before[0] if n and before else None))
    return {name: value for name, value in made.items() if name not in ("category", "recipient")}


async def take_deed(
    runtime: Runtime, app: App, run: Run, by: str, reason: str, at: datetime, text: str | None, confirmed: str = ""
) -> Run:
    """Put on the run what a person wants done (``text`` ``None``: withdraw); the chart is changed afterwards.

    Raises:
        Conflict: it was withdrawn, or its last text is not in the chart yet.
        ChartChanged: somebody else changed it in the chart; nothing was done.
    """
    _can(runtime, run, text)
    versions: dict[str, str] = {}
    changes: tuple[ChartChange, ...] = ()
    if run.written:
        versions, changes = await chart_now(runtime, app, run)
        if changes and fingerprint(changes) != confirmed:
            raise ChartChanged("Somebody changed this in the chart since it was signed.", changes, fingerprint(changes))
    before = run.signed_text or ""
    at = max(at, _last(run) + timedelta(seconds=1))  # a Provenance is known again by its target and its second
    deed = Amendment(
        n=len(run.amendments) + 1,
        action="withdraw" if text is None else "amend",
        by=by,
        at=at,
        reason=reason,
        text=text,
        diff="" if text is None else unified_diff(before, text),
        base=versions,
        despite=tuple(change.reference for change in changes),
    )
    return _claim(runtime, app, run, deed)


def _last(run: Run) -> datetime:
    signed = [run.review.at] if run.review else []
    return max((*signed, *(one.at for one in run.amendments)))


def check_reason(reason: str) -> str:
    """Why: needed, and short enough to be read.

    Raises:
        InputError: it is empty or too long.
    """
    told = reason.strip()
    if not told:
        raise InputError("Say why.", field="reason")
    if len(told) > LONGEST_REASON:
        raise InputError(f"must have at most {LONGEST_REASON} characters", field="reason")
    return told


def _can(runtime: Runtime, run: Run, text: str | None) -> None:
    if run.signed_text is None:
        state = "was withdrawn" if run.withdrawn else f"is {run.status}"
        raise Conflict(f"This run {state}, so there is no signed text to change.")
    if text is not None and text.strip() == run.signed_text.strip():
        raise InputError("This is the text that stands; change it.", field="final_text")
    waits = pending_write_back(runtime.store, run.id)
    if waits is not None and (text is not None or run.written):
        raise Conflict("The text before this one is not in the chart yet. Try again once it is.")


def _claim(runtime: Runtime, app: App, run: Run, deed: Amendment) -> Run:
    """Put the deed on the run; one of two people who do so at once gets a conflict."""
    changed = replace(run, amendments=(*run.amendments, deed))
    to_chart = app.spec.output.kind != "text" and bool(run.written)

    def also(connection: Connection) -> None:
        if to_chart:
            owe(connection, run.id, run.app, runtime.outages.clock() if runtime.outages else utc_now())
        else:
            paid(connection, run.id)  # what was never written and is withdrawn must not be written any more

    if not change_run(runtime.store, run, changed, also):
        raise Conflict("This run changed meanwhile. Reload to see what happened.")
    runtime.ledger.append(
        "run.withdrawn" if deed.text is None else "run.amended",
        at=deed.at,
        run=run.id,
        app=run.app,
        actor=runtime.ledger.pseudonym(deed.by),
        facts={
            "n": deed.n,
            "signed": None if deed.text is None else runtime.ledger.pseudonym(deed.text),
            "despite": len(deed.despite),
        },
    )
    return changed


async def apply_deed(
    fhir: FhirConnector, app: App, run: Run, deed: Amendment
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Bring a deed to the chart; the same again changes nothing. Gives what was written, and the versions now.

    Raises:
        Conflict: a version is not the one that the person acted on.
        UpstreamError: the EHR failed; what is left is made up for later.
    """
    earlier = replace(run, amendments=run.amendments[: deed.n - 1])
    targets = artefacts(earlier)
    maker = run.written[2]
    signed = Signed(app, run, deed.text or "", deed.by, deed.at, n=deed.n, corrects=targets[-1])
    if deed.text is None:
        for target in targets:
            await _change_to(fhir, deed, target, _withdrawn(deed))
        act, new = Act("NULLIFY", "withdrawn by a person", deed.reason, targets[-1]), targets[-1]
    elif app.spec.output.kind in IN_PLACE:
        await _change_to(fhir, deed, targets[-1], _amended(signed))
        act, new = Act("UPDATE", "amended and signed by a person", deed.reason, targets[-1]), targets[-1]
    else:
        focus = await fhir.read(run.event.focus) if run.event.focus else None
        signed = Signed(app, run, deed.text, deed.by, deed.at, focus, deed.n, targets[-1])
        new = await fhir.create(artefact(signed), if_none_exist=f"identifier={RUN_SYSTEM}|{signed.key}")
        if app.spec.output.kind == "DocumentReference":
            await _change_to(fhir, deed, targets[-1], {"status": "superseded"})
        act = Act("UPDATE", "amended and signed by a person", deed.reason, targets[-1])
    made = provenance(signed, new, maker, act)
    proof = await fhir.create(made, if_none_exist=f"target={new}&recorded={signed.instant}".replace("+", "%2B"))
    now = await asyncio.gather(*(fhir.read(one) for one in dict.fromkeys((*targets, new))))
    return (new, proof, maker), {reference(one): version_of(one) for one in now if one is not None}


def _withdrawn(deed: Amendment) -> JSON:
    return {"status": WITHDRAWN, "statusReason": {"text": deed.reason}}


def _amended(signed: Signed) -> JSON:
    """The elements of an artefact that a new text changes."""
    made = artefact(signed)
    names = ("status", "section", "description", "item", "date", "authored", "attester", "author")
    kept = {name: made[name] for name in names if name in made}
    return {name: value for name, value in kept.items() if made["resourceType"] != "Task" or name != "status"}


async def _change_to(fhir: FhirConnector, deed: Amendment, target: str, elements: JSON) -> None:
    """Put elements into a resource of the chart, on the version that the person acted on."""
    current = await fhir.read(target)
    if current is None:
        raise NotFound("What was signed is no longer in the chart.")
    if current["resourceType"] not in ("Communication", "Task"):
        elements = {name: value for name, value in elements.items() if name != "statusReason"}
    if all(current.get(name) == value for name, value in elements.items()):
        return
    if version_of(current) != deed.base.get(target):
        raise Conflict("It changed in the chart after it was looked at.")
    version = as_object(current.get("meta")).get("versionId")
    await fhir.update({**current, **elements}, if_match=version)


def unwritten_deeds(run: Run) -> Sequence[Amendment]:
    """What is to be brought to the chart, oldest first."""
    return [one for one in run.amendments if not one.written] if run.written else []
