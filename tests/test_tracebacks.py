"""Tracebacks of Python as facts: put together from any log, told apart by their program, history once it works."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from loganalyzer.facts import load_tables
from loganalyzer.facts.tracebacks import traceback_frames
from loganalyzer.schema import LogSource
from tests.frames import make_frame

SCRIPT = '  File "/usr/sbin/waagent", line 35, in <module>'
LIBRARY = '  File "/usr/lib/python3/dist-packages/azurelinuxagent/agent.py", line 31, in <module>'
STDLIB = '  File "/usr/lib/python3.12/importlib/__init__.py", line 90, in import_module'
OTHER = '  File "/usr/bin/certbot", line 5, in <module>'
HEAD = "Traceback (most recent call last):"
ERROR = "ModuleNotFoundError: No module named 'distutils'"
DURING = "During handling of the above exception, another exception occurred:"
SYSLOG, WAAGENT = LogSource("linux", "syslog"), LogSource("linux", "waagent")


def entries(*messages: str, **columns: Any) -> list[dict[str, Any]]:
    return [{"message": message, "process.name": "python3", "process.pid": 811} | columns for message in messages]


def facts(rows: Sequence[dict[str, Any]], *more: Any) -> list[dict[str, Any]]:
    found = traceback_frames([make_frame(SYSLOG, "var/log/syslog", *rows), *more], load_tables().tracebacks)
    return [row for frame in found for row in frame.rows.iter_rows(named=True)]


def told(rows: Sequence[dict[str, Any]], *more: Any) -> list[tuple[str, str | None, str, str]]:
    return [(one["value"], one["object"], one["recovered"], one["complete"]) for one in facts(rows, *more)]


def test_lines_of_one_process_are_one_traceback_that_stands_at_its_last_line() -> None:
    [fact] = facts(entries(HEAD, SCRIPT, "    import azurelinuxagent.agent as agent", LIBRARY, ERROR))
    assert (fact["value"], fact["object"]) == (ERROR, "WALinuxAgent")
    assert fact["log.line"] == 5
    assert [cited["log.line"] for cited in fact["derived_from"]] == [1, 5]


@pytest.mark.parametrize(
    ("files", "owner"),
    [
        ([SCRIPT], "WALinuxAgent"),
        ([STDLIB, LIBRARY], "WALinuxAgent"),
        (['  File "bin/WALinuxAgent-2.9.1.1-py3.8.egg/__main__.py", line 4, in <module>'], "WALinuxAgent"),
        (['  File "/usr/share/oem/python/lib64/python2.7/site-packages/azurelinuxagent/a.py", line 4'], "WALinuxAgent"),
        (
            ['  File "/var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9/main/handle.py", line 4'],
            "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
        ),
        (['  File "/var/lib/waagent/Contoso.Tool-1.2/bin/x.py", line 4', LIBRARY], "other extension"),
        (['  File "/usr/lib/python3/dist-packages/cloudinit/cmd/main.py", line 4'], "cloud-init"),
        ([OTHER], "other program"),
        ([OTHER, LIBRARY], "other program"),
        ([STDLIB], None),
    ],
)
def test_the_outermost_file_tells_whose_it_is(files: list[str], owner: str | None) -> None:
    assert told(entries(HEAD, *files, ERROR)) == [(ERROR, owner, "false", "true")]


def test_where_no_file_tells_it_the_unit_or_the_process_does() -> None:
    assert told(entries(STDLIB, ERROR, **{"process.name": "waagent"})) == [(ERROR, "WALinuxAgent", "false", "true")]
    unit = {"unit": "walinuxagent.service"}
    assert told(entries(STDLIB, ERROR, **unit)) == [(ERROR, "WALinuxAgent", "false", "true")]


def test_the_process_of_an_entry_that_quotes_another_program_does_not_tell_it() -> None:
    quoted = "Event: name=Contoso.Tool, op=Enable, message=Non-zero exit code: 1\n[stderr]\n" + ERROR
    for text in (quoted, quoted.replace("\n", "#012")):
        assert told(entries(text, **{"process.name": "waagent"})) == [(ERROR, None, "false", "true")]


def test_processes_that_write_at_the_same_time_are_kept_apart() -> None:
    agent, other = entries(HEAD, SCRIPT, ERROR), entries(HEAD, OTHER, "ValueError: x", **{"process.pid": 9})
    mixed = [row for pair in zip(agent, other, strict=True) for row in pair]
    assert sorted(told(mixed)) == [
        (ERROR, "WALinuxAgent", "false", "true"),
        ("ValueError: x", "other program", "false", "true"),
    ]


def test_of_a_chain_the_last_error_counts() -> None:
    first = [HEAD, LIBRARY, "AttributeError: module 'platform' has no attribute 'dist'", DURING, HEAD, SCRIPT]
    assert told(entries(*first, ERROR)) == [(ERROR, "WALinuxAgent", "false", "true")]
    assert told(entries(*first)) == [(first[2], "WALinuxAgent", "false", "false")]
    whole = entries("\n".join([*first, ERROR]))
    assert told(whole) == [(ERROR, "WALinuxAgent", "false", "true")]


@pytest.mark.parametrize(
    ("lines", "uncaught"),
    [
        ([HEAD, SCRIPT, LIBRARY, ERROR], "true"),
        ([HEAD, '  File "/usr/sbin/waagent", line 35, in main', LIBRARY, ERROR], "false"),
        ([SCRIPT, LIBRARY, ERROR], "false"),
        ([HEAD, '  File "/usr/sbin/waagent", line 35, in main', ERROR, DURING, HEAD, SCRIPT, ERROR], "true"),
    ],
)
def test_what_begins_at_the_top_of_a_program_ended_it(lines: list[str], uncaught: str) -> None:
    assert [fact["uncaught"] for fact in facts(entries(*lines))] == [uncaught]


def test_one_that_ended_the_program_counts_without_its_last_line() -> None:
    [fact] = facts(entries(HEAD, SCRIPT, LIBRARY))
    assert (fact["value"], fact["uncaught"], fact["complete"]) == (None, "true", "false")
    assert fact["message"] == LIBRARY


def test_ends_of_lines_that_a_daemon_wrote_as_numbers_are_ends_of_lines() -> None:
    assert told(entries("#012".join([HEAD, SCRIPT, ERROR]))) == [(ERROR, "WALinuxAgent", "false", "true")]


def test_an_error_far_away_is_of_something_else() -> None:
    between = ["an entry"] * 300
    assert told(entries(SCRIPT, *between, "ValueError: x")) == []


def test_a_last_line_alone_counts_where_it_says_enough() -> None:
    assert told(entries("ValueError: x")) == []
    assert told(entries(ERROR, "ImportError: No module named six")) == [
        (ERROR, None, "false", "true"),
        ("ImportError: No module named six", None, "false", "true"),
    ]
    assert told(entries(ERROR, HEAD, SCRIPT, ERROR)) == [
        (ERROR, None, "false", "true"),
        (ERROR, "WALinuxAgent", "false", "true"),
    ]
    assert told(entries(ERROR, **{"process.name": "waagent"})) == [(ERROR, "WALinuxAgent", "false", "true")]


@pytest.mark.parametrize(("at", "recovered"), [("2025-06-10 02:00", "true"), ("2025-06-10 00:30", "false")])
def test_what_was_at_work_later_is_over(at: str, recovered: str) -> None:
    rows = entries(HEAD, SCRIPT, ERROR, at="2025-06-10 01:00")
    beat = "[HEARTBEAT] Agent WALinuxAgent-2.9 is running as the goal state agent [DEBUG HeartbeatCounter: 3]"
    agent = make_frame(WAAGENT, "var/log/waagent.log", {"at": at, "message": beat})
    assert told(rows, agent) == [(ERROR, "WALinuxAgent", recovered, "true")]


def test_that_the_agent_was_launched_again_does_not_show_that_it_works() -> None:
    rows = entries(HEAD, SCRIPT, ERROR, at="2025-06-10 01:00")
    launched = "Agent WALinuxAgent-2.9 launched with command 'python3 -u x.egg' is successfully running"
    agent = make_frame(WAAGENT, "var/log/waagent.log", {"at": "2025-06-10 02:00", "message": launched})
    assert told(rows, agent) == [(ERROR, "WALinuxAgent", "false", "true")]


@pytest.mark.parametrize("texts", [[HEAD, SCRIPT], [SCRIPT], [HEAD, SCRIPT, ERROR, DURING], [ERROR]])
def test_hostile_repetition_costs_no_more_than_its_length(texts: list[str]) -> None:
    rows = entries(*(texts * (20_000 // len(texts))))
    frame = make_frame(SYSLOG, "var/log/syslog", *rows)
    started = time.perf_counter()
    traceback_frames([frame], load_tables().tracebacks)
    assert time.perf_counter() - started < 5
