"""Which code computed a number: the version, a hash over the source that can change it, and the libraries below."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from careplane import __version__

_ROOT = Path(__file__).resolve().parents[1]
_COMPUTES = ("evidence", "estimators", "measures", "codecs/views", "records/evidence.py", "records/design.py")
_LIBRARIES = ("numpy", "scipy", "statsmodels", "diff-diff", "pandas")


@cache
def code_version() -> str:
    """The version and, after ``+``, 12 hex digits of SHA-256 over the source files that analyses run through."""
    digest = hashlib.sha256()
    for file in _sources():
        digest.update(f"{file.relative_to(_ROOT).as_posix()}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{__version__}+{digest.hexdigest()[:12]}"


def _sources() -> list[Path]:
    """The files by name, without tests and what a site's own shelf holds."""
    found: list[Path] = []
    for name in _COMPUTES:
        path = _ROOT / name
        found += [path] if path.is_file() else path.rglob("*.py")
    return sorted(file for file in found if "tests" not in file.relative_to(_ROOT).parts)


@cache
def libraries() -> dict[str, str]:
    """Python and the numeric libraries by version; one that is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
