"""Which EHRs may launch us (SMART App Launch): nothing is trusted that was not registered."""

from datetime import datetime

from sqlalchemy import delete

from careplane.codecs.smart import origin_of, secure_url
from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.ledger import Ledger
from careplane.records.launch import Ehr
from careplane.store import Store, find, insert_new
from careplane.store.tables import sessions, smart_ehrs, smart_launches


def register_ehr(store: Store, ledger: Ledger, ehr: Ehr, chart: str = "") -> Ehr:
    """Let an EHR launch us; gives it back with its frame origins as browsers write them. ``chart`` is the FHIR base URL
    that the installation reads, empty for loaded data.

    Raises:
        InputError: its issuer or a frame is no https address (http only on loopback), or the client id is empty.
        Refused: it serves another chart than the installation reads.
        Conflict: its name or issuer is registered already.
    """
    secure_url(ehr.issuer, "iss")
    if not ehr.client_id.strip() or not ehr.client_id.isprintable():
        raise InputError("must be the id that the EHR registered us by", field="client_id")
    check_chart(ehr, chart)
    kept = Ehr(
        name=ehr.name,
        issuer=ehr.issuer,
        client_id=ehr.client_id,
        credentials=ehr.credentials,
        frames=tuple(dict.fromkeys(origin_of(frame, "frame") for frame in ehr.frames)),
        tenant=ehr.tenant,
        same_chart=ehr.same_chart,
        added_at=ehr.added_at,
        added_by=ehr.added_by,
    )
    with store.write() as connection:
        taken = any(_same(other.issuer, kept.issuer) for other in find(connection, smart_ehrs, Ehr))
        if taken or not insert_new(connection, smart_ehrs, kept, name=kept.name, issuer=kept.issuer):
            raise Conflict("An EHR with this name or issuer is registered already. See: careplane smart list")
    facts: dict[str, str | int | float | bool | None] = {
        "ehr": kept.name,
        "issuer": kept.issuer[:256],
        "same_chart": kept.same_chart,
    }
    ledger.append("smart.registered", at=kept.added_at, actor=kept.added_by, facts=facts)
    return kept


def check_chart(ehr: Ehr, chart: str) -> None:
    """Hold an installation to one chart: two EHRs may give the same id to two patients, or to two people.

    Raises:
        Refused: the EHR is not at ``chart`` (the setting ``fhir_base_url``), and nobody said that its ids are the same.
    """
    if ehr.same_chart or (chart and _same(ehr.issuer, chart)):
        return
    read = f"the chart at {chart}" if chart else "loaded data (fhir_base_url is not set)"
    raise Refused(
        [f"This installation reads {read}, where Patient/1 may be somebody else than at {ehr.issuer}."],
        "If that EHR is the one to read, set fhir_base_url to its address. If both serve the same chart with the same "
        "ids, register it with careplane smart add --same-chart. Another EHR needs an installation of its own.",
    )


def remove_ehr(store: Store, ledger: Ledger, name: str, by: str, at: datetime) -> int:
    """Refuse the launches of an EHR from now on, and end the sessions that came from it; says how many those were.

    Raises:
        NotFound: no EHR has that name.
    """
    load_ehr(store, name)
    with store.write() as connection:
        connection.execute(delete(smart_ehrs).where(smart_ehrs.c.name == name))
        connection.execute(delete(smart_launches).where(smart_launches.c.ehr == name))
        ended = connection.execute(delete(sessions).where(sessions.c.ehr == name)).rowcount
    ledger.append("smart.removed", at=at, actor=by, facts={"ehr": name})
    return ended


def find_ehrs(store: Store) -> list[Ehr]:
    """All registered EHRs by name."""
    with store.read() as connection:
        return find(connection, smart_ehrs, Ehr, order_by=(smart_ehrs.c.name.asc(),))


def ehr_of_issuer(store: Store, issuer: str) -> Ehr | None:
    """The EHR with exactly this issuer; a slash at its end makes no other one of it."""
    return next((ehr for ehr in find_ehrs(store) if _same(ehr.issuer, issuer)), None)


def load_ehr(store: Store, name: str) -> Ehr:
    """One EHR.

    Raises:
        NotFound: names those that are registered.
    """
    known = find_ehrs(store)
    found = next((ehr for ehr in known if ehr.name == name), None)
    if found is None:
        names = ", ".join(ehr.name for ehr in known) or "none"
        raise NotFound(f"No EHR {name!r} is registered. Registered: {names}.")
    return found


def frame_origins(store: Store) -> tuple[str, ...]:
    """All origins that may show a page of ours in a frame, for pages that no session is known for."""
    return tuple(dict.fromkeys(frame for ehr in find_ehrs(store) for frame in ehr.frames))


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")
