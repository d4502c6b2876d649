"""The composition root: what refuses a run, and settings that cannot be served."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete

from careplane import evidence, governance
from careplane.errors import NotFound, Refused, SettingsError
from careplane.records.portfolio import Stage
from careplane.records.run import Event, Run
from careplane.server.binding import bind
from careplane.server.entitling import entitle, read_apps, region_of
from careplane.server.platform import Platform, site_clock
from careplane.settings import read_settings
from careplane.store.tables import register
from careplane.workflow import run_event

NURSE = "Practitioner/p1"
CLINICS = {f"Location/clinic-{n:02d}": "Organization/hospital-1" for n in range(1, 5)}
Promote = Callable[[str, Stage], None]
Train = Callable[[str, str], None]


def run(platform: Platform, ident: str, unit: str = "Location/clinic-01", user: str | None = NURSE) -> Run:
    event = Event(id=ident, app="portal_reply", kind="Communication.received", at=platform.clock(),
                  patient="Patient/ana", focus="Communication/m1", unit=unit, user=user)  # fmt: skip
    return asyncio.run(run_event(platform.runtime, event))


def entitled(platform: Platform) -> str:
    region = partial(region_of, platform.gateway.routes)
    return entitle(platform.store, platform.apps, region, platform.clock, "portal_reply").app


def refused_by(run: Run) -> list[str]:
    assert all(reason.text and reason.way_out for reason in run.permit.refusals)
    return [reason.rule for reason in run.permit.refusals]


def test_a_run_needs_the_register_a_stage_and_training(platform: Platform, promote: Promote, train: Train) -> None:
    assert refused_by(run(platform, "idea")) == ["stage_allows", "trained"]
    with pytest.raises(Refused, match="stage is idea"):
        entitled(platform)
    promote("portal_reply", "pilot")
    assert refused_by(run(platform, "untrained")) == ["trained"]
    train("portal_reply", NURSE)
    allowed = run(platform, "allowed")
    assert (allowed.status, allowed.permit.allowed) == ("draft", True)
    assert entitled(platform) == "portal_reply"
    governance.stop(platform.store, platform.ledger, "app", "portal_reply", "officer", "wrong doses", platform.clock())
    assert refused_by(run(platform, "stopped")) == ["not_stopped"]
    with pytest.raises(Refused, match="wrong doses"):
        entitled(platform)
    with platform.store.write() as connection:
        connection.execute(delete(register).where(register.c.id == "portal_reply"))
    assert refused_by(run(platform, "unregistered")) == ["registered", "stage_allows", "not_stopped"]
    assert run(platform, "allowed") == allowed


def test_only_the_intervention_arm_of_a_running_plan_is_served(
    platform: Platform, promote: Promote, train: Train
) -> None:
    promote("portal_reply", "pilot")
    train("portal_reply", NURSE)
    store, ledger, now = platform.store, platform.ledger, platform.clock()
    infos = [measure.info for measure in platform.measures.values()]
    plan = evidence.draft_plan(platform.app("portal_reply"), infos, CLINICS, now.date() + timedelta(days=1), 7)
    arms = evidence.assign(store, ledger, evidence.lock_plan(store, ledger, plan, "evaluator", now), now)
    later = now + timedelta(days=3)
    for arm in arms:
        event = Event(id=arm.unit, app="portal_reply", kind="x", at=later, unit=arm.unit, user=NURSE)
        permit, placed = platform.runtime.permit(platform.app("portal_reply"), event)
        assert placed is not None
        assert (placed.plan, placed.arm) == (plan.id, arm.arm)
        assert permit.allowed is (arm.arm == "intervention")
        assert [reason.rule for reason in permit.refusals] == ([] if permit.allowed else ["in_arm"])
    assert {arm.arm for arm in arms} == {"intervention", "control"}


def test_an_app_that_is_not_there_names_the_nearest(platform: Platform) -> None:
    with pytest.raises(NotFound, match="portal_reply"):
        platform.app("portal_replies")


def test_an_app_folder_of_the_site_wins(tmp_path: Path, platform: Platform) -> None:
    shipped = Path(platform.app("bed_huddle").folder)
    own = tmp_path / "apps/bed_huddle"
    own.mkdir(parents=True)
    for name in ("app.yaml", "prompt.md", "lesson.md"):
        text = (shipped / name).read_text(encoding="utf-8")
        (own / name).write_text(text.replace("version: 1.0.0", "version: 1.1.0"), encoding="utf-8")
    apps = read_apps(tmp_path / "apps")
    assert apps["bed_huddle"].spec.version == "1.1.0"
    assert set(apps) == set(platform.apps)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_a_setting_to_correct(zone: str) -> None:
    with pytest.raises(SettingsError, match="IANA") as caught:
        site_clock(read_settings({}, timezone=zone))
    assert caught.value.field == "timezone"


def test_the_clock_tells_the_time_of_the_site() -> None:
    assert site_clock(read_settings({}, timezone="America/Chicago"))().tzinfo == ZoneInfo("America/Chicago")


def test_a_port_that_is_taken_is_a_setting_to_correct() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            bind("127.0.0.1", port)
    assert "--host or --port" in str(caught.value)
    with pytest.raises(SettingsError):
        bind("no-such-host.invalid", 0)
