"""A message as a FHIR R4 Communication: created once, however often it is sent."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from careplane.codecs.fhir_labels import AIAST, TEST_DATA
from careplane.errors import Conflict, InputError, Refused, UpstreamError, UpstreamRejected
from careplane.records import JSON
from careplane.records.message import Delivery, Outgoing

MESSAGE_SYSTEM = "urn:careplane:message"


class Creator(Protocol):
    """The part of an EHR connector that is needed."""

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        """Create a resource and return its reference; a repeat with ``if_none_exist`` is harmless."""


class PortalSender:
    """A :class:`careplane.connectors.MessageSender`.

    A repeat is harmless whatever broke: the Communication is created on condition that none with its id exists, so no
    outcome of this channel is uncertain.
    """

    def __init__(self, ehr: Creator, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._ehr = ehr
        self._clock = clock

    async def send(self, message: Outgoing) -> Delivery:
        """Create the Communication.

        Raises:
            InputError: ``to`` is no reference to a patient.
        """
        resource = communication(message, self._clock())
        try:
            reference = await self._ehr.create(resource, if_none_exist=f"identifier={MESSAGE_SYSTEM}|{message.id}")
        except UpstreamRejected:
            return Delivery(outcome="refused", code="rejected", reason="The record system does not take the message.")
        except Refused:
            return Delivery(outcome="later", code="forbidden", reason="The record system does not let us write.")
        except Conflict:
            told = "Several messages with this id are in the record system."
            return Delivery(outcome="refused", code="conflict", reason=told)
        except UpstreamError as error:
            return Delivery(outcome="later", code=type(error).__name__, reason="The record system did not take it now.")
        return Delivery(outcome="accepted", reference=reference)

    async def aclose(self) -> None:
        """Give the connections back, where they are our own."""
        close: Callable[[], Awaitable[Any]] | None = getattr(self._ehr, "aclose", None)
        if close is not None:
            await close()


def communication(message: Outgoing, at: datetime) -> JSON:
    """The resource of a message (hl7.org/fhir/R4/communication.html): completed, AIAST, from its signer to the patient.

    Raises:
        InputError: ``to`` is no reference to a patient.
    """
    kind, _, ident = message.to.partition("/")
    if kind != "Patient" or not ident or "/" in ident:
        raise InputError("must be a reference such as Patient/123", field="to")
    whole: JSON = {
        "resourceType": "Communication",
        "meta": {"security": [AIAST, *([TEST_DATA] if message.synthetic else [])]},
        "language": message.language,
        "identifier": [{"system": MESSAGE_SYSTEM, "value": message.id}],
        "inResponseTo": [{"reference": message.answers}] if message.answers else None,
        "status": "completed",
        "medium": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode",
                        "code": "ELECTRONIC",
                        "display": "electronic data",
                    }
                ],
                "text": "portal",
            }
        ],
        "subject": {"reference": message.to},
        "topic": {"text": message.subject} if message.subject else None,
        "sent": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "recipient": [{"reference": message.to}],
        "sender": {"reference": message.sender} if message.sender else None,
        "payload": [{"contentString": message.text}],
    }
    return {name: value for name, value in whole.items() if value is not None}
