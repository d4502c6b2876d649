"""Launches from an EHR (SMART App Launch): which EHRs may, and what a session that began so is limited to."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from careplane.records import Record

EhrName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="lower case, digits, hyphen")]
Credentials = Literal["RS384", "ES384", "public"]


class Ehr(Record, frozen=True):
    """An EHR that may launch us. ``issuer`` is its FHIR base URL, exactly as it sends it (``iss``).

    ``credentials`` is how we prove who we are: a key that signs, or nothing but the name (``public``, PKCE only).
    ``frames`` are the origins of the pages that may show us in a frame; ``tenant`` must come with each launch where it
    is set. ``same_chart`` is the word of whoever registered it that its ids are those of the chart we read, though its
    address is another.
    """

    name: EhrName
    issuer: str
    client_id: str
    added_at: datetime
    added_by: str
    credentials: Credentials = "ES384"
    frames: tuple[str, ...] = ()
    tenant: str | None = None
    same_chart: bool = False


class Banner(Record, frozen=True):
    """Who the patient is, for the head of the page; empty where the chart does not say."""

    name: str = ""
    born: str = ""
    sex: str = ""
    identifier: str = ""


class Launch(Record, frozen=True):
    """What a session from an EHR is limited to: this patient, and drafts of these ``apps``.

    ``apps`` are those whose declared reads the EHR granted to the person who launched: a draft shows what its app read.
    ``app`` is the one that was opened, ``run`` the run that the EHR named. ``banner`` is ``None`` where the EHR shows
    who the patient is.
    """

    ehr: str
    patient: str
    encounter: str | None = None
    apps: tuple[str, ...] = ()
    app: str | None = None
    run: str | None = None
    banner: Banner | None = None
    frames: tuple[str, ...] = ()
