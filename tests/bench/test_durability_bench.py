"""One short seed of the benchmark that kills an installation: real processes, counted at the other end."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
from durability import killed, options


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_nothing_is_lost_or_comes_twice(database: str) -> None:
    given = options(["--events", "40", "--kills", "2", "--crashes", "1", "--workers", "2"])
    found = killed(database, 3, given)
    assert found["acknowledged"] == 40
    assert (found["lost"], found["delivered_twice"], found["runs_twice"], found["unwritten"]) == (0, 0, 0, 0)
    assert found["model_calls_without_key"] == 0
    assert found["model_calls"] >= 40
    assert found["takeover_s_max"] <= 30
