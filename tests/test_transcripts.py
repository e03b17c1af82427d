"""Pastes that hold the output of several commands: cut into blocks, each read by the parser that knows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from loganalyzer.cli import cli
from loganalyzer.event_match.reading import read_events
from loganalyzer.intake import Limits
from loganalyzer.parser import ParseContext
from loganalyzer.pipeline import scan
from loganalyzer.source import Source
from loganalyzer.transcript import LARGEST, MOST_HEADINGS, UNKNOWN_BLOCK, Read, read_source

AGENT = (
    "2025-03-01T02:10:00.000000Z INFO ExtHandler ExtHandler first of the agent\n"
    "2025-03-01T02:10:01.000000Z ERROR ExtHandler ExtHandler second of the agent\n"
)
EXTENSION = "2025/03/01 02:11:00 [Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0] word of the extension\n"
UNIT = (
    "● walinuxagent.service - Azure Linux Agent\n"
    "     Loaded: loaded (/lib/systemd/system/walinuxagent.service; enabled; vendor preset: enabled)\n"
    "     Active: failed (Result: exit-code) since Sat 2025-03-01 02:12:00 UTC; 3min ago\n"
)
SCREEN = (
    "Hello, this is what we see:\n"
    "root@web01:~# tail -n 2 /var/log/waagent.log\n"
    + AGENT
    + "root@web01:~# systemctl status walinuxagent\n"
    + UNIT
    + "\n"
    "root@web01:~# cat /var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log\n"
    + EXTENSION
    + "root@web01:~#\n"
)


def read_text(text: str | bytes, path: str = "paste.txt") -> Read:
    data = text if isinstance(text, bytes) else text.encode()
    return read_source(Source(path, data), ParseContext())


def parsers(found: Read) -> list[str]:
    return [block.recognised.parser.name for block in found.blocks if block.recognised is not None]


def messages(found: Read) -> dict[str, list[str]]:
    assert found.parsed is not None
    return {str(frame.logsource): frame.rows["message"].to_list() for frame in found.parsed.frames}


def test_each_command_of_a_screen_is_read_by_the_parser_of_its_output() -> None:
    found = read_text(SCREEN)
    assert parsers(found) == ["waagent_log", "systemctl_text", "vmsnapshot_extension_log"]
    told = messages(found)
    assert told["linux/waagent"] == ["first of the agent", "second of the agent"]
    assert told["linux/vmsnapshot"] == ["word of the extension"]


def test_rows_of_a_block_name_their_lines_and_bytes_of_the_whole_file() -> None:
    found = read_text(SCREEN)
    assert found.parsed is not None
    lines, data = SCREEN.splitlines(), SCREEN.encode()
    seen = 0
    for frame in found.parsed.frames:
        for row in frame.rows.select("log.line", "log.offset", "log.length", "event.original").iter_rows(named=True):
            first = row["event.original"].splitlines()[0]
            assert lines[row["log.line"] - 1] == first
            assert data[row["log.offset"] :].startswith(first.encode())
            seen += 1
    assert seen >= 4
    numbers = [number for frame in found.parsed.frames for number in frame.rows["event.sequence"].to_list()]
    assert len(set(numbers)) == len(numbers)


def test_what_nobody_knows_of_a_transcript_is_rejected_with_the_reason_and_headings_are_skipped() -> None:
    found = read_text(SCREEN)
    assert found.parsed is not None
    assert found.parsed.rejected["error.message"].to_list() == [UNKNOWN_BLOCK]
    assert found.parsed.rejected["event.original"].to_list() == ["Hello, this is what we see:\n"]
    headings = [line for line in SCREEN.splitlines(keepends=True) if line.startswith("root@")]
    assert found.parsed.skipped_bytes == sum(len(line) for line in headings)


@pytest.mark.parametrize(
    "headings",
    [
        ("==> /var/log/waagent.log <==", "==> /var/log/azure/VMSnapshotLinux/extension.log <=="),
        ("**/var/log/waagent.log**:", "extension.log:"),
        ("$ cat waagent.log", "$ sudo cat extension.log"),
        ("[admin@web01 ~]$ grep -i agent /var/log/waagent.log", "[admin@web01 ~]$ less extension.log"),
    ],
)
def test_headings_of_many_kinds_open_a_block(headings: tuple[str, str]) -> None:
    found = read_text(f"{headings[0]}\n{AGENT}\n{headings[1]}\n{EXTENSION}")
    assert parsers(found) == ["waagent_log", "vmsnapshot_extension_log"]


def test_a_log_that_begins_behind_a_long_letter_is_found() -> None:
    found = read_text("Dear support, this is what we see.\n" * 2000 + "$ cat waagent.log\n" + AGENT)
    assert parsers(found) == ["waagent_log"]
    assert messages(found) == {"linux/waagent": ["first of the agent", "second of the agent"]}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("var/log/waagent.log", AGENT + "root@web01:~# cat extension.log\n" + EXTENSION),
        ("paste.txt", "root@web01:~# cat waagent.log\n" + AGENT + "root@web01:~# cat waagent.log.1\n" + AGENT),
        ("paste.txt", AGENT + f"$ cat extension.log\n{EXTENSION}" * (MOST_HEADINGS + 1)),
        ("paste.txt", AGENT + "x" * LARGEST + "\n$ cat extension.log\n" + EXTENSION),
    ],
    ids=["named like its format", "one format", "too many headings", "too large"],
)
def test_a_log_is_no_transcript(path: str, text: str) -> None:
    found = read_text(text, path)
    assert found.blocks == ()
    assert found.recognised is not None


def test_the_report_names_all_parsers_of_a_transcript_and_which_lines_they_read(tmp_path: Path) -> None:
    (tmp_path / "screen.txt").write_text(SCREEN, encoding="utf-8")
    [row] = scan([str(tmp_path)]).report.coverage
    assert row.parser == "waagent_log, systemctl_text, vmsnapshot_extension_log"
    assert row.why == "a transcript of several formats"
    assert any(note.startswith("lines 3 to 4: waagent_log") for note in row.notes)
    assert row.parsed_bytes + row.rejected_bytes + row.skipped_bytes == row.bytes
    assert row.status == "read"


def test_rules_of_any_kind_read_a_transcript_too(tmp_path: Path) -> None:
    path = tmp_path / "screen.txt"
    path.write_text(SCREEN, encoding="utf-8")
    found = read_events([str(path)], Limits(), None, None, None, lambda phase, name, size: None)
    sources = {str(frame.logsource) for frames in found.bundles for frame in frames}
    assert {"linux/waagent", "linux/vmsnapshot"} <= sources


def test_formats_tells_which_lines_are_read_as_what(tmp_path: Path) -> None:
    (tmp_path / "screen.txt").write_text(SCREEN, encoding="utf-8")
    found = CliRunner().invoke(cli, ["formats", str(tmp_path)])
    assert found.exit_code == 0
    lines = [line.split() for line in found.stdout.splitlines()]
    assert [line[:3] for line in lines[1:]] == [
        ["lines", "3-4", "waagent_log"],
        ["lines", "6-9", "systemctl_text"],
        ["lines", "11-11", "vmsnapshot_extension_log"],
    ]


@given(st.lists(st.one_of(st.sampled_from(SCREEN.splitlines(keepends=True)), st.text(max_size=30)), max_size=20))
def test_every_byte_of_any_transcript_is_accounted_for(pieces: list[str]) -> None:
    data = "".join(pieces).encode("utf-8", errors="replace")
    parsed = read_source(Source("paste.txt", data), ParseContext()).parsed
    if parsed is not None:
        assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(data)
        assert int(parsed.rejected["log.length"].sum()) == parsed.rejected_bytes
