"""The key of a ledger: kept in the secrets folder of the installation, made once."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from careplane.errors import LedgerError
from careplane.settings import read_secret_file

_LENGTH = 32


class LedgerKey:
    """Two keys drawn from one secret: one seals the head, one makes pseudonyms."""

    def __init__(self, secret: bytes) -> None:
        self._head = hmac.digest(secret, b"head", hashlib.sha256)
        self._pseudonym = hmac.digest(secret, b"pseudonym", hashlib.sha256)

    def seal(self, content: bytes) -> str:
        """The HMAC-SHA256 of the head's content, in hex."""
        return hmac.digest(self._head, content, hashlib.sha256).hex()

    def pseudonym(self, value: str) -> str:
        """HMAC-SHA256 of a reference, its first 96 bits in hex: stable per value, meaningless without the key."""
        return hmac.digest(self._pseudonym, value.encode(), hashlib.sha256).hex()[:24]


def key_path(folder: Path) -> Path:
    """Where the key of the ledger in ``folder`` is kept: ``secrets/ledger.key`` beside it."""
    return folder.parent / "secrets" / "ledger.key"


def read_key(path: Path) -> LedgerKey:
    """Read the key.

    Raises:
        SettingsError: the file is missing, or others may read it.
        LedgerError: it does not hold a key.
    """
    try:
        secret = bytes.fromhex(read_secret_file(path, "ledger.key"))
    except ValueError as error:
        raise LedgerError(f"{path} does not hold a key. Restore it from your backup.") from error
    if len(secret) != _LENGTH:
        raise LedgerError(f"{path} does not hold a key of {_LENGTH} bytes. Restore it from your backup.")
    return LedgerKey(secret)


def draft_key(path: Path) -> tuple[LedgerKey, Path]:
    """A new key, durable under a temporary name; renaming it to ``path`` is the last step of making a ledger."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = secrets.token_bytes(_LENGTH)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return LedgerKey(secret), draft
