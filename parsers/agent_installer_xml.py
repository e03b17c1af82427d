"""``VmAgentInstaller.xml`` and ``WaSetup.xml``: what the installer of the Windows agent did (windows.md 2.6).

The files may lack a root element, so each ``<Event time=...>`` is read by itself.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape

import polars as pl

from loganalyzer.event_time import read_time
from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_listing import DOCUMENT_LIMIT, Rejected, cited, console_head, console_lines, listing
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("windows", "agentinstaller")
_NAME = re.compile(r"(?:^|[/!])[^/!]*(?:vmagentinstaller|wasetup)[^/!]*\.xml$")
_EVENT = re.compile(r"<Event(?=[^<>]{0,400}?\stime\s?=)(\s[^<>]{0,2000})>")
_END = "</Event>"
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')")
_TAG = re.compile(r"<[^<>]{1,200}>")
_AROUND = re.compile(r"\s*(?:<\?.{0,200}\?>|</?[A-Za-z][^<>]{0,200}>)?\s*")

#: ``hresult``: of a decimal ``Number``. ``error_description``: what stands behind it.
_COLUMNS: Mapping[str, pl.DataType] = {
    "@timestamp": TIMESTAMP,
    "time.assumed": pl.String(),
    "log.level": pl.String(),
    "log.logger": pl.String(),
    "hresult": pl.String(),
    "error_message": pl.String(),
    "error_description": pl.String(),
}

_SAMPLE = (
    '<Event time="2024-05-06T07:08:01.250Z" category="INFO" source="GuestAgent">Begin &amp; go</Event>\r\n'
    '<Event time="2024-05-06T07:08:02.250Z" category="ERROR" source="GuestAgent"><UnhandledError>\r\n'
    "<Message>Could not install</Message><Number>-2147467259</Number><Description>Unspecified error</Description>\r\n"
    '</UnhandledError></Event>\r\n<Event time="2024-05-06T07:08:03.250Z" category="INFO" source="Gue'
)


@dataclass(frozen=True, slots=True)
class AgentInstallerXml:
    """One row an event of the installer."""

    name: str = "agent_installer_xml"
    title: str = "installer of the Windows agent: VmAgentInstaller.xml, WaSetup.xml"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("C:\\Windows\\Panther\\VmAgentInstaller.xml", "C:\\Windows\\Panther\\WaSetup.xml")
    named = _NAME.pattern
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "an error without a root around it, and an event cut off",
            "Windows/Panther/VmAgentInstaller.xml",
            _SAMPLE.encode(),
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 250_000, tzinfo=UTC),
                    "log.level": "INFO",
                    "log.logger": "GuestAgent",
                    "message": "Begin & go",
                },
                {
                    "log.level": "ERROR",
                    "hresult": "0x80004005",
                    "error_message": "Could not install",
                    "error_description": "Unspecified error",
                    "log.line": 2,
                },
            ),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By an event with a time as an attribute, and the name."""
        known = _EVENT.search(console_head(head)) is not None
        named = _NAME.search(path.replace("\\", "/").lower()) is not None
        if known:
            return Claim(90 if named else 50, "built like the log of the agent's installer")
        return Claim(20, "named like the log of the agent's installer") if named and b"\0" not in head[:64] else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an event; times are UTC, as their mark says."""
        lines = console_lines(source.data, DOCUMENT_LIMIT)
        text = "\n".join(line.text for line in lines)
        starts = _starts([line.text for line in lines])
        rows: list[dict[str, object]] = []
        used: set[int] = set()
        for found in _EVENT.finditer(text):
            end = found.end() if found[1].endswith("/") else text.find(_END, found.end())
            if end < 0:
                continue
            first, last = (bisect_right(starts, place) - 1 for place in (found.start(), end))
            rows.append(_row(found[1], text[found.end() : end]) | cited(lines[first : last + 1]))
            used.update(range(first, last + 1))
        if not rows and source.data.strip():
            return rejected_whole(source, "no event of the installer in it: no whole <Event time=...>")
        rest = [
            Rejected(line, "belongs to no whole <Event> element")
            for place, line in enumerate(lines)
            if place not in used and not _AROUND.fullmatch(line.text)
        ]
        return listing(source, self.logsource, lines, rows, _COLUMNS, rest)


def _starts(texts: Sequence[str]) -> list[int]:
    found, place = [], 0
    for text in texts:
        found.append(place)
        place += len(text) + 1
    return found


def _row(attributes: str, body: str) -> dict[str, object]:
    given = {found[1].lower(): unescape(found[2] or found[3] or "") for found in _ATTRIBUTE.finditer(attributes)}
    time, assumed = read_time(given.get("time"), None)
    number = re.search(r"<Number>\s*(-?\d{1,11})\s*</Number>", body)
    parts = {
        name: unescape(found[1].strip()) if (found := re.search(rf"<{tag}>([^<]*)</{tag}>", body)) else None
        for name, tag in (("error_message", "Message"), ("error_description", "Description"))
    }
    return {
        **parts,
        "@timestamp": time,
        "time.assumed": assumed,
        "log.level": given.get("category"),
        "log.logger": given.get("source"),
        "hresult": f"0x{int(number[1]) & 0xFFFFFFFF:08X}" if number else None,
        "message": " ".join(unescape(_TAG.sub(" ", body)).split()),
    }


parser: Parser = AgentInstallerXml()
