"""What people decide about a row of the register after it was made; each change goes to the ledger."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from careplane.alignment.register import load_item, merge_checks, save_item
from careplane.errors import InputError, Refused
from careplane.ledger import FreeText, Ledger
from careplane.records.portfolio import RegisterItem
from careplane.store import Store

ADOPTION_PARTS = ("training", "support", "sustained_use_target", "comms")
TOPICS = ("infrastructure", "funding", "adoption")


def confirm_sponsor(store: Store, ledger: Ledger, item: str, by: str, at: datetime) -> RegisterItem:
    """The sponsor confirms to stand behind the item; it holds for 180 days.

    Raises:
        Refused: it is not the item's sponsor who confirms.
    """
    held = load_item(store, item)
    if held.sponsor != by:
        raise Refused([f"The sponsor of {item} is {held.sponsor or 'nobody'}, not {by}."], "Let the sponsor confirm.")
    return _change(store, ledger, held, "register.sponsor_confirmed", by, at, sponsor_confirmed_at=at.date())


def sign_forecast(
    store: Store, ledger: Ledger, item: str, p50_usd: float, by: str, at: datetime, annual_cost_usd: float | None = None
) -> RegisterItem:
    """Finance signs the 24-month forecast (its median, USD).

    Raises:
        InputError: the forecast is not positive.
    """
    if p50_usd <= 0:
        raise InputError("must be more than 0", field="p50_usd")
    held = load_item(store, item)
    return _change(
        store,
        ledger,
        held,
        "register.forecast_signed",
        by,
        at,
        forecast_p50_usd=p50_usd,
        annual_cost_usd=held.annual_cost_usd if annual_cost_usd is None else annual_cost_usd,
        path=merge_checks(held.path, {"costed_forecast_signed": True}),
    )


def commit_funding(store: Store, ledger: Ledger, item: str, usd: float, by: str, at: datetime) -> RegisterItem:
    """Leadership commits funds: the total that stands, USD.

    Raises:
        InputError: the sum is negative.
    """
    if usd < 0:
        raise InputError("must not be negative", field="usd")
    return _change(store, ledger, load_item(store, item), "register.funding_committed", by, at, funding_usd=usd)


def set_scope(store: Store, ledger: Ledger, item: str, sites: Sequence[str], by: str, at: datetime) -> RegisterItem:
    """State the sites that the item would scale to.

    Raises:
        InputError: no site is named.
    """
    if not sites:
        raise InputError("name at least one site", field="sites")
    held = load_item(store, item)
    path = merge_checks(held.path, {"scale_scope": True})
    return _change(store, ledger, held, "register.scope_set", by, at, sites=tuple(sites), path=path)


def set_threshold(store: Store, ledger: Ledger, item: str, target: str, by: str, at: datetime) -> RegisterItem:
    """State in words what success is (the measure, its target, by when); the ledger keeps the words.

    Raises:
        InputError: nothing is stated.
    """
    if not target.strip():
        raise InputError("must not be empty", field="target")
    held = load_item(store, item)
    return _change(
        store,
        ledger,
        held,
        "register.threshold_set",
        by,
        at,
        facts={"target": FreeText(target.strip())},
        path=merge_checks(held.path, {"success_threshold": True}),
        metrics=merge_checks(held.metrics, {"target_and_horizon": True}),
    )


def plan_long_term(
    store: Store,
    ledger: Ledger,
    item: str,
    by: str,
    at: datetime,
    *,
    infrastructure_plan_at: date | None = None,
    adoption_plan: Sequence[str] = (),
    topics_minuted: Sequence[str] = (),
) -> RegisterItem:
    """Record what exists for the long term: a dated infrastructure plan, parts of the adoption plan, topics minuted in
    the last two meetings. What is not given stays as it was.

    Raises:
        InputError: a part or topic is not one of ``ADOPTION_PARTS`` or ``TOPICS``.
    """
    for field, given, allowed in (
        ("adoption_plan", adoption_plan, ADOPTION_PARTS),
        ("topics_minuted", topics_minuted, TOPICS),
    ):
        unknown = set(given) - set(allowed)
        if unknown:
            raise InputError(f"{sorted(unknown)[0]!r} is not one of: {', '.join(allowed)}", field=field)
    held = load_item(store, item)
    return _change(
        store,
        ledger,
        held,
        "register.long_term_planned",
        by,
        at,
        infrastructure_plan_at=infrastructure_plan_at or held.infrastructure_plan_at,
        adoption_plan=tuple(adoption_plan) or held.adoption_plan,
        topics_minuted=tuple(topics_minuted) or held.topics_minuted,
    )


def _change(
    store: Store,
    ledger: Ledger,
    held: RegisterItem,
    kind: str,
    by: str,
    at: datetime,
    facts: dict[str, str] | None = None,
    **changes: Any,
) -> RegisterItem:
    item = msgspec.structs.replace(held, **changes)
    ledger.append(kind, at=at, app=item.id, actor=by, facts=facts)
    with store.write() as connection:
        save_item(connection, item)
    return item
