"""Comparison of two versions: by hand, by simulation, by group; and what a swap meets, on a site behind a gateway."""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from careplane import alignment
from careplane.apps import read_app
from careplane.apps.cases import read_cases
from careplane.errors import InputError, ManifestError, NotFound, Refused
from careplane.evidence import quality
from careplane.evidence.quality.compare import paired_interval
from careplane.governance import release, stop
from careplane.records.app import App, QualityRule
from careplane.records.portfolio import Stage
from careplane.records.quality import EvaluatedOutput, Evaluation, Mark
from careplane.records.run import Event
from careplane.server.platform import Platform
from careplane.workflow import find_runs

RULE = QualityRule()
FABRICATION = Mark(kind="fabrication")


def evaluation(site: Platform, version: str, marks: dict[str, int], groups: dict[str, str] | None = None) -> Evaluation:
    """An evaluation with so many errors in each case; a case's name may say its group (``es-1``)."""
    app = site.app("portal_reply")
    outputs = tuple(
        EvaluatedOutput(
            key=key,
            repeat=0,
            groups=groups if groups is not None else {"language": key.partition("-")[0]},
            marks=(FABRICATION,) * count,
            critical=0,
            words=40,
        )
        for key, count in marks.items()
    )
    return Evaluation(
        id=f"eval-{version}",
        app=app.id,
        version=version,
        hash=f"{version}-hash",
        model="m",
        source="cases",
        at=site.clock(),
        by="x",
        outputs=outputs,
        rates=(),
        population=len(outputs),
    )


def test_paired_interval_by_hand() -> None:
    """Ten pairs, three worse and one better: mean 2/10, variance (4 + 2 - 4/12) / 144, Student's t with 9 degrees."""
    low, high = paired_interval([1, 1, 1, -1, 0, 0, 0, 0, 0, 0])
    half = 2.2621572 * ((6 - 4 / 12) / 144) ** 0.5
    assert low == pytest.approx(0.2 - half, abs=1e-6)
    assert high == pytest.approx(0.2 + half, abs=1e-6)


@pytest.mark.parametrize(("n", "shown"), [(3, False), (20, False), (60, True)])
def test_no_difference_in_a_handful_of_cases_is_no_proof(site: Platform, n: int, shown: bool) -> None:
    a, b = (evaluation(site, version, {f"en-{k}": 0 for k in range(n)}) for version in ("1.0.0", "1.1.0"))
    found = quality.compare(a, b, RULE, site.clock())
    assert found.verdict == ("kept" if shown else "not shown")
    assert found.cases == n
    if not shown:
        assert "a rise of 5 is not ruled out" in found.reasons[0]


def test_non_inferiority_errs_as_often_as_it_may() -> None:
    """A candidate that is worse by just the margin passes in at most 2.5 % of comparisons, within simulation error."""
    random = np.random.default_rng(4)
    covered = wrong = 0
    replicates, n, margin = 3000, 80, 0.10
    for _ in range(replicates):
        a = random.random(n) < 0.10
        b = np.where(random.random(n) < 0.7, a | (random.random(n) < margin / 0.9 / 0.7), random.random(n) < 0.10)
        truth = (0.7 * (0.10 + 0.9 * margin / 0.9 / 0.7) + 0.3 * 0.10) - 0.10
        assert truth == pytest.approx(margin)
        low, high = paired_interval(list(b.astype(float) - a.astype(float)))
        covered += low <= truth <= high
        wrong += high < margin
    assert covered / replicates >= 0.945
    assert wrong / replicates <= 0.031


def test_a_group_that_got_worse_blocks_though_everyone_is_kept(site: Platform) -> None:
    before = {f"en-{k}": 0 for k in range(400)} | {f"es-{k}": 0 for k in range(14)}
    before |= {f"fr-{k}": 0 for k in range(12)} | {f"hmn-{k}": 0 for k in range(4)}
    after = before | {f"es-{k}": 1 for k in range(3)} | {"hmn-0": 3}
    found = quality.compare(evaluation(site, "1", before), evaluation(site, "2", after), RULE, site.clock())
    whole = found.slices[0]
    assert (whole.verdict, whole.n) == ("kept", 430)
    assert found.verdict == "regressed"
    assert any("language es: 0.0 to 21.4" in reason for reason in found.reasons)
    hidden = {one.group: one for one in found.slices if one.verdict == "withheld"}
    assert set(hidden) == {"hmn", "fr"}  # the second so that the first cannot be derived
    assert hidden["hmn"].n is None
    assert hidden["hmn"].difference is None
    assert any("hmn: fewer than 11 cases" in text for text in found.not_measured)


def test_a_guardrail_blocks(site: Platform) -> None:
    marks = {f"en-{k}": 0 for k in range(100)}
    a, b = evaluation(site, "1", marks), evaluation(site, "2", marks)
    silent = tuple(replace(one, failed="UpstreamError: no output was written") for one in b.outputs[:9])
    found = quality.compare(a, replace(b, outputs=(*silent, *b.outputs[9:])), RULE, site.clock())
    assert found.verdict == "regressed"
    assert any(reason.startswith("no output: 0.0 to 9.0") for reason in found.reasons)


def test_what_cannot_be_compared(site: Platform) -> None:
    a = evaluation(site, "1", {"x": 0})
    now = site.clock()
    for other, words in (
        (a, "same version with the same model"),
        (replace(evaluation(site, "2", {"y": 0}), id="e2"), "share no case"),
        (replace(evaluation(site, "2", {"x": 0}), app="bed_huddle"), "of bed_huddle"),
        (replace(evaluation(site, "2", {"x": 0}), source="runs"), "compare cases or replayed runs"),
    ):
        with pytest.raises(InputError, match=words):
            quality.compare(a, other, RULE, now)
    with pytest.raises(NotFound, match=r"has no evaluation '9\.9\.9'"):
        quality.find_evaluation(site.store, "portal_reply", "9.9.9")


def test_seeded_faults_and_expectations_are_told(site: Platform) -> None:
    app = site.app("portal_reply")
    made = asyncio.run(_evaluate(site, app, quality.of_cases(read_cases(Path(app.folder)))))
    rates = {rate.name: rate for rate in made.rates}
    assert (rates["seeded faults caught"].value, rates["seeded faults caught"].n) == (1.0, 2)
    assert rates["failed"].value == 0
    assert (made.model, made.source, made.version) == ("writer-a", "cases", "1.0.0")
    with pytest.raises(InputError, match="no case 'wrong'; the cases are: appointment_question"):
        quality.of_cases(read_cases(Path(app.folder)), ["wrong"])
    with pytest.raises(InputError, match="has no cases"):
        quality.of_cases({})


async def _evaluate(site: Platform, app: App, material: list[quality.Material]) -> Evaluation:
    made = await quality.evaluate(site.runtime, app, material, "cases", "tester")
    quality.keep_evaluation(site.store, made)
    return made


async def _replay(site: Platform, app: App) -> Evaluation:
    groups = quality.patient_groups(site.home)
    runs = find_runs(site.store, app="portal_reply", limit=None)
    material = [quality.of_run(run, groups) for run in sorted(runs, key=lambda run: run.id) if run.draft][:60]
    made = await quality.evaluate(site.runtime, app, material, "replayed runs", "tester")
    quality.keep_evaluation(site.store, made)
    return made


def test_a_worse_version_is_not_swapped_in_without_a_signature(site: Platform, tmp_path: Path, make_folder) -> None:  # type: ignore[no-untyped-def]
    """Sixty real runs written again by both, through the gateway; the candidate's route leads to a worse model."""
    now, store, ledger = site.clock(), site.store, site.ledger
    app = site.app("portal_reply")
    candidate = read_app(make_folder(tmp_path / "next", version="1.1.0", route="worse"))
    a, b = asyncio.run(_both(site, app, candidate))
    assert (a.model, b.model) == ("writer-a", "writer-c")
    assert "Quill" not in str([record.facts for record in ledger.records()])
    found = quality.compare(a, b, app.spec.quality, now)
    quality.keep_comparison(store, found)
    assert found.verdict == "regressed"
    with pytest.raises(Refused, match="Regressed") as refused:
        alignment.swap_in(store, ledger, candidate, 2, now, "owner")
    assert "careplane quality waive portal_reply" in refused.value.way_out
    assert alignment.load_item(store, "portal_reply").app_hash == app.hash
    # the same numbers the other way round are no harm, so the better one may take its place
    better = quality.compare(b, a, app.spec.quality, now)
    assert better.verdict == "kept"
    # somebody signs, and it goes in until the waiver ends
    until = now.date() + timedelta(days=30)
    alignment.waive(store, ledger, "portal_reply", "version_swap", "CMIO", "Needed for the pilot.", until, now)
    item = alignment.swap_in(store, ledger, candidate, 2, now, "owner")
    assert item.app_hash == candidate.hash
    _hold_model(site, candidate, until)


async def _both(site: Platform, app: App, candidate: App) -> tuple[Evaluation, Evaluation]:
    try:
        return await _replay(site, app), await _replay(site, candidate)
    finally:
        await site.fhir.aclose()


def _hold_model(site: Platform, candidate: App, until: date) -> None:
    """The model of the candidate serves while the waiver holds, and not a day longer."""
    event = Event(id="later", app="portal_reply", kind="x", at=site.clock(), user="Practitioner/p1")
    during = site.runtime.permit(candidate, event)[0]
    assert [reason.rule for reason in during.refusals] == []
    after = replace(event, at=site.clock() + timedelta(days=31))
    assert after.at.date() > until
    refused = site.runtime.permit(candidate, after)[0]
    assert [reason.rule for reason in refused.refusals] == ["model_kept"]
    assert "Regressed: 1.1.0@writer-c against 1.0.0@writer-a" in refused.refusals[0].text
    to: Stage = "limited_production"
    item = replace(alignment.load_item(site.store, "portal_reply"), sponsor_confirmed_at=after.at.date())
    with pytest.raises(Refused, match="Regressed"):
        alignment.hold_scale(site.store, item, to, after.at.date())


def test_where_patients_rely_on_it_a_swap_needs_a_comparison(site: Platform, tmp_path: Path, make_folder) -> None:  # type: ignore[no-untyped-def]
    held = alignment.load_item(site.store, "portal_reply")
    candidate = read_app(make_folder(tmp_path / "next", version="1.2.0"))
    today = site.clock().date() + timedelta(days=60)
    assert alignment.version_swap(site.store, held, candidate, today).status == "not_measured"
    scaled = alignment.version_swap(site.store, replace(held, stage="scaled"), candidate, today)
    assert scaled.status == "fail"
    assert "No comparison of version 1.2.0" in scaled.text


def test_the_kill_switch_and_the_policy_hold_for_an_evaluation(site: Platform, make_folder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    app, now = site.app("portal_reply"), site.clock()
    material = quality.of_cases(read_cases(Path(app.folder)))
    stop(site.store, site.ledger, "app", app.id, "officer", "wrong doses", now)
    with pytest.raises(Refused, match="wrong doses"):
        asyncio.run(quality.evaluate(site.runtime, app, material, "cases", "x"))
    release(site.store, site.ledger, "app", app.id, "another", now)


def test_a_broken_case_names_file_and_line(tmp_path: Path, make_folder) -> None:  # type: ignore[no-untyped-def]
    folder = make_folder(tmp_path / "apps")
    for text, line, words in (
        ("title: x\nsources: []\nexpect:\n  contains: nothing\n", 4, "expect.contains"),
        ("title: x\nsources: []\nexpect: {}\ngroups:\n  language: 3\n", 4, "groups"),
        ("title: x\nsources: []\nexpects: {}\n", 3, "expects"),
        ("title: x\nsources: [\n", 3, "not valid YAML"),
    ):
        file = folder / "cases/broken.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ManifestError) as caught:
            read_cases(folder)
        assert (caught.value.line, caught.value.file) == (line, str(file)), caught.value
        assert words in str(caught.value)


def test_a_run_goes_on_while_nothing_speaks_against_its_model(site: Platform) -> None:
    event = Event(id="fresh", app="portal_reply", kind="x", at=site.clock(), user="Practitioner/p1")
    other = replace(event, app="bed_huddle")
    permit = site.runtime.permit(site.app("bed_huddle"), other)[0]
    assert "model_kept" not in [reason.rule for reason in permit.refusals]
