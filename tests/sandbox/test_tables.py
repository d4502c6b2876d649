"""The ERP export and the portfolio: readable, and with the trouble that real ones have."""

import csv
from collections import Counter
from datetime import date
from pathlib import Path

import msgspec
import orjson
import pytest

from careplane.records.people import Request
from careplane.records.portfolio import DecisionItem, Goal, RegisterItem
from careplane.sandbox import read_manifest
from careplane.sandbox.portfolio import Panels

CATEGORIES = {"licence", "infrastructure", "integration", "training", "support", "governance", "model_usage"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_costs_hold_one_duplicate_and_one_credit(dataset: Path) -> None:
    lines = rows(dataset / "erp/costs.csv")
    repeated = [line for line, count in Counter(line["line_id"] for line in lines).items() if count > 1]
    assert len(repeated) == 1
    assert len([line for line in lines if float(line["amount_usd"]) < 0]) == 1
    assert {line["category"] for line in lines} == CATEGORIES
    manifest = read_manifest(dataset)
    assert all(manifest.start <= date.fromisoformat(line["posted_on"]) < manifest.pilot_end for line in lines)


def test_every_cost_has_a_known_centre_and_item(dataset: Path) -> None:
    lines = rows(dataset / "erp/costs.csv")
    centres = {row["cost_centre"] for row in rows(dataset / "erp/cost_centres.csv")}
    items = {item["id"] for item in orjson.loads((dataset / "portfolio/register.json").read_bytes())}
    assert {line["cost_centre"] for line in lines} <= centres
    assert {line["item"] for line in lines} - items == {"platform", "portal_reply", "previsit_summary", "bed_huddle"}


def test_every_job_has_a_rate(dataset: Path) -> None:
    rates = {row["job"]: float(row["loaded_usd_per_hour"]) for row in rows(dataset / "erp/rates.csv")}
    jobs = {member["person"]["job"] for member in orjson.loads((dataset / "staff.json").read_bytes())}
    assert jobs <= set(rates)


def test_the_portfolio_decodes_to_its_records(dataset: Path) -> None:
    folder = dataset / "portfolio"
    goals = msgspec.json.decode((folder / "goals.json").read_bytes(), type=tuple[Goal, ...])
    items = msgspec.json.decode((folder / "register.json").read_bytes(), type=tuple[RegisterItem, ...])
    decisions = msgspec.json.decode((folder / "decisions.json").read_bytes(), type=tuple[DecisionItem, ...])
    assert sum(goal.weight for goal in goals) == pytest.approx(1)
    assert {goal for item in items for goal in item.goals} <= {goal.id for goal in goals}
    assert {decision.item for decision in decisions} <= {item.id for item in items}
    assert all(item.synthetic for item in items)


def test_decisions_make_sense_on_the_last_day(dataset: Path) -> None:
    decisions = msgspec.json.decode((dataset / "portfolio/decisions.json").read_bytes(), type=tuple[DecisionItem, ...])
    end = read_manifest(dataset).pilot_end
    still_open = [decision for decision in decisions if decision.outcome is None]
    assert any(decision.due_on < end for decision in still_open)
    assert any(decision.due_on > end for decision in still_open)
    assert any(decision.deferrals >= 2 for decision in still_open)
    assert all(decision.opened_at.date() < end for decision in decisions)


def test_panels_and_requests_name_people_who_exist(dataset: Path) -> None:
    panels = msgspec.json.decode((dataset / "portfolio/panels.json").read_bytes(), type=Panels)
    requests = msgspec.json.decode((dataset / "portfolio/requests.json").read_bytes(), type=tuple[Request, ...])
    staff = {member["person"]["id"] for member in orjson.loads((dataset / "staff.json").read_bytes())}
    known = staff | {"patient-adviser-1"}
    assert {member.person for member in panels.members} <= known
    assert {person for session in panels.sessions for person in session.attended} <= known
    assert {request.by for request in requests} <= known
    assert {request.status for request in requests} == {"open", "planned", "done", "declined"}
    assert any(member.shift == "night" for member in panels.members)
