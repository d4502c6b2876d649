"""The run of an app: what may reach the prompt, what is refused, what a failure leaves behind."""

import asyncio
import dataclasses
from datetime import timedelta
from types import ModuleType

import msgspec
import pytest

from careplane import governance
from careplane.apps.template import render_prompt
from careplane.errors import InputError, Refused, UpstreamError
from careplane.records.model import ModelReply, ModelRequest, texts
from careplane.workflow import Runtime, find_runs, load_run, preview, run_event
from careplane.workflow.context import read_context
from careplane.workflow.prompt import model_request


def request_of(runtime: Runtime, installation: ModuleType, **changes: str | None) -> ModelRequest:
    event = installation.message_event()
    app = runtime.apps("portal_reply")
    return model_request(app, event, asyncio.run(read_context(runtime.fhir, app, event, at=runtime.clock())), "run-1")


def test_prompt_holds_declared_fields_only(runtime: Runtime, installation: ModuleType) -> None:
    system, user = (message.content for message in texts(request_of(runtime, installation).body))
    assert system.startswith("TASK: draft_reply\nLANGUAGE: en\n")
    assert "Type 2 diabetes" in user
    assert "7.2" in user
    assert "SECRET NOTE" not in user
    assert "Elm Street" not in user


def test_message_is_quoted_and_cannot_forge_the_prompt(runtime: Runtime, installation: ModuleType) -> None:
    _, user = (message.content for message in texts(request_of(runtime, installation).body))
    assert user.count("</message>") == 1
    assert "TASK:" not in user
    assert user.index("When is my next") < user.index("</message>") < user.index("<sources>")


def test_other_patients_and_restricted_resources_are_left_out(runtime: Runtime, installation: ModuleType) -> None:
    condition = {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/a0"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
    }
    restricted = {**condition, "id": "r", "code": {"text": "Rare"}, "meta": {"security": [{"code": "R"}]}}
    asyncio.run(runtime.fhir.update(restricted))
    app, event = runtime.apps("portal_reply"), installation.message_event()
    context = asyncio.run(read_context(runtime.fhir, app, event, at=runtime.clock()))
    assert context.withheld == 1
    assert all("Rare" not in source.text for source in context.sources)
    assert [source.n for source in context.sources] == list(range(1, len(context.sources) + 1))


def test_a_consent_lets_a_labelled_resource_pass(runtime: Runtime, installation: ModuleType) -> None:
    labelled = {
        "resourceType": "Condition",
        "id": "r",
        "subject": {"reference": "Patient/a0"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "Rare"},
        "meta": {"security": [{"code": "HIV"}]},
    }
    consent = {
        "resourceType": "Consent",
        "id": "c",
        "status": "active",
        "patient": {"reference": "Patient/a0"},
        "provision": {"type": "permit", "securityLabel": [{"code": "HIV"}]},
    }
    app, event = runtime.apps("portal_reply"), installation.message_event()
    asyncio.run(runtime.fhir.update(labelled))
    asyncio.run(runtime.fhir.update(consent))
    inside = asyncio.run(read_context(runtime.fhir, app, event, at=runtime.clock(), external=False))
    outside = asyncio.run(read_context(runtime.fhir, app, event, at=runtime.clock()))
    assert (inside.withheld, outside.withheld) == (0, 1)
    assert any("Rare" in source.text for source in inside.sources)


@pytest.mark.parametrize("meta", [None, [], "R", {"security": "R"}, {"security": ["R"]}, {"security": None}])
def test_resource_whose_labels_cannot_be_read_is_left_out(
    runtime: Runtime, installation: ModuleType, meta: object
) -> None:
    app, event = runtime.apps("portal_reply"), installation.message_event()
    patient = asyncio.run(runtime.fhir.read("Patient/a0"))
    asyncio.run(runtime.fhir.update({**(patient or {}), "meta": meta}))
    context = asyncio.run(read_context(runtime.fhir, app, event, at=runtime.clock()))
    assert context.withheld == 1
    assert "Patient" not in {source.label for source in context.sources}


@pytest.mark.parametrize("spoken", ["es", ["es"], {"language": "es"}, [{"language": {"coding": ["es"]}}], 5])
def test_language_that_cannot_be_read_is_the_default(
    runtime: Runtime, installation: ModuleType, spoken: object
) -> None:
    app, event = runtime.apps("portal_reply"), installation.message_event()
    patient = asyncio.run(runtime.fhir.read("Patient/a0"))
    asyncio.run(runtime.fhir.update({**(patient or {}), "communication": spoken}))
    assert asyncio.run(read_context(runtime.fhir, app, event, at=runtime.clock())).language == "en"


def test_rule_that_needs_what_the_event_lacks_reads_nothing(runtime: Runtime, installation: ModuleType) -> None:
    app, event = runtime.apps("discharge_summary"), installation.message_event()
    context = asyncio.run(read_context(runtime.fhir, app, event, at=runtime.clock()))
    assert {source.label for source in context.sources} <= {"Patient", "MedicationRequest", "Appointment"}


def test_run_drafts_with_sources_and_is_the_same_when_repeated(runtime: Runtime, installation: ModuleType) -> None:
    run = asyncio.run(run_event(runtime, installation.message_event()))
    assert run.status == "draft"
    assert run.draft is not None
    assert run.draft.message.startswith("When is my next appointment?")
    assert run.plan == "plan-1"
    assert run.arm == "intervention"
    assert asyncio.run(run_event(runtime, installation.message_event())) == run
    assert load_run(runtime.store, run.id) == run
    assert [record.kind for record in runtime.ledger.records(run=run.id)] == ["run.permitted", "run.drafted"]


def test_ledger_names_no_patient(runtime: Runtime, installation: ModuleType) -> None:
    asyncio.run(run_event(runtime, installation.message_event()))
    text = "".join(file.read_text() for file in runtime.ledger.folder.glob("*.jsonl"))
    assert "Patient/a0" not in text
    assert "Quill" not in text
    assert "appointment" not in text


def test_control_arm_is_refused_and_recorded(runtime: Runtime, installation: ModuleType) -> None:
    run = asyncio.run(run_event(runtime, installation.message_event(unit="Location/clinic-02")))
    assert (run.status, run.arm) == ("refused", "control")
    assert [reason.rule for reason in run.permit.refusals] == ["in_arm"]
    assert find_runs(runtime.store, status="refused") == [run]


def test_stopped_app_is_refused(runtime: Runtime, installation: ModuleType) -> None:
    governance.stop(
        runtime.store, runtime.ledger, "app", "portal_reply", "Practitioner/p001", "wrong doses", runtime.clock()
    )
    run = asyncio.run(run_event(runtime, installation.message_event()))
    assert run.status == "refused"
    assert any("wrong doses" in reason.text for reason in run.permit.refusals)


def test_failed_model_leaves_a_failed_run_without_foreign_text(runtime: Runtime, installation: ModuleType) -> None:
    async def broken(request: ModelRequest) -> ModelReply:
        raise UpstreamError("the model said: Maria Quill")

    failing = dataclasses.replace(runtime, complete=broken)
    run = asyncio.run(run_event(failing, installation.message_event()))
    assert run.status == "failed"
    assert run.error == "The model is away. The fallback: The clinician answers the message without a draft."


def test_draft_that_reached_the_limit_of_tokens_says_so(runtime: Runtime, installation: ModuleType) -> None:
    async def cut(request: ModelRequest) -> ModelReply:
        return msgspec.structs.replace(await runtime.complete(request), finish_reason="length")

    run = asyncio.run(run_event(dataclasses.replace(runtime, complete=cut), installation.message_event()))
    assert run.draft is not None
    assert ("truncated", "critical") in {(finding.check, finding.severity) for finding in run.draft.findings}


def test_run_is_never_before_its_event(runtime: Runtime, installation: ModuleType) -> None:
    for n, minutes in enumerate((-5, 5)):
        at = installation.AT + timedelta(minutes=minutes)
        event = msgspec.structs.replace(installation.message_event(), id=f"at{n}", at=at)
        run = asyncio.run(run_event(runtime, event))
        assert run.created_at == max(at, installation.AT)


def test_preview_stores_nothing(runtime: Runtime, installation: ModuleType) -> None:
    run = asyncio.run(preview(runtime, runtime.apps("previsit_summary"), installation.message_event()))
    assert run.draft is not None
    assert "nothing was written" in run.draft.label
    assert find_runs(runtime.store) == []
    assert [record.kind for record in runtime.ledger.records(run=run.id)] == ["run.drafted"]


def test_template_is_bounded_in_time(runtime: Runtime, installation: ModuleType) -> None:
    ticks = iter(range(0, 1000, 3))
    values = {"title": "", "today": "", "language": "en", "unit": "", "sources": (), "message": "x"}
    with pytest.raises(InputError, match="takes longer"):
        render_prompt(runtime.apps("portal_reply"), values, clock=lambda: float(next(ticks)))


def test_preview_keeps_to_the_data_policy(runtime: Runtime, installation: ModuleType) -> None:
    abroad = dataclasses.replace(runtime, region="elsewhere")
    with pytest.raises(Refused, match="elsewhere"):
        asyncio.run(preview(abroad, runtime.apps("previsit_summary"), installation.message_event()))
