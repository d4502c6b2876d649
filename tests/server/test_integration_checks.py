"""Six live checks of an app: what works is shown with its evidence, and what is broken is found."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.types import ASGIApp

from careplane import alignment
from careplane.alignment.integration import keep_report, latest_report
from careplane.gateway import issue_key
from careplane.records.integration import IntegrationReport
from careplane.records.run import Occurrence, Run
from careplane.server.asgi import asgi_app
from careplane.server.integration_checks import check_app, check_tonight, due_since
from careplane.server.launch_probes import STRAIGHT
from careplane.server.platform import Platform, open_platform
from careplane.settings import Settings, read_settings
from careplane.workflow import find_runs, review_run, run_event
from careplane.workflow.records import save_new_run
from careplane.workflow.triggers import event_for

NURSE = "Practitioner/p1"


def checked(platform: Platform, app: str = "portal_reply", door: ASGIApp | None = None) -> IntegrationReport:
    return asyncio.run(check_app(platform, platform.app(app), door or asgi_app(platform)))


def states(report: IntegrationReport) -> dict[str, str]:
    return {check.name: check.state for check in report.checks}


def evidence(report: IntegrationReport, name: str) -> str:
    return next(f"{check.evidence} {check.way_out}" for check in report.checks if check.name == name)


@pytest.fixture
def signed(
    platform: Platform, promote: Callable[[str, str], None], train: Callable[[str, str], None]
) -> Callable[[str], Run]:
    """Runs portal_reply for the one message and signs its draft."""
    promote("portal_reply", "pilot")
    train("portal_reply", NURSE)

    def act(source: str) -> Run:
        happened = Occurrence(
            id=f"m1-{source}", kind="subscription", on="Communication.created", at=platform.clock(), source=source,
            patient="Patient/ana", focus="Communication/m1", unit="Location/clinic-01", user=NURSE,
        )  # fmt: skip

        async def live() -> Run:
            run = await run_event(platform.runtime, event_for("portal_reply", happened))
            return await review_run(platform.runtime, run.id, "accept", NURSE, 20.0, at=platform.clock())

        return asyncio.run(live())

    return act


def test_what_nobody_used_yet_is_not_measured(platform: Platform) -> None:
    report = checked(platform)
    assert states(report) == {
        "single_sign_on": "pass",
        "in_workflow_launch": "fail",
        "governed_data": "not_measured",
        "write_back_with_provenance": "not_measured",
        "telemetry": "not_measured",
        "entitlement_and_kill_switch": "pass",
    }
    assert "careplane key issue portal_reply" in evidence(report, "in_workflow_launch")
    assert all(check.way_out for check in report.checks if check.state != "pass")
    assert report.ehr == "synthetic EHR"
    issue_key(platform.store, "portal_reply", datetime.now(UTC))
    assert "1 key(s) may post" in evidence(checked(platform), "in_workflow_launch")


def test_a_signed_run_is_evidence_for_all_six(platform: Platform, signed: Callable[[str], Run]) -> None:
    signed("https://ehr.example/fhir")
    report = checked(platform)
    assert set(states(report).values()) == {"pass"}, report
    assert "Communication with the AIAST label" in evidence(report, "write_back_with_provenance")
    assert "event by subscription" in evidence(report, "in_workflow_launch")
    text = str(report)
    assert "ana" not in text.lower().replace("manager", "")
    assert "Quill" not in text


def test_a_simulation_behind_the_doors_is_no_evidence_of_a_door(
    platform: Platform, signed: Callable[[str], Run]
) -> None:
    signed(STRAIGHT)
    assert states(checked(platform))["in_workflow_launch"] == "fail"


def test_what_is_broken_is_found(platform: Platform, signed: Callable[[str], Run]) -> None:
    run = signed("ehr")

    async def strip_the_label() -> None:
        held = await platform.fhir.read(run.written[0])
        assert held is not None
        await platform.fhir.update({**held, "meta": {}})

    asyncio.run(strip_the_label())
    lost = replace(
        run, id="run-lost", event=replace(run.event, id="lost"), created_at=run.created_at + timedelta(days=1)
    )
    save_new_run(platform.store, lost)
    found = checked(platform, door=Starlette())
    assert states(found) == {
        "single_sign_on": "fail",
        "in_workflow_launch": "pass",
        "governed_data": "pass",
        "write_back_with_provenance": "fail",
        "telemetry": "fail",
        "entitlement_and_kill_switch": "pass",
    }
    assert "run.drafted" in evidence(found, "telemetry")
    assert "AIAST" in evidence(found, "write_back_with_provenance")


def test_an_ehr_that_is_away_fails_the_reads(platform: Platform, signed: Callable[[str], Run]) -> None:
    signed("ehr")
    away: Settings = read_settings({}, home=str(platform.home), fhir_base_url="http://127.0.0.1:9/fhir")
    cut = open_platform(away, synthetic=True)
    try:
        found = checked(cut)
    finally:
        cut.close()
    assert found.ehr == "FHIR endpoint at 127.0.0.1"
    assert states(found)["governed_data"] == states(found)["write_back_with_provenance"] == "fail"
    assert states(found)["entitlement_and_kill_switch"] == "pass"


def test_a_test_patient_lets_the_chart_be_read_and_written(platform: Platform) -> None:
    settings = read_settings({}, home=str(platform.home), check_patient="Patient/ana")
    own = open_platform(settings, synthetic=True)
    try:
        found = checked(own, "discharge_summary")
        assert states(found)["write_back_with_provenance"] == "pass"
        assert "entered in error" in evidence(found, "write_back_with_provenance")
        written = asyncio.run(own.fhir.search("DocumentReference", {"patient": "ana"}))
        assert [document["status"] for document in written] == ["entered-in-error"]
        missing = open_platform(settings.replace(check_patient="Patient/nobody"), synthetic=True)
        try:
            assert states(checked(missing, "discharge_summary"))["write_back_with_provenance"] == "fail"
        finally:
            missing.close()
    finally:
        own.close()


def test_an_app_of_text_by_chat_fits_the_workflow_less(platform: Platform) -> None:
    found = states(checked(platform, "access_assistant"))
    assert found["in_workflow_launch"] == found["write_back_with_provenance"] == "fail"


def test_a_report_is_what_the_register_says_from_then_on(platform: Platform, signed: Callable[[str], Run]) -> None:
    store, ledger = platform.store, platform.ledger
    before = alignment.load_item(store, "portal_reply")
    assert (before.integration_at, len(before.integration)) == (None, 6)
    report = checked(platform)
    keep_report(store, ledger, report)
    item = alignment.load_item(store, "portal_reply")
    assert item.integration == report.names("pass")
    assert set(item.unknown) == set(report.names("not_measured"))
    assert item.integration_at == report.at
    app = platform.app("portal_reply")
    again = alignment.register_app(store, ledger, app, item.tier, "idea", platform.clock(), "owner")
    assert again.integration == item.integration
    assert latest_report(store, "portal_reply") == report
    (record,) = ledger.records(kind="integration.checked")
    assert "entitlement_and_kill_switch" in str(record.facts["pass"])
    signed("ehr")
    keep_report(store, ledger, replace(checked(platform), at=report.at + timedelta(hours=1)))
    now = alignment.load_item(store, "portal_reply")
    assert (len(now.integration), now.unknown) == (6, ())


def test_running_apps_are_checked_once_a_night(platform: Platform, promote: Callable[[str, str], None]) -> None:
    promote("portal_reply", "shadow")
    door: Any = asgi_app(platform)
    tonight: Callable[[], Awaitable[int]] = lambda: check_tonight(platform, door)  # noqa: E731 - asked twice

    async def twice() -> tuple[int, int]:
        return await tonight(), await tonight()

    assert asyncio.run(twice()) == (1, 0)
    assert latest_report(platform.store, "portal_reply") is not None
    assert latest_report(platform.store, "bed_huddle") is None
    assert find_runs(platform.store) == []


def test_when_the_checks_are_due() -> None:
    noon = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    assert due_since(noon, 2) == datetime(2026, 3, 2, 2, tzinfo=UTC)
    assert due_since(noon, 13) == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert due_since(noon, -1) is None
