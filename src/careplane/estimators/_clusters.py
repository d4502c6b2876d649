"""A table as the outcomes of a cluster-randomised comparison, and what such an estimator answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from careplane.estimators import ClusterData, Estimate
from careplane.estimators._frame import Frame
from careplane.estimators._spec import ALPHA, Assumption, Key, Result, Spec

CLUSTER_KEYS = (
    Key("outcome", "column", "the outcome, a number", needed=True),
    Key("treatment", "column", "1 where the cluster is in the intervention arm, else 0", needed=True),
    Key("cluster", "column", "the unit that was randomised", needed=True),
    Key("strata", "column", "the stratum of the randomisation"),
    Key("baseline", "column", "the cluster's mean before the start"),
    ALPHA,
)
RANDOMISED = Assumption(name="clusters were randomised", held=None, text="The arm was drawn by cluster within strata.")


def cluster_data(frame: Frame, spec: Spec, seed: int = 0) -> tuple[ClusterData, Frame]:
    """The rows that are complete as clusters, and those rows.

    Raises:
        InputError: a column does not fit.
    """
    named = [spec[name] for name in ("outcome", "treatment", "cluster", "strata", "baseline") if name in spec]
    used = frame.complete(named)
    flat = np.zeros(len(used))
    data = ClusterData(
        y=used.finite(spec["outcome"]),
        cluster=used.labels(spec["cluster"])[0],
        treated=used.binary(spec["treatment"]).astype(np.int64),
        baseline=used.finite(spec["baseline"]) if "baseline" in spec else flat,
        strata=used.labels(spec["strata"])[0] if "strata" in spec else flat.astype(np.int64),
        alpha=spec["alpha"],
        seed=seed,
    )
    return data, used


def answer(found: Estimate, used: Frame) -> Result:
    """An estimate of clusters as every estimator answers."""
    return Result(
        method=found.method,
        n=found.n,
        estimate=found.estimate,
        se=found.se,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        df=found.df,
        p=found.p_value,
        clusters=found.clusters,
        assumptions=(RANDOMISED,),
        left_out=dict(used.left_out),
    )


def example_table() -> Mapping[str, Sequence[Any]]:
    """A synthetic trial of twelve clinics in two strata."""
    draws = np.random.default_rng(3)
    clinic = np.repeat(np.arange(12), 25)
    arm, size = clinic % 2, np.where(clinic < 6, "large", "small")
    level = draws.normal(0, 1, 12)[clinic]
    hours = 20 + level - 1.5 * arm + draws.normal(0, 3, len(clinic))
    return {
        "hours": np.round(hours, 2).tolist(),
        "arm": arm.tolist(),
        "clinic": [f"c{one:02d}" for one in clinic],
        "size": size.tolist(),
    }
