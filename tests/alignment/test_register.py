"""The register: manifest in, search out, facts in the ledger."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from careplane.alignment import (
    commit_funding,
    confirm_sponsor,
    count_items,
    find_item,
    find_items,
    find_moves,
    import_items,
    load_item,
    plan_long_term,
    register_app,
    set_scope,
    set_threshold,
    sign_forecast,
)
from careplane.errors import InputError, NotFound, Refused
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.store import Store

from .items import row

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)


def test_a_manifest_becomes_a_row(store: Store, ledger: Ledger, app: App) -> None:
    item = register_app(store, ledger, app, 2, "idea", AT, "owner@site")
    assert find_item(store, app.id) == item
    assert {"goal_linked", "stop_rule"} <= set(item.path)
    assert set(item.metrics) == {"primary", "balancing", "equity"}
    assert [move.to_stage for move in find_moves(store, app.id)] == ["idea"]
    assert [record.kind for record in ledger.records()] == ["register.added"]


def test_registering_again_keeps_what_people_decided(store: Store, ledger: Ledger, app: App) -> None:
    register_app(store, ledger, app, 2, "idea", AT, "x")
    confirm_sponsor(store, ledger, app.id, app.spec.sponsor, AT)
    set_scope(store, ledger, app.id, ["Organization/hospital-1"], "x", AT)
    held = register_app(store, ledger, replace(app, spec=replace(app.spec, title="New title")), 3, "idea", AT, "x")
    assert (held.title, held.tier, held.sites) == ("New title", 3, ("Organization/hospital-1",))
    assert held.sponsor_confirmed_at == AT.date()
    assert "scale_scope" in held.path
    assert len(find_moves(store)) == 1


def test_a_new_sponsor_has_not_confirmed(store: Store, ledger: Ledger, app: App) -> None:
    register_app(store, ledger, app, 2, "idea", AT, "x")
    confirm_sponsor(store, ledger, app.id, app.spec.sponsor, AT)
    other = replace(app, spec=replace(app.spec, sponsor="Somebody else"))
    assert register_app(store, ledger, other, 2, "idea", AT, "x").sponsor_confirmed_at is None


def test_an_idea_that_cannot_run_passes_no_integration_check(store: Store, ledger: Ledger, app: App) -> None:
    item = register_app(store, ledger, replace(app, prompt=None), 2, "idea", AT, "x")
    assert item.integration == ()
    assert "production_integration_route" not in item.path


def test_import_is_idempotent(store: Store) -> None:
    assert import_items(store, [row("a"), row("b")]) == 2
    assert import_items(store, [row("a", title="changed"), row("c")]) == 1
    assert load_item(store, "a").title == "A"
    assert len(find_moves(store)) == 3


def test_find_items(store: Store) -> None:
    import_items(
        store,
        [row("scribe", title="Ambient scribe", tier=3), row("nobody", owner=None), row("x_100", title="100% sure")],
    )
    assert [item.id for item in find_items(store, "SCRIBE ambient")] == ["scribe"]
    assert [item.id for item in find_items(store, "100%")] == ["x_100"]
    assert [item.id for item in find_items(store, owner="")] == ["nobody"]
    assert [item.id for item in find_items(store, tier=3, stage="pilot")] == ["scribe"]
    assert count_items(store, kind="platform_app") == 0
    assert [item.id for item in find_items(store, limit=1, offset=1)] == ["scribe"]


def test_an_unknown_id_names_the_nearest(store: Store) -> None:
    import_items(store, [row("portal_reply")])
    with pytest.raises(NotFound, match="portal_reply"):
        load_item(store, "portal_replay")


def test_facts_go_to_row_and_ledger(store: Store, ledger: Ledger) -> None:
    import_items(store, [row("a")])
    sign_forecast(store, ledger, "a", 100_000, "CFO", AT, annual_cost_usd=40_000)
    commit_funding(store, ledger, "a", 50_000, "CFO", AT)
    set_threshold(store, ledger, "a", "Turnaround down 1 h within 90 days", "owner", AT)
    item = plan_long_term(store, ledger, "a", "owner", AT, adoption_plan=["training"], topics_minuted=["funding"])
    assert (item.forecast_p50_usd, item.funding_usd, item.annual_cost_usd) == (100_000, 50_000, 40_000)
    assert {"costed_forecast_signed", "success_threshold"} <= set(item.path)
    assert (item.adoption_plan, item.topics_minuted) == (("training",), ("funding",))
    assert len(list(ledger.records(kind="register.forecast_signed"))) == 1


def test_only_the_sponsor_confirms(store: Store, ledger: Ledger) -> None:
    import_items(store, [row("a")])
    with pytest.raises(Refused, match="Chief Medical Officer"):
        confirm_sponsor(store, ledger, "a", "somebody", AT)


def test_an_unknown_part_of_the_plan_is_refused(store: Store, ledger: Ledger) -> None:
    import_items(store, [row("a")])
    with pytest.raises(InputError, match="adoption_plan"):
        plan_long_term(store, ledger, "a", "owner", AT, adoption_plan=["hope"])
