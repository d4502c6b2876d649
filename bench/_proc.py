"""Processor time, memory and descriptors of a process and its children, read from ``/proc``."""

import os
from collections.abc import Iterator
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> Iterator[int]:
    """A process and all its descendants that live now."""
    yield pid
    for task in _listed(Path(f"/proc/{pid}/task")):
        for child in _read(task / "children").split():
            yield from tree(int(child))


def ticks(stat: str) -> int:
    """User and system time of one process in clock ticks, with that of children it has waited for, of its ``stat``."""
    fields = stat.rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])


def processor_s(pid: int) -> float:
    """Processor seconds that a process and its descendants have used since they started."""
    return sum(ticks(stat) for one in tree(pid) if (stat := _read(Path(f"/proc/{one}/stat")))) / TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its descendants in MB (10^6), pages they share counted once (PSS)."""
    rollups = (_read(Path(f"/proc/{one}/smaps_rollup")) for one in tree(pid))
    kb = sum(int(line.split()[1]) for rollup in rollups for line in rollup.splitlines() if line.startswith("Pss:"))
    return kb * 1024 / 1e6


def descriptors(pid: int) -> int:
    """Open descriptors of a process and its descendants."""
    return sum(len(_listed(Path(f"/proc/{one}/fd"))) for one in tree(pid))


def _read(path: Path) -> str:
    """Content of a file of ``/proc``; empty when its process has just ended."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
