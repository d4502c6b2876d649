"""From a run to the card that an EHR shows: the draft with its label, or the link to one that is being prepared.

A card is not the chart: nothing on it writes there. What the user takes further goes through the review screen.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson

from careplane.codecs.cdshooks import Card, CardSource, Coding, Link, Suggestion
from careplane.codecs.cdshooks.cards import LONGEST_SUMMARY
from careplane.records.app import App
from careplane.records.downtime import Fallback
from careplane.records.run import Draft, Run

REASONS = "urn:careplane:review-reasons"
AREAS = "urn:careplane:areas"
LONGEST_DETAIL = 12_000

_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~<>&-])")
_NAMES = uuid5(NAMESPACE_URL, "urn:careplane:cards")


@dataclass(frozen=True, slots=True)
class Links:
    """How an EHR reaches us: ``base`` is our URL, ``smart`` says that it launches us as a SMART app."""

    base: str
    smart: bool = False

    def to_run(self, run: str, label: str) -> Link:
        """A link to the review of a run. A SMART launch carries the run as its context, so that no patient is in a
        URL; a plain link asks for a sign-in."""
        if self.smart:
            context = orjson.dumps({"run": run}).decode()
            return Link(label=label, url=f"{self.base}/smart/launch", type="smart", app_context=context)
        return Link(label=label, url=f"{self.base}/drafts/{quote(run, safe='')}", type="absolute")


def draft_card(app: App, run: Run, links: Links) -> Card:
    """The card of a run that has a draft."""
    draft = run.draft
    assert draft is not None  # noqa: S101 - the caller chose runs that have one
    critical = any(finding.severity == "critical" for finding in draft.findings)
    first = draft.sentences[0] if draft.sentences else ""
    return Card(
        uuid=card_id("draft", run.id),
        summary=_short(f"{draft.label}: {app.spec.title}. {first}"),
        indicator="warning" if critical else "info",
        source=_source(app),
        detail=_detail(app, run, draft),
        suggestions=(Suggestion(label="Take this draft to review", uuid=card_id("take", run.id)),),
        selection_behavior="at-most-one",
        override_reasons=override_reasons(app),
        links=(links.to_run(run.id, "Review the draft"),),
    )


def waiting_card(app: App, run: str, links: Links) -> Card:
    """The card of a draft that is still being prepared."""
    return Card(
        uuid=card_id("waiting", run),
        summary=_short(f"AI draft is being prepared: {app.spec.title}"),
        indicator="info",
        source=_source(app),
        detail="It takes longer than this screen waits. The link opens it as soon as it is there.",
        override_reasons=override_reasons(app),
        links=(links.to_run(run, "Open the draft"),),
    )


def fallback_card(app: App, said: Fallback | None = None) -> Card:
    """The card of an app that cannot draft now; it says what to do instead."""
    return Card(
        summary=_short(said.summary if said else f"{app.spec.title} is not available now. {app.spec.fallback}"),
        indicator="info",
        source=_source(app),
        detail=said.detail if said else f"No draft was made. Work this way meanwhile: {plain(app.spec.fallback)}",
    )


def override_reasons(app: App) -> tuple[Coding, ...]:
    """The reasons that the app offers at its review, as codes."""
    return tuple(Coding(code=reason_code(one), system=REASONS, display=one) for one in app.spec.review.reasons)


def reason_code(reason: str) -> str:
    """A reason as a code: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-") or "other"


def card_id(kind: str, run: str) -> str:
    """The uuid of a card or suggestion: the same whenever the same run is shown."""
    return str(uuid5(_NAMES, f"{kind}:{run}"))


def by_urgency(cards: Iterable[Card]) -> tuple[Card, ...]:
    """Warnings first, drafts before links; otherwise in the order given."""
    order = {"critical": 0, "warning": 1, "info": 2}
    return tuple(sorted(cards, key=lambda card: (order[card.indicator], card.suggestions is None)))


def plain(text: str) -> str:
    """A text as Markdown that shows it and does nothing: no link, image, heading or HTML of a model's."""
    return _MARKS.sub(r"\\\1", text)


def _source(app: App) -> CardSource:
    topic = Coding(code=app.spec.area, system=AREAS, display=app.spec.area)
    return CardSource(label=app.spec.title, topic=topic)


def _detail(app: App, run: Run, draft: Draft) -> str:
    parts = [f"**{plain(draft.label)}** ({plain(app.spec.title)} {plain(app.spec.version)})"]
    if run.synthetic:
        parts.append("Synthetic data.")
    parts += [f"**Look at this first:** {plain(one.text)}" for one in draft.findings if one.severity == "critical"]
    parts += [plain(line) for line in draft.text.splitlines() if line.strip()]
    named = [f"\\[{one.n}\\] {plain(one.label)}{f', {plain(one.date)}' if one.date else ''}" for one in draft.sources]
    if named:
        parts.append("Sources: " + "; ".join(named))
    told = "\n\n".join(parts)
    return (
        told if len(told) <= LONGEST_DETAIL else told[: LONGEST_DETAIL - 40].rstrip("\\") + "…\n\nOpen it to read on."
    )


def _short(text: str) -> str:
    told = " ".join(text.split())
    return told if len(told) <= LONGEST_SUMMARY else told[: LONGEST_SUMMARY - 1].rstrip() + "…"
