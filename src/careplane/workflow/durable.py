"""Durable runs: an event acknowledged is an event processed once, whenever a process is killed.

An event is first kept in the store's inbox; that is all its sender waits for. Then an attempt at it is enqueued in the
engine (:mod:`careplane.workflow.engine`), from where any worker of the installation takes it: any number of processes
on one home, or on many machines with PostgreSQL. What a worker had under way when it died is taken over by another
(:mod:`careplane.workflow.watch`). A run is unique per app and event, so an attempt that is made again meets the first;
a worker that stood still while another took over has no effect any more.

What fails is tried again, later each time, and is ``dead`` after some tries: listed, and replayed by hand. What waits
for an EHR or a model that is away is done here and kept by :mod:`careplane.workflow.downtime`. The engine
also keeps the clock of scheduled apps, and each time of each fires once whatever the number of workers.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from dbos import DBOS
from sqlalchemy import Connection

from careplane.errors import CareplaneError, Conflict, StoreError, Superseded
from careplane.records.model import ModelReply, ModelRequest
from careplane.records.run import Event
from careplane.store.grouping import GroupedWrites
from careplane.workflow import engine, inbox, leases
from careplane.workflow.downtime import run_queued
from careplane.workflow.runtime import Runtime
from careplane.workflow.schedule import Schedule, events_of
from careplane.workflow.watch import Watch
from careplane.workflow.writeback import finish_write_backs

log = logging.getLogger("careplane.workflow")

GRACE_SECONDS = 5
"""What a run under way has to end in when its worker is stopped; then another takes it over."""
FIRE_AGAIN_SECONDS = 5.0
STRAY_SECONDS = 5.0
PATIENCE_SECONDS = 60
"""For a database that is away; after that an event is found in the inbox when it is due."""
MOST_IN_MEMORY = 10_000
"""Events that wait to be enqueued; more of them are found in the inbox when they are due."""


class Durable:
    """The durable worker of this process.

    Args:
        runtime: what a run needs.
        home: the folder of the installation.
        schedules: those of the apps that start by the clock; every worker of an installation is given the same.
        lease: how many seconds this worker may be silent before the others take over.
    """

    def __init__(
        self, runtime: Runtime, home: Path, schedules: Iterable[Schedule] = (), lease: float = leases.LEASE_SECONDS
    ) -> None:
        self.runtime = runtime
        self.executor = leases.new_executor()
        self._home = home
        self._schedules = {one.app: one for one in schedules}
        self._changed = threading.Condition()
        self._fresh: queue.Queue[str | None] = queue.Queue(MOST_IN_MEMORY)
        self._enqueuing = threading.Thread(target=self._enqueue_fresh, name="careplane-enqueue", daemon=True)
        self._under_way: set[str] = set()
        self._strays: set[str] = set()
        self._looked = 0.0
        self._watch = Watch(
            runtime.store, home, self.executor, engine.VERSION, engine.take_over, self._look_after, lease
        )

    def start(self) -> None:
        """Launch the engine and the watchdog, which takes up what earlier processes left.

        Raises:
            Conflict: another worker runs in this process.
        """
        if _workers:
            raise Conflict("A durable worker runs in this process already.")
        _workers.append(self)
        self._writes = self.runtime.writes or GroupedWrites(self.runtime.store)
        self._watch.hold()
        engine.apart(self._launch)

    def _launch(self) -> None:
        engine.launch(self.runtime.store, self._home, self.executor)
        engine.keep_schedules(self._schedules.values(), _fire)
        self._enqueuing.start()
        self._watch.start()

    async def submit(self, event: Event) -> None:
        """Take an event; it is durable when this returns, and processed once however often it is delivered.

        Raises:
            StoreError: the database did not answer; the event was not taken.
        """
        await asyncio.to_thread(self._submit, event)

    def _submit(self, event: Event) -> None:
        if self._writes.run(partial(inbox.receive, event=event, at=self.runtime.clock())):
            try:
                self._fresh.put_nowait(inbox.key_of(event))
            except queue.Full:
                log.info("more events than fit in memory; they are enqueued from the inbox")

    def _enqueue_fresh(self) -> None:
        """An event that cannot be enqueued now is in the inbox, from where it is enqueued when it is due."""
        with ThreadPoolExecutor(max_workers=1) as thread:
            while (key := self._fresh.get()) is not None:
                error = thread.submit(engine.enqueue, _process, key, 0).exception()
                if error is not None:
                    log.warning("an event could not be enqueued yet (%s)", type(error).__name__)

    async def drain(self) -> None:
        """Wait until every event that was taken has been processed, or is put off."""
        await asyncio.to_thread(self._wait)
        await finish_write_backs(self.runtime)

    def _wait(self) -> None:
        with self._changed:
            while inbox.received_count(self.runtime.store):
                self._changed.wait(timeout=1.0)

    def stop(self) -> None:
        """End: what is under way has some seconds, and what is left is taken over by another worker at once."""
        self._fresh.put(None)
        self._enqueuing.join()
        engine.shut_down(GRACE_SECONDS if self._under_way else 0)
        self._watch.stop()
        if self._writes is not self.runtime.writes:
            self._writes.close()
        _workers.remove(self)

    async def process(self, key: str, attempt: int) -> None:
        """Make an attempt at an event, and record what came of it.

        Raises nothing, for the engine would keep the text of the error. What could not be recorded is still in the
        inbox, and looked at when it is due.
        """
        with self._noted():
            (error,) = await asyncio.gather(self._attempt(key, attempt), return_exceptions=True)
        if isinstance(error, Superseded):
            log.info("a run was left to the worker that took it over")
        elif error is not None:
            log.warning("what came of an event could not be recorded yet (%s)", type(error).__name__)
        with self._changed:
            self._changed.notify_all()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """What is under way here: more than that is a stray."""
        ident = engine.current()
        self._under_way.add(ident)
        try:
            yield
        finally:
            self._under_way.discard(ident)

    async def _attempt(self, key: str, attempt: int) -> None:
        kept = await asyncio.to_thread(inbox.find_event, self.runtime.store, key)
        if kept is None or kept.state not in inbox.OPEN or kept.attempt != attempt:
            return
        runtime = self._fenced(await self._lease())
        (outcome,) = await asyncio.gather(run_queued(runtime, kept.event), return_exceptions=True)
        if isinstance(outcome, Superseded | asyncio.CancelledError):
            raise outcome
        if isinstance(outcome, BaseException):
            sentence = _sentence(outcome)
            log.warning("an event of %s failed: %s", kept.event.app, sentence)
            await self._write(partial(inbox.fail, kept=kept, error=sentence))
        else:
            await self._write(partial(inbox.settle, key=key))

    async def _write(self, write: Callable[[Connection], object]) -> None:
        """Write; a database that is away for a moment costs patience, and the event is not looked for meanwhile."""
        for _ in range(PATIENCE_SECONDS - 1):
            try:
                await self._writes.run_async(write)
            except StoreError:
                await asyncio.sleep(1.0)
            else:
                return
        await self._writes.run_async(write)

    async def _lease(self) -> int:
        """The lease that is held. One that may be over is waited for: the database may be away for all workers, and
        then nobody took over."""
        for _ in range(PATIENCE_SECONDS):
            if (held := self._watch.held()) is not None:
                return held
            await asyncio.sleep(1.0)
        raise Superseded("This worker could not renew its lease.")

    def _fenced(self, began: int) -> Runtime:
        """The runtime of one attempt: it asks no model, and stores no reply, once the lease that it began under is
        over."""

        async def check() -> None:
            if await self._lease() != began:
                raise Superseded("Another worker took this run over.")

        async def complete(request: ModelRequest) -> ModelReply:
            await check()
            reply = await self.runtime.complete(request)
            await check()
            return reply

        return replace(self.runtime, complete=complete)

    def _look_after(self) -> None:
        """Enqueue what is due and not on its way; what the engine ended without a word is tried again."""
        due = inbox.take_due(self.runtime.store)
        states = engine.states([engine.workflow_id(one.key, one.attempt) for one in due])
        for one in due:
            state = states.get(engine.workflow_id(one.key, one.attempt))
            if state is None:
                self._writes.run(partial(inbox.resume, key=one.key))
                engine.enqueue(_process, one.key, one.attempt)
            elif state == engine.EXHAUSTED:
                self._writes.run(partial(inbox.fail, kept=one, error="The process ended each time it ran this event."))
            elif state in engine.FINAL:
                self._writes.run(partial(inbox.postpone, kept=one, seconds=0.0, reason="Its worker was interrupted."))

        if time.monotonic() - self._looked >= STRAY_SECONDS:
            self._resume_strays()
            self._looked = time.monotonic()

    def _resume_strays(self) -> None:
        """Start again what the engine takes for under way here and is not, twice in a row: its end could not be
        recorded, because the engine's database was away just then."""
        strays = engine.pending(self.executor) - self._under_way
        for ident in strays & self._strays:
            log.warning("the end of a run could not be recorded; it is looked at again")
            engine.resume(ident)
        self._strays = strays - self._strays

    async def fire(self, app: str, at: datetime) -> None:
        """Submit the events of a scheduled time; a repeat after a crash or a failure submits what is missing."""
        schedule = self._schedules.get(app)
        with self._noted():
            while schedule is not None:
                try:
                    await asyncio.to_thread(self._fire, schedule, at)
                except CareplaneError as error:
                    log.warning("a scheduled start of %s waits: %s", app, _sentence(error))
                    await asyncio.sleep(FIRE_AGAIN_SECONDS)
                else:
                    return

    def _fire(self, schedule: Schedule, at: datetime) -> None:
        units = 0
        for event in events_of(schedule, at):
            self._submit(event)
            units += 1
        self.runtime.ledger.append("schedule.fired", at=at, app=schedule.app, facts={"units": units})


def _sentence(error: BaseException) -> str:
    """An error without words of an outside system, which may name a patient."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if isinstance(error, CareplaneError) or place is None:
        return f"The run failed: {type(error).__name__}."
    file = Path(place.tb_frame.f_code.co_filename).name
    return f"The run failed: {type(error).__name__} at {file}:{place.tb_lineno}."


_workers: list[Durable] = []


@DBOS.workflow(name="careplane.process", max_recovery_attempts=engine.MOST_TAKEOVERS)
async def _process(key: str, attempt: int) -> None:
    await _workers[0].process(key, attempt)


@DBOS.workflow(name="careplane.schedule")
async def _fire(at: datetime | str, app: str) -> None:
    """The engine gives the time as the text that its JSON made of it."""
    await _workers[0].fire(app, at if isinstance(at, datetime) else datetime.fromisoformat(at))
