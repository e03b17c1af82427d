"""extension.log of the Linux snapshot extension: four line shapes with up to three clocks (linux.md 2.5).

A  an ordinary line of Python 3: UTC, but local time in releases up to 2021-03.
B  an error of Python 3, and every line of Python 2: local time.
C  a line inside a freeze block, with the time at which it happened; logged afterwards. Clock as A.
C2 the same in Python 2, behind a shape-B prefix; and, without one, every line of the service-side log blob.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import polars as pl

from loganalyzer.clock import between_neighbours, name_offset, nearest_offset, zone_offset
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
from loganalyzer.parser_payload import with_payloads

NAME = r"VMSnapshotLinux.*[/_]extension\.log[^/]*$"
#: The bracket of shapes A and B tells this extension from others that log alike (linux.md 2.7); MyBackupTestLinuxInt
#: is its name in the public repository. A bare shape C2 is the service-side blob.
CONTENT = (
    r"^\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:ERROR:|WARNING:)?"
    r"\[(?:[\w.]*VMSnapshotLinux|MyBackupTestLinuxInt)-"
    r"|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})?  (?:Info|Warning|Error|Verbose)  "
)

#: A line with any of the stamps: under the name of the log that is enough.
ANY_HEAD = r"^\d{4}(?:/\d\d/\d\d|-\d\d-\d\d) \d\d:\d\d:\d\d(?:\.\d{6})? "

DASHES = r"(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})?)"
SLASHES = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"
BRACKET = r"\[(?P<handler>[^\]]+)-(?P<schema>[\d.]+)\]"
LEVELLED = r"  (?P<level>Info|Warning|Error|Verbose)  (?P<msg>.*?) ?$"

#: Every stamp is read as it stands; ``_set_clocks`` then says what it means.
GRAMMARS = (
    Grammar("A", rf"^{DASHES} {BRACKET}(?P<msg>.*)$", "%Y-%m-%d %H:%M:%S%.f", "utc"),
    Grammar("C", rf"^(?P<ts>{SLASHES}\.\d{{6}}){LEVELLED}", "%Y/%m/%d %H:%M:%S%.f", "utc"),
    Grammar("C2", rf"^{DASHES}{LEVELLED}", "%Y-%m-%d %H:%M:%S%.f", "utc"),
    Grammar(
        "C2 behind B",
        rf"^(?P<outer>{SLASHES}) (?:ERROR:|WARNING:)?(?:{BRACKET}\s?)?{DASHES}{LEVELLED}",
        "%Y-%m-%d %H:%M:%S%.f",
        "utc",
    ),
    Grammar(
        "B", rf"^(?P<ts>{SLASHES}) (?:(?P<level>ERROR|WARNING):)?{BRACKET}\s?(?P<msg>.*)$", "%Y/%m/%d %H:%M:%S", "utc"
    ),
)

#: Python 2 puts stamp and level, but no bracket, in front of the further lines of a message.
FURTHER_LINE = rf"(?m)^{SLASHES}(?:$| (?:ERROR:|WARNING:)?)"

#: The UTC time that a run writes down about itself.
OWN_UTC = r"command start time is .* and utcNow is (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"
#: Small, so that a guest whose clock is wrong by some hours is rarely taken for one that writes local time.
PROMPT = timedelta(seconds=10)

EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
FOLDER = f"var/log/azure/{EXTENSION}"


class VMSnapshotExtensionLog:
    """The log of the snapshot extension's Python program and of its host daemon."""

    name = "vmsnapshot_extension_log"
    title = "Linux snapshot extension log (extension.log, host_based_extension.log)"
    logsource = LogSource(product="linux", service="vmsnapshot")
    paths = (f"{FOLDER}/extension.log*", f"{FOLDER}/*/extension.log*", f"{FOLDER}/host_based_extension.log")
    named = NAME
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the extension's name in the path and any line's stamp, or by its name in a line's bracket."""
        named = re.search(NAME, path.replace("\\", "/"), re.IGNORECASE) is not None
        content = ANY_HEAD if named else CONTENT
        return claim_by(path, head, name=NAME, content=content, text="the Linux snapshot extension's log")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame; ``shape`` is A, B, C or C2 (null: lines before the first stamp)."""
        entries = read_entries(source, GRAMMARS, context)
        rows = _set_clocks(entries.rows, context)
        framed = pl.col("grammar").is_in(["B", "C2 behind B"])
        unframed = pl.col("message").str.replace_all(FURTHER_LINE, "").str.strip_chars_end("\n ")
        rows = rows.with_columns(
            pl.when(framed).then(unframed).otherwise(pl.col("message")).alias("message"),
            pl.col("log.level").str.to_uppercase(),
            pl.col("grammar").replace({"C2 behind B": "C2", "overflow": None}).alias("shape"),
        ).drop("grammar", "schema")
        return parsed_log(source, entries, self.logsource, with_payloads(rows))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Each shape, in the company in which it is found."""
        return (*_python3_samples(), _older_python3_sample(), *_python2_samples())


def _set_clocks(rows: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    """Gives every stamp its meaning: first those of shapes A, C and C2, then the local ones by their help."""
    outer = pl.col("outer").str.to_datetime("%Y/%m/%d %H:%M:%S", time_unit="us", strict=False)
    own = pl.col("message").str.extract(OWN_UTC).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    rows = rows.with_columns(
        pl.col("@timestamp").dt.replace_time_zone(None).alias("naive"), outer.alias("outer"), own.alias("own")
    ).with_columns(
        zone_offset(pl.col("outer") - pl.col("naive"), timedelta(minutes=5)).alias("lead"),
        zone_offset(pl.col("naive") - pl.col("own"), PROMPT).alias("shown"),
    )
    # A block of Python 2 whose inner and outer stamps agree was written by a release that logs local time.
    local = (pl.col("grammar") == "B") | (pl.col("lead") == timedelta(0))
    rows = rows.with_columns(local.fill_null(False).alias("local"))
    rows = _set_local_clock(_set_main_clock(rows), context)
    return rows.drop("naive", "outer", "own", "lead", "shown", "local")


def _set_main_clock(rows: pl.DataFrame) -> pl.DataFrame:
    """Shapes A, C and C2: UTC, unless a line that names the UTC time shows an offset."""
    main = rows.select(
        pl.when(~pl.col("local")).then("naive").alias("stamp"), pl.when(~pl.col("local")).then("shown").alias("offset")
    )
    return _shift(rows, nearest_offset(main["stamp"], main), "measured at the log's own utcNow")


def _set_local_clock(rows: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    """Shape B: by what the log shows, else in the given zone, else read as UTC."""
    stamp = pl.when("local").then("naive")
    utc = pl.when(~pl.col("local")).then(pl.col("@timestamp").dt.replace_time_zone(None))
    framed = pl.col("lead") != timedelta(0)
    shown = pl.when(pl.col("local") | (pl.col("shown") != timedelta(0))).then("shown")
    measured = rows.select(
        pl.when(framed).then("outer").otherwise("naive").alias("stamp"),
        pl.coalesce(pl.when(framed).then("lead"), shown, between_neighbours(stamp, utc)).alias("offset"),
    )
    if not measured.drop_nulls().is_empty():
        offset = nearest_offset(rows.select(stamp.alias("stamp"))["stamp"], measured)
        return _shift(rows, offset, "measured at UTC times beside it", say_zero=True)
    zone = context.time_zone
    why = f"local time, read in the given zone {zone}" if zone else "local time of an unknown zone, read as UTC"
    aware = stamp.dt.replace_time_zone(zone or "UTC", ambiguous="earliest", non_existent="null")
    return rows.with_columns(
        pl.coalesce(aware.dt.convert_time_zone("UTC"), pl.when(~pl.col("local")).then("@timestamp")).alias(
            "@timestamp"
        ),
        pl.coalesce(pl.when(stamp.is_not_null()).then(pl.lit(why)), "time.assumed").alias("time.assumed"),
    )


def _shift(rows: pl.DataFrame, offset: pl.Series, how: str, *, say_zero: bool = False) -> pl.DataFrame:
    """Moves stamps of a clock to UTC by its offset (null: leave it) and says so; of no offset only on demand."""
    moves = pl.col("offset").is_not_null() & (pl.lit(say_zero) | (pl.col("offset") != timedelta(0)))
    why = pl.concat_str(pl.lit("local time, "), name_offset(pl.col("offset")), pl.lit(f" {how}"))
    moved = rows.with_columns(offset.alias("offset")).with_columns(
        pl.when(moves).then(pl.col("@timestamp") - pl.col("offset")).otherwise("@timestamp").alias("@timestamp"),
        pl.when(moves).then(why).otherwise("time.assumed").alias("time.assumed"),
    )
    return moved.drop("offset")


def _python3_samples() -> tuple[Sample, ...]:
    a = b" [Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0]"
    return (
        Sample(
            "Python 3: UTC lines, a freeze block with true times, a local error between UTC lines",
            f"{FOLDER}/extension.log",
            b"2025-03-01 02:10:04.512833" + a + b"starting enable\n"
            b"2025/03/01 03:10:05 ERROR:[Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0]"
            b"Failed to decrypt protected settings using both CMS and SMIME commands\n"
            b"2025-03-01 02:10:12" + a + b"T:S doing snapshot now...\r\n"
            b"2025-03-01 02:10:31.443120" + a + b"\n"
            b"================== Logs during Freeze Start ==============\n"
            b"2025/03/01 02:10:17.002551  Info  ****** 4. Freeze Completed (Signal=1 received) \n"
            b"2025/03/01 02:10:30.998210  Info  2025-03-01 03:10:14 Freezing: / \n"
            b"2025/03/01 02:10:31.100000  Warning  T:S Enable failed with error: freeze failed\n"
            b" StatusCode.FailedRetryableFsFreezeFailed, \n"
            b"================== Logs during Freeze End ==============\n"
            b"2025-03-01 02:10:40.100000" + a + b"\n",
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 4, 512833, tzinfo=UTC),
                    "time.assumed": None,
                    "shape": "A",
                    "handler": EXTENSION,
                    "log.level": None,
                    "message": "starting enable",
                },
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 5, tzinfo=UTC),
                    "time.assumed": "local time, UTC+01:00 measured at UTC times beside it",
                    "shape": "B",
                    "log.level": "ERROR",
                    "message": "Failed to decrypt protected settings using both CMS and SMIME commands",
                },
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 12, tzinfo=UTC), "message": "T:S doing snapshot now..."},
                {"shape": "A", "message": "\n================== Logs during Freeze Start =============="},
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 17, 2551, tzinfo=UTC),
                    "shape": "C",
                    "handler": None,
                    "log.level": "INFO",
                    "message": "****** 4. Freeze Completed (Signal=1 received)",
                },
                {"log.level": "INFO", "message": "2025-03-01 03:10:14 Freezing: /"},
                {
                    "log.level": "WARNING",
                    "message": "T:S Enable failed with error: freeze failed\n"
                    " StatusCode.FailedRetryableFsFreezeFailed, \n"
                    "================== Logs during Freeze End ==============",
                },
                {"shape": "A", "message": ""},
            ),
        ),
        Sample(
            "a release that wrote local time: its own utcNow shows the offset",
            f"{FOLDER}/host_based_extension.log",
            b"2020-07-01 07:40:00.000000" + a + b"starting daemon initially\n"
            b"2020-07-01 07:40:02.250000"
            + a
            + b"command start time is 2020-07-01 02:09:00 and utcNow is 2020-07-01 02:10:02\n"
            b"2020/07/01 07:40:03 ERROR:[Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0]Unable to start\n",
            (
                {
                    "@timestamp": datetime(2020, 7, 1, 2, 10, 0, tzinfo=UTC),
                    "time.assumed": "local time, UTC+05:30 measured at the log's own utcNow",
                },
                {"@timestamp": datetime(2020, 7, 1, 2, 10, 2, 250000, tzinfo=UTC)},
                {"@timestamp": datetime(2020, 7, 1, 2, 10, 3, tzinfo=UTC), "shape": "B"},
            ),
        ),
        Sample(
            "only a traceback: the program died before it could log",
            f"{FOLDER}/extension.log",
            b'Traceback (most recent call last):\n  File "main/handle.py", line 20\n'
            b"ImportError: No module named example\n",
            (
                {
                    "@timestamp": None,
                    "shape": None,
                    "message": 'Traceback (most recent call last):\n  File "main/handle.py", line 20\n'
                    "ImportError: No module named example",
                },
            ),
        ),
        Sample(
            "the service-side log blob",
            "vmsnapshot-blob.txt",
            b"2025-03-01 02:10:17.002551  Info  freezed \n2025-03-01 02:10:18  Verbose  done \n"
            b"2025-03-01 02:10:19.000001  Error  failed \n",
            (
                {"shape": "C2", "log.level": "INFO", "message": "freezed", "time.assumed": None},
                {"shape": "C2", "log.level": "VERBOSE", "@timestamp": datetime(2025, 3, 1, 2, 10, 18, tzinfo=UTC)},
                {"shape": "C2", "log.level": "ERROR", "message": "failed"},
            ),
        ),
    )


def _older_python3_sample() -> Sample:
    a = b" [Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0]"
    return Sample(
        "Python 3 before 2020-03: a freeze block without marks around it",
        f"{FOLDER}/extension.log",
        b"2019-11-01 02:10:31.443120" + a + b"\n2019/11/01 02:10:17.002551  Info  freezed \n"
        b"2019/11/01 02:10:18.000000  Error  T:S Enable failed with error: freeze failed \n"
        b"2019-11-01 02:10:40" + a + b"T:S snapshotall ends...\n",
        (
            {"shape": "A", "message": ""},
            {"shape": "C", "log.level": "INFO", "message": "freezed"},
            {"shape": "C", "log.level": "ERROR", "@timestamp": datetime(2019, 11, 1, 2, 10, 18, tzinfo=UTC)},
            {"shape": "A", "@timestamp": datetime(2019, 11, 1, 2, 10, 40, tzinfo=UTC)},
        ),
    )


def _python2_samples() -> tuple[Sample, ...]:
    b = b" [Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0]"
    return (
        Sample(
            "Python 2: every line is local, further lines have a stamp of their own",
            f"{FOLDER}/1.0.9103.0/extension.log",
            b"2016/05/25 01:00:02" + b + b"starting enable\n"
            b"2016/05/25 01:00:03 ERROR:[Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0]Failed to enable\n"
            b"2016/05/25 01:00:03 ERROR:Traceback (most recent call last):\n"
            b"2016/05/25 01:00:04" + b + b"2016-05-25 01:00:04.519872  Info  freezing the mount: /data \n"
            b"2016/05/25 01:00:04 \n"
            b"2016/05/25 01:00:05 2016-05-25 01:00:05.000001  Warning  no bracket \n",
            (
                {
                    "shape": "B",
                    "@timestamp": datetime(2016, 5, 25, 1, 0, 2, tzinfo=UTC),
                    "log.level": None,
                    "message": "starting enable",
                    "time.assumed": "local time of an unknown zone, read as UTC",
                },
                {
                    "log.level": "ERROR",
                    "message": "Failed to enable\nTraceback (most recent call last):",
                },
                {
                    "shape": "C2",
                    "handler": EXTENSION,
                    "@timestamp": datetime(2016, 5, 25, 1, 0, 4, 519872, tzinfo=UTC),
                    "log.level": "INFO",
                    "message": "freezing the mount: /data",
                    "time.assumed": "local time of an unknown zone, read as UTC",
                },
                {"shape": "C2", "handler": None, "log.level": "WARNING", "message": "no bracket"},
            ),
        ),
        Sample(
            "Python 2 with UTC inside and local time outside: the difference is the offset",
            f"{FOLDER}/extension.log",
            b"2022/08/01 04:00:00" + b + b"T:S freeze\n"
            b"2022/08/01 04:00:30" + b + b"2022-08-01 08:00:10.000001  Info  freezed \n",
            (
                {
                    "@timestamp": datetime(2022, 8, 1, 8, 0, 0, tzinfo=UTC),
                    "time.assumed": "local time, UTC-04:00 measured at UTC times beside it",
                },
                {"@timestamp": datetime(2022, 8, 1, 8, 0, 10, 1, tzinfo=UTC), "time.assumed": None},
            ),
        ),
    )


parser: Parser = VMSnapshotExtensionLog()
