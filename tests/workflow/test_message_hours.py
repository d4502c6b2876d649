"""Quiet hours and addresses: pure parts of a message's way."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.governance import read_disclosure_rules
from careplane.records import JSON
from careplane.workflow.messaging import MessagePolicy
from careplane.workflow.messaging.addressing import contact_of
from careplane.workflow.messaging.hours import next_allowed, zones_of_number

QUIET = (time(21), time(8))
PHOENIX, CHICAGO, NEW_YORK = (ZoneInfo(f"America/{name}") for name in ("Phoenix", "Chicago", "New_York"))
POLICY = MessagePolicy(rules=read_disclosure_rules(), timezone="America/Chicago", portal_identifier="urn:portal")
DAY = date(2026, 3, 2)


def at(hour: int, minute: int = 0, zone: ZoneInfo = CHICAGO, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=zone)


@pytest.mark.parametrize(
    ("moment", "zones", "allowed"),
    [
        (at(12), [CHICAGO], at(12)),
        (at(8), [CHICAGO], at(8)),
        (at(7, 59), [CHICAGO], at(8)),
        (at(20, 59), [CHICAGO], at(20, 59)),
        (at(21), [CHICAGO], at(8, day=3)),
        (at(23), [CHICAGO], at(8, day=3)),
        (at(8), [CHICAGO, PHOENIX], at(8, zone=PHOENIX)),
        (at(20, 30), [CHICAGO, NEW_YORK], at(8, day=3)),
        # the clocks go forward in the night of 8 March 2026
        (at(22, day=7), [CHICAGO], at(8, day=8)),
        (at(12), [], at(12)),
    ],
)
def test_the_next_moment_that_is_quiet_nowhere(moment: datetime, zones: list[ZoneInfo], allowed: datetime) -> None:
    assert next_allowed(moment, zones, *QUIET) == allowed


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    assert next_allowed(at(12), [CHICAGO], time(11), time(13)) == at(13)
    assert next_allowed(at(12), [CHICAGO], time(0), time(0)) == at(12)


@given(st.integers(0, 366 * 24 * 60))
def test_it_is_never_quiet_then_and_never_more_than_a_day_away(minutes: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    allowed = next_allowed(moment, [CHICAGO, PHOENIX, NEW_YORK], *QUIET)
    for zone in (CHICAGO, PHOENIX, NEW_YORK):
        assert time(8) <= allowed.astimezone(zone).time() < time(21)
    assert 0 <= (allowed - moment).total_seconds() < 86400


def test_zones_of_numbers() -> None:
    assert zones_of_number("+16025550123") == (PHOENIX,)
    assert zones_of_number("+12125550123") == (NEW_YORK,)
    assert zones_of_number("nothing") == ()
    assert zones_of_number("+15005550006") == (), "of no area"


def test_a_patient_with_everything() -> None:
    patient: JSON = {
        "resourceType": "Patient",
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "America/Phoenix"}],
        "identifier": [{"system": "urn:portal", "value": "x"}],
        "name": [{"use": "nickname", "text": "Ann"}, {"use": "official", "given": ["Ana", "M."], "family": "Quill"}],
        "telecom": [
            {"system": "phone", "value": "(602) 555-0100", "use": "old"},
            {"system": "phone", "value": "(602) 555-0123", "rank": 2},
            {"system": "phone", "value": "(602) 555-0199", "use": "work"},
            {"system": "email", "value": "ana@example.org", "rank": 1},
            {"system": "email", "value": "gone@example.org", "period": {"end": "2020-01-01"}},
            {"system": "phone", "value": "ask my neighbour"},
        ],
        "address": [{"use": "old", "state": "TX", "line": ["x"], "city": "y"},
                    {"line": ["12 Elm St"], "city": "Fresno", "state": "CA", "postalCode": "93650", "country": "US"}],
        "communication": [{"language": {"coding": [{"code": "en"}]}},
                          {"language": {"coding": [{"code": "es-MX"}]}, "preferred": True}],
    }  # fmt: skip
    contact = contact_of(patient, "Patient/p", POLICY, DAY, by_portal=False)
    assert contact.ways == (
        ("email", "ana@example.org"),
        ("sms", "+16025550123"),
        ("portal", "Patient/p"),
        ("print", "Patient/p"),
    )
    assert (contact.name, contact.language, contact.jurisdiction) == ("Ana M. Quill", "es-MX", "US-CA")
    assert contact.address == ("12 Elm St", "Fresno CA 93650")
    assert contact.zones(POLICY) == (PHOENIX,)
    assert contact_of(patient, "Patient/p", POLICY, DAY, by_portal=True).ways[0] == ("portal", "Patient/p")


@pytest.mark.parametrize("patient", [None, {}, {"telecom": "x", "name": 3, "address": [1], "communication": {}}])
def test_a_patient_with_nothing_gets_a_letter(patient: JSON | None) -> None:
    contact = contact_of(patient, "Patient/p", POLICY, DAY, by_portal=False)
    assert contact.ways == (("print", "Patient/p"),)
    assert (contact.language, contact.jurisdiction) == ("en", "")
    assert contact.zones(POLICY) == (CHICAGO,)


def test_without_a_stated_zone_the_numbers_and_the_site_count() -> None:
    patient: JSON = {"telecom": [{"system": "phone", "value": "+1 212 555 0123"}]}
    contact = contact_of(patient, "Patient/p", POLICY, DAY, by_portal=False)
    assert contact.zones(POLICY) == (NEW_YORK, CHICAGO)
