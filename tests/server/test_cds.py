"""CDS Hooks over a real server, with real tokens: discovery, calls, cards, feedback, and what the ledger holds."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from careplane import change, evidence
from careplane.codecs.cdshooks import Card
from careplane.errors import UpstreamRejected
from careplane.evidence.allocation import draw
from careplane.records import JSON
from careplane.records.evidence import Plan, PlannedMeasure
from careplane.records.run import Run
from careplane.workflow.card_feedback import find_feedback
from careplane.workflow.exposures import find_exposures

from .hook_site import ALL, NURSE, SHIPPED, Site, hook_site


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One installation for all tests of the module."""
    with hook_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(installation: Site) -> Site:
    """The installation as this test finds it."""
    installation.begin()
    return installation


def only_run(site: Site, app: str) -> Run:
    (run,) = site.runs(app)
    return run


def test_discovery_tells_each_app_that_runs_and_one_service_for_all_of_a_hook(site: Site) -> None:
    """Lines 1 and 17."""
    services = {(one["hook"], one["id"]): one for one in asyncio.run(site.ehr.discover())}
    assert len(services) == 12 + 7, "each app once, and one for each hook"
    assert {name for hook, name in services if hook == "patient-view"} == {ALL, "quick_one", "quick_two", SHIPPED}
    assert services["our-own.hook", "careplane-our-own.hook"]["title"] == "All apps of our-own.hook"
    quick = services["patient-view", "quick_one"]
    assert quick["prefetch"] == {
        "patient": "Patient/{{context.patientId}}",
        "user": "{{context.userId}}",
        "condition": "Condition?patient={{context.patientId}}&clinical-status=active&_count=20",
    }
    assert (quick["version"], quick["hookVersion"]) == ("1.0.0", "1.0")
    assert "usageRequirements" not in quick
    told = services["order-sign", "of_orders"]["usageRequirements"]
    assert told.startswith("No prefetch can ask for ServiceRequest")


def test_a_chart_that_is_opened_shows_the_draft(site: Site) -> None:
    """Lines 2, 7, 8, 10 and 11."""
    (card,) = site.ask(SHIPPED).cards
    run = only_run(site, SHIPPED)
    assert (run.event.patient, run.event.user, run.event.source) == ("Patient/ana", NURSE, site.ehr.issuer)
    assert card.summary.startswith("AI draft, not reviewed: Pre-visit chart summary.")
    assert (card.source.label, card.indicator) == ("Pre-visit chart summary", "info")
    assert card.detail is not None
    assert card.detail.startswith("**AI draft, not reviewed**")
    assert "Synthetic data." in card.detail
    assert [reason.display for reason in card.override_reasons or ()][-1] == "not needed"
    assert card.selection_behavior == "at-most-one"
    (link,) = card.links or ()
    assert (link.type, link.url) == ("absolute", f"{site.base}/drafts/{run.id}")


def test_a_call_that_is_sent_again_shows_the_same_card_and_runs_once(site: Site) -> None:
    first = site.ask("quick_one", instance="twice")
    again = site.ask("quick_one", instance="twice")
    together = site.ask(ALL, instance="twice")
    assert first.cards == again.cards
    assert first.cards[0] in together.cards
    only_run(site, "quick_one")
    assert site.ask("quick_one", instance="thrice").cards[0].uuid != first.cards[0].uuid


def test_a_hook_instance_that_comes_again_for_another_patient_shows_nothing_of_the_first(site: Site) -> None:
    """Whatever the specification says of ``hookInstance``, some clients send a constant."""
    first = site.ask("quick_one", instance="constant")
    sent = {"patient": {"resourceType": "Patient", "id": "bea"}}
    other = site.ask("quick_one", sent, instance="constant", context={"patientId": "bea"})
    assert {run.event.patient for run in site.runs("quick_one")} == {"Patient/ana", "Patient/bea"}
    assert {card.uuid for card in other.cards}.isdisjoint(card.uuid for card in first.cards)


def test_many_apps_run_side_by_side_and_what_is_late_comes_as_a_link(site: Site) -> None:
    """Line 15: the slow app does not make the other wait, and its draft is there soon after."""
    cards = {card.source.label: card for card in site.ask("careplane-slow.hook").cards}
    assert set(cards) == {"Quick three", "Slow one"}
    assert cards["Slow one"].summary == "AI draft is being prepared: Slow one"
    assert cards["Slow one"].suggestions is None
    assert site.runs("slow_one") == []
    asyncio.run(site.durable.drain())
    run = only_run(site, "slow_one")
    assert run.status == "draft"
    assert (cards["Slow one"].links or ())[0].url.endswith(f"/drafts/{run.id}")
    (left_out,) = site.records("cds.left_out")
    assert (left_out.app, left_out.facts["why"]) == ("slow_one", "late")
    (answered,) = site.facts("cds.answered")
    assert (answered["apps"], answered["cards"], answered["left_out"]) == (2, 2, 1)
    assert len(site.records("run.drafted")) == 2, "the worker did not make it a second time"


def test_an_app_that_may_not_run_or_is_in_shadow_shows_nothing(site: Site) -> None:
    assert site.ask("careplane-quiet.hook").cards == ()
    assert only_run(site, "stopped_one").status == "refused"
    assert only_run(site, "untrained_one").status == "refused"
    assert only_run(site, "in_shadow").status == "draft"
    (answered,) = site.facts("cds.answered")
    assert (answered["refused"], answered["cards"]) == (2, 0)


def test_a_plan_knows_what_was_late_or_drafted_without_being_shown(site: Site) -> None:
    """Both arms of a plan whose clinicians are listed; what a run alone does not tell is noted beside it."""
    plans = {app: _running(site, app) for app in ("slow_one", "in_shadow")}
    site.ask("careplane-slow.hook", instance="of-a-plan")
    site.ask("careplane-quiet.hook", instance="of-a-plan")
    asyncio.run(site.durable.drain())
    asyncio.run(site.durable.drain())
    store = site.platform.store
    for _ in range(100):
        found = {app: find_exposures(store, plan) for app, plan in plans.items()}
        if all(one and one[0].why for one in found.values()):
            break
        time.sleep(0.05)
    told = {app: [(one.arm, one.spoke, one.why, one.clinician) for one in some] for app, some in found.items()}
    assert told == {
        "slow_one": [("intervention", True, "late", NURSE)],
        "in_shadow": [("intervention", False, "shadow", NURSE)],
    }


def _running(site: Site, app: str) -> str:
    """A plan of an app that runs today with the nurse of the test in its intervention arm."""
    platform, now = site.platform, site.platform.clock()
    today, staff = now.date(), {NURSE: "s", "Practitioner/other": "s"}
    drafted = Plan(
        id=f"plan-{app}", app=app, version=1, question="?", design="individually_randomised", unit="clinician",
        clusters=tuple(staff), strata=staff, equity=(), alpha=0.05, analysis="", decision_rule="", power="", seed=0,
        measures=(PlannedMeasure(id="m", role="primary", unit="h", direction="lower", mcid=1.0),),
        baseline_start=today - timedelta(days=30), start=today - timedelta(days=1), end=today + timedelta(days=30),
    )  # fmt: skip
    seeded = next(one for seed in range(50) if arms(one := replace(drafted, seed=seed))[NURSE] == "intervention")
    locked = evidence.lock_plan(platform.store, platform.ledger, seeded, "evaluator", now)
    evidence.assign(platform.store, platform.ledger, locked, now)
    return locked.id


def arms(plan: Plan) -> dict[str, str]:
    return {one.unit: one.arm for one in draw(plan)}


def test_any_hook_is_answered_and_unknown_fields_are_tolerated(site: Site) -> None:
    """Line 16."""
    context = {"extension": {"com.example": {"colour": "blue"}}, "mood": 3}
    (card,) = site.ask("careplane-our-own.hook", context=context).cards
    assert card.source.label == "Of our own"
    assert only_run(site, "of_our_own").event.kind == "our-own.hook"


def test_a_draft_order_is_read_from_the_hook_itself(site: Site) -> None:
    order = {"resourceType": "ServiceRequest", "id": "new", "subject": {"reference": "Patient/ana"},
             "code": {"text": "MRI of the knee"}}  # fmt: skip
    drafts = {"resourceType": "Bundle", "entry": [{"resource": order}]}
    site.ask("of_orders", context={"draftOrders": drafts})
    run = only_run(site, "of_orders")
    assert run.event.focus == "ServiceRequest/new"
    assert "MRI of the knee" in next(source.text for source in run.sources if "ServiceRequest" in source.reference)
    other = {**drafts, "entry": [{"resource": {**order, "subject": {"reference": "Patient/bea"}}}]}
    with pytest.raises(UpstreamRejected, match=r"HTTP 400.*another patient"):
        site.ask("of_orders", context={"draftOrders": other})


def test_null_is_no_data_and_a_missing_key_must_be_fetched(site: Site) -> None:
    """Lines 4 and 6."""
    site.trust(own_reads=False)
    patient = {"resourceType": "Patient", "id": "ana", "birthDate": "1970-01-01"}
    assert len(site.ask("quick_one", {"patient": patient, "condition": None}).cards) == 1
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    for sent in ({"patient": patient}, {"condition": None}, {"patient": patient, "condition": outcome}):
        with pytest.raises(UpstreamRejected, match="HTTP 412"):
            site.ask("quick_one", sent)
    assert [one.status for one in site.runs("quick_one")] == ["draft"]
    assert [one["status"] for one in site.facts("cds.refused")] == [412, 412, 412]


def test_an_app_without_its_data_does_not_spoil_the_others(site: Site) -> None:
    site.trust(own_reads=False)
    patient = {"resourceType": "Patient", "id": "ana"}
    cards = site.ask(ALL, {"patient": patient, "condition": None}).cards
    assert sorted(card.source.label for card in cards) == ["Quick one", "Quick two"]
    assert [(one.app, one.facts["why"]) for one in site.records("cds.left_out")] == [(SHIPPED, "lacking")]


def test_a_token_of_the_call_fetches_what_is_missing_and_is_kept_nowhere(
    site: Site, serving: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Line 5, over a FHIR server that asks for the token."""
    secret = "tok-4711-very-secret"
    asked: list[str] = []

    async def fhir(request: Request) -> JSONResponse:
        asked.append(request.url.path)
        if request.headers.get("authorization") != f"Bearer {secret}":
            return JSONResponse({}, 401)
        if request.url.path.endswith("/Patient/ana"):
            return JSONResponse({"resourceType": "Patient", "id": "ana"})
        links = [{"relation": "self", "url": str(request.url)}]
        return JSONResponse({"resourceType": "Bundle", "type": "searchset", "link": links})

    caplog.set_level("DEBUG")
    with serving(Starlette(routes=[Route("/fhir/{rest:path}", fhir)])) as address:
        server = f"{address}/fhir"
        site.trust(own_reads=False, fhir=server)
        token = {"access_token": secret, "token_type": "Bearer", "expires_in": 300, "subject": "careplane"}
        wide = {**token, "scope": "patient/Patient.read patient/Condition.rs", "patient": "ana"}
        assert len(site.ask("quick_one", {}, fhir_server=server, token=wide).cards) == 1
        assert sorted(asked) == ["/fhir/Condition", "/fhir/Patient/ana"]
        narrow = {**token, "scope": "patient/Patient.read"}
        with pytest.raises(UpstreamRejected, match=r"HTTP 412.*Condition"):
            site.ask("quick_one", {}, fhir_server=server, token=narrow)
        assert asked.count("/fhir/Condition") == 1, "nothing is asked beyond the scopes"
        for wrong in (
            {"fhir_server": "http://127.0.0.1:9/fhir", "token": wide},
            {"token": wide},
            {"fhir_server": server, "token": {**wide, "patient": "bea"}},
        ):
            with pytest.raises(UpstreamRejected, match="HTTP 400"):
                site.ask("quick_one", {}, **wrong)
    assert secret not in caplog.text
    held = [path for path in site.home.rglob("*") if path.is_file()]
    assert len(held) > 5
    assert [path for path in held if secret.encode() in path.read_bytes()] == []


def test_a_link_may_be_a_smart_launch(site: Site) -> None:
    """Line 11."""
    site.trust(own_reads=True, smart=True)
    (card,) = site.ask("quick_one").cards
    (link,) = card.links or ()
    assert (link.type, link.url) == ("smart", f"{site.base}/smart/launch")
    assert json.loads(link.app_context or "") == {"run": only_run(site, "quick_one").id}


def test_a_model_that_is_away_is_said_with_what_to_do_instead(site: Site) -> None:
    seen = site.platform.runtime.outages
    assert seen is not None
    seen.begin_drill("model", "away_one", seen.clock().replace(year=2099))
    (card,) = site.ask("away_one").cards
    assert "fallback active" in card.summary
    assert "Read the chart yourself." in card.summary
    assert (card.uuid, card.suggestions) == (None, None)
    assert site.runs("away_one") == []
    assert [(one.app, one.facts["why"]) for one in site.records("cds.left_out")] == [("away_one", "away")]


def entry(card: Card, reason: str | None = None, comment: str = "", second: int = 0, **more: Any) -> JSON:
    told: JSON = {"card": card.uuid, "outcome": "overridden", "outcomeTimestamp": f"2026-03-02T12:00:{second:02d}Z"}
    why: JSON = {"reason": {"code": reason, "system": "urn:careplane:review-reasons"}} if reason else {}
    if comment:
        why["userComment"] = comment
    return {**told, **({"overrideReason": why} if why else {}), **more}


def test_feedback_is_kept_once_late_and_for_each_card(site: Site) -> None:
    """Line 12."""
    first, second = site.ask("quick_one").cards[0], site.ask("quick_two").cards[0]
    taken = {"card": second.uuid, "outcome": "accepted", "outcomeTimestamp": "2020-12-11T00:00:00Z",
             "acceptedSuggestions": [{"id": (second.suggestions or ())[0].uuid}]}  # fmt: skip
    for _ in range(2):
        asyncio.run(site.ehr.tell(ALL, [entry(first), taken]))
    asyncio.run(site.ehr.tell(ALL, [entry(first, "wrong-fact", second=5)]))
    asyncio.run(site.ehr.tell(ALL, [entry(first, "not-needed", second=3)]))
    told = {one.card: one for one in find_feedback(site.platform.store)}
    assert told[str(first.uuid)].reason_text == "wrong fact", "the newest by its own time counts"
    assert told[str(second.uuid)].outcome == "accepted"
    kept = [(one["entries"], one["new"]) for one in site.facts("cds.feedback")]
    assert kept == [(2, 2), (2, 0), (1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("change_of", "field"),
    [
        ({"card": "00000000-0000-0000-0000-000000000000"}, "feedback[1].card"),
        ({"outcome": "ignored"}, "feedback[1].outcome"),
        ({"outcome": "accepted"}, "feedback[1].acceptedSuggestions"),
        ({"outcomeTimestamp": "2026-03-02T12:00:00"}, "feedback[1].outcomeTimestamp"),
        ({"outcomeTimestamp": "2999-03-02T12:00:00Z"}, "feedback[1].outcomeTimestamp"),
        ({"overrideReason": "no"}, "feedback[1].overrideReason"),
    ],
)
def test_feedback_that_is_none_is_refused_whole(site: Site, change_of: JSON, field: str) -> None:
    (card,) = site.ask("quick_one").cards
    url = f"{site.base}/cds-services/quick_one/feedback"
    body = {"feedback": [entry(card), {**entry(card), **change_of}]}
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {site.ehr.token(url)}"}, trust_env=False)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, [field])
    assert str(card.uuid) not in {one.card for one in find_feedback(site.platform.store)}


def test_five_cards_set_aside_for_one_reason_open_one_request(site: Site) -> None:
    cards = [site.ask("set_aside").cards[0] for _ in range(7)]
    store = site.platform.store
    for card in cards[:4]:
        asyncio.run(site.ehr.tell("set_aside", [entry(card, "not-needed")]))
    assert change.find_requests(store, "set_aside") == []
    for card in cards[4:]:
        asyncio.run(site.ehr.tell("set_aside", [entry(card, comment=" Not  NEEDED! ")]))
    (request,) = change.find_requests(store, "set_aside")
    assert (request.by, request.kind) == ("cards", "complaint")
    assert request.text == "5 cards of Set aside were set aside for the same reason: not needed"
    use = change.card_use(store, "set_aside")
    assert [(one.cards, one.share) for one in use.reasons] == [(7, 1.0)]
    assert (use.told, use.accepted, use.overridden, use.override_rate) == (7, 0, 7, 1.0)
    assert sum(one["requests_opened"] for one in site.facts("cds.feedback")) == 1
