"""``careplane survey convert`` on files, and the survey through the lake to weighted rows."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from careplane._shelf import load
from careplane.cli.survey import command
from careplane.errors import DataError
from careplane.evidence.rows import extract
from careplane.evidence.run_tables import RunRecord
from careplane.store.lake import load_path

HEADER = "survey_id,patient,encounter,sampled_on,answered_on,explain,listen,respect,time\n"


def run(*arguments: str) -> str:
    return CliRunner().invoke(command, arguments, catch_exceptions=False).output


def test_a_vendor_file_becomes_weighted_rows(tmp_path: Path, home: Path) -> None:
    """20 of 40 English speakers answer with always, 10 of 60 Spanish speakers never: .667 raw, .4 weighted."""
    lines, patients = [], []
    for number in range(100):
        english = number < 40
        answers = number < 20 or 40 <= number < 50
        best = 4 if english else 1
        tail = f"2026-03-20,{best},{best},{best},{best}" if answers else ",,,,"
        lines.append(f"s{number},p{number},e{number},2026-03-02,{tail}")
        spoken = {"language": {"coding": [{"code": "en" if english else "es"}]}}
        patients.append({"resourceType": "Patient", "id": f"p{number}", "communication": [spoken]})
    file, output = tmp_path / "march.csv", tmp_path / "out" / "march.ndjson"
    file.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
    told = run("convert", str(file), "--instrument", "cgcahps", "--output", str(output), "--json")
    assert json.loads(told) == {"asked": 100, "answered": 30, "rate": 0.3}
    assert output.stat().st_mode & 0o777 == 0o600
    (output.parent / "Patient.ndjson").write_text("\n".join(json.dumps(one) for one in patients), "utf-8")
    load_path(output.parent, home)
    rows = extract(home, {"cgcahps_comm": load("measures", "cgcahps_comm").MEASURE}, RunRecord()).rows["cgcahps_comm"]
    answered = rows.weight > 0
    assert int(answered.sum()) == 30
    assert rows.value[answered].mean() == pytest.approx(20 / 30)
    weighted = rows.weight[answered] @ rows.value[answered] / rows.weight[answered].sum()
    assert weighted == pytest.approx(0.4)


def test_a_file_with_a_fault_writes_nothing(tmp_path: Path) -> None:
    file, output = tmp_path / "march.csv", tmp_path / "march.ndjson"
    file.write_text(f"{HEADER}s1,x,v,2026-03-02,2026-03-20,7,1,1,1\n", "utf-8")
    with pytest.raises(DataError, match="explain"):
        run("convert", str(file), "--instrument", "cgcahps", "--output", str(output))
    with pytest.raises(DataError, match="cannot be read"):
        run("convert", str(tmp_path / "none.csv"), "--instrument", "cgcahps", "--output", str(output))
    assert not output.exists()
