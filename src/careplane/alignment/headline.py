"""The one sentence at the top of the portfolio: what needs doing today."""

from datetime import date

from careplane.alignment.decisions import cost_of_delay, days_late, decisions, must_pause
from careplane.alignment.signal_inputs import signals
from careplane.records.portfolio import DecisionItem, Signals
from careplane.store import Store


def headline(store: Store, today: date, found: Signals | None = None) -> str:
    """What needs doing today, computed: decisions past their date, hard triggers, and the index of pilot reliance.

    ``found`` are the signs of today, for a caller that has computed them already.
    """
    waiting = decisions(store, today)
    found = signals(store, today) if found is None else found
    return "; ".join((_decisions(waiting, today), *_triggers(found), _index(found))) + "."


def _decisions(waiting: list[DecisionItem], today: date) -> str:
    late = [one for one in waiting if days_late(one, today) > 0]
    if not late:
        if not waiting:
            return "No decision is waiting"
        due = min(one.due_on for one in waiting)
        return f"No decision is overdue; {_count(len(waiting), 'is open', 'are open')}, the next is due on {due}"
    text = f"{_count(len(late), 'decision is', 'decisions are')} overdue"
    costs = [cost for one in late if (cost := cost_of_delay(one, today)) is not None]
    if costs:
        text += f" and have cost about ${sum(costs):,.0f} so far" if len(late) > 1 else f", at about ${costs[0]:,.0f}"
    paused = sum(must_pause(one, today) for one in late)
    return text + (f"; {_count(paused, 'pilot', 'pilots')} should stop enrolling until renewed" if paused else "")


def _triggers(found: Signals) -> tuple[str, ...]:
    count = len(found.triggers)
    return (f"{_count(count, 'item needs', 'items need')} an answer besides",) if count else ()


def _index(found: Signals) -> str:
    if found.index is None:
        return f"the index is hidden, because only {100 * found.complete:.0f} % of its data is there"
    return f"reliance on pilots is {found.index:.0f} of 100 (0 is good)"


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
