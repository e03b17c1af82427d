"""``SqlWriterLogger*.txt``: what the VSS writer of SQL Server did (windows.md 1.3), from SQL Server 2016 SP3 on."""

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

_LOGSOURCE = LogSource("windows", "sqlwriter")
_GRAMMAR = Grammar(
    "sqlwriter",
    r"^\[(?P<ts>\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}), TID (?P<tid>[0-9A-Fa-f]{1,8})\]\s*(?P<msg>.*)$",
    "%m/%d/%Y %H:%M:%S",
    "local",
)


@dataclass(frozen=True, slots=True)
class SqlWriterLog:
    """One row an entry; times are local, month first as SQL Server writes them."""

    name: str = "sql_writer_log"
    title: str = "log of the VSS writer of SQL Server: SqlWriterLogger.txt"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("C:\\Program Files\\Microsoft SQL Server\\90\\Shared\\SqlWriterLogger*.txt",)
    named = r"(?:^|[/!])[^/!]*SqlWriterLogger[^/!]*\.txt$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "an error between two steps",
            "Program Files/Microsoft SQL Server/90/Shared/SqlWriterLogger.txt",
            b"[05/16/2024 07:08:01, TID 1a2c] Entering SQL Writer OnPrepareBackup.\r\n"
            b"[05/16/2024 07:08:02, TID 1a2c] Error freezing, hr: 0x80040e14\r\nnear 'x'\r\n",
            (
                {
                    "@timestamp": datetime(2024, 5, 16, 7, 8, 1, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "process.thread.name": "1a2c",
                    "message": "Entering SQL Writer OnPrepareBackup.",
                    "hresult": None,
                },
                {"hresult": "0x80040E14", "message": "Error freezing, hr: 0x80040e14\nnear 'x'"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name, and heads with a thread."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r"^\[\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}, TID [0-9A-Fa-f]{1,8}\]",
            text="the log of SQL Server's writer",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an entry."""
        entries = read_entries(source, (_GRAMMAR,), context)
        code = pl.col("message").str.extract(r"\b0x([0-9A-Fa-f]{8})\b", 1).str.to_uppercase()
        rows = entries.rows.with_columns(
            pl.col("tid").alias("process.thread.name"),
            pl.when(code.is_not_null() & (code != "00000000")).then(pl.lit("0x") + code).alias("hresult"),
        )
        return parsed_log(source, entries, self.logsource, rows.drop("grammar", "tid"))


parser: Parser = SqlWriterLog()
