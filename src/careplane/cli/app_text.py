"""What ``careplane app`` prints, at 80 columns."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from careplane.governance import tier
from careplane.records.app import App
from careplane.records.model import Usage
from careplane.records.run import Run
from careplane.workflow import TRIAL_LABEL

WIDTH = 80


def list_lines(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """One line per app."""
    yield f"{'ID':<23}{'STAGE':<19}{'TIER':<5}{'RUNS':<5}TRIGGER"
    for row in rows:
        runs = "yes" if row["runnable"] else "idea"
        line = f"{row['id']:<22} {row['stage']:<18} {row['tier']:<4} {runs:<4} {row['trigger']}"
        yield line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def show_lines(app: App, row: Mapping[str, object]) -> Iterator[str]:
    """An app on one screen."""
    spec, rated = app.spec, tier(app.spec.tier)
    yield f"{spec.title} ({app.id} {spec.version}), stage: {row['stage']}"
    yield from _field("Problem", spec.problem)
    yield from _field("Tier", f"{rated.tier}, path {rated.path}. {' '.join(rated.reasons)}")
    yield from _field("People", f"owner {spec.owner}; sponsor {spec.sponsor}")
    yield from _field("Goals", ", ".join(spec.goals))
    yield from _field("Trigger", f"{row['trigger']}: {spec.trigger.description}")
    for rule in spec.context:
        yield from _field("Reads", f"{rule.resource}?{rule.search} (at most {rule.limit}): {', '.join(rule.fields)}")
    yield from _field("Leaves", f"{spec.data_policy.phi} data for {spec.data_policy.purpose}")
    yield from _field("Writes", f"{spec.output.kind}, signed by: {spec.review.role}")
    measures = spec.measures
    yield from _field("Primary", ", ".join(measures.primary))
    yield from _field("Balancing", ", ".join(measures.balancing))
    yield from _field("Equity", ", ".join(measures.equity))
    yield from _field("Risks", ", ".join(spec.risks) or "none stated")
    yield from _field("Stop rule", spec.stop_rule)
    yield from _field("Fallback", spec.fallback)
    yield from _field("Runs", "yes" if app.runnable else "not yet: it has no prompt.md")


def run_lines(app: App, run: Run) -> Iterator[str]:
    """A trial: the draft, its sources, its findings and what it cost."""
    yield f"{app.spec.title} ({app.id} {app.spec.version})"
    yield TRIAL_LABEL
    yield ""
    if run.draft is None:
        yield from textwrap.wrap(run.error or "There is no draft.", WIDTH)
        return
    for line in run.draft.text.splitlines():
        yield from textwrap.wrap(line, WIDTH) or [""]
    yield ""
    yield f"Sources ({len(run.sources)})"
    for source in run.sources:
        yield from textwrap.wrap(f"[{source.n}] {source.text}", WIDTH, subsequent_indent="    ", max_lines=2)
    yield ""
    yield f"Findings ({len(run.draft.findings)})"
    for finding in run.draft.findings:
        place = "" if finding.sentence is None else f" (sentence {finding.sentence + 1})"
        text = f"{finding.severity}: {finding.text}{place}"
        yield from textwrap.wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ")
    for call in run.calls:
        usage = call.usage
        yield ""
        yield from textwrap.wrap(
            f"Model {call.provider}/{call.model}: {usage.input_tokens} + {usage.output_tokens} tokens, "
            f"{_cost(usage)}, {call.latency_ms:.0f} ms, {call.surrogates} identifiers replaced",
            WIDTH,
        )


def _cost(usage: Usage) -> str:
    return "cost not measured" if usage.cost_usd is None else f"{usage.cost_usd:.4f} USD"


def _field(name: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent=f"{name:<10} ", subsequent_indent=" " * 11)
