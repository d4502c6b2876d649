"""Weeks of clinicians: Mondays, and what is done in a week per full-time equivalent of the HR roster."""

import ibis

from careplane.measures._instants import Column


def monday(day: Column) -> Column:
    """The Monday of a day's week, both in days since 1970-01-01 (a Thursday)."""
    return day - ((day + 3) % 7 + 7) % 7  # % has the sign of the dividend


def per_fte(done: ibis.Table, staff: ibis.Table) -> ibis.Table:
    """The rows of a measure: what a clinician did in a week over the clinical FTE that the roster gives for it.

    Args:
        done: ``clinician``, ``week`` (its Monday in days) and ``amount`` (null: not known).
        staff: the HR roster; who has several lines (two units) has the sum of their FTE.
    """
    lines = staff.select("person", "unit", "fte", "hired_day", "left_day").filter(staff.fte > 0)
    both = done.left_join(
        lines,
        [
            done.clinician == lines.person,
            (lines.hired_day.isnull() | (lines.hired_day <= done.week + 6)),
            (lines.left_day.isnull() | (lines.left_day >= done.week)),
        ],
    )
    weekly = both.group_by(["clinician", "week", "amount"]).aggregate(fte=both.fte.sum(), cluster=both.unit.min())
    return weekly.select(
        key=weekly.clinician + "/" + weekly.week.cast("string"),
        cluster=weekly.cluster,
        patient=ibis.null("string"),
        clinician=weekly.clinician,
        at=weekly.week * 86400,
        value=weekly.amount / weekly.fte,
        weight=weekly.fte.fill_null(0.0),
    )
