"""Replies to portal messages: greeting, what the chart says on the topic, what happens next. English and Spanish."""

import re

from careplane.providers.scripted.prompt import Prompt
from careplane.providers.scripted.sentences import cite

_URGENT = re.compile(
    r"chest (?:pain|pressure|tight)|(?:trouble|hard to|can'?t|difficulty) breath|short(?:ness)? of breath|suicid"
    r"|kill myself|want to die|slurred speech|passed out|cough\w* (?:up )?blood|worst headache|throat is (?:clos|swell)"
    r"|dolor (?:en el |de )pecho|falta de aire|no puedo respirar|quiero morir",
    re.I,
)
_TOPICS: tuple[tuple[str, re.Pattern[str], tuple[str, ...]], ...] = (
    ("refill", re.compile(r"refill|prescription|pharmacy|run(?:ning)? out|receta|farmacia|medicin", re.I),
     ("MedicationRequest", "mg", "tablet", "medication")),
    ("result", re.compile(r"result|lab\b|labs\b|blood (?:test|work)|a1c|cholesterol|x-ray|resultado|análisis", re.I),
     ("Observation", "DiagnosticReport", "result", "mg/dL", "mmol")),
    ("appointment", re.compile(r"appointment|reschedul|schedule|visit|cancel|cita\b", re.I), ("Appointment", "visit")),
    ("form", re.compile(r"\bform\b|paperwork|letter|fmla|school|work note|formulario|carta", re.I),
     ("Condition", "DocumentReference")),
    ("symptom", re.compile(r"pain|ache|hurt|cough|fever|rash|dizz|nausea|swell|tired|dolor|fiebre|tos\b|mareo", re.I),
     ("Condition", "Encounter")),
)  # fmt: skip
_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "hello": "Hello",
        "thanks": "Thank you for your message.",
        "chart": "Your chart lists",
        "urgent": "Please call 911 or go to the nearest emergency department now, because what you describe can be "
        "serious. Do not wait for a reply here.",
        "crisis": "If you may hurt yourself, please call or text 988 now, at any hour.",
        "refill": "We will review the refill and send it to your pharmacy once it is approved. "
        "Please tell us if you have missed doses or had side effects.",
        "result": "We will go over what the result means for you. Please tell us how you have been feeling.",
        "appointment": "We can help you find a time. Please tell us which days suit you.",
        "form": "We can complete the form for you. Please send us a copy and the date it is due.",
        "symptom": "Please tell us when it began, what makes it better or worse, and whether you have a fever. "
        "Please call us the same day if it gets worse.",
        "other": "We will look into this and answer you. Please tell us if there is anything to add.",
        "close": "Take care,\nYour care team",
    },
    "es": {
        "hello": "Hola",
        "thanks": "Gracias por su mensaje.",
        "chart": "Su historia clínica indica:",
        "urgent": "Por favor llame al 911 o acuda a urgencias ahora, porque lo que describe puede ser grave. "
        "Por favor no espere una respuesta por este medio.",
        "crisis": "Si piensa en hacerse daño, por favor llame al 988 ahora, a cualquier hora.",
        "refill": "Revisaremos la receta y la enviaremos a su farmacia cuando se apruebe. "
        "Por favor díganos si ha olvidado dosis o ha tenido molestias.",
        "result": "Revisaremos con usted lo que significa el resultado. Por favor díganos cómo se ha sentido.",
        "appointment": "Puede cambiar la cita. Por favor díganos qué días le convienen.",
        "form": "Puede enviarnos el formulario. Por favor díganos para qué fecha lo necesita.",
        "symptom": "Por favor díganos cuándo empezó y qué lo mejora o empeora. "
        "Por favor llámenos el mismo día si empeora.",
        "other": "Revisaremos su pregunta y le responderemos. Por favor díganos si desea agregar algo.",
        "close": "Atentamente,\nSu equipo de atención",
    },
}
_CRISIS = re.compile(r"suicid|kill myself|want to die|quiero morir", re.I)


def draft_reply(prompt: Prompt) -> str:
    """A reply to the patient's message, in the language of the prompt (English when it is not known)."""
    texts = _TEXTS.get(prompt.language, _TEXTS["en"])
    topic, kinds = topic_of(prompt.message)
    greeting = f"{texts['hello']} {prompt.first_name}".strip() + ","
    said = [texts["thanks"]]
    if _URGENT.search(prompt.message):
        said.append(texts["urgent"])
        if _CRISIS.search(prompt.message):
            said.append(texts["crisis"])
    said += [cite(texts["chart"], line) for line in prompt.about(*kinds, limit=2)]
    said.append(texts[topic])
    return f"{greeting}\n\n{' '.join(said)}\n\n{texts['close']}."


def topic_of(message: str) -> tuple[str, tuple[str, ...]]:
    """The topic of a message and the words by which its sources are found."""
    for topic, pattern, kinds in _TOPICS:
        if pattern.search(message):
            return topic, kinds
    return "other", ()
