"""Mammogram within 27 months, after CMS125 (measure M27)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import first_day
from careplane.measures._patient_years import (
    DONE,
    PEOPLE,
    REPORTED,
    SEEN,
    TESTED,
    judged,
    patient_years,
    performed,
    resulted,
    within,
    without,
)
from careplane.records.evidence import MeasureInfo

MAMMOGRAPHY = ("71651007", "24623002", "77061", "77062", "77063", "77065", "77066", "77067")
"""SNOMED CT mammography and screening mammography; CPT of mammography and tomosynthesis."""
IMAGES = ("24606-6", "24605-8", "24604-1", "26346-7", "26347-5", "26349-1", "72137-3", "72138-1", "72139-9")
"""LOINC of screening and diagnostic mammography studies."""
MASTECTOMY = ("27865001", "14693006", "0HTV0ZZ")
"""Bilateral mastectomy: SNOMED CT, ICD-10-PCS."""

INFO = MeasureInfo(
    id="breast_screening",
    title="Breast cancer screening",
    definition=(
        "Of women of 42 to 74 years (on 31 December) who had a clinic or virtual visit in the calendar year: 1 if a "
        "mammogram was done between 1 October two years before the year and its end (27 months), else 0. Women after "
        "bilateral mastectomy, and who died in the year, are left out. The row is dated at the first visit of the "
        "year; the value is final at the end of the year."
    ),
    numerator="women with a mammogram in the 27 months to the end of the year",
    denominator="women of 42 to 74 years who were seen in the year",
    unit="proportion",
    direction="higher",
    mcid=0.03,
    mcid_source="a default of this library",
    aim="population",
    cadence_days=30,
    source="Procedure (SNOMED CT, CPT), Observation and DiagnosticReport (LOINC); Encounter; Patient.gender",
    citation=(
        "After eCQM CMS125, Breast Cancer Screening (NCQA). Simplified: value sets are the codes named here; of the "
        "exclusions only bilateral mastectomy in one procedure and death; sex is the administrative gender."
    ),
    catalogue="M27c",
    kind="proportion",
    row="patient-year",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per woman and year."""
    years = patient_years(tables["seen"], tables["people"], 42, 74, sex="female")
    removed = performed(tables["done"], MASTECTOMY)
    eligible = without(years, within(years, removed, ibis.literal(-1_000_000)))
    images = performed(tables["done"], MAMMOGRAPHY).union(resulted(tables["tested"], IMAGES))
    images = images.union(resulted(tables["reported"], IMAGES))
    return judged(eligible, within(eligible, images, first_day(eligible.year * 12 - 15)))


MEASURE = Measure(
    info=INFO,
    views={"seen": SEEN, "people": PEOPLE, "done": DONE, "tested": TESTED, "reported": REPORTED},
    rows=rows,
    missing="had no year",
    follow_up_days=365,
)
