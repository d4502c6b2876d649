"""The sandbox EHR and an installation introduced to each other: a chart opens the review screen in one click."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from careplane.codecs.smart_assertion import public_keys
from careplane.console import create_account, find_accounts
from careplane.errors import Conflict
from careplane.governance.ehrs import find_ehrs, register_ehr, remove_ehr
from careplane.records import JSON
from careplane.records.launch import Ehr
from careplane.records.people import Person
from careplane.sandbox.smart import RegisteredClient, SmartEhr
from careplane.server.client_keys import client_keys
from careplane.server.platform import Platform
from careplane.store import fetch
from careplane.store.tables import people
from careplane.workflow import find_runs

NAME = "sandbox"
SHOWN = 40


def app_of(address: str, jwks: JSON | None = None) -> RegisteredClient:
    """An installation at an address, as the sandbox EHR registers it; without keys it fetches them there."""
    return RegisteredClient(
        id="careplane",
        title="Careplane",
        redirect_uris=(f"{address}/smart/callback/{NAME}",),
        launch_url=f"{address}/smart/launch",
        jwks=jwks,
        jwks_uri=None if jwks is not None else f"{address}/.well-known/jwks.json",
    )


@contextmanager
def launching(platform: Platform, fhir: str, address: str, echo: Callable[[str], None]) -> Iterator[SmartEhr]:
    """Serve the EHR's pages while an installation runs, and let them launch it.

    The people whose drafts wait get an account each, as an administrator would give it; the pages show them, and their
    patients, first.

    Args:
        platform: the installation, with synthetic data.
        fhir: base URL of the sandbox's FHIR server.
        address: of the installation.
        echo: where the address of the pages is told.
    """
    waiting = [run for run in find_runs(platform.store, status="draft", limit=SHOWN) if run.event.patient]
    with SmartEhr(fhir, name="localhost") as ehr:
        ehr.register(app_of(address, public_keys(client_keys(platform.home))))
        ehr.pages.first_patients = _ids(run.event.patient for run in waiting)
        ehr.pages.first_users = _ids(run.event.user for run in waiting)
        _register(platform, ehr)
        for user in dict.fromkeys(run.event.user for run in waiting if run.event.user):
            _account(platform, user)
        echo(f"The sandbox EHR opens drafts from a chart: {ehr.address}/")
        yield ehr


def _register(platform: Platform, ehr: SmartEhr) -> None:
    """Its port is another one each time, so what an earlier start registered is replaced."""
    now = datetime.now(UTC)
    if any(known.name == NAME for known in find_ehrs(platform.store)):
        remove_ehr(platform.store, platform.ledger, NAME, NAME, now)
    known = Ehr(
        name=NAME,
        issuer=ehr.fhir_base,
        client_id="careplane",
        frames=(ehr.address,),
        same_chart=True,
        added_at=now,
        added_by=NAME,
    )
    register_ehr(platform.store, platform.ledger, known)


def _account(platform: Platform, user: str) -> None:
    if any(account.person == user for account in find_accounts(platform.store)):
        return
    with platform.store.read() as connection:
        person = fetch(connection, people, Person, people.c.id == user)
    ident = user.partition("/")[2].lower()
    with suppress(Conflict):
        create_account(platform.store, ident, person.name if person else ident, ("clinician",), datetime.now(UTC), user)


def _ids(references: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.partition("/")[2] for one in references if one))
