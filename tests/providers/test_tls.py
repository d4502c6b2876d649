"""Over TLS, only to whom the certificate names and a trusted authority vouches for."""

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from careplane.errors import SettingsError, UpstreamError

from .conftest import opened
from .shelf import REMOTE, request, text, wire
from .test_contract import collect
from .upstream import TEXT, Endpoint

pytestmark = pytest.mark.parametrize("item", REMOTE)


def certificate(folder: Path, address: str) -> tuple[ssl.SSLContext, str]:
    """A server's context for an address, and the file of the authority (the certificate itself) to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test endpoint")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *secret))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, str(folder / "cert.pem")


def test_a_trusted_endpoint_is_asked(item: str, tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path, "127.0.0.1")
    with Endpoint(wire(item), context) as endpoint:
        provider = opened(item, wire(item).settings(endpoint.url) | {"ca_file": ca_file})
        for stream in (True, False):
            assert text(asyncio.run(collect(provider, request(stream=stream)))) == TEXT


@pytest.mark.parametrize(("address", "trusted"), [("127.0.0.1", False), ("127.0.0.2", True)], ids=["authority", "name"])
def test_no_other_is(item: str, tmp_path: Path, address: str, trusted: bool) -> None:
    context, ca_file = certificate(tmp_path, address)
    with Endpoint(wire(item), context) as endpoint:
        provider = opened(item, wire(item).settings(endpoint.url) | ({"ca_file": ca_file} if trusted else {}))
        with pytest.raises(UpstreamError, match="certificate"):
            asyncio.run(collect(provider, request()))
        assert endpoint.raw == []


def test_a_file_that_holds_no_certificate_is_an_error(item: str, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(SettingsError, match="ca_file"):
        opened(item, wire(item).settings("https://127.0.0.1:9") | {"ca_file": str(path)})
