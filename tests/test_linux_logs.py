"""The Linux text logs: which file is whose, and how their clocks are told apart."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from loganalyzer.parser import ParseContext, Parsed, Parser, Source
from loganalyzer.registry import parsers, recognise

EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
A = f" [{EXTENSION}-1.0]"
AGENT_LINE = "2025-03-01T02:10:00.000000Z INFO ExtHandler ExtHandler Goal State Period: 6 sec.\n"
COMMAND_LINE = (
    f"2025-03-01T02:10:01.000000Z INFO ExtHandler [{EXTENSION}-1.0.9225.0] Executing command: main/handle.sh\n"
)


def parser_called(name: str) -> Parser:
    [found] = [parser for parser in parsers() if parser.name == name]
    return found


def parse(name: str, text: str, path: str = "x.log", zone: str | None = None) -> Parsed:
    return parser_called(name).parse(Source(path, text.encode()), ParseContext(zone))


def rows_of(name: str, text: str, zone: str | None = None) -> pl.DataFrame:
    return parse(name, text, zone=zone).frames[0].rows


def owner(path: str, text: str) -> str | None:
    recognised = recognise(Source(path, text.encode()))
    return None if recognised is None else recognised.parser.name


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2025, 3, 1, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    "path",
    [
        "var/log/waagent.log",
        "disk/sda1/var/log/waagent.log.1",
        "waagent.log-2025-09-15-1757900000",
        "truncated__var_log_waagent.log",
        "truncated_var_log_waagent.log.2",
        "vm01-waagent.log",
    ],
)
def test_the_agents_log_is_known_under_each_of_its_names(path: str) -> None:
    assert owner(path, AGENT_LINE) == "waagent_log"
    assert owner(path, COMMAND_LINE) == "waagent_log"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AGENT_LINE, "waagent_log"),
        (COMMAND_LINE + AGENT_LINE, "waagent_log"),
        ("2016/01/08 14:44:03 Windows Azure Linux Agent Version: WALinuxAgent-2.0.13\n", "waagent_log"),
        ("2017/07/07 02:06:10.192992 INFO Azure Linux Agent Version:2.2.9\n", "waagent_log"),
        (COMMAND_LINE, "command_execution_log"),
        (f"2025-03-01 02:10:04{A}starting enable\n", "vmsnapshot_extension_log"),
        ("2025-03-01 02:10:17.002551  Info  freezed \n", "vmsnapshot_extension_log"),
        ("Sat Mar  1 02:10:08 UTC 2025- 0 returned from handle.py\n", "vmsnapshot_shell_log"),
        ("[2025-03-01 02:10:08:123456789] 0 returned from handle_host_daemon.py\n", "vmsnapshot_shell_log"),
    ],
)
def test_a_file_without_a_telling_name_is_known_by_its_content(text: str, expected: str) -> None:
    assert owner("upload/file-1", text) == expected


@pytest.mark.parametrize("name", ["CommandExecution.log", "CommandExecution_20250301.log"])
def test_command_execution_log_is_not_taken_for_the_agents_log(name: str) -> None:
    text = COMMAND_LINE + "[stdout]\n" + AGENT_LINE
    assert owner(f"var/log/azure/{EXTENSION}/{name}", text) == "command_execution_log"


@pytest.mark.parametrize(
    "text",
    [
        "2025/03/01 02:10:04 [Microsoft.OSTCExtensions.VMAccessForLinux-1.0]enable\n",
        "2025/03/01 02:10:04 ERROR:[Microsoft.Azure.Security.AzureDiskEncryptionForLinux-1.0]failed\n",
    ],
)
def test_another_extensions_log_of_the_same_build_is_not_that_of_the_snapshot_extension(text: str) -> None:
    handler = text.split("[")[1].split("-")[0]
    assert owner(f"var/log/azure/{handler}/extension.log", text) == "handler_log"


def test_a_foreign_log_with_the_same_stamp_is_not_the_agents() -> None:
    assert owner("var/log/azure/Example/run.log", "2025-03-01T02:10:00.000000Z INFO server started\n") == "handler_log"
    assert owner("var/log/nginx/error.log", "2025/03/01 02:10:00 [error] 5#5: no such file\n") is None


def test_an_extension_log_with_no_known_line_is_read_as_one_entry() -> None:
    text = "Traceback (most recent call last):\nImportError: No module named x\n"
    assert owner(f"var/log/azure/{EXTENSION}/extension.log", text) == "vmsnapshot_extension_log"
    rows = rows_of("vmsnapshot_extension_log", text)
    assert rows.select("message", "shape", "@timestamp").rows() == [(text.removesuffix("\n"), None, None)]


def test_all_eras_of_the_agent_stand_in_one_file() -> None:
    rows = rows_of(
        "waagent_log",
        "2015/03/02 09:14:07 WARNING:old\n"
        "2018/11/05 06:25:01.114329 VERBOSE Daemon older\n"
        "2020-03-01T02:10:00.000000Z INFO Daemon one word\n"
        "2025-03-01T02:10:00.000000Z ERROR Firewall ExtHandler two words\n",
    )
    assert rows.select("log.level", "process.thread.name", "log.logger", "message").rows() == [
        ("WARNING", None, None, "old"),
        ("VERBOSE", None, "Daemon", "older"),
        ("INFO", None, "Daemon", "one word"),
        ("ERROR", "Firewall", "ExtHandler", "two words"),
    ]
    assert rows["time.assumed"].is_null().to_list() == [False, False, True, True]


def test_a_bracket_that_is_no_handler_stays_in_the_message() -> None:
    rows = rows_of("waagent_log", "2025-03-01T02:10:00.000000Z INFO ExtHandler ExtHandler [CGW] Disabling\n")
    assert rows.select("message", "handler").rows() == [("[CGW] Disabling", None)]


def test_a_given_zone_is_believed_before_a_measured_offset_of_the_agents_log() -> None:
    text = (
        "2025/03/01 05:09:58.000000 INFO Daemon Determined Agent WALinuxAgent-2.14.0.1 to be the latest agent\n"
        "2025-03-01T02:10:00.000000Z INFO ExtHandler ExtHandler Azure Linux Agent (Goal State Agent version 2.14.0.1)\n"
    )
    measured, given = rows_of("waagent_log", text), rows_of("waagent_log", text, zone="Europe/Rome")
    assert (measured["@timestamp"][0], measured["time.assumed"][0]) == (
        at(2, 9, 58),
        "local time, UTC+03:00 measured at UTC lines beside it",
    )
    assert (given["@timestamp"][0], given["time.assumed"][0]) == (
        at(4, 9, 58),
        "local time, read in the given zone Europe/Rome",
    )


def test_a_local_line_far_from_any_utc_line_measures_nothing() -> None:
    rows = rows_of(
        "waagent_log",
        "2025-03-01T02:10:00.000000Z INFO ExtHandler ExtHandler one\n"
        "2025/03/01 05:00:00.000000 INFO Daemon two\n"
        "2025-03-01T09:10:00.000000Z INFO ExtHandler ExtHandler three\n",
    )
    assert rows["@timestamp"].to_list() == [at(2, 10), at(5, 0), at(9, 10)]
    assert rows["time.assumed"][1] == "local time of an unknown zone, read as UTC"


def test_a_file_that_begins_inside_an_entry_says_that_it_was_cut() -> None:
    assert parse("waagent_log", "Inner error: x\n" + AGENT_LINE).cut
    assert parse("waagent_log", AGENT_LINE, path="truncated__var_log_waagent.log").cut
    assert parse("waagent_log", AGENT_LINE, path="var/log/waagent.log").cut == ()


def test_a_guest_clock_that_is_wrong_is_not_taken_for_a_local_one() -> None:
    text = f"2025-03-01 04:37:00.000000{A}command start time is 2025-03-01 02:08:00 and utcNow is 2025-03-01 02:10:00\n"
    rows = rows_of("vmsnapshot_extension_log", text)
    assert rows.select("@timestamp", "time.assumed").rows() == [(at(4, 37), None)]


def test_an_update_from_local_time_to_utc_inside_one_extension_log_is_followed() -> None:
    own = "command start time is {0} and utcNow is {0}"
    rows = rows_of(
        "vmsnapshot_extension_log",
        f"2025-01-10 07:30:00.000000{A}starting enable\n"
        f"2025-01-10 07:30:01.000000{A}{own.format('2025-01-10 02:00:01')}\n"
        f"2025-03-01 02:10:00.000000{A}starting enable\n"
        f"2025-03-01 02:10:01.000000{A}{own.format('2025-03-01 02:10:01')}\n",
    )
    assert [stamp.hour for stamp in rows["@timestamp"]] == [2, 2, 2, 2]
    moved = "local time, UTC+05:30 measured at the log's own utcNow"
    assert rows["time.assumed"].to_list() == [moved, moved, None, None]


def test_lines_of_python_2_are_read_in_the_given_zone_when_the_log_shows_no_offset() -> None:
    text = f"2025/03/01 03:10:05{A}starting enable\n2025/03/01 03:10:06{A}2025-03-01 03:10:06.000001  Error  x \n"
    rows = rows_of("vmsnapshot_extension_log", text, zone="Europe/Rome")
    assert [stamp.hour for stamp in rows["@timestamp"]] == [2, 2]
    assert rows["time.assumed"].to_list() == ["local time, read in the given zone Europe/Rome"] * 2
    assert rows["shape"].to_list() == ["B", "C2"]


def test_lines_of_python_2_take_the_offset_of_their_own_utc_line() -> None:
    text = (
        f"2025/03/01 03:10:05{A}starting enable\n"
        f"2025/03/01 03:10:09{A}command start time is 2025-03-01 02:08:00 and utcNow is 2025-03-01 02:10:08\n"
    )
    rows = rows_of("vmsnapshot_extension_log", text, zone="Asia/Tokyo")
    assert rows["@timestamp"].to_list() == [at(2, 10, 5), at(2, 10, 9)]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("0 returned from handle.py", 0),
        ("127 returned from handle.py", 127),
        ("-9 returned from handle_host_daemon.py", -9),
        ("python3 path exists", None),
        ("99999999999999999999999 returned from handle.py", None),
    ],
)
def test_the_return_code_is_a_number_or_null(message: str, code: int | None) -> None:
    rows = rows_of("vmsnapshot_shell_log", f"Sat Mar  1 02:10:08 UTC 2025- {message}\n")
    assert rows["return_code"].to_list() == [code]
    assert rows.schema["return_code"] == pl.Int64


def test_a_stamp_of_the_shell_log_whose_weekday_is_wrong_keeps_its_time() -> None:
    rows = rows_of("vmsnapshot_shell_log", "Tue Mar  1 02:10:00 AM UTC 2025- x\n")
    assert rows["@timestamp"].to_list() == [at(2, 10)]
