"""The figures: limits of an XmR chart, margins of an effect, and drawings that hold no colour of one scheme only."""

from hypothesis import given
from hypothesis import strategies as st

from careplane.console.charts import use_figure, xmr_figure
from careplane.console.charts.use import xmr_limits
from careplane.console.draft import draft_lines
from careplane.records.run import Draft


def test_xmr_limits_of_a_worked_example() -> None:
    # Mean 11, moving ranges 2, 4 and 6, whose mean is 4: the limits are 11 ± 2.66 * 4 = 11 ± 10.64.
    mean, low, high = xmr_limits([10, 12, 8, 14])
    assert round(mean, 4) == 11
    assert round(high - mean, 4) == round(mean - low, 4) == 10.64


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.floats(-1e6, 1e6))
def test_xmr_limits_move_with_the_data(points: list[float], shift: float) -> None:
    before, after = xmr_limits(points), xmr_limits([point + shift for point in points])
    for one, other in zip(before, after, strict=True):
        assert abs(one + shift - other) < 1e-3


def test_xmr_figure_counts_points_outside() -> None:
    calm = xmr_figure("Turnaround", "hours", [(f"2026-01-{day:02}", 10 + day % 2) for day in range(1, 13)])
    assert "every point lies within the limits" in calm.sentence
    values = [10.0] * 24
    values[5] = 100.0
    wild = xmr_figure("Turnaround", "hours", [(f"2026-01-{day:02}", value) for day, value in enumerate(values, 1)])
    assert "1 of 24 points lie outside the limits" in wild.sentence


def test_a_figure_has_a_drawing_a_sentence_and_its_table() -> None:
    figure = use_figure([("2026-01-05", {"accepted": 3, "edited": 1, "rejected": 2})])
    assert figure.sentence == "Of 6 drafts reviewed, 4 were signed (1 of them edited)."
    assert figure.rows == (("2026-01-05", "3", "1", "2", "0"),)
    assert "var(--muted)" in figure.drawing
    assert "var(" not in figure.printed


@given(st.lists(st.sampled_from(["A b [1].", "C d [1, 2]?", "E f!", "G"]), max_size=8), st.sampled_from([" ", "\n\n"]))
def test_lines_of_a_draft_lose_no_word(sentences: list[str], between: str) -> None:
    draft = Draft(text=between.join(sentences), sentences=tuple(sentences), sources=(), findings=())
    lines = draft_lines(draft)
    assert len(lines) == len(sentences)
    bare = draft.text.replace(" [1, 2]", "").replace(" [1]", "")
    assert "".join(line.before + line.text for line in lines) == bare
    assert [line.cites for line in lines] == [
        (1,) if "[1]" in one else (1, 2) if "[1, 2]" in one else () for one in sentences
    ]
