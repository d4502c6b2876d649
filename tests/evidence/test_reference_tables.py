"""Reference tables of a site: RUCA codes in the headers of both editions, expected stays, and what is wrong."""

from pathlib import Path

import pytest

from careplane.errors import DataError
from careplane.evidence.reference_tables import FOLDER, read_ruca, reference_tables


def written(home: Path, text: str, name: str = "ruca.csv") -> Path:
    (home / FOLDER).mkdir()
    (home / FOLDER / name).write_text(text, "utf-8")
    return home


@pytest.mark.parametrize(
    "text",
    [
        "''ZIP_CODE'',STATE,ZIP_TYPE,RUCA1,RUCA2\n'00501',NY,Zip Code Area,1,1.0\n'99999',AK,Zip Code Area,99,99\n",
        "ZIPCode,State,PrimaryRUCA,SecondaryRUCA\n00501,NY,1,1\n99999,AK,99,99\n",
    ],
)
def test_both_editions_are_read(home: Path, text: str) -> None:
    assert read_ruca(written(home, text)) == {"00501": 1, "99999": 99}


def test_without_a_table_nothing_is_known(home: Path) -> None:
    assert read_ruca(home) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zip,code\n00501,1\n", "header must have"),
        ("zip_code,ruca1\n00501,1\n501,2\n", ":3: needs a postal code"),
        ("zip_code,ruca1\n00501,11\n", "1 to 10"),
        ("zip_code,ruca1\n00501\n", "1 to 10"),
        ('zip_code,ruca1\n"00501,1\n', "UTF-8 CSV"),
    ],
)
def test_another_table_is_refused_with_its_line(home: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_ruca(written(home, text))


def test_expected_stays(home: Path) -> None:
    assert reference_tables(home)["expected_stays"].num_rows == 0
    table = reference_tables(written(home, "reason,days,note\nI50.9,4.5,x\n*,3,y\n", "expected_stays.csv"))
    assert table["expected_stays"].to_pylist() == [{"reason": "I50.9", "days": 4.5}, {"reason": "*", "days": 3.0}]


@pytest.mark.parametrize("row", ["I50.9,0", "I50.9,-1", "I50.9,nan", "I50.9,many", ",3", "*,3", "I50.9"])
def test_expected_stays_that_cannot_be_are_refused(home: Path, row: str) -> None:
    with pytest.raises(DataError, match=r"expected_stays\.csv:3: needs a reason"):
        reference_tables(written(home, f"reason,days\n*,3\n{row}\n", "expected_stays.csv"))
