"""From a token response to what a session may see: the person, the patient, the apps whose reads were granted."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from careplane import alignment
from careplane.codecs.fhir.elements import as_list, as_object
from careplane.codecs.smart import LaunchContext, ResourceScope, Scopes, app_scopes
from careplane.console import find_accounts
from careplane.errors import NotFound, Refused
from careplane.governance import RUNNING_STAGES
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.launch import Banner, Ehr
from careplane.records.people import Account
from careplane.store import Store
from careplane.workflow.records import find_run

_RUN = re.compile(r"run-[A-Za-z0-9-]{1,64}")
_IDENTIFIERS = ("MR", "MRN")


def account_of(store: Store, ehr: Ehr, person: str) -> Account:
    """The console account of whoever launched. Nobody gets one by launching.

    Raises:
        Refused: there is none, or more than one, or it is disabled; says who can grant it.
    """
    mine = [account for account in find_accounts(store) if account.person == person]
    enabled = [account for account in mine if not account.disabled]
    if len(enabled) == 1:
        return enabled[0]
    if len(enabled) > 1:
        names = ", ".join(account.id for account in enabled)
        raise Refused(
            [f"{person} of {ehr.name} has several accounts here ({names}), so it is not clear which one is meant."],
            f"An administrator can leave one: careplane user disable {enabled[-1].id}",
        )
    if mine:
        raise Refused([f"The account of {person} is disabled."], "Ask the administrator of Careplane.")
    raise Refused(
        [f"The EHR {ehr.name} says that you are {person}, and nobody of that name has an account here."],
        f"An administrator can grant it: careplane user add NAME --role clinician --person {person}",
    )


def patient_of_launch(ehr: Ehr, context: LaunchContext) -> str:
    """The patient that is open in the EHR.

    Raises:
        Refused: none is, or the launch is of another tenant than was agreed.
    """
    if ehr.tenant is not None and context.tenant != ehr.tenant:
        raise Refused(["The launch is of another tenant than was agreed for this EHR."], "Ask the administrator.")
    if context.patient is None:
        raise Refused(["No patient is open in the EHR, and a draft is about one."], "Open a patient, then launch.")
    return context.patient


def active_apps(store: Store, apps: Mapping[str, App], wanted: str | None) -> list[App]:
    """The apps that a launch is for: the one that it names, else all that run here.

    Raises:
        NotFound: the named app is none of ours.
        Refused: it does not run.
    """
    running = {item.id for item in alignment.find_items(store) if item.stage in RUNNING_STAGES}
    if wanted is None:
        return [app for name, app in sorted(apps.items()) if app.runnable and name in running]
    if wanted not in apps:
        raise NotFound("There is no such app on this platform. Check the launch URL that the EHR has for it.")
    if not apps[wanted].runnable or wanted not in running:
        raise Refused([f"{apps[wanted].spec.title} does not run at this moment."], "See its stage: /apps")
    return [apps[wanted]]


def granted_apps(apps: Iterable[App], scopes: Scopes) -> tuple[str, ...]:
    """The apps all of whose declared reads were granted. A grant for the user reaches the patient as well."""
    return tuple(app.id for app in apps if all(_granted(scopes, one) for one in app_scopes(app.spec, writes=False)))


def _granted(scopes: Scopes, wanted: ResourceScope) -> bool:
    at_user = msgspec.structs.replace(wanted, level="user")
    return scopes.allows(wanted) or scopes.allows(at_user)


def run_of_launch(store: Store, context: LaunchContext, patient: str, apps: Sequence[str]) -> str | None:
    """The run that the EHR named, as its ``appContext`` or ``intent``: an id, or JSON with ``run``. It may still be
    under way; ``None`` for one of an app that this session does not see.

    Raises:
        Refused: it is about another patient than the one that is open.
    """
    ident = next(filter(None, map(_run_id, (context.app_context, context.intent))), None)
    run = find_run(store, ident) if ident is not None else None
    if run is None:
        return ident
    if run.event.patient != patient:
        raise Refused(
            ["The draft that the EHR names is about another patient than the one that is open."],
            "Open the patient of the draft in the EHR, and launch from there.",
        )
    return run.id if run.app in apps else None


def app_of_launch(context: LaunchContext, apps: Sequence[str]) -> str | None:
    """The app that the EHR named as its ``intent`` or in JSON with ``app``, if it is one of these."""
    named = (context.intent, _field(context.app_context, "app"))
    return next((name for name in named if name in apps), None)


def banner_of(patient: JSON) -> Banner:
    """What identifies a patient at the head of a page: two of these tell most people apart."""
    names = [as_object(name) for name in as_list(patient.get("name"))]
    name = next((one for one in names if one.get("use") == "official"), next(iter(names), {}))
    given = " ".join(str(part) for part in as_list(name.get("given")))
    shown = " ".join(filter(None, (given, str(name.get("family") or "")))) or str(name.get("text") or "")
    return Banner(
        name=shown[:120],
        born=str(patient.get("birthDate") or "")[:10],
        sex=str(patient.get("gender") or "")[:20],
        identifier=_identifier(patient)[:80],
    )


def _identifier(patient: JSON) -> str:
    """The medical record number, marked as such by its type; else nothing rather than some other number."""
    for one in map(as_object, as_list(patient.get("identifier"))):
        codings = as_list(as_object(one.get("type")).get("coding"))
        if any(as_object(coding).get("code") in _IDENTIFIERS for coding in codings) and one.get("value"):
            value = str(one["value"])
            return value if value.upper().startswith("MRN") else f"MRN {value}"
    return ""


def _run_id(text: str | None) -> str | None:
    found = _field(text, "run") or text
    return found if found is not None and _RUN.fullmatch(found) else None


def _field(text: str | None, name: str) -> str | None:
    """A text of the JSON object that ``appContext`` may be."""
    if text is None or not text.lstrip().startswith("{"):
        return None
    try:
        given = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    value = given.get(name) if isinstance(given, dict) else None
    return value if isinstance(value, str) else None
