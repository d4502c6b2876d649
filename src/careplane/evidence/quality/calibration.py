"""How far a judge may be believed: its agreement with people on the outputs that people settled.

A judge that was never held against people, or was held against too few, or agrees too little, is refused; so is one
whose model, prompt, app version or rubric is not the one that was calibrated, or whose calibration is old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import numpy as np
from msgspec.structs import replace

from careplane.errors import InputError, Refused
from careplane.evidence.quality.agreement import cohen_kappa
from careplane.evidence.quality.corrected import Confusion, prediction_powered, rogan_gladen
from careplane.evidence.quality.errors import counted, error_count
from careplane.evidence.quality.rates import weighted_share
from careplane.evidence.quality.rating import ALL_ERRORS, drawn_of
from careplane.evidence.quality.rubric import rubric_hash, rubric_of
from careplane.records.app import App
from careplane.records.quality import Adjudication, Calibration, Mark, Rate, Verdict

LEAST_OUTPUTS = 30
LEAST_OF_EACH = 10
"""Read outputs with an error, and without one."""
KAPPA_LOWER = 0.40
UNREADABLE_SHARE = 0.05
WITH_ERROR = "outputs with an error"
COUNTED = (ALL_ERRORS, "fabrications", "omissions", "inaccuracies", WITH_ERROR)
GOOD_FOR = timedelta(days=180)
"""Defaults of ours; kappa from .41 is "moderate" by Landis & Koch (1977)."""


def calibrate(
    app: App,
    judge: str,
    settled: Sequence[Adjudication],
    verdicts: Mapping[str, Verdict],
    at: datetime,
) -> Calibration:
    """Hold a judge against what people settled of one version of the app.

    Args:
        app: the app version.
        judge: the judge's name.
        settled: what people settled; of other versions nothing counts.
        verdicts: what the judge said, by output.
        at: the time of the calibration.

    Raises:
        InputError: the judge read none of the outputs that people settled.
    """
    mine = [one for one in settled if one.hash == app.hash and one.output in verdicts]
    if not mine:
        raise InputError(
            f"Nobody has settled an output of {app.id} {app.spec.version} that this judge read. "
            f"Draw a sample: careplane quality sample {app.id}"
        )
    readable = [one for one in mine if verdicts[one.output].marks is not None]
    truth = [one.errors > 0 for one in readable]
    said = [error_count(verdicts[one.output].marks or ()) > 0 for one in readable]
    weights = [1 / one.probability for one in readable]
    positive = [index for index, holds in enumerate(truth) if holds]
    negative = [index for index, holds in enumerate(truth) if not holds]
    sensitivity = weighted_share("sensitivity", [said[i] for i in positive], [weights[i] for i in positive])
    specificity = weighted_share("specificity", [not said[i] for i in negative], [weights[i] for i in negative])
    kappa = cohen_kappa([int(one) for one in truth], [int(one) for one in said], (0, 1), "judge and people, any error")
    found = Calibration(
        id=f"calibration-{uuid4().hex[:12]}",
        app=app.id,
        version=app.spec.version,
        hash=app.hash,
        judge=judge,
        model=judge.partition("#")[0],
        prompt=judge.partition("#")[2],
        rubric=rubric_hash(rubric_of(app)),
        at=at,
        n=len(mine),
        positives=len(positive),
        unreadable=len(mine) - len(readable),
        sensitivity=sensitivity,
        specificity=specificity,
        kappa=kappa,
        usable=False,
        reasons=(),
    )
    reasons = tuple(_too_little(found))
    return replace(found, usable=not reasons, reasons=reasons)


def _too_little(found: Calibration) -> list[str]:
    """Why a judge may not be used, by its own numbers."""
    reasons = []
    negatives = found.n - found.unreadable - found.positives
    if found.n < LEAST_OUTPUTS:
        reasons.append(f"Only {found.n} outputs were read by people and judge; it takes {LEAST_OUTPUTS}.")
    if min(found.positives, negatives) < LEAST_OF_EACH:
        reasons.append(
            f"People found an error in {found.positives} and none in {negatives}; it takes {LEAST_OF_EACH} of each."
        )
    if found.unreadable > UNREADABLE_SHARE * found.n:
        reasons.append(f"{found.unreadable} of {found.n} answers of the judge could not be read.")
    low = found.kappa.low
    if low is None:
        reasons.append("Its agreement with people cannot be told: one of them saw no difference between outputs.")
    elif low < KAPPA_LOWER:
        reasons.append(f"The lower limit of its kappa with people is {low:.2f}; it takes {KAPPA_LOWER:.2f}.")
    return reasons


def usable(app: App, judge: str, calibrations: Sequence[Calibration], now: datetime) -> Calibration:
    """The calibration by which a judge may be used now.

    Args:
        app: the app version that is to be judged.
        judge: the judge of now.
        calibrations: of the app, newest first.
        now: the time.

    Raises:
        Refused: with every reason why not.
    """
    way_out = f"Let people read a sample, then: careplane quality judge {app.id}"
    if not calibrations:
        raise Refused(["This judge was never held against people's readings."], way_out)
    newest = next((one for one in calibrations if one.judge == judge and one.hash == app.hash), calibrations[0])
    reasons = [*_changed(app, judge, newest, now), *newest.reasons]
    if reasons:
        raise Refused(reasons, way_out)
    return newest


def _changed(app: App, judge: str, held: Calibration, now: datetime) -> list[str]:
    model, _, prompt = judge.partition("#")
    told = (
        (held.model != model, f"The judge is {model} now; {held.model} was calibrated."),
        (held.prompt != prompt, "The prompt of the judge changed after its calibration."),
        (held.hash != app.hash, f"The app changed (to version {app.spec.version}) after the calibration."),
        (held.rubric != rubric_hash(rubric_of(app)), "The rubric changed after the calibration."),
        (now - held.at > GOOD_FOR, f"The calibration is older than {GOOD_FOR.days} days."),
    )
    return [text for holds, text in told if holds]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a calibrated judge says of all outputs, corrected for its errors."""

    calibration: Calibration
    rates: tuple[Rate, ...]


def judged_rates(
    app: App,
    judge: str,
    calibrations: Sequence[Calibration],
    settled: Sequence[Adjudication],
    verdicts: Mapping[str, Verdict],
    now: datetime,
) -> Judged:
    """Errors per 100 outputs over all outputs of the version that the judge read, corrected by what people settled.

    Raises:
        Refused: the judge is not calibrated, or not any more.
    """
    held = usable(app, judge, calibrations, now)
    said = {output: one.marks for output, one in verdicts.items() if one.hash == app.hash and one.marks is not None}
    read = [one for one in settled if one.hash == app.hash and one.output in said]
    of = drawn_of(read)
    rates = []
    for name in COUNTED:
        judged = np.array([_count(name, marks) for marks in said.values()], dtype=np.float64)
        mine = np.array([_count(name, said[one.output]) for one in read], dtype=np.float64)
        theirs = np.array([_count(name, one.marks) for one in read], dtype=np.float64)
        rates.append(prediction_powered(name, judged, mine, theirs, of, method=f"judge {held.model}"))
    if len({one.probability for one in read}) == 1:
        rates.append(_any_error(said, read))
    return Judged(held, tuple(rates))


def _count(name: str, marks: Sequence[Mark]) -> int:
    if name == WITH_ERROR:
        return int(error_count(marks) > 0)
    return error_count(marks) if name == ALL_ERRORS else counted(marks)[name]


def _any_error(said: Mapping[str, tuple[Mark, ...]], read: Sequence[Adjudication]) -> Rate:
    """The share of outputs with an error (Rogan-Gladen). Only of a sample drawn evenly: one drawn by risk is drawn by
    what the judge is likely to say too, and its sensitivity there is not that of all outputs."""
    pairs = [(one.errors > 0, error_count(said[one.output]) > 0) for one in read]
    confusion = Confusion(
        found=sum(truth and flag for truth, flag in pairs),
        positives=sum(truth for truth, _ in pairs),
        cleared=sum(not truth and not flag for truth, flag in pairs),
        negatives=sum(not truth for truth, _ in pairs),
    )
    flagged = sum(error_count(marks) > 0 for marks in said.values())
    return rogan_gladen(WITH_ERROR, flagged, len(said), confusion)
