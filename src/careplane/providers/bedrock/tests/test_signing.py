"""Signature Version 4 against the published test suite, and against botocore on requests of our own kind.

Vectors: the AWS Signature Version 4 test suite (awslabs/aws-c-auth, tests/aws-signing-test-suite/v4), by name.
"""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given
from hypothesis import strategies as st

from careplane.providers.bedrock.signing import Credentials, Scope, signed

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SCOPE = Scope("us-east-1", "service")
SHA = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "13", "x-amz-content-sha256": SHA}

VECTORS = {
    "get-vanilla": ("GET", "/", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-utf8": ("GET", "/ሴ", {}, b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-space-unnormalized": (
        "GET",
        "/example space/",
        {},
        b"",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    "get-vanilla-query-order-key-case": (
        "GET",
        "/?Param2=value2&Param1=value1",
        {},
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-header-value-trim": (
        "GET",
        "/",
        {"My-Header1": " value1", "My-Header2": ' "a   b   c"'},
        b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-x-www-form-urlencoded": (
        "POST",
        "/",
        FORM,
        b"Param1=value1",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_vectors(name: str) -> None:
    method, path, headers, body, signature = VECTORS[name]
    found = signed(method, f"https://example.amazonaws.com{path}", headers, body, KEYS, SCOPE, AT)
    assert found["Authorization"].endswith(f"Signature={signature}")


def test_the_published_vector_with_a_session_token() -> None:
    keys = Credentials(KEYS.key_id, KEYS.secret, TOKEN)
    found = signed("GET", "https://example.amazonaws.com/", {}, b"", keys, SCOPE, AT)
    assert found["X-Amz-Security-Token"] == TOKEN
    assert found["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


SEGMENTS = st.text("abcXYZ019-_.~%3A2F", min_size=1, max_size=9).filter(lambda text: text.strip("."))
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@given(PATHS, st.binary(max_size=200), st.sampled_from(["", "session-token"]))
def test_botocore_signs_the_same(path: str, body: bytes, token: str) -> None:
    path = path.replace("%", "%25")
    url = f"https://bedrock-runtime.eu-central-1.amazonaws.com/model/{path}/converse-stream"
    headers = {"Content-Type": "application/json"}
    theirs = AWSRequest(method="POST", url=url, data=body, headers=dict(headers))
    theirs.context["timestamp"] = "20150830T123600Z"
    signer = SigV4Auth(TheirCredentials(KEYS.key_id, KEYS.secret, token or None), "bedrock", "eu-central-1")
    theirs.headers["X-Amz-Date"] = "20150830T123600Z"
    if token:
        theirs.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(theirs)
    signature = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    keys = Credentials(KEYS.key_id, KEYS.secret, token)
    ours = signed("POST", url, headers, body, keys, Scope("eu-central-1", "bedrock"), AT)
    assert ours["Authorization"].endswith(f"Signature={signature}")


def test_secrets_are_not_shown() -> None:
    shown = repr(SimpleNamespace(keys=Credentials("AKID", "the-secret", "the-token")))
    assert "the-secret" not in shown
    assert "the-token" not in shown
