"""CommandExecution.log of the Azure Linux agent: what it ran for an extension and what that printed (linux.md 2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

from loganalyzer.parser import (
    Claim,
    Grammar,
    LogSource,
    ParseContext,
    Parsed,
    Parser,
    Sample,
    Source,
    claim_by,
    parsed_log,
    read_entries,
    text_head,
)
from loganalyzer.parser_payload import with_payloads

NAME = r"CommandExecution(?:_[^/]*)?\.log(?:\.[^/]*)?$"

LEVEL = r"(?P<level>VERBOSE|INFO|WARNING|ERROR)"
UTC_STAMP = rf"^(?P<ts>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}})Z {LEVEL}"
LOCAL = rf"^(?P<ts>\d{{4}}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{{6}}) {LEVEL}"
THREAD = r"(?: (?P<thread>[A-Za-z][\w-]*(?: \([^)]*\))?))?"
HANDLER = r"\[(?P<handler>[A-Za-z0-9]+(?:\.[A-Za-z0-9_-]+)+)-(?P<handler_version>\d+(?:\.\d+)*)\]"
REST = r"(?: |$)(?P<msg>.*)$"

GRAMMARS = (
    Grammar("utc handler", f"{UTC_STAMP}{THREAD} {HANDLER}{REST}", "%Y-%m-%dT%H:%M:%S%.f", "utc"),
    Grammar("utc", f"{UTC_STAMP}{REST}", "%Y-%m-%dT%H:%M:%S%.f", "utc"),
    Grammar("local handler", f"{LOCAL}{THREAD} {HANDLER}{REST}", "%Y/%m/%d %H:%M:%S%.f", "local"),
    Grammar("local", f"{LOCAL}{REST}", "%Y/%m/%d %H:%M:%S%.f", "local"),
)

STAMP = r"^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}) [A-Z]+ "
BRACKET = r"(?:[A-Za-z][\w-]*(?: \([^)]*\))? )?\[[A-Za-z0-9]+(?:\.[\w-]+)+-\d+(?:\.\d+)*\]"
BRACKETED = f"{STAMP}{BRACKET}"
COMMAND = f"{BRACKETED} (?:Executing command|Command): "
#: waagent.log quotes the same lines, between lines of the agent's own.
OTHER_HEAD = rf"{STAMP}(?!{BRACKET})"

#: The folder of a log is called like the extension; agents up to 2.2.0 put one for its version below.
FOLDER = re.compile(r"(?:^|/)log/azure/(?P<handler>[A-Za-z0-9]+(?:\.[A-Za-z0-9_-]+)+)/(?:[\d.]+/)?[^/]+$")

VMSNAPSHOT = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"


class CommandExecutionLog:
    """One file an extension; its entries hold the extension's own stdout and stderr, cut to 3200 characters.

    An entry without the extension's bracket, such as the rest of one that was cut off, is of the folder's extension.
    """

    name = "command_execution_log"
    title = "Commands that the Azure Linux agent ran for an extension (CommandExecution.log)"
    logsource = LogSource(product="linux", service="extension")
    paths = ("var/log/azure/*/CommandExecution.log", "var/log/azure/*/CommandExecution_*.log")
    named = NAME
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name and an extension's line; under another name a command is needed, and no line of the agent itself."""
        named = re.search(NAME, path.replace("\\", "/"), re.IGNORECASE) is not None
        if not named and re.search(OTHER_HEAD, text_head(head), re.MULTILINE):
            return None
        content = BRACKETED if named else COMMAND
        return claim_by(path, head, name=NAME, content=content, text="the agent's log of an extension's commands")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; an entry of a command goes on over the output that the command gave."""
        entries = read_entries(source, GRAMMARS, context)
        folder = FOLDER.search(source.path.replace("\\", "/"))
        rows = entries.rows.with_columns(
            pl.col("thread").alias("process.thread.name"),
            pl.coalesce("handler", pl.lit(folder["handler"] if folder else None, dtype=pl.String)).alias("handler"),
        ).drop("thread", "grammar")
        return parsed_log(source, entries, self.logsource, with_payloads(rows))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """A command with its output, by a recent and by an old agent."""
        bracket = f"[{VMSNAPSHOT}-1.0.9225.0]".encode()
        return (
            Sample(
                "a command and its output",
                f"var/log/azure/{VMSNAPSHOT}/CommandExecution.log",
                b"2025-03-01T02:10:03.120001Z INFO ExtHandler "
                + bracket
                + b" Executing command: main/handle.sh enable "
                b'with environment variables: {"ConfigSequenceNumber": "12"}\n'
                b"2025-03-01T02:10:09.002310Z INFO ExtHandler " + bracket + b" Command: main/handle.sh enable\r\n"
                b"[stdout]\r\nInformation: Space available in event directory : 39981250B\r\n[stderr]\r\n",
                (
                    {
                        "@timestamp": datetime(2025, 3, 1, 2, 10, 3, 120001, tzinfo=UTC),
                        "log.level": "INFO",
                        "process.thread.name": "ExtHandler",
                        "handler": VMSNAPSHOT,
                        "handler_version": "1.0.9225.0",
                        "message": "Executing command: main/handle.sh enable with environment variables: "
                        '{"ConfigSequenceNumber": "12"}',
                    },
                    {
                        "message": "Command: main/handle.sh enable\n[stdout]\n"
                        "Information: Space available in event directory : 39981250B\n[stderr]",
                        "log.line": 2,
                    },
                ),
            ),
            Sample(
                "2.2.46 names no thread; a script in base64",
                f"var/log/azure/{VMSNAPSHOT}/CommandExecution.log",
                b"2020-03-01T02:10:03.120001Z INFO " + bracket + b" Command: bin/run.sh enable\n[stdout]\n"
                b"script: ZWNobyAnaGVsbG8gZnJvbSBhIHNjcmlwdCB0aGF0IHdhcyBoYW5kZWQgb24n\n[stderr]\n"
                b"2020-03-01T02:10:04.000000Z INFO Thread-7 (run) " + bracket + b" Command: bin/run.sh disable\n",
                (
                    {
                        "process.thread.name": None,
                        "handler": VMSNAPSHOT,
                        "payload": "echo 'hello from a script that was handed on'",
                    },
                    {"process.thread.name": "Thread-7 (run)", "payload": None},
                ),
            ),
            Sample(
                "an agent that writes local time, and the rest of an entry whose beginning was cut off",
                "CommandExecution_20190301.log",
                b"[stderr]\n"
                b"2019/03/01 03:10:03.120001 ERROR [Example.Extension.First-2.1] Command: bin/run.sh enable\n[stdout]\n"
                b"2019/03/01 03:11:00.000000 INFO no bracket\n",
                (
                    {"@timestamp": None, "message": "[stderr]", "handler": None},
                    {
                        "log.level": "ERROR",
                        "handler": "Example.Extension.First",
                        "message": "Command: bin/run.sh enable\n[stdout]",
                        "time.assumed": "local time of an unknown zone, read as UTC",
                    },
                    {"message": "no bracket", "handler": None},
                ),
            ),
            Sample(
                "only what a command printed: the extension is that of the folder",
                f"vm01/var/log/azure/{VMSNAPSHOT}/CommandExecution.log",
                b"[stderr]\nTraceback (most recent call last):\n",
                ({"handler": VMSNAPSHOT, "message": "[stderr]\nTraceback (most recent call last):"},),
            ),
        )


parser: Parser = CommandExecutionLog()
