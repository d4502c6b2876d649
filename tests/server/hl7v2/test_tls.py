"""TLS with certificates on both sides."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from careplane.codecs.hl7v2 import block
from careplane.connectors import hl7v2_mllp
from careplane.errors import SettingsError, UpstreamError

from .senders import discharge, listening, receive

Issuer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _certificate(folder: Path, name: str, issuer: Issuer | None = None) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path = folder / f"{name}.key"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path.chmod(0o600)
    return certificate, key


def test_tls_with_client_certificates(home: Path, tmp_path: Path) -> None:
    authority, elsewhere = _certificate(tmp_path, "authority"), _certificate(tmp_path, "elsewhere")
    for name, issuer in (("server", authority), ("client", authority), ("stranger", elsewhere)):
        _certificate(tmp_path, name, issuer)

    def path(name: str) -> str:
        return str(tmp_path / name)

    tls = hl7v2_mllp.server_tls(path("server.pem"), path("server.key"), path("authority.pem"))
    with listening(home, tls=tls) as line:

        def sent(ca: str = "authority.pem", shown: str = "client") -> str:
            cert = {"tls_cert_file": path(f"{shown}.pem"), "tls_key_file": path(f"{shown}.key")} if shown else {}
            reach = {"host": "localhost", "port": str(line.port), "timeout_seconds": "5", "tls_ca_file": path(ca)}

            async def act() -> str:
                sender = hl7v2_mllp.open({**reach, **cert})
                try:
                    answer = await sender.send(discharge())
                    assert answer is not None
                    return answer.code
                finally:
                    await sender.aclose()

            return asyncio.run(act())

        assert sent() == "AA"
        for ca, shown in (("authority.pem", ""), ("authority.pem", "stranger"), ("elsewhere.pem", "client")):
            with pytest.raises(UpstreamError):
                sent(ca, shown)
        with line.connect() as plain:
            plain.sendall(block(discharge("plain")))
            with pytest.raises((ConnectionResetError, AssertionError)):
                receive(plain, 1)
        assert sent() == "AA"
        assert len(line.inbox.newest()) == 1


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    _certificate(tmp_path, "server")
    cert, key = tmp_path / "server.pem", tmp_path / "server.key"
    for files in ((str(cert), ""), (str(key), str(key)), (str(cert), str(key), str(key))):
        with pytest.raises(SettingsError):
            hl7v2_mllp.server_tls(*files)
    key.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        hl7v2_mllp.server_tls(str(cert), str(key))
