"""Which models may serve a request, in which order, and why not."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.errors import NotFound, Refused, UpstreamBusy
from careplane.gateway.routing import Need, Route, Routes, Shadow, Target, by_weight

HOME = Target(provider="local", model="small")
CLOUD = Target(provider="openai", model="gpt-5", region="us", baa=True)
NO_BAA = Target(provider="vendor", model="m", region="us")
EVERYWHERE = ("local", "us", "eu")


def need(key: str = "run-1", phi: str = "deidentified", regions: tuple[str, ...] = EVERYWHERE, **more: object) -> Need:
    return Need(key=key, phi=phi, regions=regions, **more)  # type: ignore[arg-type]


def test_an_alias_means_what_names_the_app_then_its_tier_then_all() -> None:
    general = Route(alias="default", targets=(HOME,))
    tier = Route(alias="default", targets=(CLOUD,), tiers=(1, 2))
    own = Route(alias="default", targets=(NO_BAA,), apps=("an_app",))
    routes = Routes([general, tier, own])
    assert routes.find("default", "an_app", 1) is own
    assert routes.find("default", "other", 2) is tier
    assert routes.find("default", "other", 3) is general
    with pytest.raises(NotFound, match=r"no model route 'fast'\. Known: default"):
        routes.find("fast", "an_app")
    with pytest.raises(NotFound, match="does not hold for the app other"):
        Routes([own]).find("default", "other", 1)


def test_targets_first_then_fallbacks_in_order() -> None:
    second = Target(provider="azure", model="gpt-5", region="us", baa=True)
    route = Route(alias="default", targets=(CLOUD,), fallbacks=(second, HOME))
    routes = Routes([route])
    assert routes.plan(route, need()) == (CLOUD, second, HOME)
    assert routes.plan(route, need(), healthy=lambda target: target != CLOUD) == (second, HOME)
    with pytest.raises(UpstreamBusy, match="is healthy now"):
        routes.plan(route, need(), healthy=lambda _: False)


@pytest.mark.parametrize(
    ("target", "asked", "reason"),
    [
        (CLOUD, need(regions=("local",)), "region 'us' is not among those the app allows"),
        (NO_BAA, need(phi="identifiable"), "no business associate agreement, which identifiable data needs"),
        (NO_BAA, need(phi="limited"), "no business associate agreement"),
        (NO_BAA, need(phi="deidentified"), "no business associate agreement"),
        (Target(provider="p", tools=False), need(tools=True), "does not offer tools"),
        (Target(provider="p", images=False), need(images=True), "does not offer images"),
        (Target(provider="p"), need(embeddings=True), "does not offer embeddings"),
        (Target(provider="p", context_tokens=100), need(tokens=101), "101 tokens do not fit into its 100"),
    ],
)
def test_a_target_that_may_not_take_a_request_is_refused_with_reason_and_way_out(
    target: Target, asked: Need, reason: str
) -> None:
    route = Route(alias="default", targets=(target,))
    with pytest.raises(Refused) as refused:
        Routes([route]).plan(route, asked)
    assert reason in " ".join(refused.value.reasons)
    assert target.key in " ".join(refused.value.reasons)
    assert refused.value.way_out
    fine = Route(alias="default", targets=(target,), fallbacks=(Target(provider="able", embeddings=True),))
    assert [found.provider for found in Routes([fine]).plan(fine, asked)] == ["able"]


def test_deidentified_text_goes_without_an_agreement_only_where_the_site_says_so() -> None:
    route = Route(alias="default", targets=(NO_BAA,))
    lax = Routes([route], deidentified_needs_baa=False)
    assert lax.plan(route, need(phi="deidentified")) == (NO_BAA,)
    assert lax.plan(route, need(phi="none")) == (NO_BAA,)
    with pytest.raises(Refused):
        lax.plan(route, need(phi="limited"))
    assert Routes([route]).plan(route, need(phi="none")) == (NO_BAA,)


def test_the_split_follows_the_weights_and_each_key_stays() -> None:
    old, new = Target(provider="a", weight=9), Target(provider="b", weight=1)
    first = {f"run-{i}": by_weight((old, new), f"run-{i}")[0].provider for i in range(4000)}
    share = Counter(first.values())["b"] / 4000
    assert 0.08 < share < 0.12
    more = Target(provider="b", weight=3)
    moved = {key for key in first if by_weight((old, more), key)[0].provider != first[key]}
    assert all(first[key] == "a" for key in moved)  # a larger weight takes keys, it never gives one away


@given(
    st.lists(st.floats(0.0, 100.0), min_size=1, max_size=6),
    st.text(max_size=20),
    st.sampled_from(["identifiable", "limited", "deidentified", "none"]),
    st.sets(st.sampled_from(EVERYWHERE)),
)
def test_whatever_the_route_no_target_takes_what_it_may_not(
    weights: list[float], key: str, phi: str, regions: set[str]
) -> None:
    targets = tuple(
        Target(provider=f"p{i}", weight=weight, region=EVERYWHERE[i % 3], baa=i % 2 == 0)
        for i, weight in enumerate(weights)
    )
    route = Route(alias="r", targets=targets, fallbacks=targets[:2])
    asked = need(key, phi, tuple(regions))
    try:
        planned = Routes([route]).plan(route, asked)
    except Refused:
        return
    assert len(set(planned)) == len(planned)
    for target in planned:
        assert target.region in regions
        assert target.baa or target.region == "local" or phi == "none"
    assert planned == Routes([route]).plan(route, asked)


def test_a_share_goes_to_the_shadow_under_the_same_rules() -> None:
    route = Route(alias="r", targets=(HOME,), shadow=Shadow(target=CLOUD, share=0.25))
    routes = Routes([route])
    copied = sum(routes.shadow(route, need(f"run-{i}")) is not None for i in range(2000))
    assert 0.2 < copied / 2000 < 0.3
    assert all(routes.shadow(route, need(f"run-{i}", regions=("local",))) is None for i in range(200))
    plain = Route(alias="r", targets=(HOME,))
    assert routes.shadow(plain, need()) is None
