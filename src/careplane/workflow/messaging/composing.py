"""The words of a message: disclosure, the signed text, whom to ask; and the notice where the text may not leave."""

from careplane.governance import Demand
from careplane.records.app import App
from careplane.records.message import Channel
from careplane.records.run import Run
from careplane.shield.checks import sentences
from careplane.shield.guards.form import grade_of
from careplane.workflow.messaging.policy import MessagePolicy
from careplane.workflow.resources import without_citations

SUBJECTS = {"en": "You have a message from {site}", "es": "Tiene un mensaje de {site}"}
NOTICES = {
    "en": "{site}: you have a new message from your care team.{link}",
    "es": "{site}: tiene un mensaje nuevo de su equipo de atención.{link}",
}
LINKS = {"en": " Read it at {link}", "es": " Léalo en {link}"}
STOPS = {"en": " Reply STOP to end these texts.", "es": " Responda STOP para no recibir más textos."}
UNSUBSCRIBE = {
    "en": "To end these e-mails: {url}",
    "es": "Para no recibir más correos: {url}",
}


def to_patient(app: App, run: Run) -> bool:
    """Whether what an app writes in this run is for the patient to read."""
    return app.spec.output.recipient == "patient" and run.event.patient is not None


def whole_text(policy: MessagePolicy, demanded: Demand, text: str, language: str) -> str:
    """What the patient reads: what the law wants first, the text without citation marks, how to reach a person."""
    contact = policy.in_language(policy.contact, language)
    parts = (*demanded.start, without_citations(text).strip(), contact, *demanded.end)
    return "\n\n".join(part for part in parts if part)


def subject_line(policy: MessagePolicy, language: str) -> str:
    """The subject of an e-mail or letter: nothing of what the message says."""
    return policy.in_language(SUBJECTS, language).format(site=policy.site_name)


def leaving_text(policy: MessagePolicy, channel: Channel, whole: str, language: str, unsubscribe: str) -> str:
    """What leaves by a channel: the whole text, or a notice that says nothing of it; and how to end messages."""
    if policy.carries(channel):
        text = whole
    else:
        link = policy.in_language(LINKS, language).format(link=policy.link) if policy.link else ""
        text = policy.in_language(NOTICES, language).format(site=policy.site_name, link=link)
    if channel == "sms":
        return text + policy.in_language(STOPS, language)
    if channel != "email":
        return text
    if not policy.carries(channel):
        text = f"{text}\n\n{policy.in_language(policy.contact, language)}"
    return f"{text}\n\n{policy.in_language(UNSUBSCRIBE, language).format(url=unsubscribe)}" if unsubscribe else text


def reading_grade(text: str) -> float | None:
    """The reading grade of a signed text, ``None`` when it is not measured (too short, not English)."""
    plain = without_citations(text)
    grade = grade_of(plain, len(sentences(plain)))
    return None if grade is None else round(grade, 1)
