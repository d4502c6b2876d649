"""The kill switch: it holds across restarts, and takes two people to release."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.governance import Scope, release, stop, stopped, switches
from careplane.ledger import Ledger
from careplane.store import Store, open_store

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("scope", "target"), [("app", "portal_reply"), ("site", "Organization/h1"), ("version", "portal_reply@1.0.0")]
)
def test_stop_and_release(store: Store, ledger: Ledger, scope: Scope, target: str) -> None:
    stop(store, ledger, scope, target, "p1", "wrong doses", AT)
    reason = stopped(store, "portal_reply", "Organization/h1", "1.0.0")
    assert reason is not None
    assert reason.startswith("wrong doses")
    assert stopped(store, "bed_huddle", "Organization/h2", "1.0.0") is None
    with pytest.raises(Refused, match="Another person"):
        release(store, ledger, scope, target, "p1", AT)
    release(store, ledger, scope, target, "p2", AT)
    assert stopped(store, "portal_reply", "Organization/h1", "1.0.0") is None
    assert [record.kind for record in ledger.records()] == ["switch.stopped", "switch.released"]


def test_stop_holds_after_a_restart(home: Path, ledger: Ledger) -> None:
    url = f"sqlite:///{home / 'careplane.db'}"
    first = open_store(url)
    stop(first, ledger, "app", "portal_reply", "p1", "wrong doses", AT)
    first.close()
    again = open_store(url)
    assert [one.target for one in switches(again)] == ["portal_reply"]
    assert stopped(again, "portal_reply", None, "1.0.0") is not None
    again.close()


def test_mistakes_are_told(sqlite_store: Store, ledger: Ledger) -> None:
    with pytest.raises(InputError):
        stop(sqlite_store, ledger, "app", "portal_reply", "p1", " ", AT)
    with pytest.raises(InputError, match="app@version"):
        stop(sqlite_store, ledger, "version", "1.0.0", "p1", "why", AT)
    with pytest.raises(NotFound):
        release(sqlite_store, ledger, "app", "portal_reply", "p1", AT)
    stop(sqlite_store, ledger, "app", "portal_reply", "p1", "why", AT)
    with pytest.raises(Conflict):
        stop(sqlite_store, ledger, "app", "portal_reply", "p2", "why", AT)
