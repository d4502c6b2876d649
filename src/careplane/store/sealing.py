"""Content sealed at rest: AES-256-GCM under keys of this installation, which are files of mode 600 in its home.

The row that a content belongs to is its associated data, so that what was moved to another row does not open. The key
never reaches the database. (NIST SP 800-38D; random nonces of 96 bits are good for 2**32 contents under one key.)
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from careplane.errors import SettingsError, StoreError
from careplane.settings import read_secret_file

LENGTH = 32
_NONCE = 12


class Seal:
    """What seals and opens the contents of one purpose.

    Args:
        secret: the bytes of the key file.
        purpose: keys of different purposes are independent of each other, though they come of one secret.
    """

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._cipher = AESGCM(hmac.digest(secret, purpose.encode(), hashlib.sha256))
        self._digests = hmac.digest(secret, purpose.encode() + b" digest", hashlib.sha256)[:LENGTH]

    def seal(self, content: bytes, row: str) -> bytes:
        """The content, readable only here and only as that of this row."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, content, row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """The content of a row.

        Raises:
            StoreError: it was changed or moved, or was sealed under another key.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], row.encode())
        except (InvalidTag, ValueError):
            pass
        raise StoreError("Sealed content does not open: it was changed, or the key is another one.")

    def digest(self, content: bytes) -> str:
        """A name of a content that tells nothing about it to who has no key."""
        return hashlib.blake2b(content, key=self._digests, digest_size=16).hexdigest()


def open_key(path: Path) -> bytes:
    """The secret of a key file, which is made on first use.

    Raises:
        SettingsError: it cannot be made or read, others can read it, or it is none.
    """
    try:
        if not path.exists():
            _make(path)
        secret = bytes.fromhex(read_secret_file(path, path.name))
    except OSError as error:
        raise SettingsError(f"cannot be made: {error.strerror}", file=path) from error
    except ValueError:
        secret = b""
    if len(secret) != LENGTH:
        raise SettingsError(f"does not hold a key of {LENGTH} bytes. Restore it from your backup", file=path)
    return secret


def _make(path: Path) -> None:
    """Write a new key, durable before it has its name; whoever comes second takes the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.stem}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_bytes(LENGTH).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
