"""The units where staff of the platform work, by hospital: what a study starts from when nobody names units."""

from careplane.records.people import Person
from careplane.store import Store, find
from careplane.store.tables import people


def staffed_units(store: Store) -> dict[str, tuple[str, ...]]:
    """Units by site, both in the order of their names; a person without a unit counts for none."""
    with store.read() as connection:
        found = find(connection, people, Person)
    units: dict[str, set[str]] = {}
    for person in found:
        if person.unit:
            units.setdefault(person.site or "all", set()).add(person.unit)
    return {site: tuple(sorted(units[site])) for site in sorted(units)}
