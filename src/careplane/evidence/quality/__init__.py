"""Quality of what models wrote: evaluation of versions, double reading by people, calibrated judges, comparison."""

from careplane.evidence.quality.calibration import Judged, calibrate, judged_rates, usable
from careplane.evidence.quality.compare import compare
from careplane.evidence.quality.double_read import agreements
from careplane.evidence.quality.evaluate import Origin, chart_of, evaluate, evaluate_runs
from careplane.evidence.quality.groups import patient_groups
from careplane.evidence.quality.judge import judge_all, judge_name
from careplane.evidence.quality.keeping import (
    apps_regressed,
    apps_with_quality,
    find_adjudications,
    find_calibrations,
    find_comparisons,
    find_evaluation,
    find_evaluations,
    find_verdicts,
    keep_calibration,
    keep_comparison,
    keep_evaluation,
    keep_verdict,
)
from careplane.evidence.quality.material import Material, of_cases, of_run
from careplane.evidence.quality.rating import adjudicated_rates, rates_by_group
from careplane.evidence.quality.reading import (
    assign,
    find_sampled,
    find_samples,
    keep_reading,
    load_sample,
    load_sampled,
    own_readings,
    pairs,
    readings_to_settle,
    settle,
    waiting_for,
)
from careplane.evidence.quality.sampling import Draw, Groups, draw, split
from careplane.evidence.quality.summary import QualitySummary, summary
from careplane.records.quality import Verdict

__all__ = [
    "Draw",
    "Groups",
    "Judged",
    "Material",
    "Origin",
    "QualitySummary",
    "Verdict",
    "adjudicated_rates",
    "agreements",
    "apps_regressed",
    "apps_with_quality",
    "assign",
    "calibrate",
    "chart_of",
    "compare",
    "draw",
    "evaluate",
    "evaluate_runs",
    "find_adjudications",
    "find_calibrations",
    "find_comparisons",
    "find_evaluation",
    "find_evaluations",
    "find_sampled",
    "find_samples",
    "find_verdicts",
    "judge_all",
    "judge_name",
    "judged_rates",
    "keep_calibration",
    "keep_comparison",
    "keep_evaluation",
    "keep_reading",
    "keep_verdict",
    "load_sample",
    "load_sampled",
    "of_cases",
    "of_run",
    "own_readings",
    "pairs",
    "patient_groups",
    "rates_by_group",
    "readings_to_settle",
    "settle",
    "split",
    "summary",
    "usable",
    "waiting_for",
]
