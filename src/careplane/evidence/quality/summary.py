"""All that is known of an app's quality, in one value: what the console and the command line show."""

from collections.abc import Mapping

from careplane.evidence.quality.double_read import Pair, agreements
from careplane.evidence.quality.keeping import (
    find_adjudications,
    find_calibrations,
    find_comparisons,
    find_evaluations,
)
from careplane.evidence.quality.rating import adjudicated_rates, rates_by_group
from careplane.evidence.quality.reading import find_samples, own_readings, pairs
from careplane.evidence.quality.sampling import Groups
from careplane.records import Record
from careplane.records.app import App
from careplane.records.quality import Adjudication, Agreement, Calibration, Comparison, Evaluation, Rate
from careplane.store import Store
from careplane.workflow import load_run

MOST_EVALUATIONS = 20


class QualitySummary(Record, frozen=True):
    """Rates of the present version from people, its newest evaluations, agreement, judges, comparisons, and what is
    not measured. ``by_version`` are the errors per 100 outputs that people settled of each version, oldest first;
    ``by_group`` the same of the present version by dimension and group."""

    app: str
    version: str
    sentence: str
    read: int
    waiting: int
    adjudicated: tuple[Rate, ...]
    by_version: tuple[Rate, ...]
    by_group: dict[str, tuple[Rate, ...]]
    agreements: tuple[Agreement, ...]
    evaluations: tuple[Evaluation, ...]
    calibrations: tuple[Calibration, ...]
    comparisons: tuple[Comparison, ...]
    not_measured: tuple[str, ...]


def summary(store: Store, app: App, groups: Groups, small: int = 11) -> QualitySummary:
    """What is known of an app's quality now. Groups below ``small`` outputs are withheld."""
    every = find_adjudications(store, app.id)
    mine = [one for one in every if one.hash == app.hash]
    samples = find_samples(store, app.id)
    both: list[Pair] = [pair for sample in samples for pair in pairs(store, sample).values()]
    read = sum(len(own_readings(store, sample.id, reader)) for sample in samples for reader in sample.readers)
    asked = sum(2 * sample.size for sample in samples)
    evaluations = tuple(find_evaluations(store, app.id, MOST_EVALUATIONS))
    calibrations = tuple(find_calibrations(store, app.id))
    rates = adjudicated_rates(mine)
    return QualitySummary(
        app=app.id,
        version=app.spec.version,
        sentence=_sentence(app, rates, evaluations, asked - read),
        read=len(mine),
        waiting=asked - read,
        adjudicated=rates,
        by_version=_by_version(every),
        by_group=_by_group(store, mine, groups, small),
        agreements=agreements(both),
        evaluations=evaluations,
        calibrations=calibrations,
        comparisons=tuple(find_comparisons(store, app.id)),
        not_measured=tuple(_not_measured(app, mine, both, evaluations, calibrations, groups)),
    )


def _by_version(every: list[Adjudication]) -> tuple[Rate, ...]:
    versions: dict[str, list[Adjudication]] = {}
    for one in every:
        versions.setdefault(f"{one.version} {one.model}", []).append(one)
    return tuple(_named(adjudicated_rates(part)[0], name) for name, part in versions.items())


def _named(rate: Rate, name: str) -> Rate:
    return Rate(**{**{field: getattr(rate, field) for field in rate.__struct_fields__}, "name": name})


def _by_group(store: Store, mine: list[Adjudication], groups: Groups, small: int) -> dict[str, tuple[Rate, ...]]:
    patient = {one.output: (load_run(store, one.run).event.patient or "").rpartition("/")[2] for one in mine}
    found: dict[str, tuple[Rate, ...]] = {}
    for dimension, of_patient in groups.items():
        members = [(one, of_patient.get(patient[one.output], "not recorded")) for one in mine]
        if members:
            found[dimension] = tuple(rates_by_group(members, small).values())
    return found


def _sentence(app: App, rates: tuple[Rate, ...], evaluations: tuple[Evaluation, ...], waiting: int) -> str:
    """What needs doing, first."""
    to_read = f" {waiting} readings wait." if waiting else ""
    if rates and rates[0].value is not None:
        rate = rates[0]
        told = f"{rate.value:.1f} errors per 100 outputs ({rate.low:.1f} to {rate.high:.1f}, {rate.n} outputs read)"
        most = app.spec.quality.max_errors_per_100
        if most is None:
            return f"People found {told}.{to_read}"
        high = rate.high or 0.0
        verdict = "within" if high <= most else "not shown to be within"
        return f"People found {told}: {verdict} the {most:g} that the app may have.{to_read}"
    if evaluations:
        return f"Nobody has settled an output of version {app.spec.version} yet; checks saw its cases.{to_read}"
    return f"The quality of version {app.spec.version} is not measured.{to_read}"


def _not_measured(
    app: App,
    mine: list[Adjudication],
    both: list[Pair],
    evaluations: tuple[Evaluation, ...],
    calibrations: tuple[Calibration, ...],
    groups: Mapping[str, object],
) -> list[str]:
    told = []
    if not any(one.hash == app.hash for one in evaluations):
        told.append(f"Version {app.spec.version} was not evaluated: careplane quality evaluate {app.id}")
    if not mine:
        told.append(f"No output of it was read by two people: careplane quality sample {app.id}")
    if not both:
        told.append("Agreement of readers: no output was read by both.")
    if not any(one.hash == app.hash and one.usable for one in calibrations):
        told.append("No judge is calibrated for this version, so none is used.")
    if not groups:
        told.append("Errors by group: no patients are loaded.")
    told.append("Errors that neither check nor reader can see in the sources, such as a fact the chart never held.")
    return told
