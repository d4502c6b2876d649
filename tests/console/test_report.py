"""The page of a result, its PDF and the figures of each unit, from a study that was really computed."""

import csv
import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from msgspec.structs import replace
from playwright.sync_api import BrowserContext, expect

from careplane import console
from careplane.evidence import extracts, plan_hash
from careplane.evidence.analysis import compute
from careplane.evidence.uses import Uses
from careplane.records.design import Looks
from careplane.records.evidence import Result
from careplane.records.people import Role
from careplane.store import Store, insert_new, save, stamp
from careplane.store.tables import assignments, plans, results


def _made() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "made_study", Path(__file__).parents[1] / "evidence" / "made_study.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _made()
SMALL = "Location/c03"


def _uses(rows: Any, treated: set[str], start: int) -> Uses:
    rng = np.random.default_rng(4)
    mine = np.isin(rows.cluster, sorted(treated)) & (rows.at >= start)
    status = np.where(rng.random(int(mine.sum())) < 0.4, "accepted", "rejected").astype(object)
    focus = np.array([f"Communication/{key}" for key in rows.key[mine]], dtype=object)
    arm = np.array(["intervention"] * int(mine.sum()), dtype=object)
    people = (rows.cluster[mine], rows.patient[mine], rows.clinician[mine])
    drafted = np.ones(int(mine.sum()), dtype=np.int64)
    return Uses(focus, *people, focus, arm, status, rows.at[mine], drafted)


def keep_study(store: Store, home: Path) -> Result:
    """A group-sequential cluster trial at its planned look, with one clinic of few rows."""
    units = made.clinics(12)
    looks = Looks("group_sequential", (made.START + timedelta(days=42),), "obrien_fleming")
    plan = made.made_plan("cluster_randomised", units, id="looked", looks=looks, hash="", locked_at=None)
    plan = replace(plan, hash=plan_hash(plan), locked_at=datetime(2026, 2, 1, tzinfo=UTC), locked_by="p.lee")
    arms = [replace(one, plan="looked") for one in made.halves(units)]
    rows, language = made.made_rows(plan, arms, -1.0, per_week=12, last=made.START + timedelta(days=42))
    start = rows.at.min() + 84 * 86400
    few = (rows.cluster != SMALL) | (rows.at < start) | (np.arange(len(rows)) % 12 == 0)
    rows = type(rows)(**{name: getattr(rows, name)[few] for name in rows.__dataclass_fields__})
    treated = {one.unit for one in arms if one.arm == "intervention"}
    then = made.START + timedelta(days=42)
    at = datetime(then.year, then.month, then.day, 12, tzinfo=UTC)
    study = made.made_study(plan, arms, rows, language, at=at, uses=_uses(rows, treated, start))
    name = extracts.data_hash(plan, arms, study.data, study.uses)
    result = replace(compute(study), data_hash=name)
    extracts.keep(home, name, study.data, study.uses)
    with store.write() as connection:
        save(connection, plans, plan, id=plan.id, version=1, app=plan.app, hash=plan.hash, locked_at=stamp(at))
        save(connection, results, result, plan=plan.id, computed_at=stamp(at))
        for one in arms:
            insert_new(connection, assignments, one, plan=one.plan, unit=one.unit, arm=one.arm)
    return result


@pytest.fixture(scope="module")
def result(served) -> Result:  # type: ignore[no-untyped-def]
    return keep_study(served.context.store, served.context.home)


@pytest.fixture(scope="module")
def evaluator(served, result: Result) -> Iterator[httpx.Client]:  # type: ignore[no-untyped-def]
    with signed(served, "eva", "evaluator") as client:
        yield client


@contextmanager
def signed(served: Any, name: str, role: Role) -> Iterator[httpx.Client]:
    """A client of a new account that waits long: a busy machine is no failure."""
    now = datetime.now(UTC)
    console.create_account(served.context.store, name, name.title(), (role,), now, None)
    path = console.one_time_link(served.context.store, name, now)
    with httpx.Client(base_url=served.address, follow_redirects=True, timeout=120.0) as client:
        form = client.get(path).text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
        assert client.post(path, data={"csrf": form}).status_code == 200
        yield client


def test_the_page_opens_with_the_verdict_and_shows_all_that_stands_behind_it(
    evaluator: httpx.Client, result: Result
) -> None:
    page = evaluator.get("/evidence/looked").text
    sentence = result.effects[0].sentence.replace("-", "\N{MINUS SIGN}")[:40]
    assert page.index(sentence) < page.index("Design grade")
    for text in (
        "Locked 1 Feb 2026, 0 amendments",
        "By other methods",
        "What it rests on",
        "✓ held",
        "Who it works for",
        "Who was reached",
        "By how much it was used",
        "no effect of use",
        "Looks before the end",
        "Planned",
        "Reached",
        "would miss their truth by chance alone",
        f"careplane evidence replay {result.id}",
        result.data_hash,
        "Synthetic",
        "What the improvement costs",
        "EVPI, USD/event",
        "so the curve stands without a verdict",
    ):
        assert text in page, text


def test_the_report_prints(evaluator: httpx.Client) -> None:
    pytest.importorskip("weasyprint", reason="the extra pdf is not installed")
    answer = evaluator.get("/evidence/looked/report.pdf")
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    assert len(answer.content) > 20_000


def test_the_figures_of_each_unit_come_without_small_cells(evaluator: httpx.Client) -> None:
    answer = evaluator.get("/evidence/looked/rows.csv")
    rows = {(row["unit"], row["arm"]): row for row in csv.DictReader(io.StringIO(answer.text))}
    assert len(rows) == 12
    small = rows[(SMALL, "intervention")]
    assert (small["rows"], small["mean"]) == ("", "")
    assert "fewer than 11" in small["withheld"]
    beside = [row for row in rows.values() if row["arm"] == "intervention" and row["withheld"]]
    assert len(beside) == 2  # another is withheld, so that the small one is not the difference to the sum of the arm
    assert all(row["rows"] for row in rows.values() if row["arm"] == "control")


def test_the_figures_need_a_permission(served, result: Result) -> None:  # type: ignore[no-untyped-def]
    with signed(served, "nurse", "clinician") as client:
        assert client.get("/evidence/looked").status_code == 200
        assert client.get("/evidence/looked/rows.csv").status_code == 403


def test_a_plan_without_a_result_has_no_report(served, evaluator: httpx.Client) -> None:  # type: ignore[no-untyped-def]
    plan = made.made_plan("stepped_wedge", made.clinics(8), id="waiting")
    with served.context.store.write() as connection:
        save(connection, plans, plan, id=plan.id, version=1, app=plan.app, hash=None, locked_at=None)
    assert "Not measured yet" in evaluator.get("/evidence/waiting").text
    assert evaluator.get("/evidence/waiting/report.pdf").status_code == 404


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_ward_screen(signed_in: BrowserContext, result: Result, scheme: str) -> None:
    page = signed_in.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"/evidence/{result.plan}")
    expect(page.get_by_role("heading", name="Looks before the end")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    page.close()
