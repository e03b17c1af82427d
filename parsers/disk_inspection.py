"""``results.txt`` and ``diskinfo.txt`` of a disk inspection: what was copied, how full the disks are (windows.md 1.1).

About half of the operations fail on a healthy VM, because a file is not there; a failure is no evidence by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, cited, console_head, console_lines, listing

_LOGSOURCE = LogSource("azure", "diskinspect")

#: ``kind``: operation (a line of results.txt), file_system (a row of ``df``) or note. Times of day have no date.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "clock": pl.String(),
    "path": pl.String(),
    "outcome": pl.String(),
    "device": pl.String(),
    "size_bytes": pl.Int64(),
    "used_bytes": pl.Int64(),
    "available_bytes": pl.Int64(),
    "used_percent": pl.Int64(),
    "mount": pl.String(),
}
_NAME = re.compile(r"(?:^|[/!])(?:results|diskinfo)\.txt$")
_OPERATION = re.compile(r"^(\d{2}:\d{2}:\d{2})\s\s(\S.*)$")
_COPY = re.compile(r"^(?:Copying|Gathering|Listing)\s+(\S.*?)\s+(SUCCEEDED|FAILED|OK)\b")
_DF_HEAD = re.compile(r"^Filesystem\s+(1K|1024)-blocks\s+Used\s+Available", re.MULTILINE)
_DF = re.compile(r"^(\S+)\s+(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+(\d{1,3})%\s+(\S.*)$")


@dataclass(frozen=True, slots=True)
class DiskInspection:
    """One row a line."""

    name: str = "disk_inspection"
    title: str = "log and disk list of a disk inspection: results.txt, diskinfo.txt"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("results.txt", "diskinfo.txt")
    named = _NAME.pattern
    otherwise = 0
    samples: tuple[Sample, ...] = (
        Sample(
            "operations",
            "results.txt",
            b"06:30:00  Inspecting operating system on device_0\n"
            b"06:30:01  Copying /WindowsAzure/Logs/WaAppAgent.log SUCCEEDED\n",
            (
                {"kind": "operation", "clock": "06:30:00", "outcome": None, "@timestamp": None},
                {"path": "/WindowsAzure/Logs/WaAppAgent.log", "outcome": "SUCCEEDED"},
            ),
        ),
        Sample(
            "free space",
            "VM-InspectIaaSDisk/diskinfo.txt",
            b"Filesystem      1K-blocks      Used Available Use% Mounted on\n"
            b"/dev/sda2       1000 900 100  90% /sysroot\n"
            b"Drive letters: C: -> /dev/sda2\n",
            (
                {
                    "kind": "file_system",
                    "device": "/dev/sda2",
                    "size_bytes": 1024000,
                    "available_bytes": 102400,
                    "used_percent": 90,
                    "mount": "/sysroot",
                },
                {"kind": "note", "message": "Drive letters: C: -> /dev/sda2"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the names and a line of the form."""
        if not _NAME.search(path.replace("\\", "/").lower()):
            return None
        text = console_head(head)
        known = _DF_HEAD.search(text) or any(_OPERATION.match(line) for line in text.splitlines()[:20])
        return Claim(80, "named and built like a file of a disk inspection") if known else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a line; a line of neither form is a note."""
        lines = console_lines(source.data)
        return listing(source, self.logsource, lines, list(_rows(lines)), _COLUMNS)


def _rows(lines: Sequence[Line]) -> Iterator[dict[str, object]]:
    for line in lines:
        if line.blank or _DF_HEAD.match(line.text):
            continue
        row: dict[str, object] = {"kind": "note", "message": line.text.strip()}
        if found := _OPERATION.match(line.text):
            copied = _COPY.match(found[2])
            row = {"kind": "operation", "clock": found[1], "message": found[2]}
            row |= {"path": copied[1], "outcome": copied[2]} if copied else {}
        elif found := _DF.match(line.text):
            sizes = (int(part) * 1024 for part in (found[2], found[3], found[4]))
            row |= dict(zip(("size_bytes", "used_bytes", "available_bytes"), sizes, strict=True))
            row |= {"kind": "file_system", "device": found[1], "used_percent": int(found[5]), "mount": found[6]}
        yield row | cited([line])


parser: Parser = DiskInspection()
