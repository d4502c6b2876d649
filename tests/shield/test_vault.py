"""Maps that outlive a call: the same surrogates over calls and workers, sealed, expiring, closed to anything else."""

import json
import re
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from careplane.errors import ShieldError
from careplane.shield import Protected, Shield
from careplane.shield.surrogates import SurrogateMap
from careplane.shield.vault import Vault, open_vault
from careplane.store import Store
from careplane.store.tables import shield_maps

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Quesenberry", "given": ["Theodora"]}]}
DOCTOR = {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Okafor", "given": ["Daniel"]}]}


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(store: Store, home: Path, clock: Clock) -> Vault:
    return open_vault(store, home, clock)


def sent(vault: Vault, run: str, text: str, chart: tuple[Any, ...] = (PATIENT, DOCTOR), **style: bool) -> Protected:
    surrogates = "realistic" if style.get("realistic") else "bracketed"
    dates = "shifted" if style.get("shifted") else "surrogate"

    def work(known: SurrogateMap) -> Protected:
        return Shield(chart, surrogates=surrogates, dates=dates, known=known).texts([text])

    return vault.update(run, work, **style)


def rows(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(shield_maps)))


@pytest.mark.parametrize("style", [{}, {"realistic": True}, {"realistic": True, "shifted": True}])
def test_the_same_words_keep_their_surrogate_over_calls_and_workers(
    store: Store, home: Path, clock: Clock, style: dict[str, Any]
) -> None:
    first, second = open_vault(store, home, clock), open_vault(store, home, clock)
    text = "Theodora Quesenberry saw Dr. Okafor on 2024-03-05"
    one = sent(first, "run-1", text, **style)
    two = sent(second, "run-1", f"Again: {text}, then on 03/12/2024.", (DOCTOR, PATIENT), **style)
    assert one.texts[0] in two.texts[0]
    assert two.restore(two.texts[0]) == f"Again: {text}, then on 03/12/2024."
    assert second.read("run-1").aliases().restore(one.texts[0]) == text
    assert sent(first, "run-2", text, **style).texts[0] != one.texts[0]


def test_one_person_keeps_one_number_although_the_chart_came_in_another_order(vault: Vault) -> None:
    one = sent(vault, "r", "Theodora Quesenberry", (PATIENT, DOCTOR)).texts[0]
    two = sent(vault, "r", "QUESENBERRY and Okafor", (DOCTOR, PATIENT)).texts[0]
    number = re.findall(r"\d+", one)[0]
    assert re.fullmatch(rf"\[NAME-{number}-2\] and \[NAME-(?!{number})\d+\]", two)


def test_nothing_readable_is_stored_and_the_key_is_for_its_owner_only(vault: Vault, store: Store, home: Path) -> None:
    sent(vault, "conversation of Theodora", "Theodora Quesenberry")
    (row,) = rows(store)
    kept = json.dumps([str(value) for value in row])
    assert not any(word in kept.lower() for word in ("theodora", "quesenberry", "conversation"))
    key = home / "secrets" / "shield.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert {path.name for path in key.parent.iterdir()} <= {"shield.key", "store.key"}, "no draft of a key is left"


def test_what_was_changed_or_moved_does_not_open(vault: Vault, store: Store, clock: Clock) -> None:
    sent(vault, "a", "Theodora Quesenberry")
    sent(vault, "b", "Okafor")
    a, b = (next(row for row in rows(store) if row.run == vault._name(run)) for run in ("a", "b"))
    later = {"expires_at": "2099-01-01T00:00:00.000000+00:00"}
    flipped = a.sealed[:40] + ("A" if a.sealed[40] != "A" else "B") + a.sealed[41:]
    for changed in ({"sealed": b.sealed}, {"sealed": flipped}, {"sealed": "?"}, {"sealed": ""}, {"version": 7}, later):
        with store.write() as connection:
            connection.execute(update(shield_maps).where(shield_maps.c.run == a.run).values(**changed))
        with pytest.raises(ShieldError) as told:
            vault.read("a")
        assert "Theodora" not in str(told.value)
        with pytest.raises(ShieldError):
            sent(vault, "a", "Theodora Quesenberry")
        with store.write() as connection:
            connection.execute(update(shield_maps).where(shield_maps.c.run == a.run).values(**a._mapping))
    assert len(vault.read("a")) == 1


def test_another_run_another_key_and_a_lost_key_open_nothing(
    vault: Vault, store: Store, home: Path, clock: Clock
) -> None:
    sent(vault, "a", "Theodora Quesenberry")
    with pytest.raises(ShieldError):
        vault.read("unknown")
    with pytest.raises(ShieldError):
        Vault(store, bytes(32), clock).read("a")
    (home / "secrets" / "shield.key").write_text("not a key\n")
    with pytest.raises(ShieldError):
        open_vault(store, home, clock)
    (home / "secrets" / "shield.key").chmod(0o644)
    with pytest.raises(ShieldError):
        open_vault(store, home, clock)


def test_a_map_expires_is_purged_and_can_be_deleted(vault: Vault, store: Store, clock: Clock) -> None:
    sent(vault, "a", "Theodora Quesenberry")
    clock.now += timedelta(hours=13)
    sent(vault, "a", "Theodora Quesenberry")  # used again: kept for longer
    clock.now += timedelta(hours=23)
    assert len(vault.read("a")) == 1
    clock.now += timedelta(hours=2)
    with pytest.raises(ShieldError):
        vault.read("a")
    sent(vault, "b", "Okafor")
    assert len(rows(store)) == 1  # a new map sweeps away what has expired
    sent(vault, "b", "Theodora Quesenberry")
    clock.now += timedelta(hours=25)
    assert len(sent(vault, "b", "Okafor").aliases) == 1  # an expired map is not used any more
    clock.now += timedelta(hours=25)
    assert vault.purge() == 1
    assert rows(store) == []
    sent(vault, "c", "Okafor")
    assert vault.delete("c")
    assert not vault.delete("c")


def test_workers_that_extend_one_map_at_a_time_agree(store: Store, home: Path, clock: Clock) -> None:
    names = [f"Dr. Zed{word} called. " for word in ("alpha", "beta", "gamma", "delta", "sigma", "omega")]
    chart = tuple(
        {"resourceType": "Practitioner", "id": f"x{i}", "name": [{"family": name.split()[1]}]}
        for i, name in enumerate(names)
    )
    seen: list[dict[str, str]] = []
    failures: list[Exception] = []

    def worker(order: int) -> None:
        vault = open_vault(store, home, clock)
        try:
            for step in range(len(names)):
                name = names[(step * (order + 1) + order) % len(names)]
                seen.append({name: sent(vault, "shared", name, chart).texts[0]})
        except ShieldError as error:
            failures.append(error)

    threads = [threading.Thread(target=worker, args=(order,)) for order in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    merged: dict[str, set[str]] = {}
    for one in seen:
        for name, out in one.items():
            merged.setdefault(name, set()).add(out)
    assert all(len(outs) == 1 for outs in merged.values())
    assert len(set.union(*merged.values())) == len(merged)


def test_work_that_fails_keeps_nothing(vault: Vault, store: Store) -> None:
    def work(_known: SurrogateMap) -> None:
        raise ShieldError("no")

    with pytest.raises(ShieldError):
        vault.update("a", work)
    assert rows(store) == []


def test_a_store_that_does_not_answer_fails_closed(home: Path, sqlite_store: Store, clock: Clock) -> None:
    vault = open_vault(sqlite_store, home, clock)
    with sqlite_store.write() as connection:
        connection.exec_driver_sql("DROP TABLE shield_maps")
    with pytest.raises(ShieldError):
        sent(vault, "a", "Theodora Quesenberry")
