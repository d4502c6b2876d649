"""Where a patient can be reached, from the chart: addresses by channel, language, jurisdiction, time zones."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from careplane.records import JSON, Record
from careplane.records.message import Channel
from careplane.workflow.messaging.hours import zone_of, zones_of_number
from careplane.workflow.messaging.policy import MessagePolicy

ZONES = ("http://hl7.org/fhir/StructureDefinition/timezone", "http://hl7.org/fhir/StructureDefinition/tz-code")
"""The extension of a patient's time zone, by its name in the extensions' registry and in FHIR R4."""

_LATE = 99


class Contact(Record, frozen=True):
    """A patient as somebody who can be written to. ``ways`` are channel and address in the patient's own order."""

    patient: str
    name: str = ""
    language: str = "en"
    jurisdiction: str = ""
    zone: str = ""
    ways: tuple[tuple[Channel, str], ...] = ()
    address: tuple[str, ...] = ()

    def zones(self, policy: MessagePolicy) -> tuple[ZoneInfo, ...]:
        """Where the patient may be: as the chart says, else where their numbers are from, else where the site is."""
        if (stated := zone_of(self.zone) if self.zone else None) is not None:
            return (stated,)
        numbers = [zone for channel, number in self.ways if channel == "sms" for zone in zones_of_number(number)]
        site = zone_of(policy.timezone) or ZoneInfo("UTC")
        return tuple(dict.fromkeys((*numbers, site)))


def contact_of(patient: JSON | None, reference: str, policy: MessagePolicy, on: date, *, by_portal: bool) -> Contact:
    """Read a Patient resource.

    Args:
        patient: the resource; ``None`` when there is none, whose address then is the portal alone.
        reference: its reference.
        policy: the site's.
        on: the day, for addresses that have ended.
        by_portal: whether the message answers one that came by the portal.
    """
    held = patient or {}
    ranked = sorted(_telecom(held, policy, on), key=lambda one: one[0])
    ways: list[tuple[Channel, str]] = [(channel, address) for _, channel, address in ranked]
    if by_portal or _has_portal(held, policy):
        first = not ways or ranked[0][0] >= _LATE or by_portal
        ways.insert(0 if first else len(ways), ("portal", reference))
    lines = _address(held, on)
    ways.append(("print", reference))
    return Contact(
        patient=reference,
        name=_name(held),
        language=_language(held),
        jurisdiction=_jurisdiction(held, on),
        zone=next(_zones(held), ""),
        ways=tuple(dict.fromkeys(ways)),
        address=lines,
    )


def _telecom(patient: JSON, policy: MessagePolicy, on: date) -> Iterator[tuple[int, Channel, str]]:
    """Rank, channel and address of what holds; FHIR: 1 is the most preferred, none is the least."""
    for one in _dicts(patient.get("telecom")):
        value, rank = one.get("value"), one.get("rank")
        if not isinstance(value, str) or one.get("use") == "old" or _ended(one, on):
            continue
        order = rank if isinstance(rank, int) and rank > 0 else _LATE
        if one.get("system") == "email":
            yield order, "email", value.strip()
        elif one.get("system") in ("sms", "phone") and (one["system"] == "sms" or one.get("use") != "work"):
            number = _e164(value, policy.region)
            if number:
                yield order, "sms", number


def _e164(text: str, region: str) -> str:
    """The number for the wire; empty for what is none, and for what is a landline for certain."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return ""
    kind = phonenumbers.number_type(number)
    if not phonenumbers.is_possible_number(number) or kind == phonenumbers.PhoneNumberType.FIXED_LINE:
        return ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _has_portal(patient: JSON, policy: MessagePolicy) -> bool:
    wanted = policy.portal_identifier
    return bool(wanted) and any(one.get("system") == wanted for one in _dicts(patient.get("identifier")))


def _language(patient: JSON) -> str:
    spoken = sorted(_dicts(patient.get("communication")), key=lambda one: one.get("preferred") is not True)
    for one in spoken:
        language = one.get("language")
        for coding in _dicts(language.get("coding") if isinstance(language, dict) else None):
            code = coding.get("code")
            if isinstance(code, str) and 2 <= len(code) <= 12 and code.replace("-", "").isalnum():
                return code
    return "en"


def _jurisdiction(patient: JSON, on: date) -> str:
    """``US-CA`` of the home address; empty when it is not known."""
    for one in _addresses(patient, on):
        country, state = str(one.get("country") or "US").upper(), str(one.get("state") or "").upper()
        if country in ("US", "USA") and len(state) == 2 and state.isalpha():
            return f"US-{state}"
    return ""


def _address(patient: JSON, on: date) -> tuple[str, ...]:
    for one in _addresses(patient, on):
        lines = [line for line in one.get("line") or () if isinstance(line, str)]
        town = " ".join(str(one[name]) for name in ("city", "state", "postalCode") if one.get(name))
        if lines and town:
            return (*lines, town)
    return ()


def _addresses(patient: JSON, on: date) -> list[dict[str, Any]]:
    held = [one for one in _dicts(patient.get("address")) if one.get("use") != "old" and not _ended(one, on)]
    return sorted(held, key=lambda one: one.get("use") not in (None, "home"))


def _name(patient: JSON) -> str:
    for one in sorted(_dicts(patient.get("name")), key=lambda one: one.get("use") != "official"):
        given: Sequence[object] = one.get("given") or ()
        parts = [*(part for part in given if isinstance(part, str)), one.get("family")]
        text = one.get("text") or " ".join(part for part in parts if isinstance(part, str))
        if isinstance(text, str) and text.strip():
            return text.strip()
    return ""


def _zones(patient: JSON) -> Iterator[str]:
    for one in _dicts(patient.get("extension")):
        value = one.get("valueCode")
        if one.get("url") in ZONES and isinstance(value, str):
            yield value


def _ended(one: dict[str, Any], on: date) -> bool:
    period = one.get("period")
    end = period.get("end") if isinstance(period, dict) else None
    return isinstance(end, str) and end[:10] < on.isoformat()


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
