"""Telemetry that waits on the disk: ``events/*.tld`` of the agent, ``events/*.json`` of extensions (linux.md 3.11).

An agent's event is an object whose ``parameters`` are a list of names and values. An extension's file is a list of
objects; the snapshot extension puts all messages of a run into one of them, and always at level Info.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_json import (
    UnreadableError,
    compact,
    int_of,
    items,
    member,
    read_json,
    text_of,
    time_of,
    whole_file_rows,
)

LOGSOURCE = LogSource("azure", "telemetry")

_NAME = r"(?:^|[/!])(?:events/[^/!]*\.(?:tld|json)|[^/!]*\.tld)$"
_CONTENT = (
    r'\A\s*\{(?=[\s\S]{0,512}"providerId"\s*:)[\s\S]*?"parameters"\s*:\s*\['
    r'|\A\s*(?:\[\s*)?\{(?=[\s\S]*?"TaskName"\s*:)(?=[\s\S]*?"EventLevel"\s*:)[\s\S]*?"OperationId"\s*:'
)
_STAMP_IN_NAME = re.compile(r"(?:^|[/!])(\d{16})(?:\.waagent)?\.tld$", re.IGNORECASE)
_VERSIONED = re.compile(r"(.+?)-(\d+(?:\.\d+)+)\Z")

_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "handler": pl.String(),
    "handler_version": pl.String(),
    "agent_version": pl.String(),
    "operation": pl.String(),
    "success": pl.Boolean(),
    "duration": pl.Int64(),
    "operation_id": pl.String(),
    "log.level": pl.String(),
    "time.assumed": pl.String(),
    "process.pid": pl.Int64(),
    "process.thread.name": pl.String(),
}


@dataclass(frozen=True, slots=True)
class TelemetryEvents:
    """One row an event. ``kind``: agent_event or extension_event; ``duration`` in milliseconds."""

    name: str = "telemetry_events"
    title: str = "telemetry of the agent and of extensions that was not sent yet: events/*.tld, events/*.json"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/events/<N>.waagent.tld",
        "/var/lib/waagent/events/<N>.tld",
        "/var/log/azure/<handler>/events/<N>.json",
    )
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "an agent's event",
            "var/lib/waagent/events/1740795003120001.waagent.tld",
            b'{"eventId": 1, "providerId": "69B669B9-4AF8-4C50-BDC4-6006FA76E975", "parameters": ['
            b'{"name": "Name", "value": "WALinuxAgent"}, {"name": "Version", "value": "2.15.0.1"}, '
            b'{"name": "Operation", "value": "HttpErrors"}, {"name": "OperationSuccess", "value": false}, '
            b'{"name": "Message", "value": "3 errors"}, {"name": "Duration", "value": 12}, '
            b'{"name": "GAVersion", "value": "WALinuxAgent-2.15.0.1"}, '
            b'{"name": "OpcodeName", "value": "2025-03-01T02:10:02.000001Z"}, {"name": "EventPid", "value": 77}, '
            b'{"name": "TaskName", "value": "ExtHandler"}]}',
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 2, 1, tzinfo=UTC),
                    "time.assumed": None,
                    "kind": "agent_event",
                    "handler": "WALinuxAgent",
                    "handler_version": "2.15.0.1",
                    "agent_version": "2.15.0.1",
                    "operation": "HttpErrors",
                    "success": False,
                    "duration": 12,
                    "message": "3 errors",
                    "process.pid": 77,
                    "process.thread.name": "ExtHandler",
                },
            ),
        ),
        Sample(
            "an event of an older agent has its time in its name only",
            "var/lib/waagent/events/1740795003120001.tld",
            b'{"eventId":1,"providerId":"69B669B9-4AF8-4C50-BDC4-6006FA76E975","parameters":['
            b'{"name":"Name","value":"Example.Handler"},{"name":"Operation","value":"Install"},'
            b'{"name":"OperationSuccess","value":"True"},{"name":"Message","value":null}]}',
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, 120001, tzinfo=UTC),
                    "time.assumed": "the time in the name of the file",
                    "handler": "Example.Handler",
                    "success": True,
                    "message": "Install",
                },
            ),
        ),
        Sample(
            "events of an extension",
            "var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/events/1740795003120001000.json",
            b'[{"Version": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0", '
            b'"Timestamp": "2025-03-01T02:10:03.120001", "TaskName": "Enable", "EventLevel": "Info", '
            b'"Message": "first\\nsecond", "EventPid": "258", "EventTid": "1400", "OperationId": "7c9e6679"}, 5]',
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, 120001, tzinfo=UTC),
                    "kind": "extension_event",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "operation": "Enable",
                    "operation_id": "7c9e6679",
                    "message": "first\nsecond",
                    "log.level": "INFO",
                    "success": None,
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the folder ``events`` and the keys of an event."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="an event that waits to be sent")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an event; elements that are none are damage."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            elements = items(read_json(source))
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        rows = list(_rows(source.path, elements))
        if not rows:
            return rejected_whole(source, "no event in it: the JSON is neither an event nor a list of events")
        lost = len(elements) - len(rows)
        damage = (f"{lost} of {len(elements)} elements are no events",) if lost else ()
        return whole_file_rows(source, self.logsource, rows, _COLUMNS, damage=damage)


def _rows(path: str, elements: object) -> Iterator[dict[str, object]]:
    for element in items(elements):
        if isinstance(member(element, "parameters"), list):
            yield _agent_event(path, element)
        elif isinstance(element, dict):
            yield _extension_event(element)


def _agent_event(path: str, event: object) -> dict[str, object]:
    """The parameters by their names; the message of an event without one is its operation."""
    parameters = {text_of(member(one, "name")): member(one, "value") for one in items(member(event, "parameters"))}
    time, assumed = time_of(parameters.get("OpcodeName")), None
    if time is None and (stamp := _STAMP_IN_NAME.search(path)):
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(stamp[1]))
        assumed = "the time in the name of the file"
    operation = text_of(parameters.get("Operation"))
    return {
        "@timestamp": time,
        "time.assumed": assumed,
        "kind": "agent_event",
        "handler": text_of(parameters.get("Name")),
        "handler_version": text_of(parameters.get("Version")),
        "agent_version": (text_of(parameters.get("GAVersion")) or "").removeprefix("WALinuxAgent-") or None,
        "operation": operation,
        "success": _truth(parameters.get("OperationSuccess")),
        "duration": int_of(parameters.get("Duration")),
        "message": text_of(parameters.get("Message")) or operation,
        "process.pid": int_of(parameters.get("EventPid")),
        "process.thread.name": text_of(parameters.get("TaskName")),
        "event.original": compact(event),
    }


def _extension_event(event: object) -> dict[str, object]:
    """``Version`` of an extension's event is its name and version in one."""
    version = text_of(member(event, "Version")) or ""
    named = _VERSIONED.match(version)
    return {
        "@timestamp": time_of(member(event, "Timestamp")),
        "kind": "extension_event",
        "handler": named[1] if named else None,
        "handler_version": named[2] if named else version or None,
        "operation": text_of(member(event, "TaskName")),
        "operation_id": text_of(member(event, "OperationId")),
        "message": text_of(member(event, "Message")),
        "log.level": (text_of(member(event, "EventLevel")) or "").upper() or None,
        "process.pid": int_of(member(event, "EventPid")),
        "event.original": compact(event),
    }


def _truth(value: object) -> bool | None:
    return {"true": True, "false": False}.get((text_of(value) or "").lower())


parser: Parser = TelemetryEvents()
