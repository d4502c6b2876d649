"""A signed run as a request for prior authorisation: what the chart knows is in it, what it lacks is named."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from careplane.cli import careplane
from careplane.codecs.x12 import read_interchange
from careplane.errors import Conflict, InputError
from careplane.records.run import Event
from careplane.server.platform import Platform
from careplane.workflow import review_run, run_event

NURSE = "Practitioner/p1"
TEXT = "The patient has had low back pain for ten weeks; six weeks of physical therapy gave no relief. An MRI is asked."


async def drafted(site: Platform) -> str:
    ana = {"reference": "Patient/ana"}
    icd = "http://hl7.org/fhir/sid/icd-10-cm"
    for resource in (
        {"resourceType": "Patient", "id": "ana", "name": [{"family": "Quill", "given": ["Ana"]}], "gender": "female",
         "birthDate": "1961-04-02"},
        {"resourceType": "Coverage", "id": "c1", "status": "active", "beneficiary": ana, "subscriberId": "ABC123",
         "payor": [{"display": "Synthetic Payer"}]},
        {"resourceType": "Condition", "id": "d1", "subject": ana, "clinicalStatus": {"coding": [{"code": "active"}]},
         "code": {"coding": [{"system": icd, "code": "M54.50"}], "text": "Low back pain"}},
    ):  # fmt: skip
        await site.fhir.update(resource)
    event = Event(id="e1", app="portal_reply", kind="Communication.created", at=site.clock(), patient="Patient/ana",
                  focus="Communication/m1", user=NURSE)  # fmt: skip
    return (await run_event(site.runtime, event)).id


def authorise(run: str, home: Path, out: Path, npi: str = "1999999984") -> Result:
    words = ["x12", "authorise", run, "--out", str(out), "--payer-id", "60054", "--npi", npi, "--sender-id", "NORTH"]
    more = ["--service-type", "4", "--procedure", "72148", "--test", "--home", str(home)]
    return CliRunner().invoke(careplane, [*words, *more], standalone_mode=False)


def test_a_signed_run_becomes_a_request(
    platform: Platform,
    home: Path,
    tmp_path: Path,
    promote: Callable[..., None],
    train: Callable[..., None],
) -> None:
    promote("portal_reply", "pilot")
    train("portal_reply", NURSE)
    run = asyncio.run(drafted(platform))
    out = tmp_path / "request.278"
    assert isinstance(authorise(run, home, out).exception, Conflict), "nobody signed it yet"
    asyncio.run(review_run(platform.runtime, run, "edit", NURSE, 9.0, at=platform.clock(), final_text=TEXT))
    wrong = authorise(run, home, out, npi="1999999985").exception
    assert isinstance(wrong, InputError)
    assert wrong.field == "npi"
    assert not out.exists()
    done = authorise(run, home, out)
    assert done.exception is None
    (transaction,) = read_interchange(out.read_bytes(), out)
    by_name = {segment.name: segment for segment in transaction.segments}
    assert by_name["HI"].elements == ("ABK:M5450",)
    assert by_name["SV1"][1] == "HC:72148"
    assert by_name["TRN"][2] == run
    assert by_name["MSG"][1].startswith("The patient has had low back pain")
    assert transaction.test
