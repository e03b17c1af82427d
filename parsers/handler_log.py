"""Logs of other extensions under ``/var/log/azure`` (linux.md 2.7): lines with a time in whatever form.

Those in Python write local time, ``ERROR:`` and ``[name-version]``; those in Go logfmt or JSON. An extension's name is
that in the bracket, else that of its folder.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, parsed_log
from loganalyzer.parser_payload import with_payloads
from loganalyzer.parser_stamped import is_stamped, read_stamped

_NAME = re.compile(
    r"(?:^|[/!])log/azure/(?:(?P<handler>[^/!]+)/(?:(?P<version>\d+(?:\.\d+)+)/)?)(?:[^/!]+/)*"
    r"[^/!]*(?:\.log|\.err|\.out|\.txt|\.info|\.warn|stdout|stderr)(?:[.-][\d.\-]+)?$",
    re.IGNORECASE,
)
#: The bracket of the extensions' common code; the snapshot extension and the agent have parsers of their own.
_BRACKETED = (
    r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:(?:ERROR|WARNING|INFO):? ?)?"
    r"\[(?![\w.]*VMSnapshotLinux-|MyBackupTestLinuxInt-)[A-Za-z][\w.]+-\d+(?:\.\d+)+\]"
)


class HandlerLog:
    """The log of any extension but the snapshot's."""

    name = "handler_log"
    title = "Logs of other Linux extensions (/var/log/azure/<extension>/*.log)"
    logsource = LogSource(product="linux", service="handler")
    paths = ("var/log/azure/<extension>/*.log", "var/log/azure/<extension>/<version>/*.log")
    strongest = 60

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the folder and a time in front of lines; elsewhere by the bracket of an extension."""
        content = r"\A" if _NAME.search(path.replace("\\", "/")) and is_stamped(head) else _BRACKETED
        claim = claim_by(path, head, name=_NAME.pattern, content=content, text="the log of an extension")
        if claim is None:
            return None
        return Claim({90: 60, 50: 30, 20: 15}[claim.strength], claim.why)

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; lines before the first time are an entry without one."""
        entries = read_stamped(source, context)
        named = _NAME.search(source.path.replace("\\", "/"))
        handler, version = (named["handler"], named["version"]) if named else (None, None)
        rows = entries.rows.with_columns(
            pl.coalesce("handler", pl.lit(handler, dtype=pl.String)).alias("handler"),
            pl.coalesce("handler_version", pl.lit(version, dtype=pl.String)).alias("handler_version"),
        ).drop("grammar")
        return parsed_log(source, entries, self.logsource, with_payloads(rows))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Each form of a time."""
        return (*_extension_samples(), *_other_samples())


def _extension_samples() -> tuple[Sample, ...]:
    folder = "var/log/azure/Example.Ext.AccessForLinux"
    return (
        Sample(
            "the extensions' common code, and a traceback",
            f"{folder}/extension.log",
            b"2025/03/01 03:10:04 [Example.Ext.AccessForLinux-1.5.11] starting enable\n"
            b"2025/03/01 03:10:05 ERROR:[Example.Ext.AccessForLinux-1.5.11] Failed\n"
            b"Traceback (most recent call last):\n"
            b"2025/03/01 03:10:06 WARNING:no bracket\n",
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 3, 10, 4, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "handler": "Example.Ext.AccessForLinux",
                    "handler_version": "1.5.11",
                    "log.level": None,
                    "message": "starting enable",
                },
                {"log.level": "ERROR", "message": "Failed\nTraceback (most recent call last):"},
                {"log.level": "WARNING", "message": "no bracket", "handler": "Example.Ext.AccessForLinux"},
            ),
        ),
        Sample(
            "older versions had a folder of their own",
            f"{folder}/1.4.0/extension.log",
            b"[Example.Ext.AccessForLinux-1.4.0] no time\n2015/03/01 03:10:04 done\n",
            (
                {"@timestamp": None, "message": "[Example.Ext.AccessForLinux-1.4.0] no time"},
                {"handler_version": "1.4.0", "message": "done"},
            ),
        ),
        Sample(
            "a bare copy is known by its bracket",
            "copied.log",
            b"2025/03/01 03:10:04.123 INFO: [Example.Ext.AccessForLinux-1.5.11] Enable\n",
            ({"handler": "Example.Ext.AccessForLinux", "log.level": "INFO", "message": "Enable"},),
        ),
    )


def _other_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "logfmt of extensions in Go",
            "var/log/azure/example-script/handler.log",
            b'time=2025-03-01T02:10:04Z version=v2.1.14 operation=enable seq=0 event="start"\n'
            b'time="2025-03-01T03:10:05.5+01:00" level=error msg="failed"\n',
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 4, tzinfo=UTC),
                    "time.assumed": None,
                    "handler": "example-script",
                    "message": 'version=v2.1.14 operation=enable seq=0 event="start"',
                    "log.level": None,
                },
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 5, 500000, tzinfo=UTC), "log.level": "ERROR"},
            ),
        ),
        Sample(
            "JSON, ISO 8601 and Python's own form",
            "var/log/azure/Example.Monitor/events/agent.log",
            b'{"level":"warn","ts":"2025-03-01T02:10:04.25Z","msg":"slow"}\n'
            b"2025-03-01T02:10:05Z [INFO] up\n2025-03-01 02:10:06,125 - root - ERROR - down\n"
            b"2025-03-01 02:10:07 UTC later\n[2025-03-01 02:10:08.5] DEBUG last\n2025-03-01T02:10:09 T\n",
            (
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 4, 250000, tzinfo=UTC), "log.level": "WARNING"},
                {"message": "[INFO] up", "log.level": "INFO", "time.assumed": None},
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 6, 125000, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "log.level": "ERROR",
                },
                {"message": "later", "time.assumed": None},
                {"message": "DEBUG last", "log.level": "DEBUG"},
                {"message": "T", "@timestamp": datetime(2025, 3, 1, 2, 10, 9, tzinfo=UTC)},
            ),
        ),
    )


parser: Parser = HandlerLog()
