"""Real folders, outside of this repository: nothing in them is unknown, and their lines are read as what they are.

``LOGANALYZER_SHARED`` names a folder with ``bundles`` and ``cases``.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from loganalyzer.known_files import known_file
from loganalyzer.pipeline import Leaf, Reading, ScanOptions, read
from loganalyzer.registry import parsers

SHARED = os.environ.get("LOGANALYZER_SHARED")
FOLDERS = [
    folder
    for kind in ("bundles", "cases")
    if SHARED and (Path(SHARED) / kind).is_dir()
    for folder in sorted((Path(SHARED) / kind).iterdir())
    if folder.is_dir()
]
needs_folders = pytest.mark.skipif(not FOLDERS, reason="LOGANALYZER_SHARED names no folder with bundles and cases")

#: Parsers that take a file by its folder and its stamps alone.
CATCH_ALL = {"handler_log", "windows_platform_log"}
#: Parsers of logs that are lines with heads.
LINE_LOGS = {
    *("waagent_log", "vmsnapshot_extension_log", "vmsnapshot_shell_log", "command_execution_log", "handler_log"),
    *("linux_syslog", "journal_text", "dmesg_text", "cloud_init_log", "workload_backup_log", "collect_logs_results"),
    *("waappagent_log", "transparentinstaller_log", "windows_platform_log", "sql_writer_log"),
}
#: A claim that rests on the content, not on the name alone.
FIRM = 50
#: Lines that go on with an entry (linux.md 2.4, windows.md 2.1).
CONTINUATION = re.compile(
    r"\s*$|\s+\S"  # empty or indented
    r"|Traceback \(most recent|During handling of|The above exception|Inner error|Reasons \(first \d+ errors\)"
    r"|[\w.]*(?:Error|Exception|timeout|Warning)\b"
    r"|\[(?:stdout|stderr)\]|[,;.] ?\w|={5,}|-- |[{}<\[]"
    r"|Executing \[|Chain \w+ \(|Iface\t|\w+\t[0-9A-F]+\t|\d+: \w+|\S+ on \S+ type \w+ \(|Fabric: |FastTrack: "
    r"|Distro Info:|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d$"
    r"|[0-9A-F]+:error:|command terminated with|/bin/\w+: |at [\w.]+\(|--- End of"
)
#: Behind these an entry holds the output of a program, whatever it is.
OUTPUT = re.compile(r"\[stdout\]|\[stderr\]")


def reading_of(folder: Path, into: Path) -> Reading:
    """The folder without its label."""
    copy = into / folder.name
    ignore = shutil.ignore_patterns("label.yaml")
    shutil.copytree(folder, copy, ignore=ignore, copy_function=shutil.copyfile)
    return read([str(copy)], ScanOptions(), None, lambda phase, name, size: None)


def strange_lines(leaf: Leaf) -> list[str]:
    """Physical lines inside of entries that look like no known continuation."""
    found = []
    for frame in leaf.parsed.frames if leaf.parsed else ():
        for entry in frame.rows["event.original"].drop_nulls():
            for line in entry.split("\n")[1:]:
                if OUTPUT.match(line):
                    break
                if not CONTINUATION.match(line):
                    found.append(line)
    return found


def test_the_parsers_of_lines_exist() -> None:
    assert {parser.name for parser in parsers()} >= LINE_LOGS | CATCH_ALL


def test_a_known_continuation_is_told_from_a_head_that_nobody_knew() -> None:
    assert CONTINUATION.match('  File "x.py", line 3')
    assert CONTINUATION.match("OSError: [Errno 28]")
    assert not CONTINUATION.match("2025-03-01T02:10:00 INFO a head of a form that is not read")
    assert not CONTINUATION.match("Mar  1 02:10:00 vm01 app: a line")


@needs_folders
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_of_a_folder_is_known_and_its_lines_are_read(folder: Path, tmp_path: Path) -> None:
    reading = reading_of(folder, tmp_path)
    assert reading.leaves
    for leaf in reading.leaves:
        if "/control-plane/" in f"/{leaf.path}":  # documents of the platform, in whatever form somebody saved them
            continue
        if leaf.recognised is None:
            assert known_file(leaf.path) is not None, f"nobody knows {leaf.path}"
            continue
        parsed, claim = leaf.parsed, leaf.recognised.claim
        assert parsed is not None
        assert leaf.recognised.parser.name not in CATCH_ALL, f"only a catch-all reads {leaf.path}"
        assert claim.strength >= FIRM or not parsed.frames or _died_before(leaf), f"{leaf.path}: {claim.why}"
        if leaf.recognised.parser.name in LINE_LOGS:
            rejected = parsed.rejected["error.message"].to_list()
            assert len(rejected) * 100 <= parsed.lines, f"{leaf.path}: {rejected[:5]}"
            strange = strange_lines(leaf)
            assert len(strange) * 100 <= parsed.lines, f"{leaf.path}: {strange[:5]}"


def _died_before(leaf: Leaf) -> bool:
    """A program's complaint before it could open its log, under the log's name."""
    return leaf.parsed is not None and "Error" in str(leaf.parsed.frames[0].rows["message"][-1])
