"""What patients read: instructions for going home in plain words, and answers about access. English and Spanish."""

import re

from careplane.providers.scripted.prompt import Prompt
from careplane.providers.scripted.sentences import quote

HAND_OFF = "HAND OFF"
"""How a reply begins that passes the conversation to a person."""

_HOME: dict[str, dict[str, str]] = {
    "en": {
        "hello": "Hello",
        "intro": "You are going home. Here is what to do.",
        "drugs": "Your medicines",
        "do": "What to do",
        "visits": "Your visits",
        "ask": "Do not stop a pill on your own. Call your nurse if you are not sure.",
        "alarm": "Call 911 if you have chest pain or can not breathe well.",
        "none": "Ask your nurse. It is not in the chart.",
    },
    "es": {
        "hello": "Hola",
        "intro": "Usted va a su casa. Esto es lo que debe hacer.",
        "drugs": "Sus medicinas",
        "do": "Qué hacer",
        "visits": "Sus citas",
        "ask": "No deje una pastilla por su cuenta. Llame a su enfermera si tiene dudas.",
        "alarm": "Llame al 911 si tiene dolor de pecho o le falta el aire.",
        "none": "Pregunte a su enfermera. No está en la historia.",
    },
}
_ACCESS: dict[str, dict[str, str]] = {
    "en": {
        "slots": "These times are free:",
        "hours": "The clinic says:",
        "pick": "Tell me which one you want, and the desk will confirm it.",
        "none": "I have no answer to this in what I can see.",
        "person": "A person of the desk will take over now.",
        "symptom": "I can not judge how you feel. A nurse will take over now. If it gets worse, call 911.",
    },
    "es": {
        "slots": "Estas horas están libres:",
        "hours": "La clínica dice:",
        "pick": "Dígame cuál quiere y la recepción la confirma.",
        "none": "No tengo respuesta a esto en lo que puedo ver.",
        "person": "Una persona de la recepción sigue ahora.",
        "symptom": "No puedo valorar cómo se siente. Una enfermera sigue ahora. Si empeora, llame al 911.",
    },
}
_FEELING = re.compile(
    r"\b(?:pain|ache|hurts?|fever|rash|dizz\w*|nausea|vomit\w*|swell\w*|swollen|bleed\w*|cough|breath\w*|faint\w*|sick|worse"
    r"|dolor|fiebre|mareo|sangr\w*|tos|hinchad\w*)\b",
    re.I,
)
_BOOK = re.compile(r"\b(?:appointment|book|schedul\w*|visit|slot|see (?:a|my) doctor|cita|reserv\w*)\b", re.I)
_ABOUT = re.compile(
    r"\b(?:open|hours?|where|park\w*|address|phone|bring|interpreter|insurance|directions?|horario|dónde|traer)\b", re.I
)


def plain_instructions(prompt: Prompt) -> str:
    """Short sentences: medicines and steps as the chart has them, and whom to call."""
    texts = _HOME.get(prompt.language, _HOME["en"])
    drugs = [line for line in prompt.sources if line.kind == "MedicationRequest"]
    plans = [line for line in prompt.sources if line.kind == "CarePlan"]
    visits = [line for line in prompt.sources if line.kind == "Appointment"]
    said = [f"{texts['hello']} {prompt.first_name}".strip() + ",", texts["intro"]]
    for title, lines in ((texts["drugs"], drugs), (texts["do"], plans), (texts["visits"], visits)):
        if lines or title != texts["visits"]:
            rows = [f"- {quote(line)} [{line.n}]." for line in lines] or [f"- {texts['none']}"]
            said.append("\n".join((f"{title}:", *rows)))
    return "\n\n".join((*said, f"{texts['ask']} {texts['alarm']}"))


def access_answer(prompt: Prompt) -> str:
    """Free times or what the clinic says of itself; what a patient feels, and what is not known, goes to a person."""
    texts = _ACCESS.get(prompt.language, _ACCESS["en"])
    asked = prompt.message.strip().splitlines()[-1] if prompt.message.strip() else ""
    if _FEELING.search(asked):
        return f"{HAND_OFF}: {texts['symptom']}"
    slots = [line for line in prompt.sources if line.kind == "Slot"][:3]
    services = [line for line in prompt.sources if line.kind == "HealthcareService"][:1]
    if _BOOK.search(asked) and slots:
        return "\n".join((texts["slots"], *(f"- {line.text.rstrip('.')} [{line.n}]." for line in slots), texts["pick"]))
    if _ABOUT.search(asked) and services:
        return "\n".join(f"{texts['hours']} {quote(line)} [{line.n}]." for line in services)
    return f"{HAND_OFF}: {texts['none']} {texts['person']}"


__all__ = ["HAND_OFF", "access_answer", "plain_instructions"]
