"""Leadership alignment: the register, its funnel, decisions with due dates, evidence gates and the six signs.

Everything shown is computed from rows: :func:`signals` from register, decisions, panels, plans and costs;
:func:`gate` from an item's evidence; :func:`headline` from both.
"""

from careplane.alignment.conversion import Conversion, conversion
from careplane.alignment.decisions import (
    cost_of_delay,
    days_late,
    decide,
    decisions,
    defer,
    import_decisions,
    load_decision,
    must_pause,
    open_decision,
)
from careplane.alignment.facts import (
    commit_funding,
    confirm_sponsor,
    plan_long_term,
    set_scope,
    set_threshold,
    sign_forecast,
)
from careplane.alignment.funnel import find_moves, funnel, import_moves, move_stage
from careplane.alignment.gates import GATES, gate
from careplane.alignment.headline import headline
from careplane.alignment.overlap import LookAlike, look_alikes
from careplane.alignment.register import (
    count_items,
    find_goals,
    find_item,
    find_items,
    import_goals,
    import_items,
    items_of,
    load_item,
    register_app,
)
from careplane.alignment.signal_inputs import ACTIVE_STAGES, record_signals, signal_history, signals
from careplane.alignment.signals import SignalInputs, pilot_reliance_index, six_signals
from careplane.alignment.swaps import hold_scale, model_swap, swap_in, version_swap
from careplane.alignment.waivers import Waiver, waive, waivers

__all__ = [
    "ACTIVE_STAGES",
    "GATES",
    "Conversion",
    "LookAlike",
    "SignalInputs",
    "Waiver",
    "commit_funding",
    "confirm_sponsor",
    "conversion",
    "cost_of_delay",
    "count_items",
    "days_late",
    "decide",
    "decisions",
    "defer",
    "find_goals",
    "find_item",
    "find_items",
    "find_moves",
    "funnel",
    "gate",
    "headline",
    "hold_scale",
    "import_decisions",
    "import_goals",
    "import_items",
    "import_moves",
    "items_of",
    "load_decision",
    "load_item",
    "look_alikes",
    "model_swap",
    "move_stage",
    "must_pause",
    "open_decision",
    "pilot_reliance_index",
    "plan_long_term",
    "record_signals",
    "register_app",
    "set_scope",
    "set_threshold",
    "sign_forecast",
    "signal_history",
    "signals",
    "six_signals",
    "swap_in",
    "version_swap",
    "waive",
    "waivers",
]
