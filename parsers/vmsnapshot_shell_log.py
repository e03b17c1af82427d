"""shell.log of the Linux snapshot extension: which interpreter ran it and what it returned (linux.md 2.6)."""

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
)

NAME = r"VMSnapshotLinux.*[/_]shell\.log[^/]*$"
#: The scripts' own messages behind a stamp that ends in ``UTC- ``, ``UTC 2025- `` or in a bracket.
CONTENT = (
    r"(?:\bUTC(?: \d{4})?- |^\[\d{4}-\d\d-\d\d [\d:]+\] )"
    r"(?:-?\d+ returned from handle|ConfigSequenceNumber from environment|python\S* (?:path exists|version unknown)"
    r"|The command is )"
)

#: Any stamp of them: under the name of the log that is enough.
STAMP = r"^(?:\S.{9,60}?\bUTC(?: \d{4})?- |\[\d{4}-\d\d-\d\d [\d:]+\] )"

#: ``date -u`` prints its locale's order. The name of the weekday says nothing that the date does not, so it stays out:
#: a stamp whose weekday is wrong keeps its time.
DAY = r"^[A-Z][a-z]{2} +"
CLOCK = r"\d{1,2}:\d\d:\d\d"
MESSAGE = r"- ?(?P<msg>.*)$"

GRAMMARS = (
    Grammar(
        "month first", rf"{DAY}(?P<ts>[A-Z][a-z]{{2}} +\d+ {CLOCK} UTC \d{{4}}){MESSAGE}", "%b %e %T UTC %Y", "utc"
    ),
    Grammar(
        "month first, 12 hours",
        rf"{DAY}(?P<ts>[A-Z][a-z]{{2}} +\d+ {CLOCK} [AP]M UTC \d{{4}}){MESSAGE}",
        "%b %e %I:%M:%S %p UTC %Y",
        "utc",
    ),
    Grammar(
        "day first, 12 hours",
        rf"{DAY}(?P<ts>\d+ [A-Z][a-z]{{2}} \d{{4}} {CLOCK} [AP]M UTC){MESSAGE}",
        "%e %b %Y %I:%M:%S %p UTC",
        "utc",
    ),
    Grammar("day first", rf"{DAY}(?P<ts>\d+ [A-Z][a-z]{{2}} \d{{4}} {CLOCK} UTC){MESSAGE}", "%e %b %Y %T UTC", "utc"),
    Grammar("year last", rf"{DAY}(?P<ts>\d+ [A-Z][a-z]{{2}} {CLOCK} UTC \d{{4}}){MESSAGE}", "%e %b %T UTC %Y", "utc"),
    Grammar(
        "host daemon",
        r"^\[(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{9})\] ?(?P<msg>.*)$",
        "%Y-%m-%d %H:%M:%S:%9f",
        "utc",
    ),
    Grammar("other locale", rf"^(?P<ts>\S.{{9,60}}?\bUTC(?: \d{{4}})?){MESSAGE}", "the order is not known", "utc"),
)

PATH = "var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/shell.log"


class VMSnapshotShellLog:
    """What handle.sh and handle_host_daemon.sh write around the extension's Python program."""

    name = "vmsnapshot_shell_log"
    title = "Start script of the Linux snapshot extension (shell.log)"
    logsource = LogSource(product="linux", service="vmsnapshot_shell")
    paths = (
        "var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/shell.log",
        "var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/*/shell.log",
    )
    named = NAME
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name in the extension's folder and a stamp, or by what only these scripts print."""
        named = re.search(NAME, path.replace("\\", "/"), re.IGNORECASE) is not None
        content = STAMP if named else CONTENT
        return claim_by(path, head, name=NAME, content=content, text="the snapshot extension's shell log")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; ``return_code`` is the exit status of the Python program where the line names it."""
        entries = read_entries(source, GRAMMARS, context)
        code = pl.col("message").str.extract(r"^(-?\d+) returned from \S*\.py\b").cast(pl.Int64, strict=False)
        rows = entries.rows.with_columns(code.alias("return_code")).drop("grammar")
        return parsed_log(source, entries, self.logsource, rows)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every order of a stamp that is known, and an unknown one."""
        return (
            Sample(
                "C locale, an interpreter's complaint, and the host daemon",
                PATH,
                b"Sat Mar  1 02:10:03 UTC 2025- ConfigSequenceNumber from environment variable seqNo:12\n"
                b"Sat Mar  1 02:10:03 UTC 2025- python3 path exists\r\n"
                b"main/handle.py: line 1: cannot execute\n"
                b"Sat Mar 15 22:10:08 UTC 2025- 3 returned from handle.py\n"
                b"[2025-03-01 02:10:08:123456789] 0 returned from handle_host_daemon.py\n",
                (
                    {
                        "@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                        "message": "ConfigSequenceNumber from environment variable seqNo:12",
                        "return_code": None,
                        "log.level": None,
                    },
                    {"message": "python3 path exists\nmain/handle.py: line 1: cannot execute"},
                    {"@timestamp": datetime(2025, 3, 15, 22, 10, 8, tzinfo=UTC), "return_code": 3},
                    {"@timestamp": datetime(2025, 3, 1, 2, 10, 8, 123456, tzinfo=UTC), "return_code": 0},
                ),
            ),
            Sample(
                "other locales",
                PATH,
                b"Sat 01 Mar 2025 02:10:03 AM UTC- python version unknown\n"
                b"Sat Mar  1 12:10:08 PM UTC 2025- 1 returned from handle.py\n"
                b"Sat 01 Mar 2025 14:10:08 UTC- 2 returned from handle.py\n"
                b"Sat  1 Mar 15:10:08 UTC 2025- 0 returned from handle.py\n"
                b"sam. 01 mars 2025 16:10:08 UTC- 0 returned from handle.py\n",
                (
                    {"@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC), "message": "python version unknown"},
                    {"@timestamp": datetime(2025, 3, 1, 12, 10, 8, tzinfo=UTC), "return_code": 1},
                    {"@timestamp": datetime(2025, 3, 1, 14, 10, 8, tzinfo=UTC), "return_code": 2},
                    {"@timestamp": datetime(2025, 3, 1, 15, 10, 8, tzinfo=UTC), "return_code": 0},
                    {"@timestamp": None, "message": "0 returned from handle.py", "return_code": 0},
                ),
            ),
        )


parser: Parser = VMSnapshotShellLog()
