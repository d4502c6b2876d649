"""NDJSON files, plain or gzip, as chunks of whole lines: bounded memory, and every line keeps its number."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from careplane.store.lake_report import Kind

CHUNK_BYTES = 16 * 1024 * 1024
MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest line that is loaded; a longer one is reported and left out."""

_READ_BYTES = 256 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_SUFFIXES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, each ended by a newline; ``first_line`` is the number of the first in its file, from 1.

    A line that cannot be taken stands here as an empty one, so that numbers hold.
    """

    data: bytes
    first_line: int
    position: int
    """Bytes of the file (as stored) that were read so far."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where a file could not be read on, or a line that could not be taken."""

    kind: Kind
    line: int | None
    text: str


def find_files(path: Path) -> list[Path]:
    """The NDJSON files of a folder (all levels, by name), or the one file itself; each once, whatever links to it."""
    if path.is_dir():
        named = (file for file in path.rglob("*") if file.name.lower().endswith(_SUFFIXES) and file.is_file())
        return sorted({file.resolve() for file in named})
    return [path.resolve()] if path.is_file() else []


def read_chunks(path: Path, report: Callable[[Break], None]) -> Iterator[Chunk]:
    """The lines of a file in chunks of about ``CHUNK_BYTES``.

    A gzip file that breaks off gives what decompressed before the break. Breaks and over-long lines go to ``report``.
    """
    lines = _Lines(report)
    position = 0
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        blocks = iter(lambda: file.read(_READ_BYTES), b"")
        for block in _gunzip(blocks, report) if packed else blocks:
            position = file.tell()
            lines.feed(block)
            if lines.size >= CHUNK_BYTES:
                yield lines.take(position)
    lines.finish()
    if lines.size:
        yield lines.take(position)


class _Lines:
    """Joins blocks into whole lines and drops over-long ones."""

    def __init__(self, report: Callable[[Break], None]) -> None:
        self._report = report
        self._whole: list[bytes] = []
        self._tail: list[bytes] = []
        self._tail_size = 0
        self._number = 1
        self._start = True
        self._skipping = False
        self.size = 0

    def feed(self, block: bytes) -> None:
        if self._start:
            block = block.removeprefix(_BOM)
            self._start = False
        cut = block.rfind(b"\n") + 1
        if cut:
            self._close_tail(block[:cut])
            block = block[cut:]
        if self._skipping:
            return
        self._tail.append(block)
        self._tail_size += len(block)
        if self._tail_size > MAX_LINE_BYTES:
            self._skipping, self._tail, self._tail_size = True, [], 0

    def _close_tail(self, block: bytes) -> None:
        if self._skipping:
            self._number_of_skipped()
            block = block[block.find(b"\n") :]
        self._whole += [*self._tail, block]
        self.size += self._tail_size + len(block)
        self._tail, self._tail_size, self._skipping = [], 0, False

    def _number_of_skipped(self) -> None:
        line = self._number + sum(part.count(b"\n") for part in self._whole)
        limit = MAX_LINE_BYTES // 1024 // 1024
        self._report(Break("line_too_long", line, f"longer than {limit} MB; this line was left out"))

    def finish(self) -> None:
        if self._tail_size or self._skipping:
            self._close_tail(b"\n")

    def take(self, position: int) -> Chunk:
        data = b"".join(self._whole)
        chunk = Chunk(data, self._number, position)
        self._number += data.count(b"\n")
        self._whole, self.size = [], 0
        return chunk


def _gunzip(blocks: Iterator[bytes], report: Callable[[Break], None]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    for block in blocks:
        data = block
        while data:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            before = member.copy()
            try:
                yield member.decompress(data)
            except zlib.error as error:
                yield _until_break(before, data)
                report(Break("broken_gzip", None, f"the compressed data is damaged ({error}); the rest was left out"))
                return
            data = member.unused_data.lstrip(b"\0") if member.eof else b""
    if not member.eof:
        report(Break("broken_gzip", None, "the compressed data breaks off; what came before the break was read"))


def _until_break(member: "zlib._Decompress", data: bytes) -> bytes:
    good = bytearray()
    for value in data:
        try:
            good += member.decompress(bytes((value,)))
        except zlib.error:
            break
    return bytes(good)
