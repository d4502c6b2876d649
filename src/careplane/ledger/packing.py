"""Compressing closed segments: gzip, written beside, compared, and only then put in the place of the segment."""

import gzip
import os
import shutil
from pathlib import Path

from careplane.errors import LedgerError
from careplane.ledger.segments import packed_path, segment_numbers, segment_path, sync_folder

_BLOCK = 1 << 20


def pack(folder: Path, before: int) -> list[tuple[int, int]]:
    """Compress the segments with numbers below ``before`` that are not yet; sizes before and after, for each.

    Raises:
        LedgerError: a file cannot be written, or does not read back as it was; that segment stays as it is.
    """
    done: list[tuple[int, int]] = []
    for number in segment_numbers(folder):
        if number < before and segment_path(folder, number).exists():
            try:
                done.append(_pack(segment_path(folder, number), packed_path(folder, number)))
            except OSError as error:
                raise LedgerError(f"Segment {number} cannot be compressed: {error.strerror or error}.") from error
    return done


def _pack(plain: Path, packed: Path) -> tuple[int, int]:
    draft = packed.with_suffix(".gz.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as raw, plain.open("rb") as source:
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as target:
                shutil.copyfileobj(source, target, _BLOCK)
            raw.flush()
            os.fsync(raw.fileno())
        if not _same(plain, draft):
            raise LedgerError(f"{draft} does not read back as it was written.")
        draft.replace(packed)
        sync_folder(packed.parent)
    finally:
        draft.unlink(missing_ok=True)
    sizes = plain.stat().st_size, packed.stat().st_size
    plain.unlink()
    return sizes


def _same(plain: Path, packed: Path) -> bool:
    with plain.open("rb") as one, gzip.open(packed, "rb") as other:
        while block := one.read(_BLOCK):
            if other.read(len(block)) != block:
                return False
        return not other.read(1)
