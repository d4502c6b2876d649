"""The groups of patients that equity is looked at by. What is not recorded is a group of its own (``UNKNOWN``).

===============  =====================================================================================================
``race``         US Core race, OMB categories; several are ``More than one race`` (OMB, 1997 and 2024)
``ethnicity``    US Core ethnicity, OMB categories
``language``     the preferred language, else the first one, without its region (``en-US`` is ``en``)
``interpreter``  US Core ``interpreter-needed``, else FHIR's ``patient-interpreterRequired``
``sex``          administrative gender of the record
``age``          completed years on the day that is asked for; a month or day that is missing counts as the first
``payer``        the first active Coverage on that day (``order``, newest, id) by its Source of Payment Typology;
                 without one, the text of its type or the payor's name as recorded; who pays alone is ``Self-pay``
``disability``   any yes to the disability questions of US Core is ``disability``; only no is ``no disability``
``rurality``     the postal code of the first address in a table of RUCA codes (:mod:`.reference_tables`)
``site``         name of the managing organisation, or its reference
===============  =====================================================================================================
"""

from collections.abc import Mapping
from datetime import date

import duckdb
import pyarrow.lib as pa

from careplane.codecs.views import duckdb_sql
from careplane.evidence.patient_views import PATIENT_VIEWS

UNKNOWN = "not recorded"

DIMENSIONS = (
    "race",
    "ethnicity",
    "language",
    "interpreter",
    "sex",
    "age",
    "payer",
    "disability",
    "rurality",
    "site",
)

Groups = Mapping[str, Mapping[str, str]]
"""By dimension, the group of each patient (by id) for whom it is recorded."""

_CATEGORY = """
    CASE max(code)
        WHEN '2106-3' THEN 'White'
        WHEN '2054-5' THEN 'Black or African American'
        WHEN '2028-9' THEN 'Asian'
        WHEN '1002-5' THEN 'American Indian or Alaska Native'
        WHEN '2076-8' THEN 'Native Hawaiian or Other Pacific Islander'
        WHEN '2118-8' THEN 'Middle Eastern or North African'
        WHEN '2131-1' THEN 'Other Race'
        WHEN '2135-2' THEN 'Hispanic or Latino'
        WHEN '2186-5' THEN 'Not Hispanic or Latino'
    END
"""
"""OMB categories of the CDC race and ethnicity code system; ``UNK`` and ``ASKU`` are not recorded."""

_KNOWN = "WHERE code NOT IN ('UNK', 'ASKU', 'asked-unknown', 'unknown')"

_QUERIES = {
    "race": f"""
        SELECT id, CASE WHEN count(DISTINCT code) > 1 THEN 'More than one race' ELSE {_CATEGORY} END
        FROM group_races {_KNOWN} GROUP BY id
    """,  # noqa: S608 - constants of this file
    "ethnicity": f"""
        SELECT id, CASE WHEN count(DISTINCT code) > 1 THEN 'Hispanic or Latino' ELSE {_CATEGORY} END
        FROM group_ethnicities {_KNOWN} GROUP BY id
    """,  # noqa: S608 - constants of this file
    "language": """
        SELECT id, lower(split_part(coalesce(
            min(language) FILTER (WHERE preferred), first(language ORDER BY place)), '-', 1))
        FROM (SELECT *, row_number() OVER (PARTITION BY id) AS place FROM group_languages WHERE language IS NOT NULL)
        GROUP BY id
    """,
    "interpreter": """
        SELECT id, CASE
            WHEN interpreter = '373066001' OR (interpreter IS NULL AND required) THEN 'needed'
            WHEN interpreter = '373067005' OR (interpreter IS NULL AND NOT required) THEN 'not needed' END
        FROM group_patients
    """,
    "sex": "SELECT id, nullif(sex, 'unknown') FROM group_patients",
    "age": """
        SELECT id, CASE WHEN years < 18 THEN '0-17' WHEN years < 45 THEN '18-44' WHEN years < 65 THEN '45-64'
            WHEN years < 75 THEN '65-74' ELSE '75 and over' END
        FROM (
            SELECT id, try_cast($day[1:4] AS INTEGER) - try_cast(born[1:4] AS INTEGER)
                - CASE WHEN $day[5:] < (born || '-01-01'[length(born) - 3:])[5:] THEN 1 ELSE 0 END AS years
            FROM group_patients WHERE length(born) IN (4, 7, 10)
        ) WHERE years >= 0
    """,
    "payer": """
        SELECT patient, CASE
            WHEN sopt[1:1] = '1' THEN 'Medicare'
            WHEN sopt[1:1] = '2' THEN 'Medicaid'
            WHEN sopt[1:1] IN ('3', '4') THEN 'Other government'
            WHEN sopt[1:1] IN ('5', '6', '7') THEN 'Private'
            WHEN sopt[1:2] = '81' OR (sopt IS NULL AND own IS NOT NULL) THEN 'Self-pay'
            WHEN sopt[1:1] = '8' THEN 'No charge'
            WHEN sopt IS NOT NULL THEN 'Other'
            ELSE coalesce(type, payor) END
        FROM group_coverages
        WHERE coalesce(starts[1:10] <= $day, true) AND coalesce(ends[1:10] >= $day, true)
        QUALIFY row_number() OVER (
            PARTITION BY patient ORDER BY rank NULLS LAST, starts DESC NULLS LAST, id) = 1
    """,
    "disability": """
        SELECT patient, CASE WHEN bool_or(said) THEN 'disability' WHEN bool_and(NOT said) THEN 'no disability' END
        FROM (
            SELECT patient, CASE WHEN yes OR answer IN ('LA33-6', '373066001', 'Y') THEN true
                WHEN NOT yes OR answer IN ('LA32-8', '373067005', 'N') THEN false END AS said
            FROM group_disabilities
        ) GROUP BY patient
    """,
    "rurality": """
        SELECT p.id, CASE
            WHEN z.ruca BETWEEN 1 AND 3 THEN 'metropolitan'
            WHEN z.ruca BETWEEN 4 AND 6 THEN 'micropolitan'
            WHEN z.ruca BETWEEN 7 AND 9 THEN 'small town'
            WHEN z.ruca = 10 THEN 'rural' END
        FROM group_patients p JOIN group_ruca z ON z.postal = p.postal[1:5]
    """,
    "site": """
        SELECT p.id, coalesce(s.name, p.site)
        FROM group_patients p LEFT JOIN group_sites s ON s.id = regexp_extract(p.site, '([^/]+)$', 1)
    """,
}


def read_groups(
    connection: duckdb.DuckDBPyConnection, on: date | None = None, ruca: Mapping[str, int] | None = None
) -> Groups:
    """The groups of all loaded patients.

    Args:
        connection: the lake (:func:`careplane.store.lake.connect`).
        on: the day of age and payer, such as the start of a plan. Without it age is not recorded, and a Coverage
            counts whatever its period.
        ruca: primary RUCA code (1-10; 99: not coded) by five-digit postal code; without it rurality is not recorded.
    """
    for name, view in PATIENT_VIEWS.items():
        connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {duckdb_sql(view)}')
    codes = pa.table({"postal": pa.array(ruca or (), pa.string()), "ruca": pa.array((ruca or {}).values(), pa.int64())})
    connection.register("group_ruca", codes)
    asked = DIMENSIONS if on else tuple(name for name in DIMENSIONS if name != "age")
    return {name: _known(connection, _QUERIES[name], on) for name in asked}


def _known(connection: duckdb.DuckDBPyConnection, query: str, on: date | None) -> dict[str, str]:
    day = {"day": on.isoformat() if on else None} if "$day" in query else None
    return {ident: group for ident, group in connection.execute(query, day).fetchall() if ident and group}
