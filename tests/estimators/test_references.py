"""Every published figure that the shelf is held to, through ``careplane estimate SPEC.yaml --json``.

The figures and their data are in the shared folder of references (``reference.json``, D1 to D14), which is beside the
repository and not part of it; some of the data may not be copied. Tolerances are those that the file states.
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from careplane.cli.estimate import command

EVIDENCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "evidence"
needs_data = pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")

Rows = list[dict[str, Any]]
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One specification, and what its answer holds: path in the answer, expected value, tolerance (rel or abs)."""

    id: str
    name: str
    spec: Mapping[str, Any]
    wanted: Callable[[Given], Iterable[tuple[str, float, Mapping[str, float]]]]
    data: Callable[[], Rows] | None = None
    slow: bool = False


def read(name: str, delimiter: str = ",") -> Rows:
    with gzip.open(EVIDENCE / name, "rt") as lines:
        return [dict(row) for row in csv.DictReader(lines, delimiter=delimiter)]


def mlda() -> Rows:
    rows = [row for row in read("mortality_rates_mlda.csv.gz") if row["cause"] == "Motor Vehicle"]
    return [row for row in rows if int(row["year"]) <= 1983 and row["beertaxa"] not in ("", "NA")]


def star(ethnicity: str | None = None) -> Rows:
    kept = [row for row in read("star_kindergarten.csv.gz") if "NA" not in (row["readk"], row["mathk"], row["stark"])]
    for row in kept:
        row["score"] = int(row["readk"]) + int(row["mathk"])
        row["small"], row["aide"] = int(row["stark"] == "small"), int(row["stark"] == "regular+aide")
        row["black"] = int(row["ethnicity"] == "afam")
        row["small_black"], row["aide_black"] = row["small"] * row["black"], row["aide"] * row["black"]
    return [row for row in kept if ethnicity is None or row["ethnicity"] == ethnicity]


def beets() -> Rows:
    rows = read("beets.csv.gz")
    return [row | {"plot": f"{row['block']} {row['harvest']}"} for row in rows]


def prop99() -> Rows:
    rows = read("california_prop99.csv.gz", ";")
    starts = {row["State"]: row["Year"] for row in reversed(rows) if row["treated"] == "1"}
    return [row | {"start": starts.get(row["State"], "0")} for row in rows]


def coins(events: int, n: int) -> Callable[[], Rows]:
    return lambda: [{"y": int(i < events)} for i in range(n)]


def lalonde() -> Rows:
    causaldata = pytest.importorskip("causaldata")
    table = causaldata.nsw_mixtape.load_pandas().data
    found: Rows = table[["treat", "re78"]].to_dict("records")
    return found


WAGE = {"outcome": "lemp", "unit": "countyreal", "time": "year", "first_treated": "first.treat"}
SMOKE = {"outcome": "PacksPerCapita", "unit": "State", "time": "Year", "treatment": "treated"}
BAN = {"estimator": "its", "outcome": "aces", "time": "time", "treatment": "smokban", "offset": "stdpop"}
CLASS = {"estimator": "cluster_ols", "outcome": "score", "se": ["HC1"]}
DRINK = {"estimator": "cluster_ols", "outcome": "mrate", "treatment": "legal", "covariates": ["beertaxa"]} | {
    "cluster": "state",
    "fixed_effects": ["state", "year"],
    "se": ["CR2", "CR1"],
}
PLOTS = {"estimator": "lmm", "outcome": "sugpct", "treatment": "harvest", "cluster": "plot"} | {
    "covariates": ["sow", "block"]
}
WEDGE = {"treatment": "trt", "cluster": "cluster"}
EPT = {"estimator": "power", "design": "stepped_wedge", "p_control": 0.05, "p_treated": 0.035} | {
    "clusters": 24,
    "steps": 4,
    "cluster_size": 120,
    "tau": 0.01,
}
LOOK = {"estimator": "uniform_boundary", "v": 100, "best_at": 100}


def near(*wanted: tuple[str, str], **tolerance: float) -> Callable[[Given], Any]:
    """Pairs of (path in the answer, path in the expected figures)."""
    return lambda expected: [(ours, at(expected, theirs), tolerance) for ours, theirs in wanted]


def at(found: Any, path: str) -> Any:
    for key in path.split("/"):
        found = found[int(key)] if isinstance(found, list) else found[key]
    return found


def group_time(expected: Given) -> list[tuple[str, float, Mapping[str, float]]]:
    cells = expected["att_gt_reg_nevertreated_nocov"].items()
    told = [(f"details/group_time/{key.removeprefix('pre ')}/estimate", value, {"abs": 1e-4}) for key, value in cells]
    events = expected["event"].items()
    return told + [(f"details/event_study/{key}/estimate", value, {"abs": 1e-4}) for key, value in events]


def thresholds(expected: Given) -> list[tuple[str, float, Mapping[str, float]]]:
    names = {"EIB": "net_benefit", "CEAC": "acceptability", "EVPI": "evpi"}
    return [
        (f"details/thresholds/{k}/{ours}", value, {"rel": 1e-6})
        for theirs, ours in names.items()
        for k, value in expected[theirs].items()
    ]


def ratio(name: str) -> Callable[[Given], Any]:
    return near(("estimate", f"{name}/0"), ("ci_low", f"{name}/1"), ("ci_high", f"{name}/2"), abs=1e-5)


def mixed(name: str) -> Callable[[Given], Any]:
    def wanted(expected: Given) -> list[tuple[str, float, Mapping[str, float]]]:
        one = expected[name]
        plain = "details/se/satterthwaite"
        return [
            ("estimate", one["beta"], {"abs": 1e-4}),
            ("se", one["kr_se"], {"abs": 1e-4}),
            ("df", one["kr_df"], {"rel": 1e-3}),
            (f"{plain}/se", one["se"], {"abs": 1e-4}),
            (f"{plain}/df", one["satt_df"], {"rel": 1e-3}),
        ]

    return wanted


def printed(name: str, decimals: int) -> Callable[[Given], Any]:
    """Figures of which that many decimals are printed."""
    half = 0.5 * 10**-decimals
    return lambda expected: [
        ("estimate", expected[name]["beta"], {"abs": half}),
        ("se", expected[name]["se"], {"abs": half / 10}),
        ("df", expected[name]["df"], {"abs": 0.05}),
    ]


def both(*checks: Callable[[Given], Any]) -> Callable[[Given], Any]:
    return lambda expected: [one for check in checks for one in check(expected)]


STAGGERED = {"estimator": "staggered_did", **WAGE}
CHECKS = [
    Check(
        "D1",
        "callaway_santanna",
        {**STAGGERED, "adjustment": "reg"},
        both(
            group_time,
            near(("estimate", "simple/0"), abs=1e-8),
            near(("se", "simple/1"), ("details/dynamic/se", "dynamic_overall/1"), rel=0.05),
            near(("details/dynamic/estimate", "dynamic_overall/0"), abs=1e-4),
            near(("details/pretrend/p", "pretest_p"), abs=1e-5),
        ),
        lambda: read("mpdta.csv.gz"),
    ),
    Check(
        "D1",
        "twfe",
        {**STAGGERED, "method": "twfe"},
        near(("estimate", "twfe"), abs=1e-8),
        lambda: read("mpdta.csv.gz"),
    ),
    Check(
        "D1",
        "imputation",
        {**STAGGERED, "method": "imputation"},
        near(("estimate", "bjs_imputation"), abs=1e-8),
        lambda: read("mpdta.csv.gz"),
    ),
    Check(
        "D1",
        "doubly robust",
        {**STAGGERED, "covariates": ["lpop"]},
        both(near(("estimate", "dr_lpop_simple/0"), abs=1e-7), near(("se", "dr_lpop_simple/1"), rel=0.05)),
        lambda: read("mpdta.csv.gz"),
    ),
    Check(
        "D2",
        "two stages",
        {"estimator": "staggered_did", "outcome": "dep_var", "unit": "unit", "time": "year", "first_treated": "g"}
        | {"cluster": "state", "method": "two_stage", "effect": "state"},
        near(("estimate", "static/0"), ("se", "static/1"), abs=5e-4),
        lambda: read("did2s_df_het.csv.gz"),
    ),
    Check(
        "D3",
        "sdid",
        {"estimator": "sdid", **SMOKE, "se": "none"},
        both(
            near(("estimate", "sdid"), abs=1e-3),
            near(*((f"details/time_weights/{year}", f"lambda_top/{year}") for year in (1986, 1987, 1988)), abs=1e-3),
        ),
        prop99,
    ),
    Check(
        "D3",
        "synthetic control",
        {"estimator": "synthetic_control", **SMOKE, "se": "none"},
        near(("estimate", "sc"), abs=1e-3),
        prop99,
    ),
    *(
        Check(
            "D3",
            f"placebos of {name}",
            {"estimator": name, **SMOKE, "replications": 100},
            near(("se", f"published_se/{key}"), rel=0.3),
            prop99,
            slow=True,
        )
        for name, key in (("sdid", "sdid"), ("synthetic_control", "sc"))
    ),
    Check(
        "D3",
        "did",
        {"estimator": "staggered_did", "outcome": "PacksPerCapita", "unit": "State", "time": "Year"}
        | {"first_treated": "start", "method": "twfe"},
        near(("estimate", "did"), abs=1e-3),
        prop99,
    ),
    Check(
        "D4", "poisson", {**BAN, "family": "poisson"}, ratio("poisson_RR"), lambda: read("sicily_smoking_ban.csv.gz")
    ),
    Check(
        "D4",
        "quasipoisson",
        {**BAN, "family": "quasipoisson"},
        both(ratio("quasi_RR"), near(("details/dispersion", "dispersion_quasi"), abs=1e-5)),
        lambda: read("sicily_smoking_ban.csv.gz"),
    ),
    Check(
        "D4",
        "seasons",
        {**BAN, "family": "quasipoisson", "harmonics": 2, "period": 12},
        both(ratio("seasonal_RR"), near(("details/dispersion", "seasonal_dispersion"), abs=1e-5)),
        lambda: read("sicily_smoking_ban.csv.gz"),
    ),
    Check(
        "D5",
        "small",
        {**CLASS, "treatment": "small", "covariates": ["aide"]},
        near(("n", "n"), ("estimate", "small/0"), ("se", "small/1"), abs=1e-4),
        star,
    ),
    Check(
        "D5",
        "aide",
        {**CLASS, "treatment": "aide", "covariates": ["small"]},
        near(("estimate", "aide/0"), ("se", "aide/1"), abs=1e-4),
        star,
    ),
    Check(
        "D5",
        "experience",
        {**CLASS, "treatment": "small", "covariates": ["aide", "experiencek"]},
        near(("estimate", "small_exper/0"), ("se", "small_exper/1"), abs=1e-4),
        star,
    ),
    Check(
        "D5",
        "schools",
        {**CLASS, "treatment": "small", "covariates": ["aide", "experiencek"], "fixed_effects": ["schoolidk"]},
        near(("estimate", "small_exper_schoolFE_HC1/0"), ("se", "small_exper_schoolFE_HC1/1"), abs=1e-4),
        star,
    ),
    Check(
        "D5",
        "CR2",
        {"estimator": "cluster_ols", "outcome": "score", "treatment": "small", "covariates": ["aide"]}
        | {"fixed_effects": ["schoolidk"], "cluster": "schoolidk", "se": ["CR2"]},
        lambda e: [
            ("estimate", e["small_schoolFE_CR2"][0], {"abs": 1e-4}),
            ("se", e["small_schoolFE_CR2"][1], {"abs": 5e-3}),
            ("df", e["small_schoolFE_CR2"][2], {"abs": 5e-2}),
        ],
        star,
    ),
    Check(
        "D5",
        "black",
        {**CLASS, "treatment": "small", "covariates": ["aide"]},
        near(("estimate", "black_small"), abs=1e-4),
        lambda: star("afam"),
    ),
    Check(
        "D5",
        "white",
        {**CLASS, "treatment": "small", "covariates": ["aide"]},
        near(("estimate", "white_small"), abs=1e-4),
        lambda: star("cauc"),
    ),
    Check(
        "D5",
        "interaction",
        {**CLASS, "treatment": "small_black", "covariates": ["small", "aide", "black", "aide_black"]},
        near(("estimate", "interaction_HC1/0"), ("se", "interaction_HC1/1"), abs=1e-4),
        lambda: [row for row in star() if row["ethnicity"] in ("afam", "cauc")],
    ),
    Check(
        "D6",
        "unweighted",
        DRINK,
        both(
            near(("n", "n"), ("estimate", "unweighted/beta"), rel=1e-6),
            near(("se", "unweighted/CR2_se"), ("df", "unweighted/df"), ("p", "unweighted/p"), rel=1e-6),
            near(("details/se/CR1/se", "unweighted/CR1_se"), abs=5e-3),
            near(("details/se/CR1/p", "unweighted/CR1_p"), abs=5e-6),
            lambda e: [("details/f", e["table_AHT_F"], {"abs": 5e-4})],
        ),
        mlda,
    ),
    Check(
        "D6",
        "weighted",
        {**DRINK, "weights": "pop"},
        near(
            ("estimate", "weighted_pop/beta"),
            ("se", "weighted_pop/CR2_se"),
            ("df", "weighted_pop/df"),
            ("p", "weighted_pop/p"),
            rel=1e-6,
        ),
        mlda,
    ),
    Check(
        "D7",
        "sleep",
        {"estimator": "lmm", "outcome": "Reaction", "treatment": "Days", "cluster": "Subject"}
        | {"random_slopes": ["Days"], "se": ["KR", "satterthwaite"]},
        near(
            ("estimate", "sleep/days"),
            ("se", "sleep/se"),
            ("df", "sleep/kr_df"),
            ("details/se/satterthwaite/df", "sleep/satt_df"),
            abs=1e-4,
        ),
        lambda: read("sleepstudy.csv.gz"),
    ),
    Check(
        "D7",
        "harvest",
        {**PLOTS, "joint": ["harvest"]},
        near(
            ("details/joint/f", "beets/harvest_F"),
            ("details/joint/ndf", "beets/ndf"),
            ("details/joint/ddf", "beets/ddf"),
            ("details/joint/p", "beets/p"),
            ("details/joint/lr_chi2", "beets/LR_chi2"),
            ("details/joint/lr_p", "beets/LR_p"),
            abs=1e-4,
        ),
        beets,
    ),
    Check(
        "D7",
        "sow",
        {**PLOTS, "joint": ["sow"]},
        near(("details/joint/f", "beets/sow_F"), ("details/joint/ddf", "beets/sow_ddf"), abs=1e-4),
        beets,
    ),
    *(
        Check(
            "D8",
            name,
            {"estimator": "stepped_wedge", "outcome": "outcome_cont", "time": "period", **WEDGE, "model": model}
            | {"se": ["KR", "satterthwaite"]},
            mixed(name),
            lambda: read("sw_data_example.csv.gz"),
        )
        for name, model in (("HH", "hussey_hughes"), ("NE", "nested_exchangeable"))
    ),
    Check(
        "D8",
        "FE_CR2",
        {"estimator": "cluster_ols", "outcome": "outcome_cont", **WEDGE, "fixed_effects": ["cluster", "period"]}
        | {"se": ["CR2"]},
        printed("FE_CR2", 3),
        lambda: read("sw_data_example.csv.gz"),
    ),
    Check(
        "D8",
        "gaussian gee",
        {"estimator": "gee", "outcome": "outcome_cont", **WEDGE, "fixed_effects": ["period"], "se": "robust"},
        near(("estimate", "gee_exch_identity/0"), ("se", "gee_exch_identity/1"), abs=1e-4),
        lambda: read("sw_data_example.csv.gz"),
    ),
    Check(
        "D8",
        "logit gee",
        {"estimator": "gee", "outcome": "outcome_bin", **WEDGE, "fixed_effects": ["period"], "se": "robust"}
        | {"family": "binomial"},
        near(("estimate", "gee_logit/0"), ("se", "gee_logit/1"), abs=1e-4),
        lambda: read("sw_data_example.csv.gz"),
    ),
    Check(
        "D8",
        "logit glmm",
        {"estimator": "glmm", "outcome": "outcome_bin", **WEDGE, "fixed_effects": ["period"]},
        near(("estimate", "glmer_logit/0"), ("se", "glmer_logit/1"), abs=1e-3),
        lambda: read("sw_data_example.csv.gz"),
    ),
    Check("D9", "example 1", EPT, near(("estimate", "ex1"), abs=1e-6)),
    Check("D9", "more periods", {**EPT, "extra_periods": 3}, near(("estimate", "ex2_extra3"), abs=1e-6)),
    Check("D9", "varying effect", {**EPT, "eta": 0.0045}, near(("estimate", "ex3_eta"), abs=1e-6)),
    Check("D9", "correlated", {**EPT, "eta": 0.0045, "rho": 0.4}, near(("estimate", "ex4_rho"), abs=1e-6)),
    Check(
        "D10",
        "normal",
        {**LOOK, "boundary": "normal_mixture"},
        near(("estimate", "two_sided_normal_mixture_bound_v100"), ("details/rho", "best_rho_V100_a05"), abs=1e-5),
    ),
    Check(
        "D10", "one-sided", {**LOOK, "boundary": "normal_mixture_one_sided"}, near(("estimate", "one_sided"), abs=1e-5)
    ),
    Check(
        "D10",
        "gamma-exponential",
        {**LOOK, "boundary": "gamma_exponential", "c": 2},
        near(("estimate", "gamma_exponential_c2"), abs=1e-5),
    ),
    Check(
        "D10",
        "gamma-Poisson",
        {**LOOK, "boundary": "gamma_poisson", "c": 2},
        near(("estimate", "gamma_poisson_c2"), abs=1e-5),
    ),
    Check(
        "D10",
        "stitching",
        {**LOOK, "boundary": "stitching", "c": 3, "v_min": 10},
        near(("estimate", "poly_stitching_v100_a05_vmin10_c3"), abs=1e-5),
    ),
    Check(
        "D10",
        "empirical process",
        {**LOOK, "boundary": "empirical_process", "v": 1000, "v_min": 100, "a": 0.85},
        near(("estimate", "empirical_process_lil_1000_05_100_085"), abs=1e-5),
    ),
    *(
        Check(
            "D10",
            f"double stitching {share}",
            {**LOOK, "boundary": "double_stitching", "v": 1000, "quantile": share},
            near(("estimate", f"double_stitching/{share}"), abs=1e-5),
        )
        for share in (0.5, 0.9, 0.1)
    ),
    *(
        Check(
            "D10",
            f"an event {events} of {n}",
            {"estimator": "confidence_sequence", "outcome": "y", "kind": "event", "best_at": best},
            near(("ci_low", f"{name}/0"), ("ci_high", f"{name}/1"), abs=1e-5),
            coins(events, n),
        )
        for events, n, best, name in (
            (700, 1000, 100, "bernoulli_cs_700_1000_a05_topt100"),
            (15, 50, 50, "bernoulli_15_50"),
        )
    ),
    Check(
        "D11",
        "pocock",
        {"estimator": "group_sequential", "boundary": "pocock", "looks": 5},
        near(*((f"details/critical/{i}", "pocock") for i in range(5)), abs=1e-5),
    ),
    Check(
        "D11",
        "obf",
        {"estimator": "group_sequential", "boundary": "obrien_fleming", "looks": 5},
        near(*((f"details/critical/{i}", f"obf/{i}") for i in range(5)), abs=1e-5),
    ),
    Check(
        "D12",
        "lalonde",
        {"estimator": "difference_in_means", "outcome": "re78", "treatment": "treat", "variance": "pooled"},
        near(
            ("estimate", "ate"),
            ("se", "se_ols"),
            ("details/intervention/n", "n/0"),
            ("details/control/n", "n/1"),
            rel=1e-6,
        ),
        lalonde,
    ),
    Check(
        "D12",
        "robust",
        {"estimator": "cluster_ols", "outcome": "re78", "treatment": "treat", "se": ["HC1", "HC2"]},
        near(("estimate", "ate"), ("details/se/HC1/se", "se_HC1"), ("details/se/HC2/se", "se_HC2"), rel=1e-6),
        lalonde,
    ),
    Check(
        "D13",
        "vaccine",
        {"estimator": "icer", "effects": ["e0", "e1"], "costs": ["c0", "c1"], "highest": 50_000}
        | {"thresholds": [10_000, 20_000, 20_100, 25_000, 30_000, 50_000]},
        both(
            thresholds,
            near(
                ("estimate", "ICER"),
                ("details/effect_difference", "dE"),
                ("details/cost_difference", "dC"),
                ("details/break_even", "k_star"),
                rel=1e-6,
            ),
        ),
        lambda: read("bcea_vaccine_psa.csv.gz"),
    ),
]


def growthbook(name: str, scale: str) -> Check:
    def arm(given: list[float]) -> dict[str, float]:
        if len(given) == 2:
            return {"n": int(given[1]), "events": int(given[0])}
        return {"n": int(given[2]), "sum": given[0], "sum_squares": given[1]}

    if not EVIDENCE.exists():
        return Check("D14", name, {}, lambda e: [])
    expected = figures("D14")
    arms = expected["binom" if name == "binom" else "rel"]
    spec = {"estimator": "difference_in_means", "scale": scale, "alpha": 0.05}
    spec["summary"] = {"control": arm(arms["a"]), "intervention": arm(arms["b"])}
    pairs = [("ci_low", f"{name}/ci/0"), ("ci_high", f"{name}/ci/1"), ("p", f"{name}/p")]
    if name != "binom":
        pairs += [("estimate", f"{name}/expected"), ("se", f"{name}/sd")]
    return Check("D14", name, spec, near(*pairs, abs=1e-5))


def figures(name: str) -> dict[str, Any]:
    references = json.loads((EVIDENCE / "reference.json").read_text(encoding="utf-8"))["references"]
    found: dict[str, Any] = next(one for one in references if one["id"] == name)["expected"]
    return found


CHECKS += [growthbook("rel", "relative"), growthbook("abs", "absolute"), growthbook("binom", "relative")]


def answer(folder: Path, check: Check) -> dict[str, Any]:
    spec = dict(check.spec)
    if check.data is not None:
        rows = check.data()
        with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        spec = {"data": "rows.csv", **spec}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    shown = CliRunner().invoke(command, [str(folder / "spec.yaml"), "--json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


@needs_data
@pytest.mark.parametrize(
    "check",
    [pytest.param(one, id=f"{one.id}-{one.name}", marks=[pytest.mark.slow] * one.slow) for one in CHECKS],
)
def test_the_published_figures(tmp_path: Path, check: Check) -> None:
    found = answer(tmp_path, check)
    wanted = list(check.wanted(figures(check.id)))
    assert wanted
    for path, value, tolerance in wanted:
        assert at(found, path) == pytest.approx(value, rel=tolerance.get("rel"), abs=tolerance.get("abs")), path


@needs_data
def test_every_reference_is_checked() -> None:
    references = json.loads((EVIDENCE / "reference.json").read_text(encoding="utf-8"))["references"]
    assert {one["id"] for one in references} == {one.id for one in CHECKS}
