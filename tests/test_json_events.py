"""JSON events: every layout, both forms, times, places; no line is lost whatever the bytes are."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loganalyzer.event_time import read_time
from loganalyzer.json_events import MOST_FIELDS, JsonEvents, read_json_events
from loganalyzer.json_events.objects import FoundObject, objects
from loganalyzer.parser import decode
from loganalyzer.schema import SHARED_COLUMNS, LogSource
from loganalyzer.sigma.rows import concat_rows, rows_of
from loganalyzer.source import Source

SECURITY = "Microsoft-Windows-Security-Auditing"


def read(data: bytes | str, logsource: LogSource | None = None, zone: str | None = None) -> JsonEvents:
    found = read_json_events(Source("a.json", data.encode() if isinstance(data, str) else data), logsource, zone)
    assert found is not None
    return found


def rows(data: bytes | str, **options: Any) -> list[dict[str, Any]]:
    """The rows of the only frame."""
    (frame,) = read(data, **options).frames
    return frame.rows.to_dicts()


def flat(**fields: Any) -> dict[str, Any]:
    return rows(json.dumps(fields))[0]


def rejected(data: bytes | str) -> list[tuple[int, str]]:
    return read(data).rejected.select("log.line", "event.original").rows()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"n":0}\n{"n":1}\n', [1, 2]),
        ('{"n":0}\r\n\r\n{"n":1}', [1, 3]),
        ('[{"n":0},{"n":1}]', [1, 1]),
        ('[\n  {"n":0},\n  {"n":1}\n]\n', [2, 3]),
        ('[[{"n":0}],[{"n":1}]]', [1, 1]),
        ('{\n  "n": 0\n}\n{\n  "n": 1\n}\n', [1, 4]),
        ('{"n":0}{"n":1}', [1, 1]),
        ('{"Records":[{"n":0},\n{"n":1}]}\n', [1, 2]),
        ('\x1e{"n":0}\n\x1e{"n":1}\n', [1, 2]),
        ('\x00\x00{"n":0}\n{"n":1}\x00', [1, 2]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_events_are_found_in_every_layout_with_the_line_on_which_each_begins(
    text: str, lines: list[int], encoding: str
) -> None:
    found = read(text.encode(encoding))
    assert found.frames[0].rows.select("n", "log.line", "event.sequence").rows() == [
        (0, lines[0], 0),
        (1, lines[1], 1),
    ]
    assert found.rejected.is_empty()
    assert found.events == 2


def test_a_bad_line_is_rejected_with_its_reason_and_costs_only_itself() -> None:
    found = read('{"n":0}\n{"n":\n{"n":1} x\nhello\n{"n":2}\n')
    assert found.frames[0].rows["n"].to_list() == [0, 1, 2]
    assert found.rejected.select("log.line", "event.original").rows() == [(2, '{"n":'), (3, "x"), (4, "hello")]
    assert found.rejected["error.message"].to_list()[0].startswith("not JSON: Expecting")
    assert found.rejected["error.message"].to_list()[1] == "not a JSON object"


def test_a_torn_text_does_not_swallow_the_events_after_it() -> None:
    assert rejected('{"a":"torn\n{"a":"whole"}\n{"a":"too"}') == [(1, '{"a":"torn')]


def test_the_inside_of_a_broken_event_is_not_taken_for_events() -> None:
    text = '{\n  "a": oops,\n  "list": [\n    {"b": 1}\n  ]\n}\n{"a": 2}\n'
    assert [line for line, _ in rejected(text)] == [1, 2, 3, 4, 6]
    assert rows(text)[0]["a"] == 2


@pytest.mark.parametrize("text", ["", "\n\n", "plain text\n", "[1, 2]", '"text"', "[2026-01-01] a log\n", "{oops"])
def test_what_holds_no_event_is_no_json_file(text: str) -> None:
    assert read_json_events(Source("a.json", text.encode())) is None


def test_an_empty_array_is_a_file_of_no_events() -> None:
    assert read("[]").events == 0


def test_a_key_that_stands_twice_keeps_both_values() -> None:
    assert rows('{"a":"x","a":"y"}')[0]["a"] == ["x", "y"]


def test_fields_in_objects_get_names_with_dots_and_lists_stay_lists() -> None:
    row = flat(a={"b": {"c": 1}}, tags=["x", "y"], items=[{"k": 1, "v": "p"}, {"k": 2}], empty=[], mixed=[1, "a"])
    assert (row["a.b.c"], row["tags"], row["items.k"], row["items.v"]) == (1, ["x", "y"], [1, 2], ["p"])
    assert (row["empty"], row["mixed"]) == ([], ["1", "a"])


def test_a_name_with_dots_and_the_same_way_into_objects_are_one_field() -> None:
    assert flat(**{"a.b": 1, "a": {"b": 2}})["a.b"] == [1, 2]


def test_types_of_json_are_kept_and_a_column_of_several_kinds_is_text() -> None:
    found = rows('{"i":9007199254740993,"f":1.5,"t":true,"s":"x","m":1,"n":null}\n{"m":true,"n":null}\n')
    assert [found[0][name] for name in ("i", "f", "t", "s")] == [9007199254740993, 1.5, True, "x"]
    assert [row["m"] for row in found] == ["1", "true"]
    assert [row["n"] for row in found] == [None, None]


@pytest.mark.parametrize(("text", "value"), [("NaN", "NaN"), ("-Infinity", "-Infinity"), ("1e999", float("inf"))])
def test_numbers_that_json_does_not_know_lose_no_event(text: str, value: object) -> None:
    assert rows(f'{{"a":{text}}}')[0]["a"] == value


def test_a_whole_number_beyond_64_bits_is_text_and_exact() -> None:
    assert flat(a=2**70)["a"] == str(2**70)


def test_a_number_of_too_many_digits_is_rejected_and_the_next_line_is_read() -> None:
    assert [line for line, _ in rejected('{"a":' + "1" * 5000 + '}\n{"a":1}')] == [1]


def test_half_of_a_utf16_pair_is_replaced_and_a_whole_pair_is_kept() -> None:
    assert (
        rows('{"a":"\\ud800 \\ud83d\\ude00","\\udfff":1}')[0] | {"a": "\ufffd \U0001f600", "\ufffd": 1}
        == (rows('{"a":"\\ud800 \\ud83d\\ude00","\\udfff":1}')[0])
    )


def test_an_event_of_far_too_many_fields_is_rejected() -> None:
    wide = json.dumps({f"f{number}": 1 for number in range(MOST_FIELDS + 1)})
    assert [line for line, _ in rejected(f'{{"a":1}}\n{wide}\n')] == [2]


def test_very_different_events_are_several_narrow_frames() -> None:
    text = "\n".join(json.dumps({f"f{event}_{field}": 1 for field in range(400)}) for event in range(3))
    found = read(text)
    assert [frame.rows.height for frame in found.frames] == [1, 1, 1]
    assert max(frame.rows.width for frame in found.frames) < 500


def test_names_of_our_own_columns_do_not_hide_where_an_event_stands() -> None:
    row = flat(**{"log.line": 77, "log.file.path": "/x", "event.original": "y", "event": {"sequence": 9}, "n": 1})
    assert (row["log.line"], row["log.file.path"], row["event.sequence"]) == (1, "a.json", 0)
    assert (row["EventData_log.line"], row["EventData_log.file.path"]) == (77, "/x")
    assert row["EventData_event.sequence"] == 9


def test_a_process_id_that_is_text_is_a_number_or_kept_as_it_is() -> None:
    assert flat(process={"pid": "42"})["process.pid"] == 42
    row = flat(process={"pid": "0x2a"})
    assert (row["process.pid"], row["EventData_process.pid"]) == (None, "0x2a")


# Places.


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"EventRecordID": 7}, 7),
        ({"EventRecordID": "7"}, 7),
        ({"RecordID": 7}, 7),
        ({"EventRecordId": 7}, 7),
        ({"winlog": {"record_id": 7}}, 7),
        ({"EventRecordID": "seven"}, None),
        ({"RecordId": "0c9f6f6e"}, None),
        ({}, None),
    ],
)
def test_a_record_id_is_the_number_that_the_event_holds(fields: dict[str, Any], number: int | None) -> None:
    assert flat(a=1, **fields)["EventRecordID"] == number


# Times.

TIMES = [
    ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
    ("2024-05-06 07:08:09.123456", "2024-05-06T07:08:09.123456+00:00"),
    ("2024-05-06T07:08:09.1234567Z", "2024-05-06T07:08:09.123456+00:00"),
    ("2024-05-06T07:08:09,5+02:00", "2024-05-06T05:08:09.500000+00:00"),
    ("2024-05-06 07:08:09 UTC", "2024-05-06T07:08:09+00:00"),
    (1714979289, "2024-05-06T07:08:09+00:00"),
    (1714979289.25, "2024-05-06T07:08:09.250000+00:00"),
    ("1714979289", "2024-05-06T07:08:09+00:00"),
    (1714979289123, "2024-05-06T07:08:09.123000+00:00"),
    (1714979289123456, "2024-05-06T07:08:09.123456+00:00"),
    (1714979289123456789, "2024-05-06T07:08:09.123457+00:00"),
    ("/Date(1714979289123)/", "2024-05-06T07:08:09.123000+00:00"),
]


@pytest.mark.parametrize(("written", "meant"), TIMES)
def test_times_are_read_in_every_common_spelling(written: object, meant: str) -> None:
    time, _ = read_time(written, None)
    assert time is not None
    assert time.isoformat() == meant


@pytest.mark.parametrize(
    "written", ["", "soon", "2024-13-01", True, None, ["x"], 1e300, "1" * 21, "0001-01-01T00:00:00Z"]
)
def test_what_is_no_time_is_none(written: object) -> None:
    assert read_time(written, None) == (None, None)


def test_a_time_without_a_zone_is_read_as_utc_or_in_the_given_zone_and_says_so() -> None:
    text = '{"ts":"2024-07-01T12:00:00"}'
    (assumed,), (given_zone,) = rows(text), rows(text, zone="Europe/Rome")
    assert assumed["@timestamp"] == datetime(2024, 7, 1, 12, tzinfo=UTC)
    assert assumed["time.assumed"] == "the time names no zone: read as UTC"
    assert given_zone["@timestamp"] == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert given_zone["time.assumed"] == "local time, read in the given zone Europe/Rome"


def test_a_field_that_is_utc_by_its_name_is_not_moved() -> None:
    (row,) = rows('{"UtcTime":"2024-07-01 12:00:00.5"}', zone="Europe/Rome")
    assert (row["@timestamp"], row["time.assumed"]) == (datetime(2024, 7, 1, 12, 0, 0, 500_000, tzinfo=UTC), None)


def test_the_first_time_that_can_be_read_counts() -> None:
    row = flat(time="soon", **{"@timestamp": "never", "eventTime": "2024-05-06T07:08:09Z"})
    assert row["@timestamp"] == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert row["EventData_@timestamp"] == "never"


def test_an_event_without_a_time_has_none() -> None:
    assert flat(a=1)["@timestamp"] is None


# What events are.


def test_events_that_do_not_say_what_they_are_have_the_given_log_source_or_none() -> None:
    assert read('{"a":1}').frames[0].logsource == LogSource()
    assert read('{"a":1}').undeclared == 1
    given_source = read('{"a":1}', logsource=LogSource("linux", "auditd"))
    assert (given_source.frames[0].logsource, given_source.undeclared) == (LogSource("linux", "auditd"), 0)


@pytest.mark.parametrize("fields", [{"Channel": "Security"}, {"winlog": {"channel": "Security"}}])
def test_a_flat_event_that_names_a_channel_is_of_its_service_whatever_is_given(fields: dict[str, Any]) -> None:
    found = read(json.dumps({"EventID": 4624, **fields}), logsource=LogSource("linux", "auditd"))
    assert found.frames[0].logsource == LogSource("windows", "security")
    assert found.undeclared == 0


def test_winlogbeat_fields_have_sigmas_names_too() -> None:
    event = {
        "winlog": {
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "event_id": 1,
            "provider_name": "Microsoft-Windows-Sysmon",
            "computer_name": "h",
            "event_data": {"Image": "C:\\a.exe"},
        }
    }
    row = flat(**event)
    assert (row["EventID"], row["Image"], row["Provider_Name"], row["Computer"]) == (
        1,
        "C:\\a.exe",
        "Microsoft-Windows-Sysmon",
        "h",
    )
    assert row["winlog.event_data.Image"] == "C:\\a.exe"


def test_field_names_with_blanks_get_a_second_name_in_windows_events() -> None:
    row = flat(Channel="System", **{"Threat Name": "x"})
    assert (row["Threat Name"], row["ThreatName"]) == ("x", "x")


@pytest.mark.parametrize("event_id", [4688, "4688"])
def test_a_flat_4688_has_the_names_of_process_creation(event_id: object) -> None:
    row = flat(Channel="Security", EventID=event_id, Provider_Name=SECURITY, NewProcessName="C:\\a.exe")
    assert row["Image"] == "C:\\a.exe"


# The form of Windows events, in four spellings.

BINDING: dict[str, Any] = {
    "Event": {
        "#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
        "System": {
            "Provider": {"#attributes": {"Name": SECURITY}},
            "EventID": {"#attributes": {"Qualifiers": 0}, "#text": 4624},
            "TimeCreated": {"#attributes": {"SystemTime": "2024-05-06T07:08:09.123456Z"}},
            "EventRecordID": 9,
            "Channel": "Security",
            "Computer": "h",
        },
        "EventData": {"TargetUserName": "bob", "LogonType": 3},
    }
}
XMLTODICT = {
    "Event": {
        "@xmlns": "http://schemas.microsoft.com/win/2004/08/events/event",
        "System": {
            "Provider": {"@Name": SECURITY},
            "EventID": {"@Qualifiers": "0", "#text": "4624"},
            "TimeCreated": {"@SystemTime": "2024-05-06 07:08:09.123456+00:00"},
            "EventRecordID": "9",
            "Channel": "Security",
            "Computer": "h",
        },
        "EventData": {"Data": [{"@Name": "TargetUserName", "#text": "bob"}, {"@Name": "LogonType", "#text": "3"}]},
    }
}
VELOCIRAPTOR = {
    "System": {
        "Provider": {"Name": SECURITY},
        "EventID": {"Value": 4624, "Qualifiers": 0},
        "TimeCreated": {"SystemTime": 1714979289.123456},
        "EventRecordID": 9,
        "Channel": "Security",
        "Computer": "h",
    },
    "EventData": {"TargetUserName": "bob", "LogonType": 3},
}


@pytest.mark.parametrize("event", [BINDING, XMLTODICT, VELOCIRAPTOR])
@pytest.mark.parametrize("indent", [None, 2])
def test_every_spelling_of_a_windows_event_gives_the_same_row(event: dict[str, Any], indent: int | None) -> None:
    found = read("\n" + json.dumps(event, indent=indent))
    (frame,) = found.frames
    row = frame.rows.row(0, named=True)
    assert frame.logsource == LogSource("windows", "security")
    assert (row["EventID"], row["Qualifiers"], row["Provider_Name"], row["host.name"]) == ("4624", "0", SECURITY, "h")
    assert (row["TargetUserName"], row["LogonType"]) == ("bob", "3")
    assert row["@timestamp"] == datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
    assert (row["EventRecordID"], row["RecordNumber"], row["log.line"]) == (9, None, 2)
    assert row["message"] == f"{SECURITY} 4624: TargetUserName=bob; LogonType=3"


def test_a_windows_event_without_a_record_id_has_only_its_line() -> None:
    system: dict[str, Any] = dict(BINDING["Event"]["System"])
    del system["EventRecordID"]
    (row,) = rows(json.dumps({"Event": {"System": system}}))
    assert (row["EventRecordID"], row["log.line"]) == (None, 1)


# Any bytes.

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(max_size=6) | st.sampled_from(
    ["@timestamp", "ts", "Channel", "EventID", "System", "EventData", "Event", "log.line", "message", "process", "*"]
)
EVENTS = st.dictionaries(NAMES, VALUES, max_size=5)
PIECES = (
    EVENTS.map(json.dumps)
    | EVENTS.map(lambda event: json.dumps(event, indent=1, ensure_ascii=False))
    | st.text(alphabet='{}[]",:\\ \n\x00ae1', max_size=12)
)
ANY_TEXT = st.lists(PIECES, max_size=6).map("\n".join)


def lines_accounted(text: str) -> set[int]:
    """Lines (0-based) of a text that an event covers or that were rejected."""
    covered: set[int] = set()
    for found in objects(text):
        last = found.line + (found.text.count("\n") if isinstance(found, FoundObject) else 0)
        covered.update(range(found.line - 1, last))
    return covered


@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_every_line_is_part_of_an_event_or_rejected(text: str) -> None:
    left = {
        number
        for number, line in enumerate(text.split("\n"))
        if line.strip("[], \t\r\n\x00\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\ufeff").strip()
    }
    assert left <= lines_accounted(text)


@given(data=ANY_TEXT.map(str.encode) | ANY_TEXT.map(lambda text: text.encode("utf-16")) | st.binary(max_size=200))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_read_and_every_row_tells_its_line(data: bytes) -> None:
    found = read_json_events(Source("a.json", data))
    if found is None:
        return
    assert sum(frame.rows.height for frame in found.frames) == found.events
    places = [place for frame in found.frames for place in frame.rows["event.sequence"].to_list()]
    assert sorted(places) == list(range(found.events))
    text = decode(data)
    for frame in found.frames:
        assert {name: frame.rows.schema[name] for name in SHARED_COLUMNS} == dict(SHARED_COLUMNS)
        for line, original in frame.rows.select("log.line", "event.original").iter_rows():
            assert original.split("\n")[0] in text.split("\n")[line - 1]


@given(events=st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(-(2**63), 2**63 - 1)), min_size=1))
@settings(deadline=None)
def test_whole_numbers_come_back_exactly(events: list[dict[str, int]]) -> None:
    found = rows("\n".join(map(json.dumps, events)))
    assert [{name: row[name] for name in event} for row, event in zip(found, events, strict=True)] == events


@pytest.mark.slow
@pytest.mark.parametrize(
    "hostile",
    [b'{"a":[\n', b'{"a":"x\n', b"{\n", b'{"a":1,\n', b"[\n", b"\n", b'{"a":{', b'{"x":[[[[', b'{"a":"\\"'],
)
def test_hostile_files_cost_linear_time(hostile: bytes) -> None:
    began = time.process_time()
    read_json_events(Source("a.json", hostile * (400_000 // len(hostile)) + b'\n{"a":1}'))
    assert time.process_time() - began < 15


def test_an_array_on_one_line_is_read_once() -> None:
    began = time.process_time()
    assert read(b"[" + b",".join([b'{"a":"' + b"x" * 100 + b'"}'] * 50_000) + b"]").events == 50_000
    assert time.process_time() - began < 15


# Rows of several files.


def test_rows_of_several_files_become_one_table_and_kinds_that_differ_become_text() -> None:
    parts = [
        rows_of([{"a": 1, "b": True, "c": "x", "d": 1.0}]),
        rows_of([{"a": "y", "b": 2, "c": ["p", "q"], "d": None}]),
    ]
    joined = concat_rows(parts)
    assert joined.select("a", "b", "c", "d").rows() == [
        ("1", "true", ["x"], "1"),
        ("y", "2", ["p", "q"], None),
    ]


@pytest.mark.slow
@given(
    parts=st.lists(
        st.lists(st.dictionaries(st.sampled_from("ab"), SCALARS | st.lists(SCALARS)), min_size=1), min_size=1
    )
)
@settings(deadline=None)
def test_no_row_is_lost_when_tables_are_joined(parts: list[list[dict[str, Any]]]) -> None:
    tables = [rows_of(part) for part in parts]
    joined = concat_rows(tables)
    assert joined.height == sum(map(len, parts))
    for name in {name for part in parts for event in part for name in event}:
        known = [value is not None for part in parts for event in part for value in [event.get(name)]]
        assert joined.get_column(name).is_not_null().to_list() == known
        assert isinstance(joined.schema[name], pl.DataType)
