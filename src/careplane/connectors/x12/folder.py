"""X12 files of a folder as batches of claims."""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from datetime import time as clock_time
from pathlib import Path

from careplane.codecs.x12 import Transaction, read_interchange
from careplane.codecs.x12_claims import read_claims, read_remittance
from careplane.connectors._drop import Drop, read_whole
from careplane.errors import DataError
from careplane.records.erp import Claim, ErpBatch, events_in

ENDINGS = (".x12", ".edi", ".835", ".837", ".era")


class X12Folder:
    """Reads the claims of a folder."""

    def __init__(self, folder: Path, settle_seconds: float = 10.0, now: Callable[[], float] = time.time) -> None:
        self._drop = Drop(folder, ENDINGS, settle_seconds, now)

    def ready(self) -> list[Path]:
        """The files that are whole, by name.

        Raises:
            DataError: there is no such folder.
        """
        return self._drop.ready()

    def unfinished(self) -> list[Path]:
        """The files that are not whole yet.

        Raises:
            DataError: there is no such folder.
        """
        return self._drop.unfinished()

    def read(self, file: Path) -> ErpBatch:
        """The claims of one file.

        Raises:
            DataError: it is no X12, holds neither 835 nor 837, or something in it is wrong; nothing is taken.
        """
        content = read_whole(file)
        claims = [claim for one in read_interchange(content, file) for claim in _claims(one, file)]
        if not claims:
            raise DataError("holds no claim: neither an 835 nor an 837 with one", file=file)
        digest = hashlib.sha256(content).hexdigest()
        return ErpBatch(name=file.name, hash=digest, facts=tuple(claims), events=events_in(claims, _midnight))


def _claims(transaction: Transaction, file: Path) -> Sequence[Claim]:
    if transaction.kind == "835":
        return read_remittance(transaction, file).claims
    if transaction.kind == "837":
        return read_claims(transaction, file)
    return ()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, clock_time(), tzinfo=UTC)
