"""Windows events as XML: ``wevtutil qe /f:xml``, Event Viewer's XML view and export, dumps of event logs.

Elements stand one after the other, with or without a root around them, so each ``<Event>`` is read by itself and a
broken one costs no other.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import (
    LINE_LIMIT,
    Claim,
    LogSource,
    ParseContext,
    Parsed,
    Parser,
    Sample,
    Source,
    rejected_whole,
)
from loganalyzer.parser_events import Printed, printed_frames, xml_event
from loganalyzer.parser_listing import Line, Rejected, console_head, console_lines, rejected_lines

_LOGSOURCE = LogSource("windows")
_EVENT = re.compile(r"<Event(?:\s[^<>]*)?>\s*<System[\s>]")
_END = "</Event>"
_PROLOG = re.compile(r"\s*(?:<\?.*?\?>|</?Events?(?:\s[^<>]*)?>|Record \d+|-->|<!--.*)?\s*")

_EVENTS = (
    '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n<Events>'
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
    "<Provider Name='Service Control Manager' Guid='{555908d1-a6d7-4695-8e1e-26931d2012f4}' "
    "EventSourceName='Service Control Manager'/><EventID Qualifiers='16384'>7036</EventID><Version>0</Version>"
    "<Level>4</Level><Task>0</Task><Opcode>0</Opcode><Keywords>0x8080000000000000</Keywords>"
    "<TimeCreated SystemTime='2024-05-06T07:08:01.250000000Z'/><EventRecordID>4711</EventRecordID><Correlation/>"
    "<Execution ProcessID='640' ThreadID='3000'/><Channel>System</Channel><Computer>vm07</Computer><Security/></System>"
    "<EventData><Data Name='param1'>RdAgent</Data><Data Name='param2'>running</Data>"
    "<Binary>520064004100670065006E0074002F0034000000</Binary></EventData></Event>\r\n"
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='VSS'/>"
    "<EventID Qualifiers='0'>8193</EventID><Level>2</Level><TimeCreated SystemTime='2024-05-06T07:09:00Z'/>"
    "<EventRecordID>99</EventRecordID><Channel>Application</Channel><Computer>vm07</Computer></System><EventData>"
    "<Data>CoCreateInstance</Data><Data>0x80040154, Class not registered</Data><Data>\r\nOperation:\r\n</Data>"
    "</EventData></Event></Events>\r\n"
)


@dataclass(frozen=True, slots=True)
class WindowsEventsXml:
    """Events of XML text, as frames of their channels."""

    name: str = "windows_events_xml"
    title: str = "Windows events as XML: wevtutil /f:xml, Event Viewer"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("wevtutil qe System /f:xml > system.xml",)
    strongest = 85
    samples: tuple[Sample, ...] = (
        Sample(
            "an export with two channels",
            "system.xml",
            _EVENTS.encode(),
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 250_000, tzinfo=UTC),
                    "EventID": "7036",
                    "Qualifiers": "16384",
                    "EventRecordID": 4711,
                    "param1": "RdAgent",
                    "Binary": "520064004100670065006E0074002F0034000000",
                    "process.pid": 640,
                    "log.line": 2,
                },
                {"EventID": "8193", "routine": "CoCreateInstance", "hr": "0x80040154, Class not registered"},
            ),
        ),
        Sample(
            "the first event cut off, UTF-16",
            "evt.txt",
            (_EVENTS[60:600] + _EVENTS[_EVENTS.index("\r\n<Event xmlns") :]).encode("utf-16"),
            ({"EventID": "8193", "Channel": "Application"},),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By an ``<Event>`` that begins with ``<System>``; text around it leaves it to others."""
        text = console_head(head)
        found = _EVENT.search(text)
        if found is None:
            return None
        alone = all(_PROLOG.fullmatch(line) for line in text[: found.start()].splitlines())
        return Claim(85 if alone else 45, "holds Windows events as XML")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an event; times are UTC in the text, so the context is not asked."""
        lines = console_lines(source.data, longest=None)  # Event Viewer writes all events of a log on one line
        text = "\n".join(line.text for line in lines)
        starts = _starts(lines)
        printed: list[Printed] = []
        used: set[int] = set()
        opened = [found.start() for found in _EVENT.finditer(text)]
        cut = 0
        for start, following in zip(opened, [*opened[1:], len(text)], strict=False):
            end = text.find(_END, start, following) + len(_END)
            event = xml_event(text[start:end]) if start < end <= start + LINE_LIMIT else None
            if event is None:
                cut += 1
                continue
            first, last = (bisect_right(starts, place) - 1 for place in (start, end - 1))
            used.update(range(first, last + 1))
            length = lines[last].offset + lines[last].length - lines[first].offset
            printed.append(Printed(event, lines[first].number, lines[first].offset, length))
        if not printed and source.data.strip():
            return rejected_whole(source, "no Windows event in it: no whole <Event> element with <System>")
        rest = [
            Rejected(line, "belongs to no whole <Event> element")
            for place, line in enumerate(lines)
            if place not in used and not _PROLOG.fullmatch(line.text)
        ]
        rejected = rejected_lines(rest)
        lost = int(rejected["log.length"].sum())
        damage = (f"{cut} of {len(opened)} <Event> elements have no end or cannot be read",) if cut else ()
        frames = printed_frames(printed, source)
        return Parsed(frames, source.size - lost, len(lines), rejected, rejected_bytes=lost, damage=damage)


def _starts(lines: list[Line]) -> list[int]:
    """Where each line begins in the joined text."""
    found, place = [], 0
    for line in lines:
        found.append(place)
        place += len(line.text) + 1
    return found


parser: Parser = WindowsEventsXml()
