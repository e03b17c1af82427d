"""``HandlerEnvironment.json`` and ``HeartBeat.Json``: where a handler keeps its files, and whether it says it lives.

Sources: linux.md 3.5, windows.md 1.3, 2.5. Neither has a time of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path, message_of, same_name
from loganalyzer.parser_json import (
    UnreadableError,
    compact,
    int_of,
    items,
    member,
    read_json,
    text_of,
    whole_file_rows,
    word_of,
)

_FOLDERS = ("logFolder", "configFolder", "statusFolder", "heartbeatFile", "deploymentid", "rolename", "instance")
_COLUMNS = {**STATUS_COLUMNS, **dict.fromkeys(_FOLDERS, pl.String())}
_HANDLER = "Microsoft.Azure.RecoveryServices.VMSnapshot"


@dataclass(frozen=True, slots=True)
class HandlerEnvironment:
    """One row an element: ``handler_environment`` or ``heartbeat``."""

    name: str = "handler_environment"
    title: str = "folders and heartbeat of a handler: HandlerEnvironment.json, HeartBeat.Json"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "C:\\Packages\\Plugins\\<name>\\<version>\\HandlerEnvironment.json",
        "C:\\Packages\\Plugins\\<name>\\<version>\\Status\\HeartBeat.Json",
        "/var/lib/waagent/<name>-<version>/HandlerEnvironment.json",
    )
    samples: tuple[Sample, ...] = (
        Sample(
            "the folders of a handler",
            f"Packages/Plugins/{_HANDLER}/1.0.92.0/HandlerEnvironment.json",
            b'[{"version": 1.0, "handlerEnvironment": {"logFolder": "C:\\\\WindowsAzure\\\\Logs", '
            b'"heartbeatFile": "C:\\\\HeartBeat.Json"}}]',
            (
                {
                    "kind": "handler_environment",
                    "handler": _HANDLER,
                    "handler_version": "1.0.92.0",
                    "logFolder": "C:\\WindowsAzure\\Logs",
                },
            ),
        ),
        Sample(
            "a heartbeat",
            f"Packages/Plugins/{_HANDLER}/1.0.92.0/Status/HeartBeat.Json",
            b'\xef\xbb\xbf[{"version":"1.0","heartbeat":{"status":"NotReady","code":"-3","Message":"no answer"}}]',
            (
                {
                    "kind": "heartbeat",
                    "handler": _HANDLER,
                    "status": "notready",
                    "code": -3,
                    "message": "no answer",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the names and the keys ``handlerEnvironment`` and ``heartbeat``."""
        return claim_by(
            path,
            head,
            name=r"(?:^|[/!])(?:HandlerEnvironment|HeartBeat)\.json$",
            content=r'\A\s*[\[{][\s\S]{0,4096}?"(?:handlerEnvironment|heartbeat)"\s*:\s*\{',
            text="a HandlerEnvironment.json or HeartBeat.Json",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an element with either key."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            elements = items(read_json(source))
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        rows = [row for element in elements if (row := _row(source.path, element)) is not None]
        if not rows:
            return rejected_whole(source, "neither a handlerEnvironment nor a heartbeat in it")
        return whole_file_rows(source, self.logsource, rows, _COLUMNS)


def _row(path: str, element: object) -> dict[str, object] | None:
    folders, beat = member(element, "handlerEnvironment"), member(element, "heartbeat")
    handler, version = handler_of_path(path)
    row: dict[str, object] = {
        "handler": same_name(handler, member(element, "name")),
        "handler_version": version,
        "event.original": compact(element),
    }
    if isinstance(beat, dict):
        told = text_of(member(beat, "message")) or message_of(beat)
        status = word_of(member(beat, "status"))
        return row | {"kind": "heartbeat", "status": status, "code": int_of(member(beat, "code")), "message": told}
    if not isinstance(folders, dict):
        return None
    shown = {name: text_of(member(folders, name)) for name in _FOLDERS}
    return row | shown | {"kind": "handler_environment", "message": f"logFolder={shown['logFolder'] or ''}"}


parser: Parser = HandlerEnvironment()
