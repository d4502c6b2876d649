"""The double read: an output beside its sources, marked by class and harm, scored by the rubric; and what two readers
disagree on, settled by a third. Neither model nor version nor the findings of checks are shown to a reader."""

from collections.abc import Mapping
from math import isfinite
from typing import get_args

from starlette.responses import Response

from careplane.console.draft import draft_lines
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.errors import CareplaneError, Conflict, InputError, Refused
from careplane.evidence import quality
from careplane.records.quality import ErrorClass, Harm, Mark, Reading, Sample, Sampled
from careplane.records.run import Run

KINDS: Mapping[ErrorClass, str] = {
    "fabrication": "Fabrication: no source says it",
    "omission": "Omission: something that matters is missing",
    "wrong_value": "Wrong value: number, date or dose",
    "wrong_negation": "Wrong negation: present for absent, or absent for present",
    "wrong_laterality": "Wrong side",
    "wrong_attribution": "Wrong source cited",
    "unsafe_advice": "Unsafe advice",
    "stigmatising": "Stigmatising or biased words",
    "wrong_level": "Wrong language or reading level",
    "privacy_leak": "Privacy: names somebody it should not",
}
HARMS: Mapping[Harm, str] = {
    "none": "no harm",
    "mild": "mild",
    "moderate": "moderate",
    "severe": "severe",
    "death": "death",
    "unknown": "cannot tell",
}
WHOLE = 3
"""Errors of the whole text that can be marked, such as omissions."""
MOST_SENTENCES = 80
LONGEST_SECONDS = 3600.0


def read(visit: Visit) -> Response:
    sample, row, run = _mine(visit)
    if row.output in quality.own_readings(visit.context.store, sample.id, visit.who):
        return visit.go("/safety/quality")
    _seen(visit, run)
    return _page(visit, sample, row, run)


def take(visit: Visit) -> Response:
    """Keep a reading; on an error the page comes back with everything that was chosen."""
    sample, row, run = _mine(visit)
    store, ledger = visit.context.store, visit.context.ledger
    try:
        reading = Reading(
            sample=sample.id,
            output=row.output,
            reader=visit.who,
            at=visit.now,
            marks=_marks(visit, run),
            scores={one.name: _score(visit, one.name) for one in sample.rubric},
            seconds=_seconds(visit),
        )
        quality.keep_reading(store, ledger, reading)
    except InputError as error:
        return _page(visit, sample, row, run, error)
    return visit.go(_next(visit, sample, ""))


def settle_page(visit: Visit) -> Response:
    sample, row, run = _to_settle(visit)
    _seen(visit, run)
    return _settle(visit, sample, row, run)


def settle(visit: Visit) -> Response:
    """Keep what the adjudicator decides."""
    sample, row, run = _to_settle(visit)
    store, ledger = visit.context.store, visit.context.ledger
    try:
        quality.settle(store, ledger, sample, row.output, _marks(visit, run), visit.who, visit.now)
    except InputError as error:
        return _settle(visit, sample, row, run, error)
    return visit.go(_next(visit, sample, "/settle"))


def _mine(visit: Visit) -> tuple[Sample, Sampled, Run]:
    """The output of the path, for one of its readers.

    Raises:
        Refused: this person is no reader of the sample.
        NotFound: there is no such sample or output.
    """
    sample = quality.load_sample(visit.context.store, visit.path("sample"))
    if visit.who not in sample.readers:
        raise Refused(["This sample was given to other readers."], "Its readers were chosen when it was drawn.")
    return sample, *quality.load_sampled(visit.context.store, sample.id, _number(visit))


def _to_settle(visit: Visit) -> tuple[Sample, Sampled, Run]:
    sample = quality.load_sample(visit.context.store, visit.path("sample"))
    if visit.who != sample.adjudicator:
        raise Refused(
            ["The marks of others are not shown to readers."], "The adjudicator of this sample settles what they find."
        )
    return sample, *quality.load_sampled(visit.context.store, sample.id, _number(visit))


def _number(visit: Visit) -> int:
    text = visit.path("n")
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def _seen(visit: Visit, run: Run) -> None:
    ledger = visit.context.ledger
    ledger.append("sample_viewed", at=visit.now, run=run.id, app=run.app, actor=ledger.pseudonym(visit.who))


def _next(visit: Visit, sample: Sample, deed: str) -> str:
    """The next output that waits for this person, else the list."""
    waiting = quality.waiting_for(visit.context.store, sample, visit.who)
    return f"/safety/quality/samples/{sample.id}/{waiting[0].n}{deed}" if waiting else "/safety/quality"


def _page(visit: Visit, sample: Sample, row: Sampled, run: Run, error: CareplaneError | None = None) -> Response:
    left = quality.waiting_for(visit.context.store, sample, visit.who)
    return visit.page(
        "reading.html",
        status=error.status if error else 200,
        sample=sample,
        row=row,
        left=len(left),
        readings=(),
        **_shown(visit, run, error),
    )


def _settle(visit: Visit, sample: Sample, row: Sampled, run: Run, error: CareplaneError | None = None) -> Response:
    both = quality.readings_to_settle(visit.context.store, sample, row.output, visit.who)
    left = quality.waiting_for(visit.context.store, sample, visit.who)
    if row.n not in [one.n for one in left]:
        raise Conflict("This output is settled already.")
    return visit.page(
        "reading.html",
        status=error.status if error else 200,
        sample=sample,
        row=row,
        left=len(left),
        readings=both,
        **_shown(visit, run, error),
    )


def _shown(visit: Visit, run: Run, error: CareplaneError | None) -> dict[str, object]:
    draft = run.draft
    return {
        "app": visit.app(run.app),
        "run": run,
        "lines": draft_lines(draft) if draft else [],
        "sources": draft.sources if draft else (),
        "message": draft.message if draft else "",
        "kinds": KINDS,
        "harms": HARMS,
        "whole": range(1, WHOLE + 1),
        "most": MOST_SENTENCES,
        "error": error,
        "form": visit.form,
        "opened": visit.form.get("opened") or f"{visit.context.wall_clock().timestamp():.0f}",
    }


def _marks(visit: Visit, run: Run) -> tuple[Mark, ...]:
    """What was chosen for each sentence and for the whole.

    Raises:
        InputError: a class or harm that is none.
    """
    sentences = len(run.draft.sentences) if run.draft else 0
    names: list[tuple[str, int | None]] = [(f"s{n}", n) for n in range(min(sentences, MOST_SENTENCES))]
    names += [(f"w{n}", None) for n in range(1, WHOLE + 1)]
    marks = []
    for name, sentence in names:
        chosen = visit.form.get(f"kind-{name}", "")
        if not chosen:
            continue
        kind = next((one for one in get_args(ErrorClass) if one == chosen), None)
        harm = next((one for one in get_args(Harm) if one == visit.form.get(f"harm-{name}", "")), None)
        if kind is None or harm is None:
            raise InputError("Choose a class of error, and what harm it could do.", field=f"harm-{name}")
        note = visit.form.get(f"note-{name}", "").strip()[:500]
        marks.append(Mark(kind=kind, harm=harm, sentence=sentence, note=note))
    return tuple(marks)


def _score(visit: Visit, name: str) -> int:
    given = visit.form.get(f"score-{name}", "")
    if given not in ("1", "2", "3", "4", "5"):
        raise InputError(f"Score every attribute from 1 to 5; “{name.replace('_', ' ')}” is missing.", field=name)
    return int(given)


def _seconds(visit: Visit) -> float:
    """Seconds since the page was opened, at most an hour; 0 where nobody can tell."""
    try:
        opened = float(visit.form.get("opened", ""))
    except ValueError:
        return 0.0
    spent = visit.context.wall_clock().timestamp() - opened
    return min(max(0.0, spent), LONGEST_SECONDS) if isfinite(spent) else 0.0


PAGES = (
    Page("/safety/quality/samples/{sample}/{n}", read, "trace"),
    Page("/safety/quality/samples/{sample}/{n}", take, "trace", "POST"),
    Page("/safety/quality/samples/{sample}/{n}/settle", settle_page, "trace"),
    Page("/safety/quality/samples/{sample}/{n}/settle", settle, "trace", "POST"),
)
