"""One small data set for all tests of the sandbox."""

from pathlib import Path

import pytest

from careplane.sandbox import generate


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with 240 patients, seed 7; treat it as read-only."""
    folder = tmp_path_factory.mktemp("sandbox") / "data"
    generate(folder, 7, patients=240)
    return folder
