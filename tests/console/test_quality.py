"""Quality in the console: two readers by form and keyboard, blind to each other and the model; a third who settles."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from careplane import console
from careplane.evidence import quality
from careplane.evidence.quality.rubric import DEFAULT
from careplane.records.quality import Sample
from careplane.workflow import find_runs

SCORES = {f"score-{one.name}": "4" for one in DEFAULT}

pytestmark = pytest.mark.xdist_group("console quality")  # one sample is read to its end, test by test


@pytest.fixture(scope="module")
def sample(served) -> Sample:  # type: ignore[no-untyped-def]
    context = served.context
    runs = find_runs(context.store, app="portal_reply", limit=None)
    runs = [run for run in runs if run.review is None or run.review.by not in ("ana", "ben", "cy")]
    draws = quality.draw(runs, {}, 12, seed=1)
    app, now = context.apps["portal_reply"], context.clock()
    return quality.assign(context.store, context.ledger, app, draws, ("ana", "ben"), "cy", 1, "evaluator", now)


@pytest.fixture(scope="module")
def ana(served, sample: Sample) -> Iterator[httpx.Client]:  # type: ignore[no-untyped-def]
    with served.client("ana", "evaluator") as client:
        yield client


@pytest.fixture(scope="module")
def ben(served, sample: Sample) -> Iterator[httpx.Client]:  # type: ignore[no-untyped-def]
    with served.client("ben", "clinician") as client:
        yield client


@pytest.fixture(scope="module")
def cy(served, sample: Sample) -> Iterator[httpx.Client]:  # type: ignore[no-untyped-def]
    with served.client("cy", "evaluator") as client:
        yield client


def path(sample: Sample, n: int) -> str:
    return f"/safety/quality/samples/{sample.id}/{n}"


def send(client: httpx.Client, where: str, **fields: str) -> httpx.Response:
    page = client.get(where)
    csrf = page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
    return client.post(where, data={"csrf": csrf, **fields})


def test_a_reader_is_blind(served, sample: Sample, ana: httpx.Client, ben: httpx.Client, cy: httpx.Client) -> None:  # type: ignore[no-untyped-def]
    page = ana.get(path(sample, 1))
    assert page.status_code == 200
    run = quality.load_sampled(served.context.store, sample.id, 1)[1]
    assert run.draft is not None
    assert "Score it" in page.text
    for hidden in (run.app_version, *(call.model for call in run.calls), run.id):
        assert hidden not in page.text.replace(sample.id, "")
    assert not any(finding.text in page.text for finding in run.draft.findings)
    # what one keeps, the other never sees
    done = send(ana, path(sample, 1), **{"kind-s0": "fabrication", "harm-s0": "severe"}, **SCORES)
    assert done.status_code == 200
    assert done.url.path != path(sample, 1)
    other = ben.get(path(sample, 1)).text
    assert 'value="fabrication" selected' not in other
    assert "Reader 1" not in other
    assert ben.get(f"{path(sample, 1)}/settle").status_code == 403
    assert cy.get(path(sample, 1)).status_code == 403
    early = cy.get(f"{path(sample, 1)}/settle")
    assert early.status_code == 403
    assert "Not both readers" in early.text
    kept = ana.get(path(sample, 1))
    assert kept.url.path == "/safety/quality"


def test_a_second_reading_changes_nothing(served, sample: Sample, ana: httpx.Client) -> None:  # type: ignore[no-untyped-def]
    page = ana.get(path(sample, 2))
    csrf = page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
    first = ana.post(path(sample, 2), data={"csrf": csrf, **SCORES})
    assert first.status_code == 200
    again = ana.post(path(sample, 2), data={"csrf": csrf, "kind-s0": "omission", "harm-s0": "mild", **SCORES})
    assert again.status_code == 409
    assert "already" in again.text
    output = quality.find_sampled(served.context.store, sample.id)[1].output
    assert quality.own_readings(served.context.store, sample.id, "ana")[output].marks == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({**SCORES, "score-useful": ""}, "“useful” is missing"),
        ({**SCORES, "score-useful": "6"}, "“useful” is missing"),
        ({**SCORES, "kind-s0": "charm", "harm-s0": "mild"}, "Choose a class of error"),
        ({**SCORES, "kind-s0": "omission", "harm-s0": "awful"}, "Choose a class of error"),
    ],
)
def test_a_reading_that_lacks_something_comes_back(
    sample: Sample, ana: httpx.Client, fields: dict[str, str], words: str
) -> None:
    told = send(ana, path(sample, 3), **fields)
    assert told.status_code == 400
    assert words in told.text
    assert 'name="score-cited" value="4" required checked' in told.text


def test_who_may_not_read_is_told_who_can_grant_it(served, sample: Sample) -> None:  # type: ignore[no-untyped-def]
    with served.client("finance1", "finance") as client:
        refused = client.get(path(sample, 1))
        assert refused.status_code == 403
        assert "careplane user grant finance1 --role clinician" in refused.text
        assert client.get("/safety/quality").status_code == 200
        assert client.get("/safety/quality/portal_reply").status_code == 200
    with served.client("dee", "evaluator") as client:
        refused = client.get(path(sample, 1))
        assert (refused.status_code, "given to other readers" in refused.text) == (403, True)
        assert client.get(path(sample, 99)).status_code == 403
        assert client.get("/safety/quality/samples/none/1").status_code == 404


def test_settled_by_the_third(served, sample: Sample, ben: httpx.Client, cy: httpx.Client, ana: httpx.Client) -> None:  # type: ignore[no-untyped-def]
    assert send(ben, path(sample, 1), **SCORES).status_code == 200
    page = cy.get(f"{path(sample, 1)}/settle")
    assert page.status_code == 200
    assert "Reader 1" in page.text
    assert "Score it" not in page.text
    done = send(cy, f"{path(sample, 1)}/settle", **{"kind-s0": "wrong_value", "harm-s0": "mild"})
    assert done.status_code == 200
    output = quality.find_sampled(served.context.store, sample.id)[0].output
    found = [one for one in quality.find_adjudications(served.context.store, "portal_reply") if one.output == output]
    assert [(one.inaccuracies, one.fabrications, one.reader) for one in found] == [(1, 0, "cy")]
    assert cy.get(f"{path(sample, 1)}/settle").status_code == 409
    assert ana.get(path(sample, 99)).status_code == 404


def test_the_pages_say_what_is_not_measured(served, sample: Sample, ana: httpx.Client) -> None:  # type: ignore[no-untyped-def]
    listed = ana.get("/safety/quality").text
    assert "outputs wait for you" in listed
    page = ana.get("/safety/quality/portal_reply").text
    assert "What is not measured" in page
    assert "No judge is calibrated" in page
    assert "People found" in page
    empty = ana.get("/safety/quality/bed_huddle").text
    assert "is not measured" in empty
    assert ana.get("/safety/quality/nothing").status_code == 404


@pytest.mark.browser
def test_a_sample_is_read_by_keyboard_on_a_ward_pc(served, sample: Sample, chromium: Browser) -> None:  # type: ignore[no-untyped-def]
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, base_url=served.address)
    page = context.new_page()
    page.goto(console.one_time_link(served.context.store, "ana", served.context.wall_clock()))
    page.get_by_role("button", name="Sign in").click()
    page.goto(path(sample, 4))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Read output 4")
    page.get_by_label("Error in sentence 1", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    for one in DEFAULT:
        page.locator(f"input[name=score-{one.name}]").first.focus()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Keep this reading").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: not url.endswith("/4"))
    output = quality.find_sampled(served.context.store, sample.id)[3].output
    kept = quality.own_readings(served.context.store, sample.id, "ana")[output]
    assert [(mark.kind, mark.harm, mark.sentence) for mark in kept.marks] == [("fabrication", "mild", 0)]
    assert set(kept.scores.values()) == {2}
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 1366
    context.close()
