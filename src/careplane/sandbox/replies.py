"""How a message is answered in the record: the reply as Communication, the active time as AuditEvent."""

from datetime import datetime, timedelta
from random import Random

from careplane.records import JSON, Record
from careplane.sandbox.content import read
from careplane.sandbox.resources import concept, reference, resource, terminology


class Handling(Record, frozen=True):
    """One message handled: the reply, the EHR's audit record of the active time, and both figures in plain numbers.

    ``sent`` is the instant of the reply with its local offset; ``seconds`` the active time.
    """

    reply: JSON
    audit: JSON
    sent: str
    seconds: float


def reply_text(draw: Random, message: JSON, topic: str, language: str) -> str:
    """What a person writes back, in the patient's language where there is a text for it."""
    texts = read("messages")["replies"][topic]
    first = message["sender"]["display"].split(" ")[0]
    return str(draw.choice(texts.get(language, texts["en"])).format(first=first))


def handle(message: JSON, text: str, sent: str, seconds: float) -> Handling:
    """Answer ``message`` with ``text`` at ``sent`` after ``seconds`` of active work that ended then."""
    ident, by = message["id"], message["recipient"][0]["reference"]
    return Handling(
        reply=reply(message, text, sent), audit=audit(ident, by, sent, seconds), sent=sent, seconds=round(seconds, 1)
    )


def reply(message: JSON, text: str, sent: str) -> JSON:
    """The reply to a portal message."""
    return resource(
        "Communication", f"{message['id']}-reply", status="completed", category=message["category"],
        subject=message["subject"], about=message["about"], sender=message["recipient"][0],
        recipient=[message["sender"]], inResponseTo=[reference(f"Communication/{message['id']}")],
        sent=sent, payload=[{"contentString": text}],
    )  # fmt: skip


def audit(message: str, by: str, ended: str, seconds: float) -> JSON:
    """The EHR's record of active work in the in-basket, to the second."""
    begun = datetime.fromisoformat(ended) - timedelta(seconds=round(seconds))
    return resource(
        "AuditEvent", f"{message}-audit", type={"system": terminology("audit-event-type"), "code": "rest"},
        subtype=[{"system": "https://sandbox.example/audit", "code": "inbasket"}], action="U", recorded=ended,
        period={"start": begun.isoformat(timespec="seconds"), "end": ended}, outcome="0",
        agent=[{
            "who": reference(by), "requestor": True,
            "type": concept(terminology("extra-security-role-type"), "humanuser"),
        }],
        source={"observer": {"display": "Sandbox EHR"}},
        entity=[{"what": reference(f"Communication/{message}")}],
    )  # fmt: skip
