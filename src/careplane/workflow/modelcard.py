"""The model card of an app, in Markdown: what its manifest says, for whoever meets its output in the chart.

Measured quality is not in it: it changes while the card stays in the chart. What is not measured says so.
"""

from collections.abc import Iterable

from careplane.records.app import App


def card_text(app: App) -> str:
    """The card: use, limits, what it reads, where data may go, how it is watched, what happens when it is away."""
    spec = app.spec
    policy, tier = spec.data_policy, spec.tier
    parts = (
        f"# {spec.title}, version {spec.version}",
        f"Identifier `{spec.id}`; manifest, prompt and lesson SHA-256 `{app.hash}`.",
        _section("Use", (spec.problem, f"Area: {spec.area}. Task: {spec.task.replace('_', ' ')}.")),
        _section(
            "Who answers for it",
            _list(f"Owner: {spec.owner}", f"Sponsor: {spec.sponsor}", f"Technical owner: {spec.technical_owner}"),
        ),
        _section(
            "What it makes",
            (
                f"A draft ({spec.output.kind}) of {spec.output.min_words} to {spec.output.max_words} words. It is a "
                f"draft until a person signs it: {spec.review.role}.",
            ),
        ),
        _section(
            "What it reads",
            _list(*(f"{rule.resource}: {', '.join(rule.fields)}" for rule in spec.context)) or ("Nothing.",),
        ),
        _section(
            "Where data may go",
            (
                f"Identifiers: {policy.phi}. Purpose: {policy.purpose}. Regions: {', '.join(policy.regions)}. "
                f"Kept {policy.retention_days} days.",
            ),
        ),
        _section("Known risks", _list(*spec.risks) or ("None is stated.",)),
        _section(
            "Risk answers, 0 to 3",
            (
                f"Patient impact {tier.patient_impact}, autonomy {tier.autonomy}, audience {tier.audience}, "
                f"data {tier.data}, reach {tier.reach}.",
            ),
        ),
        _section(
            "How it is measured",
            (
                f"Primary: {', '.join(spec.measures.primary)}. Balancing: {', '.join(spec.measures.balancing)}. "
                f"Equity: {', '.join(spec.measures.equity)}.",
                "Results are not part of this card; until a plan has been analysed they are not measured.",
                f"It is stopped when: {spec.stop_rule}",
            ),
        ),
        _section("When it is away", (spec.fallback,)),
    )
    return "\n\n".join(parts) + "\n"


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n\n".join((f"## {title}", *lines))


def _list(*items: str) -> tuple[str, ...]:
    return ("\n".join(f"- {item}" for item in items),) if items else ()
