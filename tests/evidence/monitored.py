"""Runs and an app for the tests of monitoring."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from careplane._shelf import folder
from careplane.apps import read_app
from careplane.records.app import App
from careplane.records.model import ModelCall, Usage
from careplane.records.monitoring import MonitoringRule
from careplane.records.run import Draft, Event, Finding, Permit, Reason, Review, Run, RunStatus
from careplane.store import Store
from careplane.workflow.records import run_id, save_new_run


def app(rule: MonitoringRule | None = None) -> App:
    """The portal reply app, watched by a rule of the test."""
    made = read_app(folder("apps", "portal_reply"))
    return made if rule is None else replace(made, spec=replace(made.spec, monitoring=rule))


def run(
    name: str,
    at: datetime,
    status: RunStatus = "accepted",
    *,
    findings: tuple[Finding, ...] = (),
    latency: float = 900.0,
    model: str = "small",
    distance: float = 0.1,
) -> Run:
    """One run of the app: a call, a draft, and a review where its status has one."""
    usage = Usage(input_tokens=10, output_tokens=10, cost_usd=0.0)
    call = ModelCall(
        id=f"c-{name}",
        route="default",
        provider="local",
        model=model,
        usage=usage,
        latency_ms=latency,
        surrogates=0,
        at=at,
    )
    ran = status not in ("refused", "failed")
    refusal = Reason(rule="trained", allowed=False, text="Not trained.")
    actions = {"accepted": "accept", "edited": "edit", "rejected": "reject"}
    review = None
    if status in actions:
        review = Review(action=actions[status], by="Practitioner/p1", at=at, seconds=20.0, distance=distance)  # type: ignore[arg-type]
    return Run(
        id=run_id("portal_reply", name),
        app="portal_reply",
        app_version="1.0.0",
        app_hash="h",
        event=Event(id=name, app="portal_reply", kind="Communication.created", at=at, unit="Location/a"),
        status=status,
        permit=Permit(allowed=status != "refused", reasons=(refusal,) if status == "refused" else ()),
        created_at=at,
        calls=(call,) if ran else (),
        draft=Draft(text="x", sentences=("x",), sources=(), findings=findings) if ran else None,
        review=review,
    )


def keep(store: Store, count: int, at: datetime, name: str = "r", status: RunStatus = "accepted") -> list[str]:
    """Keep runs a minute apart; gives back their ids."""
    made = [run(f"{name}{number}", at + timedelta(minutes=number), status) for number in range(count)]
    for one in made:
        save_new_run(store, one)
    return [one.id for one in made]
