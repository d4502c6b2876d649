"""The key that signs tree heads: Ed25519, made once, kept beside the ledger's other key; its public half may travel."""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from careplane.errors import InputError, LedgerError, SettingsError
from careplane.settings import read_secret_file


class PublicKey:
    """What checks a signature."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.id = hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]

    def signed(self, content: bytes, signature: str) -> bool:
        """Whether the signature (hex) is this key's over the content."""
        try:
            self._key.verify(bytes.fromhex(signature), content)
        except (InvalidSignature, ValueError):
            return False
        return True

    def pem(self) -> str:
        """The key as PEM, to give away."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class SigningKey:
    """What signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    def sign(self, content: bytes) -> str:
        """The signature over the content, in hex."""
        return self._key.sign(content).hex()


def signing_key_path(folder: Path) -> Path:
    """Where the signing key of the ledger in ``folder`` is kept: ``secrets/ledger-signing.key`` beside it."""
    return folder.parent / "secrets" / "ledger-signing.key"


def read_signing_key(folder: Path) -> SigningKey:
    """The signing key of a ledger.

    Raises:
        LedgerError: it is missing, readable by others, or not such a key.
    """
    path = signing_key_path(folder)
    try:
        seed = bytes.fromhex(read_secret_file(path, path.name))
        return SigningKey(Ed25519PrivateKey.from_private_bytes(seed))
    except SettingsError as error:
        raise LedgerError(f"The signing key of the ledger cannot be used: {error}.") from error
    except ValueError as error:
        raise LedgerError(f"{path} does not hold a signing key. Restore it from your backup.") from error


def make_signing_key(folder: Path) -> SigningKey:
    """Make the signing key, durable before it is used; one that is there already is kept.

    Raises:
        LedgerError: it cannot be written.
    """
    path = signing_key_path(folder)
    draft = path.with_suffix(f".{os.getpid()}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes_raw().hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise LedgerError(f"The signing key of the ledger cannot be written: {error.strerror}.") from error
    return read_signing_key(folder)


def read_public_key(path: Path) -> PublicKey:
    """A public key from a PEM file.

    Raises:
        InputError: there is none in it.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise InputError(f"the public key cannot be read: {error.strerror}.", file=path) from error
    except ValueError as error:
        raise InputError("this is no public key in PEM form.", file=path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("this is no Ed25519 public key.", file=path)
    return PublicKey(key)
