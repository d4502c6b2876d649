"""The checks of the evidence gates; each is a pure function from a case to one line with its proof."""

from careplane.alignment.gate_facts import Case, answer
from careplane.records.evidence import Effect
from careplane.records.portfolio import INTEGRATION_CHECKS, GateCheck

PATH_MINIMUM = 6
SESSIONS_MINIMUM = 2
TRAINED_MINIMUM = 0.90
LIKED_LOWER = 0.50
DRILL_DAYS = 365
UNCONTROLLED = "Grade D"
NEVER_WAIVED = frozenset({"design_grade"})
"""Checks that no signature passes where the design shows nothing of what would have been (grade D)."""


def owned(case: Case) -> GateCheck:
    item = case.item
    missing = [name for name, held in (("an owner", item.owner), ("a problem statement", item.summary)) if not held]
    missing += [] if item.goals else ["a strategic goal"]
    text = f"Missing: {', '.join(missing)}." if missing else f"{item.owner} owns it, for: {', '.join(item.goals)}."
    return answer("owner_and_goal", not missing, text, f"/apps/{item.id}")


def overlap_answered(case: Case) -> GateCheck:
    same = [other for other in case.look_alikes if other.must_decide]
    if not same:
        return answer("overlap_answered", True, "Nothing on the register is alike (0.60 or more).")
    decided = any(one.gate == "overlap" and one.decided_at is not None for one in case.decisions)
    names = ", ".join(f"{other.title} ({other.similarity:.2f})" for other in same)
    said = "decided: join, extend or separate" if decided else "nobody has decided: join, extend or separate"
    return answer("overlap_answered", decided, f"Alike: {names}; {said}.", f"/apps/{case.item.id}")


def asked_for(case: Case) -> GateCheck:
    count = len(case.requests)
    text = f"{count} requests of users name it." if count else "No user has asked for it on the board of requests."
    return answer("asked_for", count > 0, text, "/requests")


def path_to_scale(case: Case) -> GateCheck:
    missing = [name.replace("_", " ") for name, passed in case.path.items() if not passed]
    done = len(case.path) - len(missing)
    text = f"{done} of {len(case.path)} steps." + (f" Missing: {', '.join(missing)}." if missing else "")
    return answer("path_to_scale", done >= PATH_MINIMUM, text, f"/apps/{case.item.id}")


def co_design(case: Case) -> GateCheck:
    sessions, members = len(case.panel.sessions), len(case.panel.members)
    text = f"{sessions} co-design sessions (needs {SESSIONS_MINIMUM}), {members} panel members."
    return answer("panel_and_co_design", sessions >= SESSIONS_MINIMUM and members > 0, text, "/people")


def measures_chosen(case: Case) -> GateCheck:
    missing = [name for name in ("primary", "balancing", "equity", "baseline") if not case.metrics[name]]
    text = f"Missing: {', '.join(missing)}." if missing else "Primary, balancing and equity measures, with a baseline."
    return answer("measures_and_baseline", not missing, text, f"/apps/{case.item.id}")


def plan_locked(case: Case) -> GateCheck:
    plan = case.study.plan
    if plan is None or plan.locked_at is None:
        return answer("plan_locked", False, "No evaluation plan is locked.")
    text = f"Locked {plan.locked_at:%Y-%m-%d} by {plan.locked_by}, start {plan.start}; hash {plan.hash[:12]}."
    return answer("plan_locked", case.metrics["plan_locked_before_start"], text, f"/evidence/{plan.id}")


def drilled(case: Case) -> GateCheck:
    """The newest drill passed, and is not older than a year."""
    drill = case.drill
    if drill is None or drill.ended is None:
        return answer("drill", None, "Fallback drill: not measured.", "/safety/downtime")
    age = (case.today - drill.ended.date()).days
    failed = ", ".join(check.name.replace("_", " ") for check in drill.checks if not check.passed)
    told = "passed" if drill.passed else f"did not pass ({failed})"
    text = f"Fallback drill ({drill.dependency} away) of {drill.ended:%Y-%m-%d}, by {drill.by}: {told}."
    if drill.passed and age > DRILL_DAYS:
        text += f" It is older than {DRILL_DAYS} days."
    return answer("drill", drill.passed and age <= DRILL_DAYS, text, "/safety/downtime")


def silent_quality(case: Case) -> GateCheck:
    """Errors of the registered version, as two readers and a third settled them, against what its manifest allows."""
    link = f"/safety/quality/{case.item.id}" if case.item.kind == "platform_app" else f"/apps/{case.item.id}"
    most, rate = case.item.max_errors_per_100, case.errors
    if most is None:
        text = "Quality in silent use: not measured, as app.yaml states no quality.max_errors_per_100."
        return answer("silent_quality", None, text, link)
    if rate is None or rate.value is None or rate.high is None:
        return answer("silent_quality", None, "Quality in silent use: no output was read by two people.", link)
    text = (
        f"{rate.value:.1f} errors per 100 outputs ({rate.low:.1f} to {rate.high:.1f}, {rate.n} read); "
        f"at most {most:g} are allowed."
    )
    return answer("silent_quality", rate.high <= most, text, link)


def primary_effect(case: Case) -> GateCheck:
    effects = case.effects("primary")
    if not effects:
        return answer("primary_effect", None, "The primary effect is not measured.")
    passed = all(effect.verdict == "benefit" or _not_worse(effect) for effect in effects)
    return answer("primary_effect", passed, " ".join(map(effect_text, effects)), f"/evidence/{effects[0].plan}")


def _not_worse(effect: Effect) -> bool:
    """Whether a plan that asks no more than that it is not worse was answered so."""
    return effect.hypothesis == "non_inferiority" and effect.not_worse is True


def balancing(case: Case) -> GateCheck:
    effects = case.effects("balancing")
    if not effects:
        return answer("no_balancing_breach", None, "No balancing effect is measured.")
    passed = all(effect.verdict != "harm" for effect in effects)
    return answer("no_balancing_breach", passed, " ".join(map(effect_text, effects)), f"/evidence/{effects[0].plan}")


def asked_enough(case: Case) -> GateCheck:
    questions = case.questions
    if not questions.scores:
        shown = questions.withheld or "Nobody has answered the three questions."
        return answer("three_questions", False if questions.withheld else None, shown, "/people")
    scores = ", ".join(f"{score.question} {100 * score.top2:.0f} %" for score in questions.scores)
    return answer("three_questions", True, f"Top two of five: {scores} (n = {questions.n}).", "/people")


def trained(case: Case) -> GateCheck:
    share = case.trained_share
    if share is None:
        return answer("trained", None, "The share of trained users is not measured.", "/people")
    text = f"{100 * share:.0f} % of users are trained (needs {100 * TRAINED_MINIMUM:.0f} %)."
    return answer("trained", share >= TRAINED_MINIMUM - 1e-9, text, "/people")


def used(case: Case) -> GateCheck:
    if case.result is None or case.result.uptake.eligible == 0:
        return answer("use_as_planned", None, "Use is not measured.")
    uptake = case.result.uptake
    text = (
        f"Used in {100 * uptake.share:.0f} % of {uptake.eligible} eligible events "
        f"(95 % CI {100 * uptake.ci_low:.0f} to {100 * uptake.ci_high:.0f}); planned {100 * case.use_target:.0f} %."
    )
    return answer("use_as_planned", uptake.share >= case.use_target, text, f"/evidence/{uptake.plan}")


def forecast_signed(case: Case) -> GateCheck:
    p50 = case.item.forecast_p50_usd
    if p50 is None:
        return answer("forecast_signed", False, "There is no 24-month forecast.")
    signed = case.path["costed_forecast_signed"]
    text = f"24-month forecast ${p50:,.0f} (median), {'signed' if signed else 'not signed'} by finance."
    return answer("forecast_signed", signed, text, f"/apps/{case.item.id}")


def support_model(case: Case) -> GateCheck:
    planned = "support" in case.item.adoption_plan
    text = "The adoption plan names who supports users." if planned else "The adoption plan names no support."
    return answer("support_model", planned, text, f"/apps/{case.item.id}")


def design_grade(case: Case) -> GateCheck:
    effects = case.effects("primary")
    if not effects:
        return answer("design_grade", None, "No design is graded before the first result.")
    needed = "C" if case.item.tier == 1 else "B"
    worst = max(effect.grade for effect in effects)
    return answer("design_grade", worst <= needed, f"Grade {worst}; tier {case.item.tier} needs {needed}.")


def primary_interval(case: Case) -> GateCheck:
    effects = case.effects("primary")
    if not effects:
        return answer("primary_interval", None, "The primary effect is not measured.")
    strict = case.item.tier == 3
    passed = all(_not_worse(effect) or worst_benefit(effect) > (effect.mcid if strict else 0.0) for effect in effects)
    bar = "the smallest worthwhile change" if strict else "zero"
    text = f"The interval must lie beyond {bar}. " + " ".join(map(effect_text, effects))
    return answer("primary_interval", passed, text, f"/evidence/{effects[0].plan}")


def equity_kept(case: Case) -> GateCheck:
    """Fails when a group's interval lies wholly on the harmful side; not measured when every group is withheld."""
    if case.result is None:
        return answer("equity_gap", None, "Equity is not measured.")
    direction = {effect.measure: effect.direction for effect in case.result.effects}
    rows = [row for row in case.result.equity if row.ci_low is not None and row.ci_high is not None]
    if not rows:
        return answer("equity_gap", None, "No group is large enough to show.")
    harmed = [
        row.group
        for row in rows
        if ((row.ci_low or 0.0) > 0 and direction.get(row.measure) == "lower")
        or ((row.ci_high or 0.0) < 0 and direction.get(row.measure) == "higher")
    ]  # fmt: skip
    text = f"Worse for: {', '.join(harmed)}." if harmed else f"No group of {len(rows)} is made worse off."
    return answer("equity_gap", not harmed, text, f"/evidence/{case.result.plan}")


def liked(case: Case) -> GateCheck:
    scores = case.questions.scores
    if not scores:
        return answer("liked", None, case.questions.withheld or "Nobody has answered the three questions.", "/people")
    text = "; ".join(f"{s.question} {100 * s.top2:.0f} % ({100 * s.low:.0f} to {100 * s.high:.0f})" for s in scores)
    return answer("liked", all(score.low >= LIKED_LOWER for score in scores), f"{text}; lower limit 50 %.", "/people")


def funded(case: Case) -> GateCheck:
    p50 = case.item.forecast_p50_usd
    if not p50:
        return answer("funded", None, "There is no 24-month forecast to fund.")
    text = f"${case.item.funding_usd:,.0f} committed of ${p50:,.0f} (24-month forecast, median)."
    return answer("funded", case.item.funding_usd >= p50, text, f"/apps/{case.item.id}")


def integrated(case: Case) -> GateCheck:
    missing = [name.replace("_", " ") for name in INTEGRATION_CHECKS if name not in case.item.integration]
    text = f"{6 - len(missing)} of 6 checks." + (f" Missing: {', '.join(missing)}." if missing else "")
    return answer("integration", not missing, text, f"/apps/{case.item.id}")


def aims_filled(case: Case) -> GateCheck:
    if case.aims is None:
        return answer("triple_aim", None, "The Triple Aim grid was not computed.", "/value")
    measured = sum(cell.status == "measured" for cell in case.aims)
    return answer("triple_aim", measured == len(case.aims), f"{measured} of {len(case.aims)} cells measured.", "/value")


def net_value(case: Case) -> GateCheck:
    """Cash only: capacity and soft time never enter a net value."""
    if case.value is None:
        return answer("net_value", None, "Value is not measured.", "/value")
    cash = sum(line.usd_per_year for line in case.value.lines if line.purse == "cash")
    net = cash - case.value.cost_total
    return answer(
        "net_value", net >= 0, f"Booked cash ${cash:,.0f} less costs ${case.value.cost_total:,.0f}.", "/value"
    )


def worst_benefit(effect: Effect) -> float:
    """The end of the interval that is nearest to harm, positive when even that is a benefit."""
    if effect.verdict == "not judged":
        return float("-inf")
    return -effect.ci_high if effect.direction == "lower" else effect.ci_low


def effect_text(effect: Effect) -> str:
    """The effect in its own words, with what stands behind them."""
    return f"{effect.sentence} n = {effect.n:,}, grade {effect.grade}."
