"""A parser: the log of the (invented) Contoso shield, one entry a line.

``2026-03-01 02:10:11Z [WARN] held back: /opt/snapshot by badge C-00417``
"""

from __future__ import annotations

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

STAMP = r"^(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)Z"
GRAMMARS = (Grammar("line", rf"{STAMP} \[(?P<level>[A-Z]+)\] (?P<msg>.*)$", "%Y-%m-%d %H:%M:%S", "utc"),)


class ShieldLog:
    """Times are in UTC; every level is upper case."""

    name = "contoso_shield_log"
    title = "Log of the Contoso shield (an example of a plug-in)"
    logsource = LogSource(product="linux", service="contoso_shield")
    paths = ("opt/contoso/shield.log",)

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name and by the form of its lines."""
        content = rf"{STAMP} \[[A-Z]+\] "
        return claim_by(path, head, name=r"shield\.log$", content=content, text="the log of the Contoso shield")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; a line of another form goes on with the entry before it."""
        entries = read_entries(source, GRAMMARS, context)
        return parsed_log(source, entries, self.logsource, entries.rows.drop("grammar"))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """One entry."""
        raw = b"2026-03-01 02:10:11Z [WARN] held back: /opt/snapshot by badge C-00417\n"
        event = {"log.level": "WARN", "message": "held back: /opt/snapshot by badge C-00417"}
        return (Sample("an entry", "opt/contoso/shield.log", raw, (event,)),)


parser: Parser = ShieldLog()
