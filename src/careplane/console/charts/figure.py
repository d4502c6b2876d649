"""Drawing: one theme, colours that follow the page's light or dark scheme, and a cache by content."""

from functools import lru_cache
from typing import Any

import altair as alt
import msgspec
import vl_convert
from markupsafe import Markup

from careplane.records import Record

INK, LINE, MUTED = "#14202b", "#d7dfe6", "#52616e"
GOOD, CAUTION, BAD, ACCENT = "#0072b2", "#e69f00", "#d55e00", "#0b63ce"

_VARIABLES = {
    INK: "var(--ink)",
    LINE: "var(--line)",
    MUTED: "var(--muted)",
    ACCENT: "var(--accent)",
}
_FONT = "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 13,
        "titleFontSize": 13,
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelLimit": 280,
    },
    "legend": {"labelColor": MUTED, "labelFontSize": 13, "symbolType": "square"},
    "text": {"color": INK, "fontSize": 13},
    "title": {"color": INK, "fontSize": 15, "anchor": "start"},
}


class Figure(Record, frozen=True):
    """A chart as a reader gets it: the drawing, one sentence that says what it shows, and its data as a table."""

    svg: str
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def drawing(self) -> Markup:
        """The SVG for a page: neutral inks follow the light or dark scheme."""
        svg = self.svg
        for colour, variable in _VARIABLES.items():
            svg = svg.replace(f'"{colour}"', f'"{variable}"')
        return Markup(svg)  # noqa: S704 - drawn by us; Vega escapes the labels

    @property
    def printed(self) -> Markup:
        """The SVG for paper: plain colours."""
        return Markup(self.svg)  # noqa: S704 - as above


Layer = alt.Chart | alt.LayerChart


def draw(chart: Layer) -> str:
    """The SVG of a chart. Drawn once per content; each form of a chart is held against the Vega-Lite schema once."""
    return _draw(chart.configure(**_CONFIG).to_json(indent=None, validate=False))


@lru_cache(maxsize=256)
def _draw(spec: str) -> str:
    _check(msgspec.json.encode(_without_rows(msgspec.json.decode(spec))).decode())
    return str(vl_convert.vegalite_to_svg(spec))


@lru_cache(maxsize=256)
def _check(form: str) -> None:
    """Hold a chart against the schema: that takes several times as long as drawing it, and its rows change nothing."""
    alt.Chart.from_json(form)


def _without_rows(spec: Any) -> Any:
    """A specification without the rows of its data; small multiples have one form then."""
    if isinstance(spec, list):
        return [_without_rows(one) for one in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        name: {**one, "values": []} if name == "data" and "values" in one else _without_rows(one)
        for name, one in spec.items()
    }


def values(rows: list[dict[str, object]]) -> alt.Data:
    """Rows as inline data of a chart."""
    return alt.Data(values=rows)  # type: ignore[no-untyped-call]
