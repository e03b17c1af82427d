"""What a bundle says of its clocks: zones of its sources and of the machine, and jumps, as rows and in the coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loganalyzer.facts import derive, load_tables
from loganalyzer.facts.clock_facts import clock_frames, zone_of
from loganalyzer.parser import ParseContext, Source
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.registry import parsers
from loganalyzer.schema import EventFrame, LogSource, conform

AGENT = "{} INFO ExtHandler ExtHandler [HEARTBEAT] Agent WALinuxAgent-2.14.0.1 is running as the goal state agent\n"
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
SYSTEM = LogSource("windows", "system")


def frame(logsource: LogSource, rows: Sequence[Mapping[str, Any]], path: str = "a.log") -> EventFrame:
    full = [{"@timestamp": NOON, "event.original": "", "event.sequence": n, **row} for n, row in enumerate(rows)]
    data = pl.DataFrame(full, infer_schema_length=None)
    return EventFrame(logsource, conform(data.with_columns(pl.lit(path).alias("log.file.path"))))


def facts(*frames: EventFrame, fact: str) -> list[tuple[Any, ...]]:
    wanted = ("value", "object", "count", "offset_minutes", "how")
    return [
        row for one in clock_frames(frames) for row in one.rows.filter(pl.col("fact") == fact).select(wanted).rows()
    ]


def event(provider: str, code: int, **fields: Any) -> dict[str, Any]:
    return {"Provider_Name": provider, "EventID": code, **fields}


@pytest.mark.parametrize(
    ("assumed", "zone"),
    [
        (None, ("UTC", 0)),
        ("local time of an unknown zone, read as UTC", ("unknown", None)),
        ("the time names no zone: read as UTC", ("unknown", None)),
        ("local time, read in the given zone Europe/Rome", ("Europe/Rome", None)),
        (
            "the year is that of full times in the same file; local time, UTC-03:30 measured in the file",
            ("UTC-03:30", -210),
        ),
        ("the time in the name of the file", ("UTC", 0)),
    ],
)
def test_what_is_said_of_a_time_tells_its_zone(assumed: str | None, zone: tuple[str, int | None]) -> None:
    found = zone_of(assumed)
    assert (found.name, found.minutes) == zone
    assert found.how


@pytest.mark.slow
def test_no_parser_says_that_a_zone_is_unknown_in_words_that_are_not_understood() -> None:
    said = {
        text
        for parser in parsers()
        for sample in parser.samples
        for one in parser.parse(Source(sample.path, sample.raw), ParseContext()).frames
        for text in one.rows["time.assumed"].drop_nulls()
    }
    assert len(said) > 10
    for text in said:
        if "zone" in text or "UTC" in text:
            assert zone_of(text).name != "UTC" or "UTC+00:00" in text, text


def test_each_source_has_a_row_for_each_zone_of_its_stamps() -> None:
    unknown = "local time of an unknown zone, read as UTC"
    rows: list[dict[str, Any]] = [
        {"@timestamp": NOON},
        {"@timestamp": NOON + timedelta(hours=1), "time.assumed": unknown},
        {"@timestamp": NOON + timedelta(hours=2), "time.assumed": f"the year is that of x; {unknown}"},
        {"@timestamp": None, "time.assumed": "the time is not known"},
    ]
    [found] = clock_frames([frame(LogSource("linux", "vmsnapshot"), rows)])
    assert found.logsource == LogSource("linux", "clock", "fact")
    assert found.rows.select("fact", "value", "count", "@timestamp", "event.end").rows() == [
        ("clock_zone", "UTC", 1, NOON, NOON),
        ("clock_zone", "unknown", 2, NOON + timedelta(hours=1), NOON + timedelta(hours=2)),
    ]
    assert found.rows["derived_from"].list.len().to_list() == [1, 1]


def test_event_6013_names_the_zone_of_the_machine_and_how_far_it_is_from_utc() -> None:
    rows = [event("EventLog", 6013, timezone="300 Eastern Standard Time") for _ in range(2)]
    rows += [event("EventLog", 6013, timezone=text) for text in ("-60 W. Europe Standard Time", "60", None)]
    assert facts(frame(SYSTEM, rows), fact="time_zone") == [
        ("Eastern Standard Time", "a.log", 2, -300, "EventLog 6013"),
        ("W. Europe Standard Time", "a.log", 1, 60, "EventLog 6013"),
    ]


def systemtime(time: datetime) -> bytes:
    parts = (time.year, time.month, 6, time.day, time.hour, time.minute, time.second, 0)
    return b"".join(part.to_bytes(2, "little") for part in parts)


@pytest.mark.parametrize(
    ("behind", "found"),
    [
        (timedelta(hours=-5), [("UTC-05:00", "a.log", 1, -300, "EventLog 6008")]),
        (timedelta(hours=5, minutes=45), [("UTC+05:45", "a.log", 1, 345, "EventLog 6008")]),
        (timedelta(minutes=7), []),  # no zone is
        (timedelta(hours=20), []),
    ],
)
def test_event_6008_holds_the_same_moment_in_both_clocks(behind: timedelta, found: list[tuple[Any, ...]]) -> None:
    binary = (systemtime(NOON + behind) + systemtime(NOON)).hex().upper()
    assert facts(frame(SYSTEM, [event("EventLog", 6008, Binary=binary)]), fact="time_zone") == found


@pytest.mark.parametrize("binary", ["", "zz", "00" * 32, "FF" * 32, "E907"])
def test_a_binary_that_holds_no_times_says_nothing(binary: str) -> None:
    assert facts(frame(SYSTEM, [event("EventLog", 6008, Binary=binary)]), fact="time_zone") == []


def test_registry_and_systeminfo_name_the_zone_that_windows_is_set_to(tmp_path: Path) -> None:
    key = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\TimeZoneInformation"
    text = f'Windows Registry Editor Version 5.00\r\n\r\n[{key}]\r\n"ActiveTimeBias"=dword:ffffffc4\r\n'
    text += '"TimeZoneKeyName"="W. Europe Standard Time"\r\n'
    [registry] = [one for one in parsers() if one.name == "windows_registry_text"]
    [rows] = registry.parse(Source("zone.reg", text.encode()), ParseContext()).frames
    system = frame(
        LogSource("windows", "os", "config"),
        [
            {"section": None, "key": "Zeitzone", "value": value}
            for value in ("(UTC+01:00) Amsterdam, Berlin", "(UTC) Dublin", "no zone")
        ],
    )
    zones = facts(EventFrame(rows.logsource, conform(rows.rows, log_file_path="zone.reg")), system, fact="time_zone")
    assert zones == [
        ("W. Europe Standard Time", "zone.reg", 2, 60, "TimeZoneInformation"),
        ("(UTC+01:00) Amsterdam, Berlin", "a.log", 1, 60, "systeminfo"),
        ("(UTC) Dublin", "a.log", 1, 0, "systeminfo"),
    ]


def test_a_clock_that_was_set_by_much_is_a_jump_and_the_usual_correction_is_none() -> None:
    provider = "Microsoft-Windows-Kernel-General"
    rows = [
        event(provider, 1, OldTime="2025-03-01T12:00:00.123456789Z", NewTime="2025-03-01T11:00:00.123456789Z"),
        event(provider, 1, OldTime="2025-03-01T12:00:00Z", NewTime="2025-03-01T12:00:00.017Z"),
        event(provider, 1, OldTime="soon", NewTime=None),
        event(provider, 12, OldTime="2025-03-01T12:00:00Z", NewTime="2025-03-02T12:00:00Z"),
    ]
    assert facts(frame(SYSTEM, rows), fact="clock_jump") == [("-3600", "a.log", 1, None, "Kernel-General 1")]


def appended(*minutes: float, **fields: Any) -> EventFrame:
    rows = [{"@timestamp": NOON + timedelta(minutes=minute), "message": "x", **fields} for minute in minutes]
    return frame(LogSource("linux", "waagent"), rows)


@pytest.mark.parametrize(
    ("minutes", "jumps"),
    [
        ((0, 1, 2, -58, -57), ["-3600"]),
        ((0, 1, 0.9, 2), []),  # two threads
        ((5, 4, 3, 2, 1), []),  # printed with the newest first
    ],
)
def test_stamps_that_run_backward_in_a_log_are_a_jump(minutes: tuple[float, ...], jumps: list[str]) -> None:
    assert [row[0] for row in facts(appended(*minutes), fact="clock_jump")] == jumps


def test_stamps_of_two_clocks_in_one_log_are_no_jump() -> None:
    unknown = "local time of an unknown zone, read as UTC"
    rows = [
        {"@timestamp": NOON + timedelta(hours=hour), "time.assumed": assumed}
        for hour, assumed in ((2, unknown), (0, None), (3, unknown), (1, None))
    ]
    assert facts(frame(LogSource("linux", "waagent"), rows), fact="clock_jump") == []


def test_what_chronyd_and_the_time_service_say_is_a_fact() -> None:
    chronyd: dict[str, Any] = {"process.name": "chronyd", "message": "System clock wrong by -3601.250000 seconds"}
    other = {"process.name": "app", "message": "System clock wrong by 9 seconds"}
    service = {"message": "Microsoft-Windows-Time-Service 34: TimeDifferenceSeconds=86400"}
    frames = [frame(LogSource("linux", "syslog"), [chronyd, other]), frame(SYSTEM, [service])]
    rows = [
        row
        for one in derive(frames, load_tables()).frames
        if one.logsource.category == "fact"
        for row in one.rows.select("fact", "value").rows()
    ]
    assert ("clock_jump", "-3601.250000") in rows
    assert ("clock_warning", "34") in rows
    assert ("clock_jump", "9") not in rows


def test_the_coverage_of_a_source_says_when_its_zone_was_assumed(tmp_path: Path) -> None:
    local = "2025/03/01 03:10:05.000000 INFO Daemon Run daemon\n2025/03/01 03:10:06.000000 INFO Daemon second\n"
    (tmp_path / "waagent.log").write_text(local, encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "waagent.log").write_text(AGENT.format("2025-03-01T02:10:00.000000Z"), encoding="utf-8")
    notes = {row.source: row.notes for row in scan([str(tmp_path)]).report.coverage}
    assert notes == {
        "waagent.log": ("2 entries in local time of a zone that is not known, assumed to be UTC",),
        "other/waagent.log": (),
    }
    given = scan([str(tmp_path / "waagent.log")], ScanOptions(time_zone="Europe/Rome")).report.coverage
    assert [row.notes for row in given] == [("2 entries in local time of Europe/Rome, given",)]
