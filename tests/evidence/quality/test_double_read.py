"""A sample drawn by risk, read twice, settled, and a judge held against it: on a site whose drafts a gateway wrote."""

import asyncio
import json
from datetime import timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from careplane import alignment
from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.evidence import quality
from careplane.evidence.quality.judge import read_answer
from careplane.evidence.quality.rubric import DEFAULT
from careplane.evidence.quality.sampling import allocate, strata_of
from careplane.records import JSON
from careplane.records.quality import Mark, Reading, Sample
from careplane.records.run import Event, Review, Run
from careplane.server.platform import Platform
from careplane.workflow import find_runs

SCORES = {one.name: 4 for one in DEFAULT}
FABRICATED = Mark(kind="fabrication", harm="mild", sentence=1)


@pytest.fixture(scope="module")
def runs(site: Platform) -> list[Run]:
    return find_runs(site.store, app="portal_reply", limit=None)


@pytest.fixture(scope="module")
def sample(site: Platform, runs: list[Run]) -> Sample:
    draws = quality.draw(runs, quality.patient_groups(site.home), 44, seed=3)
    app = site.app("portal_reply")
    return quality.assign(site.store, site.ledger, app, draws, ("ana", "ben"), "cy", 3, "evaluator", site.clock())


def reading(site: Platform, sample: Sample, output: str, who: str, *marks: Mark) -> Reading:
    return Reading(
        sample=sample.id, output=output, reader=who, at=site.clock(), marks=marks, scores=SCORES, seconds=30.0
    )


def test_the_draw_favours_risk_and_keeps_probabilities(site: Platform, runs: list[Run]) -> None:
    groups = quality.patient_groups(site.home)
    assert groups["language"]["a0"] == "hmn"
    strata = strata_of(runs, groups)
    assert {"critical", "nothing"} <= set(strata)
    assert any(name.endswith("seldom seen group") for name in strata)
    draws = quality.draw(runs, groups, 24, seed=5)
    assert len({one.run.id for one in draws}) == 24
    chance = {one.stratum: one.probability for one in draws}
    assert chance["critical"] > chance["nothing"]
    for one in draws:
        count = sum(other.stratum == one.stratum for other in draws)
        assert one.probability == pytest.approx(count / one.stratum_size)
    assert sum(1 / one.probability for one in draws) == pytest.approx(len(runs))
    again = [one.run.id for one in quality.draw(runs, groups, 24, seed=5)]
    assert again == [one.run.id for one in draws]
    assert again != [one.run.id for one in quality.draw(runs, groups, 24, seed=6)]


def test_too_small_a_sample_says_how_many_it_takes() -> None:
    with pytest.raises(InputError, match="must be 4 or more"):
        allocate({"a": 50, "b": 9}, {"a": 1.0, "b": 6.0}, 3)
    assert allocate({"a": 50, "b": 1}, {"a": 1.0, "b": 6.0}, 80) == {"a": 50, "b": 1}
    with pytest.raises(InputError, match="No run has an output"):
        quality.draw([], {}, 10, 1)
    assert quality.split({"low": 100, "high": 100, "idle": 0}, {"low": 1, "high": 3, "idle": 2}, 50) == {
        "low": 10,
        "high": 40,
    }


def test_readers_are_three_people_who_signed_nothing_of_it(site: Platform, runs: list[Run]) -> None:
    draws = quality.draw(runs, {}, 10, seed=1)
    app, now = site.app("portal_reply"), site.clock()
    with pytest.raises(InputError, match="three different people"):
        quality.assign(site.store, site.ledger, app, draws, ("ana", "ana"), "cy", 1, "x", now)
    signed = replace(draws[0].run, review=_signed_by(draws[0].run, "ana"))
    mine = [quality.Draw(signed, one.stratum, one.stratum_size, one.probability) for one in draws[:1]]
    with pytest.raises(InputError, match="ana signed an output"):
        quality.assign(site.store, site.ledger, app, mine, ("ana", "ben"), "cy", 1, "x", now)


def _signed_by(run: Run, who: str) -> Review:
    return Review(action="accept", by=who, at=run.created_at, seconds=1.0, final_text="x")


def test_a_reading_that_cannot_be_is_refused(site: Platform, sample: Sample) -> None:
    output = quality.find_sampled(site.store, sample.id)[0].output
    good = reading(site, sample, output, "ana")
    cases: list[tuple[Reading, type[Exception], str]] = [
        (replace(good, reader="dee"), Refused, "dee is no reader"),
        (replace(good, output="run-x"), NotFound, "holds no such output"),
        (replace(good, scores={}), InputError, "not scored: cited"),
        (replace(good, scores={**SCORES, "charm": 5}), InputError, "no charm"),
        (replace(good, marks=(Mark(kind="omission", sentence=99),)), InputError, "no sentence 100"),
        (replace(good, marks=(FABRICATED,) * 51), InputError, "at most 50"),
    ]
    for bad, error, words in cases:
        with pytest.raises(error, match=words):
            quality.keep_reading(site.store, site.ledger, bad)
    assert quality.own_readings(site.store, sample.id, "ana") == {}


def truth_of(run: Run) -> tuple[Mark, ...]:
    """What a careful reader finds: here, what the checks flag as critical."""
    draft = run.draft
    assert draft is not None
    found = [one for one in draft.findings if one.severity == "critical" and one.check in ("drugs", "numbers")]
    return tuple(
        Mark(kind="fabrication" if one.check == "drugs" else "wrong_value", harm="moderate", sentence=one.sentence)
        for one in found[:1]
    )


def test_double_read_from_draw_to_rate(site: Platform, sample: Sample, runs: list[Run]) -> None:
    by_id = {run.id: run for run in runs}
    rows = quality.find_sampled(site.store, sample.id)
    assert [row.n for row in rows] == list(range(1, 45))
    first, second = rows[0], rows[1]
    # who reads twice is told so, and the first reading stays
    assert quality.keep_reading(site.store, site.ledger, reading(site, sample, first.output, "ana")) is None
    with pytest.raises(Conflict, match="already"):
        quality.keep_reading(site.store, site.ledger, reading(site, sample, first.output, "ana", FABRICATED))
    assert quality.own_readings(site.store, sample.id, "ana")[first.output].marks == ()
    # nobody sees another's marks before both have read, and readers never
    with pytest.raises(Refused, match="Not both"):
        quality.readings_to_settle(site.store, sample, first.output, "cy")
    # they disagree on the first output, so it waits for the third
    assert quality.keep_reading(site.store, site.ledger, reading(site, sample, first.output, "ben", FABRICATED)) is None
    with pytest.raises(Refused, match="not shown to readers"):
        quality.readings_to_settle(site.store, sample, first.output, "ana")
    assert [row.output for row in quality.waiting_for(site.store, sample, "cy")] == [first.output]
    with pytest.raises(Refused, match="not shown to readers"):
        quality.settle(site.store, site.ledger, sample, first.output, (), "ben", site.clock())
    settled = quality.settle(site.store, site.ledger, sample, first.output, (FABRICATED,), "cy", site.clock())
    assert (settled.fabrications, settled.errors, settled.reader, settled.adjudicated) == (1, 1, "cy", True)
    with pytest.raises(Conflict, match="settled already"):
        quality.settle(site.store, site.ledger, sample, first.output, (), "cy", site.clock())
    # on the second they agree, with the worse of two harms
    quality.keep_reading(site.store, site.ledger, reading(site, sample, second.output, "ana", FABRICATED))
    agreed = quality.keep_reading(
        site.store, site.ledger, reading(site, sample, second.output, "ben", replace(FABRICATED, harm="severe"))
    )
    assert agreed is not None
    assert (agreed.reader, agreed.marks[0].harm) == ("agreed", "severe")
    for row in rows[2:]:
        for who in sample.readers:
            marks = truth_of(by_id[row.output])
            quality.keep_reading(site.store, site.ledger, reading(site, sample, row.output, who, *marks))
    found = quality.find_adjudications(site.store, "portal_reply")
    assert len(found) == 44
    rates = {rate.name: rate for rate in quality.adjudicated_rates(found)}
    expected = 100 * sum(one.errors / one.probability for one in found) / sum(1 / one.probability for one in found)
    assert rates["errors"].value == pytest.approx(expected)
    assert rates["errors"].value < 100 * sum(one.errors for one in found) / 44  # type: ignore[operator] # more risk drawn
    agreement = {one.what: one for one in quality.agreements(list(quality.pairs(site.store, sample).values()))}
    assert agreement["any error"].n == 44
    assert agreement["any error"].raw == pytest.approx(43 / 44)
    kinds = {record.kind for record in site.ledger.records()}
    assert {"quality.sampled", "quality.read", "quality.settled"} <= kinds


def test_the_gate_before_the_pilot_reads_what_was_settled(site: Platform) -> None:
    gate = alignment.gate(site.store, "portal_reply", "G2", site.clock().date())
    check = next(one for one in gate.checks if one.name == "silent_quality")
    rate = quality.adjudicated_rates(quality.find_adjudications(site.store, "portal_reply"))[0]
    assert rate.high is not None
    assert check.status == ("pass" if rate.high <= 20 else "fail")
    assert check.text.startswith(f"{rate.value:.1f} errors per 100 outputs")
    assert "at most 20 are allowed" in check.text
    unread = alignment.gate(site.store, "bed_huddle", "G2", site.clock().date())
    assert next(one for one in unread.checks if one.name == "silent_quality").status == "not_measured"


def test_small_groups_are_withheld(site: Platform) -> None:
    seen = quality.summary(site.store, site.app("portal_reply"), quality.patient_groups(site.home))
    by_name = {rate.name: rate for rate in seen.by_group["language"]}
    assert by_name["hmn"].value is None
    assert "fewer than 11 outputs read" in by_name["hmn"].withheld
    assert by_name["hmn"].n == 0
    shown = [rate for rate in by_name.values() if rate.value is not None]
    assert all(rate.n >= 11 for rate in shown)
    assert len(shown) <= 1  # with one group hidden alone it could be derived, so a second one is too
    assert "errors per 100 outputs" in seen.sentence
    assert any("No judge is calibrated" in one for one in seen.not_measured)


def _judge(site: Platform, runs: list[Run]) -> str:
    app = site.app("portal_reply")
    name = quality.judge_name("judge-1")

    async def chart(event: Event, run: Run) -> tuple[JSON, ...]:
        return await quality.chart_of(site.runtime, event, [one.data for one in run.seen if one.data])

    async def ask() -> int:
        keep = partial(quality.keep_verdict, site.store)
        return await quality.judge_all(site.runtime.complete, app, runs, chart, "judge-1", site.clock(), keep)

    assert asyncio.run(ask()) == 0
    return name


def test_a_judge_is_held_against_people(site: Platform, runs: list[Run]) -> None:
    app, now = site.app("portal_reply"), site.clock()
    settled = quality.find_adjudications(site.store, app.id, app.hash)
    name = quality.judge_name("judge-1")
    with pytest.raises(Refused, match="never held against"):
        quality.usable(app, name, [], now)
    with pytest.raises(InputError, match="Nobody has settled"):
        quality.calibrate(app, name, settled, {}, now)
    assert _judge(site, runs) == name
    verdicts = quality.find_verdicts(site.store, app.id, name)
    assert len(verdicts) == len(runs)
    # nothing that names a patient reached the judge: its prompt is in the ledger as counts only
    text = json.dumps([record.facts for record in site.ledger.records()], default=str)
    assert "Quill" not in text
    found = quality.calibrate(app, name, settled, verdicts, now)
    assert found.n == 44
    assert found.kappa.value is not None
    # few positives: refused, with the numbers that it takes
    few = [one for one in settled if one.errors == 0 or one.output == settled[0].output][:12]
    refused = quality.calibrate(app, name, few, verdicts, now)
    assert not refused.usable
    assert any("it takes 30" in reason for reason in refused.reasons)
    with pytest.raises(Refused, match="it takes 30"):
        quality.judged_rates(app, name, [refused], few, verdicts, now)


def test_a_calibration_goes_stale(site: Platform) -> None:
    app, now = site.app("portal_reply"), site.clock()
    name = quality.judge_name("judge-1")
    settled = quality.find_adjudications(site.store, app.id, app.hash)
    verdicts = quality.find_verdicts(site.store, app.id, name)
    good = replace(quality.calibrate(app, name, settled, verdicts, now), usable=True, reasons=())
    assert quality.usable(app, name, [good], now) is good
    for changed, words in (
        (replace(good, judge="other#1", model="other"), "judge-1 now; other was calibrated"),
        (replace(good, judge="judge-1#old", prompt="old"), "prompt of the judge changed"),
        (replace(good, hash="another"), "The app changed"),
        (replace(good, rubric="another"), "The rubric changed"),
        (replace(good, at=now - timedelta(days=200)), "older than 180 days"),
    ):
        with pytest.raises(Refused, match=words):
            quality.usable(app, name, [changed], now)
    rates = {rate.name: rate for rate in quality.judged_rates(app, name, [good], settled, verdicts, now).rates}
    assert rates["errors"].n == 60
    assert "corrected by 44 readings" in rates["errors"].method
    assert rates["errors"].low is not None
    assert rates["errors"].value is not None
    assert rates["errors"].low <= rates["errors"].value


def test_an_answer_of_the_judge_that_cannot_be_read_is_no_verdict() -> None:
    assert read_answer('{"errors": []}', 3) == ()
    assert read_answer('{"errors": [{"kind": "omission", "sentence": null, "reason": "x"}]}', 3)[0].sentence is None
    for text, words in (
        ("I think it is fine.", "not the JSON"),
        ('{"errors": [{"kind": "charm", "sentence": 1, "reason": ""}]}', "not the JSON"),
        ('{"errors": [{"kind": "omission", "sentence": 9, "reason": ""}]}', "not there"),
        (json.dumps({"errors": [{"kind": "omission", "sentence": 1}] * 21}), "more than 20"),
    ):
        with pytest.raises(ValueError, match=words):
            read_answer(text, 3)
