"""Conversations: one turn after the other, each answer a run like any other, and a person one word away.

A turn has a number, and the same number again gets the same answer, so a client may send until it hears one. What the
app may not answer is never shown: the conversation then waits for a person, and a Task in the EHR tells the staff. Of
the answers that are sent without review a supervisor reads a daily sample (``sample``).
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from datetime import date

from msgspec.structs import replace

from careplane.errors import CareplaneError, Conflict, LedgerError, NotFound, Refused
from careplane.records import JSON
from careplane.records.app import App
from careplane.records.chat import ChatState, ChatTurn, Conversation, Handover
from careplane.records.run import Event, Occurrence, Run
from careplane.store import Store, fetch, find, save, stamp
from careplane.store.tables import conversations
from careplane.workflow import handing_over
from careplane.workflow.exposures import note, unspoken
from careplane.workflow.resources import without_citations
from careplane.workflow.run import run_event
from careplane.workflow.runtime import Runtime
from careplane.workflow.triggers import event_for

CHAT_SYSTEM = "urn:careplane:chat"
MOST_CHARACTERS = 2000
_REMEMBERED = 6
"""Turns before the present one that the model is shown."""


def open_conversation(
    runtime: Runtime,
    app: App,
    *,
    language: str = "en",
    patient: str | None = None,
    unit: str | None = None,
    site: str | None = None,
    focus: str | None = None,
) -> Conversation:
    """Begin a conversation, with an id that nobody can guess."""
    fresh = Conversation(
        id=secrets.token_urlsafe(18),
        app=app.id,
        opened_at=runtime.clock(),
        language=language,
        patient=patient,
        unit=unit,
        site=site,
        focus=focus,
    )
    with runtime.store.write() as connection:
        save(connection, conversations, fresh, **_columns(fresh))
    runtime.ledger.append("chat.opened", at=fresh.opened_at, app=app.id, facts=_facts(runtime, fresh))
    return fresh


async def take_turn(runtime: Runtime, app: App, talk: Conversation, n: int, said: str) -> Conversation:
    """Answer one turn, or hand the conversation to a person; the same turn again changes nothing.

    Raises:
        Conflict: the turn is not the next one, another one is under way, or the conversation is closed.
        LedgerError: the audit record could not be made durable; the turn can be sent again.
    """
    if n <= len(talk.turns):
        return talk
    if n != len(talk.turns) + 1 or talk.state == "closed":
        raise Conflict(_out_of_turn(talk))
    if talk.state != "open":  # a person has it, or will: the words are kept for that person and no model is asked
        return await _keep(runtime, talk, ChatTurn(n=n, at=runtime.clock(), said=said))
    why = handing_over.before(said) or ("long" if n > handing_over.MOST_TURNS else None)
    event = event_for(app.id, _occurrence(runtime, talk, n))
    if why:
        await asyncio.to_thread(_note_handed_over, runtime, app, event, why)
    run = None if why else await run_event(runtime, event, said=_told(talk, said))
    why = why or (handing_over.after(run) if run is not None else None)
    answer = handing_over.words(why, talk.language) if why else _text(run)
    turn = ChatTurn(n=n, at=runtime.clock(), said=said, answer=answer, run=run.id if run else None, handover=why)
    return await (_hand_over(runtime, app, talk, turn, why) if why else _keep(runtime, talk, turn))


def _note_handed_over(runtime: Runtime, app: App, event: Event, why: Handover) -> None:
    """A turn at which the app did not speak because a person should is an eligible event of a running plan."""
    _, placed = runtime.permit(app, event)
    if placed is not None:
        note(runtime.store, unspoken(event, placed, "refused", f"handover_{why}"), runtime.writes)


async def _hand_over(runtime: Runtime, app: App, talk: Conversation, turn: ChatTurn, why: Handover) -> Conversation:
    waiting = replace(talk, state="waiting", waiting_since=turn.at)
    kept = await _keep(runtime, waiting, turn)
    facts = {**_facts(runtime, talk), "why": why, "turn": turn.n}
    await asyncio.to_thread(runtime.ledger.append, "chat.handed_over", at=turn.at, app=app.id, facts=facts)
    return await tell_staff(runtime, app, kept)


async def tell_staff(runtime: Runtime, app: App, talk: Conversation) -> Conversation:
    """The conversation with a Task in the EHR that says a person waits; it stays on our own list while none can be
    written, and is told again (:func:`tell_waiting`)."""
    try:
        task = await runtime.fhir.create(_task(app, talk), f"identifier={CHAT_SYSTEM}|{talk.id}")
    except LedgerError:
        raise
    except CareplaneError:
        return talk
    told = replace(talk, task=task)
    await asyncio.to_thread(_save, runtime.store, told, len(told.turns))
    return told


async def tell_waiting(runtime: Runtime) -> int:
    """Tell the staff of conversations that wait without a Task, because the EHR or the ledger was away when they were
    handed over; says of how many. The first that still cannot be told ends the turn.

    Raises:
        StoreError: the conversations cannot be read.
    """
    told = 0
    for talk in find_conversations(runtime.store, states=("waiting",)):
        if talk.task is not None:
            continue
        try:
            kept = await tell_staff(runtime, runtime.apps(talk.app), talk)
        except (Conflict, NotFound):  # another turn came in between, or its app is gone
            continue
        if kept.task is None:
            break
        told += 1
    return told


def answer_as_person(runtime: Runtime, ident: str, by: str, text: str, *, close: bool = False) -> Conversation:
    """A person takes over and writes (or only closes); from then on no model answers.

    Raises:
        NotFound: there is no such conversation.
        Conflict: somebody else has taken it, or it is closed.
    """
    talk = load_conversation(runtime.store, ident)
    if talk.state == "closed" or talk.person not in (None, by):
        raise Conflict(f"It is closed or {talk.person} has it.")
    now = runtime.clock()
    turns = (*talk.turns, ChatTurn(n=len(talk.turns) + 1, at=now, answer=text, by=by)) if text else talk.turns
    taken = replace(talk, state="closed" if close else "taken", person=by, turns=turns)
    _save(runtime.store, taken, len(talk.turns))
    facts = {**_facts(runtime, talk), "closed": close}
    runtime.ledger.append(
        "chat.answered_by_person", at=now, app=talk.app, actor=runtime.ledger.pseudonym(by), facts=facts
    )
    return taken


def load_conversation(store: Store, ident: str) -> Conversation:
    """One conversation.

    Raises:
        NotFound: there is none.
    """
    with store.read() as connection:
        found = fetch(connection, conversations, Conversation, conversations.c.id == ident)
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


def find_conversations(
    store: Store, app: str | None = None, states: Sequence[ChatState] = (), day: date | None = None
) -> list[Conversation]:
    """Conversations, those that wait longest first; ``day`` is the day in UTC on which they were opened."""
    where = [conversations.c.app == app] if app else []
    if states:
        where.append(conversations.c.state.in_(states))
    if day is not None:
        where.append(conversations.c.opened_at.startswith(day.isoformat()))
    with store.read() as connection:
        return find(connection, conversations, Conversation, *where, order_by=(conversations.c.opened_at.asc(),))


def sample(store: Store, app: str, day: date, share: float, least: int = 5) -> list[Conversation]:
    """The conversations of a day that a supervisor reads: the same ones whenever it is asked, at least ``least``.

    Which they are follows from a hash of their ids, so nobody chooses them.
    """
    held = find_conversations(store, app, day=day)
    held.sort(key=lambda talk: hashlib.sha256(f"{day}\n{talk.id}".encode()).digest())
    return held[: max(least, round(share * len(held)))]


async def _keep(runtime: Runtime, talk: Conversation, turn: ChatTurn) -> Conversation:
    kept = replace(talk, turns=(*talk.turns, turn))
    await asyncio.to_thread(_save, runtime.store, kept, len(talk.turns))
    return kept


def _save(store: Store, talk: Conversation, turns: int) -> None:
    """Replace a conversation that still has so many turns.

    Raises:
        Conflict: another turn came in between.
    """
    with store.write() as connection:
        held = fetch(connection, conversations, Conversation, conversations.c.id == talk.id)
        if held is None or len(held.turns) != turns:
            raise Conflict("Another turn came in between; read the conversation again.")
        save(connection, conversations, talk, **_columns(talk))


def _columns(talk: Conversation) -> dict[str, str]:
    return {"id": talk.id, "app": talk.app, "state": talk.state, "opened_at": stamp(talk.opened_at)}


def _occurrence(runtime: Runtime, talk: Conversation, n: int) -> Occurrence:
    return Occurrence(
        id=f"{talk.id}.{n}",
        kind="chat",
        on="chat",
        at=runtime.clock(),
        patient=talk.patient,
        focus=talk.focus,
        unit=talk.unit,
        site=talk.site,
        source="chat",
    )


def _told(talk: Conversation, said: str) -> str:
    """The last turns and what is said now, which stands last."""
    lines = [line for turn in talk.turns[-_REMEMBERED:] for line in (f"Asked: {turn.said}", f"Answered: {turn.answer}")]
    return "\n".join((*lines, f"Asked: {' '.join(said.split())}"))


def _text(run: Run | None) -> str:
    if run is None or run.draft is None:
        raise Refused(["There is no answer to send."], "Hand the conversation to a person.")
    return without_citations(run.draft.text).strip()


def _task(app: App, talk: Conversation) -> JSON:
    """What the staff see; the words of the conversation stay out of it."""
    urgent = talk.handover == "emergency"
    since = talk.waiting_since or talk.opened_at
    whole: JSON = {
        "resourceType": "Task",
        "identifier": [{"system": CHAT_SYSTEM, "value": talk.id}],
        "status": "requested",
        "intent": "order",
        "priority": "stat" if urgent else "urgent",
        "code": {"text": "Take over a chat"},
        "description": f"{app.spec.title}: a person waits ({talk.handover}). Open conversation {talk.id}.",
        "authoredOn": since.isoformat(timespec="seconds"),
        "for": {"reference": talk.patient} if talk.patient else None,
        "location": {"reference": talk.unit} if talk.unit else None,
    }
    return {name: value for name, value in whole.items() if value is not None}


def _out_of_turn(talk: Conversation) -> str:
    return "The conversation is closed." if talk.state == "closed" else f"The next turn is {len(talk.turns) + 1}."


def _facts(runtime: Runtime, talk: Conversation) -> dict[str, str | int | None]:
    patient = runtime.ledger.pseudonym(talk.patient) if talk.patient else None
    return {"conversation": runtime.ledger.pseudonym(talk.id), "patient": patient, "unit": talk.unit}
