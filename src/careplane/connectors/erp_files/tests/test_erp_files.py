"""The ERP export: every line with its source, or the whole file refused with every bad field named."""

from datetime import date
from pathlib import Path

import pytest

from careplane.connectors import erp_files
from careplane.errors import DataError, InputError

HEADER = "line_id,posted_on,cost_centre,vendor,category,item,description,amount_usd"
GOOD = "L1,2026-01-31,CC-1,Acme,licence,portal_reply,Seats,1234.50"


def folder(tmp_path: Path, *rows: str, header: str = HEADER) -> dict[str, str]:
    (tmp_path / "costs.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return {"path": str(tmp_path)}


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
        (("L1,2026-01-31",), HEADER, "costs.csv:2"),
        (('L1,"open',), HEADER, "costs.csv"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, rows: tuple[str, ...], header: str, where: str) -> None:
    with pytest.raises(DataError, match=where):
        erp_files.open(folder(tmp_path, *rows, header=header)).read_costs()


def test_a_missing_file_and_unknown_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        erp_files.open({"path": str(tmp_path)}).read_costs()
    with pytest.raises(InputError, match="path"):
        erp_files.open({})
    with pytest.raises(InputError, match="folder"):
        erp_files.open({"path": str(tmp_path), "folder": "x"})
