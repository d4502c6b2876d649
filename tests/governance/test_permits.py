"""Permits: each rule's yes and no, all reasons at once, and fail closed."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

import careplane.apps
from careplane.apps import read_app
from careplane.governance import CHECKS, PermitRequest, permit
from careplane.records.app import App, DataPolicy, PhiPolicy
from careplane.records.portfolio import STAGES, RegisterItem, Stage
from careplane.records.run import Event, Reason

APP = read_app(Path(careplane.apps.__file__).parent / "portal_reply")
EVENT = Event(id="e1", app=APP.id, kind="manual", at=datetime(2026, 3, 2, tzinfo=UTC))
RUNNING = {"shadow", "pilot", "limited_production", "scaled", "sustained"}


def item(stage: Stage = "pilot", app_hash: str = "") -> RegisterItem:
    return RegisterItem(
        id=APP.id,
        title=APP.spec.title,
        kind="platform_app",
        stage=stage,
        tier=2,
        area="clinical",
        owner=None,
        sponsor=None,
        goals=(),
        departments=(),
        sites=(),
        task="draft_reply",
        stage_since=date(2026, 1, 1),
        registered_at=date(2026, 1, 1),
        app_hash=app_hash,
    )


REQUEST = PermitRequest(app=APP, event=EVENT, item=item(), region="local")


def refused_by(request: PermitRequest) -> list[str]:
    answer = permit(request, CHECKS)
    assert answer.allowed == (not answer.refusals)
    assert all(reason.way_out for reason in answer.refusals)
    return [reason.rule for reason in answer.refusals]


def with_policy(phi: PhiPolicy, *regions: str) -> App:
    return replace(APP, spec=replace(APP.spec, data_policy=DataPolicy(phi=phi, regions=regions or ("local",))))


def test_all_rules_hold() -> None:
    assert refused_by(REQUEST) == []


@pytest.mark.parametrize("stage", STAGES)
def test_stages_in_which_an_app_runs(stage: Stage) -> None:
    assert refused_by(replace(REQUEST, item=item(stage))) == ([] if stage in RUNNING else ["stage_allows"])


@pytest.mark.parametrize(
    ("request_", "rules"),
    [
        (replace(REQUEST, item=None), ["registered", "stage_allows"]),
        (replace(REQUEST, item=item(app_hash="0" * 64)), ["registered"]),
        (replace(REQUEST, item=item(app_hash=APP.hash)), []),
        (replace(REQUEST, stopped="wrong doses"), ["not_stopped"]),
        (replace(REQUEST, plan="p1", arm="control"), ["in_arm"]),
        (replace(REQUEST, plan="p1", arm=None), ["in_arm"]),
        (replace(REQUEST, plan="p1", arm="intervention"), []),
        (replace(REQUEST, app=with_policy("identifiable", "us"), region="us"), ["data_policy"]),
        (replace(REQUEST, app=with_policy("identifiable"), region="local"), []),
        (replace(REQUEST, app=with_policy("identifiable"), region=None), ["data_policy"]),
        (replace(REQUEST, app=with_policy("limited"), region=None), ["data_policy"]),
        (replace(REQUEST, app=with_policy("deidentified"), region="us"), ["data_policy"]),
        (replace(REQUEST, app=with_policy("deidentified", "us"), region="us"), []),
        (replace(REQUEST, app=with_policy("none"), region="us"), []),
    ],
)
def test_each_refusal_names_its_rule(request_: PermitRequest, rules: list[str]) -> None:
    assert refused_by(request_) == rules


def test_all_refusals_come_at_once() -> None:
    everything = replace(REQUEST, item=None, stopped="x", plan="p", arm="control", region="us")
    assert refused_by(everything) == ["registered", "stage_allows", "not_stopped", "data_policy", "in_arm"]


def test_check_that_cannot_answer_refuses() -> None:
    def asks_a_database(request: PermitRequest) -> Reason:
        raise OSError("disk")

    answer = permit(REQUEST, (*CHECKS, asks_a_database))
    assert [reason.rule for reason in answer.refusals] == ["asks_a_database"]
    assert "disk" not in answer.refusals[0].text


def test_no_check_is_no_permit() -> None:
    assert not permit(REQUEST, ()).allowed
