"""Write a synthetic health system to a folder: same seed, same bytes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import orjson

from careplane.errors import Conflict, DataError
from careplane.records import JSON, Record
from careplane.sandbox.access import clinics
from careplane.sandbox.behaviour import Outcomes, Parameters, outcomes
from careplane.sandbox.chart import chart
from careplane.sandbox.equity import RUCA
from careplane.sandbox.erp import erp, table
from careplane.sandbox.history import History
from careplane.sandbox.messages import Message, messages
from careplane.sandbox.paying import CLAIMS, claim_rows, orders, stay_claims
from careplane.sandbox.people import Patient, people, people_resources
from careplane.sandbox.portfolio import portfolio
from careplane.sandbox.scenario import FIRST_DAY, Scenario
from careplane.sandbox.staff import Roster, Staff
from careplane.sandbox.staffing import Organisation, organisation_resources, organise
from careplane.sandbox.stays import hospital, stays
from careplane.sandbox.truth import Truth
from careplane.sandbox.ward import ward_work

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much is done and of how much."""

MANIFEST = "manifest.json"
NOTE = "Synthetic data set: every person, name, number and text is invented. Not for clinical use."


class Manifest(Record, frozen=True):
    """``manifest.json``: what a data set is made from and holds. ``pilot_start`` is the first day of the pilot window,
    ``pilot_end`` the day after its last; ``resources`` counts by type in ``fhir/``; ``sha256`` is by file."""

    synthetic: bool
    note: str
    seed: int
    patients: int
    days: int
    pilot_days: int
    start: date
    pilot_start: date
    pilot_end: date
    resources: dict[str, int]
    inbox: int
    sha256: dict[str, str]

    @property
    def total(self) -> int:
        """All resources, history and inbox."""
        return sum(self.resources.values()) + self.inbox


def generate(
    out: Path,
    seed: int,
    *,
    patients: int = 3000,
    days: int = 180,
    pilot_days: int = 84,
    start: date = FIRST_DAY,
    progress: Progress | None = None,
) -> Manifest:
    """Generate a data set in the folder ``out`` and return its manifest.

    The manifest is the last file to appear, so what has one is whole. An earlier data set there is replaced.

    Raises:
        InputError: sizes that cannot be generated.
        Conflict: ``out`` holds something that is not of a data set.
    """
    scenario = Scenario(seed, patients, days, pilot_days, start)
    out = out.resolve()
    earlier = _earlier(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        partial = Path(scratch)
        manifest = _write(scenario, partial, progress or _silent)
        for name in earlier:
            (out / name).unlink(missing_ok=True)
        for name in (*manifest.sha256, MANIFEST):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).replace(out / name)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a data set.

    Raises:
        DataError: the folder holds no data set of this version.
    """
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"not a sandbox data set: {error}", file=path) from error


def _earlier(out: Path) -> list[str]:
    """The files of an earlier data set in a folder, its manifest first; none in an empty or missing folder.

    Raises:
        Conflict: the folder holds other files.
    """
    paths = out.rglob("*") if out.exists() else ()
    there = {str(path.relative_to(out)) for path in paths if path.is_symlink() or not path.is_dir()}
    if not there:
        return []
    try:
        known = {MANIFEST, *read_manifest(out).sha256}
    except DataError as error:
        raise Conflict(f"{out} is not empty and is not a sandbox data set; name another folder.") from error
    strange = sorted(there.difference(known))
    if strange:
        raise Conflict(f"{out} holds what is not of its data set ({strange[0]}); name another folder.")
    return sorted(there, key=lambda name: name != MANIFEST)


def _silent(stage: str, done: int, total: int) -> None:
    """No progress display."""


def _write(scenario: Scenario, folder: Path, progress: Progress) -> Manifest:
    organisation = organise(scenario)
    patients = people(scenario, organisation)
    with History(folder / "fhir") as history:
        history.add(organisation_resources(organisation))
        history.add(people_resources(scenario, patients))
        for number, patient in enumerate(patients, start=1):
            history.add(chart(scenario, patient))
            if number % 100 == 0 or number == len(patients):
                progress("charts", number, len(patients))
        history.add(hospital(scenario, organisation, patients))
        history.add(_work(scenario, organisation, patients))
        written = messages(scenario, organisation, patients, history.results)
        truth = _truth(scenario, written)
        staff = Staff(
            scenario.seed,
            truth.parameters,
            {member.person.id: member.person for member in organisation.staff},
            {row.message: row for row in truth.messages},
        )
        history.add(_baseline(scenario, staff, written, progress))
    inbox = [message.resource for message in written if message.sent >= scenario.now]
    _lines(folder / "inbox" / "Communication.ndjson", inbox)
    _tables(scenario, organisation, patients, truth, folder)
    return _seal(scenario, folder, dict(sorted(history.counts.items())), len(inbox))


def _work(scenario: Scenario, organisation: Organisation, patients: tuple[Patient, ...]) -> Iterator[JSON]:
    """What other apps than the pilot's work with: orders, claims, ward work, services and free slots."""
    held = list(stays(scenario, organisation, patients))
    yield from clinics(scenario, organisation)
    yield from orders(scenario, patients)
    yield from stay_claims(held, scenario)
    yield from ward_work(held, scenario)


def _truth(scenario: Scenario, written: list[Message]) -> Truth:
    rules = Parameters()
    rows = tuple(_outcomes(scenario, rules, message) for message in written)
    note = "The true behaviour of the sandbox staff, to compare an analysis with; the evidence room never reads it."
    return Truth(note=note, seed=scenario.seed, parameters=rules, messages=rows)


def _outcomes(scenario: Scenario, rules: Parameters, message: Message) -> Outcomes:
    patient = message.patient
    return outcomes(
        scenario.seed,
        rules,
        message=message.id,
        unit=patient.clinic.id,
        site=patient.clinic.site,
        clinician=patient.clinician,
        language=patient.language,
        race=patient.race[1],
        topic=message.topic,
        pilot=message.sent >= scenario.now,
    )


def _baseline(scenario: Scenario, staff: Staff, written: list[Message], progress: Progress) -> Iterator[JSON]:
    """The messages before the pilot with their replies and audit records; replies after its start are in the record
    too, because nobody drafted for them."""
    earlier = [message for message in written if message.sent < scenario.now]
    for number, message in enumerate(earlier, start=1):
        body = message.resource
        handling = staff.manual(body)
        yield body
        yield handling.reply
        yield handling.audit
        if number % 100 == 0 or number == len(earlier):
            progress("messages", number, len(earlier))


def _lines(path: Path, resources: Iterable[JSON]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE) for body in resources))


def _tables(
    scenario: Scenario, organisation: Organisation, patients: tuple[Patient, ...], truth: Truth, folder: Path
) -> None:
    """Everything that is not FHIR."""
    claims = table(CLAIMS, claim_rows(stays(scenario, organisation, patients), scenario))
    for name, text in {**erp(scenario), "claims.csv": claims}.items():
        path = folder / "erp" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    (folder / "reference").mkdir()
    (folder / "reference" / "ruca.csv").write_text(table(("zip_code", "ruca1"), RUCA.items()), "utf-8")
    (folder / "portfolio").mkdir()
    for name, rows in portfolio(scenario, organisation).items():
        _json(folder / "portfolio" / f"{name}.json", rows)
    _json(folder / "staff.json", [Roster(person=member.person, shift=member.shift) for member in organisation.staff])
    _json(folder / "truth.json", truth)
    (folder / "README.md").write_text(read_me(scenario), "utf-8")


def _json(path: Path, value: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_me(scenario: Scenario) -> str:
    """The text that travels with the data."""
    return f"""# Synthetic health system, seed {scenario.seed}

{NOTE}

| File | What |
|---|---|
| `fhir/*.ndjson` | FHIR R4, known before the pilot starts on {scenario.pilot_start}; every resource is tagged HTEST |
| `inbox/Communication.ndjson` | patient messages of the pilot window, in time order, before {scenario.pilot_end} |
| `erp/*.csv` | costs, cost centres, contracts, loaded hourly rates; with a duplicate and a credit, as in life |
| `erp/claims.csv` | claims that were paid, and denied |
| `reference/ruca.csv` | Rural-Urban Commuting Area code of each (invented) postal code |
| `portfolio/*.json` | goals, uses bought elsewhere, decisions, panels and requests |
| `staff.json` | who works where, on which shift |
| `truth.json` | the behaviour model and the potential outcomes of each message; for comparison only |
| `manifest.json` | sizes, calendar, counts and the SHA-256 of each file |

Made by `careplane sandbox --seed {scenario.seed} --patients {scenario.patients} --days {scenario.days}`.
"""


def _seal(scenario: Scenario, folder: Path, counts: dict[str, int], inbox: int) -> Manifest:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = Manifest(
        synthetic=True,
        note=NOTE,
        seed=scenario.seed,
        patients=scenario.patients,
        days=scenario.days,
        pilot_days=scenario.pilot_days,
        start=scenario.start,
        pilot_start=scenario.pilot_start,
        pilot_end=scenario.pilot_end,
        resources=counts,
        inbox=inbox,
        sha256={path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    )
    _json(folder / MANIFEST, manifest)
    return manifest
