"""Records as FHIR R4 AuditEvents after IHE Basic Audit Log Patterns (BALP 1.1): who did what to whose data, and how it
went.

Patients and people are pseudonyms in an ``identifier``, never a name. A record whose kind has no BALP pattern, or whose
patient is not known where the pattern wants one, becomes an AuditEvent without a profile. Terms: DICOM PS3.16, FHIR R4
``audit-event-type`` and ``restful-interaction``, ISO 21089 lifecycle events.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from careplane.ledger.chain import LedgerRecord
from careplane.records import JSON, Record

PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
KINDS = "urn:careplane:ledger:kind"
PSEUDONYMS = "urn:careplane:ledger:pseudonym"
APPS = "urn:careplane:app"
RUNS = "urn:careplane:run"
KEYS = "urn:careplane:key"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_TERMS = "http://terminology.hl7.org/CodeSystem/"
_KEY = "key-"
_REMEMBERED = 100_000


class _Pattern(Record, frozen=True):
    """How a kind of record is told. ``form`` names the BALP profile (``Patient`` is put before it where the patient is
    known and the profile has such a variant); ``direction`` is where the data went."""

    form: str
    type: JSON
    subtypes: tuple[JSON, ...]
    action: str


def _coding(system: str, code: str, display: str) -> JSON:
    return {"system": system, "code": code, "display": display}


def _rest(code: str) -> JSON:
    return _coding("http://hl7.org/fhir/restful-interaction", code, code)


_RESTFUL = _coding(_TERMS + "audit-event-type", "rest", "Restful Operation")
_DISCLOSE = _coding(_TERMS + "iso-21089-lifecycle", "disclose", "Disclose Record Lifecycle Event")
_READ = _Pattern(form="Read", type=_RESTFUL, subtypes=(_rest("read"),), action="R")
_CREATE = _Pattern(form="Create", type=_RESTFUL, subtypes=(_rest("create"),), action="C")
_EXPORT = _Pattern(
    form="PrivacyDisclosure.Source", type=_coding(_DCM, "110106", "Export"), subtypes=(_DISCLOSE,), action="R"
)
_LOGIN = _Pattern(
    form="",
    type=_coding(_DCM, "110114", "User Authentication"),
    subtypes=(_coding(_DCM, "110122", "Login"),),
    action="E",
)
_OTHER = _Pattern(form="", type=_coding(_DCM, "110100", "Application Activity"), subtypes=(), action="E")
_PATTERNS = {
    "model_call": _EXPORT,
    "model.called": _EXPORT,
    "model_error": _EXPORT,
    "model_shadow": _EXPORT,
    "run.drafted": _READ,
    "run_viewed": _READ,
    "draft_viewed": _READ,
    "sample_viewed": _READ,
    "run.written": _CREATE,
    "signed_in": _LOGIN,
}
_FAILED = {
    "model_error": "8",
    "run.failed": "8",
    "run.refused": "4",
    "model_refused": "4",
    "request_refused": "4",
}


def audit_events(records: Iterable[LedgerRecord], site: str = "careplane", kind: str | None = None) -> Iterator[JSON]:
    """Tell records as AuditEvents, in their order.

    Args:
        records: in the order of the ledger: what a run's first record says of patient and user holds for the rest.
        site: name of this installation, as observer and network address.
        kind: only records of this kind are told.
    """
    people: OrderedDict[str, tuple[str | None, str | None]] = OrderedDict()
    for record in records:
        told = people_of(record, people)
        if kind in (None, record.kind):
            yield _event(record, *told, site)


def people_of(
    record: LedgerRecord, known: OrderedDict[str, tuple[str | None, str | None]]
) -> tuple[str | None, str | None]:
    """The pseudonyms of the patient and of the user of a record, from itself or from its run's earlier records."""
    patient, user = (_text(record, name) for name in ("patient", "user"))
    if record.run is not None:
        before = known.get(record.run, (None, None))
        patient, user = patient or before[0], user or before[1]
        known[record.run] = patient, user
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
    return patient, user


def _event(record: LedgerRecord, patient: str | None, user: str | None, site: str) -> JSON:
    pattern = _PATTERNS.get(record.kind, _OTHER)
    outcome = _FAILED.get(record.kind, "0")
    profile = _profile(pattern, patient, outcome)
    event: JSON = {
        "resourceType": "AuditEvent",
        "id": record.hash,
        "type": pattern.type,
        "subtype": [*pattern.subtypes, {"system": KINDS, "code": record.kind}],
        "action": pattern.action,
        "recorded": record.at.isoformat().replace("+00:00", "Z"),
        "outcome": outcome,
        "agent": list(_agents(record, pattern, record.actor or user, site)),
        "source": {
            "site": site,
            "observer": _observer(site),
            "type": [_coding(_TERMS + "security-source-type", "4", "Application Server")],
        },
        "entity": list(_entities(record, patient)),
    }
    if profile:
        event["meta"] = {"profile": [PROFILES + profile]}
    if purpose := _text(record, "purpose"):
        event["purposeOfEvent"] = [{"text": purpose}]
    return event


def _profile(pattern: _Pattern, patient: str | None, outcome: str) -> str:
    """The BALP profile that the event meets; those of reads and creates are for successes only."""
    if pattern.form.startswith("Privacy"):
        return pattern.form if patient else ""
    if not pattern.form or outcome != "0":
        return ""
    return ("Patient" if patient else "") + pattern.form


def _agents(record: LedgerRecord, pattern: _Pattern, person: str | None, site: str) -> Iterator[JSON]:
    other = _text(record, "target") or _text(record, "provider") or _text(record, "route")
    app: JSON = {"identifier": {"system": APPS, "value": record.app}} if record.app else {"display": "console"}
    if pattern is _EXPORT:
        yield _system("110153", "Source Role ID", _observer(site), site)
        yield _system("110152", "Destination Role ID", {"display": other or "model"}, other or "model")
    elif pattern is _READ:
        yield _system("110153", "Source Role ID", _observer(site), site)
        yield _system("110152", "Destination Role ID", app, record.app or "console")
    else:
        yield _system("110153", "Source Role ID", app, record.app or "console")
        yield _system("110152", "Destination Role ID", _observer(site), site)
    if person and person.startswith(_KEY):
        kind = _coding(_DCM, "110150", "Application")
        yield {
            "type": {"coding": [kind]},
            "who": {"identifier": {"system": KEYS, "value": person}},
            "requestor": True,
        }
    elif person:
        role = {"R": ("IRCP", "information recipient"), "C": ("AUT", "author")}.get(pattern.action)
        kind = (
            _coding(_TERMS + "v3-ParticipationType", *role)
            if role and pattern is not _EXPORT
            else _coding(_TERMS + "extra-security-role-type", "humanuser", "human user")
        )
        who = {"identifier": {"system": PSEUDONYMS, "value": person}}
        yield {"type": {"coding": [kind]}, "who": who, "requestor": True}


def _system(code: str, display: str, who: JSON, address: str) -> JSON:
    network = {"address": address, "type": "1"}
    return {"type": {"coding": [_coding(_DCM, code, display)]}, "who": who, "requestor": False, "network": network}


def _entities(record: LedgerRecord, patient: str | None) -> Iterator[JSON]:
    if patient:
        yield {
            "what": {"type": "Patient", "identifier": {"system": PSEUDONYMS, "value": patient}},
            "type": _coding(_TERMS + "audit-entity-type", "1", "Person"),
            "role": _coding(_TERMS + "object-role", "1", "Patient"),
        }
    yield {
        "what": {"identifier": {"system": RUNS, "value": record.run or f"record-{record.seq}"}},
        "type": _coding(_TERMS + "audit-entity-type", "2", "System Object"),
        "role": _coding(_TERMS + "object-role", "20", "Job"),
        "detail": [
            {"type": name, "valueString": str(value)} for name, value in record.facts.items() if value not in (None, "")
        ]
        + [{"type": "seq", "valueString": str(record.seq)}],
    }


def _observer(site: str) -> JSON:
    return {"display": site}


def _text(record: LedgerRecord, name: str) -> str | None:
    value = record.facts.get(name)
    return value if isinstance(value, str) and value else None
