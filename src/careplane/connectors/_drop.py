"""Folders into which another system drops files: which are whole, and their content.

A file is whole when it was left alone for a while, or has ``<name>.done`` beside it. Names of files under way
(``.part``, ``.tmp``, ...) and hidden ones are not taken, so a job that renames when it is done is never read too early.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from careplane.errors import DataError, InputError

MOST_BYTES = 64 * 1024 * 1024
DONE = ".done"
UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload")


class Drop:
    """A folder and the endings of the files that are read from it."""

    def __init__(
        self,
        folder: Path,
        endings: tuple[str, ...],
        settle_seconds: float = 10.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``settle_seconds`` is how long a file must have been left alone; ``now`` gives seconds since 1970."""
        self.folder = folder
        self._endings = endings
        self._settle = settle_seconds
        self._now = now

    def ready(self) -> list[Path]:
        """The files that are whole, by name.

        Raises:
            DataError: there is no such folder.
        """
        return [file for file, whole in self._files() if whole]

    def unfinished(self) -> list[Path]:
        """The files that are not whole yet.

        Raises:
            DataError: there is no such folder.
        """
        return [file for file, whole in self._files() if not whole]

    def _files(self) -> Iterator[tuple[Path, bool]]:
        if not self.folder.is_dir():
            raise DataError("there is no such folder", file=self.folder)
        try:
            names = sorted(self.folder.iterdir())
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", file=self.folder) from error
        for file in names:
            ending = file.suffix.lower()
            if file.name.startswith(".") or not file.is_file():
                continue
            if ending in self._endings:
                yield file, self._whole(file)
            elif ending in UNFINISHED and Path(file.stem).suffix.lower() in self._endings:
                yield file, False

    def _whole(self, file: Path) -> bool:
        if file.with_name(file.name + DONE).exists():
            return True
        try:
            return self._now() - file.stat().st_mtime >= self._settle
        except OSError:
            return False


def read_whole(file: Path) -> bytes:
    """A file's content, whole and unchanged while it was read.

    Raises:
        DataError: it is missing, too large, or was written to meanwhile.
    """
    try:
        before = file.stat()
        if before.st_size > MOST_BYTES:
            raise DataError(f"is larger than {MOST_BYTES // 1024**2} MB; split it", file=file)
        content = file.read_bytes()
        after = file.stat()
    except FileNotFoundError as error:
        raise DataError("there is no such file", file=file) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=file) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(content) != after.st_size:
        raise DataError("was written to while it was read; it is read again once it is whole", file=file)
    return content


def settle_seconds(text: str) -> float:
    """The setting.

    Raises:
        InputError: it is no number from 0 to 3600.
    """
    try:
        seconds = float(text)
    except ValueError as error:
        raise InputError("must be a number of seconds", field="settle_seconds") from error
    if not 0 <= seconds <= 3600:
        raise InputError("must be from 0 to 3600 seconds", field="settle_seconds")
    return seconds
