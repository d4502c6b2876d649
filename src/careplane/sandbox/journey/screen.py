"""The one screen that ends a demo: what was found, what is synthetic, and where to look."""

from pathlib import Path

from careplane.records import JSON

WIDTH = 78


def one_screen(summary: JSON, out: Path) -> str:
    """The summary as at most 80 columns of text."""
    return "\n".join(
        [
            "",
            "CAREPLANE DEMO - everything here is synthetic: patients, staff, messages and money",
            f"seed {summary['seed']} · model '{summary['model']}' · true effects are known, for comparison",
            "",
            *_activity(summary),
            "",
            *_effects(summary),
            *_beside(summary),
            "",
            *_judgement(summary),
            "",
            f"Report    {out / 'board-pack.html'}",
            f"Numbers   {out / 'summary.json'}",
            f"Verify    careplane ledger verify --home {out / 'home'}",
        ]
    )


def _activity(summary: JSON) -> list[str]:
    runs, register, plan = summary["runs"], summary["register"], summary["plan"]
    return [
        f"Register  {register['apps']} uses of GenAI, {register['running']} running here",
        f"Runs      {runs['total']:,}: {runs['accepted']:,} accepted, {runs['edited']:,} edited, "
        f"{runs['rejected']:,} rejected,",
        f"          {runs['not_reviewed']:,} not opened, {runs['refused']:,} refused (control arm, not trained), "
        f"{runs['failed']:,} failed",
        f"Plan      {plan['design'].replace('_', ' ')}, {plan['clusters']} clinics, locked {plan['locked_at'][:10]}, "
        f"hash {plan['hash'][:12]}",
    ]


def _effects(summary: JSON) -> list[str]:
    lines = [f"{'Effect':<18}{'estimate':>10}{'95 % interval':>20}{'truth':>9}  verdict (grade)"]
    for effect in summary["effects"]:
        interval = f"{effect['ci_low']:+.2f} to {effect['ci_high']:+.2f}"
        truth = "-" if effect["truth"] is None else f"{effect['truth']:+.2f}"
        lines.append(
            f"{effect['measure']:<18}{effect['estimate']:>+10.2f}{interval:>20}{truth:>9}  "
            f"{effect['verdict']} ({effect['grade']})"
        )
    return lines


def _beside(summary: JSON) -> list[str]:
    """How far it was used, for whom least, and whether any group may be worse off."""
    use, reached = summary["uptake"], [row for row in summary["access"] if row["ratio"] is not None]
    lines = [
        f"Uptake    {100 * use['share']:.0f} % of {use['eligible']:,} eligible messages "
        f"({100 * use['ci_low']:.0f} to {100 * use['ci_high']:.0f})"
    ]
    if reached:
        least = min(reached, key=lambda row: row["ratio"])
        group = f"{least['dimension']} {least['group']}"
        lines.append(f"Access    least for {group}: {least['ratio']:.2f} x that of others")
    harmed = [one for one in summary["worst_groups"] if one["harmed"]]
    told = ", ".join(f"{one['dimension']} {one['group']} ({one['measure']})" for one in harmed) or "none shown"
    return [*lines, f"Worse off {told}"]


def _judgement(summary: JSON) -> list[str]:
    signals, gate, value = summary["signals"], summary["gate"], summary["value"]
    index = "hidden, data incomplete" if signals["index"] is None else f"{signals['index']:.1f} of 100"
    passed = sum(check["status"] in ("pass", "waived") for check in gate["checks"])
    outcome = (summary["decision"]["outcome"] or "open").replace("_", " ")
    ledger = summary["ledger"]
    purses = " · ".join(f"{purse} {_usd(value[purse])}" for purse in ("cash", "capacity", "soft"))
    return [
        f"Signals   Pilot Reliance Index {index} (0 good; default weights)",
        f"Gate      {gate['gate']} {gate['title']}: {passed} of {len(gate['checks'])} checks",
        f"Decision  {outcome}",
        f"Value     {purses} (a year; never added up)",
        *_cost(value),
        f"Ledger    {ledger['records']:,} records, verified, head {ledger['head'][:12]}",
    ]


def _cost(value: JSON) -> list[str]:
    """Cost per run with what is in it: it falls with every run, unlike what the model asks for one more."""
    cost, more = value["cost_per_run"], value["model_cost_per_run"]
    if cost is None:
        return ["Cost      not measured"]
    one_more = "not metered" if more is None else f"{more:,.4f} USD"
    return [
        f"Cost      {cost:,.2f} USD a run to date: {value['fixed_cost']:,.0f} USD fixed / {value['runs']:,} runs",
        f"          one more run: {one_more} of model use",
    ]


def _usd(amount: float | None) -> str:
    return "not measured" if amount is None else f"{amount:,.0f} USD"
