"""Visits per clinical full-time equivalent and week (measure M32)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import wall_day
from careplane.measures._patient_years import SEEN
from careplane.measures._weeks import monday, per_fte
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="visits_fte",
    title="Visits per clinical FTE and week",
    definition=(
        "Finished clinic and virtual visits of a clinician (the first participant) in a week, Monday to Sunday, over "
        "the clinical full-time equivalent of the HR roster in that week. A week without a visit is no row, because "
        "the roster does not tell leave; a clinician who is not on the roster is missing. Read it beside time and "
        "quality: more is not better in itself."
    ),
    numerator="visits of the week",
    denominator="clinical full-time equivalents of the week",
    unit="visits/FTE-week",
    direction="context",
    mcid=0.0,
    mcid_source="",
    aim="cost",
    cadence_days=30,
    source="Encounter (class AMB, VR; finished): period.start, participant; the HR roster (erp_files, staff.csv)",
    citation="Measure M32; JAMA 2026 reports +0.5 visits a week.",
    catalogue="M32b",
    kind="ratio",
    row="clinician-week",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per clinician and week with a visit."""
    seen = tables["seen"]
    visits = seen.filter(seen["class"].isin(("AMB", "VR")) & seen.clinician.notnull())
    weekly = visits.mutate(week=monday(wall_day(visits.began)))
    done = weekly.group_by(["clinician", "week"]).aggregate(amount=weekly.id.count().cast("float64"))
    return per_fte(done, tables["staff"])


MEASURE = Measure(
    info=INFO,
    views={"seen": SEEN},
    rows=rows,
    missing="had a clinician who is not on the HR roster",
    reads=("staff",),
)
