"""The rules of disclosure: dated, by jurisdiction, and the most protective text where nothing is known."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from careplane.errors import DataError
from careplane.governance import PROTECTIVE, demand, read_disclosure_rules

RULES = read_disclosure_rules()
DAY = date(2026, 3, 2)


def of(
    *places: str, on: date = DAY, licensed: bool = False, language: str = "en"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    demanded = demand(RULES, places, on, licensed_review=licensed, language=language)
    return demanded.rules, demanded.exempt


def test_california_exempts_what_a_licensed_person_reviewed() -> None:
    assert of("US-CA") == (("us-ca-ab3030",), ())
    assert of("US-CA", licensed=True) == ((), ("us-ca-ab3030",))


def test_an_exemption_that_nobody_verified_is_not_relied_on() -> None:
    (rule,) = RULES.of("EU")
    assert rule.exempts_reviewed
    assert not rule.verified
    assert of("EU", on=date(2026, 9, 1), licensed=True) == (("eu-ai-act-50",), ())


@pytest.mark.parametrize(
    ("place", "on", "rules"),
    [
        ("US-CA", date(2024, 12, 31), ()),
        ("US-CA", date(2025, 1, 1), ("us-ca-ab3030",)),
        ("US-TX", date(2025, 10, 1), ("us-tx-sb1188",)),
        ("US-TX", date(2026, 1, 1), ("us-tx-hb149", "us-tx-sb1188")),
        ("US-UT", date(2027, 6, 30), ("us-ut-aipa",)),
        ("US-UT", date(2027, 7, 1), ()),
    ],
)
def test_a_rule_holds_from_its_day_to_its_end(place: str, on: date, rules: tuple[str, ...]) -> None:
    assert of(place, on=on)[0] == rules


@pytest.mark.parametrize("places", [(), ("",), ("US-AZ",), ("XX",)])
def test_an_unknown_jurisdiction_gets_the_most_protective_text(places: tuple[str, ...]) -> None:
    demanded = demand(RULES, places, DAY, licensed_review=True, language="en")
    assert demanded.rules == (PROTECTIVE,)
    assert "generative artificial intelligence" in demanded.start[0]
    assert "approved" in demanded.start[0]


def test_patient_and_site_both_count() -> None:
    assert of("US-CA", "US-TX", licensed=True) == (("us-tx-hb149", "us-tx-sb1188"), ("us-ca-ab3030",))
    assert of("US-CA", "US-AZ") == ((PROTECTIVE, "us-ca-ab3030"), ())


def test_the_text_is_in_the_language_of_the_patient_where_there_is_one() -> None:
    said = {language: demand(RULES, ["US-CA"], DAY, licensed_review=False, language=language).start[0]
            for language in ("en", "es", "es-MX", "vi")}  # fmt: skip
    assert said["es"] == said["es-MX"] != said["en"] == said["vi"]


def test_every_row_of_the_file_names_its_source_and_what_was_checked() -> None:
    for rule in RULES.rule:
        assert rule.source.startswith("https://")
        assert rule.citation
        assert rule.note
        assert not rule.exempts_reviewed or rule.exempt_when
        assert rule.kind == "disclosure" or not rule.text


GOOD = 'version="2026-01-01"\n[protective.text]\nen="AI."\n'
ROW = """[[rule]]
id="x-1"
jurisdiction="US-CA"
kind="disclosure"
name="n"
citation="c"
effective="2026-01-01"
source="s"
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "version"),
        ("version = ", "rules"),
        (GOOD + ROW, "English"),
        (GOOD + ROW + '[rule.text]\nen="t"\n' + ROW + '[rule.text]\nen="t"\n', "twice"),
        (GOOD + ROW.replace("2026-01-01", "soon"), "effective"),
        (GOOD + ROW.replace("US-CA", "California"), "jurisdiction"),
        (GOOD + ROW + "colour=1\n", "colour"),
        ('version="x"\n[protective.text]\nes="IA."\n', "English"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told) as caught:
        read_disclosure_rules(file)
    assert caught.value.file == str(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_disclosure_rules(tmp_path / "none.toml")


def test_the_page_of_reference_is_current() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts/disclosure-reference"
    subprocess.run([sys.executable, script, "--check"], check=True)
