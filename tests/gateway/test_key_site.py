"""A key that is tied to a site: what counts is the key's, not what a client says or leaves out."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from careplane.cli import careplane
from careplane.errors import InputError, NotFound
from careplane.gateway import Parts, issue_key, keep_key, list_keys
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.governance import stop
from careplane.store import open_store

from .conftest import NOW, Site, echoing
from .test_http import BODY, said

Start = Callable[..., Site]
PATHS = {
    "/v1/chat/completions": BODY,
    "/v1/responses": {"model": "default", "input": "hello"},
    "/v1/messages": {"model": "default", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]},
    "/v1/embeddings": {"model": "default", "input": "hello"},
}


def post(site: Site, key: str, path: str = "/v1/chat/completions", named: str | None = None) -> httpx.Response:
    body = PATHS[path] | ({} if named is None else {"careplane": {"site": named}})
    return httpx.post(f"{site.url}{path}", json=body, headers={"x-api-key": key}, timeout=20)


def test_the_record_has_the_site_of_the_key(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    north = issue_key(site.store, "an_app", NOW, "north")
    told = site.ledger.pseudonym("south")
    for key, named, kept in ((north, None, "north"), (north, "north", "north"), (site.key, "south", told)):
        assert post(site, key, named=named).status_code == 200
        assert [record.facts["site"] for record in site.ledger.records()][-1] == kept


@pytest.mark.parametrize("path", PATHS)
def test_another_site_in_a_body_is_refused_and_on_record(serve: Start, path: str) -> None:
    site = serve({"default": echoing(said)})
    key = issue_key(site.store, "an_app", NOW, "north")
    refused = post(site, key, path, "south")
    assert refused.status_code == 403
    assert "careplane.site" in refused.text
    assert "south" not in refused.text
    record = list(site.ledger.records())[-1]
    assert (record.kind, record.app, record.facts["status"]) == ("request_refused", "an_app", 403)
    assert record.actor == next(one.id for one in list_keys(site.store) if one.site == "north")


def test_a_stop_of_the_site_cannot_be_dodged(serve: Start) -> None:
    site = serve({"default": echoing(said)})
    north, south = (issue_key(site.store, "an_app", NOW, name) for name in ("north", "south"))
    assert post(site, north).status_code == 200
    stop(site.store, site.ledger, "site", "north", "p.lee", "drill", NOW)
    site.gateway.parts.stops.read()  # type: ignore[union-attr] # the site has them
    assert post(site, north).status_code == 403
    assert list(site.ledger.records())[-1].app == "an_app"
    listed = httpx.get(f"{site.url}/v1/models", headers={"x-api-key": north})
    assert listed.status_code == 403
    assert post(site, south).status_code == 200


def test_a_limit_of_the_site_cannot_be_dodged(serve: Start, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'limits.db'}")
    keeper = Keeper(store, tick_seconds=0.1)
    limits = Limits(keeper, {"site:north": Quota(requests_per_minute=1)})
    site = serve({"default": echoing(said)}, parts=Parts(limits=limits))
    key = issue_key(site.store, "an_app", NOW, "north")
    assert [post(site, key).status_code for _ in range(2)] == [200, 429]
    keeper.close()
    store.close()


def test_a_key_that_a_file_names_takes_the_site_of_the_file(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'careplane.db'}")
    secret = "cp-synthetic-key-of-a-test-0001"
    for site in (None, "north", "south", None):
        keep_key(store, "an_app", secret, NOW, site)
        (key,) = list_keys(store)
        assert key.site == site
    with pytest.raises(InputError, match="the key of the app an_app"):
        keep_key(store, "other_app", secret, NOW)
    with pytest.raises(InputError, match="site"):
        issue_key(store, "an_app", NOW, "north wing")
    store.close()


def test_it_is_issued_and_listed_on_the_command_line(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(careplane, ["key", *words, "--home", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.stdout

    issued = json.loads(run("issue", "portal_reply", "--site", "north", "--json"))
    assert issued["site"] == "north"
    assert "site north" in run("list")
    assert [key["site"] for key in json.loads(run("list", "--json"))] == ["north"]
    refused = CliRunner().invoke(careplane, ["key", "issue", "portal_reply", "--site", "", "--home", str(tmp_path)])
    assert isinstance(refused.exception, InputError)


def test_an_app_of_a_gateway_s_file_can_be_stopped(tmp_path: Path) -> None:
    words = ["stop", "app", "load_test", "--reason", "drill", "--by", "p.lee", "--home", str(tmp_path)]
    assert isinstance(CliRunner().invoke(careplane, words).exception, NotFound)
    store = open_store(f"sqlite:///{tmp_path / 'careplane.db'}")
    issue_key(store, "load_test", NOW)
    store.close()
    assert CliRunner().invoke(careplane, words).exit_code == 0


def test_a_site_that_only_the_client_names_is_kept_as_a_pseudonym(serve: Callable[..., Site]) -> None:
    site = serve({"default": echoing(lambda _: iter(["hi"]))})
    body = {
        "model": "default",
        "messages": [{"role": "user", "content": "x"}],
        "careplane": {"site": "Zebulon_Quackenbush"},
    }
    reply = httpx.post(
        f"{site.url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {site.key}"}, timeout=20
    )
    assert reply.status_code == 200
    (record,) = site.ledger.records(kind="model_call")
    assert record.facts["site"] == site.ledger.pseudonym("Zebulon_Quackenbush")
