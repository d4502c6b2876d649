"""Share of office visits that were billed at level 4 or 5: a flag, never a saving (measure M33)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._charges import CHARGES, REPLACED, standing
from careplane.records.evidence import MeasureInfo

OFFICE = ("99202", "99203", "99204", "99205", "99211", "99212", "99213", "99214", "99215")
HIGH = ("99204", "99205", "99214", "99215")

INFO = MeasureInfo(
    id="coding_intensity",
    title="Visits billed at level 4 or 5",
    definition=(
        "Of the office visits that were billed (evaluation and management codes 99202 to 99205 and 99211 to 99215 on "
        "claims that stand): 1 if the level is 4 or 5, else 0. Claims that were cancelled or replaced by a later claim "
        "do not count. Hierarchical condition categories per visit are not measured: their table is not here. A rise "
        "moves money from payers and patients; it is a flag to look at and never counts as a saving or a benefit."
    ),
    numerator="billed office visits of level 4 or 5",
    denominator="billed office visits of the window",
    unit="proportion",
    direction="flag",
    mcid=0.0,
    mcid_source="",
    aim="cost",
    cadence_days=30,
    source="Claim (use claim, active): item.productOrService, item.serviced, careTeam, facility, related",
    citation="Measure M33; levels of office visits after the CPT 2021 revision (codes only, no descriptions).",
    catalogue="M33",
    kind="proportion",
    row="billed visit",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per billed office visit."""
    lines = standing(tables["charges"], tables["replaced"])
    visits = lines.filter(lines.code.isin(OFFICE))
    return visits.select(
        key=visits.claim + "/" + visits.line.cast("string"),
        cluster=visits.cluster,
        patient=visits.patient,
        clinician=visits.clinician,
        at=visits.day * 86400,
        value=visits.code.isin(HIGH).ifelse(1.0, 0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={"charges": CHARGES, "replaced": REPLACED},
    rows=rows,
    missing="had no level",
    follow_up_days=30,
)
