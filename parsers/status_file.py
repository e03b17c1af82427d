"""``status/<N>.status``: what an extension says about one run (linux.md 3.7, windows.md 2.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path, read_report, same_name
from loganalyzer.parser_json import (
    UnreadableError,
    compact,
    items,
    member,
    read_json,
    text_of,
    time_of,
    whole_file_rows,
)

_NAME = r"(?:^|[/!])[^/!]*\d\.status$"
_CONTENT = (
    r"""\A\s*\[\s*\{(?![\s\S]*"aggregateStatus")(?=[\s\S]*"timestampUTC")(?=[\s\S]*"(?:operation|formattedMessage)")"""
)
_FILE_NAME = re.compile(r"(?:^|[/!])(?:([^/!]*)\.)?(\d{1,18})\.status$", re.IGNORECASE)
_HANDLER_NAME = re.compile(r"[A-Za-z]\w*(?:\.\w+){2,}")

_HOST_REPORT = [
    {
        "version": "1.0",
        "timestampUTC": "\\/Date(1740795032475)\\/",
        "status": {
            "name": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
            "operation": "Enable",
            "status": "error",
            "code": "121",
            "formattedMessage": {
                "lang": "en-US",
                "message": '{"messageStr": "snapshotCreator=backupHostService, ", "snapshotConsistency": 0}',
            },
            "telemetryData": [
                {"Key": "snapshotCreator", "Value": "backupHostService"},
                {"Key": "extErrorCode", "Value": "FailedRetryableFsFreezeFailed"},
            ],
        },
    }
]
_LINUX_STATUS = [
    {
        "version": "1.0",
        "timestampUTC": "2025-03-01T02:10:32Z",
        "status": {
            "name": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
            "operation": "Enable",
            "status": "success",
            "code": "121",
            "taskId": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "commandStartTimeUTCTicks": "638763918000000000",
            "formattedMessage": {"lang": "en-US", "message": '{"messageStr": "snapshotCreator=backupHostService, "}'},
            "substatus": [
                {
                    "code": "0",
                    "name": orjson.dumps(_HOST_REPORT).decode().replace("\\\\/", "\\/"),
                    "status": "success",
                    "formattedMessage": None,
                }
            ],
        },
    }
]


@dataclass(frozen=True, slots=True)
class StatusFile:
    """Reports of extensions, one row an element of the file."""

    name: str = "status_file"
    title: str = "status file of an extension: status/<N>.status"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/<name>-<version>/status/<N>.status",
        "C:\\Packages\\Plugins\\<name>\\<version>\\Status\\<N>.status",
    )
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a failed freeze that the outer report calls success",
            "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0/status/7.status",
            orjson.dumps(_LINUX_STATUS),
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 32, tzinfo=UTC),
                    "kind": "status_file",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "sequence_number": 7,
                    "operation": "Enable",
                    "status": "success",
                    "code": 121,
                    "command_start": datetime(2025, 3, 1, 2, 10, tzinfo=UTC),
                    "inner_status": "error",
                    "inner_code": 121,
                    "outcome": "failure",
                    "extension_error_code": "FailedRetryableFsFreezeFailed",
                    "snapshot_creator": "backupHostService",
                    "message": "snapshotCreator=backupHostService, ",
                },
            ),
        ),
        Sample(
            "a Windows extension that is still at work",
            "Packages/Plugins/Microsoft.Azure.RecoveryServices.VMSnapshot/1.0.92.0/Status/41.status",
            b'\xef\xbb\xbf[{"version":1.0,"timestampUTC":"/Date(1740795032000)/","status":{"operation":"Enable",'
            b'"status":"Transitioning","code":4,"formattedMessage":{"lang":"en-US","message":"Taking snapshot"}}}]\r\n',
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 32, tzinfo=UTC),
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshot",
                    "handler_version": "1.0.92.0",
                    "sequence_number": 41,
                    "status": "transitioning",
                    "outcome": "in_progress",
                    "message": "Taking snapshot",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By ``<N>.status`` and a JSON list of reports."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="an extension's status file")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a report; a file without any report is rejected with the reason."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), STATUS_COLUMNS)
        try:
            elements = items(read_json(source))
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        rows = [_row(source.path, element) for element in elements if isinstance(member(element, "status"), dict)]
        if not rows:
            return rejected_whole(source, "no status report in it: the JSON is no list of objects with a `status`")
        lost = len(elements) - len(rows)
        damage = (f"{lost} of {len(elements)} elements are no status reports",) if lost else ()
        return whole_file_rows(source, self.logsource, rows, STATUS_COLUMNS, damage=damage)


def _row(path: str, element: object) -> dict[str, object]:
    report = read_report(member(element, "status"))
    handler, version = handler_of_path(path)
    if handler is None and report.name and _HANDLER_NAME.fullmatch(report.name):
        handler = report.name  # a bare file without its directories: the report's own word is all there is
    if version is None:
        version = report.telemetry.get("extensionversion")
    file_name = _FILE_NAME.search(path)
    return report.columns() | {
        "@timestamp": time_of(member(element, "timestampUTC")) or report.inner_time,
        "kind": "status_file",
        "handler": same_name(handler, report.name),
        "handler_version": version,
        "extension_name": text_of(file_name[1]) if file_name else None,
        "sequence_number": int(file_name[2]) if file_name else None,
        "status": report.status,
        "code": report.code,
        "outcome": report.outcome(handler),
        "message": report.message,
        "event.original": compact(element),
    }


parser: Parser = StatusFile()
