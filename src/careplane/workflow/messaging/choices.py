"""What patients chose: never again by a channel (STOP, unsubscribe, the portal's or a clerk's switch), or rather this.

A choice is kept under the pseudonym of the address or number it was made for; nothing here names a patient.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from careplane.ledger import Ledger
from careplane.records.message import Channel, ContactChoice
from careplane.store import Store, find, save
from careplane.store.tables import contact_choices as table

Choice = Literal["stop", "prefer", "none"]


def subject_of(ledger: Ledger, channel: Channel, address: str) -> str:
    """The pseudonym under which choices for an address are kept; letter case of an address does not matter."""
    return ledger.pseudonym(f"{channel}:{address.strip().casefold()}")


def choose(
    store: Store, ledger: Ledger, channel: Channel, address: str, choice: Choice, source: str, at: datetime
) -> None:
    """Keep a choice; the last one holds, and ``none`` takes it back.

    Args:
        store: where it is kept.
        ledger: where it is recorded, and whose pseudonyms name the address.
        channel: the channel.
        address: number, e-mail address, or the patient's reference for portal and print.
        choice: the choice.
        source: who told: ``sms``, ``unsubscribe``, ``portal``, ``staff``, ``provider``.
        at: when.
    """
    subject = subject_of(ledger, channel, address)
    with store.write() as connection:
        connection.execute(table.delete().where(table.c.channel == channel, table.c.subject == subject))
        if choice != "none":
            held = ContactChoice(channel=channel, subject=subject, choice=choice, at=at, source=source)
            save(connection, table, held, channel=channel, subject=subject, choice=choice)
    facts = {"channel": channel, "subject": subject, "choice": choice, "source": source}
    ledger.append("message.choice", at=at, facts=facts)


def choices_of(
    store: Store, ledger: Ledger, ways: Iterable[tuple[Channel, str]]
) -> dict[tuple[Channel, str], Literal["stop", "prefer"]]:
    """The choices that hold for some addresses."""
    subjects = {(channel, subject_of(ledger, channel, address)): (channel, address) for channel, address in ways}
    with store.read() as connection:
        held = find(connection, table, ContactChoice, table.c.subject.in_([subject for _, subject in subjects]))
    return {subjects[one.channel, one.subject]: one.choice for one in held if (one.channel, one.subject) in subjects}


def stopped_channels(store: Store, ledger: Ledger, ways: Iterable[tuple[Channel, str]]) -> set[tuple[Channel, str]]:
    """Those of some addresses that are not to be written to."""
    return {way for way, choice in choices_of(store, ledger, ways).items() if choice == "stop"}
