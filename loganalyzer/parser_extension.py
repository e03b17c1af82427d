"""The parser kit for what extensions report: one set of columns for status files, handler files and agent status.

Sources: linux.md 3.5-3.8, windows.md 2.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from loganalyzer.parser_json import inner_json, int_of, items, member, text_of, ticks_time, time_of, word_of
from loganalyzer.schema import TIMESTAMP, LogSource

LOGSOURCE = LogSource("azure", "extension", "status")

#: The columns of every frame of ``LOGSOURCE``, so that the frames of all its parsers fit together. ``code`` is the
#: number that the report shows, ``inner_*`` what the report inside the report says, ``outcome`` what to believe:
#: success, failure or in_progress.
STATUS_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "handler": pl.String(),
    "handler_version": pl.String(),
    "extension_name": pl.String(),
    "sequence_number": pl.Int64(),
    "operation": pl.String(),
    "status": pl.String(),
    "code": pl.Int64(),
    "outcome": pl.String(),
    "settings_status": pl.String(),
    "task_id": pl.String(),
    "command_start": TIMESTAMP,
    "inner_status": pl.String(),
    "inner_code": pl.Int64(),
    "inner_message": pl.String(),
    "extension_error_code": pl.String(),
    "snapshot_creator": pl.String(),
}

#: Codes of the Linux snapshot extension (linux.md 0, facts 5 and 6); every other code is a failure.
_SNAPSHOT_OUTCOMES = {0: "success", 1: "success", 4: "in_progress"}
_WORD_OUTCOMES = {"success": "success", "error": "failure", "transitioning": "in_progress"}

_VERSION = r"\d+(?:\.\d+)+"
_FILE = r"/(?:(?:config|status|runtimesettings)/)?[^/!]*$"
_WINDOWS_DIRECTORY = re.compile(rf"(?:^|[/!])([^/!]+)/({_VERSION}){_FILE}", re.IGNORECASE)
_LINUX_DIRECTORY = re.compile(rf"(?:^|[/!])([^/!]+?)-({_VERSION}){_FILE}", re.IGNORECASE)


def handler_of_path(path: str) -> tuple[str | None, str | None]:
    """Handler name and version by the directory that a file of a handler lies in, or (None, None).

    ``<name>-<version>/`` on Linux, ``<name>/<version>/`` on Windows (linux.md 3.5, windows.md 1.3).
    """
    path = path.replace("\\", "/")
    found = _LINUX_DIRECTORY.search(path) or _WINDOWS_DIRECTORY.search(path)
    return (found[1], found[2]) if found else (None, None)


def same_name(known: str | None, spelled: object) -> str | None:
    """``known`` as ``spelled`` writes it, when both are the same name but for case (Windows paths lose the case)."""
    name = text_of(spelled)
    return name if known and name and name.casefold() == known.casefold() else known


@dataclass(frozen=True, slots=True)
class Report:
    """One ``status`` object of an extension, with the report inside it decoded. Times are UTC."""

    name: str | None
    operation: str | None
    status: str | None
    code: int | None
    message: str | None
    task_id: str | None
    command_start: datetime | None
    inner_time: datetime | None
    inner_status: str | None
    inner_code: int | None
    inner_message: str | None
    telemetry: Mapping[str, str]

    def outcome(self, handler: str | None) -> str | None:
        """What to believe: the Linux snapshot extension is judged by code only, any other by its word.

        Its file says success for failed backups too, while the code stays true (linux.md 0, fact 5). The agent reports
        ``transitioning`` with code 0 in its place while there is no status file (linux.md 3.7). None: not said.
        """
        word = _WORD_OUTCOMES.get(self.status or "")
        if "vmsnapshotlinux" not in (handler or self.name or "").lower():
            return word
        code = self.code if self.inner_code is None else self.inner_code
        if word == "in_progress" and self.inner_code is None and code in (None, 0):
            return word
        if code is None:
            return word if word == "failure" else None
        return _SNAPSHOT_OUTCOMES.get(code, "failure")

    def columns(self) -> dict[str, object]:
        """The columns of a row that both status files and agent status fill from a report."""
        return {
            "operation": self.operation,
            "task_id": self.task_id,
            "command_start": self.command_start,
            "inner_status": self.inner_status,
            "inner_code": self.inner_code,
            "inner_message": self.inner_message,
            "extension_error_code": self.telemetry.get("exterrorcode"),
            "snapshot_creator": self._snapshot_creator(),
        }

    def _snapshot_creator(self) -> str | None:
        if creator := self.telemetry.get("snapshotcreator"):
            return creator
        suffix = re.search(r"snapshotCreator=(\w+)", self.inner_message or self.message or "")
        return suffix[1] if suffix else None


def read_report(status: object) -> Report:
    """Reads a ``status`` object; the true report is JSON text in ``substatus[0].name`` (linux.md 3.7)."""
    first = next(iter(items(member(status, "substatus"))), None)
    within = next(iter(items(inner_json(member(first, "name")))), None)
    inner = member(within, "status")
    telemetry = member(inner, "telemetryData") or member(status, "telemetryData")
    return Report(
        name=text_of(member(status, "name")),
        operation=text_of(member(status, "operation")),
        status=word_of(member(status, "status")),
        code=int_of(member(status, "code")),
        message=message_of(status),
        task_id=text_of(member(status, "taskId") or member(inner, "taskId")),
        command_start=ticks_time(
            member(status, "commandStartTimeUTCTicks") or member(inner, "commandStartTimeUTCTicks")
        ),
        inner_time=time_of(member(within, "timestampUTC")),
        inner_status=word_of(member(inner, "status")),
        inner_code=int_of(member(inner, "code")),
        inner_message=message_of(inner),
        telemetry=_telemetry(telemetry),
    )


def message_of(value: object) -> str | None:
    """The text of ``formattedMessage``; recent snapshot extensions wrap it once more as ``messageStr``."""
    formatted = member(value, "formattedMessage")
    text = text_of(member(formatted, "message") if isinstance(formatted, dict) else formatted)
    wrapped = text_of(member(inner_json(text), "messageStr"))
    return text if wrapped is None else wrapped


def _telemetry(pairs: object) -> dict[str, str]:
    """``[{Key, Value}]`` as a mapping with lower-case keys."""
    found: dict[str, str] = {}
    for pair in items(pairs):
        key, value = text_of(member(pair, "Key")), text_of(member(pair, "Value"))
        if key is not None and value is not None:
            found[key.lower()] = value
    return found
