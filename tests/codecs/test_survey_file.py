"""Vendor files as QuestionnaireResponse: what is read, and every way in which a line can be wrong."""

from pathlib import Path

import pytest

from careplane.codecs.survey_file import INSTRUMENTS, PREFIX, read_surveys
from careplane.errors import DataError, InputError
from careplane.measures._cahps import PREFIX as READ
from careplane.measures.cgcahps_comm import BEST as CLINIC
from careplane.measures.hcahps_discharge import BEST as DISCHARGE
from careplane.measures.hcahps_doctors import BEST as DOCTORS

FILE = Path("march.csv")
HEADER = "survey_id,patient,encounter,sampled_on,answered_on,explain,listen,respect,time,vendor_field"
GOOD = "s1,x,v,2026-03-02,2026-03-20,4,3,M,,whatever"


def surveys(*lines: str, header: str = HEADER) -> list[dict[str, object]]:
    return list(read_surveys("\n".join((header, *lines, "")).encode(), "cgcahps", FILE))


def test_an_answer_and_a_silence() -> None:
    answered, silent = surveys(GOOD, "s2,y,w,2026-03-02,,,,,,")
    assert answered == {
        "resourceType": "QuestionnaireResponse",
        "id": "cgcahps-s1",
        "questionnaire": "urn:careplane:survey:cgcahps",
        "status": "completed",
        "subject": {"reference": "Patient/x"},
        "encounter": {"reference": "Encounter/v"},
        "authored": "2026-03-02",
        "item": [
            {"linkId": "explain", "answer": [{"valueInteger": 4}]},
            {"linkId": "listen", "answer": [{"valueInteger": 3}]},
        ],
    }
    assert (silent["status"], "item" in silent) == ("stopped", False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("s1,x,v,2026-03-02,2026-03-20,5,3,1,1,", ":2: explain: must be 1 to 4"),
        ("s1,x,v,2026-03-02,2026-03-20,4,0,1,1,", "listen: must be 1 to 4"),
        ("s1,x,v,2026-03-02,2026-03-20,4,often,1,1,", "listen: must be 1 to 4"),
        ("s1,x,v,03/02/2026,2026-03-20,4,4,4,4,", "sampled_on: must be a day"),
        ("s1,x,v,2026-02-30,2026-03-20,4,4,4,4,", "sampled_on: must be a day"),
        ("s1,x,v,2026-03-02,2026-03-01,4,4,4,4,", "answered_on: is before"),
        ("s1,x,v,2026-03-02,,4,4,4,4,", "answered_on: is empty"),
        ("s1,,v,2026-03-02,,,,,,", "patient: must be an id"),
        ("s1,a/b,v,2026-03-02,,,,,,", "patient: must be an id"),
        ("s1,x,v,2026-03-02", "another number of fields"),
        ("s1,x,v,2026-03-02,,,,,,,,", "another number of fields"),
    ],
)
def test_a_line_that_cannot_be_is_refused_with_its_field(line: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        surveys(line)


def test_a_survey_that_comes_twice_and_a_header_without_an_item_are_refused() -> None:
    with pytest.raises(DataError, match=":3: survey_id: was there before"):
        surveys(GOOD, GOOD)
    with pytest.raises(DataError, match="the header lacks time"):
        surveys(header=HEADER.replace(",time", ""))
    with pytest.raises(DataError, match="not UTF-8"):
        list(read_surveys(f"{HEADER}\n".encode("utf-16"), "cgcahps", FILE))
    with pytest.raises(InputError, match="must be one of cgcahps, hcahps"):
        list(read_surveys(b"", "nps", FILE))


def test_errors_do_not_tell_what_is_in_a_cell() -> None:
    with pytest.raises(DataError) as told:
        surveys("s1,Jane Doe,v,2026-03-02,,,,,,")
    assert "Jane" not in str(told.value)


def test_the_measures_read_what_this_writes() -> None:
    assert PREFIX == READ
    assert set(CLINIC) == set(INSTRUMENTS["cgcahps"])
    assert set(DOCTORS) | set(DISCHARGE) == set(INSTRUMENTS["hcahps"])
