"""The way of a message from signature to delivery; every step is a row that one process changes."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from careplane.connectors import MessageSender
from careplane.errors import Conflict, InputError, NotFound, UpstreamError
from careplane.records.message import Attempt, Channel, Delivery, Message, Outgoing
from careplane.records.run import Run
from careplane.workflow.messaging.choices import choose
from careplane.workflow.messaging.outbox import change, find_message, find_messages
from careplane.workflow.messaging.planning import Planned, Planner
from careplane.workflow.records import load_run
from careplane.workflow.resources import without_citations
from careplane.workflow.runtime import Runtime

LEASE = timedelta(minutes=5)
"""How long a process may take to send; after that nobody knows whether it did."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
WRITE_PAUSE = timedelta(seconds=10)
NOT_WRITTEN = "write-back"
"""Why a message waits whose text the record system has yet to take: that is no attempt of a channel."""

BATCH = 200
OPTED_OUT = "21610"


class Messages:
    """The messages of an installation. ``senders`` are its channels; print has none, a person prints."""

    def __init__(self, runtime: Runtime, planner: Planner, senders: Mapping[Channel, MessageSender]) -> None:
        self._runtime = runtime
        self.planner = planner
        self._senders = dict(senders)

    async def plan(self, run: Run, text: str, signer: str) -> Planned:
        """What would leave if a text were signed now; nothing is kept.

        Raises:
            UpstreamError: the record system does not answer.
        """
        runtime = self._runtime
        return await self.planner.plan(run, text, signer, runtime.clock())

    async def tend(self) -> int:
        """One turn: address what was signed, send what may leave, and see to what was left half-done; says how many
        messages left.

        Raises:
            LedgerError: the record of a message could not be made durable; the message stays as it was.
        """
        store, now, left = self._runtime.store, self._runtime.clock(), 0
        for message in find_messages(store, ("sending",), BATCH, due=now):
            self._left_half_done(message, now)
        for message in find_messages(store, ("signed",), BATCH, due=now):
            await self._address(message, now)
        for message in find_messages(store, ("waiting",), BATCH, due=now):
            left += message.channel != "print" and await self._release(message, now)
        return left

    def retry(self, run: str, by: str) -> Message:
        """Let a message that failed, or whose fate nobody knows, be planned anew and leave once more.

        Raises:
            NotFound: there is no such message.
            Conflict: it is on its way, or has left.
        """
        message = self._load(run)
        if message.state not in ("failed", "uncertain", "cancelled"):
            raise Conflict(f"This message is {message.state}; only one that failed or is uncertain is sent again.")
        again = replace(message, state="signed", due_at=self._runtime.clock(), reason="", attempts=())
        return self._by_hand(message, again, "message.retried", by)

    def cancel(self, run: str, by: str) -> Message:
        """Take a message back before it leaves.

        Raises:
            NotFound: there is no such message.
            Conflict: it has left.
        """
        message = self._load(run)
        if message.state not in ("signed", "waiting", "failed", "uncertain"):
            raise Conflict(f"This message is {message.state} and cannot be taken back.")
        gone = replace(message, state="cancelled", reason="A person took it back.")
        return self._by_hand(message, gone, "message.cancelled", by)

    def printed(self, run: str, by: str) -> Message:
        """Record that a letter was printed and handed over.

        Raises:
            NotFound: there is no such message.
            Conflict: it is not a letter that waits.
        """
        message, now = self._load(run), self._runtime.clock()
        if message.channel != "print" or message.state not in ("waiting", "sent"):
            raise Conflict("This message is no letter that waits to be printed.")
        if message.state == "sent":
            return message
        return self._by_hand(message, replace(message, state="sent", sent_at=now), "message.printed", by)

    def unsubscribe(self, token: str) -> None:
        """End e-mails to an address, by the link that came with one of them; again changes nothing.

        Raises:
            NotFound: the link is not ours.
        """
        run, _, proof = token.rpartition(".")
        message = find_message(self._runtime.store, run) if run and self.planner.proves(run, proof) else None
        if message is None or message.channel != "email":
            raise NotFound("This link is not one of ours, or its message is gone.")
        self.stop("email", message.to, "unsubscribe")

    def stop(self, channel: Channel, address: str, source: str) -> None:
        """Nothing more by this channel to this address."""
        runtime = self._runtime
        choose(runtime.store, runtime.ledger, channel, address, "stop", source, runtime.clock())

    def allow(self, channel: Channel, address: str, source: str) -> None:
        """Take a stop back."""
        runtime = self._runtime
        choose(runtime.store, runtime.ledger, channel, address, "none", source, runtime.clock())

    def told(self, message: Message, state: str, code: str) -> Message:
        """What a provider reports of a message that it took: delivered, or not; the last word is not taken back."""
        if message.state != "sent" or message.delivered == "delivered" or not state:
            return message
        failed = state == "undelivered"
        changed = replace(
            message,
            delivered=state,
            state="failed" if failed else "sent",
            reason=f"The provider could not deliver it (code {code or 'unknown'})." if failed else "",
        )
        self._record("message.undelivered" if failed else "message.delivered", changed, code)
        change(self._runtime.store, message, changed)
        return changed

    async def aclose(self) -> None:
        """Give the connections of the channels back."""
        for sender in self._senders.values():
            await sender.aclose()

    async def _address(self, message: Message, now: datetime) -> None:
        """From signed to waiting: the plan becomes the row."""
        run = load_run(self._runtime.store, message.run)
        text = run.signed_text
        if text is None:
            self._settle(message, replace(message, state="cancelled", reason=_WITHDRAWN), "cancelled")
            return
        refused = [one.channel for one in message.attempts if one.delivery.outcome == "refused"]
        try:
            planned = await self.planner.plan(run, text, message.signed_by, now, refused)
        except UpstreamError:
            later = replace(message, due_at=now + FIRST_PAUSE, reason="The record system did not answer.")
            change(self._runtime.store, message, later)
            return
        if planned.channel is None:
            self._settle(message, replace(message, state="failed", skipped=planned.skipped, reason=_NO_WAY), "failed")
            return
        waiting = replace(
            message,
            state="waiting",
            channel=planned.channel,
            to=planned.to,
            subject=planned.subject,
            whole=planned.whole,
            text=planned.text,
            notice=planned.notice,
            language=planned.language,
            grade=planned.grade,
            rules=planned.rules,
            exempt=planned.exempt,
            skipped=planned.skipped,
            due_at=planned.due_at,
            reason="" if planned.due_at <= now else "It waits for the end of the quiet hours.",
        )
        self._settle(message, waiting, "queued")

    async def _release(self, message: Message, now: datetime) -> bool:
        """Send one message that may leave; ``True`` when the other side has it."""
        channel = message.channel
        sender = self._senders.get(channel) if channel else None
        signed = load_run(self._runtime.store, message.run).signed_text
        stands = signed is not None and without_citations(signed).strip() in message.whole
        if sender is None or not stands or not self.planner.still_wanted(message):
            change(self._runtime.store, message, replace(message, state="signed", due_at=now))
            return False
        taken = replace(message, state="sending", due_at=now + LEASE)
        if not change(self._runtime.store, message, taken):
            return False
        delivery = await self._deliver(taken, sender)
        return self._after(taken, delivery, now)

    async def _deliver(self, message: Message, sender: MessageSender) -> Delivery:
        run = load_run(self._runtime.store, message.run)
        try:
            behind = await self._in_portal(message, run) if message.notice or message.channel == "portal" else None
            if behind is not None and (behind.outcome != "accepted" or message.channel == "portal"):
                return behind
            return await sender.send(self._outgoing(message, run, message.text))
        except InputError as error:
            return Delivery(outcome="refused", code="message", reason=f"The channel cannot carry it ({error.field}).")

    async def _in_portal(self, message: Message, run: Run) -> Delivery:
        """The text itself, where the patient reads it. What the write-back puts into the chart for a Communication is
        that message, so it is not sent a second time."""
        if self._runtime.apps(run.app).spec.output.kind == "Communication":
            if run.written:
                return Delivery(outcome="accepted", reference=run.written[0])
            return Delivery(outcome="later", code=NOT_WRITTEN, reason="The text is not in the chart yet.")
        portal = self._senders.get("portal")
        if portal is None:
            return Delivery(outcome="refused", code="portal", reason="There is no portal for the text.")
        outgoing = self._outgoing(message, run, message.whole)
        return await portal.send(replace(outgoing, id=f"{message.run}:portal", to=message.patient))

    def _outgoing(self, message: Message, run: Run, text: str) -> Outgoing:
        focus = run.event.focus or ""
        return Outgoing(
            id=f"{message.run}:{message.channel}",
            to=message.to,
            text=text,
            subject=message.subject,
            language=message.language,
            unsubscribe=self.planner.unsubscribe_url(message.run, message.channel),
            sender=message.signed_by,
            answers=focus if focus.startswith("Communication/") else "",
            run=message.run,
            synthetic=message.synthetic,
        )

    def _after(self, message: Message, delivery: Delivery, now: datetime) -> bool:
        attempts = (*message.attempts, Attempt(at=now, channel=message.channel or "print", delivery=delivery))
        tried = replace(message, attempts=attempts, reason=delivery.reason)
        if delivery.outcome == "accepted":
            done = replace(tried, state="sent", sent_at=now, reference=delivery.reference, reason="")
            self._settle(message, done, "sent", delivery.code)
            return True
        if delivery.outcome == "uncertain":
            self._settle(message, replace(tried, state="uncertain"), "uncertain", delivery.code)
        elif delivery.outcome == "refused":
            if message.channel == "sms" and delivery.code == OPTED_OUT:
                self.stop("sms", message.to, "provider")
            self._settle(message, replace(tried, state="signed", due_at=now), "refused", delivery.code)
        else:
            self._later(message, tried, delivery, now)
        return False

    def _later(self, message: Message, tried: Message, delivery: Delivery, now: datetime) -> None:
        if delivery.code == NOT_WRITTEN:
            change(self._runtime.store, message, replace(message, state="waiting", due_at=now + WRITE_PAUSE))
            return
        put_off = sum(one.delivery.outcome == "later" for one in tried.attempts)
        if put_off >= self.planner.policy.most_attempts:
            self._settle(message, replace(tried, state="failed"), "failed", delivery.code)
            return
        pause = min(FIRST_PAUSE * 2 ** (put_off - 1), LONGEST_PAUSE)
        pause = max(pause, timedelta(seconds=delivery.retry_after or 0))
        self._settle(message, replace(tried, state="signed", due_at=now + pause), "put_off", delivery.code)

    def _left_half_done(self, message: Message, now: datetime) -> None:
        """What a process that ended left on its way: a portal takes it again without harm, of others nobody knows."""
        if message.channel == "portal":
            change(self._runtime.store, message, replace(message, state="waiting", due_at=now))
            return
        reason = "The process ended while it was sending; whether it left is not known."
        self._settle(message, replace(message, state="uncertain", reason=reason), "uncertain")

    def _settle(self, before: Message, after: Message, verb: str, code: str = "") -> None:
        """Record, then change: what the row says is in the ledger."""
        self._record(f"message.{verb}", after, code)
        change(self._runtime.store, before, after)

    def _record(self, kind: str, message: Message, code: str = "", by: str = "") -> None:
        ledger = self._runtime.ledger
        ledger.append(
            kind,
            at=self._runtime.clock(),
            run=message.run,
            app=message.app,
            actor=ledger.pseudonym(by or message.signed_by),
            facts={
                "channel": message.channel,
                "notice": message.notice,
                "language": message.language,
                "grade": message.grade,
                "rules": ",".join(message.rules) or None,
                "exempt_by_review": ",".join(message.exempt) or None,
                "attempts": len(message.attempts),
                "code": code or None,
            },
        )

    def _by_hand(self, before: Message, after: Message, kind: str, by: str) -> Message:
        self._record(kind, after, by=by)
        if not change(self._runtime.store, before, after):
            raise Conflict("The message changed meanwhile. Look again.")
        return after

    def _load(self, run: str) -> Message:
        message = find_message(self._runtime.store, run)
        if message is None:
            raise NotFound(f"There is no message of the run {run}.")
        return message


_WITHDRAWN = "The text was withdrawn before it left."
_NO_WAY = "No channel is left by which this patient can be reached."
