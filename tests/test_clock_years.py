"""Stamps without a year in a bundle: the year that its other logs tell, and evidence whose time nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from loganalyzer.facts import derive, load_tables
from loganalyzer.facts.clock_years import YEAR_OF_OTHERS
from loganalyzer.parser_syslog import NO_YEAR
from loganalyzer.pipeline import Reading, ScanOptions, read
from loganalyzer.windows import Relevance

AGENT = "{} INFO ExtHandler ExtHandler [HEARTBEAT] Agent WALinuxAgent-2.14.0.1 is running as the goal state agent\n"
UNKNOWN_ZONE = "local time of an unknown zone, read as UTC"


def agent_log(*stamps: str) -> str:
    return "".join(AGENT.format(f"{stamp}.000000Z") for stamp in stamps)


def bundle(folder: Path, zone: str | None = None, **files: str) -> Reading:
    for name, text in files.items():
        path = folder / "var" / "log" / name.replace("__", ".").replace("_log", ".log")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read([str(folder)], ScanOptions(time_zone=zone), None, lambda phase, name, size: None)


def syslog_of(reading: Reading) -> pl.DataFrame:
    [frame] = [frame for frame in reading.frames if frame.logsource.service == "syslog"]
    return frame.rows


def lines(*stamps: str) -> str:
    return "".join(f"{stamp} vm01 app[7]: line {number}\n" for number, stamp in enumerate(stamps))


def test_a_year_comes_from_the_logs_that_have_dates(tmp_path: Path) -> None:
    rows = syslog_of(
        bundle(
            tmp_path,
            waagent_log=agent_log("2024-12-31T20:00:00", "2025-01-01T03:00:00"),
            syslog=lines("Dec 30 23:59:58", "Jan  1 00:00:02"),
        )
    )
    assert rows["@timestamp"].to_list() == [
        datetime(2024, 12, 30, 23, 59, 58, tzinfo=UTC),
        datetime(2025, 1, 1, 0, 0, 2, tzinfo=UTC),
    ]
    assert rows["time.assumed"].to_list() == [f"{YEAR_OF_OTHERS}; {UNKNOWN_ZONE}"] * 2


def test_a_given_zone_counts_for_stamps_whose_year_was_found(tmp_path: Path) -> None:
    files = {"waagent_log": agent_log("2025-03-01T02:00:00"), "syslog": lines("Mar  1 03:00:00")}
    rows = syslog_of(bundle(tmp_path, "Europe/Rome", **files))
    assert rows["@timestamp"].to_list() == [datetime(2025, 3, 1, 2, 0, tzinfo=UTC)]
    assert rows["time.assumed"].to_list() == [f"{YEAR_OF_OTHERS}; local time, read in the given zone Europe/Rome"]


@pytest.mark.parametrize(
    ("agent", "stamps"),
    [
        (("2023-02-01T00:00:00", "2025-04-01T00:00:00"), ("Mar  1 03:00:00",)),  # of three years any
        (("2025-03-01T02:00:00",), ("Jul  1 03:00:00", "Jul  2 03:00:00")),  # none: they never meet
        (("2025-02-28T02:00:00",), ("Feb 28 03:00:00", "Feb 29 03:00:00")),  # a day that the year does not have
        ((), ("Mar  1 03:00:00",)),  # nothing has a date
    ],
)
def test_where_several_years_or_none_fit_the_time_stays_unknown(
    tmp_path: Path, agent: tuple[str, ...], stamps: tuple[str, ...]
) -> None:
    files = {"waagent_log": agent_log(*agent)} if agent else {}
    rows = syslog_of(bundle(tmp_path, syslog=lines(*stamps), **files))
    assert rows["@timestamp"].null_count() == rows.height == len(stamps)
    assert set(rows["time.assumed"]) == {NO_YEAR}


def test_neither_the_time_of_a_file_nor_the_clock_gives_a_year(tmp_path: Path) -> None:
    now = datetime.now(tz=UTC)
    rows = syslog_of(bundle(tmp_path, syslog=lines(f"{now:%b} {now.day:2} 00:00:00")))
    assert rows["@timestamp"].to_list() == [None]


def test_rotated_parts_are_one_log_with_one_turn_of_the_year(tmp_path: Path) -> None:
    reading = bundle(
        tmp_path,
        waagent_log=agent_log("2025-01-02T00:00:00", "2025-01-02T10:00:00"),
        syslog__1=lines("Dec 24 08:00:00", "Dec 31 23:00:00"),
        syslog=lines("Jan  1 08:00:00", "Jan  2 09:00:00"),
    )
    assert [time.year for time in syslog_of(reading)["@timestamp"]] == [2024, 2024, 2025, 2025]


@pytest.mark.parametrize(
    ("assumed", "last", "where"),
    [
        (True, datetime(2025, 3, 1, tzinfo=UTC), None),
        (True, None, "standing"),  # nothing in the bundle has a time: there is no history
        (False, datetime(2025, 3, 1, tzinfo=UTC), "standing"),  # a state
    ],
)
def test_an_event_of_unknown_time_is_history_where_times_are_known(
    assumed: bool, last: datetime | None, where: str | None
) -> None:
    assert Relevance((), None, None, last).placed(None, None, assumed, False) == where


def test_a_log_whose_times_nobody_knows_covers_no_time(tmp_path: Path) -> None:
    agent = agent_log("2025-03-01T02:00:00", "2025-03-01T02:30:00")
    start, end = datetime(2025, 3, 1, 2, 10, tzinfo=UTC), datetime(2025, 3, 1, 2, 20, tzinfo=UTC)
    for name, stamp, covered in (("known", "Mar  1 02:05:00", True), ("unknown", "Aug  9 02:05:00", False)):
        reading = bundle(tmp_path / name, waagent_log=agent, syslog=lines(stamp))
        [span] = [one for one in derive(reading.frames, load_tables()).spans if one.path.endswith("syslog")]
        assert (span.covers(start, end), span.undated) == (covered, not covered)
