"""Portfolio today: what needs doing, seven numbers, the funnel, the six signs and the decisions that are due."""

from starlette.responses import Response

from careplane.alignment import decisions, funnel, headline, signals
from careplane.console.charts import funnel_figure, signals_figure
from careplane.console.pages.counts import run_counts
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.records.portfolio import FunnelStage, Stage

DUE_SHOWN = 6
TRIGGERS_SHOWN = 5
PRODUCTION: tuple[Stage, ...] = ("limited_production", "scaled", "sustained")


def home(visit: Visit) -> Response:
    store, today = visit.context.store, visit.today
    stages = funnel(store, today)
    signs = signals(store, today)
    due = decisions(store, today)
    return visit.page(
        "home.html",
        headline=headline(store, today, signs),
        numbers=_numbers(stages),
        late=sum(decision.due_on < today for decision in due),
        due=due[:DUE_SHOWN],
        signs=signs,
        triggers_shown=TRIGGERS_SHOWN,
        funnel=funnel_figure(stages),
        signals=signals_figure(signs),
        runs=run_counts(store),
    )


def _numbers(stages: list[FunnelStage]) -> dict[str, int]:
    now = {stage.stage: stage.now for stage in stages}
    return {
        "registered": sum(now.values()),
        "trying": now["shadow"] + now["pilot"],
        "production": sum(now[name] for name in PRODUCTION),
        "stopped": now["stopped"] + now["retired"],
    }


PAGES = (Page("/", home, "portfolio"),)
