"""The folder of the lake: one writer at a time, parts that appear whole, and a manifest that is the only truth."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from careplane.codecs.fhir_lake import FOLDER, MANIFEST, Manifest, Part, decode_manifest, encode_manifest

STAGING = ".staging"


def read_manifest(home: Path) -> Manifest:
    """The manifest of a home; empty when nothing was loaded yet."""
    file = home / FOLDER / MANIFEST
    try:
        return decode_manifest(file.read_bytes(), str(file))
    except FileNotFoundError:
        return Manifest()


@contextmanager
def writing(home: Path) -> Iterator["Lake"]:
    """The lake, held by this process alone until the block ends; other writers wait. Leftovers are cleared."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lake = Lake(home)
        lake.clear_leftovers()
        try:
            yield lake
        finally:
            shutil.rmtree(lake.staging, ignore_errors=True)


class Lake:
    """The lake while one process may write it."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self.staging = self.folder / STAGING
        self.manifest = read_manifest(home)
        self._staged = 0

    def clear_leftovers(self) -> None:
        """Remove what a load that was cut off left behind, and parts replaced by the load before this one."""
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir()
        known = {part.path for part in self.manifest.parts}
        for file in self.folder.glob("*/*.parquet"):
            if str(file.relative_to(self.folder)) not in known:
                file.unlink()

    def stage(self) -> Path:
        """A new file name in the staging folder."""
        self._staged += 1
        return self.staging / f"{self._staged:06d}.parquet"

    def parts(self, resource_type: str) -> list[Path]:
        """The complete parts of a type."""
        return [self.folder / part.path for part in self.manifest.of_type(resource_type)]

    def commit(self, added: Iterable[tuple[str, Path, int]], dropped: Iterable[Path]) -> None:
        """Make staged files (type, file, rows) parts of the lake and take ``dropped`` parts out of it, at once."""
        serial = self.manifest.serial
        parts = []
        for kind, staged, rows in added:
            serial += 1
            target = self.folder / kind / f"part-{serial:08d}.parquet"
            target.parent.mkdir(exist_ok=True)
            _sync(staged)
            staged.replace(target)
            _sync(target.parent)
            parts.append(Part(path=str(target.relative_to(self.folder)), type=kind, rows=rows))
        gone = {str(file.relative_to(self.folder)) for file in dropped}
        kept = tuple(part for part in self.manifest.parts if part.path not in gone)
        self.manifest = msgspec.structs.replace(self.manifest, serial=serial + 1, parts=(*kept, *parts))
        self._write_manifest()

    def _write_manifest(self) -> None:
        staged = self.staging / MANIFEST
        staged.write_bytes(encode_manifest(self.manifest))
        _sync(staged)
        staged.replace(self.folder / MANIFEST)
        _sync(self.folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
