"""Coding intensity on claims worked out by hand."""

from typing import Any

from careplane.measures import rows_in_memory
from careplane.measures.coding_intensity import MEASURE
from careplane.records import JSON


def claim(ident: str, *codes: str, **more: Any) -> JSON:
    items = [{"sequence": n, "productOrService": {"coding": [{"code": code}]}} for n, code in enumerate(codes, start=1)]
    return {
        "resourceType": "Claim", "id": ident, "status": "active", "use": "claim", "created": "2026-03-05",
        "patient": {"reference": "Patient/x"}, "provider": {"reference": "Practitioner/p1"},
        "facility": {"reference": "Location/clinic-1"}, "item": items, **more,
    }  # fmt: skip


def values(*claims: JSON) -> dict[str, Any]:
    return {key: row["value"] for key, row in rows_in_memory(MEASURE, claims).items()}


def test_levels_4_and_5_of_office_visits() -> None:
    found = values(claim("a", "99213", "36415", "99215"), claim("b", "99204"), claim("c", "99284", "G0439"))
    assert found == {"a/1": 0.0, "a/3": 1.0, "b/1": 1.0}


def test_a_claim_that_was_replaced_cancelled_or_only_asked_for_does_not_count() -> None:
    prior = [{"claim": {"reference": "Claim/a"}, "relationship": {"coding": [{"code": "prior"}]}}]
    assert values(claim("a", "99215"), claim("b", "99214", related=prior)) == {"b/1": 1.0}
    associated = [{"claim": {"reference": "Claim/a"}, "relationship": {"coding": [{"code": "associated"}]}}]
    assert values(claim("a", "99215"), claim("b", "99213", related=associated)) == {"a/1": 1.0, "b/1": 0.0}
    assert values(claim("a", "99215", status="cancelled"), claim("b", "99215", use="preauthorization")) == {}
    cancelled = claim("b", "99214", related=prior, status="cancelled")
    assert values(claim("a", "99215"), cancelled) == {"a/1": 1.0}  # a cancelled replacement replaces nothing


def test_a_row_has_the_day_of_service_and_who_performed_it() -> None:
    one = claim("a", "99215", careTeam=[{"sequence": 1, "provider": {"reference": "Practitioner/p2"}}])
    one["item"][0]["servicedPeriod"] = {"start": "2026-03-01T23:30:00-06:00"}
    row = rows_in_memory(MEASURE, [one])["a/1"]
    assert (row["at"], row["clinician"], row["cluster"]) == (20513 * 86400, "p2", "Location/clinic-1")


def test_no_claims_no_rows() -> None:
    assert values() == {}
    assert MEASURE.info.direction == "flag"
    assert not MEASURE.info.judged
