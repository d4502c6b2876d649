"""What comes back to the chart, as FHIR R4: the artefact, who made it, and what it rests on. All pure.

Every artefact carries ``meta.security`` AIAST (HL7 v3 ObservationValue: artificial intelligence asserted), a Device for
the app and its version, and a Provenance that names the device, the person who signed and every source.
"""

import base64
import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from careplane.codecs.fhir_labels import AIAST, TEST_DATA
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.run import Run, Source

RUN_SYSTEM = "urn:careplane:run"
DEVICE_SYSTEM = "urn:careplane:app"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

_CITATION = re.compile(r"\s*\[\d[\d,\s]*\]")


def without_citations(text: str) -> str:
    """The text as a patient reads it: citation marks are taken out."""
    return _CITATION.sub("", text)


def with_sources(text: str, sources: Iterable[Source]) -> str:
    """The text as the chart keeps it: citation marks stay, and the list of what they mean follows."""
    lines = [f"[{source.n}] {source.reference}{f' ({source.date[:10]})' if source.date else ''}" for source in sources]
    return "\n".join([text, "", "Sources:", *lines]) if lines else text


def device(app: App, *, synthetic: bool) -> JSON:
    """The app and its version as a Device."""
    spec = app.spec
    return _tagged(
        {
            "resourceType": "Device",
            "identifier": [{"system": DEVICE_SYSTEM, "value": device_key(app)}],
            "status": "active",
            "deviceName": [{"name": spec.title, "type": "user-friendly-name"}],
            "type": {"text": "Generative AI application"},
            "version": [{"value": spec.version}],
            "note": [{"text": f"Manifest, prompt and lesson: SHA-256 {app.hash}"}],
        },
        synthetic,
    )


def device_key(app: App) -> str:
    """The identifier of the Device of an app: ``id@version``."""
    return f"{app.id}@{app.spec.version}"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed text on its way to the chart; ``focus`` is the resource that a Communication answers, if any."""

    app: App
    run: Run
    text: str
    by: str
    at: datetime
    focus: JSON | None = None

    @property
    def title(self) -> str:
        return self.app.spec.output.title

    @property
    def instant(self) -> str:
        return _instant(self.at)


def artefact(signed: Signed) -> JSON:
    """The resource that a signed text becomes; the app's ``output.kind`` is a FHIR resource type (not ``text``)."""
    kind = signed.app.spec.output.kind
    whole = {
        "resourceType": kind,
        "meta": {"security": [AIAST]},
        **_identifier(kind, signed.run),
        **_MAKERS[kind](signed),
    }
    return _tagged({key: value for key, value in whole.items() if value is not None}, signed.run.synthetic)


def provenance(signed: Signed, target: str, maker: str) -> JSON:
    """Who made the artefact (``maker``, the app as Device), who signed it, and every source it rests on."""
    run = signed.run
    focus = [run.event.focus] if run.event.focus else []
    used = dict.fromkeys([*focus, *(source.reference for source in run.sources)])
    resource: JSON = {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": signed.instant,
        "activity": {"text": f"{signed.app.spec.title}: drafted by the app, reviewed and signed by a person"},
        "agent": [_agent("assembler", maker), _agent("verifier", signed.by), _agent("legal", signed.by)],
    }
    if used:
        resource["entity"] = [{"role": "source", "what": {"reference": one}} for one in used]
    return _tagged(resource, run.synthetic)


def _communication(signed: Signed) -> JSON:
    event, focus = signed.run.event, signed.focus or {}
    patient = _reference(event.patient)
    return {
        "inResponseTo": _references(event.focus),
        "status": "completed",
        "category": focus.get("category"),
        "subject": patient,
        "encounter": _reference(event.encounter),
        "about": _references(event.unit),
        "sent": signed.instant,
        "sender": {"reference": signed.by},
        "recipient": [focus.get("sender") or patient] if patient or focus else None,
        "payload": [{"contentString": without_citations(signed.text)}],
        "note": [{"text": signed.title}] if signed.title else None,
    }


def _document(signed: Signed) -> JSON:
    run, event = signed.run, signed.run.event
    data = base64.b64encode(with_sources(signed.text, run.sources).encode()).decode()
    related = [{"reference": one} for one in (event.unit, event.focus) if one]
    context = {"encounter": _references(event.encounter), "related": related or None}
    return {
        "status": "current",
        "docStatus": "final",
        "type": {"text": signed.title},
        "subject": _reference(event.patient),
        "date": signed.instant,
        "author": [{"reference": signed.by}],
        "authenticator": {"reference": signed.by},
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "data": data,
                    "title": signed.title,
                    "creation": signed.instant,
                }
            }
        ],
        "context": {key: value for key, value in context.items() if value} or None,
    }


def _composition(signed: Signed) -> JSON:
    run, event = signed.run, signed.run.event
    entries = [{"reference": source.reference} for source in run.sources]
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in signed.text.splitlines() if line.strip())
    return {
        "status": "final",
        "type": {"text": signed.title},
        "subject": _reference(event.patient),
        "encounter": _reference(event.encounter),
        "date": signed.instant,
        "author": [{"reference": signed.by}],
        "title": signed.title,
        "attester": [{"mode": "professional", "time": signed.instant, "party": {"reference": signed.by}}],
        "section": [
            {
                "title": signed.title,
                "text": {
                    "status": "generated",
                    "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>',
                },
                **({"entry": entries} if entries else {}),
            }
        ],
    }


def _task(signed: Signed) -> JSON:
    run, event = signed.run, signed.run.event
    return {
        "status": "requested",
        "intent": "proposal",
        "code": {"text": signed.title},
        "description": with_sources(signed.text, run.sources),
        "focus": _reference(event.focus),
        "for": _reference(event.patient),
        "encounter": _reference(event.encounter),
        "authoredOn": signed.instant,
        "requester": {"reference": signed.by},
        "location": _reference(event.unit),
    }


def _questionnaire_response(signed: Signed) -> JSON:
    event = signed.run.event
    text = with_sources(signed.text, signed.run.sources)
    return {
        "status": "completed",
        "subject": _reference(event.patient),
        "encounter": _reference(event.encounter),
        "authored": signed.instant,
        "author": {"reference": signed.by},
        "item": [{"linkId": "1", "text": signed.title, "answer": [{"valueString": text}]}],
    }


_MAKERS: dict[str, Callable[[Signed], JSON]] = {
    "Communication": _communication,
    "DocumentReference": _document,
    "Composition": _composition,
    "Task": _task,
    "QuestionnaireResponse": _questionnaire_response,
}


def _identifier(kind: str, run: Run) -> JSON:
    """Composition and QuestionnaireResponse have one identifier in R4, the others several."""
    identifier = {"system": RUN_SYSTEM, "value": run.id}
    return {"identifier": identifier if kind in ("Composition", "QuestionnaireResponse") else [identifier]}


def _agent(kind: str, who: str) -> JSON:
    return {"type": {"coding": [{"system": PARTICIPANT, "code": kind}]}, "who": {"reference": who}}


def _reference(value: str | None) -> JSON | None:
    return None if value is None else {"reference": value}


def _references(value: str | None) -> list[JSON] | None:
    return None if value is None else [{"reference": value}]


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _tagged(resource: JSON, synthetic: bool) -> JSON:
    if not synthetic:
        return resource
    return {**resource, "meta": {**resource.get("meta", {}), "tag": [TEST_DATA]}}
