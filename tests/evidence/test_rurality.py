"""The table of RUCA codes, in the headers of both editions, and what is wrong with others."""

from pathlib import Path

import pytest

from careplane.errors import DataError
from careplane.evidence.rurality import RUCA_FILE, read_ruca


def written(home: Path, text: str) -> Path:
    (home / RUCA_FILE).parent.mkdir()
    (home / RUCA_FILE).write_text(text, "utf-8")
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
