"""Haemoglobin A1c above 9 % or not measured in diabetes, after CMS122 (measure M27)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure, epoch_seconds
from careplane.measures._days import year_shown
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

LIMIT = 9.0
DIABETES = ("44054006", "46635009", "73211009")
"""SNOMED CT: type 2, type 1, diabetes mellitus."""

INFO = MeasureInfo(
    id="a1c_poor_control",
    title="Haemoglobin A1c above 9 % or not measured",
    definition=(
        "Of patients of 18 to 75 years (on 31 December) with diabetes who had a clinic or virtual visit in the "
        "calendar year: 1 if the last haemoglobin A1c of the year is above 9.0 % or there is none, else 0. Of several "
        "results of one moment the highest counts. Who died in the year is left out. Lower is better. The row is "
        "dated at the first visit of the year; the value is final at the end of the year."
    ),
    numerator="patients whose last A1c of the year is above 9.0 %, or without one",
    denominator="patients with diabetes who were seen in the year",
    unit="proportion",
    direction="lower",
    mcid=0.03,
    mcid_source="a default of this library",
    aim="population",
    cadence_days=30,
    source="Observation LOINC 4548-4 or 17856-6 in %; Condition (SNOMED CT, ICD-10-CM E10, E11, E13); Encounter",
    citation=(
        "After eCQM CMS122, Diabetes: Glycemic Status Assessment Greater Than 9% (NCQA). Simplified: value sets are "
        "the codes named here, the glucose management indicator and results in mmol/mol are not read, and of the "
        "exclusions there is only death (not hospice, frailty, palliative care)."
    ),
    catalogue="M27b",
    kind="proportion",
    row="patient-year",
)

RESULTS = view(
    "results",
    "Observation",
    (
        "subject.exists()",
        "effectiveDateTime.exists()",
        "valueQuantity.value.exists()",
        "valueQuantity.where(code = '%').exists()",
    ),
    ("patient", "subject.getReferenceKey(Patient)", "id"),
    ("status", "status", "code"),
    ("at", "effectiveDateTime", "dateTime"),
    ("percent", "valueQuantity.value", "decimal"),
    each="code.coding",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per patient and year."""
    years = patient_years(tables["seen"], tables["people"], 18, 75)
    having = diagnosed(years, tables["diagnoses"], DIABETES, ("E10", "E11", "E13"))
    eligible = years.semi_join(having, ["patient", "year"])
    return judged(eligible, without(eligible, _controlled(tables["results"])))


def _controlled(results: ibis.Table) -> ibis.Table:
    """Patients and years whose last A1c is at most 9 %."""
    found = results.filter(results.code.isin(("4548-4", "17856-6")) & results.status.isin(FINAL))
    timed = found.mutate(year=year_shown(found["at"]), moment=epoch_seconds(found["at"]))
    last = timed.group_by(["patient", "year"]).aggregate(moment=timed.moment.max())
    latest = timed.semi_join(last, ["patient", "year", "moment"])
    highest = latest.group_by(["patient", "year"]).aggregate(percent=latest.percent.max())
    return highest.filter(highest.percent <= LIMIT).select("patient", "year")


MEASURE = Measure(
    info=INFO,
    views={"seen": SEEN, "people": PEOPLE, "diagnoses": DIAGNOSES, "results": RESULTS},
    rows=rows,
    missing="had no year",
    follow_up_days=365,
)
