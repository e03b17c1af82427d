"""``ERRORLOG`` of SQL Server: what the engine says of backups that the VSS writer asks it for."""

from __future__ import annotations

from dataclasses import dataclass
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
)

_LOGSOURCE = LogSource("windows", "sqlserver")
_GRAMMAR = Grammar(
    "errorlog",
    r"^(?P<ts>\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{1,3})?)\s+"
    r"(?P<tid>spid\s?\d{1,6}s?|Backup|Server|Logon|Errorlog)\s+(?P<msg>.*)$",
    "%Y-%m-%d %H:%M:%S%.f",
    "local",
)


@dataclass(frozen=True, slots=True)
class SqlServerLog:
    """One row an entry; times are local."""

    name: str = "sql_server_log"
    title: str = "log of SQL Server's engine: ERRORLOG"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("C:\\Program Files\\Microsoft SQL Server\\<instance>\\MSSQL\\Log\\ERRORLOG*",)
    named = r"(?:^|[/!])(?:ERRORLOG(?:\.\d+)?|[^/!]*sql[^/!]*log[^/!]*\.(?:txt|log))$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "an error of a backup",
            "MSSQL/Log/ERRORLOG.1",
            (
                "2026-03-01 22:00:04.12 spid61      Error: 18210, Severity: 16, State: 1.\r\n"
                "2026-03-01 22:00:04.12 spid61      BackupVirtualDeviceFile::TakeSnapshot: failure on backup device "
                "'x'. Operating system error 995(aborted).\r\n"
                "2026-03-01 22:00:04.500 Backup      BACKUP failed to complete the command BACKUP DATABASE A.\r\n"
            ).encode("utf-16"),
            (
                {
                    "@timestamp": datetime(2026, 3, 1, 22, 0, 4, 120_000, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "process.thread.name": "spid61",
                    "sql_error": 18210,
                },
                {"sql_error": None},
                {
                    "process.thread.name": "Backup",
                    "message": "BACKUP failed to complete the command BACKUP DATABASE A.",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By a time, and the session or part of the engine behind it."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r"^\ufeff?\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{1,3})?\s+"
            r"(?:spid\s?\d{1,6}s?|Backup|Server|Logon)\s+\S",
            text="the log of SQL Server",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an entry."""
        entries = read_entries(source, (_GRAMMAR,), context)
        rows = entries.rows.with_columns(
            pl.col("tid").alias("process.thread.name"),
            pl.col("message").str.extract(r"\bError: (\d{1,6}), Severity: \d", 1).cast(pl.Int64).alias("sql_error"),
        )
        return parsed_log(source, entries, self.logsource, rows.drop("grammar", "tid"))


parser: Parser = SqlServerLog()
