"""Logs of the workload backup extension (databases such as SAP HANA), under ``/opt/msawb/var/log``.

Their form is not documented: lines with a time in front are entries, other lines go on. The database's own
``backint.log`` and ``backup.log`` have times with their offset from UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from loganalyzer.parser import (
    Claim,
    LogSource,
    ParseContext,
    Parsed,
    Parser,
    Sample,
    Source,
    claim_by,
    parsed_log,
    text_head,
)
from loganalyzer.parser_stamped import is_stamped, read_stamped

_NAME = re.compile(r"(?:^|[/!])(?:msawb/var/log/(?:[^/!]+/)*[^/!]+|backint\.log|backup\.log)$", re.IGNORECASE)
_BACKINT = re.compile(r"(?:^|[/!])(?:backint|backup)\.log$", re.IGNORECASE)
#: A time with an offset and the number of a process, as HANA writes it.
_OF_HANA = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\s+P\d+\s", re.MULTILINE)


class WorkloadBackupLog:
    """Logs of the plug-ins and of the database's side of a workload backup."""

    name = "workload_backup_log"
    title = "Logs of the workload backup extension (/opt/msawb/var/log)"
    logsource = LogSource(product="linux", service="workloadbackup")
    paths = ("opt/msawb/var/log/*/*/*", "opt/msawb/var/log/*/*/*/*/*", "backint.log", "backup.log")
    strongest = 60

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the folder; ``backint.log`` and ``backup.log`` need a line of HANA's."""
        if _BACKINT.search(path) and "msawb/" not in path and not _OF_HANA.search(text_head(head)):
            return None
        content = r"\A" if _NAME.search(path.replace("\\", "/")) and is_stamped(head) else r"(?!)"
        claim = claim_by(path, head, name=_NAME.pattern, content=content, text="a log of workload backup")
        return None if claim is None else Claim({90: 60, 20: 15}[claim.strength], claim.why)

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; lines before the first time are an entry without one."""
        entries = read_stamped(source, context)
        return parsed_log(source, entries, self.logsource, entries.rows.drop("handler", "handler_version", "grammar"))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """A plug-in's log and the database's."""
        return (
            Sample(
                "a plug-in",
                "opt/msawb/var/log/plugins/Example.WorkloadBackup/plugin.log",
                b"2025-03-01 02:10:04.123456 ERROR login failed\n  at step 2\n",
                (
                    {
                        "@timestamp": datetime(2025, 3, 1, 2, 10, 4, 123456, tzinfo=UTC),
                        "time.assumed": "local time of an unknown zone, read as UTC",
                        "log.level": "ERROR",
                        "message": "ERROR login failed\n  at step 2",
                    },
                ),
            ),
            Sample(
                "the database",
                "usr/sap/HDB/backup.log",
                b"2025-03-01T03:10:04+01:00  P0012345      18f2 INFO    BACKUP   SAVE DATA started\n",
                (
                    {
                        "@timestamp": datetime(2025, 3, 1, 2, 10, 4, tzinfo=UTC),
                        "time.assumed": None,
                        "log.level": "INFO",
                    },
                ),
            ),
        )


parser: Parser = WorkloadBackupLog()
