"""X12: exact facts from 835 and 837, and a refusal by segment for everything else."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careplane.codecs.x12 import amount, read_interchange
from careplane.codecs.x12_claims import read_remittance
from careplane.connectors import x12
from careplane.connectors.x12.tests.samples import CLAIMS, ERA, ISA
from careplane.errors import DataError, InputError
from careplane.records.erp import Claim, ErpBatch


def read(tmp_path: Path, text: str | bytes, name: str = "a.835") -> ErpBatch:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return x12.open({"path": str(tmp_path), "settle_seconds": "0"}).read(file)


def claims(batch: ErpBatch) -> list[Claim]:
    return [fact for fact in batch.facts if isinstance(fact, Claim)]


def test_a_remittance_as_facts(tmp_path: Path) -> None:
    batch = read(tmp_path, ERA)
    paid, denied = claims(batch)
    assert (paid.claim, paid.charged, paid.paid, paid.patient_owes) == ("CLAIM1", *map(Decimal, (200, 160, 20)))
    assert (paid.payer, paid.on, paid.status, paid.payer_control) == (
        "SYNTHETIC PAYER", date(2026, 3, 1), "1", "PAYERCTRL1",
    )  # fmt: skip
    assert [(one.group, one.reason, one.amount) for one in denied.adjustments] == [
        ("CO", "197", Decimal(60)), ("CO", "16", Decimal(40)),
    ]  # fmt: skip
    assert denied.denied
    assert not paid.denied
    assert denied.source.endswith("a.835: segment 16")
    (event,) = batch.events
    assert (event.id, event.on, event.key) == ("claim.denied:CLAIM2/PAYERCTRL2", "claim.denied", "CLAIM2/PAYERCTRL2")


def test_the_whole_of_a_remittance() -> None:
    (transaction,) = read_interchange(ERA.encode(), "era")
    whole = read_remittance(transaction, "era")
    assert (whole.paid, whole.provider_adjustments) == (Decimal(150), Decimal(10))
    assert (whole.trace, whole.payee) == ("12345", "SYNTHETIC CLINIC")
    assert transaction.test


def test_claims_that_were_made(tmp_path: Path) -> None:
    (claim,) = claims(read(tmp_path, CLAIMS, "b.837"))
    assert (claim.claim, claim.charged, claim.paid, claim.on) == ("CLAIM1", Decimal("250.5"), None, date(2026, 2, 12))
    assert claim.payer == "SYNTHETIC PAYER"


@pytest.mark.parametrize("other", ["|", "^"])
def test_other_delimiters_and_no_line_ends(tmp_path: Path, other: str) -> None:
    text = ERA.replace("^", "!").replace("*", other).replace("~\n", "\x1c")
    assert len(claims(read(tmp_path, text))) == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("*200*160*20", "*200*150*20", "segment 10 CLP: does not balance: the charge less adjustments is 160"),
        ("SVC*HC:99213*200*160", "SVC*HC:99213*200*159", "segment 12 SVC: does not balance"),
        ("BPR*I*150", "BPR*I*151", "segment 4 BPR: does not balance: the sum of CLP04 less PLB is 150"),
        ("FB:X1*10", "FB:X1*11", "does not balance"),
        ("*CO*45*20~", "*CO*45*many~", "segment 14 CAS: CAS03 is not an amount"),
        ("*98765*20260301", "*98765*20261301", "segment 4 BPR: BPR16 is not a date"),
        ("SE*18", "SE*17", r"SE: the transaction \(ST/SE\) does not match"),
        ("GE*1*1", "GE*2*1", "GE: the group"),
        ("IEA*1*000000001", "IEA*1*000000002", "IEA: the interchange"),
        ("CLP*CLAIM2", "CLP*", "CLP01"),
        ("TRN*1*12345", "REF*1*12345", "has no TRN"),
        ("IEA*1*000000001~\n", "", "the interchange"),
        ("IEA*1*000000001~\n", "IEA*1*000000001~\nnonsense", "goes on"),
    ],
)
def test_what_is_wrong_is_named_by_segment_and_nothing_is_taken(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = ERA.replace(old, new)
    assert text != ERA
    with pytest.raises(DataError, match=told) as caught:
        read(tmp_path, text)
    for secret in ("Smithson", "Ottoline", "Roe", "ABC123"):
        assert secret not in str(caught.value)


def test_a_claim_that_is_not_the_sum_of_its_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"segment 8 CLM: does not balance: the sum of the service lines is 250\.5"):
        read(tmp_path, CLAIMS.replace("CLAIM1*250.5", "CLAIM1*251"), "b.837")


@pytest.mark.parametrize("content", [b"", b"hello", b"ISA*00", ERA.encode("utf-16"), ISA.encode(), ERA.encode()[:400]])
def test_what_is_no_interchange_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.835"):
        read(tmp_path, content)


def test_a_file_without_claims_is_refused(tmp_path: Path) -> None:
    text = ERA.replace("ST*835", "ST*999").replace("*HP*", "*FA*")
    with pytest.raises(DataError, match="holds no claim"):
        read(tmp_path, text)


@pytest.mark.parametrize("text", ["1e3", "NaN", "1,5", "--1", "Infinity", "1" * 19, "٣"])
def test_amounts_are_exact_or_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        amount(text)
    assert amount("-12.50") == Decimal("-12.50")


def test_settings_are_checked(tmp_path: Path) -> None:
    for wrong in ({}, {"path": "x", "colour": "y"}, {"path": "x", "settle_seconds": "soon"}):
        with pytest.raises(InputError):
            x12.open(wrong)
    with pytest.raises(DataError, match="no such folder"):
        x12.open({"path": str(tmp_path / "none")}).ready()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_batch_or_a_refusal(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([ERA, CLAIMS])).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["byte", "cut", "copy"]))
        if kind == "byte":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 60))]
        else:
            content[at:at] = content[at : at + 40]
        if not content:
            break
    told = ""
    try:
        read(tmp_path, bytes(content))
    except DataError as error:
        told = str(error)
    assert "Smithson" not in told
