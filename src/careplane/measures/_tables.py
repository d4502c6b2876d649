"""The run record as tables: what the platform itself recorded, beside the views of FHIR that a measure reads.

Types are Ibis types that every engine has. Times are epoch seconds in UTC; ids of patients, encounters and clinicians
are bare (``p001``, not ``Practitioner/p001``), as views give them; ``unit`` and ``focus`` are references.
"""

from collections.abc import Mapping

REFERENCE: Mapping[str, Mapping[str, str]] = {
    "expected_stays": {"reason": "string", "days": "float64"},
    "rvus": {"code": "string", "wrvu": "float64"},
}
"""Column types of the reference tables that a site brings as files.

==============  ======================================================================================================
expected_stays  nights that a stay is expected to take by the code of its first reason, ``*`` for every other one
rvus            work relative value units of a billing code
==============  ======================================================================================================
"""

DERIVED: Mapping[str, Mapping[str, str]] = {
    "texts": {
        "reference": "string",
        "patient": "string",
        "clinician": "string",
        "unit": "string",
        "at": "int64",
        "grade": "float64",
    },
}
"""Column types of what no query can work out of the chart: replies to patients with their reading ``grade`` (null where
the formula does not hold), whoever wrote them."""

RECORD: Mapping[str, Mapping[str, str]] = {
    "staff": {
        "person": "string",
        "unit": "string",
        "job": "string",
        "fte": "float64",
        "hired_day": "int64",
        "left_day": "int64",
        "as_of_day": "int64",
    },
    "costs": {
        "line": "string",
        "item": "string",
        "category": "string",
        "usd": "float64",
        "starts": "int64",
        "ends": "int64",
    },
    "rates": {"clinician": "string", "per_hour": "float64"},
    "runs": {
        "run": "string",
        "app": "string",
        "version": "string",
        "plan": "string",
        "arm": "string",
        "status": "string",
        "kind": "string",
        "focus": "string",
        "patient": "string",
        "encounter": "string",
        "clinician": "string",
        "unit": "string",
        "site": "string",
        "at": "int64",
        "drafted": "int64",
        "severity": "string",
        "reviewed_at": "int64",
        "review_seconds": "float64",
        "edit_distance": "float64",
        "cost_usd": "float64",
    },
    "written": {"run": "string", "reference": "string"},
    "reports": {"report": "string", "run": "string", "app": "string", "what": "string", "at": "int64"},
    "adjudications": {
        "sample": "string",
        "run": "string",
        "output": "string",
        "app": "string",
        "version": "string",
        "reader": "string",
        "fabrications": "int64",
        "omissions": "int64",
        "inaccuracies": "int64",
        "probability": "float64",
        "at": "int64",
    },
    "surveys": {
        "run": "string",
        "app": "string",
        "person": "string",
        "at": "int64",
        "like": "int64",
        "performance": "int64",
        "easier": "int64",
    },
}
"""Column types by table.

========  ================================================================================================
runs      one row per eligible event of an app, whether or not the app spoke: ``at`` of the event, ``status`` (refused,
          failed, draft, accepted, edited, rejected), ``arm`` and ``plan`` where a pilot held; ``drafted`` 1 when there
          was an output, ``severity`` the gravest of its findings (info, caution, critical), ``review_seconds`` and
          ``edit_distance`` (0-1, nothing unless signed) null before a review; ``cost_usd`` of its model calls
written   the references of what a run wrote to the chart
reports   what people reported of an output: ``what`` (unsafe, wrong_fact, wrong_patient, missing, screen)
adjudications  one row per output that was read twice and settled, with its errors and its probability of being drawn
surveys   answers to the three questions, 1-5: I like it, it performs, it makes my work easier
staff     lines of the HR roster: ``fte`` clinical full-time equivalent; first, last and latest known day (since 1970)
costs     lines of the cost ledger with the calendar month in which they were posted (``starts`` to before ``ends``)
rates     the loaded hourly rate (USD) of a clinician's job
========  ================================================================================================
"""

TABLES = {**RECORD, **DERIVED, **REFERENCE}
"""Column types of every table that a measure may read beside its views."""
