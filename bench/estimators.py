"""Kenward-Roger on a million rows beside statsmodels' mixed model, and staggered differences beside pyfixest and csdid.

Run ``python bench/estimators.py``. Rows are simulated. statsmodels gets 20,000 rows, for at a hundred thousand it does
not converge (Docs: evidence); ours gets the same rows too, so that both are told at one size. Each peer is installed in
an environment of its own under ``bench/.peers`` and reads the same Parquet file; peak memory is of the whole process.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.lib as pa
import pyarrow.parquet as pq

from _machine import record
from _peers import NotInstalled, peer

ROWS, SMALL = 1_000_000, 20_000
TIMEOUT_S = 600
WEDGE = {"outcome": "y", "treatment": "on", "cluster": "cluster", "time": "period"}
ROLL_OUT = {"outcome": "y", "unit": "unit", "time": "period", "first_treated": "start", "control_group": "notyet"}

PEERS: dict[str, tuple[tuple[str, ...], str]] = {
    "pyfixest": (
        ("pyfixest==0.60.0", "pyarrow==25.0.0"),
        """
import pandas as pd, pyfixest as pf
data = pd.read_parquet(path)
begin = time.perf_counter()
names = {"yname": "y", "idname": "unit", "tname": "period", "gname": "start"}
fit = pf.event_study(data, estimator="saturated", att=True, cluster="unit", **names)
value = None  # it tells effects by cohort and period, no average of them
""",
    ),
    "csdid": (
        ("csdid==0.4.3", "pyarrow==25.0.0"),
        """
import pandas as pd
from csdid.att_gt import ATTgt
data = pd.read_parquet(path)
begin = time.perf_counter()
names = {"yname": "y", "gname": "start", "idname": "unit", "tname": "period", "xformla": "y~1"}
fit = ATTgt(data=data, control_group="notyettreated", **names).fit(est_method="reg")
value = float(fit.aggte(typec="simple").atte["overall_att"])
""",
    ),
}
STATSMODELS = """
import pandas as pd, statsmodels.formula.api as smf
data = pd.read_parquet(path)
begin = time.perf_counter()
fit = smf.mixedlm("y ~ on + C(period)", data, groups="cluster", vc_formula={"cell": "0 + C(period)"}).fit(reml=True)
value, converged = float(fit.params["on"]), bool(fit.converged)
"""
OURS = """
sys.path.insert(0, source)
from careplane._shelf import load
from careplane.cli.table_files import read_table
from careplane.estimators._spec import read_spec
from pathlib import Path
module = load("estimators", name)
frame = read_table(Path(path))
begin = time.perf_counter()
value = module.estimate(frame, read_spec(module.INFO, spec)).estimate
"""


def main() -> None:
    """Measure and record."""
    with tempfile.TemporaryDirectory() as folder:
        large, small, panel = (Path(folder) / f"{name}.parquet" for name in ("large", "small", "panel"))
        write(large, wedge(ROWS))
        write(small, wedge(SMALL))
        write(panel, roll_out(ROWS))
        results: dict[str, Any] = {
            "load_average": round(os.getloadavg()[0], 1),  # of a busy machine compare the seconds of the processor
            "kenward_roger_1m_rows": ours(large, "stepped_wedge", WEDGE),
            f"kenward_roger_{SMALL}_rows": ours(small, "stepped_wedge", WEDGE),
            f"statsmodels_mixedlm_{SMALL}_rows": told(sys.executable, STATSMODELS, small),
            "callaway_santanna_1m_rows": ours(panel, "staggered_did", ROLL_OUT),
            "imputation_1m_rows": ours(panel, "staggered_did", {**ROLL_OUT, "method": "imputation"}),
            "two_stage_1m_rows": ours(panel, "staggered_did", {**ROLL_OUT, "method": "two_stage"}),
            "efficient_1m_rows": ours(panel, "staggered_did", {**ROLL_OUT, "method": "efficient"}),
        }
        for name, (packages, script) in PEERS.items():
            try:
                results[f"{name}_1m_rows"] = told(str(peer(name, packages) / "bin" / "python"), script, panel)
            except NotInstalled as error:
                results[f"{name}_1m_rows"] = {"not_measured": str(error)}
    record("estimators", results)


def wedge(rows: int) -> dict[str, Any]:
    """A stepped wedge of 48 clusters and nine periods, whose levels vary from period to period."""
    draws = np.random.default_rng(1)
    cluster, period = draws.integers(0, 48, rows), draws.integers(0, 9, rows)
    on = (period > cluster % 8).astype(float)
    level = draws.normal(0, 0.3, 48)[cluster] + draws.normal(0, 0.2, (48, 9))[cluster, period]
    return {
        "y": level + 0.1 * period + 0.05 * on + draws.normal(size=rows),
        "on": on,
        "cluster": cluster,
        "period": period,
    }


def roll_out(rows: int) -> dict[str, Any]:
    """Units over ten periods that start in one of three, or never."""
    draws = np.random.default_rng(2)
    units = rows // 10
    unit, period = np.repeat(np.arange(units), 10), np.tile(np.arange(1, 11), units)
    start = np.array([0, 4, 6, 8])[unit % 4]
    since = np.where(start > 0, np.maximum(period - start + 1, 0), 0)
    y = draws.normal(0, 1, units)[unit] + 0.2 * period - 0.1 * since + draws.normal(size=len(unit))
    return {"y": y, "unit": unit, "period": period, "start": start}


def write(path: Path, columns: dict[str, Any]) -> None:
    """A Parquet file."""
    pq.write_table(pa.table(columns), path)  # type: ignore[no-untyped-call]


def ours(path: Path, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """One of the shelf, in a process of its own."""
    source = str(Path(__file__).resolve().parents[1] / "src")
    return told(sys.executable, f"name, spec, source = {name!r}, {spec!r}, {source!r}\n{OURS}", path)


def told(python: str, script: str, path: Path) -> dict[str, Any]:
    """Seconds on the clock and of the processor, peak memory and the estimate, as a process of its own tells them."""
    head = f"import json, resource, sys, time, warnings\nwarnings.simplefilter('ignore')\npath = {str(path)!r}\n"
    head += "cpu = time.process_time()\nconverged = None\n"
    tail = """
print(json.dumps({"estimate": value, "s": round(time.perf_counter() - begin, 2), "whole_cpu_s":
round(time.process_time() - cpu, 2), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
"converged": converged}))
"""
    try:
        done = subprocess.run(
            [python, "-c", head + script + tail], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"not_measured": f"took more than {TIMEOUT_S} s"}
    if done.returncode:
        return {"not_measured": (done.stderr.strip().splitlines() or ["it died without a word"])[-1][:300]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {name: value for name, value in found.items() if value is not None}


if __name__ == "__main__":
    main()
