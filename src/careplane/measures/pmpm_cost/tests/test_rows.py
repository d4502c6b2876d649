"""Cost per member and month on members worked out by hand."""

from typing import Any

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.pmpm_cost import MEASURE
from careplane.records import JSON


def covered(who: str, start: str, end: str | None = None, **more: Any) -> JSON:
    period = {"start": start} | ({"end": end} if end else {})
    beneficiary = {"reference": f"Patient/{who}"}
    return {"resourceType": "Coverage", "status": "active", "beneficiary": beneficiary, "period": period, **more}


def paid(who: str, on: str, allowed: float | None, **more: Any) -> JSON:
    total = [{"category": {"coding": [{"code": "submitted"}]}, "amount": {"value": 9999.0}}]
    if allowed is not None:
        total.append({"category": {"coding": [{"code": "eligible"}]}, "amount": {"value": allowed}})
    return {
        "resourceType": "ExplanationOfBenefit", "status": "active", "patient": {"reference": f"Patient/{who}"},
        "created": "2026-12-31", "billablePeriod": {"start": on}, "total": total, **more,
    }  # fmt: skip


def months(*resources: JSON) -> dict[str, tuple[float, float]]:
    """Value and weight by member and month."""
    return {key: (row["value"], row["weight"]) for key, row in rows_in_memory(MEASURE, resources).items()}


def pmpm(found: dict[str, tuple[float, float]]) -> float:
    return sum(value * weight for value, weight in found.values()) / sum(weight for _, weight in found.values())


def test_a_month_without_a_claim_is_0_and_counts() -> None:
    found = months(
        covered("x", "2025-01-01"),
        covered("y", "2026-02-01"),
        paid("x", "2026-01-10", 300.0),
        paid("x", "2026-02-20", 90.0),
    )
    assert found == {"x/2026-01": (300.0, 1.0), "x/2026-02": (90.0, 1.0), "y/2026-02": (0.0, 1.0)}
    assert pmpm(found) == 130.0


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2028-02-15", None, 15 / 29),  # the 15th to the 29th of a leap year
        ("2028-02-29", "2028-02-29", 1 / 29),
        ("2027-12-01", "2028-02-07T23:59:59-06:00", 7 / 29),
        ("2028-03-01", None, None),
        ("2027-01-01", "2028-01-31", None),
    ],
)
def test_a_part_of_a_month_is_a_part(start: str, end: str | None, days: float | None) -> None:
    found = months(covered("x", start, end), paid("y", "2028-02-03", 1.0), paid("x", "2028-02-16", 58.0))
    if days is None:
        assert found == {}
    else:
        value, weight = found["x/2028-02"]
        assert weight == pytest.approx(days)
        assert value * weight == pytest.approx(58.0)


def test_coverages_that_meet_make_one_month_and_those_that_overlap_no_more() -> None:
    meet = (covered("x", "2026-01-01", "2026-01-15"), covered("x", "2026-01-16", "2026-12-31"))
    overlap = (covered("x", "2026-01-01"), covered("x", "2025-01-01"))
    for spans in (meet, overlap):
        assert months(*spans, paid("x", "2026-01-10", 31.0)) == {"x/2026-01": (31.0, 1.0)}


def test_negative_adjustments_count_and_cancelled_or_amountless_claims_do_not() -> None:
    found = months(
        covered("x", "2026-01-01"),
        paid("x", "2026-01-10", 500.0),
        paid("x", "2026-01-10", -500.0),
        paid("x", "2026-01-11", 120.0),
        paid("x", "2026-01-12", 80.0, status="cancelled"),
        paid("x", "2026-01-13", None),
        paid("x", "2026-02-02", -20.0),
    )
    assert found == {"x/2026-01": (120.0, 1.0), "x/2026-02": (-20.0, 1.0)}


def test_the_highest_of_a_hundred_is_set_to_the_99th() -> None:
    members = [covered(f"m{n:03d}", "2026-01-01") for n in range(1, 201)]
    claims = [paid(f"m{n:03d}", "2026-01-10", 1_000_000.0 if n > 197 else float(n)) for n in range(1, 201)]
    found = months(*members, *claims)
    assert found["m197/2026-01"] == (197.0, 1.0)
    assert found["m200/2026-01"] == (1_000_000.0, 1.0)  # rank 198 of 200 is the 99th percentile
    claims = [paid(f"m{n:03d}", "2026-01-10", 1_000_000.0 if n > 198 else float(n)) for n in range(1, 201)]
    assert months(*members, *claims)["m200/2026-01"] == (198.0, 1.0)


def test_a_claim_without_coverage_or_a_date_of_service() -> None:
    assert months(paid("x", "2026-01-10", 5.0)) == {}
    undated = paid("x", "", 5.0, billablePeriod=None)
    assert months(covered("x", "2026-01-01"), undated) == {"x/2026-12": (5.0, 1.0)}


def test_the_member_is_attributed_by_the_patient_record() -> None:
    patient = {
        "resourceType": "Patient", "id": "x", "managingOrganization": {"reference": "Organization/north"},
        "generalPractitioner": [{"reference": "Practitioner/p1"}],
    }  # fmt: skip
    row = rows_in_memory(MEASURE, [patient, covered("x", "2026-01-01"), paid("x", "2026-01-10", 5.0)])["x/2026-01"]
    assert (row["cluster"], row["clinician"], row["at"]) == ("Organization/north", "p1", 1767225600)
