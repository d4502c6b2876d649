"""Messages to patients: after a person signed, the text leaves by the channel that the patient prefers.

The row of a message is kept in the transaction that signs (:func:`queue`), so no signature is without one. Then it is
addressed (channel, disclosure, quiet hours), waits until it may leave, and is sent once: whoever claims the row sends
it, and one whose fate nobody knows is never sent again on its own.
"""

from careplane.workflow.messaging.choices import choose, stopped_channels
from careplane.workflow.messaging.composing import to_patient
from careplane.workflow.messaging.letters import letter
from careplane.workflow.messaging.outbox import find_message, find_messages, queue
from careplane.workflow.messaging.planning import Planned, Planner
from careplane.workflow.messaging.policy import MessagePolicy
from careplane.workflow.messaging.road import Messages

__all__ = [
    "MessagePolicy",
    "Messages",
    "Planned",
    "Planner",
    "choose",
    "find_message",
    "find_messages",
    "letter",
    "queue",
    "stopped_channels",
    "to_patient",
]
