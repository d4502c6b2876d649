"""The probe of the write-back: what a person signed is in the chart, labelled, with its provenance.

What an earlier signature wrote is read back from the EHR. Where nothing was signed yet, and only about the test
patient of the setting ``check_patient``, an artefact is written, read back, and marked as entered in error.
"""

import asyncio
from typing import Any
from uuid import uuid4

from careplane.codecs.fhir import patient_of
from careplane.codecs.fhir_labels import AIAST
from careplane.connectors import FhirConnector
from careplane.errors import NotFound, UpstreamError
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.run import Draft, Event, Permit, Run
from careplane.server.integration_probes import CHECKER, Answer, Probing, fail, passed, recent_runs, unmeasured
from careplane.workflow.resources import Signed, artefact, provenance

TEXT = "Integration check of Careplane: this entry is a test and is marked as entered in error."
PERSON = "Practitioner/integration-check"


async def write_back(probing: Probing) -> Answer:
    """Whether what is signed comes to the chart as it should."""
    if probing.app.spec.output.kind == "text":
        return fail("Its output is text: nothing comes back to the chart.", "Declare a FHIR output in the manifest.")
    run = next((one for one in await asyncio.to_thread(recent_runs, probing) if one.written), None)
    try:
        if run is not None:
            return await _read_back(probing.platform.fhir, run)
        patient = probing.platform.settings.text("check_patient")
        if patient:
            return await _write(probing, patient)
    except (NotFound, UpstreamError) as error:
        return fail(
            f"The EHR did not take or give the artefact ({type(error).__name__}).", "Check its scopes for writing."
        )
    return unmeasured("Nothing was signed yet.", "Sign a draft, or set check_patient to a test patient of the EHR.")


async def _read_back(fhir: FhirConnector, run: Run) -> Answer:
    read = [await fhir.read(target) for target in run.written]
    there = [resource for resource in read if resource is not None]
    labelled = [resource for resource in there if _is_labelled(resource)]
    proofs = [resource for resource in there if resource.get("resourceType") == "Provenance"]
    targets = {
        str(one.get("reference")).partition("/_history")[0] for proof in proofs for one in proof.get("target", [])
    }
    if not labelled:
        return fail("What was signed last is not in the chart with its AIAST label.", "Write it back: careplane serve")
    if not any(f"{one['resourceType']}/{one['id']}" in targets for one in labelled):
        return fail(
            "The artefact in the chart has no Provenance that names it.", "See the run's page for what was written."
        )
    return passed(
        f"Read back from the EHR: {labelled[0]['resourceType']} with the AIAST label and its Provenance, of the run of "
        f"{run.created_at:%Y-%m-%d}."
    )


async def _write(probing: Probing, patient: str) -> Answer:
    platform, app = probing.platform, probing.app
    if await platform.fhir.read(patient) is None:
        return fail("The test patient of check_patient is not in the EHR.", "Set check_patient to one that is.")
    signed = _signed(probing, app, patient)
    target = await platform.fhir.create(artefact(signed))
    proof = await platform.fhir.create(provenance(signed, target, target))
    held, proven = await platform.fhir.read(target), await platform.fhir.read(proof)
    if held is not None and "status" in held:
        await platform.fhir.update({**held, "status": "entered-in-error"})
    if held is None or not _is_labelled(held) or patient_of(held) != patient:
        return fail(
            "The EHR took the artefact and gave it back changed.", "Ask the EHR vendor why meta.security is lost."
        )
    if proven is None:
        return fail("The EHR took the artefact, but not its Provenance.", "Ask for the scope system/Provenance.c")
    return passed(
        f"A {held['resourceType']} about the test patient was written with its label and Provenance, read back, "
        f"and marked "
        "as entered in error."
    )


def _signed(probing: Probing, app: App, patient: str) -> Signed:
    now = probing.platform.clock()
    event = Event(id=f"{CHECKER}-{uuid4().hex}", app=app.id, kind="manual", at=now, patient=patient)
    draft = Draft(text=TEXT, sentences=(TEXT,), sources=(), findings=())
    run = Run(
        id=event.id,
        app=app.id,
        app_version=app.spec.version,
        app_hash=app.hash,
        event=event,
        status="draft",
        permit=Permit(allowed=True, reasons=()),
        created_at=now,
        draft=draft,
        synthetic=True,
    )
    return Signed(app, run, TEXT, PERSON, now)


def _is_labelled(resource: JSON) -> bool:
    security: list[dict[str, Any]] = resource.get("meta", {}).get("security", [])
    return any(one.get("code") == AIAST["code"] and one.get("system") == AIAST["system"] for one in security)
