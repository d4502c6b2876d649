"""The board pack: a printable page with everything leadership needs to decide, and the same as PDF.

Self-contained (no script, no outside file), black and white safe, A4 that also fits Letter. PDF needs the extra
``pdf`` and Pango, which on Debian is ``libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0``.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from careplane.alignment import GATES, decisions, find_items, funnel, headline, must_pause, signals
from careplane.console.charts import effect_figure, forest_figure, funnel_figure, signals_figure
from careplane.console.context import ConsoleContext
from careplane.console.pages.counts import run_counts
from careplane.console.pages.value import AIMS, PURSES, SHOWN_STAGES
from careplane.console.paper import write_pdf
from careplane.console.rendering import render
from careplane.console.worth import live_gate, value_now
from careplane.errors import MissingExtra
from careplane.evidence import load_plan
from careplane.records.evidence import Result
from careplane.records.portfolio import DecisionItem, Gate, RegisterItem
from careplane.value import newest_results, triple_aim

DECISIONS_SHOWN = 3
STOPS_SHOWN = 2
GATES_SHOWN = 3
_LOG = logging.getLogger(__name__)


def board_pack(context: ConsoleContext, out: Path, *, summary: Mapping[str, Any]) -> list[Path]:
    """Write ``board-pack.html`` and, where WeasyPrint works, ``board-pack.pdf``.

    Args:
        context: the installation.
        out: the folder; made when missing.
        summary: the figures of ``summary.json``; of them the pack prints seed, true effects and ledger state.

    Returns:
        The files that were written. Without the extra ``pdf`` that is the HTML only, and the log says what to install.
    """
    out.mkdir(parents=True, exist_ok=True)
    page = out / "board-pack.html"
    html = render("board_pack.html", **_values(context, summary))
    page.write_text(html, encoding="utf-8")
    try:
        return [page, write_pdf(html, out / "board-pack.pdf")]
    except MissingExtra as error:
        _LOG.warning("The board pack was written as HTML only. %s", error)
        return [page]


def _values(context: ConsoleContext, summary: Mapping[str, Any]) -> dict[str, Any]:
    store, now = context.store, context.clock()
    today = now.date()
    stages, signs = funnel(store, today), signals(store, today)
    results = newest_results(store)
    waiting, every = decisions(store, today), decisions(store, today, open_only=False)
    shown = [item for item in find_items(store) if item.stage in SHOWN_STAGES]
    cells = triple_aim(store, shown, results, context.measures)
    measured = {cell.item for cell in cells if cell.status == "measured"}
    return {
        "context": context,
        "now": now,
        "today": today,
        "headline": headline(store, today, signs),
        "summary": summary,
        "data_hash": hashlib.sha256(msgspec.json.encode(summary, order="deterministic")).hexdigest(),
        "head": context.ledger.head,
        "stages": {stage.stage: stage.now for stage in stages},
        "funnel": funnel_figure(stages, width=560),
        "signs": signs,
        "signals": signals_figure(signs, width=600),
        "runs": run_counts(store),
        "waiting": waiting[:DECISIONS_SHOWN],
        "late": sum(one.due_on < today for one in waiting),
        "stops": _proposed_stops(shown, results),
        "pauses": [one for one in waiting if must_pause(one, today)],
        "made": _latest(every)[:DECISIONS_SHOWN],
        "gates": _gates(context, every),
        "studies": [_study(context, result) for result in results.values()],
        "truths": [effect for effect in summary.get("effects", ()) if effect.get("truth") is not None],
        "items": [item for item in shown if item.id in measured] or shown[:10],
        "unmeasured": len([item for item in shown if item.id not in measured]) if measured else 0,
        "cells": {(cell.item, cell.aim): cell for cell in cells},
        "aims": AIMS,
        "purses": PURSES,
        "values": [value for item in shown if (value := value_now(context, item, results.get(item.id))).costs],
        "titles": {item.id: item.title for item in find_items(store)},
    }


def _proposed_stops(items: Sequence[RegisterItem], results: Mapping[str, Result]) -> list[tuple[RegisterItem, str]]:
    """Uses whose own evidence speaks for stopping: harm on a measure, or no worthwhile effect on the primary one."""
    found = []
    for item in items:
        for effect in results[item.id].effects if item.id in results else ():
            weak = effect.role == "primary" and effect.verdict == "no worthwhile effect"
            if effect.verdict == "harm" or weak:
                found.append((item, effect.sentence))
                break
    return found[:STOPS_SHOWN]


def _gates(context: ConsoleContext, every: Sequence[DecisionItem]) -> list[Gate]:
    """The gate of the latest decision, then the gates that open decisions wait for."""
    gated = [one for one in every if one.gate in GATES]
    shown = [*_latest(gated)[:1], *(one for one in gated if one.outcome is None)]
    return [live_gate(context, one.item, one.gate) for one in shown[:GATES_SHOWN]]


def _latest(every: Sequence[DecisionItem]) -> list[DecisionItem]:
    """What was decided, newest first."""
    return sorted((one for one in every if one.decided_at), key=lambda one: str(one.decided_at), reverse=True)


def _study(context: ConsoleContext, result: Result) -> dict[str, Any]:
    """One plan with its figures for paper."""
    effects = {effect.measure: effect for effect in result.effects}
    names = [name for name in dict.fromkeys(row.measure for row in result.equity) if name in effects]
    return {
        "plan": load_plan(context.store, result.plan),
        "result": result,
        "effects": [(effect, effect_figure(effect, width=720)) for effect in result.effects],
        "forests": [
            forest_figure(
                [row for row in result.equity if row.measure == name], effects[name].unit, effects[name], width=900
            )
            for name in names
        ],
    }
