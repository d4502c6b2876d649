"""The request for prior authorisation: in its envelopes, with the right counts, whatever is in the texts."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from careplane.codecs.x12 import read_interchange
from careplane.codecs.x12_278 import AuthorisationRequest, write_278
from careplane.errors import InputError

AT = datetime(2026, 3, 2, 15, 4, tzinfo=UTC)
REQUEST = AuthorisationRequest(
    trace="run-1",
    payer="Synthetic Payer",
    payer_id="60054",
    requester="North clinic",
    requester_npi="1999999984",
    sender_id="NORTH",
    family="Quill",
    given="Ana",
    member_id="ABC123",
    born=date(1961, 4, 2),
    gender="female",
    service_type="4",
    text="MRI of the lumbar spine. " * 20,
    diagnoses=("M54.50", "E11.9"),
    procedure="72148",
)


def test_the_request_as_its_guide_orders_it() -> None:
    (transaction,) = read_interchange(write_278(REQUEST, AT, 7, test=True).encode(), "pa.278")
    assert (transaction.kind, transaction.guide, transaction.test) == ("278", "005010X217", True)
    names = [segment.name for segment in transaction.segments]
    assert names == [
        "BHT",
        "HL",
        "NM1",
        "HL",
        "NM1",
        "HL",
        "NM1",
        "DMG",
        "HL",
        "TRN",
        "UM",
        "HI",
        "PWK",
        "MSG",
        "HL",
        "SV1",
    ]
    by_name = {segment.name: segment for segment in transaction.segments}
    assert by_name["HI"].elements == ("ABK:M5450", "ABF:E119")
    assert by_name["DMG"].elements == ("D8", "19610402", "F")
    assert len(by_name["MSG"][1]) <= 264
    assert [segment[1] for segment in transaction.segments if segment.name == "HL"] == ["1", "2", "3", "4", "5"]


def test_without_a_procedure_code_the_event_has_no_child() -> None:
    (transaction,) = read_interchange(write_278(replace(REQUEST, procedure=""), AT, 7, test=False).encode(), "pa.278")
    last = [segment for segment in transaction.segments if segment.name == "HL"][-1]
    assert last.elements == ("4", "3", "EV", "0")
    assert not transaction.test


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"member_id": ""}, "member_id"),
        ({"payer_id": " * "}, "payer_id"),
        ({"requester_npi": "1999999985"}, "npi"),
        ({"requester_npi": "123"}, "npi"),
        ({"text": ""}, "text"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, str], field: str) -> None:
    with pytest.raises(InputError) as caught:
        write_278(replace(REQUEST, **change), AT, 7, test=True)
    assert caught.value.field == field


@given(st.text(min_size=1, max_size=400), st.text(max_size=80))
def test_no_text_breaks_the_envelope(text: str, family: str) -> None:
    request = replace(REQUEST, text=f"a{text}", family=f"b{family}")
    (transaction,) = read_interchange(write_278(request, AT, 7, test=True).encode("utf-8", "replace"), "pa.278")
    assert transaction.segments[-1].name == "SV1"
