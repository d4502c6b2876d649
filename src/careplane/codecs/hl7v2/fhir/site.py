"""What the mapping must know of a site: whose numbers are whose, its time zone, and how ids are made.

A resource has the same id whenever its message, or a later one about the same thing, is mapped: a hash of its type and
identifier. Ids begin with ``v2-``, so that nobody takes them for those of an EHR.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from careplane.codecs.hl7v2.message import Message, Part
from careplane.records import JSON

PREFIX = "v2-"
OWN_SYSTEM = "urn:careplane:hl7v2:"


@dataclass(frozen=True, slots=True)
class Site:
    """A site.

    ``systems`` maps assigning authorities (the namespace of CX-4) to the URI by which FHIR knows them; ``zone`` is
    that of times which carry no offset. ``staff`` is the authority (its name, or the URI of its numbers) whose numbers
    are the ids of the staff list; empty: nobody's are.
    """

    systems: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    staff: str = ""

    def system(self, authority: Part, facility: str) -> str:
        """The URI of an assigning authority (HD); an own one where nothing is known, made of its name or else of the
        facility that sent the message."""
        namespace, universal, kind = authority.text(1), authority.text(2), authority.text(3).upper()
        if namespace in self.systems:
            return self.systems[namespace]
        if universal:
            if kind == "ISO" or universal.replace(".", "").isdigit():
                return f"urn:oid:{universal}"
            if kind in ("UUID", "GUID"):
                return f"urn:uuid:{universal.lower()}"
            return universal if ":" in universal and " " not in universal else f"{OWN_SYSTEM}{_slug(universal)}"
        return f"{OWN_SYSTEM}{_slug(namespace or facility or 'unknown')}"

    def is_staff(self, system: str) -> bool:
        """Whether the numbers of a system are the ids of the staff list."""
        if not self.staff or ":" in self.staff:
            return bool(self.staff) and system == self.staff
        return system == self.systems.get(self.staff, f"{OWN_SYSTEM}{_slug(self.staff)}")


def is_known(system: str) -> bool:
    """Whether an EHR may know a system; one that we named ourselves it cannot."""
    return not system.startswith(OWN_SYSTEM)


def resource_id(kind: str, *parts: str) -> str:
    """The id of a resource by what identifies it."""
    return PREFIX + hashlib.sha256("\0".join((kind, *parts)).encode(errors="surrogatepass")).hexdigest()[:32]


def facility_of(message: Message) -> str:
    """MSH-4, else MSH-3: whose numbers are meant where no authority is named."""
    return message.header.text(4) or message.header.text(3)


def without_empty(resource: JSON) -> JSON:
    """The resource without elements that are empty; FHIR allows none."""
    return {name: value for name, value in resource.items() if value not in (None, "", [], {})}


def _slug(text: str) -> str:
    return "".join(one if one.isalnum() or one in "-._" else "-" for one in text)[:64]
