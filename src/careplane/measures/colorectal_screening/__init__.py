"""Colorectal cancer screening, after CMS130 (measure M27)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import first_day
from careplane.measures._patient_years import (
    DIAGNOSES,
    DONE,
    PEOPLE,
    REPORTED,
    SEEN,
    TESTED,
    diagnosed,
    judged,
    patient_years,
    performed,
    resulted,
    within,
    without,
)
from careplane.records.evidence import MeasureInfo

STOOL_BLOOD = ("2335-8", "14563-1", "14564-9", "14565-6", "27396-1", "29771-3", "57905-2", "58453-2", "82270", "82274")
STOOL_DNA = ("77353-1", "77354-9", "81528")
SIGMOIDOSCOPY = ("44441009", "396226005", "45330", "45331", "45333", "45335", "45338", "G0104")
CT_COLONOGRAPHY = ("418714002", "74261", "74262", "74263", "60515-4", "79101-2")
COLONOSCOPY = ("73761001", "444783004", "45378", "45380", "45381", "45384", "45385", "G0105", "G0121")
COLECTOMY = ("26390003", "303401008", "44150", "44151", "44155", "44156", "44157", "44158", "0DTE0ZZ", "0DTE4ZZ")
CANCER = ("363406005", "93761005", "93854002")
LOOKBACK = ((STOOL_BLOOD, 0), (STOOL_DNA, 2), (SIGMOIDOSCOPY, 4), (CT_COLONOGRAPHY, 4), (COLONOSCOPY, 9))
"""Codes (LOINC, SNOMED CT, CPT, HCPCS) of each test, and how many years before the year it still counts."""

INFO = MeasureInfo(
    id="colorectal_screening",
    title="Colorectal cancer screening",
    definition=(
        "Of patients of 46 to 75 years (on 31 December) who had a clinic or virtual visit in the calendar year: 1 if "
        "there is a stool blood test in the year, a stool DNA test in the year or the 2 before, a sigmoidoscopy or CT "
        "colonography in the year or the 4 before, or a colonoscopy in the year or the 9 before, else 0. Patients with "
        "colorectal cancer or total colectomy, and who died in the year, are left out. The row is dated at the first "
        "visit of the year; the value is final at the end of the year."
    ),
    numerator="patients with one of these tests in its time",
    denominator="patients of 46 to 75 years who were seen in the year",
    unit="proportion",
    direction="higher",
    mcid=0.03,
    mcid_source="a default of this library",
    aim="population",
    cadence_days=30,
    source="Procedure, Observation, DiagnosticReport (LOINC, SNOMED CT, CPT, HCPCS); Condition; Encounter; Patient",
    citation=(
        "After eCQM CMS130, Colorectal Cancer Screening (NCQA). Simplified: value sets are the codes named here; of "
        "the exclusions only colorectal cancer, colectomy and death."
    ),
    catalogue="M27d",
    kind="proportion",
    row="patient-year",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per patient and year."""
    years = patient_years(tables["seen"], tables["people"], 46, 75)
    removed = within(years, performed(tables["done"], COLECTOMY), ibis.literal(-1_000_000))
    sick = diagnosed(years, tables["diagnoses"], CANCER, ("C18", "C19", "C20"))
    eligible = without(without(years, removed), sick)
    met = [within(eligible, _tests(tables, codes), first_day((eligible.year - ago) * 12)) for codes, ago in LOOKBACK]
    return judged(eligible, ibis.union(*met, distinct=True))


def _tests(tables: Mapping[str, ibis.Table], codes: tuple[str, ...]) -> ibis.Table:
    """Who had a test on which day, from procedures, results and reports."""
    done, tested, reported = tables["done"], tables["tested"], tables["reported"]
    return ibis.union(performed(done, codes), resulted(tested, codes), resulted(reported, codes))


MEASURE = Measure(
    info=INFO,
    views={
        "seen": SEEN,
        "people": PEOPLE,
        "diagnoses": DIAGNOSES,
        "done": DONE,
        "tested": TESTED,
        "reported": REPORTED,
    },
    rows=rows,
    missing="had no year",
    follow_up_days=365,
)
