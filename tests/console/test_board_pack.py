"""The board pack holds what leadership decides on, stands alone, and prints."""

import logging
import sys
from pathlib import Path

import pytest

from careplane import console

SUMMARY = {
    "seed": 7,
    "effects": [
        {"measure": "reply_turnaround_hours", "estimate": -3.6, "ci_low": -5.2, "ci_high": -2.0, "truth": -4.0},
        {"measure": "read_time", "estimate": 0.1, "ci_low": -0.2, "ci_high": 0.4, "truth": None},
    ],
    "ledger": {"verified": True},
}


@pytest.fixture(scope="module")
def pack(served, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:  # type: ignore[no-untyped-def]
    return console.board_pack(served.context, tmp_path_factory.mktemp("pack") / "report", summary=SUMMARY)


def test_the_pack_says_what_is_decided_and_on_what(pack: list[Path]) -> None:
    html = pack[0].read_text()
    for words in (
        "Scale portal reply drafts to eight more clinics?",
        "Gate G3",
        "−5.20 to −2.00",
        "exact permutation",
        "Estimated and true effects",
        "withheld",
        "Triple Aim",
        "Value by purse",
        "Synthetic.",
        "seed 7",
        "data hash",
        "not measured",
    ):
        assert words in html, words
    assert html.count("<svg") >= 4
    assert "var(--line)" not in html, "drawings on paper have plain colours"


def test_the_pack_needs_no_other_file(pack: list[Path]) -> None:
    html = pack[0].read_text()
    assert "<script" not in html
    assert "<link" not in html
    assert "src=" not in html


def test_the_pack_prints_to_pdf(pack: list[Path]) -> None:
    pytest.importorskip("weasyprint", reason="the extra 'pdf' is not installed")
    assert pack[1].name == "board-pack.pdf"
    assert pack[1].read_bytes().startswith(b"%PDF-")
    assert pack[1].stat().st_size > 20_000


def test_without_weasyprint_the_page_is_still_written(  # type: ignore[no-untyped-def]
    served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with caplog.at_level(logging.WARNING):
        written = console.board_pack(served.context, tmp_path, summary={})
    assert [path.name for path in written] == ["board-pack.html"]
    assert "uv sync --extra pdf" in caplog.text
    assert "Estimated and true" not in written[0].read_text()
