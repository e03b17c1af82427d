"""``/var/log/yum.log``: stamps of a system log without host and process, and no year (linux.md 2.8)."""

from __future__ import annotations

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, parsed_log
from loganalyzer.parser_packages import LOGSOURCE, action_of, package_of
from loganalyzer.parser_syslog import NO_YEAR, OLD_STAMP, read_syslog

_NAME = r"(?:^|[/!])yum\.log(?:[.-]\d+)?$"
_VERBS = "Installed|Updated|Erased|Dep-Installed|Obsoleted|Reinstalled|Downgraded"
_LINE = rf"^(?:{OLD_STAMP}) (?:{_VERBS}): \S+\s*$"
_PACKAGE = pl.Struct({"package": pl.String, "version": pl.String, "arch": pl.String})


class YumLog:
    """One row a package."""

    name = "yum_log"
    title = "history of yum: /var/log/yum.log"
    logsource: LogSource = LOGSOURCE
    paths = ("var/log/yum.log*",)
    named = _NAME
    otherwise = 55
    samples = (
        Sample(
            "an update of the agent, and one of a package with an epoch",
            "var/log/yum.log",
            b"Mar 01 02:10:03 Updated: WALinuxAgent-2.2.46-2.el7_9.1.noarch\n"
            b"Mar 01 02:10:04 Erased: 12:dhclient-4.2.5-83.el7.x86_64\n",
            (
                {
                    "@timestamp": None,
                    "time.assumed": NO_YEAR,
                    "tool": "yum",
                    "action": "upgrade",
                    "package": "WALinuxAgent",
                    "version": "2.2.46-2.el7_9.1",
                    "arch": "noarch",
                    "message": "Updated: WALinuxAgent-2.2.46-2.el7_9.1.noarch",
                },
                {"action": "remove", "package": "dhclient", "version": "4.2.5-83.el7"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By a line with one of yum's words; it goes before a system log, which has programs in their place."""
        claim = claim_by(path, head, name=_NAME, content=_LINE, text="the history of yum")
        return Claim(55, claim.why) if claim is not None and claim.strength == 50 else claim

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; a stamp has a year only where the file or the bundle tells it."""
        entries, rows = read_syslog(source, context)
        verb = pl.col("process.name")
        named = pl.when(verb.str.contains(f"^(?:{_VERBS})$")).then(verb)
        package = pl.col("message").str.extract(r"^(\S+)\s*$").map_elements(_parts, return_dtype=_PACKAGE)
        rows = rows.with_columns(
            pl.lit("yum").alias("tool"),
            named.map_elements(action_of, return_dtype=pl.String).alias("action"),
            pl.when(named.is_not_null()).then(package).alias("found"),
            pl.concat_str(pl.when(verb.is_not_null()).then(verb + ": ").otherwise(pl.lit("")), "message").alias(
                "message"
            ),
            pl.lit("yum").alias("process.name"),
        ).unnest("found")
        own = ("tool", "action", "package", "version", "arch")
        shared = [name for name in rows.columns if "." in name or name in ("@timestamp", "message")]
        return parsed_log(source, entries, self.logsource, rows.select(*shared, *own))


def _parts(text: str) -> dict[str, object]:
    return {"version": None, "arch": None} | package_of(text)


parser: Parser = YumLog()
