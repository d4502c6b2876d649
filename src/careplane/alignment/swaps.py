"""Swaps: may another version, or another model, take the place of what runs?

A swap is held to the newest comparison of both on the same cases: refused where an equity group or a guardrail got
worse, and, where patients rely on what runs, until no harm is shown. Refusals are data with reasons; the way out is a
better candidate, more cases, or a waiver that somebody signs, with a last day (:mod:`careplane.alignment.waivers`).
"""

from datetime import date, datetime
from typing import Literal

from careplane.alignment.register import find_item, register_app
from careplane.alignment.waivers import waivers
from careplane.errors import Refused
from careplane.evidence.quality import find_comparisons
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.records.portfolio import STAGES, GateCheck, RegisterItem, Stage
from careplane.records.quality import Comparison
from careplane.store import Store

CHECK = "version_swap"
"""The name of the check, by which it is waived."""
HELD_STAGES: tuple[Stage, ...] = ("limited_production", "scaled", "sustained")
"""Where patients rely on what runs, so that a swap needs a comparison; before, only one that found harm blocks."""


def version_swap(store: Store, item: RegisterItem, app: App, today: date) -> GateCheck:
    """Whether the version of the folder may take the place of the one that the register holds."""
    if not item.app_hash or item.app_hash == app.hash:
        return _check("pass", f"Version {app.spec.version} is the one on the register.", app.id)
    found = _newest(store, app.id, a_hash=item.app_hash, b_hash=app.hash)
    return _answer(store, item, found, f"version {app.spec.version}", today)


def model_swap(store: Store, item: RegisterItem, app: App, model: str, today: date) -> GateCheck:
    """Whether an app may run with a model that it was compared with before.

    Only a comparison that speaks against it blocks: what was never compared is told by ``careplane quality show``.
    """
    newest = (one for one in find_comparisons(store, app.id) if one.b_hash == app.hash and one.b_model == model)
    found = next((one for one in newest if one.a_model != model), None)
    if found is None:
        return _check("not_measured", f"{model} was not compared with another model for {app.id}.", app.id)
    if found.verdict != "regressed":
        return _check("pass", f"{found.b_label} against {found.a_label}: {found.verdict}.", app.id)
    return _answer(store, item, found, f"model {model}", today)


def _newest(store: Store, app: str, *, a_hash: str, b_hash: str) -> Comparison | None:
    return next((one for one in find_comparisons(store, app) if (one.a_hash, one.b_hash) == (a_hash, b_hash)), None)


def _answer(store: Store, item: RegisterItem, found: Comparison | None, what: str, today: date) -> GateCheck:
    if found is None:
        text = f"No comparison of {what} of {item.id} with what runs."
        held = item.stage in HELD_STAGES
        return _waived(store, item, _check("fail" if held else "not_measured", text, item.id), today)
    against = f"{found.b_label} against {found.a_label}, {found.cases} cases"
    if found.verdict == "kept":
        return _check("pass", f"No harm shown: {against}.", item.id)
    blocks = found.verdict == "regressed" or item.stage in HELD_STAGES
    text = f"{found.verdict.capitalize()}: {against}. {' '.join(found.reasons)}"
    return _waived(store, item, _check("fail" if blocks else "not_measured", text, item.id), today)


def _waived(store: Store, item: RegisterItem, check: GateCheck, today: date) -> GateCheck:
    waiver = waivers(store, item.id, today).get(CHECK)
    if check.status != "fail" or waiver is None:
        return check
    text = f"{check.text} Waived by {waiver.by} until {waiver.expires_on}: {waiver.reason}"
    return GateCheck(name=check.name, status="waived", text=text, link=check.link)


def _check(status: Literal["pass", "fail", "not_measured"], text: str, app: str) -> GateCheck:
    return GateCheck(name=CHECK, status=status, text=text, link=f"/safety/quality/{app}")


def swap_in(store: Store, ledger: Ledger, app: App, tier: int, at: datetime, by: str) -> RegisterItem:
    """Bring an app's row on the register up to its folder, if its version may take the place of the registered one.

    An app that is not on the register enters as an idea.

    Raises:
        Refused: the swap would do harm, or no harm is not shown where it must be; nothing was changed.
    """
    held = find_item(store, app.id)
    if held is not None:
        check = version_swap(store, held, app, at.date())
        if check.status == "fail":
            ledger.append("swap.refused", at=at, app=app.id, actor=by, facts={"from": held.app_hash, "to": app.hash})
            raise _refusal(check, app.id)
        if check.status == "waived":
            ledger.append("swap.waived", at=at, app=app.id, actor=by, facts={"from": held.app_hash, "to": app.hash})
    return register_app(store, ledger, app, tier, "idea", at, by)


def scale_check(store: Store, item: RegisterItem, to_stage: Stage, today: date) -> GateCheck:
    """Whether what runs may be scaled: not if the newest comparison that brought it in says that it got worse."""
    forward = STAGES.index(to_stage) > STAGES.index(item.stage) and to_stage in HELD_STAGES
    found = next((one for one in find_comparisons(store, item.id) if one.b_hash == item.app_hash), None)
    if not forward or found is None or found.verdict != "regressed":
        return _check("pass", "No comparison speaks against it.", item.id)
    return _answer(store, item, found, "the version that runs", today)


def hold_scale(store: Store, item: RegisterItem, to_stage: Stage, today: date) -> None:
    """Refuse to scale what a comparison speaks against.

    Raises:
        Refused: with the reasons and the way out.
    """
    check = scale_check(store, item, to_stage, today)
    if check.status == "fail":
        raise _refusal(check, item.id)


def _refusal(check: GateCheck, app: str) -> Refused:
    return Refused(
        [check.text],
        f"Compare a better candidate or more cases (careplane quality compare {app} A B), or let somebody sign a "
        f"waiver: careplane quality waive {app} --by NAME --reason TEXT --until DATE",
    )
