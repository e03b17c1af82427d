"""``results.txt`` of ``waagent -collect-logs``: what the collector did, and what it left out (linux.md 2.10).

``Archive too big, done with adding files.`` means that the bundle lacks files that the VM has.
"""

from __future__ import annotations

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

GRAMMARS = (
    Grammar(
        "collector",
        r"^(?P<ts>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z (?P<level>INFO|WARNING|ERROR)(?: |$)(?P<msg>.*)$",
        "%Y-%m-%dT%H:%M:%S",
        "utc",
    ),
)
CONTENT = (
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (?:INFO|WARNING|ERROR) "
    r"(?:Running |Output of command|Collecting |File \S+ does not exist, skipping|Archive |Successfully collected"
    r"|Truncating |Adding file |Starting log collection|Manifest|### )"
)


class CollectLogsResults:
    """The collector's own log; ``left_out`` is the path of a file that it did not take."""

    name = "collect_logs_results"
    title = "Log of waagent -collect-logs (results.txt)"
    logsource = LogSource(product="azure", service="logcollector")
    paths = ("results.txt",)
    named = r"(?:^|[/!])results\.txt$"
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and a line of the collector."""
        claim = claim_by(path, head, name=self.named, content=CONTENT, text="the log of a log collector")
        return claim if claim is not None and claim.strength > 20 else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; the output of a command goes on over its lines."""
        entries = read_entries(source, GRAMMARS, context)
        left_out = pl.col("message").str.extract(r"^File (\S+) does not exist, skipping")
        return parsed_log(
            source, entries, self.logsource, entries.rows.with_columns(left_out.alias("left_out")).drop("grammar")
        )

    @property
    def samples(self) -> tuple[Sample, ...]:
        """A listing, a missing file and the end."""
        return (
            Sample(
                "a listing, a file that is not there, an archive that is full",
                "results.txt",
                b"2025-03-01T02:10:03Z INFO Output of command [ls -alF /var/log]:\ntotal 8\n-rw-r----- 1 root\n"
                b"2025-03-01T02:10:04Z WARNING File /var/log/kern.log does not exist, "
                b"skipping collection for this file\n"
                b"2025-03-01T02:10:05Z WARNING Archive too big, done with adding files.\n",
                (
                    {
                        "@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                        "log.level": "INFO",
                        "message": "Output of command [ls -alF /var/log]:\ntotal 8\n-rw-r----- 1 root",
                        "left_out": None,
                    },
                    {"log.level": "WARNING", "left_out": "/var/log/kern.log"},
                    {"message": "Archive too big, done with adding files."},
                ),
            ),
        )


parser: Parser = CollectLogsResults()
