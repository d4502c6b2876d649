"""The nightly run of measures: when it is due, that it runs beside a server, and what a wrong setting says."""

import asyncio
import dataclasses
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from careplane.errors import InputError, SettingsError
from careplane.evidence.measure_runs import latest_runs
from careplane.evidence.rows import extract
from careplane.evidence.run_tables import RunRecord
from careplane.server import measuring
from careplane.server.measuring import choice_of, due, last_night, night_of, run_night, tend_measures
from careplane.server.platform import open_platform
from careplane.settings import read_settings
from careplane.store.lake import load_path

CHICAGO = ZoneInfo("America/Chicago")
HALF_PAST_TWO = time(2, 30)
MEASURE = "discharge_before_noon"


def at(day: int, hour: int, minute: int = 0, month: int = 5) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=CHICAGO)


@pytest.mark.parametrize(
    ("now", "last", "is_due"),
    [
        (at(2, 2, 29), at(1, 2, 30), False),
        (at(2, 2, 30), at(1, 2, 30), True),
        (at(2, 2, 31), at(2, 2, 30), False),
        (at(2, 14), at(1, 2, 30), True),  # nothing served last night
        (at(9, 1), at(1, 2, 30), True),
        (at(8, 3, 5, month=3), at(7, 2, 30, month=3), True),  # the night in which 2:30 does not exist
        (at(1, 2, 40, month=11), at(31, 2, 30, month=10), True),
    ],
)
def test_a_run_is_due_once_a_night(now: datetime, last: datetime, is_due: bool) -> None:
    assert due(now, HALF_PAST_TWO, last) is is_due


def test_the_time_of_the_night_is_a_time_or_never(home: Path) -> None:
    settings = read_settings(home=str(home))
    assert night_of(settings) == HALF_PAST_TWO
    assert night_of(settings.replace(measures_at="")) is None
    for wrong in ("24:00", "2:30", "half past two"):
        with pytest.raises(SettingsError, match="write HH:MM") as caught:
            night_of(settings.replace(measures_at=wrong))
        assert caught.value.field == "measures_at"


def test_the_engine_is_that_of_the_settings_or_the_one_named(home: Path) -> None:
    settings = read_settings(home=str(home)).replace(spark_master="local[2]")
    assert choice_of(settings).name == "duckdb"
    assert (choice_of(settings, "spark").name, choice_of(settings, "spark").where) == ("spark", "local[2]")
    with pytest.raises(InputError, match="known are duckdb, spark, postgres"):
        choice_of(settings, "clickhouse")


def test_a_night_runs_beside_the_server_and_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"}}
    source = home.parent / "stays.ndjson"
    source.write_bytes(orjson.dumps({**stay, "period": {"end": "2026-05-01T09:00:00Z"}}) + b"\n")
    load_path(source, home)
    clock = [at(2, 2, 0)]
    opened = open_platform(read_settings(home=str(home)), clock=lambda: clock[0])
    platform = dataclasses.replace(opened, measures={MEASURE: opened.measures[MEASURE]})
    monkeypatch.setattr(measuring, "TEND_SECONDS", 0.01)

    async def nights() -> None:
        tended = asyncio.ensure_future(tend_measures(platform))
        await asyncio.sleep(0.2)
        assert last_night(home) is None
        clock[0] += timedelta(hours=1)
        for _ in range(600):
            await asyncio.sleep(0.05)
            if last_night(home) is not None:
                break
        tended.cancel()
        await asyncio.gather(tended, return_exceptions=True)

    asyncio.run(nights())
    assert last_night(home) == clock[0]
    assert latest_runs(home)[MEASURE].figure == 1.0
    assert [one.unchanged for one in run_night(platform)] == [True]
    platform.close()


def test_a_night_gives_measures_all_that_an_analysis_gives_them(home: Path) -> None:
    """Every measure of the shelf, with a reply to grade, a stay with an expectation and a service with its units."""
    chart = [
        {"resourceType": "Communication", "id": "r", "status": "completed", "sent": "2026-05-01T09:00:00Z",
         "sender": {"reference": "Practitioner/a"}, "recipient": [{"reference": "Patient/p"}],
         "inResponseTo": [{"reference": "Communication/m"}],
         "payload": [{"contentString": "Your test is fine. You do not need to do a thing now. Call us if you feel bad. "
                                       "We are here to help you day and night."}]},
        {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"},
         "subject": {"reference": "Patient/p"}, "reasonCode": [{"coding": [{"code": "84114007"}]}],
         "period": {"start": "2026-05-01T09:00:00Z", "end": "2026-05-03T09:00:00Z"}},
    ]  # fmt: skip
    source = home.parent / "chart.ndjson"
    source.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in chart))
    load_path(source, home)
    (home / "reference").mkdir(exist_ok=True)
    (home / "reference" / "expected_stays.csv").write_text("reason,days\n84114007,4\n", encoding="utf-8")
    (home / "reference" / "rvus.csv").write_text("code,wrvu\n99213,1.3\n", encoding="utf-8")
    platform = open_platform(read_settings(home=str(home)), clock=lambda: at(2, 3))
    done = {one.measure: one for one in run_night(platform)}
    platform.close()
    assert set(done) == set(platform.measures)
    assert {name: one.problem for name, one in done.items() if one.problem} == {}
    analysed = extract(home, platform.measures, RunRecord()).rows
    names = ("readability", "los_oe", "wrvu_fte")
    assert {name: done[name].rows for name in names} == {name: len(analysed[name]) for name in names}
    assert (done["readability"].figure, done["los_oe"].figure) == (-1.1, 0.5)
