"""``cloud-init.log`` and ``cloud-init-output.log``: what cloud-init did at each start (linux.md 2.8)."""

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

_NAME = r"cloud-init(?:-output)?\.log[^/!]*$"
_LEVELS = "DEBUG|INFO|WARNING|ERROR|CRITICAL|DEPRECATED"
#: ``handlers.py[DEBUG]``: the module of Python that wrote the line. Its formatter writes UTC.
_LINE = rf"(?P<ts>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}}) - (?P<module>[\w.<>-]{{1,80}})\[(?P<level>{_LEVELS})\]:"
#: ``Cloud-init v. 23.1 running 'init' at Thu, 08 Oct 2020 17:10:29 +0000.``, and ``finished at``, which has no stage.
_STAGE = (
    r"Cloud-init v\. (?P<version>\S+) (?:running '(?P<stage>[\w:.-]+)'|finished) at "
    r"[A-Z][a-z]{2}, (?P<ts>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d) \+0000\."
)
_GRAMMARS = (
    Grammar("line", rf"^{_LINE} ?(?P<msg>.*)$", "%Y-%m-%d %H:%M:%S,%3f", "utc"),
    Grammar("stage", rf"^(?P<msg>{_STAGE}.*)$", "%d %b %Y %H:%M:%S", "utc"),
)
_CONTENT = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - [\w.<>-]+\.py\[[A-Z]+\]:|^Cloud-init v\. \S+ (?:running|finished)"


class CloudInitLog:
    """The two logs of cloud-init; the output's other lines belong to the stage above them."""

    name = "cloud_init_log"
    title = "cloud-init: cloud-init.log, cloud-init-output.log"
    logsource = LogSource(product="linux", service="cloud-init")
    paths = ("var/log/cloud-init.log*", "var/log/cloud-init-output.log*")
    named = _NAME
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name, and by lines that only cloud-init writes."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="a log of cloud-init")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; ``log.logger`` is the module, ``stage`` and ``version`` stand in lines that begin or end one."""
        entries = read_entries(source, _GRAMMARS, context)
        # The stage of a line of cloud-init.log is in its text too.
        inner = pl.col("message").str.extract_groups(_STAGE.replace("?P<ts>", "?:")).struct
        rows = entries.rows.with_columns(
            pl.coalesce("version", inner.field("version")).alias("version"),
            pl.coalesce("stage", inner.field("stage")).alias("stage"),
            pl.col("module").alias("log.logger"),
            pl.lit("cloud-init").alias("process.name"),
        )
        return parsed_log(source, entries, self.logsource, rows.drop("grammar", "module"))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Both files."""
        return (
            Sample(
                "cloud-init.log with a traceback",
                "var/log/cloud-init.log",
                b"2025-03-01 02:10:03,250 - util.py[DEBUG]: Cloud-init v. 23.1.2-0ubuntu0 running 'init-local' at "
                b"Sat, 01 Mar 2025 02:10:03 +0000. Up 7.21 seconds.\n"
                b"2025-03-01 02:10:04,000 - azure.py[WARNING]: failed\nTraceback (most recent call last):\n"
                b"2025-03-01 02:10:05,000 - handlers.py[DEBUG]: finish: init-local: SUCCESS\n",
                (
                    {
                        "@timestamp": datetime(2025, 3, 1, 2, 10, 3, 250_000, tzinfo=UTC),
                        "time.assumed": None,
                        "log.level": "DEBUG",
                        "log.logger": "util.py",
                        "version": "23.1.2-0ubuntu0",
                        "stage": "init-local",
                        "process.name": "cloud-init",
                    },
                    {"log.level": "WARNING", "message": "failed\nTraceback (most recent call last):"},
                    {"log.logger": "handlers.py", "message": "finish: init-local: SUCCESS", "stage": None},
                ),
            ),
            Sample(
                "cloud-init-output.log",
                "var/log/cloud-init-output.log",
                b"Cloud-init v. 20.2-45 running 'modules:final' at Sat, 01 Mar 2025 02:10:03 +0000. Up 30.1 seconds.\n"
                b"ci-info: no authorized SSH keys fingerprints found for user azureuser.\n"
                b"2025-03-01 02:10:04,500 - cc_scripts_user.py[WARNING]: Failed to run module scripts-user\n"
                b"Cloud-init v. 20.2-45 finished at Sat, 01 Mar 2025 02:10:09 +0000. Datasource DataSourceAzure "
                b"[seed=/dev/sr0].  Up 36.01 seconds\n",
                (
                    {
                        "@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                        "version": "20.2-45",
                        "stage": "modules:final",
                        "message": "Cloud-init v. 20.2-45 running 'modules:final' at Sat, 01 Mar 2025 02:10:03 +0000. "
                        "Up 30.1 seconds.\nci-info: no authorized SSH keys fingerprints found for user azureuser.",
                    },
                    {"log.level": "WARNING", "log.logger": "cc_scripts_user.py"},
                    {"@timestamp": datetime(2025, 3, 1, 2, 10, 9, tzinfo=UTC), "stage": None, "version": "20.2-45"},
                ),
            ),
        )


parser: Parser = CloudInitLog()
