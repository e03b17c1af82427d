"""Text of ``journalctl`` in the forms that print a line an entry: short and its variants, with-unit (linux.md 2.8).

The head line of older versions names begin and end of the journal, and with them year and zone of all stamps.
"""

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
    parsed_log,
    text_head,
)
from loganalyzer.parser_syslog import (
    NO_YEAR,
    SINCE_BOOT,
    SYSLOG_LINE,
    UNIT,
    Known,
    known_by_name,
    read_syslog,
    unit_of,
)

#: ``-- Logs begin at ..., end at ... --``, ``-- Journal begins at ... --``, ``-- No entries --``.
_HEAD = r"^-- (?:Logs begin at |Journal begins at |No entries --)"
#: A start of the machine between two lines.
_BOOT = r"^-- (?:Reboot --|Boot [0-9a-f]{32} --)"
_OWN_STAMP = r"(?:[A-Z][a-z]{2} \d{4}-\d\d-\d\d [\d:.]+ [A-Z0-9+-]+|\d{9,11}\.\d{6})"
#: Seconds since the start are the kernel's stamps too; behind its own no program stands, or one without a host.
_OWN_LINE = rf"^{_OWN_STAMP} \S+ [^\s:\[]+(?:\[\d+\])?: |^\[ *\d+\.\d{{6}}\] \S+[^\s:] (?:kernel|[^\s:\[]+\[\d+\]): "
_NAME = re.compile(r"journal[^/!]*\.(?:txt|log|out)$|journalctl[^/!]*$", re.IGNORECASE)
_END = re.compile(r"^-- .*\bends? at [A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ([A-Z0-9+-]+)\.? --", re.MULTILINE)
_MARK = Grammar("mark", r"^(?P<ts>--) (?P<msg>.*) --$", "", "utc")
_BOOT_MESSAGE = r"^(?:Reboot|Boot [0-9a-f]{32})$"
_PATH = "journalctl.txt"


class JournalText:
    """Printed lines of the systemd journal."""

    name = "journal_text"
    title = "systemd journal as lines of text: journalctl -o short, short-iso, short-precise, short-full, with-unit"
    logsource = LogSource(product="linux", service="journald")
    paths = ("journalctl --no-pager > journal.txt", "journalctl -u walinuxagent -o short-precise > journal.txt")
    named = _NAME.pattern
    otherwise = 70

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the head line, else by the name and a line with stamp and program, else by stamps that only it writes."""
        text = text_head(head)
        named = _NAME.search(path.replace("\\", "/")) is not None
        if re.search(f"{_HEAD}|{_BOOT}", text, re.MULTILINE):
            return Claim(92 if named else 70, "headed like output of journalctl")
        if named and re.search(f"{SYSLOG_LINE}|{_OWN_LINE}", text, re.MULTILINE):
            return Claim(91, "named and built like output of journalctl")
        known = re.search(_OWN_LINE, text, re.MULTILINE) is not None
        return Claim(55, "built like output of journalctl") if known else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; ``unit`` is the unit that a line is about. Head lines are no rows, starts of the machine are."""
        known = _known(text_head(source.data[:4096])) or known_by_name(source.name)
        entries, rows = read_syslog(source, context, known, first=(_MARK,))
        is_head = (pl.col("grammar") == _MARK.id) & ~pl.col("message").str.contains(_BOOT_MESSAGE)
        with_unit = pl.col("process.name").str.contains(f"^{UNIT}$").fill_null(False)
        rows = rows.filter(~is_head.fill_null(False)).with_columns(
            unit_of(pl.col("process.name"), pl.col("message")).alias("unit"),
            pl.when(~with_unit).then(pl.col("process.name")).alias("process.name"),
            pl.int_range(pl.len()).alias("event.sequence"),
        )
        return parsed_log(source, entries, self.logsource, rows.drop("grammar"))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every mode of ``journalctl -o`` that prints a line an entry."""
        return (*_short_samples(), *_variant_samples())


def _known(head: str) -> Known | None:
    """What the head line says: when the journal ended, and in which zone ``journalctl`` printed."""
    found = _END.search(head)
    if found is None:
        return None
    try:
        end = datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return Known(end, "the year is that of the journal's end, in its first line", utc=found[2] in ("UTC", "GMT"))


def _short_samples() -> tuple[Sample, ...]:
    year = "the year is that of the journal's end, in its first line"
    return (
        Sample(
            "short, with the head line and two starts",
            _PATH,
            b"-- Logs begin at Thu 2024-10-08 17:10:29 UTC, end at Wed 2025-01-08 18:00:00 UTC. --\n"
            b"Dec 31 23:59:58 vm01 systemd[1]: walinuxagent.service: Main process exited, code=exited, "
            b"status=1/FAILURE\n"
            b"-- Reboot --\n"
            b"Jan 01 00:00:02 vm01 kernel: Linux version 5.15.0-1053-azure\n"
            b"Jan 01 00:00:03 vm01 python3[1036]: 2025-01-01T00:00:02.900000Z INFO Daemon Daemon Run daemon\n",
            (
                {
                    "@timestamp": datetime(2024, 12, 31, 23, 59, 58, tzinfo=UTC),
                    "time.assumed": "the year is that of full times in the same file",
                    "unit": "walinuxagent.service",
                    "process.name": "systemd",
                    "process.pid": 1,
                    "host.name": "vm01",
                },
                {"@timestamp": None, "message": "Reboot", "process.name": None},
                {"@timestamp": datetime(2025, 1, 1, 0, 0, 2, tzinfo=UTC), "process.name": "kernel", "unit": None},
                {
                    "@timestamp": datetime(2025, 1, 1, 0, 0, 2, 900000, tzinfo=UTC),
                    "time.assumed": None,
                    "process.name": "python3",
                    "process.pid": 1036,
                    "log.level": "INFO",
                    "message": "Run daemon",
                },
            ),
        ),
        Sample(
            "short, the year known by the head line alone",
            "sos_commands/logs/journalctl_--no-pager",
            b"-- Journal begins at Thu 2024-10-08 17:10:29 CEST, ends at Wed 2025-01-08 18:00:00 CET. --\n"
            b"Dec 31 23:59:58 vm01 systemd[1]: Stopped Azure Linux Agent.\n",
            (
                {
                    "@timestamp": datetime(2024, 12, 31, 23, 59, 58, tzinfo=UTC),
                    "time.assumed": f"{year}; local time of an unknown zone, read as UTC",
                },
            ),
        ),
        Sample(
            "short, nothing tells the year",
            "journal.log",
            b"Mar 01 02:10:03 vm01 dhclient[712]: DHCPACK of 10.0.0.4 from 168.63.129.16\n",
            ({"@timestamp": None, "time.assumed": NO_YEAR, "process.name": "dhclient"},),
        ),
        Sample("nothing was printed", "journalctl.txt", b"-- No entries --\n", ()),
    )


def _variant_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "short-precise, short-iso and short-iso-precise",
            _PATH,
            b"-- Boot 0123456789abcdef0123456789abcdef --\n"
            b"Mar 01 02:10:03.250000 vm01 systemd[1]: Started Azure Linux Agent.\n"
            b"2025-03-01T03:10:04+0100 vm01 systemd[1]: Started Azure Linux Agent.\n"
            b"2025-03-01T02:10:05.500000+00:00 vm01 systemd-networkd[5]: eth0: DHCPv4 address 10.0.0.4/24\n",
            (
                {"message": "Boot 0123456789abcdef0123456789abcdef"},
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 3, 250000, tzinfo=UTC)},
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 4, tzinfo=UTC), "time.assumed": None},
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 5, 500000, tzinfo=UTC), "process.name": "systemd-networkd"},
            ),
        ),
        Sample(
            "short-full, with-unit and short-unix",
            "agent.txt",
            b"Sat 2025-03-01 02:10:03 UTC vm01 python3[1036]: a line\n"
            b"Sat 2025-03-01 03:10:04 CET vm01 walinuxagent.service[1036]: a line\n"
            b"1740795005.250000 vm01 systemd[1]: waagent.service: Scheduled restart job, restart counter is at 5.\n",
            (
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC), "time.assumed": None},
                {
                    "@timestamp": datetime(2025, 3, 1, 3, 10, 4, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "unit": "walinuxagent.service",
                    "process.name": None,
                    "process.pid": 1036,
                },
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 5, 250000, tzinfo=UTC),
                    "time.assumed": None,
                    "unit": "waagent.service",
                },
            ),
        ),
        Sample(
            "short-monotonic",
            "boot.txt",
            b"[    7.250000] vm01 systemd[1]: Starting Azure Linux Agent...\n",
            ({"@timestamp": None, "time.assumed": SINCE_BOOT, "boot_seconds": 7.25, "host.name": "vm01"},),
        ),
    )


parser: Parser = JournalText()
