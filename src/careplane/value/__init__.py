"""Value: costs, value by purse, claim netting, the Triple Aim grid and platform economics."""

from careplane.value.aims import newest_results, triple_aim
from careplane.value.benefit import cash_per_year, fixed_usd, model_usd_per_run, time_value, value_of
from careplane.value.claims import DoubleClaim, double_claims
from careplane.value.costs import costs_by_category, find_costs, import_costs
from careplane.value.economics import (
    ExperienceCurve,
    break_even_apps,
    experience_curve,
    inference_per_year,
    productivity_dip,
)
from careplane.value.effectiveness import effectiveness

__all__ = [
    "DoubleClaim",
    "ExperienceCurve",
    "break_even_apps",
    "cash_per_year",
    "costs_by_category",
    "double_claims",
    "effectiveness",
    "experience_curve",
    "find_costs",
    "fixed_usd",
    "import_costs",
    "inference_per_year",
    "model_usd_per_run",
    "newest_results",
    "productivity_dip",
    "time_value",
    "triple_aim",
    "value_of",
]
