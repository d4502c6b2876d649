"""The keys by which this installation proves itself to EHRs: one for each algorithm, made once, never given away.

They are kept as ``<home>/secrets/smart-rs384.pem`` and ``smart-es384.pem`` (mode 600); the public halves are at
``/.well-known/jwks.json``.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import get_args

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from careplane.codecs.smart_assertion import Algorithm, ClientKey, read_client_key
from careplane.errors import SettingsError
from careplane.settings import read_private_file

_RSA_BITS = 3072
_FRESH: dict[Algorithm, Callable[[], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]] = {
    "RS384": lambda: rsa.generate_private_key(65537, _RSA_BITS),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


def client_key(home: Path, alg: Algorithm) -> ClientKey:
    """The key for an algorithm; it is made when there is none.

    Raises:
        SettingsError: others may read the file.
        InputError: it holds no such key.
    """
    path = key_path(home, alg)
    if not path.exists():
        _make(path, alg)
    return read_client_key(read_private_file(path, path.name), alg)


def client_keys(home: Path) -> tuple[ClientKey, ...]:
    """The keys for all algorithms."""
    return tuple(client_key(home, alg) for alg in get_args(Algorithm))


def key_path(home: Path, alg: Algorithm) -> Path:
    """Where the key for an algorithm is kept."""
    return home / "secrets" / f"smart-{alg.lower()}.pem"


def _make(path: Path, alg: Algorithm) -> None:
    """Draw a key under a name of this process, and link it into place: of two processes one is first."""
    text = _FRESH[alg]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise SettingsError(f"cannot be written: {error.strerror}", file=path) from error
