"""Plans and results as lines of text: the sentence first, the numbers below it."""

from careplane.records.evidence import Effect, EquityRow, Plan, Result


def plan_lines(plan: Plan) -> list[str]:
    """A plan, one statement a line."""
    lock = f"locked {plan.locked_at:%Y-%m-%d %H:%M} by {plan.locked_by}" if plan.locked_at else "draft, not locked"
    return [
        f"{plan.id} version {plan.version}: {lock}",
        f"Question: {plan.question}",
        f"Design: {plan.design.replace('_', ' ')}, {len(plan.clusters)} units ({plan.unit}) in "
        f"{len(set(plan.strata.values()))} strata, seed {plan.seed}",
        f"Baseline from {plan.baseline_start}, pilot from {plan.start} up to {plan.end}, "
        f"days at UTC{plan.utc_offset_minutes / 60:+g} h",
        *(
            f"Measure: {one.id}, {one.role}, {one.direction} is better, worthwhile from {one.mcid:g} {one.unit}"
            for one in plan.measures
        ),
        f"Equity: {', '.join(plan.equity)}; groups under {plan.small_cell} are withheld",
        f"Analysis: {plan.analysis}",
        f"Decision rule: {plan.decision_rule}",
        f"Power: {plan.power}",
    ]


def result_lines(result: Result) -> list[str]:
    """A result: effects, uptake, equity, what is missing, and what it was computed from."""
    use = result.uptake
    lines = [f"Result of {result.plan}, {result.computed_at:%Y-%m-%d %H:%M}", ""]
    for effect in result.effects:
        lines += [*_effect_lines(effect), ""]
    lines += [
        f"Uptake: {use.used:,} of {use.eligible:,} eligible events ({100 * use.share:.1f} %, "
        f"{100 * use.ci_low:.1f} to {100 * use.ci_high:.1f}): {use.accepted:,} accepted, {use.edited:,} edited, "
        f"{use.rejected:,} rejected, {use.refused:,} refused.",
        "",
        "Equity (effect by group)",
        *(_equity_line(row) for row in result.equity),
        *(f"  {one.text}" for one in result.worst),
        *_access_lines(result),
        *_dose_lines(result),
        "",
        "Missing",
        *(f"  {name}: {told}" for name, told in sorted(result.missing.items())),
        "",
        f"Plan {result.plan_hash[:16]}, data {result.data_hash[:16]}, careplane {result.code_version}",
    ]
    return lines


def _effect_lines(effect: Effect) -> list[str]:
    df = "" if effect.df is None else f", {effect.df:.1f} df"
    more = [f"  {one}" for one in effect.warnings]
    more += [f"  left out: {count:,} rows {why}" for why, count in effect.left_out.items()]
    more += [f"  look: {effect.look.text}"] if effect.look else []
    more += [f"  what would change it: {effect.would_change}"] if effect.would_change else []
    return [
        f"{effect.measure} ({effect.role}): {effect.verdict.upper()}, grade {effect.grade}",
        f"  {effect.sentence}",
        f"  mean {effect.mean_intervention:.2f} with the app (n {effect.n_intervention:,}), "
        f"{effect.mean_control:.2f} without (n {effect.n_control:,}); {effect.clusters} clusters{df}, "
        f"p = {effect.p_value:.3g}",
        f"  {effect.method}",
        f"  {effect.comparison}",
        *more,
    ]


def _access_lines(result: Result) -> list[str]:
    """Who was reached: the share of use of each group over that of all others."""
    lines = ["", "Access (use by group, over that of all others)"] if result.access else []
    for row in result.access:
        name = f"  {row.dimension:<11} {row.group:<16.16}"
        if row.ratio is None or row.ratio_low is None or row.ratio_high is None:
            lines.append(f"{name} {row.withheld or 'no interval'}")
        else:
            lines.append(f"{name} {row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f}) n {row.eligible:,}")
    return lines


def _dose_lines(result: Result) -> list[str]:
    """The outcome by use, with its warning."""
    if not result.dose:
        return []
    lines = ["", "By how much it was used (not drawn, so no effect of use)"]
    for row in result.dose:
        if row.estimate is None or row.ci_low is None or row.ci_high is None:
            lines.append(f"  {row.band:<42.42} {row.withheld}")
        else:
            lines.append(f"  {row.band:<42.42} {row.estimate:+.2f} ({row.ci_low:+.2f} to {row.ci_high:+.2f})")
    return lines


def _equity_line(row: EquityRow) -> str:
    name = f"  {row.measure:<16} {row.dimension:<9} {row.group:<16.16}"
    if row.estimate is None or row.ci_low is None or row.ci_high is None:
        return f"{name} {row.withheld}"
    return f"{name} {row.estimate:+6.2f} ({row.ci_low:+.2f} to {row.ci_high:+.2f}) n {row.n:,}"
