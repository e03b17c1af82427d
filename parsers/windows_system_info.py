"""``systeminfo`` and ``ver``: which Windows this is, when it started, which updates it has, in any language.

The labels are in the system's language; the lines keep their order, and version and build are told by their form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_listing import Line, cited, console_head, console_lines, key_value, listing

_LOGSOURCE = LogSource("windows", "os", "config")
_VERSION = re.compile(r"^([^:\n]{2,40}):\s+(\d{1,2}\.\d\.\d{4,5})\b[^\n]*?\b(\d{4,5})\s*$", re.MULTILINE)
_VER = re.compile(r"^Microsoft Windows \[[^\]\d]{1,20}(\d+\.\d+\.\d{4,5}(?:\.\d+)?)\]\s*$", re.MULTILINE)
_UPDATE = re.compile(r"\[\d+\]:\s*(KB\d{6,8})\b")
#: The first lines of systeminfo, in their order, whatever the language.
_FIRST_KEYS = ("host_name", "os_name", "os_version")

_TEXT = (
    "\r\nHostname:                                      VM07\r\n"
    "Betriebssystemname:                            Microsoft Windows Server 2019 Datacenter\r\n"
    "Betriebssystemversion:                         10.0.17763 Nicht zutreffend Build 17763\r\n"
    "Systemstartzeit:                               06.05.2024, 07:08:01\r\n"
    "Hotfix(es):                                    2 Hotfix(e) installiert.\r\n"
    "                                               [01]: KB5034127\r\n"
    "                                               [02]: KB4589208\r\n"
)


@dataclass(frozen=True, slots=True)
class WindowsSystemInfo:
    """One row a setting; ``key`` is ``os_version``, ``os_build``, ``hotfix`` ... or the label as printed."""

    name: str = "windows_system_info"
    title: str = "systeminfo and ver: version, build and updates of Windows"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("systeminfo > systeminfo.txt", "ver > ver.txt")
    strongest = 60
    samples: tuple[Sample, ...] = (
        Sample(
            "a German system",
            "systeminfo.txt",
            _TEXT.encode("cp850"),
            (
                {"key": "host_name", "value": "VM07", "log.line": 2},
                {"key": "os_name", "value": "Microsoft Windows Server 2019 Datacenter"},
                {"key": "os_version", "value": "10.0.17763"},
                {"key": "os_build", "value": "17763"},
                {"key": "Systemstartzeit", "value": "06.05.2024, 07:08:01"},
                {"key": "Hotfix(es)"},
                {"key": "hotfix", "value": "KB5034127"},
                {"key": "hotfix", "value": "KB4589208", "effective": True},
            ),
        ),
        Sample(
            "ver",
            "ver.txt",
            b"\r\nMicrosoft Windows [Version 10.0.20348.2402]\r\n",
            ({"key": "os_version", "value": "10.0.20348.2402"}, {"key": "os_build", "value": "20348"}),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the line of the version; a console's banner before other output is none of it."""
        text = console_head(head).replace("\r\n", "\n")
        if _VERSION.search(text) and len(re.findall(r"^\S[^:\n]{2,40}:\s{2,}\S", text, re.MULTILINE)) >= 3:
            return Claim(60, "built like output of systeminfo")
        return Claim(55, "output of ver") if _VER.fullmatch(text.strip()) else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a line with a value; update numbers are rows of their own."""
        lines = console_lines(source.data)
        rows = [row | cited([line]) for line, row in _rows(lines)]
        if not rows and source.data.strip():
            return rejected_whole(source, "neither output of systeminfo nor of ver")
        last = {row["key"]: place for place, row in enumerate(rows)}
        full = [row | {"effective": row["key"] == "hotfix" or last[row["key"]] == n} for n, row in enumerate(rows)]
        own: Mapping[str, pl.DataType] = CONFIG_COLUMNS
        return listing(source, self.logsource, lines, full, own)


def _rows(lines: Sequence[Line]) -> Iterator[tuple[Line, dict[str, object]]]:
    named: list[Line] = [line for line in lines if line.indent == 0 and key_value(line.text)]
    version = next((place for place, line in enumerate(named) if _VERSION.match(line.text)), None)
    first = named[version - 2 : version + 1] if version is not None and version >= 2 else []
    known = {line.number: key for line, key in zip(first, _FIRST_KEYS, strict=False)}
    for line in lines:
        pair = key_value(line.text)
        if found := _VER.match(line.text):
            yield line, _row("os_version", found[1])
            yield line, _row("os_build", found[1].split(".")[2])
        elif found := _VERSION.match(line.text):
            yield line, _row("os_version", found[2])
            yield line, _row("os_build", found[3])
        elif found := _UPDATE.search(line.text):
            yield line, _row("hotfix", found[1])
        elif pair is not None and line.indent == 0 and pair[1]:
            yield line, _row(known.get(line.number, pair[0]), pair[1])


def _row(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": value, "message": f"{key}={value}"}


parser: Parser = WindowsSystemInfo()
