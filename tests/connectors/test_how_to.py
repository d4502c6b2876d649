"""The example of ``docs/how-to/write-a-connector.md`` is an item with a rig, and passes what the suite asks."""

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from careplane.errors import InputError, UpstreamError

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/write-a-connector.md"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """The item and the rig of the page."""
    found = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    modules = []
    for number, code in enumerate(found):
        module = ModuleType(f"ward_board_{number}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, str(PAGE), "exec"), module.__dict__)
        modules.append(module)
    item, rig = modules
    return item, rig


def test_the_example_does_what_it_promises(example: tuple[ModuleType, ModuleType], tmp_path: Path) -> None:
    item, rig = example
    assert set(rig.BEHAVIOURS) == item.CAPABILITIES
    with rig.peer(tmp_path) as board:
        for behaviours in rig.BEHAVIOURS.values():
            for behaviour in behaviours:
                asyncio.run(behaviour(item.open(board.settings), board))


def test_the_example_refuses_as_the_page_says(example: tuple[ModuleType, ModuleType], tmp_path: Path) -> None:
    item, rig = example
    for settings in ({}, {"folder": ""}, {"folder": "x", "colour": "blue"}):
        with pytest.raises(InputError):
            item.open(settings)
    with pytest.raises(UpstreamError, match="Check 'folder'"):
        asyncio.run(rig.call(item.open(rig.spoiled(tmp_path)), "words"))
