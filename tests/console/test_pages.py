"""Every page of the console answers, says "not measured" where nothing is, and meets the basics of access."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import httpx
import pytest
from sqlalchemy import update

from careplane.alignment import GATES, gate, sign_forecast
from careplane.console.worth import users
from careplane.records.people import Role
from careplane.store.lake import load_path
from careplane.store.tables import runs
from careplane.value import newest_results

PATHS = (
    "/",
    "/portfolio",
    "/apps",
    "/apps?q=portal&stage=pilot&sort=-cost",
    "/apps?owner=nobody",
    "/apps?q=nothing-like-this",
    "/apps/portal_reply",
    "/apps/bought_2",
    "/decisions",
    "/evidence",
    "/evidence/portal_reply-1",
    "/evidence/portal_reply-1/rows",
    "/value",
    "/review",
    "/review/run-000",
    "/review/run-001/done",
    "/runs",
    "/runs?status=refused",
    "/runs/run-001",
    "/runs/run-004",
    "/people",
    "/requests",
    "/learn/portal_reply",
    "/safety",
    "/safety/monitoring",
    "/safety/monitoring/portal_reply",
    "/data",
    "/search?q=portal",
    "/search",
    "/help",
    "/account",
    "/admin",
)


@pytest.fixture(scope="module")
def browser(served) -> Iterator[httpx.Client]:  # type: ignore[no-untyped-def]
    with served.client("walker", *get_args(Role)) as client:
        yield client


class Outline(HTMLParser):
    """What a reader with assistive technology relies on."""

    def __init__(self) -> None:
        super().__init__()
        self.lang = ""
        self.h1 = 0
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.inputs: list[dict[str, str]] = []
        self.in_label = 0
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        self.inline += [f"{tag} {name}" for name in values if name.startswith("on") or name == "style"]
        self.h1 += tag == "h1"
        if tag == "html":
            self.lang = values.get("lang", "")
        if tag == "label":
            self.in_label += 1
            self.labelled.add(values.get("for", ""))
        if tag in ("input", "select", "textarea") and values.get("type") != "hidden" and not self.in_label:
            self.inputs.append(values)
        if (tag == "script" and "src" not in values) or tag == "style":
            self.inline.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.in_label -= tag == "label"


@pytest.mark.parametrize("path", PATHS)
def test_page_answers_and_is_accessible(browser: httpx.Client, path: str) -> None:
    page = browser.get(path)
    assert page.status_code == 200, page.text[-2000:]
    assert "Synthetic data" in page.text
    outline = Outline()
    outline.feed(page.text)
    assert outline.lang == "en"
    assert outline.h1 == 1
    assert not outline.inline, "the content policy forbids inline scripts and styles"
    assert len(outline.ids) == len(set(outline.ids)), "ids are unique"
    unlabelled = [
        one for one in outline.inputs if one.get("id", "-") not in outline.labelled and "aria-label" not in one
    ]
    assert not unlabelled


def test_every_link_of_the_rail_leads_somewhere(browser: httpx.Client) -> None:
    rail = browser.get("/").text.split("</nav>", 1)[0]
    paths = set(re.findall(r'href="(/[a-z]*)"', rail))
    assert {"/", "/apps", "/decisions", "/evidence", "/value", "/people", "/safety", "/data"} <= paths
    assert all(browser.get(path).status_code == 200 for path in paths)


def test_unknown_things_are_404_pages_that_say_so(browser: httpx.Client) -> None:
    for path in ("/nowhere", "/apps/none", "/evidence/none", "/runs/none", "/decisions/none", "/learn/none"):
        page = browser.get(path)
        assert page.status_code == 404, path
        assert "<h1>Not found</h1>" in page.text


def test_register_filters_sorts_and_counts(browser: httpx.Client) -> None:
    every = browser.get("/apps").text
    assert "9 uses" in every
    assert "no owner" in every
    dear = browser.get("/apps?kind=point_solution&sort=-cost").text
    assert dear.index("Bought tool 6") < dear.index("Bought tool 1")
    assert "Portal message" not in dear


def test_evidence_shows_effect_interval_verdict_and_withholds_small_cells(browser: httpx.Client) -> None:
    page = browser.get("/evidence/portal_reply-1").text
    assert "<dd>−3.60</dd><dd>hours, 95 % interval −5.20 to −2.00</dd>" in page
    assert "<dd>benefit</dd>" in page
    assert "withheld: too few people" in page
    assert "exact permutation" in page
    assert page.count("<svg") >= 3
    assert page.count("<details>") >= 3, "each chart has its table"


def test_empty_triple_aim_cells_say_not_measured(browser: httpx.Client) -> None:
    page = browser.get("/value").text
    assert page.count("not measured") > 10


def test_charts_follow_the_colour_scheme(browser: httpx.Client) -> None:
    page = browser.get("/").text
    drawing = page[page.index("<svg xmlns") :]
    assert "var(--ink)" in drawing
    assert 'fill="white"' not in drawing


def test_text_of_patients_and_models_is_escaped(browser: httpx.Client) -> None:
    page = browser.get("/review/run-000").text
    assert "&lt;b&gt;And&lt;/b&gt;" in page
    assert "<b>And</b>" not in page


def test_looking_at_a_trace_is_recorded_without_names(browser: httpx.Client, served) -> None:  # type: ignore[no-untyped-def]
    browser.get("/runs/run-002")
    looks = list(served.context.ledger.records(run="run-002", kind="run_viewed"))
    assert looks
    assert looks[-1].actor not in (None, "walker")


def test_data_lists_what_is_loaded_and_the_problems_met(served, browser: httpx.Client, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    export = tmp_path / "Patient.ndjson"
    export.write_text('{"resourceType":"Patient","id":"p1"}\n{"resourceType":"Patient",\n', encoding="utf-8")
    assert "Nothing is loaded" in browser.get("/data").text
    load_path(export, served.context.home)
    page = browser.get("/data").text
    assert "1 FHIR resources are loaded; 1 problems were met on the way" in page
    assert '<th scope="row">Patient</th><td class="n">1</td>' in page
    assert f"{export}:2</th><td>broken json</td>" in page


def test_every_proof_of_a_gate_opens(browser: httpx.Client, served) -> None:  # type: ignore[no-untyped-def]
    """Whatever a check links to is a page of this console."""
    store, today = served.context.store, served.context.clock().date()
    result = newest_results(store)["portal_reply"]
    sign_forecast(store, served.context.ledger, "portal_reply", 100_000, "CFO", served.context.clock())
    links = {
        check.link
        for name in GATES
        for item in ("portal_reply", "bought_2")
        for check in gate(store, item, name, today, result=result if item == "portal_reply" else None).checks
        if check.link
    }
    assert "/apps/portal_reply" in links
    for link in sorted(links):
        assert browser.get(link).status_code == 200, link


def test_training_is_asked_of_those_the_app_serves_not_of_the_control_arm(served) -> None:  # type: ignore[no-untyped-def]
    store = served.context.store
    assert users(store, "portal_reply") == ["Practitioner/p001", "Practitioner/p002"]
    with store.write() as connection:
        rows = runs.c.reviewer == "Practitioner/p002"
        connection.execute(update(runs).where(rows).values(arm="control"))
    assert users(store, "portal_reply") == ["Practitioner/p001"]
