"""Power and sample size of the designs of a roll-out, before anybody is randomised.

Two means, risks or rates, by unit or by cluster (with the variation of cluster sizes: Eldridge et al. 2006, Int J
Epidemiol 35:1292; degrees of freedom from the number of clusters), the stepped wedge by the generalised least squares
of cluster-period means (Hussey & Hughes 2007, Contemp Clin Trials 28:182), with an effect that varies between clusters
(Hughes et al. 2015, Contemp Clin Trials 45:55) or a cluster autocorrelation (Hooper et al. 2016, Stat Med 35:4718),
difference in differences, an interrupted series, and a switchback. Superiority, or not worse by a margin. Give the size
for the power, or the power for the size.
"""

from careplane.estimators._frame import Frame
from careplane.estimators._spec import ALPHA, Info, Key, Result, Spec
from careplane.estimators.power._designs import DESIGNS, MOST
from careplane.estimators.power._effect import read_effect

INFO = Info(
    name="power",
    purpose="Power for a size, or the size for a power, of each design: means, risks or rates.",
    keys=(
        Key("design", "choice", "how arms are assigned", needed=True, choices=tuple(DESIGNS)),
        Key("effect", "number", "difference to detect (proportions: leave it out and give p_control and p_treated)"),
        Key("sd", "number", "standard deviation of the outcome between units (its: of a period's value)", least=1e-12),
        Key("p_control", "number", "risk without the intervention", least=0, most=1),
        Key("p_treated", "number", "risk with it", least=0, most=1),
        Key("rate_control", "number", "events per unit of time without the intervention", least=1e-12),
        Key("rate_treated", "number", "events per unit of time with it", least=1e-12),
        Key("exposure", "number", "time (or persons) that a unit or period is watched", 1.0, least=1e-12),
        Key("dispersion", "number", "of counts beyond Poisson: variance = mean + this x mean^2", 0.0, least=0),
        Key("hypothesis", "choice", "what is to be shown", "superiority", choices=("superiority", "non_inferiority")),
        Key("margin", "number", "not worse by more than this (rates: relative, 0.2 is 20 %)", least=1e-12),
        Key("better", "choice", "which way the outcome is better (margin)", "higher", choices=("higher", "lower")),
        Key("baseline_r", "number", "correlation with a baseline that is adjusted for", 0.0, least=-0.999, most=0.999),
        Key("n", "integer", "units per arm (individual)", least=2, most=MOST),
        Key("clusters", "integer", "clusters per arm (cluster, did), or in all (stepped wedge)", least=1, most=100_000),
        Key("cluster_size", "number", "units per cluster (stepped wedge, did: and period)", least=1, most=1e7),
        Key("size_cv", "number", "coefficient of variation of the cluster sizes", 0.0, least=0, most=10),
        Key("icc", "number", "intracluster correlation (switchback: within a block)", least=0, most=0.999),
        Key("between_cv", "number", "coefficient of variation of rates between clusters", least=0, most=10),
        Key("cac", "number", "cluster autocorrelation from period to period", 1.0, least=0, most=1),
        Key("steps", "integer", "steps at which clusters begin (stepped wedge)", least=1, most=200),
        Key("extra_periods", "integer", "periods after all have begun", 0, least=0, most=200),
        Key("tau", "number", "standard deviation between clusters, instead of icc", least=0),
        Key("eta", "number", "standard deviation of the effect between clusters", 0.0, least=0),
        Key("rho", "number", "correlation of level and effect of a cluster", 0.0, least=-1, most=1),
        Key("before", "integer", "periods before the change (did, its)", least=1, most=2_000),
        Key("after", "integer", "periods after it (did, its)", least=1, most=2_000),
        Key("autocorrelation", "number", "of errors of neighbouring periods (its)", 0.0, least=-0.99, most=0.99),
        Key("change", "choice", "what changes (its)", "level", choices=("level", "slope", "level_and_slope")),
        Key("controls", "integer", "control series beside it (its)", 0, least=0, most=10_000),
        Key("blocks", "integer", "blocks of time in all (switchback)", least=4, most=2_000_000),
        Key("block_size", "integer", "rows in a block (switchback)", least=1, most=MOST),
        Key("washout", "integer", "rows left out at the start of a block", 0, least=0, most=MOST),
        Key("power", "number", "power to reach; the size is the answer then", least=0.01, most=0.9999),
        ALPHA,
    ),
    source=(
        "Hussey & Hughes 2007, Contemp Clin Trials 28:182; Eldridge et al. 2006, Int J Epidemiol 35:1292; "
        "Hayes & Bennett 1999, Int J Epidemiol 28:319; Zhu & Lakkis 2014, Stat Med 33:376"
    ),
    example={"estimator": "power", "design": "cluster", "effect": 1.5, "sd": 6, "clusters": 12, "cluster_size": 40}
    | {"icc": 0.05},
)


def estimate(_frame: Frame | None, spec: Spec) -> Result:
    """The power, or the size that reaches it (units per arm, clusters, periods or blocks).

    Raises:
        InputError: something that the design needs is missing, or no size reaches the power.
    """
    effect = read_effect(spec)
    power, size, what = DESIGNS[spec["design"]](spec, effect)
    told = {"effect": effect.size, "sd": effect.sd, "size": size, "what": what, "power": power}
    beside = f", {spec['hypothesis'].replace('_', '-')}" if spec["hypothesis"] != "superiority" else ""
    return Result(
        method=f"power, {spec['design'].replace('_', ' ')}{beside}",
        n=size,
        estimate=float(size) if "power" in spec else power,
        details=told,
        warnings=_warnings(spec, size),
    )


def _warnings(spec: Spec, size: int) -> tuple[str, ...]:
    design = spec["design"]
    if design in ("cluster", "did") and size < 3:
        return ("With fewer than six clusters in all only an exact test is valid, and it can hardly reach 5 %.",)
    if design == "stepped_wedge" and size < 12:
        return ("With few clusters the analysis needs Kenward-Roger, and the power is lower than this.",)
    if design == "its":
        return ("That the trend would have gone on is an assumption; no number of periods tests it.",)
    return ()
