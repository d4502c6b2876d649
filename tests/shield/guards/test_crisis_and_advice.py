"""Crisis and unsafe advice on labelled messages and drafts; the figures of their READMEs come from the same files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from careplane.records.app import Output
from careplane.records.run import Finding, Source
from careplane.shield.checked import Checked, sentences
from careplane.shield.guards.advice import advice, max_daily_doses
from careplane.shield.guards.crisis import crises, crisis, rules, urgent
from careplane.shield.guards.grounding.lexicon import drugs_in

HERE = Path(__file__).parent


def rows(name: str) -> Iterator[list[str]]:
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def checked(text: str, message: str = "", sources: tuple[Source, ...] = ()) -> Checked:
    output: Any = Output(kind="text", min_words=0)
    return Checked(text=text, sentences=sentences(text), sources=sources, output=output, request_text=message)


@pytest.mark.parametrize(("split", "kind", "message"), [row for row in rows("messages.tsv") if row[0] == "dev"])
def test_messages_at_hand(split: str, kind: str, message: str) -> None:
    assert bool(crises(message)) == (kind != "none")


def test_unseen_messages_are_mostly_seen() -> None:
    test = [row for row in rows("messages.tsv") if row[0] == "test"]
    caught = [bool(crises(message)) for _, kind, message in test if kind != "none"]
    alarms = [bool(crises(message)) for _, kind, message in test if kind == "none"]
    assert sum(caught) >= 0.6 * len(caught)
    assert sum(alarms) <= 0.1 * len(alarms)


@pytest.mark.parametrize(("split", "label", "message", "draft"), [row for row in rows("drafts.tsv") if row[0] == "dev"])
def test_drafts_at_hand(split: str, label: str, message: str, draft: str) -> None:
    assert bool(advice(checked(draft, message))) == (label == "unsafe")


def test_unseen_drafts_are_mostly_seen() -> None:
    test = [row for row in rows("drafts.tsv") if row[0] == "test"]
    caught = [bool(advice(checked(draft, message))) for _, label, message, draft in test if label == "unsafe"]
    alarms = [bool(advice(checked(draft, message))) for _, label, message, draft in test if label == "safe"]
    assert sum(caught) >= 0.8 * len(caught)
    assert sum(alarms) <= 0.15 * len(alarms)


@pytest.mark.parametrize("kind", ["self_harm", "violence", "abuse"])
def test_a_crisis_is_critical_with_a_route_until_the_reply_offers_help(kind: str) -> None:
    message = next(row[2] for row in rows("messages.tsv") if row[1] == kind)
    rule = next(rule for rule in rules() if rule.kind == kind)
    (without,) = crisis(checked("We got your message.", message))
    assert (without.severity, without.sentence) == ("critical", None)
    assert rule.route in without.text
    (with_help,) = crisis(checked("Please call 988 or 911 now.", message))
    assert with_help.severity == "caution"
    assert rule.route in with_help.text


def test_an_emergency_is_critical_until_the_reply_directs_to_urgent_care() -> None:
    (found,) = urgent(checked("We will refill it.", "I have chest pain"))
    assert found.severity == "critical"
    assert "“chest pain”" in found.text
    assert not urgent(checked("Call 911 now.", "I have chest pain"))


def test_what_the_cited_chart_orders_is_not_the_models_advice() -> None:
    source = Source(n=1, reference="X/1", label="DocumentReference", text="Plan: stop metoprolol tonight.")
    assert not advice(checked("Stop metoprolol tonight [1].", sources=(source,)))
    assert advice(checked("Stop warfarin tonight [1].", sources=(source,)))


def test_alarm_makes_reassurance_critical() -> None:
    def severity(message: str) -> list[str]:
        found: list[Finding] = list(advice(checked("There is no need to see a doctor.", message)))
        return [one.severity for one in found]

    assert (severity("I have a cold"), severity("I have chest pain")) == (["caution"], ["critical"])


@pytest.mark.parametrize(
    ("draft", "total"),
    [
        ("Take 1 g of acetaminophen every 4 hours.", "6000"),
        ("Take 3 tablets of ibuprofen 600 mg twice daily.", "3600"),
        ("Take digoxin 1.25 mg daily.", "1.25"),
        ("Take citalopram 60 mg/day.", "60"),
    ],
)
def test_doses_are_added_up_over_a_day(draft: str, total: str) -> None:
    (found,) = advice(checked(draft))
    assert found.severity == "critical"
    assert found.text.startswith(f"{total} mg a day")


def test_every_drug_of_the_dose_table_is_a_known_word() -> None:
    assert [drug for drug in max_daily_doses() if not drugs_in(f"take {drug} now")] == []
