"""The CDS services of an installation, derived from its apps: one for each app and hook, and one that runs them all.

An EHR calls a service by its id. The service of an app has the app's id; ``careplane-<hook>`` runs every app of a hook
side by side under one budget, so that ten apps cost the EHR one call.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from careplane import governance
from careplane.codecs.cdshooks import Service, rule_template
from careplane.codecs.cdshooks.templates import (
    PATIENT_KEY,
    PATIENT_TEMPLATE,
    USER_KEY,
    USER_TEMPLATE,
    beyond_subset,
)
from careplane.records.app import App, ContextRule
from careplane.store import Store
from careplane.store.tables import register

HOOK_VERSIONS = {
    "patient-view": "1.0",
    "order-select": "1.0",
    "order-sign": "1.1.1",
    "appointment-book": "1.0",
    "encounter-start": "1.0",
    "encounter-discharge": "1.0",
    "order-dispatch": "1.1",
    "allergyintolerance-create": "1.0",
    "medication-refill": "1.0",
}
"""Versions of the published hooks (3.0 ballot: ``hookVersion``); a hook that is not here has none that we know of."""


@dataclass(frozen=True, slots=True)
class HookService:
    """A service: what discovery says of it, and the apps that it runs."""

    said: Service
    apps: tuple[App, ...]

    @property
    def templates(self) -> dict[str, str]:
        """The prefetch templates by key."""
        return dict(self.said.prefetch)


def hook_services(apps: Mapping[str, App], stages: Mapping[str, str]) -> tuple[HookService, ...]:
    """The services of the apps that run: by hook, the one for all first.

    Args:
        apps: by id.
        stages: the stage of each app on the register.
    """
    running = [app for app in apps.values() if app.runnable and stages.get(app.id) in governance.RUNNING_STAGES]
    hooks: dict[str, list[App]] = {}
    for app in running:
        for trigger in app.spec.starts:
            named = hooks.setdefault(trigger.on, []) if trigger.kind == "hook" and trigger.on else [app]
            if app not in named:
                named.append(app)
    found = []
    for hook, members in sorted(hooks.items()):
        found.append(HookService(_together(hook, members), tuple(members)))
        found += [HookService(_alone(hook, app), (app,)) for app in members]
    return tuple(found)


def stages_of(store: Store) -> dict[str, str]:
    """The stage of each app on the register."""
    with store.read() as connection:
        return {str(row.id): str(row.stage) for row in connection.execute(select(register.c.id, register.c.stage))}


def _alone(hook: str, app: App) -> Service:
    prefetch = _prefetch((app,))
    return Service(
        id=app.id,
        hook=hook,
        title=app.spec.title,
        description=f"{app.spec.title}. {app.spec.problem}",
        prefetch=prefetch,
        usage_requirements=_requirements(prefetch, app.spec.context),
        version=app.spec.version,
        hook_version=HOOK_VERSIONS.get(hook, ""),
    )


def _together(hook: str, apps: Iterable[App]) -> Service:
    members = tuple(apps)
    prefetch = _prefetch(members)
    rules = [rule for app in members for rule in app.spec.context]
    named = ", ".join(app.spec.title for app in members)
    return Service(
        id=combined_id(hook),
        hook=hook,
        title=f"All apps of {hook}",
        description=f"Runs side by side, within one budget of time: {named}.",
        prefetch=prefetch,
        usage_requirements=_requirements(prefetch, rules),
        hook_version=HOOK_VERSIONS.get(hook, ""),
    )


def combined_id(hook: str) -> str:
    """The id of the service that runs all apps of a hook; one that is good in a URL, whatever the hook's name."""
    if re.fullmatch(r"[A-Za-z0-9._-]{1,80}", hook):
        return f"careplane-{hook}"
    return f"careplane-hook-{hashlib.sha256(hook.encode()).hexdigest()[:12]}"


def _prefetch(apps: Iterable[App]) -> tuple[tuple[str, str], ...]:
    """Templates of all that the apps read, each once; the patient is always among them, for the shield must know whose
    identifiers to look for."""
    keys = {PATIENT_KEY: PATIENT_TEMPLATE, USER_KEY: USER_TEMPLATE}
    for app in apps:
        for rule in app.spec.context:
            template = rule_template(rule)
            if template is None or template in keys.values():
                continue
            name, number = rule.as_name or rule.resource.lower(), 1
            key = name
            while key in keys:
                number += 1
                key = f"{name}-{number}"
            keys[key] = template
    return tuple(keys.items())


def _requirements(prefetch: Iterable[tuple[str, str]], rules: Iterable[ContextRule]) -> str:
    """What a client must do beyond the usual; empty when there is nothing."""
    beyond = sorted({f"{key} ({', '.join(names)})" for key, text in prefetch if (names := beyond_subset(text))})
    fetched = sorted({rule.resource for rule in rules if rule_template(rule) is None})
    told = []
    if beyond:
        told.append(f"Queries beyond the recommended subset: {', '.join(beyond)}; or a token that may run them.")
    if fetched:
        told.append(f"No prefetch can ask for {', '.join(fetched)}: send a token that may read them.")
    return " ".join(told)
