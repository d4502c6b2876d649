"""The gap between groups of patients: of an effect, and of access to the app (measure M29)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="effect_gap",
    title="Gap between groups",
    definition=(
        "The rows are the events for which an app could run, outside the control arm: 1 if an output was made, else 0 "
        "(access). Of them, and of the rows of any other measure, the gap is formed by evidence.gaps for race, "
        "ethnicity, language, need of an interpreter, sex, age, payer, disability, rurality and site: the figure of "
        "each group minus that of the largest, with an interval for the difference that keeps 95 % over all groups of "
        "the dimension (Bonferroni), and the bound of the worst group. The gap of an effect is the difference of "
        "effects within groups, which is the interaction of arm and group. Patients whose group is not recorded are a "
        "group. Groups with fewer than 11 rows are withheld, and further ones so that none can be derived."
    ),
    numerator="figure (or effect) of a group minus that of the largest group",
    denominator="groups of a dimension with at least 11 rows",
    unit="proportion",
    direction="nearer_zero",
    mcid=0.05,
    mcid_source="a default of this library",
    aim="equity",
    cadence_days=30,
    source="run record; Patient (US Core), Coverage, disability answers, RUCA codes",
    citation="Measure M29. Difference of independent means; suppression as CMS cell size policy (fewer than 11).",
    catalogue="M29",
    kind="proportion",
    row="eligible event",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per eligible event with a patient: whether it got an output."""
    runs = tables["runs"]
    events = runs.filter((runs.arm.isnull() | (runs.arm != "control")) & runs.patient.notnull())
    return events.select(
        key=events.run,
        cluster=events.unit,
        patient=events.patient,
        clinician=events.clinician,
        at=events["at"],
        value=(events.drafted == 1).fill_null(False).ifelse(1.0, 0.0),
    )


MEASURE = Measure(info=INFO, views={}, rows=rows, missing="had no patient", reads=("runs",))
