"""CR2 against published and independent numbers."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from careplane.errors import InputError, Refused
from careplane.estimators import ClusterData, covariates
from careplane.estimators._cr2 import cr2
from careplane.estimators.cluster_itt import of_clusters

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"


def trial(seed: int = 1, clusters: int = 12, size: int = 40) -> ClusterData:
    """A two-stratum trial of uneven cluster sizes with a baseline that predicts the outcome."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size // 2, size * 2, clusters)
    code = np.repeat(np.arange(clusters), sizes)
    arm = np.tile([0, 1], clusters // 2)
    base = rng.normal(5, 1, clusters)
    y = 2 + 0.7 * arm[code] + 0.8 * base[code] + rng.normal(0, 0.5, clusters)[code] + rng.normal(0, 2, len(code))
    return ClusterData(y, code, arm[code], base[code], (np.arange(clusters) // (clusters // 2))[code])


@pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")
def test_minimum_legal_drinking_age_matches_clubsandwich() -> None:
    """Pustejovsky & Tipton (2018), as computed by clubSandwich: tolerance 1e-6 of the printed digits."""
    with gzip.open(EVIDENCE / "mortality_rates_mlda.csv.gz", "rt") as lines:
        deaths = [row for row in csv.DictReader(lines) if row["cause"] == "Motor Vehicle" and int(row["year"]) <= 1983]
    rows = [row for row in deaths if row["beertaxa"] not in ("", "NA")]
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    published = next(r for r in references if r["id"] == "D6")["expected"]["unweighted"]
    state, year = (np.array([int(r[name]) for r in rows]) for name in ("state", "year"))
    legal, tax, rate = (np.array([float(r[name]) for r in rows]) for name in ("legal", "beertaxa", "mrate"))
    states = (state[:, None] == np.unique(state)).astype(float)
    years = (year[:, None] == np.unique(year)[1:]).astype(float)
    design = np.column_stack([legal, tax, states, years])
    fit = cr2(rate, design, state, np.eye(design.shape[1])[0])
    assert len(rows) == 700
    assert fit.estimate == pytest.approx(published["beta"], rel=1e-6)
    assert fit.se == pytest.approx(published["CR2_se"], rel=1e-6)
    assert fit.df == pytest.approx(published["df"], rel=1e-6)


def test_agrees_with_diff_diff_to_eight_digits() -> None:
    """An independent implementation (diff-diff, ``hc2_bm``): standard error and degrees of freedom to 1e-8."""
    from diff_diff.linalg import compute_robust_vcov

    data = trial()
    x = np.column_stack([data.treated.astype(float), covariates(data.strata, data.baseline)])
    beta = np.linalg.solve(x.T @ x, x.T @ data.y)
    vcov, df = compute_robust_vcov(x, data.y - x @ beta, cluster_ids=data.cluster, vcov_type="hc2_bm", return_dof=True)
    ours = of_clusters(data)
    assert ours.se == pytest.approx(np.sqrt(vcov[0, 0]), rel=1e-8)
    assert ours.df == pytest.approx(df[0], rel=1e-8)


def test_equals_welch_t_test_when_each_row_is_a_cluster() -> None:
    """With singletons and an arm only, CR2 is HC2 and its df is Bell & McCaffrey's two-sample value (1e-10)."""
    rng = np.random.default_rng(4)
    treated = np.r_[np.zeros(9, int), np.ones(5, int)]
    y = treated + rng.normal(size=14)
    flat = np.zeros(14)
    ours = of_clusters(ClusterData(y, np.arange(14), treated, flat, flat.astype(int)))
    a, b = y[9:], y[:9]
    assert ours.estimate == pytest.approx(a.mean() - b.mean(), rel=1e-10)
    assert ours.se == pytest.approx(np.sqrt(a.var(ddof=1) / 5 + b.var(ddof=1) / 9), rel=1e-10)
    homoscedastic = (1 / 5 + 1 / 9) ** 2 / (1 / (5**2 * 4) + 1 / (9**2 * 8))
    assert ours.df == pytest.approx(homoscedastic, rel=1e-10)


def test_few_clusters_are_refused_with_the_way_out() -> None:
    data = trial(clusters=4)
    with pytest.raises(Refused, match="exact_permutation"):
        of_clusters(data)


def test_an_arm_that_is_a_stratum_is_refused() -> None:
    data = trial()
    with pytest.raises(InputError, match="strata"):
        of_clusters(ClusterData(data.y, data.cluster, data.treated, data.baseline, data.treated))


def test_a_million_rows_need_only_small_matrices() -> None:
    """The peak of memory stays near the size of the data: no cluster-sized square matrix is formed."""
    import tracemalloc

    data = trial(clusters=12, size=20_000)
    tracemalloc.start()
    of_clusters(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * data.y.nbytes
