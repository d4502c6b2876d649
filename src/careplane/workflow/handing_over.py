"""When a chat goes to a person, decided before a model is asked and once more after it answered; and what is said then.

Words of an emergency or a crisis are those of :mod:`careplane.shield.guards.crisis`. A word about how somebody feels is
enough for a nurse: the list is wide on purpose, since a question about a time that a person answers costs a minute, and
an emergency that gets a time costs more.
"""

import re

from careplane.records.chat import Handover
from careplane.records.run import Run
from careplane.shield.guards.crisis import crises

MARK = "HAND OFF"
"""How a model begins an answer that passes the conversation to a person; the prompt says so."""
MOST_TURNS = 20

_FEELING = re.compile(
    r"\b(?:pains?|painful|ach(?:e|es|ing)|hurt(?:s|ing)?|sore|fevers?|rash(?:es)?|dizz\w*|nause\w*|vomit\w*|swell\w*"
    r"|swollen|bleed\w*|blood|cough\w*|breath\w*|faint\w*|weak(?:ness)?|numb\w*|tired|sick|worse|symptoms?|infect\w*|burn(?:s|ing)?"
    r"|cramps?|diarrh\w*|pregnan\w*|overdos\w*|side effects?|allerg\w*|diagnos\w*|depress\w*|anxi\w*|headaches?"
    r"|migraine"
    r"|dolor\w*|fiebre|sarpullido|mare\w*|n[aá]usea\w*|v[oó]mit\w*|hinchad\w*|sangr\w*|tos|cansad\w*|enferm[oa]|peor|embaraz\w*)\b",
    re.I,
)
_PERSON = re.compile(
    r"\b(?:(?:talk|speak|connect me|put me through|transfer me)\b.{0,30}\b(?:person|human|someone|somebody|nurse"
    r"|doctor|agent"
    r"|operator|representative)|(?:a |real )(?:person|human)|operator|representative|call me back"
    r"|hablar con (?:una persona|alguien|la enfermera|el doctor)|una persona real)\b",
    re.I,
)
_EMERGENCY = {
    "en": "This may be an emergency. Call 911 now, or go to the nearest emergency department. If you think of "
    "harming yourself, call or text 988. A person of our team is being told now; do not wait for an answer here.",
    "es": "Esto puede ser una emergencia. Llame al 911 ahora o vaya a urgencias. Si piensa en hacerse daño, "
    "llame al 988. "
    "Avisamos ahora a una persona de nuestro equipo; no espere una respuesta aquí.",
}
_HANDED = {
    "en": "I am a computer program and cannot judge this. A person of our team takes over and will answer here. "
    "If it is "
    "urgent or gets worse, call 911.",
    "es": "Soy un programa y no puedo valorar esto. Una persona de nuestro equipo sigue y le responderá aquí. Si es "
    "urgente o empeora, llame al 911.",
}
_OPENING = {
    "en": "You are talking with a computer program, not a person. It can tell free times and how to reach us. Write “a "
    "person” at any time to reach one; in an emergency call 911.",
    "es": "Está hablando con un programa, no con una persona. Puede decirle horas libres y cómo llegar. Escriba "
    "“una persona "
    "real” en cualquier momento; en una emergencia llame al 911.",
}


def before(said: str) -> Handover | None:
    """Why a person has to take over at once, without a model being asked; ``None`` if the app may answer."""
    if crises(said):
        return "emergency"
    if _PERSON.search(said):
        return "asked"
    return "symptom" if _FEELING.search(said) else None


def after(run: Run) -> Handover | None:
    """Why the answer of a run is not sent and a person takes over; ``None`` if it may be sent."""
    if run.status == "refused":
        return "refused"
    if run.draft is None:
        return "failed"
    if run.draft.text.lstrip().upper().startswith(MARK):
        return "unsure"
    return "unsafe" if any(finding.severity == "critical" for finding in run.draft.findings) else None


def words(handover: Handover, language: str) -> str:
    """What the person who chats is told at a handover."""
    texts = _EMERGENCY if handover == "emergency" else _HANDED
    return texts.get(language, texts["en"])


def opening(language: str) -> str:
    """What stands before the first answer: that a program writes, and how to reach a person."""
    return _OPENING.get(language, _OPENING["en"])
