"""Who asks: Entra ID tokens for Azure and AWS credentials for Bedrock, fetched from real sockets, kept and renewed."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from careplane.errors import SettingsError, UpstreamError, UpstreamRejected
from careplane.providers import Provider
from careplane.providers._renewed import Renewed

from .conftest import Connect, opened
from .shelf import request, wire
from .stub import Reply, Seen, Stub, stub
from .test_contract import collect
from .upstream import Asked, Endpoint

AZURE = {"tenant_id": "a-tenant", "client_id": "an-app", "api_key": ""}


def granting(lasts: object = 3600) -> Callable[[Seen], Reply]:
    """A token endpoint; each token has a number of its own."""
    count = iter(range(1, 99))
    return lambda _: (200, json.dumps({"access_token": f"token-{next(count)}", "expires_in": lasts}).encode())


class AnyKey:
    """The wire of an item, for callers known by something else than a key."""

    def __init__(self, name: str) -> None:
        self.inner = wire(name)
        self.seen: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def asked(self, path: str, headers: dict[str, str], body: bytes) -> Asked:
        self.seen.append(headers["authorization"])
        return self.inner.asked(path, headers | {"api-key": "key-secret"}, body)


def azure(connect: Connect, tokens: Stub, **settings: str) -> tuple[Provider, AnyKey]:
    line = connect("azure_openai", **AZURE, authority=tokens.url, metadata_url=tokens.url, **settings)
    line.endpoint.wire = AnyKey("azure_openai")  # type: ignore[assignment]
    return line.provider, line.endpoint.wire  # type: ignore[return-value]


def secret_file(folder: Path, text: str) -> str:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_azure_asks_with_a_client_secret_once_for_all(connect: Connect, tmp_path: Path) -> None:
    with stub(granting()) as tokens:
        provider, seen = azure(connect, tokens, client_secret_file=secret_file(tmp_path, "s3cret\n"))

        async def many() -> None:
            await asyncio.gather(*(collect(provider, request()) for _ in range(10)))
            await collect(provider, request(stream=False))

        asyncio.run(many())
        asyncio.run(collect(provider, request()))  # a token outlives an event loop
    assert seen.seen == ["Bearer token-1"] * 12
    (asked,) = tokens.seen
    assert asked.path == "/a-tenant/oauth2/v2.0/token"
    form = {name: values[0] for name, values in parse_qs(asked.body).items()}
    assert form == {
        "grant_type": "client_credentials",
        "client_id": "an-app",
        "client_secret": "s3cret",
        "scope": "https://cognitiveservices.azure.com/.default",
    }


def test_a_token_that_is_refused_is_not_used_again(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("careplane.providers._renewed._NEW_SECONDS", -1.0)
    with stub(granting()) as tokens:
        line = connect("azure_openai", **AZURE, authority=tokens.url, client_secret="s3cret")
        line.endpoint.failure = (401, "revoked", {})
        for stream in (True, False):
            with pytest.raises(UpstreamRejected):
                asyncio.run(collect(line.provider, request(stream=stream)))
        sent = [headers["authorization"] for _, headers, _ in line.endpoint.raw]
    assert sent == ["Bearer token-1", "Bearer token-2"]


def test_azure_asks_with_a_federated_token_that_is_read_each_time(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "federated"
    path.write_text("first")
    with stub(granting(lasts=0)) as tokens:
        provider, _ = azure(connect, tokens, federated_token_path=str(path))
        asyncio.run(collect(provider, request()))
        path.write_text("second")
        asyncio.run(collect(provider, request()))
    forms = [parse_qs(seen.body) for seen in tokens.seen]
    assert [form["client_assertion"][0] for form in forms] == ["first", "second"]
    assert forms[0]["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert "client_secret" not in forms[0]


def test_azure_asks_as_a_managed_identity(connect: Connect) -> None:
    with stub(granting(lasts="86399")) as tokens:
        provider, seen = azure(connect, tokens, managed_identity="true")
        asyncio.run(collect(provider, request()))
    (asked,) = tokens.seen
    assert (asked.method, asked.headers["metadata"]) == ("GET", "true")
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}
    assert query["resource"] == "https://cognitiveservices.azure.com"
    assert seen.seen == ["Bearer token-1"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ((401, b'{"error": "invalid_client", "error_description": "canary"}'), UpstreamRejected),
        ((400, b"canary"), UpstreamRejected),
        ((500, b"canary"), UpstreamError),
        ((302, b"canary"), UpstreamError),
        ((200, b"canary"), UpstreamError),
        ((200, b'{"access_token": "a\\nb", "expires_in": 9}'), UpstreamError),
        ((200, b'{"access_token": "a"}'), UpstreamError),
    ],
)
def test_no_token_is_an_error_and_the_model_is_not_asked(
    connect: Connect, reply: Reply, kind: type[UpstreamError]
) -> None:
    with stub(lambda _: reply) as tokens:
        provider, seen = azure(connect, tokens, client_secret="s3cret")
        with pytest.raises(kind) as failed:
            asyncio.run(collect(provider, request()))
    assert "canary" not in str(failed.value)
    assert "s3cret" not in repr(failed.value)
    assert seen.seen == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"client_secret": "s", "federated_token_path": __file__},
        {"client_secret_file": __file__},
        {"client_secret": "s", "client_id": ""},
        {"client_secret": "s", "authority": "login.microsoftonline.com"},
    ],
)
def test_azure_names_what_is_missing(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        opened("azure_openai", {"endpoint": "https://x.openai.azure.com", "model": "m"} | AZURE | settings)


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("2024-10-21", "/openai/deployments/a%20name/chat/completions?api-version=2024-10-21"),
        ("v1", "/openai/v1/chat/completions"),
        ("preview", "/openai/v1/chat/completions?api-version=preview"),
    ],
)
def test_azure_has_an_address_for_each_version(version: str, path: str) -> None:
    class Anywhere(AnyKey):
        def asked(self, path: str, headers: dict[str, str], body: bytes) -> Asked:
            return self.inner.asked("/openai/v1/chat/completions", headers, body)

    with Endpoint(Anywhere("azure_openai")) as endpoint:  # type: ignore[arg-type]
        given = wire("azure_openai").settings(endpoint.url) | {"model": "a name", "api_version": version}
        asyncio.run(collect(opened("azure_openai", given), request()))
        assert endpoint.raw[0][0] == path


# ---- AWS

KEYS = {"AccessKeyId": "ASIATEMPORARY", "SecretAccessKey": "temporary", "Token": "session-token"}
NOT_FIXED = {"access_key_id": "", "secret_access_key": ""}


def soon(**more: str) -> bytes:
    ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(KEYS | {"Expiration": ends} | more).encode()


def signed_by(connect: Connect, **settings: str) -> dict[str, str]:
    """The headers of a request to Bedrock; the endpoint does not check who asks."""

    class Anybody(AnyKey):
        def asked(self, path: str, headers: dict[str, str], body: bytes) -> Asked:
            scope = "/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date,"
            return self.inner.asked(path, headers | {"authorization": f"Credential=AKIDEXAMPLE/{scope}"}, body)

    line = connect("bedrock", **NOT_FIXED, **settings)
    line.endpoint.wire = Anybody("bedrock")  # type: ignore[assignment]
    for _ in range(2):
        asyncio.run(collect(line.provider, request()))
    return dict(line.endpoint.raw[-1][1])


def is_temporary(headers: dict[str, str]) -> bool:
    signed = "Credential=ASIATEMPORARY/" in headers["authorization"]
    return signed and headers["x-amz-security-token"] == "session-token"


def test_bedrock_with_the_keys_of_a_container(connect: Connect, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("agent-token\n")
    with stub(lambda _: (200, soon())) as agent:
        url = f"{agent.url}/v1/credentials"
        assert is_temporary(signed_by(connect, credentials_url=url, authorization_token_path=str(token)))
    assert [(seen.path, seen.headers["authorization"]) for seen in agent.seen] == [("/v1/credentials", "agent-token")]


def test_bedrock_with_a_web_identity(connect: Connect, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("web-token")
    ends = "2999-01-01T00:00:00Z"
    fields = {"AccessKeyId": "ASIATEMPORARY", "SecretAccessKey": "t", "SessionToken": "session-token"}
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in (fields | {"Expiration": ends}).items())
    reply = f"<AssumeRoleWithWebIdentityResponse><Credentials>{inner}</Credentials></AssumeRoleWithWebIdentityResponse>"
    with stub(lambda _: (200, reply.encode())) as sts:
        role = "arn:aws:iam::123456789012:role/careplane"
        given = {"role_arn": role, "web_identity_token_path": str(token), "sts_url": sts.url}
        assert is_temporary(signed_by(connect, **given))
    (asked,) = sts.seen
    form = {name: values[0] for name, values in parse_qs(asked.body).items()}
    assert (form["Action"], form["RoleArn"], form["WebIdentityToken"]) == (
        "AssumeRoleWithWebIdentity",
        role,
        "web-token",
    )
    assert "authorization" not in asked.headers


def test_bedrock_with_the_role_of_an_instance(connect: Connect) -> None:
    def metadata(seen: Seen) -> Reply:
        if seen.method == "PUT":
            return 200, b"imds-token"
        assert seen.headers["x-aws-ec2-metadata-token"] == "imds-token"
        return (200, b"a-role") if seen.path.endswith("/security-credentials/") else (200, soon(Code="Success"))

    with stub(metadata) as instance:
        assert is_temporary(signed_by(connect, instance_role="true", metadata_url=instance.url))
    assert [seen.path.rpartition("/")[2] for seen in instance.seen] == ["token", "", "a-role"]


def test_bedrock_with_a_profile_that_is_rotated(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "credentials"

    def rotate(key_id: str) -> None:
        path.write_text(f"[other]\n[clinic]\naws_access_key_id = {key_id}\naws_secret_access_key = s%cret\n")
        path.chmod(0o600)

    rotate("AKIAFIRST")
    line = connect("bedrock", **NOT_FIXED, credentials_path=str(path), profile="clinic")
    line.endpoint.wire = AnyKey("bedrock")  # type: ignore[assignment]
    for key_id in ("AKIAFIRST", "AKIASECOND"):
        rotate(key_id)
        with pytest.raises(UpstreamError):  # the test endpoint knows another key
            asyncio.run(collect(line.provider, request()))
        assert f"Credential={key_id}/" in line.endpoint.raw[-1][1]["authorization"]


def test_bedrock_with_an_api_key(connect: Connect) -> None:
    headers = signed_by(connect, api_key="bedrock-key")
    assert headers["authorization"] == "Bearer bedrock-key"
    assert "x-amz-date" not in headers


@pytest.mark.parametrize("reply", [(500, b"canary"), (200, b"canary"), (200, b"{}"), (200, soon(Expiration="soon"))])
def test_no_keys_are_an_error(connect: Connect, reply: Reply) -> None:
    with stub(lambda _: reply) as agent:
        line = connect("bedrock", **NOT_FIXED, credentials_url=f"{agent.url}/x")
        with pytest.raises(UpstreamError) as failed:
            asyncio.run(collect(line.provider, request()))
    assert "canary" not in str(failed.value)
    assert line.endpoint.raw == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"access_key_id": "AKIA"},
        {"credentials_url": "http://example.org/keys"},
        {"credentials_path": "/no/such/file"},
        {"credentials_path": __file__},
        {"role_arn": "arn:aws:iam::1:role/x"},
        {"access_key_id": "A", "secret_access_key": "s", "guardrail": "g"},
    ],
)
def test_bedrock_names_what_is_missing(settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        opened("bedrock", {"aws_region": "eu-central-1", "model": "m"} | settings)


def test_a_profile_without_keys_is_named(tmp_path: Path) -> None:
    path = secret_file(tmp_path, "[default]\nregion = x\n")
    with pytest.raises(SettingsError, match="default"):
        opened("bedrock", {"aws_region": "eu-central-1", "model": "m", "credentials_path": path})


# ---- keeping and renewing


class Source:
    """A source of numbered values that last 1,000 seconds, and a clock that tests turn."""

    def __init__(self) -> None:
        self.now = 0.0
        self.count = 0
        self.fails = False
        self.gate: asyncio.Event | None = None
        self.renewed = Renewed(self._fetch, lambda: self.now)

    async def _fetch(self) -> tuple[int, float]:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise UpstreamError("no")
        self.count += 1
        return self.count, self.now + 1000


def test_a_value_is_renewed_before_its_end() -> None:
    source = Source()

    async def run() -> list[int]:
        found = []
        for source.now in (0.0, 700.0, 801.0, 802.0):
            found.append(await source.renewed.get())
        return found

    assert asyncio.run(run()) == [1, 1, 2, 2]


def test_a_value_that_holds_is_used_while_it_cannot_be_renewed() -> None:
    source = Source()

    async def run() -> None:
        assert await source.renewed.get() == 1
        source.fails = True
        source.now = 900.0
        assert await source.renewed.get() == 1
        source.now = 1000.0
        with pytest.raises(UpstreamError):
            await source.renewed.get()
        source.fails = False
        assert await source.renewed.get() == 2

    asyncio.run(run())


def test_a_refused_value_is_fetched_again_unless_it_is_new() -> None:
    source = Source()

    async def run() -> list[int]:
        found = []
        for source.now in (0.0, 10.0, 50.0):
            found.append(await source.renewed.get())
            source.renewed.forget()
        return [*found, await source.renewed.get()]

    assert asyncio.run(run()) == [1, 1, 1, 2]


def test_one_fetch_serves_all_and_a_caller_that_leaves_does_not_stop_it() -> None:
    source = Source()

    async def run() -> None:
        source.gate = asyncio.Event()
        waiting = [asyncio.create_task(source.renewed.get()) for _ in range(20)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        source.gate.set()
        assert await asyncio.gather(*waiting[1:]) == [1] * 19

    asyncio.run(run())
    assert source.count == 1
