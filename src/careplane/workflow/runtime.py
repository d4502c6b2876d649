"""What a run needs from the rooms around it; ``server`` makes one and passes it down."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from careplane.connectors import FhirConnector, FhirReader
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.records.design import Placement
from careplane.records.model import ModelReply, ModelRequest
from careplane.records.run import Event, Finding, Permit, Reason, Run
from careplane.shield.checks import Checked
from careplane.store import Store
from careplane.store.grouping import GroupedWrites
from careplane.workflow.outages import Outages

Complete = Callable[[ModelRequest], Awaitable[ModelReply]]
PermitRun = Callable[[App, Event], tuple[Permit, Placement | None]]
MaySign = Callable[[App, str, datetime], Reason]
PatientText = Callable[[Run, str, str], Awaitable[str]]
RunChecks = Callable[[Checked], tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """The seams of a run.

    ``complete`` is the gateway, ``permit`` answers with the permit and the event's arm in a running plan,
    ``may_sign`` says whether a person may sign drafts of an app (the training gate), ``checks`` are the output checks,
    ``clock`` gives aware times, ``region`` is where the model runs, ``synthetic`` labels all that is written.
    ``outages`` notes whether the EHR and the models are there; without it nothing is noted and nothing waits.
    ``reads`` stands before ``fhir`` for what a run reads: what an EHR sent along with the very call that started it.
    With ``writes`` new runs share transactions, and so the wait for the disk, with others of the same moment.
    ``patient_text`` makes of a signed text (with its run and signer) what the patient reads, disclosure included;
    without it patients read the text as it was signed, and no message to them is kept.
    """

    apps: Callable[[str], App]
    store: Store
    ledger: Ledger
    fhir: FhirConnector
    complete: Complete
    permit: PermitRun
    may_sign: MaySign
    checks: RunChecks
    clock: Callable[[], datetime]
    region: str | None = None
    synthetic: bool = False
    outages: Outages | None = None
    reads: FhirReader | None = None
    writes: GroupedWrites | None = None
    patient_text: PatientText | None = None
