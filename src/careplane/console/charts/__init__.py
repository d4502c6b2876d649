"""Charts: Altair drawn to SVG offline, each a :class:`Figure` with its sentence and its table."""

from careplane.console.charts.acceptability import acceptability_figure
from careplane.console.charts.cards import reasons_figure
from careplane.console.charts.control import control_figure
from careplane.console.charts.effects import effect_figure
from careplane.console.charts.figure import Figure
from careplane.console.charts.forest import forest_figure
from careplane.console.charts.intervals import IntervalRow, intervals_figure
from careplane.console.charts.looks import curve_figure, looks_figure
from careplane.console.charts.portfolio import funnel_figure, signals_figure
from careplane.console.charts.use import use_figure, xmr_figure

__all__ = [
    "Figure",
    "IntervalRow",
    "acceptability_figure",
    "control_figure",
    "curve_figure",
    "effect_figure",
    "forest_figure",
    "funnel_figure",
    "intervals_figure",
    "looks_figure",
    "reasons_figure",
    "signals_figure",
    "use_figure",
    "xmr_figure",
]
