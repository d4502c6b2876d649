"""Keeping our Subscriptions at the EHR: one for each resource type whose changes start an app.

``public_url`` says where the EHR reaches us; without it nothing is subscribed. What the EHR dropped or gave up is made
again with a new token, and what changed meanwhile is made up for.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Mapping
from uuid import uuid4

from careplane._shelf import load
from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.codecs.fhir_subscription import rest_hook
from careplane.connectors import Subscriptions
from careplane.errors import CareplaneError, SettingsError
from careplane.records.app import App
from careplane.server.changes import Changes
from careplane.server.ehr import backend_scopes, endpoint_options
from careplane.server.platform import Platform
from careplane.server.subscriptions import PATH, Hearing
from careplane.settings import Settings
from careplane.store import stamp
from careplane.workflow.durable import Durable
from careplane.workflow.subscriptions import Subscribed, claim, confirm, find_subscribed, forget, instant

CHECK_SECONDS = 60.0
"""How often each Subscription is looked at: whether the EHR still has it, and whether something was missed."""

REASON = "Careplane: starts the apps that this health system registered for it"
LIVE = ("active", "requested")
log = logging.getLogger("careplane.subscriptions")


class Subscribing:
    """The Subscriptions of an installation and the hearing of what they tell."""

    def __init__(self, platform: Platform, durable: Durable) -> None:
        self._platform = platform
        self._connector = open_subscriptions(platform.settings, platform.apps.values())
        self._topics = topics(platform.settings)
        self._url = f"{platform.settings.text('public_url').rstrip('/')}{PATH}"
        self.hearing = Hearing(
            platform.store, Changes(platform, durable, self._connector.first_version), self._connector
        )

    async def tend(self) -> None:
        """Runs beside the server until it is cancelled; a turn that fails is told and the next one comes."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Make what is wanted and missing, end what is not wanted, and make up for what was missed."""
        wanted = subscribed_types(self._platform.apps.values())
        here = {one.type: one for one in find_subscribed(self._platform.store)}
        for kind in sorted({*wanted, *here}):
            try:
                await self._check_one(kind, here.get(kind), kind in wanted)
            except CareplaneError as error:
                log.warning("subscription to %s: %s; trying again", kind, error)

    async def aclose(self) -> None:
        """Give connections back."""
        await self._connector.aclose()

    async def _check_one(self, kind: str, one: Subscribed | None, wanted: bool) -> None:
        if one is not None and not wanted:
            await self._end(one)
            forget(self._platform.store, one.id)
        elif one is None or not one.remote:
            await self._make(kind, one)
        else:
            held = await self._connector.held(one.remote)
            if held is None or held.get("status") not in LIVE or one.topic != self._topics.get(kind, ""):
                await self._end(one)
                await self._make(kind, one)
            await self._catch_up(kind)

    async def _make(self, kind: str, instead: Subscribed | None) -> None:
        """Subscribe to a type, from now on or from where an earlier Subscription was heard to."""
        ident, token = uuid4().hex, secrets.token_urlsafe(32)
        topic = self._topics.get(kind, "")
        if not claim(self._platform.store, kind, ident, token, topic, instead):
            return
        url, header = f"{self._url}/{ident}", f"Authorization: Bearer {token}"
        held = await self._connector.subscribe(rest_hook(f"{kind}?", url, header, REASON, topic=topic))
        begun = instant((held.get("meta") or {}).get("lastUpdated")) or stamp(self._platform.clock())
        confirm(self._platform.store, ident, f"Subscription/{held['id']}", begun)
        log.info("subscribed to %s", kind)

    async def _end(self, one: Subscribed) -> None:
        if one.remote:
            await self._connector.end(one.remote)

    async def _catch_up(self, kind: str) -> None:
        """Make up for what was missed; all that changed since the last time is searched for, whatever was counted."""
        one = next((one for one in find_subscribed(self._platform.store) if one.type == kind), None)
        if one is not None and one.since:
            await self.hearing.catch_up(one)


def open_subscriptions(settings: Settings, apps: Iterable[App]) -> Subscriptions:
    """The connector for Subscriptions at the EHR of the settings."""
    options = endpoint_options(settings, backend_scopes(settings, apps))
    connector: Subscriptions = load("connectors", "fhir_subscription").open(options)
    return connector


def open_subscribing(platform: Platform, durable: Durable | None) -> Subscribing | None:
    """The Subscriptions of an installation; ``None`` without an EHR, a public address, or a queue.

    Raises:
        SettingsError: ``subscription_topics`` or ``public_url`` is wrong.
    """
    settings = platform.settings
    if durable is None or not settings.text("fhir_base_url") or not settings.text("public_url"):
        return None
    if not settings.text("public_url").startswith(("https://", "http://")):
        raise SettingsError("must be an http:// or https:// URL", field="public_url")
    return Subscribing(platform, durable)


def subscribed_types(apps: Iterable[App]) -> frozenset[str]:
    """The resource types whose changes start an app that can run."""
    kinds = {
        trigger.on.partition(".")[0]
        for app in apps
        if app.runnable
        for trigger in app.spec.starts
        if trigger.kind == "subscription" and trigger.on
    }
    return frozenset(kinds & RESOURCE_TYPES)


def topics(settings: Settings) -> Mapping[str, str]:
    """Resource type to the canonical URL of the EHR's topic.

    Raises:
        SettingsError: a part is not ``Type=URL``.
    """
    found: dict[str, str] = {}
    for part in settings.text("subscription_topics").split():
        kind, _, url = part.partition("=")
        if kind not in RESOURCE_TYPES or not url.startswith(("http://", "https://", "urn:")):
            raise SettingsError("must be Type=URL, separated by blanks", field="subscription_topics")
        found[kind] = url
    return found
