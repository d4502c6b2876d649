"""Errors per output on a sample worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.error_rate import MEASURE

AT = 1772463600
"""Monday 2 March 2026, 15:00 UTC."""


def run(ident: str, **more: object) -> dict[str, object]:
    return {
        "run": ident, "app": "portal_reply", "status": "draft", "drafted": 1, "at": AT, "patient": "x",
        "clinician": "p1", "unit": "Location/clinic-01", **more,
    }  # fmt: skip


def settled(
    output: str, counts: tuple[int, int, int], probability: float = 1.0, sample: str = "s1"
) -> dict[str, object]:
    names = ("fabrications", "omissions", "inaccuracies")
    return {
        "sample": sample, "run": output, "output": output, "probability": probability,
        **dict(zip(names, counts, strict=True)),
    }  # fmt: skip


def test_errors_of_three_kinds_are_counted_and_weighed_by_how_they_were_drawn() -> None:
    """1 + 2 + 0 in one of four risky ones, all of which were read; 0 and 1 in two of ten others: 5 each.

    The rate of all outputs is (3 + 0 times 5 + 1 times 5) / (1 + 5 + 5), 0.727 errors per output.
    """
    adjudications = [settled("a", (1, 2, 0)), settled("b", (0, 0, 0), 0.2), settled("c", (0, 0, 1), 0.2)]
    rows = rows_in_memory(MEASURE, [], {"runs": [run(one) for one in "abcd"], "adjudications": adjudications})
    assert {key: (row["value"], row["weight"]) for key, row in rows.items()} == {
        "s1/a": (3.0, 1.0),
        "s1/b": (0.0, 5.0),
        "s1/c": (1.0, 5.0),
    }
    total = sum(row["value"] * row["weight"] for row in rows.values())
    assert round(total / sum(row["weight"] for row in rows.values()), 3) == 0.727
    assert [rows["s1/a"][name] for name in ("cluster", "patient", "at")] == ["Location/clinic-01", "x", AT]


def test_an_output_of_two_samples_is_two_rows_and_one_of_no_known_run_is_none() -> None:
    adjudications = [settled("a", (1, 0, 0)), settled("a", (0, 0, 0), sample="s2"), settled("lost", (9, 9, 9))]
    rows = rows_in_memory(MEASURE, [], {"runs": [run("a")], "adjudications": adjudications})
    assert {key: row["value"] for key, row in rows.items()} == {"s1/a": 1.0, "s2/a": 0.0}
