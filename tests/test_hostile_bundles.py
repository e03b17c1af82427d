"""The whole program on hostile input: no traceback, no stall, no byte lost, nothing said that drives a terminal."""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from rich.console import Console

from loganalyzer.cli import run
from loganalyzer.facts import Attempt, Derived
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.report.json_report import schema, to_json
from loganalyzer.report.terminal import render_terminal
from loganalyzer.schema import FIRST_TIME, LAST_TIME, LogSource, conform
from loganalyzer.windows import Ticket, Window, relevance
from sample_logs import linux_bundles, windows_bundles
from sample_logs.evtx_writer import EventRecord, write_evtx
from sample_logs.packing import tar_gz_bytes, write_directory, zip_bytes

LINUX = linux_bundles.healthy().files
WINDOWS = windows_bundles.damaged().files
AGENT_LOG = "var/log/waagent.log"
STATUS = "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0/status/7.status"
GOAL_STATE = "var/lib/waagent/GoalState.1.xml"
VALIDATOR = jsonschema.validators.validator_for(schema())(schema())
DRIVES_A_TERMINAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SECRET = "S3cr3tPa55word9XyZq"


def scanned(data: bytes, options: ScanOptions | None = None) -> dict[str, Any]:
    """The report of a scan of these bytes, checked for what every report must hold."""
    result = scan(["-"], options, stdin=io.BytesIO(data))
    report: dict[str, Any] = json.loads(to_json(result.report))
    VALIDATOR.validate(report)
    for one in (*(row for row in report["coverage"] if row["status"] != "archive"), report["receipt"]):
        parts = [one["parsed_bytes"], one["rejected_bytes"], one["skipped_bytes"]]
        assert min(parts) >= 0
        assert sum(parts) == one["bytes"]
    shown = io.StringIO()
    render_terminal(result.report, Console(file=shown, width=60), details=True)
    assert DRIVES_A_TERMINAL.search(shown.getvalue()) is None
    return report


def lines(*messages: str, at: datetime = datetime(2025, 3, 1, tzinfo=UTC), step: float = 1) -> bytes:
    times = (at + timedelta(seconds=step * number) for number in range(len(messages)))
    return "".join(
        f"{time:%Y-%m-%dT%H:%M:%S.%fZ} ERROR ExtHandler ExtHandler {message}\n"
        for time, message in zip(times, messages, strict=True)
    ).encode()


# Mutated bundles


def flipped(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(50):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def shuffled(chance: random.Random, data: bytes) -> bytes:
    rows = data.split(b"\n")
    return b"\n".join(chance.sample(rows, len(rows)))


def other_days(chance: random.Random, data: bytes) -> bytes:
    days = [b"0000-01-01", b"0001-01-01", b"9999-12-31", b"1601-01-01", b"2025-02-30", b"9998-12-31"]
    return re.sub(rb"\d{4}([-/])\d\d[-/]\d\d", lambda _: chance.choice(days), data)


def other_numbers(chance: random.Random, data: bytes) -> bytes:
    numbers = [b"-1", b"9223372036854775808", b"-9223372036854775809", b"1e400", b"1" * 5000, "²".encode()]
    return re.sub(rb"-?\b\d+\b", lambda found: chance.choice([found[0]] * 30 + numbers), data)


def cut_and_doubled(chance: random.Random, data: bytes) -> bytes:
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[start:end] * 2 + data[:start]


def in_utf16(chance: random.Random, data: bytes) -> bytes:
    return data.decode("utf-8", errors="replace").encode("utf-16")[: chance.choice([None, -1])]


def with_garbage(chance: random.Random, data: bytes) -> bytes:
    garbage = [b"\0" * 5000, b"\xed\xa0\x80\xc3\x28", b"\x1b]0;x\x07", "\u202e[/red]".encode(), b"[" * 9000]
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.choice(garbage) + data[place:]


MUTATIONS = (flipped, shuffled, other_days, other_numbers, cut_and_doubled, in_utf16, with_garbage)


@pytest.mark.parametrize(
    "mutate",
    [
        pytest.param(one, id=one.__name__, marks=() if one in (flipped, with_garbage) else (pytest.mark.slow,))
        for one in MUTATIONS
    ],
)
@pytest.mark.parametrize(("files", "pack"), [(LINUX, tar_gz_bytes), (WINDOWS, zip_bytes)], ids=["linux", "windows"])
def test_a_mutated_bundle_gives_a_valid_report_that_accounts_for_every_byte(
    mutate: Callable[[random.Random, bytes], bytes],
    files: dict[str, bytes],
    pack: Callable[[dict[str, bytes]], bytes],
) -> None:
    chance = random.Random(f"{mutate.__name__} {len(files)}")
    mutated = {name: mutate(chance, data) if data else data for name, data in files.items()}
    report = scanned(pack(mutated))
    assert report["receipt"]["bytes"] == sum(map(len, mutated.values()))
    # Correlations put aside what has no time; no rule fails for any other reason.
    assert all(re.search("left out [0-9]+ matching events", one["why"]) for one in report["rules"]["unable"])


def test_files_under_the_names_of_other_formats_harm_nothing() -> None:
    everything = {**LINUX, **WINDOWS}
    names = list(everything)
    swapped = {name: everything[names[number - 1]] for number, name in enumerate(names)}
    report = scanned(zip_bytes(swapped))
    assert report["receipt"]["bytes"] == sum(map(len, everything.values()))


# Times that are none


def test_times_outside_of_what_can_be_reckoned_with_are_unknown() -> None:
    times = ["0000-01-01 00:00:00", "0001-01-01 00:00:00", "1601-01-01 00:00:00", "9998-12-31 00:00:00"]
    times += ["9999-12-31 23:59:59", "+12345-01-01 00:00:00"]
    stamps = pl.Series("@timestamp", times).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us")
    rows = conform(stamps.dt.replace_time_zone("UTC").to_frame())
    assert rows["@timestamp"].to_list() == [None, None, FIRST_TIME, LAST_TIME, None, None]


@pytest.mark.parametrize("day", ["0000-01-01", "0001-01-01", "1601-01-01", "9998-12-31", "9999-12-31"])
def test_a_log_of_an_impossible_day_is_read(day: str) -> None:
    data = lines("Target handler state: enabled", "WireServer is not responding").replace(b"2025-03-01", day.encode())
    report = scanned(zip_bytes({AGENT_LOG: data}), ScanOptions(time_zone="Pacific/Kiritimati"))
    assert report["receipt"]["events"] == 2


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59", "9999-12-31T23:59-14:00"]
)
def test_a_ticket_of_an_impossible_time_is_refused(at: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "waagent.log").write_bytes(lines("x"))
    assert run(["scan", str(tmp_path), "--at", at]) == 2
    assert "--at" in capfd.readouterr().err


# Much of everything: the time stays linear


def test_a_log_source_with_less_sorts_before_one_with_more() -> None:
    sources = [LogSource("windows", "system"), LogSource("windows"), LogSource(), LogSource("linux", None, "gap")]
    assert sorted(sources) == [LogSource(), LogSource("linux", None, "gap"), LogSource("windows"), sources[0]]


def test_an_event_log_of_events_with_and_without_a_channel_is_read() -> None:
    events = [
        EventRecord("p", 1, channel, "vm", datetime(2025, 3, 1, tzinfo=UTC), data={"a": "b"})
        for channel in ("System", "", "Application")
    ]
    report = scanned(zip_bytes({"System.evtx": write_evtx(events)}))
    assert report["receipt"]["events"] == 3


def attempts_of(count: int) -> Iterable[Attempt]:
    first = datetime(2000, 1, 1, tzinfo=UTC)
    for number in range(count):
        start = first + timedelta(hours=3 * number)
        yield Attempt(f"attempt-{number}", start, start + timedelta(minutes=5), None, "failure", (), None, (), ())


def test_the_window_of_a_time_is_the_first_that_holds_it_among_many() -> None:
    found = tuple(attempts_of(300))
    windows = relevance(Derived((), found, (), "linux", None, None), Ticket())

    def one_by_one(first: datetime, last: datetime | None, assumed: bool) -> Window | None:
        return next((window for window in windows.windows if window.holds(first, last, assumed)), None)

    chance = random.Random(7)
    held = 0
    for _ in range(500):
        first = found[0].start + timedelta(minutes=chance.randrange(-3000, 60000))
        last = chance.choice([None, first, first + timedelta(minutes=chance.randrange(3000))])
        for assumed in (False, True):
            assert windows.touched(first, last, assumed) == one_by_one(first, last, assumed)
            held += windows.touched(first, last, assumed) is not None
    assert 100 < held < 1000


def test_many_attempts_and_many_times_are_brought_together_in_linear_time() -> None:
    found = tuple(attempts_of(20_000))
    windows = relevance(Derived((), found, (), "linux", None, None), Ticket())
    began = time.process_time()
    touched = [windows.touched(attempt.start, attempt.start, False) for attempt in found]
    assert all(window is not None for window in touched)
    assert time.process_time() - began < 2  # one by one: a minute


def test_thousands_of_attempts_and_failures_are_scanned_in_seconds() -> None:
    pairs = [("Target handler state: enabled [incarnation_1]", "WireServer is not responding")] * 1500
    data = lines(*(message for pair in pairs for message in pair), step=4500)
    data = data.replace(b"ExtHandler Target", b"[Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0] Target")
    began = time.process_time()
    report = scanned(zip_bytes({AGENT_LOG: data}))
    assert len(report["attempts"]) == 1500
    assert time.process_time() - began < 15


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (AGENT_LOG, lines("WireServer is not responding " * 20_000)),
        (AGENT_LOG, b"x\n" * 100_000),
        (AGENT_LOG, lines("[HEARTBEAT] Agent WALinuxAgent-" + "9" * 100_000 + ".1 is running as the goal state agent")),
        (STATUS, b"[" * 300_000),
        (STATUS, b'[{"status":{"status":"error","code":' + b"1" * 100_000 + b"}}]"),
        (GOAL_STATE, b"<GoalState>" + b"<a>" * 100_000),
        (GOAL_STATE, b"<GoalState " + b" ".join(b"a%d='1'" % number for number in range(40_000)) + b"/>"),
        (GOAL_STATE, b"<!DOCTYPE a [<!ENTITY a 'x'>" + b"<!ENTITY b '&a;&a;'>" * 9 + b"]><GoalState>&b;</GoalState>"),
    ],
    ids=["long line", "short lines", "version", "deep JSON", "long number", "deep XML", "attributes", "entities"],
)
def test_a_file_that_is_built_to_stall_a_reader_is_done_in_seconds(name: str, data: bytes) -> None:
    began = time.process_time()
    assert scanned(zip_bytes({name: data}))["receipt"]["bytes"] == len(data)
    assert time.process_time() - began < 10


# What is said, and to whom


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "evil\x1b]0;x\x07\u202e"
    log = lines(f"\x1b[31;5m\u202eWireServer is not responding [/bold] password={SECRET}")
    write_directory({f"password={SECRET}/waagent\x1b[5m.log": log, "a\u202e.evtx": b"ElfFile\0" + b"x" * 5000}, folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["scan", "{}"],
        ["scan", "{}", "--details"],
        ["scan", "{}", "-f", "json"],
        ["scan", "{}/nowhere"],
        ["scan", "{}", "-o", "{}/nowhere/a.json"],
        ["scan", "{}", f"--password={SECRET}\x1b]0;x\x07"],
        ["scan", "{}", "--tz", f"password={SECRET}"],
        ["explain", f"\x1b]0;x\x07\u202e[/x] password={SECRET}"],
        ["explain", "-f", "json", f"\x1b]0;x\x07\u202e[/x] password={SECRET}"],
        ["signatures", "show", f"\u202e\x1b]0;x\x07password={SECRET}"],
        ["signatures", "lint", "-r", "{}/nowhere"],
    ],
    ids=lambda words: " ".join(words).encode("ascii", "backslashreplace").decode(),
)
def test_nothing_said_drives_a_terminal_or_shows_a_secret(
    words: list[str], hostile_folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run([word.replace("{}", str(hostile_folder)) for word in words]) in (0, 1, 2, 3)
    said = "".join(capfd.readouterr())
    assert said
    assert DRIVES_A_TERMINAL.search(said) is None
    assert SECRET not in said
    assert "Traceback" not in said


def command(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "loganalyzer", *words], timeout=60, check=False, **options)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")  # noqa: PTH110
@pytest.mark.parametrize("words", [["formats"], ["explain", "UserErrorGuestAgentStatusUnavailable"]])
def test_a_full_disk_is_told(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = command(*words, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"cannot write standard output: " in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="file descriptors are closed another way")
def test_closed_streams_are_no_internal_error(tmp_path: Path) -> None:
    (tmp_path / "waagent.log").write_bytes(lines("x"))

    no_input = command("scan", "-", capture_output=True, preexec_fn=lambda: os.close(0))
    assert (no_input.returncode, b"nothing came on standard input" in no_input.stderr) == (3, True)
    no_output = command("scan", "-f", "json", str(tmp_path), stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert (no_output.returncode, no_output.stderr) == (0, b"")


@pytest.mark.parametrize(("columns", "shown_as"), [("0", "80"), ("1", "20")])
def test_a_terminal_of_no_width_still_shows_everything(
    columns: str, shown_as: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for width in (columns, shown_as):
        monkeypatch.setenv("COLUMNS", width)
        assert run(["explain", "UserErrorGuestAgentStatusUnavailable"]) == 0
        said.append(capfd.readouterr().out)
    assert said[0] == said[1]
    assert len(said[0]) > 1000


# Rules of others

RULE = """
title: t
id: 11111111-1111-4111-8111-111111111111
name: n
level: low
logsource: {product: linux, service: waagent}
detection:
  s: %s
  condition: s
loganalyzer: {role: fact, examples: [{name: a, match: true, event: {message: a, event.sequence: 99999999999999999999}}]}
"""
LAUGHS = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        LAUGHS + RULE % "{message: *i}",
        "[" * 100_000,
        "- " * 100_000 + "a",
        "&x {title: *x, detection: *x}",
        "!!python/object/apply:os.system ['exit 1']",
        RULE % "{message|base64|base64|base64|base64|base64|base64|base64|base64: a}",
        RULE % "{message|re: '((((a{1,100}){1,100}){1,100}){1,100})'}",
        RULE % ("{message: '" + "*a" * 20_000 + "'}"),
        "---\n" * 20_000,
        "a: 1\n" * 5_000,
        RULE % "{message: a}",
        "#" * (5 << 20),
    ],
    ids=[
        *("laughs", "laughs in a rule", "deep flow", "deep block", "itself", "python", "base64", "regex", "wildcards"),
        *("documents", "same keys", "large number", "large file"),
    ],
)
def test_a_hostile_rule_file_is_refused_or_read_in_seconds(
    text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hostile.yml"
    path.write_text(text, encoding="utf-8")
    began = time.process_time()
    for verb in ("lint", "test"):
        assert run(["signatures", verb, "-r", str(path)]) in (0, 1, 2)
    assert time.process_time() - began < 10
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    assert len(said.err) < 500_000


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero on this system")  # noqa: PTH110
def test_rules_from_a_device_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["signatures", "lint", "-r", "/dev/zero"]) == 2
    assert "no regular file" in capfd.readouterr().err
