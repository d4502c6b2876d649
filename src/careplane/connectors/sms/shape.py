"""What differs between providers of text messages: how a request, an answer and a call-back look."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from careplane.records import Record
from careplane.records.message import Delivery

Form = Mapping[str, Sequence[str]]
"""The fields of an ``application/x-www-form-urlencoded`` body; each may occur more than once."""


class Inbound(Record, frozen=True):
    """A text message that a person sent to us. ``word`` is what it asks for, empty for anything else."""

    number: str
    text: str
    word: Literal["stop", "start", "help", ""]


class Status(Record, frozen=True):
    """What became of a message that the provider took: ``reference`` is its id there."""

    reference: str
    state: Literal["sent", "delivered", "undelivered", ""]
    code: str = ""


class Shape(Protocol):
    """One provider's interface."""

    base_url: str

    def request(self, to: str, text: str) -> tuple[str, dict[str, str]]:
        """Path and form that send a text to a number."""

    def delivery(self, status: int, body: bytes) -> Delivery:
        """What the answer to that request means."""

    def signed(self, url: str, form: Form, signature: str) -> bool:
        """Whether a call-back to ``url`` is the provider's."""

    def inbound(self, form: Form) -> Inbound:
        """A message that came in.

        Raises:
            InputError: it is not one.
        """

    def status(self, form: Form) -> Status:
        """A report about a message of ours.

        Raises:
            InputError: it is not one.
        """
