"""The same answer, byte for byte, whatever the hash seed and the number of threads; and whatever the order of rows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from careplane._shelf import items, load
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Info, read_spec

ALL = """
import sys
from click.testing import CliRunner
from careplane.cli.estimate import command
for path in sys.argv[1:]:
    print(CliRunner().invoke(command, [path, "--json"], catch_exceptions=False).stdout)
"""
INFOS: dict[str, Info] = {name: load("estimators", name).INFO for name in items("estimators")}
STEPWISE = {"glmm": 2e-6}
IN_ORDER = {"confidence_sequence", "spc"}
"""Estimators to which the order of rows is a fact, not an accident."""


@pytest.mark.slow
def test_hash_seeds_and_threads_change_no_byte(tmp_path: Path) -> None:
    """Every example of the shelf under PYTHONHASHSEED 0 to 5, and with one thread and two."""
    words = [sys.executable, "-m", "careplane", "estimate", "--out", str(tmp_path), "--example"]
    for name in INFOS:
        subprocess.run([*words, name], check=True, capture_output=True)
    paths = [str(tmp_path / f"{name}.yaml") for name in sorted(INFOS)]
    told = []
    for seed in range(6):
        more = {
            "PYTHONHASHSEED": str(seed),
            "OPENBLAS_NUM_THREADS": str(1 + seed % 2),
            "OMP_NUM_THREADS": str(1 + seed % 2),
        }
        told.append(
            subprocess.run(
                [sys.executable, "-c", ALL, *paths], check=True, capture_output=True, env={**os.environ, **more}
            ).stdout
        )
    assert told[0].count(b'"method"') >= len(INFOS)
    assert len(set(told)) == 1


@pytest.mark.parametrize("name", sorted(name for name, info in INFOS.items() if info.made is not None))
def test_the_order_of_rows_changes_nothing(name: str) -> None:
    """To seven digits, for sums are added in another order; to six where the answer is found by steps."""
    if name in IN_ORDER:
        pytest.skip("rows are taken in the order in which they came")
    info, module = INFOS[name], load("estimators", name)
    assert info.made is not None
    given: dict[str, Column] = {
        column: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for column, values in info.made().items()
    }
    asked: dict[str, Any] = {key: value for key, value in info.example.items() if key != "estimator"}
    asked |= {"replications": 100} if any(key.name == "replications" for key in info.keys) else {}
    if any("placebo" in key.choices for key in info.keys):
        asked["se"] = "none"  # placebos take minutes, and which control is drawn goes by its place in the alphabet
    rows = len(next(iter(given.values())))
    order = np.random.default_rng(7).permutation(rows)
    answers = []
    for places in (np.arange(rows), order):
        frame = Frame({column: values[places] for column, values in given.items()}, places + 2, {})
        found = module.estimate(frame, read_spec(info, asked))
        answers.append([found.estimate, found.se, found.ci_low, found.ci_high, found.df, found.p])
    one, other = ([np.nan if value is None else value for value in values] for values in answers)
    assert one == pytest.approx(other, rel=STEPWISE.get(name, 1e-7), abs=1e-9, nan_ok=True)


def test_the_answers_are_json_without_a_number_that_is_none() -> None:
    """``NaN`` and ``Infinity`` are no JSON; what is not given is null."""
    for name, info in INFOS.items():
        module = load("estimators", name)
        if info.made is None:
            found = module.estimate(None, read_spec(info, {k: v for k, v in info.example.items() if k != "estimator"}))
            json.dumps({key: getattr(found, key) for key in ("estimate", "se", "details")}, allow_nan=False)
