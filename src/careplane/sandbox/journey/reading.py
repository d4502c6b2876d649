"""The quality of the pilot's drafts: the app on its cases, and a sample that two synthetic readers read.

A synthetic reader sees what the output checks flagged most of the time, overlooks the rest, and now and then sees an
omission that is none; the third, who settles, sees what the checks flagged. So agreement and rates are lifelike, and
say nothing of real readers.
"""

from pathlib import Path

import numpy as np

from careplane.apps.cases import read_cases
from careplane.evidence import quality
from careplane.evidence.quality.errors import marks_of_findings
from careplane.records.quality import Mark, Reading, Sample, Sampled
from careplane.sandbox.journey.scene import APP, Scene
from careplane.workflow import find_runs, load_run

SIZE = 36
SEES, INVENTS = 0.85, 0.04
READERS = ("Reader A (synthetic)", "Reader B (synthetic)")
ADJUDICATOR = "Reader C (synthetic)"
_SEED_OFFSET = 33
_APART = (0, 0, 0, 0, 1, -1)
"""How far a reader's score is from what an output deserves."""


async def read_sample(scene: Scene) -> Sample | None:
    """Evaluate the app on its cases, draw a sample by risk and have it read twice and settled; ``None`` where no draft
    was written."""
    platform = scene.platform
    app = platform.app(APP)
    material = quality.of_cases(read_cases(Path(app.folder)))
    made = await quality.evaluate(platform.runtime, app, material, "cases", "evaluator (synthetic)")
    quality.keep_evaluation(platform.store, made)
    runs = [run for run in find_runs(platform.store, app=APP, limit=None) if run.draft is not None]
    if len(runs) < SIZE:
        return None
    draws = quality.draw(runs, quality.patient_groups(platform.home), SIZE, scene.options.seed)
    sample = quality.assign(
        platform.store, platform.ledger, app, draws, READERS, ADJUDICATOR, scene.options.seed, "evaluator", scene.now
    )
    random = np.random.default_rng(scene.options.seed + _SEED_OFFSET)
    for row in quality.find_sampled(platform.store, sample.id):
        _read(scene, sample, row, random)
    return sample


def _read(scene: Scene, sample: Sample, row: Sampled, random: np.random.Generator) -> None:
    """Both readings of one output, and what is settled where they differ."""
    store, ledger = scene.platform.store, scene.platform.ledger
    draft = load_run(store, row.output).draft
    truth = tuple(_harmful(mark) for mark in marks_of_findings(draft.findings)) if draft else ()
    settled = None
    liked = {one.name: int(random.integers(2, 6)) for one in sample.rubric}
    for reader in sample.readers:
        seen = tuple(mark for mark in truth if random.random() < SEES)
        if random.random() < INVENTS:
            seen = (*seen, Mark(kind="omission", harm="mild", note="the next step is missing"))
        scores = {name: int(np.clip(score + random.choice(_APART), 1, 5)) for name, score in liked.items()}
        settled = quality.keep_reading(
            store,
            ledger,
            Reading(
                sample=sample.id,
                output=row.output,
                reader=reader,
                at=scene.now,
                marks=seen,
                scores=scores,
                seconds=float(random.integers(40, 180)),
            ),
        )
    if settled is None:
        quality.settle(store, ledger, sample, row.output, truth, ADJUDICATOR, scene.now)


def _harmful(mark: Mark) -> Mark:
    return Mark(kind=mark.kind, harm="mild", sentence=mark.sentence)
