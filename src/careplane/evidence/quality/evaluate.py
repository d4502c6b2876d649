"""Offline evaluation of an app version: on its cases, on real runs as they were written, or on real runs written again.

What is written is written by the road that every run takes: the app's prompt, the gateway with its shield and its
record in the ledger, the output checks. Nothing reaches a chart or a reviewer.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal
from uuid import uuid4

from careplane.errors import CareplaneError, InputError, LedgerError, Refused, StoreError, UpstreamError
from careplane.evidence.quality.errors import (
    forbidden_words,
    marks_of_expectations,
    marks_of_findings,
    missing_words,
)
from careplane.evidence.quality.material import Material, context_of
from careplane.evidence.quality.rating import rates_of
from careplane.evidence.quality.sampling import Draw, Groups, groups_of
from careplane.governance import PermitRequest, data_policy, not_stopped, stopped
from careplane.governance import permit as ask
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.quality import EvaluatedOutput, Evaluation
from careplane.records.run import Event, Run
from careplane.workflow import Runtime
from careplane.workflow.prompt import model_request
from careplane.workflow.run import check_text

Progress = Callable[[int], None]
Origin = Literal["cases", "runs", "replayed runs"]
MOST_OUTPUTS = 20_000


async def evaluate(
    runtime: Runtime,
    app: App,
    material: Sequence[Material],
    origin: Origin,
    by: str,
    *,
    repeats: int = 1,
    progress: Progress = lambda _: None,
) -> Evaluation:
    """Let an app version write about each material and count the errors that can be told without a person.

    Raises:
        InputError: the app has no prompt, or more outputs are asked for than one evaluation may have.
        Refused: the app is stopped, or its data policy does not let data leave to this model.
        CareplaneError: not one output could be written; the error of the first.
    """
    if not app.runnable:
        raise InputError(f"{app.id} is an idea: it has no prompt.md yet, so it cannot be evaluated.")
    if not 1 <= repeats * len(material) <= MOST_OUTPUTS:
        raise InputError(f"An evaluation has 1 to {MOST_OUTPUTS:,} outputs, not {repeats * len(material):,}.")
    at, ident = runtime.clock(), f"eval-{uuid4().hex[:12]}"
    _permitted(runtime, app, at)
    outputs: list[EvaluatedOutput] = []
    models: set[str] = set()
    first: CareplaneError | None = None
    for one in material:
        for repeat in range(1 if one.draft is not None else repeats):
            output, model, error = await _one(runtime, app, one, ident, repeat, at)
            outputs.append(output)
            models |= {model} if model else set()
            first = first or error
            progress(1)
    written = [output for output in outputs if not output.seeded and not output.failed]
    if first is not None and not written:
        raise first
    return _evaluation(runtime, app, ident, origin, at, by, outputs, "+".join(sorted(models)) or "none")


def _permitted(runtime: Runtime, app: App, at: datetime) -> None:
    event = Event(id="evaluation", app=app.id, kind="evaluation", at=at)
    halt = stopped(runtime.store, app.id, None, app.spec.version)
    answer = ask(
        PermitRequest(app=app, event=event, item=None, stopped=halt, region=runtime.region), (not_stopped, data_policy)
    )
    if not answer.allowed:
        raise Refused([reason.text for reason in answer.refusals], answer.refusals[0].way_out)


async def _one(
    runtime: Runtime, app: App, material: Material, ident: str, repeat: int, at: datetime
) -> tuple[EvaluatedOutput, str, CareplaneError | None]:
    """One output, the model that wrote it, and what went wrong."""
    if material.draft is not None:
        return _seeded(runtime, app, material), "", None
    event = material.event or Event(id=material.key, app=app.id, kind="evaluation", at=at)
    try:
        context = context_of(app, material, await chart_of(runtime, event, material.seen))
        request = model_request(app, event, context, f"{ident}-{material.key}-{repeat}")
        reply = await runtime.complete(request)
    except (LedgerError, StoreError):
        raise
    except CareplaneError as error:
        empty = _output(material, repeat, words=0, failed=f"{type(error).__name__}: no output was written")
        return empty, "", error
    draft = check_text(
        runtime, app, reply.text, material.sources, material.message, cut=reply.finish_reason == "length"
    )
    marks = (*marks_of_findings(draft.findings), *marks_of_expectations(material.expect, reply.text))
    output = EvaluatedOutput(
        key=material.key,
        repeat=repeat,
        groups=dict(material.groups),
        marks=marks,
        critical=sum(finding.severity == "critical" for finding in draft.findings),
        words=len(reply.text.split()),
        missing=missing_words(material.expect, reply.text),
        forbidden=forbidden_words(material.expect, reply.text),
        probability=material.probability,
        stratum=material.stratum,
        stratum_size=material.stratum_size,
    )
    return output, reply.call.model, None


def _seeded(runtime: Runtime, app: App, material: Material) -> EvaluatedOutput:
    """A text with a known fault: do the checks find it?"""
    text = material.draft or ""
    draft = check_text(runtime, app, text, material.sources, material.message)
    found = {finding.check for finding in draft.findings}
    missed = tuple(name for name in material.expect.findings if name not in found)
    return _output(material, 0, words=len(text.split()), seeded=True, caught=not missed, missing=missed)


def _output(
    material: Material,
    repeat: int,
    *,
    words: int,
    failed: str = "",
    seeded: bool = False,
    caught: bool | None = None,
    missing: tuple[str, ...] = (),
) -> EvaluatedOutput:
    return EvaluatedOutput(
        key=material.key,
        repeat=repeat,
        groups=dict(material.groups),
        marks=(),
        critical=0,
        words=words,
        seeded=seeded,
        caught=caught,
        missing=missing,
        failed=failed,
        probability=material.probability,
        stratum=material.stratum,
        stratum_size=material.stratum_size,
    )


async def chart_of(runtime: Runtime, event: Event, seen: Sequence[object]) -> tuple[JSON, ...]:
    """Whose identifiers the shield looks for: the patient and the reviewer, read from the EHR, beside what was seen.

    Raises:
        UpstreamError: the EHR cannot be asked, so nothing may leave.
    """
    people = [who for who in (event.patient, event.user) if who]
    read = [await runtime.fhir.read(who) for who in people]
    if event.patient and read[0] is None:
        raise UpstreamError("The EHR does not have the patient of this run any more, so its text does not leave.")
    return (*(one for one in read if one is not None), *(one for one in seen if isinstance(one, dict)))


def evaluate_runs(runtime: Runtime, app: App, draws: Sequence[Draw], groups: Groups, by: str) -> Evaluation:
    """Real runs of the app's present version as they were written and signed; nothing is written again."""
    outputs = [_of_run(one, groups) for one in draws]
    models = {call.model for one in draws for call in one.run.calls}
    ident = f"eval-{uuid4().hex[:12]}"
    return _evaluation(runtime, app, ident, "runs", runtime.clock(), by, outputs, "+".join(sorted(models)) or "none")


def _of_run(one: Draw, groups: Groups) -> EvaluatedOutput:
    run: Run = one.run
    draft, review = run.draft, run.review
    findings = draft.findings if draft else ()
    return EvaluatedOutput(
        key=run.id,
        repeat=0,
        groups=groups_of(run, groups),
        marks=marks_of_findings(findings),
        critical=sum(finding.severity == "critical" for finding in findings),
        words=len(draft.text.split()) if draft else 0,
        distance=review.distance if review is not None and review.final_text is not None else None,
        probability=one.probability,
        stratum=one.stratum,
        stratum_size=one.stratum_size,
    )


def _evaluation(
    runtime: Runtime,
    app: App,
    ident: str,
    origin: Origin,
    at: datetime,
    by: str,
    outputs: list[EvaluatedOutput],
    model: str,
) -> Evaluation:
    of_stratum = {output.stratum: output.stratum_size for output in outputs}
    made = Evaluation(
        id=ident,
        app=app.id,
        version=app.spec.version,
        hash=app.hash,
        model=model,
        source=origin,
        at=at,
        by=by,
        outputs=tuple(outputs),
        rates=rates_of(outputs, drawn_by_risk=origin == "runs"),
        population=sum(of_stratum.values()) or len(outputs),
        synthetic=runtime.synthetic,
    )
    runtime.ledger.append(
        "quality.evaluated",
        at=at,
        app=app.id,
        facts={
            "evaluation": ident,
            "version": app.spec.version,
            "hash": app.hash,
            "model": model,
            "on": origin,
            "outputs": len(outputs),
            "failed": sum(bool(output.failed) for output in outputs),
        },
    )
    return made
