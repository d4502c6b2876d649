"""Connectors: the ways into and out of the systems of a health system. One folder per item.

Each item has ``open(settings: Mapping[str, str]) -> connector`` and ``CAPABILITIES``, the names of what its connector
can do; what composes is the type below that it fulfils. ``settings`` are texts (``base_url``, ``token``, ``path``); an
item refuses what it does not know. Every item passes the contract suite in ``tests/connectors``.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from careplane.codecs.cdshooks import HookCall
from careplane.codecs.fhir_subscription import Notification
from careplane.records import JSON
from careplane.records.message import Delivery, Outgoing
from careplane.records.money import CostLine


class FhirReader(Protocol):
    """FHIR R4 read and search."""

    async def read(self, reference: str) -> JSON | None:
        """The resource at ``Type/id``, or ``None`` when there is none; ``meta.versionId`` is its version."""

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        """Resources that match; ``query`` holds FHIR search parameters, pages are followed up to ``limit``.

        Every parameter is heeded or the search fails: what limits an app to a unit must never be ignored in silence.
        """

    async def aclose(self) -> None:
        """Give connections back."""


class FhirWriter(Protocol):
    """FHIR R4 write-back."""

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        """Create a resource and return its reference; ``if_none_exist`` makes a repeat harmless."""

    async def update(self, resource: JSON, if_match: str | None = None) -> str:
        """Put a resource at its own ``Type/id``.

        ``if_match`` is the ``meta.versionId`` that the change was made on: another one there now is a
        :class:`careplane.errors.Conflict`, and nothing is overwritten.
        """


class FhirConnector(FhirReader, FhirWriter, Protocol):
    """An EHR that can be read and written."""


class FhirBundles(Protocol):
    """What an EHR's own endpoint can do beyond single writes."""

    async def update_where(self, resource: JSON, query: str) -> str:
        """Put a resource where the one that a search finds is, or create it; several matches are a conflict."""

    async def transact(self, bundle: JSON) -> JSON:
        """Send a ``transaction`` (whole or not at all) or ``batch`` bundle; the answer has an entry for each entry."""


class Subscriptions(Protocol):
    """Subscriptions at an EHR. ``target`` is ``Subscription/id``."""

    @property
    def base_url(self) -> str:
        """The EHR's endpoint."""

    async def subscribe(self, subscription: JSON) -> JSON:
        """Create one and give it back as the EHR holds it."""

    async def held(self, target: str) -> JSON | None:
        """One as the EHR holds it; ``None`` when it is gone."""

    async def status(self, target: str) -> Notification | None:
        """What the EHR says of it now; ``None`` when it cannot say."""

    async def events(self, target: str, since: int, until: int) -> Sequence[Notification] | None:
        """The events of these numbers; ``None`` when the EHR cannot give all of them."""

    async def end(self, target: str) -> None:
        """Delete one; one that is gone is ended."""

    async def first_version(self, target: str) -> JSON | None:
        """A resource as it was created; ``None`` where there is no telling."""

    async def aclose(self) -> None:
        """Give connections back."""


class CostReader(Protocol):
    """An ERP export (or its API) read into the cost ledger."""

    def read_costs(self) -> Sequence[CostLine]:
        """All cost lines, each with the file and line it was read from."""


class MessageSender(Protocol):
    """A channel that reaches a patient."""

    async def send(self, message: Outgoing) -> Delivery:
        """Hand one message over; the same ``id`` again is the same message.

        Raises:
            InputError: the message itself cannot be sent by this channel (a line break in a header, no address).
        """

    async def aclose(self) -> None:
        """Give connections back."""


class HookConnector(Protocol):
    """What CDS Hooks calls of one EHR bring along."""

    def data(self, call: HookCall, templates: Mapping[str, str], own: FhirReader | None = None) -> FhirReader:
        """The data of one call: prefetch by ``templates``, then the token of the call, then ``own``."""

    async def aclose(self) -> None:
        """Give connections back."""
