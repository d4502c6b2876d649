"""Routes: which models may serve a request, and in which order they are tried.

A route has an alias that apps name, targets that share its traffic by weight, and fallbacks tried after them. A target
is fit for a request when the app's data policy allows its region, its vendor has signed a business associate agreement
(45 CFR 164.504(e)) where the data asks for one, and the model can do what the request needs. De-identified text still
asks for an agreement: the shield is a second line of defence, not a reason to drop the first, unless the site says so.
"""

import math
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Annotated

from msgspec import Meta

from careplane.errors import NotFound, Refused, UpstreamBusy
from careplane.records import Record
from careplane.records.app import PhiPolicy
from careplane.records.model import Price

LOCAL = "local"
"""The region of a model that runs inside this installation: nothing leaves, so no agreement is needed."""

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]


class Target(Record, frozen=True):
    """A model at a provider. ``provider`` is the name it was opened under; ``weight`` its share among the targets of a
    route (0: takes nothing); ``price`` wins over the price file; ``context_tokens`` is ``None`` when not known."""

    provider: str
    model: str = ""
    weight: Annotated[float, Meta(ge=0)] = 1.0
    region: str = LOCAL
    baa: bool = False
    tools: bool = True
    images: bool = True
    embeddings: bool = False
    context_tokens: int | None = None
    price: Price | None = None

    @property
    def key(self) -> str:
        """``provider/model@region``, the name of this target in metrics, breakers and records."""
        return f"{self.provider}/{self.model}@{self.region}"


class Shadow(Record, frozen=True):
    """A candidate that gets a copy of a share of the traffic after the reply; what it says is never returned."""

    target: Target
    share: Share = 0.05


class Timeouts(Record, frozen=True):
    """In seconds. ``between`` is the longest silence within a reply. How long to wait for a connection is a setting of
    the provider."""

    first_token: Seconds = 60.0
    between: Seconds = 30.0
    total: Seconds = 120.0


class Route(Record, frozen=True):
    """What an alias means. With ``apps`` or ``tiers`` it holds for those alone and wins over the general one."""

    alias: str
    targets: Annotated[tuple[Target, ...], Meta(min_length=1)]
    fallbacks: tuple[Target, ...] = ()
    apps: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()
    shadow: Shadow | None = None
    timeouts: Timeouts = Timeouts()


class Need(Record, frozen=True):
    """What a request asks of a target. ``key`` keeps a conversation on one model: the run, else the patient or call."""

    key: str
    phi: PhiPolicy
    regions: tuple[str, ...] = (LOCAL,)
    tools: bool = False
    images: bool = False
    embeddings: bool = False
    tokens: int = 0


class Routes:
    """All routes of a gateway. ``deidentified_needs_baa`` is the site's answer to the question above."""

    def __init__(self, routes: Iterable[Route], *, deidentified_needs_baa: bool = True) -> None:
        self._routes: dict[str, list[Route]] = {}
        for route in routes:
            self._routes.setdefault(route.alias, []).append(route)
        self._strict = deidentified_needs_baa
        self.aliases = tuple(sorted(self._routes))
        """The names that apps may use, sorted."""

    def regions(self, alias: str) -> frozenset[str]:
        """Every region that a request to an alias may reach."""
        routes = self._routes.get(alias, ())
        return frozenset(target.region for route in routes for target in (*route.targets, *route.fallbacks))

    def find(self, alias: str, app: str, tier: int | None = None) -> Route:
        """The route of an alias for an app: one that names the app, else one that names its tier, else the general one.

        Raises:
            NotFound: no such alias, or none that holds for this app.
        """
        found = self._routes.get(alias)
        if found is None:
            raise NotFound(f"There is no model route {alias!r}. Known: {', '.join(self.aliases) or 'none'}.")
        best = found[0] if len(found) == 1 else max(found, key=lambda route: _fits(route, app, tier))
        if _fits(best, app, tier) < 0:
            raise NotFound(f"The model route {alias!r} does not hold for the app {app}; its routes name others.")
        return best

    def plan(self, route: Route, need: Need, healthy: Callable[[Target], bool] = lambda _: True) -> tuple[Target, ...]:
        """The targets to try, in order: by weighted choice that is stable for ``need.key``, then the fallbacks.

        Raises:
            Refused: no target is fit; the reasons say what each one lacks.
            UpstreamBusy: targets are fit, but none is healthy now.
        """
        if len(route.targets) == 1 and not route.fallbacks:
            only = route.targets[0]
            if only.weight > 0 and self.lacking(only, need) is None and healthy(only):
                return route.targets
        ordered = (*by_weight(route.targets, need.key), *route.fallbacks)
        lacks = [(target, self.lacking(target, need)) for target in ordered]
        fit = tuple(dict.fromkeys(target for target, reason in lacks if reason is None))
        if not fit:
            reasons = dict.fromkeys(f"{target.key}: {reason}." for target, reason in lacks)
            raise Refused(
                [f"No model of the route {route.alias!r} may take this request.", *reasons],
                "Change the data policy of the app on the register, or give the route a target that meets it.",
            )
        well = tuple(target for target in fit if healthy(target))
        if not well:
            raise UpstreamBusy(
                f"No model of the route {route.alias!r} is healthy now "
                f"({', '.join(target.key for target in fit)}). Try again shortly, or add a fallback to the route."
            )
        return well

    def shadow(self, route: Route, need: Need) -> Target | None:
        """The candidate that gets a copy of this request, or ``None``; it must meet the same rules as any target."""
        shadow = route.shadow
        if shadow is None or _unit(f"shadow/{route.alias}/{need.key}") >= shadow.share:
            return None
        return shadow.target if self.lacking(shadow.target, need) is None else None

    def lacking(self, target: Target, need: Need) -> str | None:
        """Why a target may not take a request, or ``None`` when it may."""
        if target.region not in need.regions:
            return f"its region {target.region!r} is not among those the app allows ({', '.join(need.regions)})"
        if target.region != LOCAL and not target.baa and self._needs_baa(need.phi):
            return f"its vendor has no business associate agreement, which {need.phi} data needs"
        if need.tokens and target.context_tokens is not None and need.tokens > target.context_tokens:
            return f"about {need.tokens} tokens do not fit into its {target.context_tokens}"
        for asked, able, what in (
            (need.tools, target.tools, "tools"),
            (need.images, target.images, "images"),
            (need.embeddings, target.embeddings, "embeddings"),
        ):
            if asked and not able:
                return f"it does not offer {what}"
        return None

    def _needs_baa(self, phi: PhiPolicy) -> bool:
        return phi in ("identifiable", "limited") or (phi == "deidentified" and self._strict)


def by_weight(targets: Iterable[Target], key: str) -> tuple[Target, ...]:
    """Weighted rendezvous hashing: for many keys the first place falls in proportion to the weights, for one key the
    order never changes, and a changed weight moves no more keys than it must."""

    def score(target: Target) -> float:
        return -target.weight / math.log(_unit(f"{target.key}/{key}"))

    return tuple(sorted((target for target in targets if target.weight > 0), key=score, reverse=True))


def _unit(text: str) -> float:
    """A number in (0, 1) that depends on the text alone."""
    return (int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big") + 0.5) / (1 << 48)


def _fits(route: Route, app: str, tier: int | None) -> int:
    """2 for the app, 1 for the tier, 0 for everybody, -1 for others."""
    if app in route.apps:
        return 2
    if tier in route.tiers:
        return 1
    return -1 if route.apps or route.tiers else 0
