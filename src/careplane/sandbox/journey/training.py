"""Training: who will receive drafts takes the lesson first; who fails is refused by the runtime, as anybody is."""

from careplane import change
from careplane.records.evidence import Assignment
from careplane.sandbox.journey.scene import APP, Scene


def train(scene: Scene, arms: tuple[Assignment, ...]) -> int:
    """The staff of the intervention clinics take the lesson; says how many passed at the first attempt."""
    units = {arm.unit for arm in arms if arm.arm == "intervention"}
    return sum(take_lesson(scene, APP, person.id) for person in scene.staff.people.values() if person.unit in units)


def take_lesson(scene: Scene, app_id: str, person: str) -> bool:
    """One attempt of one person at the lesson of an app; says whether it was passed."""
    platform, app = scene.platform, scene.platform.app(app_id)
    right = [question.answer for question in change.lesson(app).questions]
    chosen = scene.staff.quiz(person, app_id, right)
    return change.take_quiz(platform.store, platform.ledger, app, person, chosen, scene.now).passed
