"""Review and write-back: who may sign what, and what reaches the chart."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane import governance
from careplane.connectors import FhirConnector
from careplane.errors import Conflict, InputError, Refused, UpstreamError
from careplane.records import JSON
from careplane.records.model import ModelReply, ModelRequest
from careplane.records.run import ReviewAction, Run, Survey
from careplane.workflow import (
    Runtime,
    answer_survey,
    finish_write_backs,
    load_run,
    review_run,
    run_event,
    survey_due,
)
from careplane.workflow.difference import token_distance, unified_diff
from careplane.workflow.pending import pending_write_back

WHO = "Practitioner/p001"
TEXT = "Hello Maria, your follow-up is on 2026-03-12 [4]. We look forward to seeing you at the clinic. Your care team"


def drafted(runtime: Runtime, installation: ModuleType, n: int = 0) -> Run:
    return asyncio.run(run_event(runtime, installation.message_event(n)))


def review(runtime: Runtime, run: Run, action: ReviewAction, text: str | None = None, reason: str | None = None) -> Run:
    return asyncio.run(
        review_run(runtime, run.id, action, WHO, 40.0, at=runtime.clock(), final_text=text, reason=reason)
    )


def read(runtime: Runtime, reference: str) -> JSON:
    found = asyncio.run(runtime.fhir.read(reference))
    assert found is not None
    return found


def test_edit_reaches_the_chart_with_provenance(runtime: Runtime, installation: ModuleType) -> None:
    run = review(runtime, drafted(runtime, installation), "edit", TEXT)
    reply, proof, maker = (read(runtime, reference) for reference in run.written)
    assert run.status == "edited"
    assert reply["payload"][0]["contentString"] == TEXT.replace(" [4]", "")
    assert reply["inResponseTo"] == [{"reference": "Communication/m0"}]
    assert reply["recipient"] == [{"reference": "Patient/a0"}]
    assert reply["sender"] == {"reference": WHO}
    assert reply["about"] == [{"reference": "Location/clinic-01"}]
    assert reply["meta"]["security"][0]["code"] == "AIAST"
    assert reply["meta"]["tag"][0]["code"] == "HTEST"
    agents = {agent["type"]["coding"][0]["code"]: agent["who"]["reference"] for agent in proof["agent"]}
    assert agents == {"assembler": run.written[2], "verifier": WHO, "legal": WHO}
    used = {entity["what"]["reference"] for entity in proof["entity"]}
    assert used == {"Communication/m0", *(source.reference for source in run.sources)}
    assert maker["identifier"][0]["value"] == "portal_reply@1.0.0"


def test_accept_takes_the_draft_as_it_is(runtime: Runtime, installation: ModuleType) -> None:
    run = drafted(runtime, installation)
    with pytest.raises(InputError, match="as an edit"):
        review(runtime, run, "accept", "something else")
    signed = review(runtime, run, "accept")
    assert signed.review is not None
    assert signed.review.distance == 0.0
    assert signed.review.diff == ""


def test_second_review_meets_a_conflict(runtime: Runtime, installation: ModuleType) -> None:
    run = drafted(runtime, installation)
    review(runtime, run, "reject", reason="not needed")
    with pytest.raises(Conflict):
        review(runtime, run, "accept")


@pytest.mark.parametrize(("action", "field"), [("reject", "reason"), ("edit", "final_text")])
def test_what_an_action_needs(runtime: Runtime, installation: ModuleType, action: ReviewAction, field: str) -> None:
    with pytest.raises(InputError) as caught:
        review(runtime, drafted(runtime, installation), action)
    assert caught.value.field == field


def test_text_with_a_critical_finding_cannot_be_signed(runtime: Runtime, installation: ModuleType) -> None:
    run = drafted(runtime, installation)
    wrong = TEXT.replace("your follow-up", "please take warfarin 5 mg [3], and your follow-up")
    with pytest.raises(Refused) as caught:
        review(runtime, run, "edit", wrong)
    assert "reject" in caught.value.way_out
    assert load_run(runtime.store, run.id).status == "draft"


def test_draft_that_was_cut_cannot_be_accepted_as_it_is(runtime: Runtime, installation: ModuleType) -> None:
    async def cut(request: ModelRequest) -> ModelReply:
        return msgspec.structs.replace(await runtime.complete(request), finish_reason="length")

    run = drafted(dataclasses.replace(runtime, complete=cut), installation)
    with pytest.raises(Refused, match="limit of tokens"):
        review(runtime, run, "accept")
    assert review(runtime, run, "edit", TEXT).status == "edited"


def test_stopped_app_can_only_be_rejected(runtime: Runtime, installation: ModuleType) -> None:
    run = drafted(runtime, installation)
    governance.stop(runtime.store, runtime.ledger, "app", "portal_reply", WHO, "wrong doses", runtime.clock())
    with pytest.raises(Refused, match="wrong doses"):
        review(runtime, run, "edit", TEXT)
    assert review(runtime, run, "reject", reason="stopped").status == "rejected"


class FailingOnce:
    """An EHR that fails at its nth create, once."""

    def __init__(self, inner: FhirConnector, fails_at: int) -> None:
        self._inner = inner
        self._left = fails_at

    async def read(self, reference: str) -> JSON | None:
        return await self._inner.read(reference)

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        return await self._inner.search(resource, query, limit)

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        self._left -= 1
        if self._left == 0:
            raise UpstreamError("The EHR answered 503.")
        return await self._inner.create(resource, if_none_exist)

    async def update(self, resource: JSON, if_match: str | None = None) -> str:
        return await self._inner.update(resource)

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_write_back_is_made_up_for_and_not_doubled(runtime: Runtime, installation: ModuleType, fails_at: int) -> None:
    failing = dataclasses.replace(runtime, fhir=FailingOnce(runtime.fhir, fails_at))
    run = drafted(failing, installation)
    assert review(failing, run, "edit", TEXT).status == "edited"
    assert load_run(runtime.store, run.id).written == ()
    row = pending_write_back(runtime.store, run.id)
    assert row is not None
    assert row.attempts == 1
    assert asyncio.run(finish_write_backs(failing)) == 1
    assert asyncio.run(finish_write_backs(failing)) == 0
    assert pending_write_back(runtime.store, run.id) is None
    for kind in ("Device", "Provenance"):
        assert len(asyncio.run(runtime.fhir.search(kind, {}))) == 1
    assert len(asyncio.run(runtime.fhir.search("Communication", {}))) == 2


def test_survey_is_asked_after_the_nth_use_and_answered_once(runtime: Runtime, installation: ModuleType) -> None:
    app = runtime.apps("portal_reply")
    for n in range(app.spec.survey.after_uses):
        assert not survey_due(runtime.store, app, WHO, runtime.clock())
        event = installation.message_event()
        run = asyncio.run(run_event(runtime, type(event)(**{**as_fields(event), "id": f"u{n}"})))
        review(runtime, run, "reject", reason="not needed")
    assert survey_due(runtime.store, app, WHO, runtime.clock())
    answer_survey(runtime, run.id, Survey(like=4, performance=3, easier=5))
    assert not survey_due(runtime.store, app, WHO, runtime.clock())
    with pytest.raises(Conflict):
        answer_survey(runtime, run.id, Survey(like=4, performance=3, easier=5))
    with pytest.raises(InputError):
        answer_survey(runtime, run.id, Survey(like=0, performance=3, easier=5))


def as_fields(event: object) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}  # type: ignore[attr-defined]


@given(st.text(), st.text())
def test_distance_is_a_normalised_metric(first: str, second: str) -> None:
    assert token_distance(first, first) == 0.0
    assert 0.0 <= token_distance(first, second) <= 1.0
    assert token_distance(first, second) == token_distance(second, first)


def test_distance_counts_tokens() -> None:
    assert token_distance("one two three four", "one two 3 four") == 0.25
    assert "-old" in unified_diff("same\nold", "same\nnew")


def test_who_is_not_trained_may_reject_but_not_sign(runtime: Runtime, installation: ModuleType) -> None:
    run = drafted(runtime, installation)
    by = installation.UNTRAINED
    with pytest.raises(Refused, match="Not trained"):
        asyncio.run(review_run(runtime, run.id, "edit", by, 5.0, at=runtime.clock(), final_text=TEXT))
    rejected = asyncio.run(review_run(runtime, run.id, "reject", by, 5.0, at=runtime.clock(), reason="not mine"))
    assert rejected.status == "rejected"
