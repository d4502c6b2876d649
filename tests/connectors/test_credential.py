"""SMART backend services: one token for many requests, renewed before it expires, asked for again once when refused."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import orjson
import pytest
from joserfc.jwk import ECKey

from careplane.codecs.jwt import Expected, verify
from careplane.codecs.smart_assertion import public_keys, read_client_key
from careplane.connectors._credential import BackendServices
from careplane.connectors._retry import Answer
from careplane.errors import CareplaneError, Refused, UpstreamError

KEY = read_client_key(ECKey.generate_key("P-384").as_pem(private=True))
BASE = "https://ehr.example.org/fhir"
TOKEN_URL = "https://ehr.example.org/auth/token"
CONFIGURATION = {"token_endpoint": TOKEN_URL, "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"]}


class Server:
    """An authorization server that checks what it gets and gives numbered tokens."""

    def __init__(self, configuration: object = CONFIGURATION, answers: list[Answer] | None = None) -> None:
        self.configuration, self.answers = configuration, answers or []
        self.asked: list[str] = []
        self.jtis: set[str] = set()

    async def __call__(self, method: str, url: str, form: dict[str, str] | None = None) -> Answer:
        self.asked.append(f"{method} {url}")
        await asyncio.sleep(0.01)
        if form is None:
            return answer(200, self.configuration)
        assert parse_qs("&".join(f"{k}={v}" for k, v in form.items()))["grant_type"] == ["client_credentials"]
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        expected = Expected(issuer="careplane", audience=TOKEN_URL, algorithms=("ES384",))
        claims = verify(form["client_assertion"], public_keys([KEY]), expected, datetime.now(UTC))
        assert claims.subject == "careplane"
        assert claims.jti not in self.jtis
        self.jtis.add(claims.jti or "")
        if self.answers:
            return self.answers.pop(0)
        number = len(self.jtis)
        return answer(200, {"access_token": f"t{number}", "token_type": "bearer", "expires_in": 300})


def answer(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, content=orjson.dumps(body))


def credential(server: Server, clock: Callable[[], float] = lambda: 0.0, token_url: str = "") -> BackendServices:
    async def no_pause(_seconds: float) -> None:
        return None

    scopes = "system/Patient.rs"
    return BackendServices(KEY, "careplane", scopes, BASE, token_url, server, no_pause, clock)


def test_many_requests_share_one_token() -> None:
    server = Server()

    async def session() -> set[str]:
        given = credential(server)
        return set(await asyncio.gather(*(given.authorization() for _ in range(20))))

    assert asyncio.run(session()) == {"Bearer t1"}
    assert server.asked == [f"GET {BASE}/.well-known/smart-configuration", f"POST {TOKEN_URL}"]


def test_it_is_renewed_before_it_expires_and_at_the_latest_after_five_minutes() -> None:
    now = [0.0]
    hour = answer(200, {"access_token": "hour", "token_type": "Bearer", "expires_in": 3600})
    server = Server(answers=[hour])

    async def session() -> list[str]:
        given = credential(server, lambda: now[0])
        seen = []
        for now[0] in (0.0, 269.0, 271.0, 500.0, 600.0):
            seen.append(await given.authorization())
        return seen

    assert asyncio.run(session()) == ["Bearer hour", "Bearer hour", "Bearer t2", "Bearer t2", "Bearer t3"]
    assert len(server.asked) == 4  # the configuration once


def test_a_refused_token_is_dropped_once_and_not_a_newer_one() -> None:
    async def session() -> list[str]:
        given = credential(Server())
        first = await given.authorization()
        assert given.refused(first)
        second = await given.authorization()
        given.refused(first)  # a request that was under way with the old one
        return [first, second, await given.authorization()]

    assert asyncio.run(session()) == ["Bearer t1", "Bearer t2", "Bearer t2"]


def test_a_busy_token_endpoint_is_asked_again_with_a_new_assertion() -> None:
    server = Server(answers=[answer(503, {}, {"retry-after": "1"}), answer(429, {})])
    assert asyncio.run(credential(server).authorization()) == "Bearer t3"
    assert len(server.jtis) == 3


def test_a_token_url_that_is_given_is_not_looked_up() -> None:
    server = Server()
    asyncio.run(credential(server, token_url=TOKEN_URL).authorization())
    assert server.asked == [f"POST {TOKEN_URL}"]


@pytest.mark.parametrize(
    ("server", "error", "told"),
    [
        (Server(answers=[answer(401, {"error": "invalid_client"})]), Refused, "invalid_client"),
        (Server(answers=[answer(400, {"error": "Ann <Smith>"})]), Refused, "unknown"),
        (Server(answers=[answer(200, {"token_type": "bearer"})]), UpstreamError, "access_token"),
        (Server(answers=[answer(200, ["x"])]), UpstreamError, "not a JSON object"),
        (Server(answers=[answer(302, {})]), UpstreamError, "HTTP 302"),
        (Server({"token_endpoint": "http://ehr.example.org/token"}), UpstreamError, "https"),
        (Server({}), UpstreamError, "fhir_token_url"),
        (Server([]), UpstreamError, "fhir_token_url"),
        (Server({**CONFIGURATION, "token_endpoint_auth_signing_alg_values_supported": ["RS384"]}), Refused, "ES384"),
    ],
)
def test_what_is_no_token_is_an_error_with_a_way_out(server: Server, error: type[CareplaneError], told: str) -> None:
    with pytest.raises(error, match=told) as caught:
        asyncio.run(credential(server).authorization())
    assert "Smith" not in str(caught.value)


def test_nothing_shows_the_key_or_the_token() -> None:
    given = credential(Server())
    token = asyncio.run(given.authorization())
    assert token.removeprefix("Bearer ") not in repr(given)
    assert str(KEY.private["d"]) not in repr(given)
