"""Shelves: things that grow are one folder per item, and the core's own items use the same door as a stranger's.

An entry point of the group ``careplane.<shelf>`` names a *package of items*: each sub-package is one item, its folder
name the item's name. Careplane's own five shelves are five such entry points; a site adds its own package the same way.
Adding an item touches its folder only.

==========  ==============================================================================
shelf       what an item's folder holds
==========  ==============================================================================
apps        ``app.yaml`` and its texts, no Python needed  (:mod:`careplane.apps`)
connectors  ``open(settings) -> connector``               (:mod:`careplane.connectors`)
measures    ``MEASURE``                                   (:mod:`careplane.measures`)
estimators  ``INFO``, ``estimate(frame, spec) -> Result`` (:mod:`careplane.estimators`)
providers   ``open(settings) -> Provider``                (:mod:`careplane.providers`)
==========  ==============================================================================
"""

import difflib
import importlib
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from careplane.errors import NotFound

SHELVES = ("apps", "connectors", "measures", "estimators", "providers")


def items(shelf: str) -> dict[str, tuple[str, Path]]:
    """The items of a shelf by name, sorted: the module name and the folder of each; no item is imported.

    Where two packages offer the same name, a site's own package wins over the core's, so an item can be replaced on
    purpose; between two strangers the first by distribution name wins.
    """
    found: dict[str, tuple[str, Path]] = {}
    for point in sorted(entry_points(group=f"careplane.{shelf}"), key=_order):
        package = importlib.import_module(point.module)
        for root in package.__path__:
            for folder in sorted(Path(root).iterdir()):
                if _is_item(shelf, folder):
                    found.setdefault(folder.name, (f"{point.module}.{folder.name}", folder))
    return dict(sorted(found.items()))


def _is_item(shelf: str, folder: Path) -> bool:
    marker = "app.yaml" if shelf == "apps" else "__init__.py"
    return folder.is_dir() and not folder.name.startswith(("_", ".")) and (folder / marker).exists()


def _order(point: EntryPoint) -> tuple[bool, str, str]:
    owner = point.dist.name if point.dist is not None else ""
    return (owner == "careplane", owner, point.name)


def load(shelf: str, name: str) -> ModuleType:
    """Import one item of a Python shelf.

    Raises:
        NotFound: no such item; the message names the nearest ones.
    """
    return importlib.import_module(_item(shelf, name)[0])


def folder(shelf: str, name: str) -> Path:
    """The folder of one item.

    Raises:
        NotFound: no such item; the message names the nearest ones.
    """
    return _item(shelf, name)[1]


def _item(shelf: str, name: str) -> tuple[str, Path]:
    known = items(shelf)
    if name not in known:
        raise NotFound(missing(shelf[:-1], name, known))
    return known[name]


def missing(what: str, name: str, known: Iterable[str]) -> str:
    """A sentence for a name that is not there, with the nearest ones."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"There is no {what} named {name!r}. Did you mean {' or '.join(near)}?"
    return f"There is no {what} named {name!r}. Known: {', '.join(known) or 'none'}."
