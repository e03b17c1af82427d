"""``config/HandlerStatus``: what the Linux agent last reported about a handler (linux.md 3.6)."""

from __future__ import annotations

from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path
from loganalyzer.parser_json import (
    UnreadableError,
    compact,
    int_of,
    member,
    read_json,
    text_of,
    whole_file_rows,
    word_of,
)

_NAME = r"(?:^|[/!])(?:[^/!]*\.)?HandlerStatus$"
_CONTENT = (
    r"""\A\s*\{(?![\s\S]*"aggregateStatus")(?=[\s\S]*"status"\s*:\s*"(?:Not)?Ready")"""
    r"""(?=[\s\S]*"version")(?=[\s\S]*"name")(?=[\s\S]*"message")"""
)


@dataclass(frozen=True, slots=True)
class HandlerStatus:
    """The agent's own record of a handler: one row."""

    name: str = "handler_status"
    title: str = "the agent's record of a handler: config/HandlerStatus"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("/var/lib/waagent/<name>-<version>/config/HandlerStatus",)
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a handler whose enable command failed",
            "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0/config/HandlerStatus",
            b'{"name": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux", "version": "1.0.9225.0", '
            b'"status": "NotReady", "code": 1009, "message": "Non-zero exit code: 127", '
            b'"supports_multi_config": false, "extension_status": null}',
            (
                {
                    "kind": "handler_status",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "status": "notready",
                    "code": 1009,
                    "message": "Non-zero exit code: 127",
                    "outcome": None,
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name ``HandlerStatus`` and its keys."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="a HandlerStatus file")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row; anything but a JSON object is rejected."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), STATUS_COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        if not isinstance(value, dict):
            return rejected_whole(source, "no handler status in it: the JSON is no object")
        handler, version = handler_of_path(source.path)
        row = {
            "kind": "handler_status",
            "handler": text_of(member(value, "name")) or handler,
            "handler_version": text_of(member(value, "version")) or version,
            "status": word_of(member(value, "status")),
            "code": int_of(member(value, "code")),
            "message": text_of(member(value, "message")),
            "event.original": compact(value),
        }
        return whole_file_rows(source, self.logsource, (row,), STATUS_COLUMNS)


parser: Parser = HandlerStatus()
