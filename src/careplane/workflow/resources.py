"""What comes back to the chart, as FHIR R4: the artefact, who made it, and what it rests on. All pure.

Every artefact carries ``meta.security`` AIAST (HL7 v3 ObservationValue: artificial intelligence asserted), a Device for
the app and its version that links its model card, and a Provenance that names the device, the person who signed and
every source. The link and the codes of the card are those of HL7 "AI Transparency on FHIR" 1.0.0-ballot (STU1 ballot 1,
January 2026); no profile of it is claimed, as it is not published yet.
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
from careplane.workflow.modelcard import card_text

RUN_SYSTEM = "urn:careplane:run"
DEVICE_SYSTEM = "urn:careplane:app"
CARD_SYSTEM = "urn:careplane:model-card"
CARD_CODES = "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AImodelCardCS"
CARD_EXTENSION = "http://hl7.org/fhir/uv/aitransparency/StructureDefinition/aitransparency.modelCardDescription"
OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

_CORRECTION = "This corrects an earlier message.\n\n"
_CITATION = re.compile(r"\s*\[\d[\d,\s]*\]")


def without_citations(text: str) -> str:
    """The text as a patient reads it: citation marks are taken out."""
    return _CITATION.sub("", text)


def with_sources(text: str, sources: Iterable[Source]) -> str:
    """The text as the chart keeps it: citation marks stay, and the list of what they mean follows."""
    lines = [f"[{source.n}] {source.reference}{f' ({source.date[:10]})' if source.date else ''}" for source in sources]
    return "\n".join([text, "", "Sources:", *lines]) if lines else text


def model_card(app: App, *, synthetic: bool) -> JSON:
    """The model card of an app and its version, as a DocumentReference with Markdown in it."""
    return _tagged(
        {
            "resourceType": "DocumentReference",
            "identifier": [{"system": CARD_SYSTEM, "value": card_key(app)}],
            "status": "current",
            "type": {"coding": [{"system": CARD_CODES, "code": "AIModelCard", "display": "AI Model-Card"}]},
            "category": [
                {"coding": [{"system": CARD_CODES, "code": "AImodelCardMarkdownFormat", "display": "Markdown Format"}]}
            ],
            "description": f"Model card of {app.spec.title}, version {app.spec.version}",
            "content": [
                {
                    "attachment": {
                        "contentType": "text/markdown; charset=utf-8",
                        "data": base64.b64encode(card_text(app).encode()).decode(),
                        "title": f"Model card of {app.spec.title}",
                    }
                }
            ],
        },
        synthetic,
    )


def device(app: App, card: str, *, synthetic: bool) -> JSON:
    """The app and its version as a Device; ``card`` is the reference of its model card."""
    spec = app.spec
    return _tagged(
        {
            "resourceType": "Device",
            "extension": [{"url": CARD_EXTENSION, "valueReference": {"reference": card}}],
            "identifier": [{"system": DEVICE_SYSTEM, "value": device_key(app)}],
            "status": "active",
            "deviceName": [{"name": spec.title, "type": "user-friendly-name"}],
            "type": {"text": "Generative AI application"},
            "version": [{"value": spec.version}],
            "note": [{"text": f"Manifest, prompt and lesson: SHA-256 {app.hash}"}],
        },
        synthetic,
    )


def card_key(app: App) -> str:
    """The identifier of the model card of an app: ``id@version``, and what of its folder it was made of."""
    return f"{app.id}@{app.spec.version}.{app.hash[:12]}"


def device_key(app: App) -> str:
    """The identifier of the Device of an app: ``id@version``."""
    return f"{app.id}@{app.spec.version}"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed text on its way to the chart; ``focus`` is the resource that a Communication answers, if any.

    ``n`` is 0 for the first text and counts the amendments, ``corrects`` is the artefact that it stands in for.
    """

    app: App
    run: Run
    text: str
    by: str
    at: datetime
    focus: JSON | None = None
    n: int = 0
    corrects: str | None = None

    @property
    def title(self) -> str:
        return self.app.spec.output.title

    @property
    def instant(self) -> str:
        return _instant(self.at)

    @property
    def key(self) -> str:
        """The identifier of the artefact: the run's, and which of its texts it is."""
        return f"{self.run.id}.{self.n}" if self.n else self.run.id


def artefact(signed: Signed) -> JSON:
    """The resource that a signed text becomes; the app's ``output.kind`` is a FHIR resource type (not ``text``)."""
    kind = signed.app.spec.output.kind
    whole = {
        "resourceType": kind,
        "meta": {"security": [AIAST]},
        **_identifier(kind, signed.key),
        **_MAKERS[kind](signed),
    }
    return _tagged({key: value for key, value in whole.items() if value is not None}, signed.run.synthetic)


@dataclass(frozen=True, slots=True)
class Act:
    """What was done to the chart, for its Provenance: HL7 v3 DataOperation ``code``, in words, and why."""

    code: str
    text: str
    reason: str = ""
    before: str | None = None


def provenance(signed: Signed, target: str, maker: str, act: Act | None = None) -> JSON:
    """Who made the artefact (``maker``, the app as Device), who signed it, and every source it rests on.

    ``recorded`` is when it was signed, ``occurred`` when the draft was written. With ``act`` it is the Provenance of a
    later deed of a person, in which the app had no part but the draft before it.
    """
    run = signed.run
    act = act or Act("CREATE", "drafted by the app, reviewed and signed by a person")
    focus = [run.event.focus] if run.event.focus else []
    used = dict.fromkeys([*focus, *(source.reference for source in run.sources)])
    entities: list[JSON] = [{"role": "source", "what": {"reference": one}} for one in used]
    if act.before is not None:
        role = "removal" if act.code == "NULLIFY" else "revision"
        entities.insert(0, {"role": role, "what": {"reference": act.before}})
    resource: JSON = {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": signed.instant,
        **({"occurredDateTime": _instant(run.created_at)} if act.code == "CREATE" else {}),
        **({"reason": [{"text": act.reason}]} if act.reason else {}),
        "activity": {
            "coding": [{"system": OPERATION, "code": act.code}],
            "text": f"{signed.app.spec.title}: {act.text}",
        },
        "agent": [_agent("assembler", maker), _agent("verifier", signed.by), _agent("legal", signed.by)],
    }
    if entities:
        resource["entity"] = entities
    return _tagged(resource, run.synthetic)


def _communication(signed: Signed) -> JSON:
    event, focus = signed.run.event, signed.focus or {}
    patient = _reference(event.patient)
    corrected = f"Corrects {signed.corrects}" if signed.corrects else ""
    return {
        "inResponseTo": _references(event.focus),
        "status": "completed",
        "category": focus.get("category"),
        "subject": patient,
        "encounter": _reference(event.encounter),
        "about": _several(event.unit, signed.corrects),
        "sent": signed.instant,
        "sender": {"reference": signed.by},
        "recipient": [focus.get("sender") or patient] if patient or focus else None,
        "payload": [{"contentString": _CORRECTION * bool(signed.corrects) + without_citations(signed.text)}],
        "note": [{"text": one} for one in (signed.title, corrected) if one] or None,
    }


def _document(signed: Signed) -> JSON:
    run, event = signed.run, signed.run.event
    data = base64.b64encode(with_sources(signed.text, run.sources).encode()).decode()
    related = [{"reference": one} for one in (event.unit, event.focus) if one]
    context = {"encounter": _references(event.encounter), "related": related or None}
    return {
        "status": "current",
        "docStatus": "amended" if signed.n else "final",
        "relatesTo": [{"code": "replaces", "target": {"reference": signed.corrects}}] if signed.corrects else None,
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
        "status": "amended" if signed.n else "final",
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
        "status": "amended" if signed.n else "completed",
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


def _identifier(kind: str, key: str) -> JSON:
    """Composition and QuestionnaireResponse have one identifier in R4, the others several."""
    identifier = {"system": RUN_SYSTEM, "value": key}
    return {"identifier": identifier if kind in ("Composition", "QuestionnaireResponse") else [identifier]}


def _agent(kind: str, who: str) -> JSON:
    return {"type": {"coding": [{"system": PARTICIPANT, "code": kind}]}, "who": {"reference": who}}


def _reference(value: str | None) -> JSON | None:
    return None if value is None else {"reference": value}


def _references(value: str | None) -> list[JSON] | None:
    return None if value is None else [{"reference": value}]


def _several(*values: str | None) -> list[JSON] | None:
    return [{"reference": one} for one in values if one] or None


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _tagged(resource: JSON, synthetic: bool) -> JSON:
    if not synthetic:
        return resource
    return {**resource, "meta": {**resource.get("meta", {}), "tag": [TEST_DATA]}}
