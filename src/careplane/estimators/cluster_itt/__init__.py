"""Intention-to-treat effect of a cluster-randomised trial: least squares with CR2 and Satterthwaite degrees of freedom.

The estimand is the average over units of analysis (each message counts once). The model is outcome on arm, strata of
the randomisation and the cluster's baseline mean; the variance is the bias-reduced linearisation of Bell & McCaffrey
(2002) as given by Pustejovsky & Tipton (2018, J Bus Econ Stat 36:672), with an identity working model.
"""

import numpy as np
from scipy.special import stdtr, stdtrit

from careplane.errors import InputError, Refused
from careplane.estimators import ClusterData, Estimate, covariates
from careplane.estimators._clusters import CLUSTER_KEYS, answer, cluster_data, example_table
from careplane.estimators._cr2 import Fit, cr2
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Info, Result, Spec

MIN_CLUSTERS = 6
METHOD = "OLS, CR2 with Satterthwaite df"


INFO = Info(
    name="cluster_itt",
    purpose="Two randomised arms of clusters, at least six of them: the average over units.",
    keys=CLUSTER_KEYS,
    source="Pustejovsky & Tipton 2018, J Bus Econ Stat 36:672",
    example={"estimator": "cluster_itt", "outcome": "hours", "treatment": "arm", "cluster": "clinic", "strata": "size"},
    made=example_table,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The effect of the arm from a table.

    Raises:
        InputError, Refused: as :func:`of_clusters`; or a column does not fit.
    """
    data, used = cluster_data(frame, spec)
    return answer(of_clusters(data), used)


def of_clusters(data: ClusterData) -> Estimate:
    """The effect of the arm, with its CR2 interval.

    Raises:
        Refused: fewer than six clusters, where no model-based interval can be trusted.
        InputError: the arm cannot be told apart from strata and baseline.
    """
    clusters = len(np.unique(data.cluster))
    if clusters < MIN_CLUSTERS:
        raise Refused(
            [f"{clusters} clusters are too few for a model-based interval."],
            f"Use exact_permutation, or randomise at least {MIN_CLUSTERS} clusters.",
        )
    design = np.column_stack([data.treated.astype(np.float64), covariates(data.strata, data.baseline)])
    if np.linalg.matrix_rank(design) < design.shape[1] or clusters <= design.shape[1]:
        raise InputError("the arm cannot be told apart from the strata and the baseline: too few clusters per stratum")
    arm_only = np.zeros(design.shape[1])
    arm_only[0] = 1.0
    return _interval(cr2(data.y, design, data.cluster, contrast=arm_only), data)


def _interval(fit: Fit, data: ClusterData) -> Estimate:
    """Turn a fit into an estimate with a t interval on the Satterthwaite degrees of freedom."""
    half = float(stdtrit(fit.df, 1 - data.alpha / 2)) * fit.se
    ratio = abs(fit.estimate) / fit.se if fit.se > 0 else np.inf
    return Estimate(
        estimate=fit.estimate,
        ci_low=fit.estimate - half,
        ci_high=fit.estimate + half,
        p_value=float(2 * stdtr(fit.df, -ratio)),
        n=len(data.y),
        clusters=fit.clusters,
        method=METHOD,
        se=fit.se,
        df=fit.df,
    )
