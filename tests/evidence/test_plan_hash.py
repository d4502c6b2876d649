"""The hash of a plan that was locked before plans had more fields is still the hash of that plan."""

from datetime import date
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from careplane.evidence import plan_hash
from careplane.records.design import AnalysisMethod, Looks, Minimisation, Switching
from careplane.records.evidence import Assignment, Plan

STORED = Path(__file__).with_name("data") / "plan_of_the_first_release.json"


def stored() -> Plan:
    return msgspec.json.decode(STORED.read_bytes(), type=Plan)


def test_a_plan_locked_by_the_first_release_decodes_and_keeps_its_hash() -> None:
    assert plan_hash(stored()) == stored().hash
    again = msgspec.json.decode(msgspec.json.encode(stored()), type=Plan)
    assert again == stored()
    assert plan_hash(again) == stored().hash


def test_an_arm_drawn_by_the_first_release_decodes() -> None:
    held = msgspec.json.decode('{"plan":"p","unit":"u","arm":"control","stratum":"s"}', type=Assignment)
    assert held == Assignment(plan="p", unit="u", arm="control", stratum="s")


@pytest.mark.parametrize(
    "change",
    [
        {"allocation": "minimised"},
        {"enrol": "first_contact"},
        {"joiners": "allocate"},
        {"block_sizes": (4,)},
        {"minimisation": Minimisation()},
        {"waves": {"Location/clinic-01": date(2026, 3, 9)}},
        {"steps": (date(2026, 3, 9),)},
        {"switching": Switching(period_days=7)},
        {"looks": Looks(kind="always_valid")},
        {"adjust": "none"},
        {"analysis_method": AnalysisMethod(estimator="lmm")},
        {"post_hoc": ("design",)},
        {"small_cell": 11},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_that_is_used_changes_the_hash(change: dict[str, object]) -> None:
    assert plan_hash(replace(stored(), **change)) != stored().hash


def test_what_a_measure_asks_changes_the_hash() -> None:
    first, *others = stored().measures
    changes: list[dict[str, object]] = [
        {"hypothesis": "non_inferiority"},
        {"margin": 0.5},
        {"analysis_method": AnalysisMethod(estimator="gee")},
    ]
    for change in changes:
        asked = replace(stored(), measures=(replace(first, **change), *others))
        assert plan_hash(asked) != stored().hash
