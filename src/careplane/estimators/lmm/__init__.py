"""A linear mixed model: rows within clusters, with the small-sample inference of Satterthwaite or Kenward and Roger.

The cluster has a random intercept, and may have random slopes (correlated with it) and a nested level, such as the
ward within the hospital. Fixed effects are the treatment and covariates; REML.
"""

from collections.abc import Sequence

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats
from careplane.estimators._clusters import example_table
from careplane.estimators._frame import Frame, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import check_rank, design, finite
from careplane.estimators._mixed import (
    INFERENCES,
    NAMED,
    Block,
    Fit,
    Within,
    cells,
    kenward_roger_f,
    likelihood_ratio,
    reml,
    told,
)
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec

FEWEST = 3

INFO = Info(
    name="lmm",
    purpose="A coefficient of a linear mixed model: rows within clusters, Kenward-Roger or Satterthwaite.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("treatment", "column", "whose coefficient is the estimate: 0/1, two texts, or a number", needed=True),
        Key("cluster", "column", "what has a random intercept", needed=True),
        Key("nested", "column", "a level within the cluster that has one too"),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("random_slopes", "columns", "numbers whose effect differs between clusters", default=()),
        Key("joint", "columns", "columns whose coefficients are tested together as zero", default=()),
        Key("se", "choices", "inference; the first is the estimate's", default=("KR",), choices=tuple(INFERENCES)),
        ALPHA,
    ),
    source="Kenward & Roger 1997, Biometrics 53:983; Fai & Cornelius 1996, J Stat Comput Simul 54:363",
    example={"estimator": "lmm", "outcome": "hours", "treatment": "arm", "cluster": "clinic", "covariates": ["size"]},
    made=example_table,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The coefficient of the treatment.

    Raises:
        InputError: a column does not fit, or cannot be told apart from others.
        Refused: fewer than three clusters, or too many different rows in one.
    """
    named = [spec["outcome"], spec["treatment"], spec["cluster"], *spec["covariates"], *spec["random_slopes"]]
    used = frame.complete([*named, *([spec["nested"]] if "nested" in spec else [])])
    y, arm = finite(used, spec["outcome"]), _treatment(used, spec["treatment"])
    cluster, names = used.labels(spec["cluster"])
    if len(names) < FEWEST:
        raise Refused([f"{len(names)} clusters tell nothing of how they vary."], "Use cluster_ols without clusters.")
    columns = dict(used.columns) | {spec["treatment"]: arm}
    built = design(Frame(columns, used.line, used.left_out), [spec["treatment"], *spec["covariates"]])
    check_rank(built, [spec["treatment"]])
    slopes = [finite(used, name) for name in spec["random_slopes"]]
    nested = used.labels(spec["nested"])[0].astype(np.float64) if "nested" in spec else None
    blocks, within = _blocks(y, built.x, cluster, slopes, nested)
    fit = reml(blocks, within)
    contrast = np.eye(built.x.shape[1])[1]
    found = {name: INFERENCES[name](fit, contrast) for name in spec["se"]}
    first = found[spec["se"][0]]
    ends = interval(first.value, first.se, first.df, spec["alpha"])
    return Result(
        method=f"linear mixed model, {NAMED[spec['se'][0]]}",
        n=len(y),
        estimate=first.value,
        se=first.se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=None if np.isinf(first.df) else first.df,
        p=ends.p,
        clusters=len(names),
        details={
            "se": {name: told(one) for name, one in found.items()},
            "variance": dict(zip(_parts(spec), map(float, fit.theta), strict=True)),
            "fixed": dict(zip(built.names, map(float, fit.beta), strict=True)),
            **_joint(fit, blocks, within, built.names, spec),
        },
        warnings=_warnings(fit, len(names)),
        assumptions=(Assumption(name="random effects are normal", held=None, text="And the same in both arms."),),
        left_out=dict(used.left_out),
    )


def _treatment(used: Frame, name: str) -> Floats:
    arm = finite(used, name) if used.column(name).dtype == np.float64 else used.binary(name)
    varies(arm, name)
    return arm


def _joint(
    fit: Fit, blocks: Sequence[Block], within: Within, names: Sequence[str], spec: Spec
) -> dict[str, dict[str, float | None]]:
    """The tests of several coefficients: Kenward-Roger's F, and the likelihood ratio where variances are plain."""
    places: list[int] = []
    for name in spec["joint"]:
        own = [i for i, one in enumerate(names) if one == name or one.startswith(f"{name}=")]
        if not own:
            raise InputError(f"{name} is neither the treatment nor a covariate", field="joint")
        places += own
    if not places:
        return {}
    tested = kenward_roger_f(fit, np.eye(len(names))[places])
    told: dict[str, float | None] = {"f": tested.f, "ndf": tested.ndf, "ddf": tested.ddf, "p": tested.p}
    if not spec["random_slopes"]:
        chi2, p = likelihood_ratio(blocks, within, places)
        told |= {"lr_chi2": chi2, "lr_p": p}
    return {"joint": told}


def _blocks(
    y: Floats, x: Floats, cluster: np.ndarray, slopes: Sequence[Floats], nested: Floats | None
) -> tuple[list[Block], Within]:
    more = [*slopes, *([nested] if nested is not None else [])]
    table = np.column_stack(more) if more else np.zeros((len(y), 0))
    places, mean, rows_x, count, kept, within = cells(y, x, cluster, table)
    blocks = []
    for rows in places:
        own = kept[rows]
        parts = [np.ones((len(rows), len(rows)))]
        for i in range(len(slopes)):
            z = own[:, i]
            parts += [np.outer(z, z), z[:, None] + z]
        if nested is not None:
            parts.append((own[:, -1][:, None] == own[:, -1]).astype(np.float64))
        blocks.append(Block(mean[rows], rows_x[rows], count[rows], tuple(parts)))
    return blocks, within


def _parts(spec: Spec) -> list[str]:
    slopes = [part for name in spec["random_slopes"] for part in (f"slope of {name}", f"covariance with {name}")]
    return ["residual", "cluster", *slopes, *(["nested"] if "nested" in spec else [])]


def _warnings(fit: Fit, clusters: int) -> tuple[str, ...]:
    told = []
    if len(fit.active) < len(fit.theta):
        told.append("A variance between clusters is estimated as zero; the interval takes it as known to be.")
    if clusters < 6:
        told.append(f"{clusters} clusters tell little of how clusters vary; exact_permutation needs no such model.")
    return tuple(told)
