"""An app of the platform, made by the scaffold."""

from pathlib import Path

import pytest

from careplane.apps import new_app, read_app
from careplane.records.app import App


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app that ``careplane app new`` would make."""
    return read_app(new_app(tmp_path / "apps", "my_idea"))
