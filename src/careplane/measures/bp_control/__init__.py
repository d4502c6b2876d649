"""Controlled blood pressure in hypertension, after CMS165 (measure M27)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import wall_day, year_shown
from careplane.measures._patient_years import (
    DIAGNOSES,
    FINAL,
    PEOPLE,
    SEEN,
    diagnosed,
    judged,
    patient_years,
    view,
    without,
)
from careplane.records.evidence import MeasureInfo

SYSTOLIC, DIASTOLIC = 140.0, 90.0
HYPERTENSION, KIDNEY_FAILURE = ("59621000", "38341003"), ("46177005", "236435004", "236436003")
"""SNOMED CT: essential hypertension, hypertensive disorder; end-stage renal disease, on dialysis, after transplant."""

INFO = MeasureInfo(
    id="bp_control",
    title="Blood pressure controlled",
    definition=(
        "Of patients of 18 to 85 years (on 31 December) with hypertension by 30 June who had a clinic or virtual visit "
        "in the calendar year: 1 if on the last day of the year with a reading the lowest systolic pressure is below "
        "140 and the lowest diastolic below 90 mmHg, else 0; no reading in the year is 0. Readings during inpatient "
        "or emergency encounters do not count. Patients with end-stage kidney disease, and who died in the year, are "
        "left out. The row is dated at the first visit of the year; the value is final at the end of the year."
    ),
    numerator="patients whose last blood pressure of the year is below 140/90 mmHg",
    denominator="patients with hypertension who were seen in the year",
    unit="proportion",
    direction="higher",
    mcid=0.03,
    mcid_source="a default of this library",
    aim="population",
    cadence_days=30,
    source="Observation with components LOINC 8480-6 and 8462-4; Condition (SNOMED CT, ICD-10-CM I10); Encounter",
    citation=(
        "After eCQM CMS165, Controlling High Blood Pressure (NCQA). Simplified: value sets are the codes named here; "
        "of the exclusions only end-stage kidney disease and death (not pregnancy, hospice, frailty, palliative care)."
    ),
    catalogue="M27a",
    kind="proportion",
    row="patient-year",
)

READINGS = view(
    "readings",
    "Observation",
    ("subject.exists()", "effectiveDateTime.exists()"),
    ("patient", "subject.getReferenceKey(Patient)", "id"),
    ("status", "status", "code"),
    ("at", "effectiveDateTime", "dateTime"),
    ("encounter", "encounter.getReferenceKey(Encounter)", "id"),
    ("systolic", "component.where(code.coding.where(code = '8480-6').exists()).valueQuantity.value.first()", "decimal"),
    (
        "diastolic",
        "component.where(code.coding.where(code = '8462-4').exists()).valueQuantity.value.first()",
        "decimal",
    ),
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per patient and year."""
    years = patient_years(tables["seen"], tables["people"], 18, 85)
    having = diagnosed(years, tables["diagnoses"], HYPERTENSION, ("I10",), by_month=6)
    eligible = years.semi_join(having, ["patient", "year"])
    kidney = diagnosed(years, tables["diagnoses"], KIDNEY_FAILURE, ("N18.6", "Z99.2", "Z94.0"))
    eligible = without(eligible, kidney)
    return judged(eligible, _controlled(tables["readings"], tables["seen"]))


def _controlled(readings: ibis.Table, seen: ibis.Table) -> ibis.Table:
    """Patients and years whose last day with a reading was controlled."""
    acute = seen.filter(seen["class"].isin(("IMP", "ACUTE", "EMER", "OBSENC"))).select(acute="id")
    whole = readings.filter(readings.status.isin(FINAL) & readings.systolic.notnull() & readings.diastolic.notnull())
    taken = whole.anti_join(acute, whole.encounter == acute.acute)
    dated = taken.mutate(year=year_shown(taken["at"]), day=wall_day(taken["at"]))
    daily = dated.group_by(["patient", "year", "day"]).aggregate(low=dated.systolic.min(), bottom=dated.diastolic.min())
    last = daily.group_by(["patient", "year"]).aggregate(last=daily.day.max())
    both = daily.join(last.rename(who="patient", of="year"), [daily.patient == last.patient, daily.year == last.year])
    return both.filter((both.day == both["last"]) & (both.low < SYSTOLIC) & (both.bottom < DIASTOLIC)).select(
        "patient", "year"
    )


MEASURE = Measure(
    info=INFO,
    views={"seen": SEEN, "people": PEOPLE, "diagnoses": DIAGNOSES, "readings": READINGS},
    rows=rows,
    missing="had no year",
    follow_up_days=365,
)
