"""Oddities of excerpts that people make of logs, through the whole reading of a bundle."""

from __future__ import annotations

import base64
import codecs
import gzip
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from loganalyzer.parser_payload import PAYLOAD_LIMIT, payload_of
from loganalyzer.pipeline import Reading, ScanOptions, read, scan

AGENT = (
    "2025-03-01T02:10:00.000000Z INFO ExtHandler ExtHandler Größe of the log\n"
    "2025-03-01T02:10:01.000000Z ERROR ExtHandler ExtHandler Event: name=WALinuxAgent, op=Download, message=no café\n"
    "Traceback (most recent call last):\n"
    "2025-03-01T02:10:02.000000Z INFO ExtHandler ExtHandler last\n"
)
MESSAGES = [
    "Größe of the log",
    "Event: name=WALinuxAgent, op=Download, message=no café\nTraceback (most recent call last):",
    "last",
]
SNAPSHOT_LOG = "WindowsAzure/Logs/Plugins/Microsoft.Azure.RecoveryServices.VMSnapshot/1.0.92.0/IaaSBcdrExtension0.log"


def reading(folder: Path, files: Mapping[str, bytes | str]) -> Reading:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    found = read([str(folder)], ScanOptions(), None, lambda phase, name, size: None)
    assert [leaf.path for leaf in found.leaves if leaf.recognised is None] == []
    return found


def rows(folder: Path, files: Mapping[str, bytes | str]) -> pl.DataFrame:
    [frame] = reading(folder, files).frames
    return frame.rows


def at(hour: int, minute: int, second: int = 0, micro: int = 0, *, month: int = 3, day: int = 1) -> datetime:
    return datetime(2025, month, day, hour, minute, second, micro, tzinfo=UTC)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (b"", "cp1252"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
@pytest.mark.parametrize("padding", [b"", bytes(512)])
def test_a_log_says_the_same_in_every_encoding_padded_or_not(
    tmp_path: Path, mark: bytes, encoding: str, end: str, padding: bytes
) -> None:
    data = mark + AGENT.replace("\n", end).encode(encoding) + padding
    found = rows(tmp_path, {"var/log/waagent.log": data})
    assert found["message"].to_list() == MESSAGES
    assert found["@timestamp"].to_list() == [at(2, 10), at(2, 10, 1), at(2, 10, 2)]
    [row] = scan([str(tmp_path)]).report.coverage
    assert row.rejected_bytes <= len(padding)
    assert row.parsed_bytes + row.rejected_bytes == len(data)


def test_torn_first_and_last_lines_are_kept_and_the_first_says_so(tmp_path: Path) -> None:
    torn = AGENT[10:-3]
    found = rows(tmp_path, {"var/log/waagent.log": torn})
    assert found["message"].to_list() == [torn.split("\n")[0], MESSAGES[1], "la"]
    assert found["@timestamp"].to_list() == [None, at(2, 10, 1), at(2, 10, 2)]
    [row] = scan([str(tmp_path)]).report.coverage
    assert row.notes == ("the file does not begin with the start of an entry: what stood before is missing",)


SYSTEMD = "walinuxagent.service: Failed with result 'exit-code'."


@pytest.mark.parametrize(
    ("line", "time", "host"),
    [
        ("Mar  1 02:10:00 vm01 systemd[1]: ", at(2, 10), "vm01"),
        ("Mar  1 02:10:00 vm01 systemd[1]: Mar  1 02:10:00 vm01 systemd[1]: ", at(2, 10), "vm01"),
        ("Mar  1 02:10:00 vm01 Mar  1 02:10:00 vm01 systemd[1]: ", at(2, 10), "vm01"),
        ("2025-03-01T02:10:00Z vm01 systemd[1]: Mar  1 02:10:00 vm01 systemd[1]: ", at(2, 10), "vm01"),
        ("Mar  1 02:10:00 systemd[1]: ", at(2, 10), None),
        ("2025-03-01T02:10:00Z vm01 systemd[1]: ", at(2, 10), "vm01"),
        ("2025-03-01T07:40:00+05:30 vm01 systemd[1]: ", at(2, 10), "vm01"),
        ("vm01 systemd[1]: ", None, "vm01"),
        ("systemd[1]: ", None, None),
    ],
)
def test_a_head_of_a_syslog_line_may_be_doubled_or_stripped(
    tmp_path: Path, line: str, time: datetime | None, host: str | None
) -> None:
    text = f"{line}{SYSTEMD}\n" * 2
    files = {"var/log/syslog": text, "var/log/waagent.log": AGENT}
    [found] = [frame.rows for frame in reading(tmp_path, files).frames if frame.logsource.service == "syslog"]
    columns = ("@timestamp", "host.name", "process.name", "process.pid", "message")
    assert found.select(columns).rows() == [(time, host, "systemd", 1, SYSTEMD)] * 2


def test_stamps_of_two_zones_in_one_file_come_in_their_own_order(tmp_path: Path) -> None:
    text = "2025-03-01T03:10:00+01:00 vm01 app[1]: first\n2025-03-01T02:10:01Z vm01 app[1]: second\n"
    found = rows(tmp_path, {"var/log/syslog": text})
    assert found.select("@timestamp", "time.assumed").rows() == [(at(2, 10), None), (at(2, 10, 1), None)]


def test_lines_of_the_agent_without_times_are_entries_of_their_own(tmp_path: Path) -> None:
    text = "".join(line.split(" ", 1)[1] if line[0].isdigit() else line for line in AGENT.splitlines(keepends=True))
    found = rows(tmp_path, {"pasted.txt": text})
    assert found["message"].to_list() == MESSAGES
    assert found.select("@timestamp", "log.level", "log.logger").rows() == [
        (None, level, "ExtHandler") for level in ("INFO", "ERROR", "INFO")
    ]


def test_a_log_whose_head_holds_no_time_keeps_the_times_behind_it(tmp_path: Path) -> None:
    found = rows(tmp_path, {"var/log/waagent.log": "x" * 70_000 + "\n" + AGENT})
    assert found["message"].to_list()[-3:] == MESSAGES
    assert found["@timestamp"].to_list()[-3:] == [at(2, 10), at(2, 10, 1), at(2, 10, 2)]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        (
            "13/02/2025 14:10:00.5 a\n03/02/2025 14:10:01 b\n",
            [at(14, 10, 0, 500_000, month=2, day=13), at(14, 10, 1, month=2, day=3)],
        ),
        (
            "02/13/2025 14:10:00 a\n02/03/2025 14:10:01 b\n",
            [at(14, 10, month=2, day=13), at(14, 10, 1, month=2, day=3)],
        ),
        ("13.02.2025 14:10:00 a\n", [at(14, 10, month=2, day=13)]),
        ("03/02/2025 14:10:00 a\n", [None]),  # nobody can tell
        ("99/99/2025 14:10:00 a\n", [None]),
        (
            "2025-02-13 14:10:00,25 a\n2025-02-13T14:10:01-03:30 b\n",
            [at(14, 10, 0, 250_000, month=2, day=13), at(17, 40, 1, month=2, day=13)],
        ),
        ("14:10:00 a\n", [None]),
    ],
)
def test_dates_in_the_order_of_a_region_are_read_where_the_file_tells_it(
    tmp_path: Path, text: str, times: list[datetime | None]
) -> None:
    found = rows(tmp_path, {SNAPSHOT_LOG: text})
    assert found["@timestamp"].to_list() == times
    assert [message[-1] for message in found["message"]] == ["a", "b"][: len(times)]


STATUS = (
    '[{"version":"1.0","timestampUTC":"2025-03-01T02:10:32Z","status":{"name":"x","operation":"Enable",'
    '"status":"error","code":"5","formattedMessage":{"lang":"en-US","message":"no"}}}]'
)


@pytest.mark.parametrize("cut", [1, 40, len(STATUS) // 2])
def test_json_that_was_cut_is_rejected_with_its_place_and_lost_nowhere(tmp_path: Path, cut: int) -> None:
    path = "var/lib/waagent/Example.Handler-1.2.3/status/0.status"
    reading(tmp_path, {path: STATUS[:-cut]})
    [row] = scan([str(tmp_path)]).report.coverage
    assert (row.status, row.rejected_bytes, row.events) == ("partial", len(STATUS) - cut, 0)
    assert any("0.status:1:" in note for note in row.notes)


SCRIPT = "#!/bin/sh\necho 'restarting the agent' && systemctl restart walinuxagent\n"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "data",
    [
        SCRIPT.encode(),
        zlib.compress(SCRIPT.encode()),
        gzip.compress(SCRIPT.encode(), mtime=0),
        SCRIPT.encode("utf-16-le"),
    ],
)
def test_text_that_a_message_carries_in_base64_is_a_field(tmp_path: Path, data: bytes) -> None:
    line = f"2025-03-01T02:10:00.000000Z INFO ExtHandler [Example.Script-2.1] running {encoded(data)}\n"
    found = rows(tmp_path, {"var/log/waagent.log": line + AGENT})
    assert found["payload"].to_list() == [SCRIPT, None, None, None]
    assert found["message"][0] == f"running {encoded(data)}"


@pytest.mark.parametrize(
    "message",
    [
        "sha256 " + "0123456789abcdef" * 4,
        "settings " + encoded(bytes(range(256))),  # encrypted: no text
        '"protectedSettings":"' + encoded(SCRIPT.encode()) + '"',
        "token=" + encoded(SCRIPT.encode()),
        "x " + encoded(b'{"snapshotTaskToken": "abc", "and": "more of it, so that it is long enough"}'),
        "x " + encoded(b"short"),
        "/var/lib/waagent/Microsoft/Azure/RecoveryServices/VMSnapshotLinux/main",
    ],
)
def test_keys_secrets_and_paths_are_no_such_text(message: str) -> None:
    assert payload_of(message) is None


def test_what_unpacks_to_gigabytes_is_read_to_a_limit() -> None:
    bomb = encoded(zlib.compress(b"a line of text\n" * 4_000_000))
    assert payload_of(bomb) == ("a line of text\n" * PAYLOAD_LIMIT)[:PAYLOAD_LIMIT]
