"""What a ward works with beside stays and tasks: warning flags, plans for going home, operations and their cultures."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from careplane.records import JSON
from careplane.sandbox.resources import SNOMED, concept, reference, resource, terminology
from careplane.sandbox.scenario import Scenario, instant
from careplane.sandbox.stays import Stay

FLAGS = ("Fall risk", "Aspiration risk", "Contact isolation", "Pressure injury risk", "Wanders at night")
STEPS = (
    "Walk each day, a little more each time; rest when you are tired",
    "Drink water with each meal",
    "Change the dressing once a day and keep the wound dry",
    "Weigh yourself each morning and write it down",
    "See your clinic within one week",
)
GROWTH = "moderate growth of Staphylococcus aureus"
OPERATION = ("179344006", "Hip replacement")


def ward_work(stays: Iterable[Stay], scenario: Scenario) -> Iterator[JSON]:
    """Flags and going-home plans of those who lie in the wards, and a culture after most hip replacements."""
    for stay in stays:
        if stay.end is None:
            yield from _flags(stay, scenario)
            yield _plan(stay, scenario)
        if stay.diagnosis == "hip_fracture":
            yield from _culture(stay, scenario)


def _flags(stay: Stay, scenario: Scenario) -> Iterator[JSON]:
    draw = scenario.draw("flags", stay.ident)
    for number, text in enumerate(draw.sample(FLAGS, draw.choice((0, 1, 1, 2)))):
        yield resource(
            "Flag", f"flag-{stay.ident}-{number}", status="active", code={"text": text},
            category=[concept(terminology("flag-category"), "safety", "Safety")],
            subject=reference(stay.patient.id), encounter=reference(stay.encounter),
            period={"start": instant(stay.begin)},
        )  # fmt: skip


def _plan(stay: Stay, scenario: Scenario) -> JSON:
    draw = scenario.draw("plan", stay.ident)
    steps = [*draw.sample(STEPS[:-1], 2), STEPS[-1]]
    return resource(
        "CarePlan", f"plan-{stay.ident}", status="active", intent="plan", title="Plan for going home",
        subject=reference(stay.patient.id), encounter=reference(stay.encounter), created=instant(stay.begin),
        period={"start": instant(stay.begin)},
        activity=[{"detail": {"status": "scheduled", "description": step}} for step in steps],
    )  # fmt: skip


def _culture(stay: Stay, scenario: Scenario) -> Iterator[JSON]:
    draw = scenario.draw("culture", stay.ident)
    if draw.random() > 0.8:
        return
    after = 2 + draw.randrange(12)
    at = min(stay.begin + timedelta(hours=4, days=after), scenario.now - timedelta(hours=1))
    grew = draw.random() < 0.35
    found = GROWTH if grew else "no growth after 48 hours"
    signs = " Redness and drainage of the wound noted." if grew else ""
    yield resource(
        "DiagnosticReport", f"culture-{stay.ident}", status="final", subject=reference(stay.patient.id),
        encounter=reference(stay.encounter), category=[concept(terminology("v2-0074"), "MB", "Microbiology")],
        code={"text": "Wound culture, hip incision"}, effectiveDateTime=instant(at),
        issued=instant(at + timedelta(minutes=30)), performer=[reference(stay.ward.site)],
        conclusion=f"Wound culture of the hip incision: {found}, after hip replacement.{signs}",
        conclusionCode=[concept(SNOMED, "3092008", "Staphylococcus aureus")] if grew else None,
    )  # fmt: skip
