"""The small installation of these tests."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from careplane.store import Store
from careplane.workflow import Runtime


@pytest.fixture(scope="session")
def installation() -> ModuleType:
    """The module that builds an installation of real pieces with synthetic data."""
    file = Path(__file__).parent / "installation.py"
    spec = importlib.util.spec_from_file_location("workflow_installation", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def runtime(installation: ModuleType, home: Path, sqlite_store: Store) -> Runtime:
    """A runtime whose app portal_reply is in a pilot."""
    built: Runtime = installation.runtime_of(home, sqlite_store)
    return built
