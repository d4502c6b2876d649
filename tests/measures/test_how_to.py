"""The example of ``docs/how-to/write-a-measure.md`` is a measure that passes the contract, and its test passes."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from careplane.measures import problems

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/write-a-measure.md"


def test_the_example_passes_the_contract_and_its_own_test(monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    modules = []
    for name, code in zip(("late_arrivals", "test_rows"), found, strict=True):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, str(PAGE), "exec"), module.__dict__)
        modules.append(module)
    item, test = modules
    assert problems(item.MEASURE) == []
    tests = [getattr(test, name) for name in dir(test) if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()
