"""The people whom yearly quality measures are about: patients of an age who were seen in a calendar year.

Shared by the measures of preventive gaps. As in the electronic clinical quality measures of CMS, age is that on 31
December; the year is the calendar year of the visit as the record shows it.
"""

from collections.abc import Iterable

import ibis

from careplane.measures._days import first_day, wall_day, year_shown
from careplane.measures._instants import Column, epoch_seconds
from careplane.records import JSON

_PERSON = "participant.individual.getReferenceKey(Practitioner).first()"


def view(name: str, resource: str, where: Iterable[str], *columns: tuple[str, str, str], each: str = "") -> JSON:
    """A ViewDefinition with columns of (name, path, type); ``each`` makes a row per element of that path, whose
    ``system`` and ``code`` are columns too."""
    select: list[JSON] = [{"column": [{"name": name, "path": path, "type": kind} for name, path, kind in columns]}]
    if each:
        names = (("system", "uri"), ("code", "code"))
        select.append({"forEach": each, "column": [{"name": n, "path": n, "type": kind} for n, kind in names]})
    return {
        "resourceType": "ViewDefinition",
        "name": name,
        "status": "active",
        "resource": resource,
        "where": [{"path": path} for path in where],
        "select": select,
    }


SEEN = view(
    "seen",
    "Encounter",
    ("status = 'finished'", "period.start.exists()", "subject.exists()"),
    ("id", "id", "id"),
    ("class", "class.code", "code"),
    ("began", "period.start", "dateTime"),
    ("patient", "subject.getReferenceKey(Patient)", "id"),
    ("clinician", _PERSON, "id"),
    ("cluster", "location.location.reference.first()", "string"),
)
PEOPLE = view(
    "people",
    "Patient",
    ("birthDate.exists()",),
    ("id", "id", "id"),
    ("sex", "gender", "code"),
    ("born", "birthDate", "date"),
    ("died", "deceasedDateTime", "dateTime"),
)
DIAGNOSES = view(
    "diagnoses",
    "Condition",
    (
        "subject.exists()",
        "verificationStatus.coding.where(code = 'entered-in-error').empty()",
        "verificationStatus.coding.where(code = 'refuted').empty()",
    ),
    ("patient", "subject.getReferenceKey(Patient)", "id"),
    ("onset", "onsetDateTime", "dateTime"),
    ("recorded", "recordedDate", "dateTime"),
    ("abated", "abatementDateTime", "dateTime"),
    each="code.coding",
)
DONE = view(
    "done",
    "Procedure",
    ("status = 'completed'", "subject.exists()"),
    ("patient", "subject.getReferenceKey(Patient)", "id"),
    ("at", "performedDateTime", "dateTime"),
    ("started", "performedPeriod.start", "dateTime"),
    each="code.coding",
)
TESTED = view(
    "tested",
    "Observation",
    ("subject.exists()", "effectiveDateTime.exists()", "status.exists()"),
    ("patient", "subject.getReferenceKey(Patient)", "id"),
    ("status", "status", "code"),
    ("at", "effectiveDateTime", "dateTime"),
    each="code.coding",
)
REPORTED = view(
    "reported",
    "DiagnosticReport",
    ("subject.exists()", "effectiveDateTime.exists()", "status.exists()"),
    ("patient", "subject.getReferenceKey(Patient)", "id"),
    ("status", "status", "code"),
    ("at", "effectiveDateTime", "dateTime"),
    each="code.coding",
)
FINAL = ("final", "amended", "corrected")


def patient_years(seen: ibis.Table, people: ibis.Table, low: int, high: int, sex: str = "") -> ibis.Table:
    """Patients by calendar year in which they had a clinic or virtual visit.

    Args:
        seen: rows of :data:`SEEN`.
        people: rows of :data:`PEOPLE`.
        low: completed years on 31 December, at least.
        high: and at most.
        sex: administrative gender, if only one counts.

    Returns:
        ``patient``, ``year``; ``at`` (epoch seconds), ``cluster`` and ``clinician`` of the first such visit of the
        year; ``begins`` and ``ends``, the first and last day of the year. Who died in the year or before is left out.
    """
    visits = seen.filter(seen["class"].isin(("AMB", "VR")))
    dated = visits.mutate(start=epoch_seconds(visits.began), year=year_shown(visits.began))
    timed = dated.filter(dated.start.notnull())
    order = ibis.window(group_by=[timed.patient, timed.year], order_by=[timed.start, timed.id])
    numbered = timed.mutate(place=ibis.row_number().over(order))
    first = numbered.filter(numbered.place == 0)
    both = first.join(people.select(person="id", sex="sex", born="born", died="died"), first.patient == people.id)
    age = both.year - year_shown(both.born)
    alive = both.died.isnull() | (year_shown(both.died) > both.year)
    fits = (age >= low) & (age <= high) & alive
    whole = both.filter(fits & (both.sex == sex) if sex else fits)
    return whole.select(
        "patient", "year", "cluster", "clinician", at=whole.start,
        begins=first_day(whole.year * 12), ends=first_day(whole.year * 12 + 12) - 1,
    )  # fmt: skip


def diagnosed(
    years: ibis.Table, diagnoses: ibis.Table, codes: tuple[str, ...], prefixes: tuple[str, ...], by_month: int = 12
) -> ibis.Table:
    """The patient-years (``patient``, ``year``) in which a diagnosis held.

    A diagnosis holds when it began by the end of month ``by_month`` of the year and had not abated before the year. Its
    begin is its onset, else when it was recorded; one without either always held.

    Args:
        years: :func:`patient_years`.
        diagnoses: rows of :data:`DIAGNOSES`.
        codes: SNOMED CT codes.
        prefixes: beginnings of ICD-10-CM codes.
        by_month: 1-12.
    """
    one_of = diagnoses.code.isin(codes)
    for prefix in prefixes:
        one_of = one_of | diagnoses.code.startswith(prefix)
    found = diagnoses.filter(one_of)
    begun = wall_day(ibis.coalesce(found.onset, found.recorded))
    held = found.select(who=found.patient, since=begun, until=wall_day(found.abated))
    both = years.join(held, years.patient == held.who)
    limit = first_day(both.year * 12 + by_month)
    holds = (both.since.isnull() | (both.since < limit)) & (both.until.isnull() | (both.until >= both.begins))
    return both.filter(holds).select("patient", "year").distinct()


def without(years: ibis.Table, excluded: ibis.Table) -> ibis.Table:
    """The patient-years that are not among ``excluded`` (``patient``, ``year``)."""
    return years.anti_join(excluded, [years.patient == excluded.patient, years.year == excluded.year])


def within(years: ibis.Table, events: ibis.Table, first: Column) -> ibis.Table:
    """The patient-years (``patient``, ``year``) with an event from a first day to the end of the year.

    Args:
        years: :func:`patient_years`.
        events: ``who`` and ``day`` (days since 1970-01-01).
        first: the first day as an expression of the columns of ``years``.
    """
    both = years.mutate(first=first).join(events, years.patient == events.who)
    return both.filter((both.day >= both["first"]) & (both.day <= both.ends)).select("patient", "year").distinct()


def judged(years: ibis.Table, met: ibis.Table) -> ibis.Table:
    """The rows of a measure: 1 for the patient-years that are in ``met``, else 0."""
    counted = met.select(met_patient="patient", met_year="year", met=ibis.literal(1).cast("int64"))
    both = years.left_join(counted, [years.patient == counted.met_patient, years.year == counted.met_year])
    return both.select(
        key=both.patient + "/" + both.year.cast("string"),
        cluster=both.cluster,
        patient=both.patient,
        clinician=both.clinician,
        at=both["at"],
        value=both.met.notnull().ifelse(1.0, 0.0),
    )


def performed(done: ibis.Table, codes: tuple[str, ...]) -> ibis.Table:
    """``who`` had one of some procedures on which ``day``."""
    found = done.filter(done.code.isin(codes))
    return found.select(who=found.patient, day=wall_day(ibis.coalesce(found["at"], found.started)))


def resulted(results: ibis.Table, codes: tuple[str, ...]) -> ibis.Table:
    """``who`` had a final result or report with one of some codes on which ``day``."""
    found = results.filter(results.code.isin(codes) & results.status.isin(FINAL))
    return found.select(who=found.patient, day=wall_day(found["at"]))
