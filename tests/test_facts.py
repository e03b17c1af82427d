"""Derived frames: facts, gaps, operations and attempts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from loganalyzer.facts import derive, load_tables, version_number
from loganalyzer.facts.hits import find
from loganalyzer.schema import EventFrame, LogSource, conform
from tests.frames import make_frame

WAAGENT = LogSource("linux", "waagent")
VMSNAPSHOT = LogSource("linux", "vmsnapshot")
WAAPPAGENT = LogSource("windows", "waappagent")
SYSTEM = LogSource("windows", "system")
STATUS = LogSource("azure", "extension", "status")

HEARTBEAT = (
    "[HEARTBEAT] Agent WALinuxAgent-2.14.0.1 is running as the goal state agent [DEBUG HeartbeatCounter: 0;"
    "HeartbeatId: 7C220506-9CCE-4B65-9D20-2F9C01DA406F;UpdateGSErrors: 0;AutoUpdate: 1;UpdateMode: SelfUpdate;]"
)
WINDOWS_HANDLER = "Microsoft.Azure.RecoveryServices.VMSnapshot"
LINUX_HANDLER = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"


def derived_rows(frames: list[EventFrame], logsource: LogSource) -> list[dict[str, Any]]:
    derived = derive(frames, load_tables())
    return [row for frame in derived.frames if frame.logsource == logsource for row in frame.rows.iter_rows(named=True)]


def test_every_row_of_every_table_is_a_regex_that_polars_runs() -> None:
    tables = load_tables()
    patterns = [row.pattern for group in (tables.facts, tables.operations, tables.steps) for row in group]
    patterns += [pattern for series in tables.series for pattern in (*series.good, *series.bad)]
    assert len(patterns) > 40
    columns = {"message": ["x"], "handler": ["h"], "handler_version": ["1"], "kind": ["k"], "outcome": ["o"]}
    for pattern in patterns:
        assert find([EventFrame(pattern.logsource, conform(pl.DataFrame(columns)))], pattern) is not None


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("2.2.48.1", 2000020004800001),
        ("2.2.53", 2000020005300000),
        ("10.0", 10000000000000000),
        ("2.2.48.1.7", None),
        ("100000.1", None),
        ("9600.17415.0.0", None),
        ("2.x", None),
        ("", None),
    ],
)
def test_a_version_is_a_number_that_orders_it(version: str, number: int | None) -> None:
    assert version_number(version) == number


def test_version_order_holds_where_text_order_fails() -> None:
    older, newer = version_number("2.2.9"), version_number("2.2.10")
    assert older is not None
    assert newer is not None
    assert older < newer


def test_the_last_agent_version_is_the_fact() -> None:
    frame = make_frame(
        WAAGENT,
        "waagent.log",
        {"at": "2026-03-01 01:00", "message": "Azure Linux Agent (Goal State Agent version 2.9.1.1)"},
        {"at": "2026-03-01 02:00", "message": HEARTBEAT},
    )
    (row,) = [
        row
        for row in derived_rows([frame], LogSource("linux", "waagent", "fact"))
        if row["fact"] == "agent_version" and row["count"] == 2
    ]
    assert (row["value"], row["version_num"]) == ("2.14.0.1", version_number("2.14.0.1"))
    assert row["derived_from"][0]["log.line"] == 2


def test_silence_to_the_end_of_the_bundle_is_a_gap_witnessed_by_other_logs() -> None:
    agent = make_frame(WAAPPAGENT, "WaAppAgent.log", *_hearts("2026-03-01 01:00", "2026-03-01 01:05"))
    system = make_frame(SYSTEM, "System.evtx", {"at": "2026-03-01 09:05", "message": "Service Control Manager 7036: x"})
    (row,) = derived_rows([agent, system], LogSource("windows", "waappagent", "gap"))
    assert (row["series"], row["kind"], row["closed_by"]) == ("heartbeat", "silence", "bundle_end")
    assert row["seconds"] == row["witnessed_seconds"] == 8 * 3600
    assert row["derived_from"][0]["@timestamp"] == datetime(2026, 3, 1, 1, 5, tzinfo=UTC)


def test_silence_behind_a_cut_is_not_the_end_of_the_bundle() -> None:
    agent = make_frame(WAAPPAGENT, "WaAppAgent.log", *_hearts("2026-03-01 01:00", "2026-03-01 01:05"))
    system = make_frame(SYSTEM, "System.evtx", {"at": "2026-03-01 09:05", "message": "Service Control Manager 7036: x"})
    derived = derive([agent, system], load_tables(), frozenset(["WaAppAgent.log"]))
    (gap,) = [frame.rows for frame in derived.frames if frame.logsource.category == "gap"]
    assert gap["closed_by"].to_list() == ["cut"]


def test_without_another_log_silence_at_the_end_is_no_gap() -> None:
    agent = make_frame(WAAPPAGENT, "WaAppAgent.log", *_hearts("2026-03-01 01:00", "2026-03-01 01:05"))
    assert derived_rows([agent], LogSource("windows", "waappagent", "gap")) == []


def test_a_pause_in_all_logs_is_a_gap_that_nobody_witnessed() -> None:
    agent = make_frame(WAAPPAGENT, "WaAppAgent.log", *_hearts("2026-03-01 01:00", "2026-03-01 05:00"))
    system = make_frame(SYSTEM, "System.evtx", {"at": "2026-03-01 05:00", "message": "EventLog 6005: "})
    (row,) = derived_rows([agent, system], LogSource("windows", "waappagent", "gap"))
    assert (row["closed_by"], row["recovered"]) == ("next", "true")
    assert row["seconds"] == 4 * 3600


def _hearts(*times: str) -> list[dict[str, str]]:
    return [{"at": at, "message": "WindowsAzureGuestAgent Heartbeat.", "log.level": "INFO"} for at in times]


def test_an_outage_that_ends_is_recovered_and_counts_its_failures() -> None:
    bad = (
        "[HttpError] [HTTP Failed] GET http://168.63.129.16/machine/?comp=goalstate -- IOError timed out -- 6 attempts"
    )
    good = "Fetch goal state from WireServer completed"
    frame = make_frame(
        WAAGENT,
        "waagent.log",
        {"at": "2026-03-01 01:00", "message": bad},
        {"at": "2026-03-01 01:10", "message": bad},
        {"at": "2026-03-01 01:20", "message": good},
        {"at": "2026-03-01 02:00", "message": bad},
        {"at": "2026-03-01 02:30", "message": "something else"},
    )
    rows = derived_rows([frame], LogSource("linux", "waagent", "gap"))
    wire = [
        (row["count"], row["recovered"], row["closed_by"], row["seconds"])
        for row in rows
        if row["series"] == "wireserver"
    ]
    assert wire == [(2, "true", "next", 1200), (1, "false", "bundle_end", 1800)]


def test_failures_with_days_between_them_are_not_of_one_outage() -> None:
    failure = "Error fetching the goal state: [ProtocolError] [HTTP Failed] [503: Service Unavailable]"
    times = ("2026-03-01 02:00", "2026-03-01 08:00", "2026-03-04 02:00")
    frame = make_frame(WAAGENT, "waagent.log", *({"at": at, "message": failure} for at in times))
    rows = derived_rows([frame], LogSource("linux", "waagent", "gap"))
    assert [(row["count"], row["closed_by"]) for row in rows if row["series"] == "goal_state"] == [
        (2, "unknown"),
        (1, "bundle_end"),
    ]


def test_an_outage_at_the_end_of_an_excerpt_without_times_is_open_and_one_that_ended_is_left_out() -> None:
    bad = "[HttpError] [HTTP Failed] GET http://168.63.129.16/machine/ -- IOError timed out -- 6 attempts made"
    good = "Fetch goal state from WireServer completed"
    for messages, expected in (([bad, good, bad, bad], [(2, "bundle_end", 0)]), ([bad, good], [])):
        frame = make_frame(WAAGENT, "waagent.log", *({"message": message} for message in messages))
        rows = derived_rows([frame], LogSource("linux", "waagent", "gap"))
        found = [(row["count"], row["closed_by"], row["seconds"]) for row in rows if row["series"] == "wireserver"]
        assert found == expected


def test_an_event_that_fits_two_patterns_of_a_series_counts_once() -> None:
    both = "[HTTP Failed] GET http://168.63.129.16/machine -- IOError [Errno 110] timed out 168.63.129.16"
    frame = make_frame(WAAGENT, "waagent.log", {"at": "2026-03-01 01:00", "message": both})
    rows = derived_rows([frame], LogSource("linux", "waagent", "gap"))
    assert [row["count"] for row in rows if row["series"] == "wireserver"] == [1]


def test_a_status_code_shows_that_the_wire_server_answers() -> None:
    frame = make_frame(
        WAAGENT,
        "waagent.log",
        {"at": "2026-03-01 01:00", "message": "[HTTP Failed] GET http://168.63.129.16/machine -- IOError timed out"},
        {
            "at": "2026-03-01 01:10",
            "message": "[HTTP Failed] GET http://168.63.129.16/machine -- Status Code 503 -- 25",
        },
    )
    rows = derived_rows([frame], LogSource("linux", "waagent", "gap"))
    assert [row["recovered"] for row in rows if row["series"] == "wireserver"] == ["true"]


def test_repeated_failures_of_a_handler_are_one_row_until_it_succeeds() -> None:
    handler = "Microsoft.Azure.Extensions.CustomScript"
    failed = f"Event: name={handler}, op=Enable, message=[ExtensionOperationError] Non-zero exit code: 1, x"
    frame = make_frame(
        WAAGENT,
        "waagent.log",
        {"at": "2026-03-01 01:00", "message": failed},
        {"at": "2026-03-01 01:10", "message": failed},
        {
            "at": "2026-03-01 01:20",
            "message": f"Extension status: [('{handler}', 'success')]",
        },
    )
    rows = derived_rows([frame], LogSource("linux", "waagent", "extension_operation"))
    failures = [row for row in rows if row["result"] == "failed"]
    assert [(row["exit_code"], row["count"], row["recovered"]) for row in failures] == [(1, 2, "true")]


def test_one_line_may_tell_of_several_handlers() -> None:
    summary = "Extension status: [('A.B.One', 'success'), ('A.B.Two', 'error'), ('A.B.Three', 'error')]"
    frame = make_frame(WAAGENT, "waagent.log", {"at": "2026-03-01 01:00", "message": summary})
    rows = derived_rows([frame], LogSource("linux", "waagent", "extension_operation"))
    told = {(row["handler"], row["result"]) for row in rows}
    assert told == {("A.B.One", "succeeded"), ("A.B.Two", "failed"), ("A.B.Three", "failed")}


def test_an_operation_that_never_recovers_goes_on() -> None:
    frame = make_frame(
        WAAGENT,
        "waagent.log",
        {
            "at": "2026-03-01 01:00",
            "message": "Event: name=A.B.C, op=Install, message=[ExtensionOperationError] Non-zero exit code: 127, /x",
        },
    )
    (row,) = derived_rows([frame], LogSource("linux", "waagent", "extension_operation"))
    assert (row["handler"], row["operation"], row["exit_code"]) == ("A.B.C", "Install", 127)
    assert (row["recovered"], row["event.end"]) == ("false", None)


def linux_run(task: str, start: str, code: str) -> list[dict[str, str]]:
    day = "2026-03-01 "
    return [
        {"at": f"{day}{start}:00", "message": "starting enable"},
        {"at": f"{day}{start}:01", "message": f"taskId: {task}"},
        {"at": f"{day}{start}:02", "message": "Enable,success,4,Transitioning state in extension,False"},
        {"at": f"{day}{start}:05", "message": "T:S freeze, timeout value 60"},
        {"at": f"{day}{start}:40", "message": f"Enable,success,{code},,False"},
    ]


def test_an_attempt_is_judged_by_its_code_and_not_by_the_word_success() -> None:
    first, second = "5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001", "5b1c6c7e-9b0d-4a54-9d0f-7a1e00000002"
    log = make_frame(VMSNAPSHOT, "extension.log", *linux_run(first, "02:10", "1"), *linux_run(second, "04:10", "76"))
    found = derive([log], load_tables()).attempts
    assert [(one.outcome, one.codes, one.phase) for one in found] == [
        ("success", ("4", "1"), "status"),
        ("failure", ("4", "76"), "freeze"),
    ]


def test_a_placeholder_status_leaves_an_attempt_unfinished() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *linux_run("5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001", "02:10", "1")[:4])
    (attempt,) = derive([log], load_tables()).attempts
    assert (attempt.outcome, attempt.end, attempt.phase) == ("unfinished", None, "freeze")


def test_a_repeat_that_the_extension_skipped_is_no_attempt() -> None:
    log = make_frame(
        VMSNAPSHOT,
        "extension.log",
        {"at": "2026-03-01 02:10", "message": "starting enable"},
        {"at": "2026-03-01 02:10:01", "message": "the sequence number are same, so skip, current:3 == last:3"},
    )
    assert derive([log], load_tables()).attempts == ()


def test_agent_and_extension_see_one_attempt_and_the_status_file_ends_it() -> None:
    agent = make_frame(
        WAAPPAGENT,
        "WaAppAgent.log",
        {"at": "2026-03-01 02:10", "message": f"Beginning enable of plugin {WINDOWS_HANDLER}."},
    )
    status = make_frame(
        STATUS,
        "Status/7.status",
        {
            "at": "2026-03-01 02:12",
            "handler": WINDOWS_HANDLER,
            "kind": "status_file",
            "outcome": "failure",
            "command_start": datetime(2026, 3, 1, 2, 9, tzinfo=UTC),
        },
    )
    (attempt,) = derive([agent, status], load_tables()).attempts
    assert attempt.outcome == "failure"
    assert attempt.sources == ("Status/7.status", "WaAppAgent.log")


def test_a_status_file_alone_is_an_attempt_from_the_command_on() -> None:
    status = make_frame(
        STATUS,
        "status/1.status",
        {
            "at": "2026-03-01 02:12",
            "handler": LINUX_HANDLER,
            "kind": "status_file",
            "outcome": "success",
            "code": 1,
            "command_start": datetime(2026, 3, 1, 2, 9, tzinfo=UTC),
        },
    )
    (attempt,) = derive([status], load_tables()).attempts
    assert (attempt.start, attempt.outcome) == (datetime(2026, 3, 1, 2, 9, tzinfo=UTC), "success")


@pytest.mark.parametrize(("handler", "platform"), [(LINUX_HANDLER, "linux"), (WINDOWS_HANDLER, "windows")])
def test_a_status_file_alone_tells_the_platform(handler: str, platform: str) -> None:
    row = {"at": "2026-03-01 02:12", "handler": handler, "kind": "status_file", "outcome": "failure", "inner_code": 121}
    derived = derive([make_frame(STATUS, "7.status", row)], load_tables())
    assert derived.platform == platform
    (attempt,) = [frame for frame in derived.frames if frame.logsource.category == "attempt"]
    assert (attempt.logsource.product, attempt.rows["code"].to_list()) == (platform, [121])


def test_no_step_belongs_to_two_attempts() -> None:
    runs = [
        row
        for number in range(1, 6)
        for row in linux_run(f"5b1c6c7e-9b0d-4a54-9d0f-7a1e0000000{number}", f"0{number}:10", "1")
    ]
    found = derive([make_frame(VMSNAPSHOT, "extension.log", *runs)], load_tables()).attempts
    lines = [step.line for one in found for step in one.steps]
    assert len(found) == 5
    assert len(lines) == len(set(lines)) == len(runs)


def test_a_goal_states_own_date_does_not_bound_the_bundle() -> None:
    log = make_frame(WAAGENT, "waagent.log", {"at": "2026-03-01 02:10", "message": "x"})
    old = make_frame(
        LogSource("azure", "goalstate"), "ExtensionsConfig.xml", {"at": "2020-01-01 00:00", "message": "y"}
    )
    derived = derive([log, old], load_tables())
    assert derived.first == derived.last == datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
