"""Permits: may this app run now, here, for this person? A request in, an answer with reasons out.

A check is one function type; what a higher room knows (training) joins as one more check. Every check is asked, so a
refusal names all that is missing at once. A check that cannot answer refuses (fail closed).
"""

from collections.abc import Callable, Iterable

from sqlalchemy.exc import SQLAlchemyError

from careplane.errors import CareplaneError, StoreError
from careplane.records import Record
from careplane.records.app import App
from careplane.records.portfolio import RegisterItem, Stage
from careplane.records.run import Event, Permit, Reason

RUNNING_STAGES: tuple[Stage, ...] = ("shadow", "pilot", "limited_production", "scaled", "sustained")


class PermitRequest(Record, frozen=True):
    """What is known when a run asks to start.

    ``item`` is the app's row of the register, ``stopped`` the reason of a kill switch that holds, ``arm`` the arm of
    the running ``plan`` for the event's unit, ``region`` where the route's model runs (``local``: inside this
    installation; ``None``: unknown).
    """

    app: App
    event: Event
    item: RegisterItem | None
    stopped: str | None = None
    arm: str | None = None
    plan: str | None = None
    region: str | None = None


Check = Callable[[PermitRequest], Reason]


def permit(request: PermitRequest, checks: Iterable[Check]) -> Permit:
    """Ask every check. Allowed only if there is at least one check and none refuses.

    Raises:
        StoreError: the database is away: that is no answer, and the event may be asked again.
    """
    reasons = tuple(_ask(check, request) for check in checks)
    return Permit(allowed=bool(reasons) and all(reason.allowed for reason in reasons), reasons=reasons)


def _ask(check: Check, request: PermitRequest) -> Reason:
    name = getattr(check, "__name__", type(check).__name__)
    try:
        return check(request)
    except StoreError:
        raise
    except (CareplaneError, SQLAlchemyError, ArithmeticError, LookupError, OSError, TypeError, ValueError):
        return _no(name, f"The rule '{name}' could not answer.", "Ask the platform engineer; work the manual way.")


def registered(request: PermitRequest) -> Reason:
    """The app stands on the register, and the register names this version of it."""
    item = request.item
    if item is None:
        return _no(
            "registered", f"{request.app.id} is not on the register.", f"Run: careplane app register {request.app.id}"
        )
    if item.app_hash and item.app_hash != request.app.hash:
        return _no(
            "registered",
            "The app's folder differs from the version on the register.",
            f"Run: careplane app register {request.app.id}, or put the registered folder back.",
        )
    return _yes("registered", "It is on the register.")


def stage_allows(request: PermitRequest) -> Reason:
    """The stage is one in which an app runs: from shadow to sustained."""
    if request.item is None:
        return _no("stage_allows", "It has no stage, as it is not on the register.", "Register it first.")
    stage = request.item.stage
    if stage not in RUNNING_STAGES:
        return _no("stage_allows", f"Its stage is {stage}.", f"Runs are allowed in: {', '.join(RUNNING_STAGES)}.")
    return _yes("stage_allows", f"Its stage is {stage}.")


def not_stopped(request: PermitRequest) -> Reason:
    """No kill switch holds for the app, the site or the version."""
    if request.stopped is not None:
        return _no("not_stopped", f"It is stopped: {request.stopped}", "A second person releases the stop.")
    return _yes("not_stopped", "No stop is in force.")


def data_policy(request: PermitRequest) -> Reason:
    """The model's region agrees with what the app's policy lets leave (minimum necessary, 45 CFR 164.502(b))."""
    policy, region = request.app.spec.data_policy, request.region
    if policy.purpose == "research" and policy.phi == "identifiable":
        return _no("data_policy", "Research on identifiable data is not covered.", "Set data_policy.phi to limited.")
    if policy.phi in ("identifiable", "limited") and region is None:
        return _no("data_policy", "Where the model runs is unknown.", "Declare the region of the model route.")
    if policy.phi == "identifiable" and region != "local":
        return _no(
            "data_policy",
            f"Identifiable data may not leave to a model in {region}.",
            "Use a local model, or set data_policy.phi to deidentified.",
        )
    if policy.phi != "none" and region is not None and region not in policy.regions:
        return _no(
            "data_policy",
            f"The model runs in {region}; the policy allows {', '.join(policy.regions) or 'no region'}.",
            "Use a model in an allowed region, or have privacy add the region to data_policy.regions.",
        )
    return _yes("data_policy", f"Policy {policy.phi}, purpose {policy.purpose}, model region {region or 'not stated'}.")


def in_arm(request: PermitRequest) -> Reason:
    """While a plan runs, only units of its intervention arm see the app."""
    if request.plan is None:
        return _yes("in_arm", "No plan is running for it.")
    if request.arm is None:
        return _no("in_arm", f"This unit has no arm in plan {request.plan}.", "Wait for the end of the plan.")
    if request.arm != "intervention":
        return _no(
            "in_arm", f"This unit is in the {request.arm} arm of {request.plan}.", "Wait for the end of the plan."
        )
    return _yes("in_arm", f"This unit is in the intervention arm of {request.plan}.")


CHECKS: tuple[Check, ...] = (registered, stage_allows, not_stopped, data_policy, in_arm)


def _yes(rule: str, text: str) -> Reason:
    return Reason(rule=rule, allowed=True, text=text)


def _no(rule: str, text: str, way_out: str) -> Reason:
    return Reason(rule=rule, allowed=False, text=text, way_out=way_out)
