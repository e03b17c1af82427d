"""Serial consoles: what is taken for one, and what becomes of the lines of those who write to it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loganalyzer.parser import ParseContext, Parsed
from loganalyzer.pipeline import ScanOptions, judge
from loganalyzer.registry import recognise
from loganalyzer.source import Source

KERNEL = "[    1.000000] Linux version 6.8.0-1031-azure\n[    2.000000] sd 0:0:0:0: [sda] Attached SCSI disk\n"
STATES = "[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh.service\x1b[0m.\n"
AGENT = "2025-06-10T01:00:20.250000Z INFO Daemon Daemon Azure Linux Agent Version: 2.2.46\n"
FAILED = (
    " WARNING ExtHandler ExtHandler [HTTP Failed] GET http://168.63.129.16/machine/?comp=goalstate"
    " -- IOError [Errno 110] Connection timed out -- 6 attempts made\n"
)


def parsed(text: str, path: str = "paste.txt", zone: str | None = None) -> Parsed:
    found = recognise(Source(path, text.encode()))
    assert found is not None
    assert found.parser.name == "serial_console"
    return found.parser.parse(Source(path, text.encode()), ParseContext(zone))


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("paste.txt", KERNEL + STATES, "serial_console"),
        ("paste.txt", STATES + AGENT, "serial_console"),
        ("paste.txt", KERNEL + "Debian GNU/Linux 12 web1 ttyS0\n", "serial_console"),
        ("paste.txt", KERNEL + "web1 login: \n", "serial_console"),
        ("paste.txt", KERNEL + "[    9.000000] cloud-init[612]: ci-info: +---+\n", "serial_console"),
        ("vm.0123.serialconsole.log", KERNEL, "serial_console"),
        ("paste.txt", KERNEL, "dmesg_text"),
        ("paste.txt", KERNEL + "[    3.000000] systemd[1]: Detected virtualization microsoft.\n", "dmesg_text"),
        ("var/log/dmesg", KERNEL + STATES, "dmesg_text"),
        ("paste.txt", AGENT, "waagent_log"),
        ("console.log", AGENT, "waagent_log"),
        ("var/log/waagent.log", AGENT + STATES, "waagent_log"),
        ("journal.txt", "[    7.250000] web1 systemd[1]: Starting Azure Linux Agent...\n", "journal_text"),
        ("paste.txt", "web1 login: anna\n", None),
    ],
)
def test_a_screen_is_told_by_two_who_write_to_it(path: str, text: str, name: str | None) -> None:
    found = recognise(Source(path, text.encode()))
    assert (found.parser.name if found else None) == name


def test_a_line_without_a_stamp_is_no_older_than_the_one_above_and_says_so() -> None:
    text = KERNEL + STATES + "[    3.000000] rtc_cmos: setting system clock to 2025-06-10T01:00:03 UTC (1749517203)\n"
    [state] = parsed(text).frames[1].rows.iter_rows(named=True)
    assert state["@timestamp"] == datetime(2025, 6, 10, 1, 0, 2, tzinfo=UTC)
    assert "no time of its own" in state["time.assumed"]


def test_seconds_that_nothing_places_are_no_older_than_a_stamp_above_them_in_the_same_start() -> None:
    text = "[    7.000000] hv_vmbus: registering\n" + AGENT + "[   48.000000] cloud-init[612]: no datasource found\n"
    text += "[    1.000000] Linux version 6.8.0-1031-azure\n"
    kernel, others = (frame.rows for frame in parsed(text).frames)
    assert kernel["@timestamp"].to_list() == [None, None]
    assert others["@timestamp"].to_list() == [datetime(2025, 6, 10, 1, 0, 20, 250_000, tzinfo=UTC)] * 2


def test_local_stamps_of_the_agent_are_read_in_the_zone_that_is_given() -> None:
    text = STATES + "2018/12/04 04:33:52.298408 INFO Daemon Run daemon\n"
    [_, agent] = parsed(text, zone="Asia/Kolkata").frames[0].rows.iter_rows(named=True)
    assert agent["@timestamp"] == datetime(2018, 12, 3, 23, 3, 52, 298408, tzinfo=UTC)
    assert "Asia/Kolkata" in agent["time.assumed"]


def test_what_the_agent_wrote_there_is_evidence_with_its_place(tmp_path: Path) -> None:
    lines = [KERNEL, STATES, AGENT]
    lines += [f"2025-06-10T01:{minute}:00.250000Z{FAILED}" for minute in (10, 20, 30)]
    (tmp_path / "vm.serialconsole.log").write_text("".join([*lines, "web1 login: "]))
    report = judge([tmp_path], ScanOptions()).report
    [diagnosis] = [one for one in report.diagnoses if one.cause == "wireserver-blocked"]
    assert {(one.source, one.line) for one in diagnosis.evidence} == {("vm.serialconsole.log", 5)}


def test_a_console_does_not_show_what_is_missing_from_a_system_log(tmp_path: Path) -> None:
    (tmp_path / "vm.serialconsole.log").write_text(KERNEL + STATES + AGENT)
    report = judge([tmp_path], ScanOptions()).report
    assert {"lin.waagent_log", "lin.syslog"} <= {name for one in report.undecided for name in one.missing}


@pytest.mark.parametrize("piece", ["\x1b[", "[1;", "\x1b]a", "login: ", "[ 1.0", "[  OK", "a[1]: ", "\r"])
def test_a_hostile_line_costs_no_more_than_its_length(piece: str) -> None:
    text = KERNEL + STATES + piece * (400_000 // len(piece)) + "\n"
    started = time.perf_counter()
    found = parsed(text)
    assert time.perf_counter() - started < 5
    assert found.parsed_bytes + found.rejected_bytes == len(text)
