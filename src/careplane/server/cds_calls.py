"""Answering one hook call: the apps of its service run side by side under one budget, and what they drafted is shown.

What is late goes on by itself and is shown as a link; what was refused, or is in shadow, is not shown; what is away
says what to do instead. Each of these is in the ledger before the answer leaves.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from careplane import evidence
from careplane.codecs.cdshooks import Card, HookCall, Reply
from careplane.connectors import FhirReader, HookConnector
from careplane.errors import CareplaneError, UpstreamAway, UpstreamLacks
from careplane.ledger import Prepared, prepare
from careplane.records.design import Why
from careplane.records.hooks import CdsTrust, IssuedCard
from careplane.records.people import Person
from careplane.records.run import Event, Occurrence, Run
from careplane.server.cds_services import HookService
from careplane.server.permitting import permit_runs
from careplane.server.platform import Platform
from careplane.server.pressure import LoopLag
from careplane.server.swapping import held_to_models
from careplane.store import fetch
from careplane.store.tables import people
from careplane.workflow.card_feedback import remember_cards
from careplane.workflow.downtime import active_fallback
from careplane.workflow.durable import Durable
from careplane.workflow.exposures import note, unspoken
from careplane.workflow.hook_cards import Links, by_urgency, draft_card, fallback_card, waiting_card
from careplane.workflow.records import known_runs, run_id
from careplane.workflow.run import run_event
from careplane.workflow.side_by_side import Finished, side_by_side
from careplane.workflow.triggers import events_of

FIRST_ROOM, LEAST_ROOM, MOST_ROOM = 12.0, 2.0, 256.0
"""Runs of hooks that this process has in line at a time: it begins with the first, gives room with each call that is
done in time, and takes it back when drafts are late because the process is. Apps beyond it are left out, so that calls
are answered."""

LATE_SHARE = 0.05
"""The process is late when its loop is, by more than this share of the budget: slow models alone are no reason."""

LACKING = (
    "Data that are needed were neither sent along nor could be fetched; honour the prefetch, or send a token whose "
    "scopes reach them:"
)

log = logging.getLogger("careplane.server")

OpenConnector = Callable[[str], HookConnector]
_RunEvent = Callable[[Event], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class _Call:
    """One call with what is known of it. ``at`` is when it came; ``began`` counts seconds."""

    asked: HookCall
    service: HookService
    trust: CdsTrust
    links: Links
    at: datetime
    began: float
    stages: Mapping[str, str]


class CdsCalls:
    """Answers the calls of one installation.

    Args:
        platform: the installation.
        durable: where events are kept whose drafts come later; without it what is late is left out.
        open_connector: gives the connector for the FHIR server of an EHR.
    """

    def __init__(self, platform: Platform, durable: Durable | None, open_connector: OpenConnector) -> None:
        self._platform = platform
        self._durable = durable
        self._open_connector = open_connector
        self._connectors: dict[str, HookConnector] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._lag = LoopLag()
        self._running = 0
        self._room = FIRST_ROOM
        self._turn = 0
        self._budget = platform.settings.number("cds_budget_ms") / 1000

    async def answer(
        self, asked: HookCall, service: HookService, trust: CdsTrust, base: str, stages: Mapping[str, str]
    ) -> Reply:
        """The cards for a call.

        Raises:
            InputError: what came along is not what was asked for, or is of another patient.
            UpstreamLacks: no app had the data that it reads.
            LedgerError: what was done could not be put on record, so it is not told.
        """
        clock = self._platform.clock
        call = _Call(asked, service, trust, Links(base, trust.smart), clock(), time.monotonic(), stages)
        own: FhirReader | None = self._platform.fhir if trust.own_reads else None
        data = self._connector(trust).data(asked, service.templates, own)
        events = {
            event.app: event for event in events_of(service.apps, await asyncio.to_thread(self._occurrence, call))
        }
        taken = self._taken(events)
        self._running += len(taken)
        try:
            known, run = await asyncio.to_thread(self._ready, taken, data)
            fresh = {app: run(event) for app, event in taken.items() if app not in known}
            finished = await side_by_side(fresh, max(0.0, self._budget - (time.monotonic() - call.began)))
        finally:
            self._running -= len(taken)
        finished.done.update(known)
        self._learn(finished)
        left_out = set(events) - set(taken)
        self._follow(call, events, finished, data)
        self._background(self._note(call, events, finished, left_out))
        return await self._reply(call, events, finished, left_out)

    async def aclose(self) -> None:
        """Stop what is still under way: what the durable worker holds is run by the next process."""
        self._lag.end()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for connector in self._connectors.values():
            await connector.aclose()

    def _connector(self, trust: CdsTrust) -> HookConnector:
        """One for each FHIR server; an EHR without one has none that a token could be sent to."""
        target = trust.fhir or "https://no-fhir-server.invalid"
        if target not in self._connectors:
            self._connectors[target] = self._open_connector(target)
        return self._connectors[target]

    def _occurrence(self, call: _Call) -> Occurrence:
        """What happened. The id is of this EHR, hook, call and patient: a call that is sent again runs nothing twice,
        and an EHR that uses a ``hookInstance`` twice is never shown the draft of another patient."""
        asked, issuer = call.asked, call.trust.issuer
        named = f"{issuer}\n{asked.hook}\n{asked.hook_instance}\n{asked.patient or ''}"
        person = self._person(asked.user)
        return Occurrence(
            id=f"cds-{hashlib.sha256(named.encode()).hexdigest()[:40]}",
            kind="hook",
            on=asked.hook,
            at=call.at,
            patient=asked.patient,
            encounter=asked.encounter,
            focus=asked.focus,
            unit=person.unit if person else None,
            site=person.site if person else call.trust.tenant or None,
            user=asked.user,
            source=issuer,
        )

    def _person(self, user: str | None) -> Person | None:
        if user is None:
            return None
        with self._platform.store.read() as connection:
            return fetch(connection, people, Person, people.c.id == user)

    def _taken(self, events: Mapping[str, Event]) -> dict[str, Event]:
        """The events that are run: as many as there is room for, beginning with another app at each call, so that under
        pressure it is not always the same that are left out."""
        room = max(0, int(self._room) - self._running)
        if room >= len(events):
            return dict(events)
        named = list(events)
        self._turn += 1
        chosen = {named[(self._turn + number) % len(named)] for number in range(room)}
        return {app: event for app, event in events.items() if app in chosen}

    def _learn(self, finished: Finished[Run]) -> None:
        """More room after drafts that came in time, less after drafts that were late because this process was."""
        if finished.late and self._lag.seconds > LATE_SHARE * self._budget:
            self._room = max(LEAST_ROOM, self._room * 0.7)
        elif finished.done and not finished.late:
            self._room = min(MOST_ROOM, self._room + 0.25)

    def _ready(self, taken: Mapping[str, Event], data: FhirReader) -> tuple[dict[str, Run], _RunEvent]:
        """The runs that there are already, by app, and how to run the others: all that must be read of them is read at
        once. A reply of the model is not kept as for a durable run: one that a crash takes is asked for again.
        """
        store, runtime = self._platform.store, self._platform.runtime
        known = {run.app: run for run in known_runs(store, (run_id(app, event.id) for app, event in taken.items()))}
        asked = [(runtime.apps(app), event) for app, event in taken.items() if app not in known]
        permits = permit_runs(store, runtime.ledger, runtime.clock, runtime.region, asked)
        ready = replace(
            runtime,
            reads=data,
            complete=self._platform.gateway.complete,
            permit=held_to_models(
                lambda app, event: permits[app.id, event.id],
                store,
                self._platform.gateway,
                [app.id for app, _ in asked],
            ),
        )
        return known, partial(run_event, ready, waits=True, fresh=True)

    def _follow(self, call: _Call, events: Mapping[str, Event], finished: Finished[Run], data: FhirReader) -> None:
        """Let what is late go on, and close the data of the call when all is done."""
        late = finished.late
        if late and self._durable is None:
            for task in late.values():
                task.cancel()
        self._background(self._see_off(call, events, finished, data))

    def _background(self, work: Coroutine[None, None, None]) -> None:
        following = asyncio.ensure_future(work)
        self._under_way.add(following)
        following.add_done_callback(self._under_way.discard)

    async def _note(
        self, call: _Call, events: Mapping[str, Event], finished: Finished[Run], left_out: set[str]
    ) -> None:
        """Note for running plans what the runs do not tell: what was late, left out, or drafted without being shown."""
        shadow = {app for app in finished.done if call.stages.get(app) == "shadow"}
        whys: dict[str, Why] = {**dict.fromkeys(finished.late, "late"), **dict.fromkeys(left_out, "busy")}
        whys |= dict.fromkeys(shadow, "shadow")
        try:
            await asyncio.to_thread(self._note_all, [(events[app], why) for app, why in whys.items()])
        except CareplaneError as error:
            log.warning("exposures were not noted (%s)", type(error).__name__)

    def _note_all(self, told: list[tuple[Event, Why]]) -> None:
        platform = self._platform
        planned = evidence.apps_with_plans(platform.store, {event.app for event, _ in told}) if told else ()
        for event, why in told:
            if event.app not in planned:
                continue
            placed = evidence.placement(platform.store, platform.ledger, event, platform.clock())
            if placed is not None:
                note(platform.store, unspoken(event, placed, why), platform.writes)

    async def _see_off(
        self, call: _Call, events: Mapping[str, Event], finished: Finished[Run], data: FhirReader
    ) -> None:
        try:
            if finished.late:
                await asyncio.wait(finished.late.values())
        except asyncio.CancelledError:
            for task in finished.late.values():
                task.cancel()
            raise
        finally:
            await data.aclose()
        for app, task in finished.late.items():
            if not task.cancelled() and (error := task.exception()) is not None:
                log.warning("a late draft of %s was not made (%s)", app, type(error).__name__)

    async def _reply(
        self, call: _Call, events: Mapping[str, Event], finished: Finished[Run], left_out: set[str]
    ) -> Reply:
        lacking = [error for error in finished.failed.values() if isinstance(error, UpstreamLacks)]
        waits = self._durable is not None
        if waits and call.trust.own_reads:
            await asyncio.gather(*(self._keep(events[app]) for app in finished.late))
        shown: dict[str, Card] = {}
        for app in events:
            card = self._card(call, app, events[app], finished, waits=waits)
            if card is not None and call.stages.get(app) != "shadow":
                shown[app] = card
        told = by_urgency(shown.values())
        refused = bool(lacking) and not finished.done and not finished.late
        cards = [_issued(call, events[app], card) for app, card in shown.items() if card.uuid is not None]
        if cards and not refused:
            await self._platform.writes.run_async(partial(remember_cards, shown=cards))
        await self._record(call, finished, left_out, len(told))
        if refused:
            what = sorted({kind for error in lacking for kind in error.what})
            raise UpstreamLacks(f"{LACKING} {', '.join(what)}.", what)
        return Reply(cards=told)

    async def _keep(self, event: Event) -> None:
        """Have the durable worker make this draft if this process cannot; while it can, the worker waits for it."""
        assert self._durable is not None  # noqa: S101 - asked by the caller
        await self._durable.submit(event)

    def _card(self, call: _Call, app: str, event: Event, finished: Finished[Run], *, waits: bool) -> Card | None:
        known = self._platform.apps[app]
        if app in finished.late:
            return waiting_card(known, run_id(app, event.id), call.links) if waits else None
        if app in finished.failed:
            return self._fallback(app, finished.failed[app])
        run = finished.done.get(app)
        if run is None or run.status not in ("draft", "failed"):
            return None
        return draft_card(known, run, call.links) if run.status == "draft" else self._fallback(app, None)

    def _fallback(self, app: str, error: CareplaneError | None) -> Card | None:
        """What to do while an app cannot draft; nothing where the call did not bring what it reads."""
        if isinstance(error, UpstreamLacks):
            return None
        known = self._platform.apps[app]
        outages = self._platform.runtime.outages if isinstance(error, UpstreamAway) else None
        return fallback_card(known, active_fallback(outages, known, queued=False))

    async def _record(self, call: _Call, finished: Finished[Run], left_out: set[str], cards: int) -> None:
        """Put the call on record, and each app whose draft is not in the answer."""
        at, ledger, hook = call.at, self._platform.ledger, call.asked.hook[:64]
        kinds = {**dict.fromkeys(finished.late, "late"), **dict.fromkeys(left_out, "busy")}
        kinds |= {
            app: "lacking" if isinstance(error, UpstreamLacks) else "away" for app, error in finished.failed.items()
        }
        entries: list[Prepared] = [
            prepare("cds.left_out", at, None, app, None, {"hook": hook, "why": why}) for app, why in kinds.items()
        ]
        statuses = [run.status for run in finished.done.values()]
        facts: dict[str, str | int] = {
            "hook": hook,
            "service": call.service.said.id,
            "call": ledger.pseudonym(call.asked.hook_instance),
            "client": call.trust.issuer[:200],
            "apps": len(finished.done) + len(finished.failed) + len(finished.late) + len(left_out),
            "cards": cards,
            "refused": statuses.count("refused"),
            "failed": statuses.count("failed"),
            "left_out": len(kinds),
            "milliseconds": round(1000 * (time.monotonic() - call.began)),
        }
        await ledger.append_all_async([*entries, prepare("cds.answered", at, None, None, None, facts)])


def _issued(call: _Call, event: Event, card: Card) -> IssuedCard:
    return IssuedCard(
        id=str(card.uuid),
        run=run_id(event.app, event.id),
        app=event.app,
        service=call.service.said.id,
        hook=call.asked.hook,
        issuer=call.trust.issuer,
        at=call.at,
    )
