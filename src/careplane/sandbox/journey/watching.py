"""The safety watch at work: one app in shadow has a seeded fault that its readers flag, and the watch pauses it."""

from careplane.evidence.monitoring import find_watches, flag_harm, runs_to_notice, sentence
from careplane.governance import stopped
from careplane.records import JSON
from careplane.records.monitoring import SafetyWatch
from careplane.sandbox.journey.scene import APP, Scene
from careplane.server.monitoring import watch_safety
from careplane.workflow import find_runs

FAULTY = "discharge_summary"
"""The app whose readers find that every second draft would have harmed: known because the sandbox says so."""


def watch(scene: Scene) -> JSON:
    """Readers flag what the faulty app wrote in shadow; its watch is looked at after each flag, and that of the pilot's
    app once. Says how they stand, for the summary.
    """
    platform = scene.platform
    for name in (APP, FAULTY):
        watch_safety(platform, platform.app(name))
    runs = sorted(find_runs(platform.store, FAULTY, limit=None), key=lambda run: (run.created_at, run.id))
    drafted = [run for run in runs if run.draft is not None]
    for run in drafted[::2]:
        reader = run.event.user or FAULTY
        flag_harm(platform.store, platform.ledger, run.id, "moderate", reader, scene.now, "seeded in the sandbox")
        watch_safety(platform, platform.app(FAULTY))
    return {name: _told(scene, next(iter(find_watches(platform.store, name)))) for name in (APP, FAULTY)}


def _told(scene: Scene, held: SafetyWatch) -> JSON:
    rule, version = held.rule, scene.platform.app(held.app).spec.version
    return {
        "runs": held.runs,
        "events": held.events,
        "looks": held.looks,
        "max_rate": rule.max_rate,
        "alpha": rule.alpha,
        "evidence": round(held.evidence, 6),
        "bound": round(held.bound, 6),
        "share_at_least": round(held.low, 6),
        "crossed": held.crossed_at is not None,
        "paused": stopped(scene.platform.store, held.app, None, version) is not None,
        "seeded_fault": held.app == FAULTY,
        "runs_to_notice_at_five_times": runs_to_notice(rule.max_rate, rule.alpha, min(5 * rule.max_rate, 1.0)),
        "sentence": sentence(held),
    }
