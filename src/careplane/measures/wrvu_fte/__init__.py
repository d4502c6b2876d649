"""Work RVUs per clinical full-time equivalent and week (measure M32)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._charges import CHARGES, REPLACED, standing
from careplane.measures._weeks import monday, per_fte
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="wrvu_fte",
    title="Work RVUs per clinical FTE and week",
    definition=(
        "Work relative value units of a clinician's billed services in a week (Monday to Sunday, by day of service) "
        "over the clinical full-time equivalent of the HR roster in that week. Units are quantity times the value of "
        "the code in reference/rvus.csv, the site's copy of the CMS physician fee schedule; modifiers are not "
        "applied and a code that is not there counts 0. Claims that were cancelled or replaced do not count. A week "
        "without any billed service is no row, because the roster does not tell leave. A week whose services are all "
        "unknown to the table, or a clinician who is not on the roster, is missing. Read it beside time and quality: "
        "more is not better in itself."
    ),
    numerator="work RVUs of the week",
    denominator="clinical full-time equivalents of the week",
    unit="wRVU/FTE-week",
    direction="context",
    mcid=0.0,
    mcid_source="",
    aim="cost",
    cadence_days=30,
    source="Claim items; reference/rvus.csv (code, wrvu); the HR roster (erp_files, staff.csv)",
    citation="Measure M32; JAMA 2026 reports +0.5 visits a week. RVU: CMS physician fee schedule (42 CFR 414.22).",
    catalogue="M32a",
    kind="ratio",
    row="clinician-week",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per clinician and week with a billed service."""
    lines, rvus = standing(tables["charges"], tables["replaced"]), tables["rvus"]
    known = lines.filter(lines.clinician.notnull())
    valued = known.left_join(rvus.select(known="code", wrvu="wrvu"), known.code == rvus.code)
    units = valued.mutate(week=monday(valued.day), units=valued.quantity * valued.wrvu)
    done = units.group_by(["clinician", "week"]).aggregate(amount=units.units.sum())
    return per_fte(done, tables["staff"])


MEASURE = Measure(
    info=INFO,
    views={"charges": CHARGES, "replaced": REPLACED},
    rows=rows,
    missing="had no service of the fee schedule, or a clinician who is not on the HR roster",
    follow_up_days=30,
    reads=("rvus", "staff"),
)
