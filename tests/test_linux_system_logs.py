"""Linux system logs: years and zones that a file tells, claims, and rules over the rows."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loganalyzer.cli import run
from loganalyzer.parser import ParseContext, Parsed
from loganalyzer.parser_syslog import NO_YEAR
from loganalyzer.pipeline import scan
from loganalyzer.registry import parsers, recognise
from loganalyzer.schema import LogSource
from loganalyzer.source import Source

SYSLOG = "var/log/syslog"
AUDIT = "vm01 kernel: [    1.000000] audit: type=2000 audit({seconds}.000:1): state=initialized"


def parse(path: str, text: str | bytes, zone: str | None = None) -> Parsed:
    """Reads a file by the parser that claims it."""
    source = Source(path, text if isinstance(text, bytes) else text.encode())
    found = recognise(source)
    assert found is not None
    return found.parser.parse(source, ParseContext(zone))


def rows(path: str, text: str | bytes, zone: str | None = None) -> pl.DataFrame:
    """The rows of its first frame."""
    return parse(path, text, zone).frames[0].rows


def times(text: str, path: str = SYSLOG, zone: str | None = None) -> list[datetime | None]:
    found: list[datetime | None] = rows(path, text, zone)["@timestamp"].to_list()
    return found


def claimed(path: str, text: str) -> str | None:
    found = recognise(Source(path, text.encode()))
    return found.parser.name if found else None


# ---- years ----


def test_without_a_year_anywhere_a_time_is_unknown_and_says_why() -> None:
    found = rows(SYSLOG, "Mar  1 02:10:03 vm01 cron[7]: job\n")
    assert found["@timestamp"].to_list() == [None]
    assert found["time.assumed"].to_list() == [NO_YEAR]


def test_each_new_year_in_a_file_counts() -> None:
    last = f"Jan  1 00:00:05 {AUDIT.format(seconds=1735689605)}\n"  # 2025-01-01 00:00:05 UTC
    text = "Dec 30 10:00:00 vm01 a: x\nJan  2 10:00:00 vm01 a: x\nDec 31 10:00:00 vm01 a: x\n" + last
    assert [found.year for found in times(text) if found] == [2023, 2024, 2024, 2025]


def test_a_line_that_is_a_little_late_at_new_year_stays_in_the_old_one() -> None:
    text = (
        f"Dec 31 23:59:58 {AUDIT.format(seconds=1735689598)}\n"
        "Jan  1 00:00:00 vm01 a: first of the year\nDec 31 23:59:59 vm01 b: late\nJan  1 00:00:01 vm01 a: x\n"
    )
    assert [found.year for found in times(text) if found] == [2024, 2025, 2024, 2025]


def test_the_29th_of_february_needs_a_leap_year() -> None:
    leap = f"Feb 29 10:00:00 vm01 a: x\nMar  1 00:00:00 {AUDIT.format(seconds=1709251200)}\n"  # 2024-03-01
    other = f"Feb 29 10:00:00 vm01 a: x\nMar  1 00:00:00 {AUDIT.format(seconds=1740787200)}\n"  # 2025-03-01
    assert times(leap)[0] == datetime(2024, 2, 29, 10, tzinfo=UTC)
    assert times(other)[0] is None


@pytest.mark.parametrize(
    "message",
    [
        "certificate expires 2031-08-01T00:00:00Z",
        "release of 2019/11/20 00:00:00 UTC",
        "last seen 2025-02-27 02:10:03Z",
        "audit(1500000000.000:1): old",
    ],
)
def test_a_date_in_a_message_that_is_not_of_its_moment_tells_no_year(message: str) -> None:
    assert times(f"Mar  1 02:10:03 vm01 a: {message}\n") == [None]


def test_a_stamp_with_a_year_tells_that_of_its_neighbours() -> None:
    text = "Mar  1 02:10:03 vm01 a: x\n2025-03-01T02:11:03+00:00 vm01 a: y\n"
    found = rows(SYSLOG, text)
    assert [moment.year for moment in found["@timestamp"]] == [2025, 2025]
    assert found["time.assumed"][0].startswith("the year is that of full times in the same file")
    assert found["time.assumed"][1] is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("messages-20250302", 2025),
        ("messages-20250302.gz", 2025),
        ("syslog-2025-03-02", 2025),
        ("messages-20250115", 2024),
        ("messages-20259999", None),
        ("messages.1", None),
    ],
)
def test_the_date_in_a_name_bounds_the_year(name: str, expected: int | None) -> None:
    [found] = times("Mar  1 02:10:03 vm01 a: x\n", f"var/log/{name}")
    assert (found.year if found else None) == expected


@pytest.mark.parametrize("stamp", ["Mar  1 2025 02:10:03", "2025 Mar  1 02:10:03", "Mar 01 02:10:03 2025"])
def test_a_year_may_stand_in_any_place_of_an_old_stamp(stamp: str) -> None:
    assert times(f"{stamp} vm01 a[1]: x\n") == [datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC)]


# ---- zones ----


def test_an_audit_record_tells_how_far_the_clock_is_from_utc() -> None:
    text = f"Mar  1 07:40:03 {AUDIT.format(seconds=1740795003)}\nMar  1 07:40:13 vm01 a: x\n"
    found = rows(SYSLOG, text)
    assert found["@timestamp"][1] == datetime(2025, 3, 1, 2, 10, 13, tzinfo=UTC)
    assert found["time.assumed"][1].endswith("local time, UTC+05:30 measured in the file")


def test_a_given_zone_goes_before_what_the_file_tells_and_not_before_a_written_one() -> None:
    text = "2025-03-01 02:10:03 vm01 a[1]: x\n2025-03-01T02:10:03Z vm01 a[1]: x\n"
    assert times(text, zone="Europe/Paris") == [
        datetime(2025, 3, 1, 1, 10, 3, tzinfo=UTC),
        datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
    ]


@pytest.mark.parametrize("zone", ["Z", "+00:00", "-0000", " UTC", " GMT"])
def test_every_spelling_of_utc_is_one(zone: str) -> None:
    found = rows(SYSLOG, f"2025-03-01T02:10:03,5{zone} vm01 a[1]: x\n")
    assert found["@timestamp"].to_list() == [datetime(2025, 3, 1, 2, 10, 3, 500_000, tzinfo=UTC)]
    assert found["time.assumed"].to_list() == [None]


# ---- parts of a line ----


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("syslog.1", "syslog"),
        ("messages", "syslog"),
        ("daemon.log", "syslog"),
        ("kern.log.2", "kernel"),
        ("auth.log", "auth"),
        ("secure-20250302", "auth"),
        ("cron", "cron"),
        ("truncated__var_log_kern.log", "kernel"),
        ("extract.txt", "syslog"),
    ],
)
def test_the_name_of_a_file_decides_its_log_source(name: str, service: str) -> None:
    [frame] = parse(f"var/log/{name}", "2025-03-01T02:10:03Z vm01 sshd[5]: x\n").frames
    assert frame.logsource == LogSource("linux", service)


def test_lines_of_the_kernel_alone_are_the_kernels_log_under_any_name() -> None:
    [frame] = parse("extract.txt", "Mar  1 02:10:03 vm01 kernel: EXT4-fs error (device sda1)\n").frames
    assert frame.logsource == LogSource("linux", "kernel")


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("ExtHandler ExtHandler text", ("ExtHandler", "ExtHandler", None, "text")),
        ("ExtHandler Downloading", (None, "ExtHandler", None, "Downloading")),
        ("Daemon Daemon Run daemon", ("Daemon", "Daemon", None, "Run daemon")),
        ("EnvHandler ExtHandler text", ("EnvHandler", "ExtHandler", None, "text")),
        ("Thread-7 (run) ExtHandler text", ("Thread-7 (run)", "ExtHandler", None, "text")),
        ("ExtHandler [Example.Handler-1.2.3] text", ("ExtHandler", None, "Example.Handler", "text")),
        ("[Example.Handler-1.2.3] text", (None, None, "Example.Handler", "text")),
        ("ExtHandler ExtHandler [HEARTBEAT] x", ("ExtHandler", "ExtHandler", None, "[HEARTBEAT] x")),
        ("[HTTP Retry] Attempt 2 of 3", (None, None, None, "[HTTP Retry] Attempt 2 of 3")),
        ("EnvHandler", ("EnvHandler", None, None, "")),
    ],
)
def test_a_line_of_the_linux_agent_is_taken_apart(inner: str, expected: tuple[str | None, ...]) -> None:
    found = rows(SYSLOG, f"Mar  1 02:10:03 vm01 python3[9]: 2025-03-01T02:10:02.500000Z WARNING {inner}\n")
    names = ("process.thread.name", "log.logger", "handler", "message")
    assert tuple(found[name][0] for name in names) == expected
    assert (found["log.level"][0], found["process.name"][0], found["process.pid"][0]) == ("WARNING", "python3", 9)
    assert found["@timestamp"][0] == datetime(2025, 3, 1, 2, 10, 2, 500_000, tzinfo=UTC)
    assert inner in found["event.original"][0]


def test_a_first_word_is_the_host_only_where_other_lines_name_it() -> None:
    text = "Mar  1 02:10:03 vm01 a[1]: x\nMar  1 02:10:04 vm01 last message repeated\nMar  1 02:10:05 last message\n"
    found = rows(SYSLOG, text)
    assert found["host.name"].to_list() == ["vm01", "vm01", None]
    assert found["message"].to_list() == ["x", "last message repeated", "last message"]


def test_a_priority_is_facility_and_severity_and_a_wrong_one_is_neither() -> None:
    found = rows(
        SYSLOG, "<86>Mar  1 02:10:03 vm01 a: x\n<191>Mar  1 02:10:03 vm01 a: x\n<999>Mar  1 02:10:03 vm01 a: x\n"
    )
    assert found["facility"].to_list() == ["authpriv", "local7", None]
    assert found["priority"].to_list() == [6, 7, None]
    assert found["log.level"].to_list() == ["info", "debug", None]


# ---- journal, units ----


def test_the_end_of_a_journal_in_its_first_line_gives_year_and_zone() -> None:
    text = (
        "-- Logs begin at Tue 2024-12-31 10:00:00 UTC, end at Wed 2025-01-01 10:00:00 UTC. --\n"
        "Dec 31 23:00:00 vm01 a[1]: x\nJan 01 01:00:00 vm01 a[1]: y\n"
    )
    found = rows("journal.txt", text)
    assert [moment.year for moment in found["@timestamp"]] == [2024, 2025]
    assert found["time.assumed"].to_list() == ["the year is that of the journal's end, in its first line"] * 2


def test_numbers_and_bytes_that_no_journal_writes_are_kept_out_of_the_columns() -> None:
    entry = {"__REALTIME_TIMESTAMP": "9" * 18, "PRIORITY": "x", "_PID": "-4", "SYSLOG_FACILITY": "99", "MESSAGE": None}
    found = rows("journal.json", json.dumps(entry) + "\n")
    assert [found[name][0] for name in ("@timestamp", "priority", "process.pid", "facility", "message")] == [None] * 5


def test_a_field_of_an_export_may_hold_what_looks_like_the_end_of_an_entry() -> None:
    value = b"first\n\n__REALTIME_TIMESTAMP=1"
    raw = b"__REALTIME_TIMESTAMP=1740795003000000\nMESSAGE\n" + len(value).to_bytes(8, "little") + value + b"\n\n"
    found = rows("journal.export", raw)
    assert found["message"].to_list() == [value.decode()]
    assert found["@timestamp"].to_list() == [datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC)]


STATUS = (
    "● waagent.service - Azure Linux Agent\n     Loaded: loaded (/usr/lib/systemd/system/waagent.service; disabled)\n"
    "     Active: {active}\n\n{tail}"
)


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ("active (running) since Sat 2025-03-01 02:10:03 UTC; 3min 9s ago", ("active", "running", None)),
        ("inactive (dead)", ("inactive", "dead", None)),
        (
            "failed (Result: core-dump) since Sat 2025-03-01 02:10:03 UTC; 1h ago",
            ("failed", None, "core-dump"),
        ),
        (
            "activating (auto-restart) (Result: exit-code) since Sat 2025-03-01 02:10:03 UTC; 2s ago",
            ("activating", "auto-restart", "exit-code"),
        ),
        (
            "inactive (dead) (Result: exit-code) since Sat 2025-03-01 02:10:03 UTC; 10min ago",
            ("inactive", "dead", "exit-code"),
        ),
    ],
)
def test_every_state_of_a_unit_is_read(active: str, expected: tuple[str | None, ...]) -> None:
    found = rows("status.txt", STATUS.format(active=active, tail=""))
    assert tuple(found[name][0] for name in ("active_state", "sub_state", "result")) == expected
    assert found["unit_file_state"][0] == "disabled"
    assert found["@timestamp"][0] is None
    assert f"Active: {active}" in found["message"][0]


def test_lines_of_the_journal_under_a_status_have_its_year_and_their_own_place() -> None:
    tail = "Dec 31 23:00:00 vm01 waagent[1]: a\nJan 01 01:00:00 vm01 waagent[1]: b\n"
    text = STATUS.format(active="active (running) since Tue 2024-12-31 22:00:00 UTC; 4h ago", tail=tail)
    parsed = parse("status.txt", text)
    assert [str(frame.logsource) for frame in parsed.frames] == ["linux/systemd", "linux/journald"]
    found = parsed.frames[1].rows
    assert [moment.year for moment in found["@timestamp"]] == [2024, 2025]
    assert found["unit"].to_list() == ["waagent.service"] * 2
    lines = text.encode().split(b"\n")
    for row in found.iter_rows(named=True):
        cut = text.encode()[row["log.offset"] : row["log.offset"] + row["log.length"]]
        assert cut.rstrip(b"\n") == lines[row["log.line"] - 1]


# ---- claims ----


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("some.txt", "[    0.000000] Memory policy: x\n[    1.000000] sd 0:0:0:0: [sda] disk\n", "dmesg_text"),
        ("some.txt", "[    1.000000] vm01 systemd[1]: Started\n", "journal_text"),
        ("some.txt", "Mar  1 02:10:03 vm01 systemd[1]: Started\n", "linux_syslog"),
        ("some.txt", "2025-03-01 02:10:03 ERROR: of some program\n", None),
        ("some.txt", "2025-03-01 02:10:03,100 module: of some program\n", None),
        ("some.txt", "active\n", None),
        ("is-active_waagent.txt", "active\n", "systemctl_text"),
        ("is-active_waagent.txt", "all is well\n", None),
        (
            "agent.txt",
            "2025-03-01T02:10:03.120001Z INFO EnvHandler ExtHandler Firewall:\nChain OUTPUT (policy ACCEPT)\n"
            "target     prot opt source               destination\n",
            "waagent_log",
        ),
        (
            "agent.txt",
            "2025-03-01T02:10:03.120001Z INFO EnvHandler ExtHandler x\n  Loaded: loaded (a)\n  Active: active\n",
            "waagent_log",
        ),
    ],
)
def test_a_file_is_taken_for_what_it_is(path: str, text: str, expected: str | None) -> None:
    assert claimed(path, text) == expected


# ---- rules over the rows ----

DROP = """
title: the wire server's address is dropped
logsource: {product: linux, service: firewall, category: config}
detection:
    drop: {kind: rule, target: [DROP, REJECT], destination: 168.63.129.16, port: 80}
    condition: drop
"""
RULES = {
    "iptables -S": "-P OUTPUT ACCEPT\n-A OUTPUT -d 168.63.129.16/32 -p tcp -m multiport --dports 443,80 -j DROP\n",
    "iptables -L": "Chain OUTPUT (policy ACCEPT)\ntarget     prot opt source               destination\n"
    "REJECT     tcp  --  anywhere             168.63.129.16        tcp dpt:http reject-with icmp-port-unreachable\n",
    "nft": "table ip f {\n\tchain o {\n\t\ttype filter hook output priority 0; policy accept;\n"
    "\t\tip daddr 168.63.129.16 tcp dport 80 counter packets 0 bytes 0 drop\n\t}\n}\n",
}
#: What the agent itself adds, and rules for other hosts and ports.
HARMLESS = (
    "-P OUTPUT ACCEPT\n-A OUTPUT -d 168.63.129.16/32 -p tcp -m tcp --dport 53 -j ACCEPT\n"
    "-A OUTPUT -d 168.63.129.16/32 -p tcp -m owner --uid-owner 0 -j ACCEPT\n"
    "-A OUTPUT -d 168.63.129.16/32 -p tcp -m conntrack --ctstate INVALID,NEW -j DROP\n"
    "-A OUTPUT -d 192.0.2.1/32 -p tcp -m tcp --dport 80 -j DROP\n"
    "-A OUTPUT -d 168.63.129.16/32 -p tcp -m tcp --dport 8080 -j DROP\n"
)


def matches(tmp_path: Path, capfd: pytest.CaptureFixture[str], rule: str, name: str, text: str) -> list[Any]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "rule.yml").write_text(rule, encoding="utf-8")
    assert run(["match", "-r", str(tmp_path / "rule.yml"), "-f", "json", str(tmp_path / name)]) in (0, 1)
    found: list[Any] = json.loads(capfd.readouterr().out)
    return found


@pytest.mark.parametrize("form", RULES)
def test_a_sigma_rule_sees_a_drop_of_the_wire_servers_address(
    form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(matches(tmp_path, capfd, DROP, "rules.txt", RULES[form])) == 1


def test_the_agents_own_rules_are_no_such_drop(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert matches(tmp_path, capfd, DROP, "rules.txt", HARMLESS) == []


def test_a_rule_may_call_program_process_and_its_number_pid(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rule = (
        "title: x\nlogsource: {product: linux, service: syslog}\n"
        "detection:\n    it: {process: systemd, pid: 1, host: vm01}\n    condition: it\n"
    )
    text = "2025-03-01T02:10:03Z vm01 systemd[1]: x\n2025-03-01T02:10:03Z vm01 systemd[2]: x\n"
    assert len(matches(tmp_path, capfd, rule, "syslog", text)) == 1


def test_a_bundle_with_all_of_them_is_read_to_its_end(tmp_path: Path) -> None:
    names = {"linux_syslog", "journal_text", "journal_records", "systemctl_text", "dmesg_text", "cloud_init_log"}
    names |= {"dhcp_lease", "packet_filter_text"}
    for parser in parsers():
        if parser.name in names:
            sample = parser.samples[0]
            path = tmp_path / parser.name / sample.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sample.raw)
    report = scan([tmp_path]).report
    assert {one.parser for one in report.coverage if one.parser} == names
    assert all(one.parsed_bytes + one.rejected_bytes == one.bytes for one in report.coverage if one.parser)


# ---- hostile input ----

JOURNALS = {"journal_text", "journal_records"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "raw",
    [
        b"\n" * 150_000,
        b" " * 150_000 + b"x",
        b"Mar  1 02:10:03 a: " * 8000,
        b"  Loaded: loaded (a)\n  Active: active since " + b"a; " * 50_000,
        b"Chain a (policy DROP)\ntarget     prot opt source               destination\nDROP all "
        + b" " * 150_000
        + b"@",
        b"table ip a {\nchain b {\n" + b"type a hook " * 12_000,
        b"lease {\n" + b"option " * 20_000,
        b'{\n"__REALTIME_TIMESTAMP":"1"\n' * 5000,
    ],
    ids=["lines", "blanks", "stamps", "states", "columns", "hooks", "options", "objects"],
)
@pytest.mark.parametrize(
    "name",
    [
        "linux_syslog",
        "journal_text",
        "journal_records",
        "systemctl_text",
        "dmesg_text",
        "dhcp_lease",
        "packet_filter_text",
    ],
)
def test_hostile_text_takes_no_longer_than_its_length(name: str, raw: bytes) -> None:
    [parser] = [one for one in parsers() if one.name == name]
    source = Source(parser.samples[0].path, raw)
    began = time.process_time()
    parser.claim(source.path, raw[: 64 * 1024])
    parsed = parser.parse(source, ParseContext())
    assert time.process_time() - began < 10
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == source.size
