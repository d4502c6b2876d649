"""A small installation for the console's tests: register, decisions, one plan with its result, runs, requests."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy import Connection

from careplane import alignment
from careplane._shelf import folder
from careplane.apps import read_app
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.records.evidence import Assignment, Effect, EquityRow, Plan, PlannedMeasure, Result, Uptake
from careplane.records.model import ModelCall, Usage
from careplane.records.people import TrainingRecord
from careplane.records.portfolio import Goal, RegisterItem, Stage
from careplane.records.run import (
    Draft,
    Event,
    Finding,
    Permit,
    Reason,
    Review,
    ReviewAction,
    Run,
    RunStatus,
    Source,
)
from careplane.store import Store, save, stamp
from careplane.store.tables import assignments, plans, results, training
from careplane.workflow.records import save_new_run

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
CLINICS = tuple(f"Location/clinic-{number:02}" for number in range(1, 13))
REVIEWER = "Practitioner/p001"
ACTIONS: dict[str, ReviewAction] = {"accepted": "accept", "edited": "edit", "rejected": "reject"}
SENTENCES = (
    "Your potassium was 4.1 on 12 March, which is in the normal range [2].",
    "Please keep taking lisinopril 10 mg once a day [1].",
    "You can walk thirty minutes on most days.",
)


def read_apps() -> dict[str, App]:
    """The apps that the console should know."""
    return {name: read_app(folder("apps", name)) for name in ("portal_reply", "previsit_summary", "bed_huddle")}


def seed(store: Store, ledger: Ledger) -> Mapping[str, App]:
    """Fill a store and a ledger; returns the apps that the console should know."""
    apps = read_apps()
    alignment.import_goals(store, GOALS)
    stages: dict[str, Stage] = {"portal_reply": "pilot", "previsit_summary": "shadow", "bed_huddle": "intake"}
    for name, stage in stages.items():
        alignment.register_app(store, ledger, apps[name], 2, stage, NOW - timedelta(days=120), "p.owner")
    alignment.import_items(store, [_bought(number) for number in range(1, 7)])
    alignment.open_decision(
        store,
        ledger,
        "portal_reply",
        "Scale portal reply drafts to eight more clinics?",
        "Chief medical officer",
        NOW - timedelta(days=40),
        gate="G3",
        net_benefit_per_year_usd=180_000,
    )
    alignment.open_decision(
        store, ledger, "bought_2", "Renew the bought scribe for a year?", "Chief operating officer", NOW
    )
    with store.write() as connection:
        save(
            connection,
            plans,
            PLAN,
            id=PLAN.id,
            version=1,
            app=PLAN.app,
            hash=PLAN.hash,
            locked_at=stamp(NOW - timedelta(days=90)),
        )
        save(connection, results, RESULT, plan=PLAN.id, computed_at=stamp(NOW))
        for number, unit in enumerate(CLINICS):
            arm: Literal["intervention", "control"] = "intervention" if number % 2 else "control"
            one = Assignment(plan=PLAN.id, unit=unit, arm=arm, stratum="large" if number < 6 else "small")
            save(connection, assignments, one, plan=PLAN.id, unit=unit, arm=arm)
        _train(connection, apps["portal_reply"])
    for number in range(60):
        save_new_run(store, _run(number, apps["portal_reply"]))
    ledger.append("run.drafted", at=NOW, run="run-000", app="portal_reply", facts={"findings": 1})
    return apps


def _train(connection: Connection, app: App) -> None:
    """The reviewer passed the lesson; her colleague did not take it yet."""
    at = NOW - timedelta(days=30)
    record = TrainingRecord(app=app.id, app_version=app.spec.version, person=REVIEWER, score=1.0, passed=True, at=at)
    save(connection, training, record, app=app.id, person=REVIEWER, at=stamp(at), passed=True)


GOALS = (
    Goal(
        id="clinician_time",
        title="Give clinicians back an hour a day",
        owner="Chief medical officer",
        measure="clinician_minutes_per_message",
        target=-1.0,
        unit="minutes",
        weight=0.6,
        year=2026,
    ),
    Goal(
        id="access",
        title="Answer every patient message within one business day",
        owner="Chief nursing officer",
        measure="reply_turnaround_hours",
        target=8.0,
        unit="hours",
        weight=0.4,
        year=2026,
    ),
)


def _bought(number: int) -> RegisterItem:
    return RegisterItem(
        id=f"bought_{number}",
        title=f"Bought tool {number}",
        kind="point_solution",
        stage=("pilot", "pilot", "stopped", "scaled", "idea", "pilot")[number - 1],
        tier=1 + number % 3,
        area="clinical",
        owner=None if number == 5 else f"Owner {number}",
        sponsor=None,
        goals=("access",) if number % 2 else (),
        departments=("primary care",),
        sites=("Organization/hospital-1",),
        task="summarise",
        stage_since=date(2025, 9, number),
        registered_at=date(2025, 8, 1),
        vendor="A vendor",
        path=("goal_linked", "stop_rule"),
        annual_cost_usd=12_000.0 * number,
        funding_usd=5_000.0,
        synthetic=True,
    )


PLAN = Plan(
    id="portal_reply-1",
    app="portal_reply",
    version=1,
    question="Do reply drafts shorten the time to answer a portal message?",
    design="cluster_randomised",
    unit="clinic",
    clusters=CLINICS,
    strata=dict.fromkeys(CLINICS, "large"),
    measures=(
        PlannedMeasure(id="reply_turnaround_hours", role="primary", unit="hours", direction="lower", mcid=2.0),
        PlannedMeasure(id="read_time", role="balancing", unit="minutes", direction="lower", mcid=0.5),
    ),
    equity=("language",),
    baseline_start=date(2025, 9, 20),
    start=date(2025, 12, 20),
    end=date(2026, 3, 19),
    seed=7,
    alpha=0.05,
    analysis="Difference of clinic means by intention to treat, CR2 standard errors.",
    decision_rule="Scale when the whole interval is below zero.",
    power="80 % for 2.1 hours",
    hash="9f2c" * 16,
    locked_at=NOW - timedelta(days=91),
    locked_by="evaluator",
)


def _effect(measure: str, role: str, unit: str, numbers: tuple[float, float, float], sentence: str) -> Effect:
    estimate, low, high = numbers
    return Effect(
        plan=PLAN.id,
        measure=measure,
        role=role,
        unit=unit,
        direction="lower",
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        p_value=0.004,
        n=5210,
        clusters=12,
        method="cluster ITT, CR2",
        verdict="benefit" if high < 0 else "inconclusive",
        sentence=sentence,
        grade="B",
        mcid=2.0 if unit == "hours" else 0.5,
        mean_intervention=7.9,
        mean_control=7.9 - estimate,
        n_intervention=2600,
        n_control=2610,
        df=8.7,
        comparison="exact permutation: -5.40 to -1.80",
        data_hash="ab" * 32,
        computed_at=NOW,
    )


def _group(group: str, n: int | None, estimate: float | None) -> EquityRow:
    return EquityRow(
        plan=PLAN.id,
        measure="reply_turnaround_hours",
        dimension="language",
        group=group,
        n=n,
        estimate=estimate,
        ci_low=None if estimate is None else estimate - 2,
        ci_high=None if estimate is None else estimate + 2,
        withheld="" if n else "fewer than 11 people in an arm",
    )


RESULT = Result(
    plan=PLAN.id,
    plan_hash=PLAN.hash,
    effects=(
        _effect(
            "reply_turnaround_hours",
            "primary",
            "hours",
            (-3.6, -5.2, -2.0),
            "Replies came 3.6 hours sooner (5.2 to 2.0 sooner).",
        ),
        _effect("read_time", "balancing", "minutes", (0.1, -0.2, 0.4), "Reading time may be the same."),
    ),
    equity=(_group("English", 4100, -3.7), _group("Spanish", 1050, -3.1), _group("Vietnamese", None, None)),
    uptake=Uptake(
        plan=PLAN.id,
        eligible=2600,
        offered=2510,
        used=1804,
        accepted=1100,
        edited=704,
        rejected=560,
        refused=90,
        share=0.694,
        ci_low=0.676,
        ci_high=0.711,
    ),
    missing={"reply_turnaround_hours": "61 of 5,271 messages have no reply yet; they count as waiting until the end."},
    computed_at=NOW,
    data_hash="ab" * 32,
    code_version="0.1.0",
)


def _run(number: int, app: App) -> Run:
    status: RunStatus = ("draft", "accepted", "edited", "rejected", "refused")[number % 5]
    at = NOW - timedelta(days=number)
    refused = status == "refused"
    reason = Reason(
        rule="in_arm", allowed=not refused, text="This clinic is in the control arm.", way_out="Wait for the end."
    )
    event = Event(
        id=f"Communication/m{number}",
        app=app.id,
        kind="Communication.received",
        at=at,
        patient=f"Patient/{number}",
        focus=f"Communication/m{number}",
        unit=CLINICS[number % 12],
        site="Organization/hospital-1",
        user=REVIEWER if number % 2 == 0 else "Practitioner/p002",
    )
    run = Run(
        id=f"run-{number:03}",
        app=app.id,
        app_version=app.spec.version,
        app_hash=app.hash,
        event=event,
        status=status,
        permit=Permit(allowed=not refused, reasons=(reason,)),
        created_at=at,
        plan=PLAN.id,
        arm="control" if refused else "intervention",
        synthetic=True,
    )
    return run if refused else _drafted(run, number, status, at)


def _drafted(run: Run, number: int, status: RunStatus, at: datetime) -> Run:
    text = "Dear patient,\n\n" + " ".join(SENTENCES)
    draft = Draft(
        text=text,
        sentences=("Dear patient,", *SENTENCES),
        sources=(
            Source(
                n=1,
                reference="MedicationRequest/1",
                label="Lisinopril 10 mg",
                text="Lisinopril 10 mg tablet, one daily",
                date="2026-01-04",
            ),
            Source(n=2, reference="Observation/2", label="Potassium", text="Potassium 4.1 mmol/L", date="2026-03-12"),
        ),
        findings=(
            Finding(
                check="grounding", severity="caution", text="No source says how long the patient may walk.", sentence=3
            ),
        ),
        message="Was my blood test fine? <b>And</b> may I walk?",
    )
    call = ModelCall(
        id=f"call-{number}",
        route="default",
        provider="scripted",
        model="scripted-1",
        usage=Usage(input_tokens=812, output_tokens=96, cost_usd=0.0021),
        latency_ms=12.0,
        surrogates=7,
        at=at,
    )
    reviewed = status != "draft"
    review = (
        Review(
            action=ACTIONS[status],
            by=REVIEWER,
            at=at,
            seconds=41.0,
            reason="Too long" if status == "rejected" else None,
            final_text=None if status == "rejected" else text,
        )
        if reviewed
        else None
    )
    return msgspec.structs.replace(run, sources=draft.sources, draft=draft, calls=(call,), review=review)
