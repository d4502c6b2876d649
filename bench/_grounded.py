"""Charts with structured FHIR, drafts about them in two manners, and one seeded fault per draft, for ``guards.py``.

The charts are those of 79 synthetic patients (Synthea bulk data); as they hold few medicines and no allergies, every
chart gets three medicines, an allergy, a sided finding and a note with denials of our own, drawn by seed. *Quoted*
drafts are the scripted model's, which repeats its sources; *told* drafts say the same in other words (dates, units,
brand for generic, a class for a drug), as a language model does.
"""

import base64
import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from careplane.providers.scripted import write
from careplane.records.model import ChatRequest
from careplane.records.run import Source
from careplane.shield.guards.grounding import sources_of
from careplane.shield.guards.grounding.lexicon import Drug, classes_of, table

JSON = dict[str, Any]
KEPT = {"Condition": 6, "Procedure": 3, "Observation": 8, "Immunization": 3, "Encounter": 2, "DiagnosticReport": 1}
DOSES = ("2.5 mg", "5 mg", "10 mg", "20 mg", "40 mg", "75 mg", "100 mg", "250 mg", "500 mg", "1000 mg")
SITES = ("knee", "shoulder", "wrist", "hip", "breast", "lung", "kidney", "ear")
SIDED = ("Osteoarthritis of {} {}", "Pain in {} {}", "Mass of {} {}", "Injury of {} {}")
DENIALS = ("chest pain", "shortness of breath", "fever", "nausea", "headache", "dizziness", "palpitations")
AFFIRMED = ("fatigue", "cough", "insomnia", "heartburn", "constipation")
OPENINGS = ("The patient takes {} {} once a day", "Current therapy includes {} {}", "{} {} was continued")
NAMES = "January February March April May June July August September October November December"
MONTHS = tuple(NAMES.split())


@dataclass(frozen=True)
class Told:
    """A sentence of a draft with what a fault may change in it."""

    text: str
    kind: str
    value: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart as sources, and what was added to it."""

    sources: tuple[Source, ...]
    medicines: tuple[tuple[Drug, str, int], ...]
    allergy: Drug
    allergy_n: int


def charts(folder: Path, seed: int) -> Iterator[tuple[Chart, random.Random]]:
    """One chart per patient."""
    found: dict[str, list[JSON]] = defaultdict(list)
    for kind, most in KEPT.items():
        counted: dict[str, int] = defaultdict(int)
        with gzip.open(folder / f"{kind}.ndjson.gz", "rt", encoding="utf-8") as lines:
            for line in reversed(list(lines)):
                resource = json.loads(line)
                patient = (resource.get("subject") or resource.get("patient") or {}).get("reference", "")
                counted[patient] += 1
                if counted[patient] <= most:
                    found[patient].append(resource)
    for i, patient in enumerate(sorted(found)):
        draw = random.Random(seed * 1000 + i)
        yield _chart(found[patient], draw), draw


def _chart(resources: list[JSON], draw: random.Random) -> Chart:
    known = [drug for drug in table().values() if drug.classes and " " not in drug.name and "-" not in drug.name]
    chosen = draw.sample(known, 4)
    allergens = {"penicillin", "nsaid", "opioid", "cephalosporin"}
    allergy = draw.choice([drug for drug in known if classes_of(drug.name) & allergens])
    medicines = [drug for drug in chosen if not set(drug.classes) & set(allergy.classes)][:3]
    doses = [draw.choice(DOSES) for _ in medicines]
    side, site = draw.choice(("left", "right")), draw.choice(SITES)
    denied = draw.sample(DENIALS, 2)
    note = f"Denies {denied[0]} and {denied[1]}. Reports {draw.choice(AFFIRMED)} for {draw.randrange(2, 9)} weeks."
    encoded = base64.b64encode(note.encode()).decode()
    added: list[JSON] = [
        {
            "resourceType": "MedicationRequest",
            "id": f"m{i}",
            "status": "active",
            "medicationCodeableConcept": {"text": f"{drug.name} {dose} tablet"},
            "authoredOn": f"20{draw.randrange(19, 25)}-0{draw.randrange(1, 9)}-1{draw.randrange(9)}",
            "dosageInstruction": [{"text": "1 tablet daily"}],
        }
        for i, (drug, dose) in enumerate(zip(medicines, doses, strict=True))
    ]
    added += [
        {
            "resourceType": "AllergyIntolerance",
            "id": "a",
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "code": {"text": allergy.name},
            "reaction": [{"manifestation": [{"text": "hives"}]}],
        },
        {
            "resourceType": "Condition",
            "id": "s",
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "code": {"text": draw.choice(SIDED).format(side, site)},
            "onsetDateTime": f"202{draw.randrange(5)}-0{draw.randrange(1, 9)}-0{draw.randrange(1, 9)}",
        },
        {
            "resourceType": "DocumentReference",
            "id": "d",
            "status": "current",
            "type": {"text": "Progress note"},
            "content": [{"attachment": {"data": encoded, "contentType": "text/plain"}}],
        },
    ]
    sources = sources_of([*added, *resources])
    numbered = {source.reference: source.n for source in sources}
    return Chart(
        sources=sources,
        medicines=tuple(
            (drug, dose, numbered[f"MedicationRequest/m{i}"])
            for i, (drug, dose) in enumerate(zip(medicines, doses, strict=True))
        ),
        allergy=allergy,
        allergy_n=numbered["AllergyIntolerance/a"],
    )


def quoted(chart: Chart) -> str:
    """The scripted model's summary."""
    lines = "\n".join(f"[{source.n}] {source.text}" for source in chart.sources)
    messages = [
        {"role": "system", "content": "TASK: previsit_summary\nLANGUAGE: en"},
        {"role": "user", "content": f"<sources>\n{lines}\n</sources>"},
    ]
    return write(ChatRequest(key="k", model="scripted-1", body={"messages": messages}), 0)


def told(chart: Chart, draw: random.Random) -> list[Told]:
    """The chart in other words."""
    said = [Told("Thank you for your message.", "courtesy")]
    for drug, dose, n in chart.medicines:
        brand = [name for name in drug.others if " " not in name]
        name = draw.choice(brand) if brand and draw.random() < 0.4 else drug.name
        amount = _other_unit(dose) if draw.random() < 0.3 else dose
        opening = draw.choice(
            ("The patient takes {} {} once a day", "Current therapy includes {} {}", "{} {} was continued")
        )
        said.append(Told(f"{opening.format(name, amount)} [{n}].", "medicine", drug.name))
        if draw.random() < 0.2:
            said.append(Told(f"The chart shows a {drug.classes[0]} among the medicines [{n}].", "class"))
    said.append(Told(f"An allergy to {chart.allergy.name} with hives is on record [{chart.allergy_n}].", "allergy"))
    for source in chart.sources:
        said += _told_source(source, draw)
    said.append(Told("Please call us if anything changes within 3 days.", "courtesy"))
    return said


def _told_source(source: Source, draw: random.Random) -> Iterator[Told]:
    day = _words(source.date, draw)
    body = source.text.partition(": ")[2]
    if source.label == "Observation" and source.date:
        found = re.match(r"(?P<what>.+?) (?P<value>\d+(?:\.\d+)?)(?P<unit> ?\S*)", body)
        if found and ";" not in body:
            value = _rounded(found["value"], draw)
            yield Told(f"{found['what']} was {value}{found['unit']} on {day} [{source.n}].", "number", value)
    elif source.label == "Immunization" and source.date:
        yield Told(f"On {day} the patient received {body.split(' (')[0]} [{source.n}].", "date", day)
    elif source.label == "Condition":
        kind = "side" if re.search(r"\b(?:left|right)\b", body, re.I) else "condition"
        yield Told(f"Active problem: {body.split(' (')[0].lower()} [{source.n}].", kind)
    elif source.label == "DocumentReference":
        found = re.search(r"Denies (.+?) and (.+?)\. Reports (\w+) for (\d+) weeks", body)
        if found:
            yield Told(f"There is no {found[1]} and no {found[2]} [{source.n}].", "denial", found[1])
            yield Told(f"The note describes {found[3]} lasting {found[4]} weeks [{source.n}].", "affirmation", found[3])


def _words(date: str | None, draw: random.Random) -> str:
    if not date:
        return ""
    year, month, day = (int(part) for part in date[:10].split("-"))
    name = MONTHS[month - 1]
    forms = (f"{name} {day}, {year}", f"{month:02}/{day:02}/{year}", f"{day} {name[:3]} {year}", date[:10])
    return draw.choice(forms)


def _other_unit(dose: str) -> str:
    amount = float(dose.split()[0])
    return f"{amount / 1000:g} g" if amount >= 100 else f"{amount:.1f} mg"


def _rounded(value: str, draw: random.Random) -> str:
    return f"{float(value):.1f}" if "." in value and draw.random() < 0.5 else value


Fault = Callable[[list[Told], Chart, random.Random], tuple[list[Told], int] | None]


def _changed(kind: str, change: Callable[[Told, Chart, random.Random], str | None]) -> Fault:
    def fault(said: list[Told], chart: Chart, draw: random.Random) -> tuple[list[Told], int] | None:
        places = [i for i, one in enumerate(said) if one.kind == kind]
        draw.shuffle(places)
        for i in places:
            text = change(said[i], chart, draw)
            if text is not None and text != said[i].text:
                return [*said[:i], Told(text, "fault"), *said[i + 1 :]], i
        return None

    return fault


def _drug(one: Told, chart: Chart, draw: random.Random) -> str | None:
    mine = {drug.name for drug, _, _ in chart.medicines} | {chart.allergy.name}
    other = draw.choice([drug for drug in table().values() if drug.name not in mine and " " not in drug.name])
    names = "|".join(map(re.escape, (one.value, *table()[one.value].others)))
    return re.sub(rf"\b(?:{names})\b", other.name, one.text)


def _misspelt(one: Told, _chart: Chart, draw: random.Random) -> str | None:
    if one.value not in one.text or len(one.value) < 8:
        return None
    at = draw.randrange(2, len(one.value) - 2)
    return one.text.replace(one.value, one.value[:at] + one.value[at + 1] + one.value[at] + one.value[at + 2 :])


def _dose(one: Told, _chart: Chart, draw: random.Random) -> str | None:
    factor = draw.choice((10, 2, 0.5, 0.1))
    return re.sub(r"(\d+(?:\.\d+)?) (mg|g)\b", lambda m: f"{float(m[1]) * factor:g} {m[2]}", one.text, count=1)


def _number(one: Told, _chart: Chart, draw: random.Random) -> str | None:
    changed = f"{float(one.value) * draw.choice((1.1, 1.3, 2, 10, 0.5)):.1f}"
    return one.text.replace(f" {one.value}", f" {changed}", 1) if float(changed) != float(one.value) else None


def _date(one: Told, _chart: Chart, draw: random.Random) -> str | None:
    years = re.findall(r"\b(?:19|20)\d\d\b", one.value)
    if not years:
        return None
    other = one.value.replace(years[0], str(int(years[0]) + draw.choice((-1, 1, 10))))
    return one.text.replace(one.value, other)


def _side(one: Told, _chart: Chart, _draw: random.Random) -> str | None:
    return re.sub(r"\b(left|right)\b", lambda m: "right" if m[1] == "left" else "left", one.text)


def _undenied(one: Told, _chart: Chart, draw: random.Random) -> str | None:
    opening = draw.choice(("The patient has", "The note describes", "The patient reports"))
    return re.sub(r"^There is no (.+?) and no .+? (\[\d+\]\.)$", rf"{opening} \1 \2", one.text)


def _denied(one: Told, _chart: Chart, draw: random.Random) -> str | None:
    said = draw.choice(("The patient denies", "There is no"))
    return re.sub(rf"^.*?{one.value}.*?(\[\d+\]\.)$", rf"{said} {one.value} \1", one.text)


def _no_allergy(_one: Told, chart: Chart, draw: random.Random) -> str | None:
    said = ("There are no known drug allergies", "NKDA", "The patient has no allergies", "No allergies are recorded")
    return f"{draw.choice(said)} [{chart.allergy_n}]."


def _recommends(_one: Told, chart: Chart, draw: random.Random) -> str | None:
    mine = set(chart.allergy.classes)
    same = [drug.name for drug in table().values() if set(drug.classes) & mine and " " not in drug.name]
    named = draw.choice([chart.allergy.name, *same])
    return f"{draw.choice(('You can take', 'Please start', 'We will prescribe'))} {named} for this [{chart.allergy_n}]."


FAULTS: dict[str, Fault] = {
    "drug altered": _changed("medicine", _drug),
    "drug misspelt": _changed("medicine", _misspelt),
    "dose altered": _changed("medicine", _dose),
    "number altered": _changed("number", _number),
    "date altered": _changed("date", _date),
    "side swapped": _changed("side", _side),
    "denial dropped": _changed("denial", _undenied),
    "finding denied": _changed("affirmation", _denied),
    "allergy denied": _changed("allergy", _no_allergy),
    "allergen recommended": _changed("allergy", _recommends),
}
