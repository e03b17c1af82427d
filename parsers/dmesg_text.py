"""Messages of the kernel as ``dmesg`` prints and as ``/var/log/dmesg`` keeps them.

Plain output counts seconds since the machine started; where a message names the time of the clock, so are all others
placed. ``dmesg -T`` prints local times, which drift when the machine was suspended.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

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
from loganalyzer.parser_syslog import CLOCK, CLOCK_SAID, FACILITIES, MONTH, PLACED, SEVERITIES, SINCE_BOOT

_LEVEL = r"(?:<(?P<pri>\d{1,3})>|(?P<facility>[a-z]+\d?) *:(?P<severity>[a-z]+) *: )?"  # -r, and -x
_TEXT = r"(?: |$)(?:kernel: (?:\[ *\d+\.\d+\] )?)?(?P<msg>.*)$"
_SECONDS = r"\[ *(?P<ts>(?P<seconds>\d{1,9}\.\d{6}))\](?:\[ *[CT]\d{1,9}\])?"
_ISO = r"(?P<ts>(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d))"
_DATE = rf"\[(?P<ts>[A-Z][a-z]{{2}} (?P<date>{MONTH} +\d{{1,2}} {CLOCK} \d{{4}}))\]"
#: ``dmesg -e``, ``--reltime`` and ``-d``: minutes without a year, and seconds since the line above.
_RELATIVE = r"\[(?P<ts>[A-Z][a-z]{2} ?\d{1,2} \d\d:\d\d|< *\d+\.\d{6}>| *\+\d+\.\d{6})\]"
_GRAMMARS = (
    Grammar("seconds", f"^{_LEVEL}{_SECONDS}{_TEXT}", "", "utc"),
    Grammar("date", f"^{_LEVEL}{_DATE}{_TEXT}", "", "local"),
    Grammar("iso", f"^{_LEVEL}{_ISO}{_TEXT}", "", "utc"),
    Grammar("relative", f"^{_LEVEL}{_RELATIVE}{_TEXT}", "", "utc"),
)
#: Not the lines of ``journalctl -o short-monotonic``, which go on with a host.
_CONTENT = re.sub(
    r"\?P<\w+>", "?:", f"^{_LEVEL}(?:{_SECONDS}|{_DATE}|{_ISO}|{_RELATIVE})(?: |$)(?!\\S+ [^\\s:\\[]+(?:\\[\\d+\\])?: )"
)
_NAME = r"(?:^|[/!]|truncated_+(?:var_log_)?|_)dmesg[^/!]*$"
_DIFFERENCES = "the stamps are times since the line above, or have no year: the time is not known"


class DmesgText:
    """The kernel's ring buffer."""

    name = "dmesg_text"
    title = "kernel messages: dmesg, dmesg -T, dmesg -x, /var/log/dmesg"
    logsource = LogSource(product="linux", service="kernel")
    paths = ("var/log/dmesg*", "dmesg > dmesg.txt", "dmesg -T > dmesg.txt")
    named = _NAME
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name and a line with seconds or a date in brackets; such lines alone do under any name."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="the kernel's messages")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; ``boot_seconds`` is the time since the machine started."""
        entries = read_entries(source, _GRAMMARS, context)
        rows = _with_times(entries.rows, context)
        words = {name: number for number, name in enumerate(SEVERITIES)} | {"warn": 4}
        pri = pl.col("pri").cast(pl.Int64, strict=False)
        priority = pl.coalesce(pri % 8, pl.col("severity").replace_strict(words, default=None, return_dtype=pl.Int64))
        by_number = (pri // 8).replace_strict(dict(enumerate(FACILITIES)), default=None, return_dtype=pl.String)
        rows = rows.with_columns(
            priority.alias("priority"),
            pl.coalesce(by_number, "facility").alias("facility"),
            priority.replace_strict(dict(enumerate(SEVERITIES)), default=None, return_dtype=pl.String).alias(
                "log.level"
            ),
            pl.when(pl.col("grammar").is_not_null()).then(pl.lit("kernel")).alias("process.name"),
        )
        return parsed_log(source, entries, self.logsource, rows.drop("grammar", "pri", "severity"))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every form of a stamp."""
        return _samples()


def _with_times(rows: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    seconds = pl.col("seconds").cast(pl.Float64, strict=False)
    iso = pl.col("iso").str.replace(",", ".", literal=True).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False)
    said = pl.coalesce(pl.col("message").str.extract(CLOCK_SAID, 1), pl.col("message").str.extract(CLOCK_SAID, 2)).cast(
        pl.Float64, strict=False
    )
    started = rows.select((said - seconds).alias("started"))["started"].drop_nulls()
    wall = pl.col("date").str.to_datetime("%b %e %T%.f %Y", time_unit="us", strict=False)
    if context.time_zone is None:
        local, zone = wall.dt.replace_time_zone("UTC"), "local time of an unknown zone, read as UTC"
    else:
        given = wall.dt.replace_time_zone(context.time_zone, ambiguous="earliest", non_existent="null")
        local, zone = given.dt.convert_time_zone("UTC"), f"local time, read in the given zone {context.time_zone}"
    placed = pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    if not started.is_empty():
        micros = ((seconds + float(started[0])) * 10**6).round()
        placed = pl.from_epoch(micros.cast(pl.Int64, strict=False), time_unit="us").dt.replace_time_zone("UTC")
    why = (
        pl.when(seconds.is_not_null())
        .then(pl.lit(SINCE_BOOT if started.is_empty() else PLACED))
        .when(local.is_not_null())
        .then(pl.lit(zone))
        .when(pl.col("grammar") == "relative")
        .then(pl.lit(_DIFFERENCES))
    )
    return rows.with_columns(
        pl.coalesce(placed, local, iso.dt.cast_time_unit("us")).alias("@timestamp"),
        why.alias("time.assumed"),
        seconds.alias("boot_seconds"),
    ).drop("seconds", "iso", "date")


def _samples() -> tuple[Sample, ...]:
    started = datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC)
    return (
        Sample(
            "seconds since the start, none of them placed",
            "dmesg.txt",
            b"[    0.000000][    T0] Linux version 5.15.0-1053-azure\n[  961.250000] EXT4-fs error (device sda1): bad\n"
            b" a second line\n",
            (
                {"@timestamp": None, "time.assumed": SINCE_BOOT, "boot_seconds": 0.0, "process.name": "kernel"},
                {"boot_seconds": 961.25, "message": "EXT4-fs error (device sda1): bad\n a second line"},
            ),
        ),
        Sample(
            "the kernel names the time of its clock; levels as numbers and as words",
            "var/log/dmesg.0",
            b"[    0.000000] kernel: Command line: BOOT_IMAGE=/vmlinuz\n"
            b"<5>[    1.000000] audit: type=2000 audit(1740795004.000:1): state=initialized\n"
            b"kern  :err   : [   61.500000] Out of memory: Killed process 4711 (python3)\n",
            (
                {"@timestamp": started, "time.assumed": PLACED, "message": "Command line: BOOT_IMAGE=/vmlinuz"},
                {"@timestamp": started + timedelta(seconds=1), "priority": 5, "log.level": "notice"},
                {
                    "@timestamp": started + timedelta(seconds=61, milliseconds=500),
                    "facility": "kern",
                    "priority": 3,
                    "log.level": "err",
                },
            ),
        ),
        Sample(
            "dmesg -e and dmesg -d",
            "dmesg.out",
            b"[Mar 1 02:10] hv_vmbus: registering driver hv_netvsc\n[  +0.000012] hv_netvsc: eth0\n[<    0.1>] no\n"
            b"[<    0.000100>] sd 0:0:0:0: [sda] Attached SCSI disk\n",
            (
                {"@timestamp": None, "time.assumed": _DIFFERENCES, "process.name": "kernel"},
                {"message": "hv_netvsc: eth0\n[<    0.1>] no"},
                {"message": "sd 0:0:0:0: [sda] Attached SCSI disk", "boot_seconds": None},
            ),
        ),
        Sample(
            "dmesg -T, and stamps of ISO 8601",
            "kernel.txt",
            b"[Sat Mar  1 02:10:03 2025] sd 0:0:0:0: [sda] Attached SCSI disk\n"
            b"2025-03-01T03:10:04,250000+01:00 XFS (sda2): Unmounting Filesystem\n",
            (
                {
                    "@timestamp": started,
                    "time.assumed": "local time of an unknown zone, read as UTC",
                    "boot_seconds": None,
                    "message": "sd 0:0:0:0: [sda] Attached SCSI disk",
                },
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 4, 250_000, tzinfo=UTC),
                    "time.assumed": None,
                    "message": "XFS (sda2): Unmounting Filesystem",
                },
            ),
        ),
    )


parser: Parser = DmesgText()
