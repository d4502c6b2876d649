"""The names of the staff behind references, for people who read a list."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import select

from careplane.records.people import Person
from careplane.store import Store
from careplane.store.tables import people


def names_of(store: Store, references: Iterable[str | None]) -> dict[str, str]:
    """By reference (``Practitioner/p001``) the name; a reference that nobody was imported for stands for itself."""
    wanted = {reference for reference in references if reference}
    with store.read() as connection:
        bodies = connection.execute(select(people.c.body).where(people.c.id.in_(wanted))).scalars().all()
    held = {person.id: person.name for person in (msgspec.json.decode(body, type=Person) for body in bodies)}
    return {reference: held.get(reference, reference) for reference in wanted}
