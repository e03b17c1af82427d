"""Windows events as JSON: ``Get-WinEvent | ConvertTo-Json``, dumps with ``System`` and ``EventData``, summaries.

An object is an event when it has an event id and says who wrote it or where: any spelling of those names will do.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import orjson

from loganalyzer.evtx.events import Json
from loganalyzer.evtx.spellings import windows_form
from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_events import Printed, json_event, printed_frames, windows_json_event
from loganalyzer.parser_json import JSON_LIMIT, UnreadableError, read_json
from loganalyzer.parser_listing import (
    DOCUMENT_LIMIT,
    Line,
    Rejected,
    console_head,
    console_lines,
    rejected_lines,
    unread,
)

_LOGSOURCE = LogSource("windows")
_BEGIN = re.compile(r"\A\s*[\[{]")
_EVENT_ID = re.compile(r'"(?:Event_?ID|Id|Event Id|EventCode)"\s*:\s*(?:"?\d|\{)', re.IGNORECASE)
_ORIGIN = re.compile(
    r'"(?:Provider_?Name|Provider|Source_?Name|Source|EventSource|Log_?Name|Channel|EventLog)"\s*:\s*["{]',
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:^|[/!])[^/!]*(?:event|evt|findings|winevent|system|application)[^/!]*\.(?:json|jsonl|ndjson|txt)$"
)
_DEEPEST = 6

_POWERSHELL = [
    {
        "Message": "The RdAgent service entered the stopped state.",
        "Id": 7036,
        "Level": 4,
        "ProviderName": "Service Control Manager",
        "LogName": "System",
        "RecordId": 4711,
        "MachineName": "vm07",
        "TimeCreated": "/Date(1714979281250)/",
        "LevelDisplayName": "Information",
        "Properties": [{"Value": "RdAgent"}, {"Value": "stopped"}],
    },
]
_FINDINGS = {
    "vm": "vm07",
    "findings": [
        {
            "log": "Application",
            "source": "VSS",
            "event_id": 8193,
            "level": "Error",
            "time": "2024-05-06T07:08:01Z",
            "message": "Volume Shadow Copy Service error: Unexpected error calling routine CoCreateInstance. "
            "hr = 0x80040154, Class not registered",
        }
    ],
}
_DUMP = {
    "Event": {
        "System": {
            "Provider": {"#attributes": {"Name": "Service Control Manager"}},
            "EventID": {"#attributes": {"Qualifiers": 16384}, "#text": 7036},
            "TimeCreated": {"#attributes": {"SystemTime": "2024-05-06T07:08:01.250000Z"}},
            "Channel": "System",
        },
        "EventData": {"param1": "RdAgent", "param2": "running"},
    }
}


@dataclass(frozen=True, slots=True)
class WindowsEventsJson:
    """Events of a JSON document or of JSON lines, as frames of their channels."""

    name: str = "windows_events_json"
    title: str = "Windows events as JSON: Get-WinEvent | ConvertTo-Json, dumps, summaries"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("Get-WinEvent ... | ConvertTo-Json > events.json",)
    strongest = 48
    samples: tuple[Sample, ...] = (
        Sample(
            "a list of PowerShell",
            "events.json",
            orjson.dumps(_POWERSHELL, option=orjson.OPT_INDENT_2),
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 250_000, tzinfo=UTC),
                    "EventID": "7036",
                    "EventRecordID": 4711,
                    "Channel": "System",
                    "param1": "RdAgent",
                    "param2": "stopped",
                },
            ),
        ),
        Sample(
            "a summary of findings",
            "findings.txt",
            orjson.dumps(_FINDINGS),
            ({"EventID": "8193", "Provider_Name": "VSS", "Channel": "Application", "routine": "CoCreateInstance"},),
        ),
        Sample(
            "a dump, a line an event, one of them torn",
            "system.evtx.jsonl",
            orjson.dumps(_DUMP) + b"\n" + orjson.dumps(_DUMP)[:40] + b"\n" + orjson.dumps(_DUMP) + b"\n",
            ({"EventID": "7036", "param2": "running", "log.line": 1}, {"EventID": "7036", "log.line": 3}),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the names of an event's id and origin; weakly, for many documents have keys like these."""
        text = console_head(head)
        if not _BEGIN.match(text) or not _EVENT_ID.search(text) or not _ORIGIN.search(text):
            return None
        named = _NAMED.search(path.replace("\\", "/").lower())
        return Claim(48 if named else 40, "JSON with ids and sources of Windows events")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an event; what is no event is left out of the rows, and a torn line is rejected."""
        zone = ZoneInfo(context.time_zone) if context.time_zone else None
        lines = console_lines(source.data, None if source.size <= JSON_LIMIT else DOCUMENT_LIMIT)
        try:
            printed = list(_of_document(read_json(source), source, lines, zone))
            rest: list[Rejected] = []
        except UnreadableError as error:
            printed, rest = _of_lines(lines, zone)
            rest += unread(source, lines)
            if not printed and source.data.strip():
                return rejected_whole(source, str(error))
        if not printed and source.data.strip():
            return rejected_whole(source, "no Windows event in it: no object has an event id with a source or channel")
        rejected = rejected_lines(rest)
        lost = int(rejected["log.length"].sum())
        return Parsed(printed_frames(printed, source), source.size - lost, len(lines), rejected, rejected_bytes=lost)


def _of_document(value: object, source: Source, lines: list[Line], zone: ZoneInfo | None) -> Iterator[Printed]:
    """Events of a whole document; each cites the line on which its id stands, as far as that can be told."""
    numbers = [line.number for line in lines if _EVENT_ID.search(line.text)]
    offsets = [line.number for line in lines]
    for place, one in enumerate(_objects(value, 0)):
        number = numbers[place] if place < len(numbers) else lines[-1].number
        line = lines[bisect_right(offsets, number) - 1]
        row = _printed(one, line, zone)
        if row is not None:
            yield row


def _objects(value: object, depth: int) -> Iterator[Mapping[str, Json]]:
    """Objects that may be events, wherever they stand; what is in an event is no event of its own."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for inner in value:
            yield from _objects(inner, depth + 1)
    elif isinstance(value, dict):
        if windows_form(value) is not None or json_event(value, "", None) is not None:
            yield value
        else:
            for inner in value.values():
                yield from _objects(inner, depth + 1)


def _of_lines(lines: list[Line], zone: ZoneInfo | None) -> tuple[list[Printed], list[Rejected]]:
    printed: list[Printed] = []
    rest: list[Rejected] = []
    for line in lines:
        if line.blank:
            continue
        try:
            value = orjson.loads(line.text)
        except orjson.JSONDecodeError as error:
            rest.append(Rejected(line, f"not JSON: {error.msg}"))
            continue
        rows = [row for one in _objects(value, 0) if (row := _printed(one, line, zone))]
        printed += rows
        if not rows:
            rest.append(Rejected(line, "no Windows event: no event id with a source or channel"))
    return printed, rest


def _printed(value: Mapping[str, Json], line: Line, zone: ZoneInfo | None) -> Printed | None:
    try:
        original = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return None
    form = windows_form(value)
    if form is not None:
        event = windows_json_event(form, original, zone)
        return None if event is None else Printed(event, line.number, line.offset, line.length)
    found = json_event(value, original, zone)
    return None if found is None else Printed(found[0], line.number, line.offset, line.length, found[1])


parser: Parser = WindowsEventsJson()
