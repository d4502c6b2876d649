"""The ERP export: what GenAI costs, as finance has it, with the trouble that real exports have."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from careplane.records import JSON
from careplane.sandbox.content import read
from careplane.sandbox.scenario import Scenario

COSTS = ("line_id", "posted_on", "cost_centre", "vendor", "category", "item", "description", "amount_usd")
CREDIT = ("52040", "InboxPal Inc. (invented)", "licence", "inboxpal", "Credit for two days without service", -820.5)

Row = Sequence[object]


class Posting(NamedTuple):
    """One line of the general ledger, in the order of the columns after ``line_id``."""

    on: date
    centre: str
    vendor: str
    category: str
    item: str
    description: str
    usd: float


def erp(scenario: Scenario) -> dict[str, str]:
    """The files of ``erp/`` by name, as CSV text."""
    content = read("erp")
    return {
        "costs.csv": table(COSTS, _costs(scenario)),
        "cost_centres.csv": table(("cost_centre", "name", "division"), content["cost_centres"]),
        "contracts.csv": table(
            ("contract", "vendor", "item", "annual_usd", "starts", "ends", "clause"), _contracts(scenario)
        ),
        "rates.csv": table(("job", "loaded_usd_per_hour"), content["rates"]),
    }


def table(header: Sequence[str], rows: Iterable[Row]) -> str:
    """CSV text (RFC 4180 quoting, line feeds)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _costs(scenario: Scenario) -> Iterator[Row]:
    """Postings in date order; one of them appears twice with the same ``line_id``, and one is a negative credit."""
    postings = [posting for line in read("erp")["lines"] for posting in _postings(scenario, line)]
    postings.append(Posting(scenario.start + timedelta(days=scenario.days * 2 // 3), *CREDIT))
    postings.sort(key=lambda posting: (posting.on, posting.item, posting.description))
    for number, posting in enumerate(postings, start=1):
        row = (f"GL-{number:05d}", posting.on.isoformat(), *posting[1:])
        yield row
        if number == len(postings) // 2:
            yield row


def _postings(scenario: Scenario, line: JSON) -> Iterator[Posting]:
    """One posting for a cost that occurs once, else one every 30 days; usage varies, the rest is flat."""
    days = [line["day"]] if line.get("once") else range(line.get("from", 0), scenario.days, 30)
    for day in days:
        amount = line["amount"]
        if line["category"] == "model_usage":
            amount *= scenario.draw("usage", day).uniform(0.8, 1.2)
        on = scenario.start + timedelta(days=min(day, scenario.days - 1))
        yield Posting(
            on, line["centre"], line["vendor"], line["category"], line["item"], line["description"], round(amount, 2)
        )  # fmt: skip


def _contracts(scenario: Scenario) -> Iterator[Row]:
    for contract, vendor, item, annual, starts, ends, clause in read("erp")["contracts"]:
        first, last = (scenario.pilot_end + timedelta(days=offset) for offset in (starts, ends))
        yield (contract, vendor, item, annual, first.isoformat(), last.isoformat(), clause)
