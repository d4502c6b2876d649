"""What the forms of the console do: review, decide, stop, ask, learn."""

import httpx
import pytest

from careplane import alignment
from careplane.change import lesson
from careplane.workflow import load_run


def token(page: httpx.Response) -> str:
    return page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0]


@pytest.fixture(scope="module")
def clinician(served):  # type: ignore[no-untyped-def]
    with served.client("kim", "clinician", person="Practitioner/p001") as client:
        yield client


def _review(client: httpx.Client, run: str, **fields: str) -> httpx.Response:
    page = client.get(f"/review/{run}")
    return client.post(f"/review/{run}", data={"csrf": token(page), "opened": "0", **fields})


def test_accepting_signs_and_writes_back(clinician: httpx.Client, served) -> None:  # type: ignore[no-untyped-def]
    done = _review(clinician, "run-000", action="accept", seconds="12.5")
    assert "Signed as written" in done.text
    run = load_run(served.context.store, "run-000")
    assert run.review is not None
    assert (run.status, run.review.by, run.review.seconds) == ("accepted", "Practitioner/p001", 12.5)
    assert run.written


def test_editing_signs_the_text_of_the_form(clinician: httpx.Client, served) -> None:  # type: ignore[no-untyped-def]
    text = "Dear patient,\r\nyour potassium was 4.1 on 12 March, which is in the normal range [2]. Please call us."
    done = _review(clinician, "run-010", action="edit", final_text=text, seconds="")
    assert "Signed after your edit" in done.text, done.text
    run = load_run(served.context.store, "run-010")
    assert run.review is not None
    assert run.review.final_text == text.replace("\r\n", "\n")
    assert run.review.seconds == 3600, "the server's own count is used, and capped"


def test_an_error_keeps_what_was_typed(clinician: httpx.Client, served) -> None:  # type: ignore[no-untyped-def]
    page = _review(clinician, "run-020", action="reject", final_text="Half an edit", comment="It is <wrong>")
    assert page.status_code == 400
    assert "Not signed" in page.text
    assert "Half an edit" in page.text
    assert "It is &lt;wrong&gt;" in page.text
    assert load_run(served.context.store, "run-020").status == "draft"


def test_a_second_review_is_a_conflict_that_changes_nothing(clinician: httpx.Client, served) -> None:  # type: ignore[no-untyped-def]
    page = clinician.get("/review/run-030")
    form = {"csrf": token(page), "action": "reject", "reason": "too long"}
    assert "Rejected" in clinician.post("/review/run-030", data=form).text
    again = clinician.post("/review/run-030", data={**form, "action": "accept"})
    assert again.status_code == 409
    assert load_run(served.context.store, "run-030").status == "rejected"


def test_three_questions_are_asked_after_enough_uses_and_once(clinician: httpx.Client, served) -> None:  # type: ignore[no-untyped-def]
    done = _review(clinician, "run-040", action="accept")
    assert "Three questions" in done.text
    path = "/review/run-040/questions"
    answers = {"csrf": token(done), "like": "4", "performance": "5", "easier": "4"}
    bad = clinician.post(path, data={**answers, "like": "9"})
    assert bad.status_code == 400
    assert clinician.post(path, data=answers).status_code == 200
    survey = load_run(served.context.store, "run-040").survey
    assert survey is not None
    assert survey.performance == 5
    assert "Three questions" not in _review(clinician, "run-050", action="accept").text


def test_deciding_needs_a_rationale_and_is_recorded(served) -> None:  # type: ignore[no-untyped-def]
    store, today = served.context.store, served.context.clock().date()
    decision = next(one for one in alignment.decisions(store, today) if one.gate == "G3")
    with served.client("chair", "committee") as chair:
        page = chair.get(f"/decisions/{decision.id}")
        assert "Gate G3" in page.text
        form = {"csrf": token(page), "outcome": "approve_with_contingencies", "rationale": "It works."}
        unconditional = chair.post(f"/decisions/{decision.id}", data=form)
        assert unconditional.status_code == 400
        assert "It works." in unconditional.text
        made = chair.post(f"/decisions/{decision.id}", data={**form, "contingencies": "Train all\nMeasure equity\n"})
        assert "approve with contingencies" in made.text
    held = alignment.load_decision(store, decision.id)
    assert held.contingencies == ("Train all", "Measure equity")
    assert held.decided_by == "chair"


def test_stopping_holds_and_takes_a_second_person_to_release(served) -> None:  # type: ignore[no-untyped-def]
    with served.client("first", "owner") as first, served.client("second", "engineer") as second:
        form = {"csrf": token(first.get("/safety")), "app": "previsit_summary", "reason": "Wrong doses"}
        assert "Wrong doses" in first.post("/safety/stops", data=form).text
        assert "Stopped: Wrong doses" in first.get("/apps/previsit_summary").text
        release = "/safety/stops/previsit_summary/release"
        assert first.post(release, data=form).status_code == 403
        assert "Nothing is stopped" in second.post(release, data={"csrf": token(second.get("/safety"))}).text


def test_asking_voting_and_the_board(served) -> None:  # type: ignore[no-untyped-def]
    with served.client("asker", "adviser") as asker, served.client("voter", "clinician") as voter:
        form = {"csrf": token(asker.get("/requests")), "app": "portal_reply", "text": "Shorter drafts, please"}
        assert asker.post("/requests", data=form).status_code == 400
        assert asker.post("/requests", data={**form, "kind": "idea", "run": "run-none"}).status_code == 400
        board = asker.post("/requests", data={**form, "kind": "idea"})
        assert "Shorter drafts, please" in board.text
        page = voter.get("/requests")
        vote = page.text.split("Shorter drafts", 1)[1].split('action="', 1)[1].split('"', 1)[0]
        for _ in range(2):
            board = voter.post(vote, data={"csrf": token(page)})
        assert "2 voices" in board.text


def test_a_lesson_marks_its_quiz_and_opens_the_gate(served) -> None:  # type: ignore[no-untyped-def]
    questions = lesson(served.context.apps["portal_reply"]).questions
    with served.client("learner", "clinician", person="Practitioner/p009") as learner:
        page = learner.get("/learn/portal_reply")
        wrong = {f"q{n}": str((one.answer + 1) % len(one.options)) for n, one in enumerate(questions)}
        assert "Not passed yet" in learner.post("/learn/portal_reply", data={"csrf": token(page), **wrong}).text
        right = {f"q{n}": str(one.answer) for n, one in enumerate(questions)}
        assert "Passed" in learner.post("/learn/portal_reply", data={"csrf": token(page), **right}).text
        assert "Passed on" in learner.get("/learn/portal_reply").text


def test_who_is_not_trained_keeps_the_text_takes_the_lesson_and_signs(served) -> None:  # type: ignore[no-untyped-def]
    typed = "Dear patient, your potassium was 4.1 on 12 March, which is in the normal range [2]. Please call us."
    questions = lesson(served.context.apps["portal_reply"]).questions
    with served.client("newcomer", "clinician", person="Practitioner/p002") as newcomer:
        assert "Take the 4-minute lesson" in newcomer.get("/review/run-005").text, "said before anything is typed"
        refused = _review(newcomer, "run-005", action="edit", final_text=typed)
        assert refused.status_code == 403
        assert typed in refused.text
        assert 'href="/learn/portal_reply"' in refused.text
        assert load_run(served.context.store, "run-005").status == "draft"
        quiz = {f"q{n}": str(one.answer) for n, one in enumerate(questions)}
        page = newcomer.get("/learn/portal_reply")
        newcomer.post("/learn/portal_reply", data={"csrf": token(page), **quiz})
        signed = _review(newcomer, "run-005", action="edit", final_text=typed)
        assert "Signed after your edit" in signed.text, signed.text
    review = load_run(served.context.store, "run-005").review
    assert review is not None
    assert (review.by, review.final_text) == ("Practitioner/p002", typed)


def test_the_ledger_is_verified_from_the_page(served) -> None:  # type: ignore[no-untyped-def]
    with served.client("watcher", "privacy") as watcher:
        page = watcher.post("/data/ledger", data={"csrf": token(watcher.get("/data"))})
        assert "The ledger verifies" in page.text
