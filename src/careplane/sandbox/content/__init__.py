"""The sandbox's own word lists and code extracts, as YAML: invented names, public terminology, message texts."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def read(name: str) -> Any:
    """The content of ``<name>.yaml`` in this package; read once, treat as read-only."""
    return yaml.load((files(__package__) / f"{name}.yaml").read_text("utf-8"), Loader=_Loader)  # noqa: S506


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
