"""The ERP export: every line with its source, or the whole file refused with every bad field named."""

import csv
import io
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careplane.connectors import erp_files
from careplane.connectors.erp_files import ErpFolder, focus
from careplane.errors import CareplaneError, DataError, InputError, NotFound
from careplane.records.erp import Claim, Employment, Invoice, PurchaseOrder, Shift, StockItem

HEADER = "line_id,posted_on,cost_centre,vendor,category,item,description,amount_usd"
GOOD = "L1,2026-01-31,CC-1,Acme,licence,portal_reply,Seats,1234.50"
INVOICES = "invoice,vendor,posted_on,amount,purchase_order\nI-7,Acme,2026-02-01,1200.10,PO-1\n"
ROSTER = "shift,unit,job,starts,ends,needed,planned\n"
FOCUS = (
    "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,Tags,x_Own\n"
    "1.5e-1,USD,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,Usage,Model endpoint,"
    '"{""careplane_item"":""portal_reply""}",z\n'
    "2.25,USD,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,Usage,Storage,,z\n"
    "2.25,USD,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,Usage,Storage,,z\n"
)


def folder(tmp_path: Path, *rows: str, header: str = HEADER) -> dict[str, str]:
    (tmp_path / "costs.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return {"path": str(tmp_path)}


def reader(tmp_path: Path, name: str, content: str | bytes) -> tuple[ErpFolder, Path]:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return erp_files.open({"path": str(tmp_path), "settle_seconds": "0", "timezone": "America/Chicago"}), file


def test_a_line_keeps_where_it_was_read(tmp_path: Path) -> None:
    quoted = 'L2,2026-02-01,CC-1,,training,portal_reply,"Class, half day",-10'
    first, second = erp_files.open(folder(tmp_path, GOOD, quoted)).read_costs()
    assert (first.id, first.usd, first.on, first.description) == ("L1", 1234.5, date(2026, 1, 31), "Acme: Seats")
    assert first.source == f"{tmp_path / 'costs.csv'}:2"
    assert (second.source[-1], second.description, second.usd) == ("3", "Class, half day", -10.0)


def test_an_identical_repeat_counts_once(tmp_path: Path) -> None:
    assert len(erp_files.open(folder(tmp_path, GOOD, GOOD)).read_costs()) == 1


def test_every_bad_field_is_named_and_nothing_is_taken(tmp_path: Path) -> None:
    rows = (
        GOOD,
        GOOD.replace("1234.50", "99"),
        "L3,31.01.2026,CC-1,Acme,licence,portal_reply,Seats,1e",
        "L4,2026-01-31,CC-1,Acme,licence,,Seats,NaN",
    )
    with pytest.raises(DataError) as caught:
        erp_files.open(folder(tmp_path, *rows)).read_costs()
    told = str(caught.value)
    for place in ("3: line_id", "4: posted_on", "4: amount_usd", "5: item", "5: amount_usd"):
        assert f"costs.csv:{place}" in told
    assert "costs.csv:2" not in told


@pytest.mark.parametrize(
    ("rows", "header", "where"),
    [
        ((GOOD,), "line_id,amount", "costs.csv:1"),
        ((GOOD,), f"{HEADER},colour", "costs.csv:1"),
        ((GOOD,), f"{HEADER},item", "costs.csv:1"),
        (("L1,2026-01-31",), HEADER, "costs.csv:2"),
        (('L1,"open',), HEADER, "costs.csv"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, rows: tuple[str, ...], header: str, where: str) -> None:
    with pytest.raises(DataError, match=where):
        erp_files.open(folder(tmp_path, *rows, header=header)).read_costs()


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    read, file = reader(tmp_path, "rates.csv", "loaded_usd_per_hour,job\n61.50,nurse\n")
    (rate,) = read.read(file).facts
    assert rate.per_hour == Decimal("61.50")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-16", "iconv -f UTF-16"), ("utf-16-le", "iconv -f UTF-16"), ("utf-32", "iconv -f UTF-32"),
     ("latin-1", "costs.csv:2: .*WINDOWS-1252")],
)  # fmt: skip
def test_another_encoding_is_refused_with_the_command_that_mends_it(tmp_path: Path, encoding: str, told: str) -> None:
    text = f"{HEADER}\n{GOOD.replace('Seats', 'Plätze')}\n"
    read, _ = reader(tmp_path, "costs.csv", text.encode(encoding))
    with pytest.raises(DataError, match=told):
        read.read_costs()


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    read, _ = reader(tmp_path, "costs.csv", f"{HEADER}\r\n{GOOD}\r\n".encode("utf-8-sig"))
    assert len(read.read_costs()) == 1


def test_an_invoice_is_exact_and_an_event(tmp_path: Path) -> None:
    read, file = reader(tmp_path, "invoices-2026-02.csv", INVOICES)
    batch = read.read(file)
    (invoice,) = batch.facts
    assert isinstance(invoice, Invoice)
    assert (invoice.amount, invoice.purchase_order, invoice.currency) == (Decimal("1200.10"), "PO-1", "USD")
    (event,) = batch.events
    assert (event.id, event.on) == ("invoice.posted:Acme/I-7", "invoice.posted")
    assert event.at == datetime(2026, 2, 1, 6, tzinfo=UTC)


def test_a_roster_has_local_times_and_gaps(tmp_path: Path) -> None:
    rows = "S1,Location/w1,nurse,2026-03-02T07:00,2026-03-02T19:00,4,3\n"
    rows += "S2,Location/w1,nurse,2026-03-02T19:00-06:00,2026-03-03T07:00-06:00,3,3\n"
    read, file = reader(tmp_path, "roster.csv", ROSTER + rows)
    batch = read.read(file)
    first = batch.facts[0]
    assert isinstance(first, Shift)
    assert first.starts == datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert [(event.id, event.unit) for event in batch.events] == [("roster.gap:S1/1", "Location/w1")]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("S1,Location/w1,nurse,2026-03-08T02:30,2026-03-08T19:00,4,3", "starts: .*clocks"),
        ("S1,Location/w1,nurse,2026-03-02T07:00,2026-03-01T19:00,4,3", "ends: is before"),
        ("S1,ward one,nurse,2026-03-02T07:00,2026-03-02T19:00,4,3", "unit: .*reference"),
        ("S1,Location/w1,nurse,7 o'clock,2026-03-02T19:00,4,-3", "planned"),
    ],
)
def test_a_bad_shift_is_named(tmp_path: Path, row: str, told: str) -> None:
    read, file = reader(tmp_path, "roster.csv", f"{ROSTER}{row}\n")
    with pytest.raises(DataError, match=told):
        read.read(file)


def test_a_back_order_is_one_event_however_often_it_is_listed(tmp_path: Path) -> None:
    head = "item,description,on_hand,reorder_point,back_ordered,as_of,expected_on,site\n"
    events = []
    for day in ("02", "03"):
        row = f"GLV-M,Gloves,10,50,200,2026-03-{day},2026-04-01,Organization/north\nGAU,Gauze,90,50,0,2026-03-{day},,\n"
        read, file = reader(tmp_path, f"stock-{day}.csv", head + row)
        batch = read.read(file)
        assert isinstance(batch.facts[0], StockItem)
        events += [event.id for event in batch.events]
    assert events == ["item.backordered:Organization/north/GLV-M/2026-04-01"] * 2


def test_a_denied_claim_is_an_event_with_its_patient(tmp_path: Path) -> None:
    head = "claim_id,posted_on,event,patient,claim,claim_response,payer,amount_usd,reason\n"
    rows = ("C1,2026-03-02,claim.denied,Patient/p1,Claim/c1,ClaimResponse/r1,Aetna,100.00,no records\n"
            "C2,2026-03-02,claim.paid,Patient/p2,Claim/c2,ClaimResponse/r2,Aetna,50.00,\n")  # fmt: skip
    read, file = reader(tmp_path, "claims.csv", head + rows)
    batch = read.read(file)
    assert [(event.id, event.patient, event.focus) for event in batch.events] == [
        ("claim.denied:C1/claimed", "Patient/p1", "ClaimResponse/r1")
    ]
    paid = batch.facts[1]
    assert isinstance(paid, Claim)
    assert paid.paid == Decimal("50.00")


def test_purchase_orders_and_the_rest_are_read(tmp_path: Path) -> None:
    text = "purchase_order,line,vendor,item,ordered_on,quantity,unit_price\nPO-1,1,Acme,Seats,2026-01-02,10,99.90\n"
    read, file = reader(tmp_path, "purchase_orders.csv", text)
    (order,) = read.read(file).facts
    assert isinstance(order, PurchaseOrder)
    assert order.quantity * order.unit_price == Decimal("999.00")
    for name, content in (
        ("cost_centres.csv", "cost_centre,name,division\n52040,Primary care,Clinics\n"),
        ("contracts.csv", "contract,vendor,item,annual_usd,starts,ends,clause\nK1,A,x,1.00,2026-01-01,2026-12-31,\n"),
    ):
        read, file = reader(tmp_path, name, content)
        assert len(read.read(file).facts) == 1


def test_a_cloud_bill_in_focus(tmp_path: Path) -> None:
    read, file = reader(tmp_path, "cloud_bill-2026-01.csv", FOCUS)
    costs = read.read(file).costs
    assert [(line.item, line.usd, line.category) for line in costs] == [
        ("portal_reply", 0.15, "cloud"), ("platform", 2.25, "cloud"), ("platform", 2.25, "cloud"),
    ]  # fmt: skip
    assert len({line.id for line in costs}) == 3, "equal rows of one bill are two charges"
    again, other = reader(tmp_path, "cloud_bill-again.csv", FOCUS)
    assert [line.id for line in again.read(other).costs] == [line.id for line in costs]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("USD", "EUR", "BillingCurrency"),
        ("Usage", "Gift", "ChargeCategory"),
        ("2.25", "cheap", "BilledCost"),
        ("2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,Usage,Storage", "soon,x,Usage,Storage", "ChargePeriodStart"),
        ("Storage,,", "Storage,[1],", "Tags"),
        ("Storage", "", "ServiceName"),
        ("1.5e-1", "1e999", "BilledCost"),
    ],
)
def test_a_bad_bill_is_refused_by_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    read, file = reader(tmp_path, "cloud_bill.csv", FOCUS.replace(old, new))
    with pytest.raises(DataError, match=told):
        read.read(file)


def test_needed_columns_of_focus_are_those_of_the_specification() -> None:
    assert set(focus.NEEDED) <= set(FOCUS.partition("\n")[0].split(","))


def test_only_what_is_whole_is_taken(tmp_path: Path) -> None:
    moment = [1000.0]
    for name in ("costs.csv", "rates.csv", "roster.csv.part", ".hidden.csv", "notes.txt", "costs.csv.tmp"):
        (tmp_path / name).write_text("x", encoding="utf-8")
        os.utime(tmp_path / name, (995, 995))
    read = ErpFolder(tmp_path, ZoneInfo("UTC"), 10.0, lambda: moment[0])
    assert read.ready() == []
    assert [file.name for file in read.unfinished()] == ["costs.csv", "costs.csv.tmp", "rates.csv", "roster.csv.part"]
    (tmp_path / "rates.csv.done").touch()
    assert [file.name for file in read.ready()] == ["rates.csv"]
    moment[0] = 1005.0
    assert [file.name for file in read.ready()] == ["costs.csv", "rates.csv"]


def test_a_missing_file_folder_or_table_and_bad_settings_are_refused(tmp_path: Path) -> None:
    read = erp_files.open({"path": str(tmp_path)})
    with pytest.raises(DataError, match="no such file"):
        read.read_costs()
    with pytest.raises(NotFound, match=r"roster\*\.csv"):
        read.read(tmp_path / "lunch.csv")
    names = ("roster.csv", "roster3.csv", "roster-2026-03.csv", "cost_centres_2.csv", "costs2.csv")
    assert [read.table_of(tmp_path / name) for name in names] == ["roster", "roster", "roster", "cost_centres", "costs"]
    with pytest.raises(DataError, match="no such folder"):
        erp_files.open({"path": str(tmp_path / "none")}).ready()
    for wrong in (
        {},
        {"path": "x", "folder": "x"},
        {"path": "x", "timezone": "Mars/One"},
        {"path": "x", "settle_seconds": "-1"},
    ):
        with pytest.raises(InputError):
            erp_files.open(wrong)


names = st.sampled_from(["costs.csv", "invoices.csv", "roster.csv", "stock.csv", "cloud_bill.csv", "claims.csv"])
heads = st.sampled_from([HEADER, INVOICES, ROSTER, FOCUS, ""])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names, head=heads, body=st.one_of(st.text(max_size=200).map(str.encode), st.binary(max_size=200)))
def test_any_bytes_are_a_batch_or_a_refusal(tmp_path: Path, name: str, head: str, body: bytes) -> None:
    read, file = reader(tmp_path, name, head.encode() + b"\n" + body)
    told = ""
    try:
        assert read.read(file).hash
    except CareplaneError as error:
        told = str(error)
    assert not told or str(file) in told


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=12), min_size=8, max_size=8))
def test_any_row_is_taken_or_named(tmp_path: Path, cells: list[str]) -> None:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    read, file = reader(tmp_path, "costs.csv", f"{HEADER}\n{line.getvalue()}")
    told = ""
    try:
        assert len(read.read(file).costs) <= 1
    except DataError as error:
        told = str(error)
    assert not told or "costs.csv" in told


STAFF = "person,job,unit,fte,hired_on,left_on,as_of\n"


def test_the_hr_roster_is_read_with_first_and_last_days(tmp_path: Path) -> None:
    rows = "Practitioner/p1,nurse,Location/c1,0.8,2020-02-29,,2026-03-01\n"
    rows += "Practitioner/p2,physician,Location/c1,1,2019-01-01,2026-02-28,2026-03-01\n"
    source, file = reader(tmp_path, "staff.csv", STAFF + rows)
    facts = source.read(file).facts
    assert [(one.person, one.fte, one.hired_on, one.left_on) for one in facts if isinstance(one, Employment)] == [
        ("Practitioner/p1", Decimal("0.8"), date(2020, 2, 29), None),
        ("Practitioner/p2", Decimal(1), date(2019, 1, 1), date(2026, 2, 28)),
    ]
    assert len({one.key for one in facts if isinstance(one, Employment)}) == 2


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("p1,nurse,Location/c1,0.8,2020-02-29,,2026-03-01", "person: is not a reference"),
        ("Practitioner/p1,nurse,Location/c1,0.8,2020-02-29,2020-02-28,2026-03-01", "left_on: is before hired_on"),
        ("Practitioner/p1,nurse,Location/c1,8,2020-02-29,,2026-03-01", "fte: is more than 2"),
        ("Practitioner/p1,nurse,Location/c1,0.8,2019-02-29,,2026-03-01", "hired_on"),
    ],
)
def test_an_hr_roster_that_cannot_be_is_refused_with_its_field(tmp_path: Path, row: str, told: str) -> None:
    source, file = reader(tmp_path, "staff.csv", f"{STAFF}{row}\n")
    with pytest.raises(DataError, match=told):
        source.read(file)
