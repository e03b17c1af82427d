"""Which steps belong to one backup attempt, when several sources tell of it and their clocks may differ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganalyzer.facts import Attempt, derive, load_tables
from loganalyzer.schema import EventFrame, LogSource
from tests.frames import make_frame

WAAGENT = LogSource("linux", "waagent")
VMSNAPSHOT = LogSource("linux", "vmsnapshot")
APPLICATION = LogSource("windows", "application")
WAAPPAGENT = LogSource("windows", "waappagent")
STATUS = LogSource("azure", "extension", "status")
JOB = LogSource("azure", "backupjob")
HANDLER = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
WINDOWS_HANDLER = "Microsoft.Azure.RecoveryServices.VMSnapshot"


def attempts(*frames: EventFrame) -> tuple[Attempt, ...]:
    return derive(list(frames), load_tables()).attempts


def handed_over(at: str, number: int, **more: Any) -> list[dict[str, Any]]:
    agent = {"at": at, "handler": HANDLER, **more}
    return [
        {**agent, "message": "Target handler state: enabled [incarnation_3]"},
        {**agent, "message": f"Update settings file: {number}.settings"},
    ]


def worked(at: str, number: int, code: int) -> list[dict[str, Any]]:
    return [
        {"at": at, "message": f"try_parse_context : Sequence Number received {number}"},
        {"at": at, "message": "starting enable"},
        {"at": at, "message": "T:S freeze, timeout value 60"},
        {"at": at, "message": f"Enable,success,{code},,False"},
    ]


def job(start: datetime, end: str, status: str, name: str = "job-1") -> dict[str, Any]:
    return {"at": end, "kind": "job", "operation": "Backup", "status": status, "start": start, "job_id": name}


def test_logs_whose_clocks_differ_by_a_zone_meet_at_the_number_of_the_settings() -> None:
    zone = {"time.assumed": "local time of an unknown zone, read as UTC"}
    local = make_frame(WAAGENT, "waagent.log", *handed_over("2026-03-01 04:10", 7, **zone))
    log = make_frame(VMSNAPSHOT, "extension.log", *worked("2026-03-01 02:10", 7, 121))
    (attempt,) = attempts(local, log)
    assert (attempt.outcome, attempt.codes, attempt.phase) == ("failure", ("121",), "freeze")
    assert attempt.sources == ("extension.log", "waagent.log")


def test_clocks_that_are_known_do_not_bend_to_a_number() -> None:
    agent = make_frame(WAAGENT, "waagent.log", *handed_over("2026-03-01 12:10", 7))
    log = make_frame(VMSNAPSHOT, "extension.log", *worked("2026-03-01 02:10", 7, 121))
    assert [one.sources for one in attempts(agent, log)] == [("extension.log",), ("waagent.log",)]


def test_another_number_is_another_attempt_however_soon_it_comes() -> None:
    runs = [*worked("2026-03-01 02:10", 7, 121), *worked("2026-03-01 02:15", 8, 1)]
    found = attempts(make_frame(VMSNAPSHOT, "extension.log", *runs))
    assert [(one.outcome, one.codes) for one in found] == [("failure", ("121",)), ("success", ("1",))]


def test_the_number_begins_again_when_the_extension_is_installed_anew() -> None:
    runs = [*worked("2026-03-01 02:10", 0, 1), *worked("2026-03-05 02:10", 0, 121)]
    assert [one.outcome for one in attempts(make_frame(VMSNAPSHOT, "extension.log", *runs))] == ["success", "failure"]


def test_a_status_file_finds_its_attempt_by_the_number_in_its_name() -> None:
    runs = [*worked("2026-03-01 02:10", 7, 4), *worked("2026-03-01 02:30", 8, 4)]
    status = {"at": "2026-03-01 02:40", "handler": HANDLER, "kind": "status_file", "outcome": "failure", "code": 121}
    log = make_frame(VMSNAPSHOT, "extension.log", *runs)
    found = attempts(log, make_frame(STATUS, "status/7.status", {**status, "sequence_number": 7}))
    assert [(one.outcome, len(one.sources)) for one in found] == [("failure", 2), ("unfinished", 1)]


def test_a_job_joins_the_attempt_that_the_guest_saw_in_its_time() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *worked("2026-03-01 02:10", 7, 1))
    start = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    (attempt,) = attempts(log, make_frame(JOB, "job.json", job(start, "2026-03-01 09:30", "Failed")))
    assert (attempt.outcome, attempt.phase) == ("failure", "freeze")
    assert attempt.end == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def test_a_job_of_another_night_is_an_attempt_of_its_own_from_its_beginning_on() -> None:
    log = make_frame(VMSNAPSHOT, "extension.log", *worked("2026-03-01 02:10", 7, 1))
    start = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    found = attempts(log, make_frame(JOB, "job.json", job(start, "2026-03-02 09:30", "Failed")))
    assert [(one.start, one.outcome, one.phase) for one in found] == [
        (datetime(2026, 3, 1, 2, 10, tzinfo=UTC), "success", "status"),
        (start, "failure", "job"),
    ]


def test_two_exports_of_a_job_are_one_attempt() -> None:
    start = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    one = make_frame(JOB, "job.json", job(start, "2026-03-01 02:30", "Failed"))
    other = make_frame(JOB, "rows.json", job(start, "2026-03-01 02:31", "Failed"))
    (attempt,) = attempts(one, other)
    assert attempt.sources == ("job.json", "rows.json")


def test_two_jobs_are_two_attempts_however_near() -> None:
    start = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    rows = [job(start, "2026-03-01 02:30", "Failed"), job(start, "2026-03-01 02:31", "Completed", "job-2")]
    assert [one.outcome for one in attempts(make_frame(JOB, "jobs.json", *rows))] == ["failure", "success"]


CRASH = {"Provider_Name": "Application Error", "EventID": "1000", "AppName": "IaaSBcdrExtension.exe"}


def test_a_crash_of_the_extension_is_an_attempt_that_nothing_finished() -> None:
    events = make_frame(APPLICATION, "Application.evtx", {"at": "2026-03-01 02:12", **CRASH})
    (attempt,) = attempts(events)
    assert (attempt.outcome, attempt.phase, attempt.end) == ("unfinished", "extension", None)


def test_a_crash_of_another_program_is_no_attempt() -> None:
    other = {"at": "2026-03-01 02:12", **CRASH, "AppName": "w3wp.exe"}
    assert attempts(make_frame(APPLICATION, "Application.evtx", other)) == ()


def test_a_crash_belongs_to_the_attempt_that_the_agent_began() -> None:
    begun = {"at": "2026-03-01 02:10", "message": f"Beginning enable of plugin {WINDOWS_HANDLER}."}
    events = make_frame(APPLICATION, "Application.evtx", {"at": "2026-03-01 02:12", **CRASH})
    (attempt,) = attempts(make_frame(WAAPPAGENT, "WaAppAgent.log", begun), events)
    assert (attempt.phase, attempt.sources) == ("extension", ("Application.evtx", "WaAppAgent.log"))


WRITER = {"Provider_Name": "VSS", "EventID": "8229", "message": "VSS 8229: 0x800423f2, a writer"}


@pytest.mark.parametrize(("at", "phase"), [("02:13", "freeze"), ("01:30", "command"), ("07:30", "command")])
def test_a_writers_event_shows_how_far_an_attempt_came_and_never_makes_one(at: str, phase: str) -> None:
    begun = {"at": "2026-03-01 02:10", "message": f"Beginning enable of plugin {WINDOWS_HANDLER}."}
    events = make_frame(APPLICATION, "Application.evtx", {"at": f"2026-03-01 {at}", **WRITER})
    (attempt,) = attempts(make_frame(WAAPPAGENT, "WaAppAgent.log", begun), events)
    assert attempt.phase == phase
    assert attempts(events) == ()


MESSAGES = [
    "starting enable",
    "try_parse_context : Sequence Number received 3",
    "try_parse_context : Sequence Number received 4",
    "taskId: 5b1c6c7e-9b0d-4a54-9d0f-7a1e00000001",
    "taskId: 5b1c6c7e-9b0d-4a54-9d0f-7a1e00000002",
    "T:S freeze, timeout value 60",
    "Enable,success,1,,False",
    "Enable,error,121,,False",
    "TaskId is same as last",
    "Failed to enable the extension with error: x",
]


@given(st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(MESSAGES)), min_size=1, max_size=25))
def test_whatever_the_order_no_line_belongs_to_two_attempts_and_none_begins_after_its_end(
    steps: list[tuple[int, str]],
) -> None:
    rows = [
        {"at": datetime.fromtimestamp(1_772_000_000 + 60 * minute, UTC).isoformat(), "message": message}
        for minute, message in sorted(steps)
    ]
    found = attempts(make_frame(VMSNAPSHOT, "extension.log", *rows))
    lines = [step.line for one in found for step in one.steps]
    assert len(lines) == len(set(lines))
    assert [one.id for one in found] == [f"attempt-{number}" for number in range(1, len(found) + 1)]
    assert sorted(one.start for one in found) == [one.start for one in found]
    assert all(one.end is None or one.start <= one.end for one in found)
    assert {one.task_id for one in found if one.task_id} <= {text[8:] for _, text in steps if text.startswith("taskId")}
