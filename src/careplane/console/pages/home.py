"""Portfolio today: what needs doing, seven numbers, the funnel, the six signs and the decisions that are due."""

from collections.abc import Sequence

from starlette.responses import Response

from careplane.alignment import decisions, find_items, funnel, headline, signals
from careplane.console.charts import funnel_figure, signals_figure
from careplane.console.pages.counts import run_counts
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.records import Record
from careplane.records.portfolio import FunnelStage, RegisterItem, Stage

DUE_SHOWN = 6
TRIGGERS_SHOWN = 5
PRODUCTION: tuple[Stage, ...] = ("limited_production", "scaled", "sustained")


class Trigger(Record, frozen=True):
    """What needs an answer, split so that the use it is about can be a link; ``item`` is "" when it is about none."""

    item: str
    title: str
    rest: str


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
        waiting=len(due),
        due=due[:DUE_SHOWN],
        triggers=_triggers(signs.triggers, find_items(store)),
        signs=signs,
        triggers_shown=TRIGGERS_SHOWN,
        funnel=funnel_figure(stages),
        signals=signals_figure(signs),
        runs=run_counts(store),
    )


def _triggers(sentences: Sequence[str], items: Sequence[RegisterItem]) -> list[Trigger]:
    """A sentence begins with the title of the use that it is about; of two titles the longer is meant."""
    idents = {item.title: item.id for item in items}
    found = []
    for sentence in sentences:
        ends = [at for at, letter in enumerate(sentence) if letter == " "]
        title = next((sentence[:end] for end in reversed(ends) if sentence[:end] in idents), "")
        found.append(Trigger(item=idents.get(title, ""), title=title, rest=sentence[len(title) :]))
    return found


def _numbers(stages: list[FunnelStage]) -> dict[str, int]:
    now = {stage.stage: stage.now for stage in stages}
    return {
        "registered": sum(now.values()),
        "trying": now["shadow"] + now["pilot"],
        "production": sum(now[name] for name in PRODUCTION),
        "stopped": now["stopped"] + now["retired"],
    }


PAGES = (Page("/", home, "portfolio"),)
