"""Lines of the Linux agent in the logs of the system: they stand in for its own log where that is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from loganalyzer.pipeline import Reading, ScanOptions, judge, read
from loganalyzer.schema import EventFrame, LogSource

_HEAD = "Jun 10 0{hour}:{minute:02}:01 web1 python3[900]: 2025-06-10T0{hour}:{minute:02}:01.300000Z"
_OWN = "2025-06-10T01:00:00.200000Z INFO Daemon Daemon Azure Linux Agent Version: 2.2.46"
_VERSION = f"Jun 10 01:00:00 web1 python3[812]: {_OWN}"
_FAILED = (
    " WARNING ExtHandler ExtHandler [HTTP Failed] GET http://168.63.129.16/machine/?comp=goalstate"
    " -- IOError [Errno 110] Connection timed out -- 6 attempts made"
)
_BEAT = " INFO ExtHandler ExtHandler [HEARTBEAT] Agent WALinuxAgent-2.9.1.1 is running as the goal state agent"
_KERNEL = "Jun 10 09:00:00 web1 kernel: eth0: link up"


def at(hour: int, minute: int, text: str) -> str:
    return _HEAD.format(hour=hour, minute=minute) + text


def reading(folder: Path, files: dict[str, list[str]]) -> Reading:
    for name, lines in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join([*lines, ""]))
    return read([folder], ScanOptions(), None, lambda phase, name, size: None)


def rows(found: Reading, service: str) -> pl.DataFrame:
    frames = [frame for frame in found.frames if frame.logsource == LogSource("linux", service)]
    assert len(frames) < 2
    return frames[0].rows if frames else pl.DataFrame()


def test_they_are_events_of_the_agent_and_of_nothing_else(tmp_path: Path) -> None:
    found = reading(tmp_path, {"var/log/messages": [_VERSION, at(1, 10, _FAILED), _KERNEL]})
    agent = rows(found, "waagent").select("log.file.path", "log.line", "log.level", "message", "process.thread.name")
    assert agent.rows() == [
        ("var/log/messages", 1, "INFO", "Azure Linux Agent Version: 2.2.46", "Daemon"),
        ("var/log/messages", 2, "WARNING", _FAILED.removeprefix(" WARNING ExtHandler ExtHandler "), "ExtHandler"),
    ]
    assert rows(found, "syslog")["message"].to_list() == ["eth0: link up"]


def test_a_log_of_nothing_else_has_no_events_left(tmp_path: Path) -> None:
    found = reading(tmp_path, {"var/log/messages": [_VERSION]})
    assert rows(found, "waagent").height == 1
    assert rows(found, "syslog").is_empty()


def test_a_line_that_two_logs_have_is_one_event(tmp_path: Path) -> None:
    lines = [_VERSION, at(1, 10, _FAILED)]
    found = reading(tmp_path, {"var/log/messages": lines, "journalctl.txt": [lines[1], at(1, 20, _FAILED)]})
    assert rows(found, "waagent").height == 3


def test_they_stay_where_they_stood_beside_the_log_of_the_agent(tmp_path: Path) -> None:
    found = reading(tmp_path, {"var/log/messages": [_VERSION, _KERNEL], "var/log/waagent.log": [_OWN]})
    assert rows(found, "waagent")["log.file.path"].to_list() == ["var/log/waagent.log"]
    assert rows(found, "syslog").height == 2


def test_nothing_is_made_of_what_is_not_among_them(tmp_path: Path) -> None:
    beats = [at(hour, 0, _BEAT) for hour in (1, 2, 3, 4)]
    (tmp_path / "own").mkdir()
    (tmp_path / "lent").mkdir()
    reading(
        tmp_path / "own",
        {"var/log/waagent.log": [one.partition(": ")[2] for one in beats], "var/log/messages": [_KERNEL]},
    )
    reading(tmp_path / "lent", {"var/log/messages": [*beats, _KERNEL]})
    own, lent = (judge([tmp_path / name], ScanOptions()) for name in ("own", "lent"))
    assert _silences(own.frames) == 4  # three between the beats, and one to the end of the bundle
    assert _silences(lent.frames) == 0
    collect = {one.artefact for one in lent.report.next_evidence}
    assert "lin.waagent_log" in collect


def _silences(frames: Sequence[EventFrame]) -> int:
    gaps = [one.rows for one in frames if str(one.logsource) == "linux/waagent/gap"]
    return sum(one.filter(pl.col("kind") == "silence").height for one in gaps)


def test_evidence_names_the_line_of_the_log_that_has_it(tmp_path: Path) -> None:
    reading(tmp_path, {"var/log/messages": [_VERSION, *(at(1, minute, _FAILED) for minute in (10, 20, 30)), _KERNEL]})
    report = judge([tmp_path], ScanOptions()).report
    [diagnosis] = [one for one in report.diagnoses if one.cause == "wireserver-blocked"]
    assert {(one.source, one.line) for one in diagnosis.evidence} == {("var/log/messages", 2)}


def test_an_entry_of_several_lines_is_one_event_if_no_other_line_stands_between(tmp_path: Path) -> None:
    head = at(
        1, 10, " ERROR ExtHandler ExtHandler Event: name=WALinuxAgent, message=Told: Traceback (most recent call last):"
    )
    more = [f"Jun 10 01:10:01 web1 python3[900]: {text}" for text in ('  File "x.py", line 1', "ValueError: made up")]
    other = "Jun 10 01:10:01 web1 python3[77]: not of the agent"
    found = reading(tmp_path, {"var/log/messages": [head, *more, _KERNEL, more[1], head, other, more[1]]})
    agent = rows(found, "waagent").select("log.line", "message", "log.length")
    told = "Event: name=WALinuxAgent, message=Told: Traceback (most recent call last):"
    assert agent["message"].to_list() == [f'{told}\n  File "x.py", line 1\nValueError: made up', told]
    assert agent["log.length"][0] == sum(len(line) + 1 for line in (head, *more))
    assert rows(found, "syslog")["log.line"].to_list() == [4, 5, 7, 8]


_QUOTED = "[ExtensionOperationError] Non-zero exit code: 7, /var/lib/waagent/Contoso.Probe-1.2/probe.sh -install"


def test_a_message_that_somebody_copied_stands_in_for_the_log_of_the_agent(tmp_path: Path) -> None:
    found = reading(tmp_path, {"error.txt": [_QUOTED, "[stderr]", "no room"]})
    assert rows(found, "waagent")["message"].to_list() == [f"{_QUOTED}\n[stderr]\nno room"]


def test_a_copied_message_is_nothing_new_beside_the_log(tmp_path: Path) -> None:
    found = reading(tmp_path, {"error.txt": [_QUOTED], "var/log/waagent.log": [_OWN]})
    assert rows(found, "waagent")["log.file.path"].to_list() == ["var/log/waagent.log"]
    assert rows(found, "console")["message"].to_list() == [_QUOTED]


def test_what_a_script_starts_at_boot_goes_on_over_lines(tmp_path: Path) -> None:
    start = "[  OK  ]Starting contoso: 2016/05/03 07:00:01.000000 ERROR Result: no keys"
    found = reading(tmp_path, {"var/log/boot.log": [start, "second line", "[  OK  ]Starting sshd:"]})
    assert rows(found, "waagent")["message"].to_list() == ["Result: no keys\nsecond line"]
    assert rows(found, "console")["message"].to_list() == ["Starting sshd:"]
