"""The power statement: what a baseline says, checked against simulation with a known correlation."""

import numpy as np
import pytest

from careplane.errors import InputError
from careplane.evidence.power import PowerInputs, baseline_inputs, detectable_difference


def test_baseline_inputs_recover_a_known_correlation() -> None:
    rng, clusters, size = np.random.default_rng(5), 400, 30
    names = np.repeat([f"Location/{n}" for n in range(clusters)], size).astype(object)
    value = np.repeat(rng.normal(0, 1, clusters), size) + rng.normal(0, 3, clusters * size)
    found = baseline_inputs(value, names, growth=2.0)
    assert found is not None
    assert found.icc == pytest.approx(0.1, abs=0.015)  # 1 / (1 + 9)
    assert found.sd == pytest.approx(10**0.5, rel=0.03)
    assert found.cluster_size == 60


def test_too_little_baseline_says_nothing() -> None:
    one = np.array(["Location/a"] * 5, dtype=object)
    assert baseline_inputs(np.arange(5.0), one, 1.0) is None
    assert baseline_inputs(np.zeros(4), np.array(["a", "a", "b", "b"], dtype=object), 1.0) is None


def test_more_clusters_find_smaller_differences() -> None:
    inputs = PowerInputs(sd=6.0, icc=0.03, cluster_size=150)
    assert detectable_difference(inputs, 24, 2) < detectable_difference(inputs, 12, 2)
    with pytest.raises(InputError):
        detectable_difference(inputs, 2, 2)
