"""The parser kit for lines of syslog daemons and of journalctl: stamp, host, program, message (linux.md 2.8).

The stamps of RFC 3164 have neither year nor zone. Both are taken from full times that the same file names: in messages
(the Linux agent's own lines, audit records, the kernel's clock), in stamps of another form, in the date of its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl
from msgspec import Struct

from loganalyzer.clock import name_offset, nearest_offset, zone_offset
from loganalyzer.parser import HEAD_SIZE, Entries, Grammar, ParseContext, Source, read_entries, text_head
from loganalyzer.parser_agent import take_agent_lines_apart
from loganalyzer.schema import TIMESTAMP

#: Facilities and severities by number (RFC 3164, syslog(3)); a priority in front of a line is 8 * facility + severity.
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "security", "console", "solaris-cron"),
    *(f"local{number}" for number in range(8)),
)
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_OTHER_SEVERITIES = {"panic": 0, "error": 3, "warn": 4}

NO_YEAR = "the stamp has no year and nothing in the file tells it: the time is not known"
SINCE_BOOT = "the stamp counts seconds since the machine started: the time is not known"
PLACED = "seconds since the machine started, placed by a time that the kernel names"
#: What the kernel says of the clock: seconds since 1970.
CLOCK_SAID = r"setting system clock to .* UTC \((\d{9,10})\)|\baudit\((\d{9,10}\.\d{3}):\d+\)"

MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
CLOCK = r"\d{1,2}:\d\d:\d{1,2}(?:[.,]\d{1,9})?"
_ISO_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))"
OLD_STAMP = rf"(?:\d{{4}} )?{MONTH} {{1,2}}\d{{1,2}} (?:\d{{4}} )?{CLOCK}(?: (?:19|20)\d\d)?"
ISO_STAMP = rf"\d{{4}}-\d\d-\d\d[T ]{CLOCK}{_ISO_ZONE}?"
_NAMED_STAMP = rf"[A-Z][a-z]{{2}} \d{{4}}-\d\d-\d\d {CLOCK} [A-Z0-9+-]{{1,6}}"
_UNIX_STAMP = r"\d{9,11}\.\d{6}"
_SINCE_BOOT = r"\[ *\d{1,9}\.\d{6}\]"
STAMP = rf"(?:{OLD_STAMP}|{ISO_STAMP}|{_NAMED_STAMP})"
_ANY_STAMP = rf"(?:{OLD_STAMP}|{ISO_STAMP}|{_NAMED_STAMP}|{_UNIX_STAMP}|{_SINCE_BOOT})"
_ANY_HEAD = rf"^(?:<\d{{1,3}}>)?(?:1 (?:{ISO_STAMP}|-)|{_ANY_STAMP})"

HOST = r"[^\s\[\]<>]*[^\s\[\]<>:]"
PROGRAM = r"[^\s:\[\]]{1,128}"
TAG = rf"(?P<process>{PROGRAM})(?:\[(?P<pid>\d{{1,10}})\])?:(?: |$)"
_PRI = r"(?:<(?P<pri>\d{1,3})>)?"
_LEVEL = rf"(?:(?P<facility>{'|'.join(FACILITIES)})\.(?P<severity>{'|'.join((*SEVERITIES, *_OTHER_SEVERITIES))}) )?"

UNIT = r"[\w@:.\\-]+\.(?:service|socket|timer|mount|automount|swap|target|path|slice|scope|device)"

NO_TAG = "no program"
#: A line of a syslog daemon, most specific first. A relay sets its own stamp and name before those of the origin.
#: A copy that took the host out may have left the blank behind it.
SYSLOG_GRAMMARS = (
    Grammar(
        "rfc 5424",
        rf"^{_PRI}1 (?P<ts>(?P<stamp>{ISO_STAMP}|-)) (?P<host>\S+) (?P<process>\S+) (?P<pid>\S+) (?P<msgid>\S+) "
        r"(?P<structured_data>-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: |$)(?P<msg>.*)$",
        "",
        "utc",
    ),
    Grammar(
        "program",
        rf"^{_PRI}(?:{STAMP} (?P<relay>{HOST}) {_PRI.replace('pri', 'inner_pri')})?(?P<ts>(?P<stamp>{_ANY_STAMP})) "
        rf"(?:(?P<host>{HOST})? )?{_LEVEL}{TAG}(?P<msg>.*)$",
        "",
        "local",
    ),
    Grammar(NO_TAG, rf"^{_PRI}(?P<ts>(?P<stamp>{_ANY_STAMP}))(?: |$)(?P<msg>.*)$", "", "local"),
)
#: The same in an excerpt that lost its times: without a stamp, a process or the kernel is needed.
_STAMPLESS = Grammar(
    "no stamp",
    rf"^(?P<ts>)(?:(?P<host>{HOST}) )?(?P<process>{PROGRAM})\[(?P<pid>\d{{1,10}})\]: (?P<msg>.*)$",
    "",
    "utc",
)
_STAMPLESS_KERNEL = Grammar(
    "no stamp of the kernel", rf"^(?P<ts>)(?:(?P<host>{HOST}) )?(?P<process>kernel): (?P<msg>.*)$", "", "utc"
)
STAMPLESS_LINE = rf"^(?:{HOST} )?(?:kernel|{PROGRAM}\[\d{{1,10}}\]): "
#: A whole line inside a message: what handed it on set its own head before it.
_LINE_IN_MESSAGE = rf"^(?:<\d{{1,3}}>)?({STAMP}) (?:({HOST}) )?({PROGRAM})(?:\[(\d{{1,10}})\])?:(?: |$)((?s:.*))$"

#: A line with a program, for claims.
SYSLOG_LINE = (
    rf"^(?:<\d{{1,3}}>)?(?:{STAMP} {HOST} (?:<\d{{1,3}}>)?)?{STAMP} (?:(?:{HOST})? )?(?:\w{{3,12}}\.\w{{3,7}} )?"
    rf"{PROGRAM}(?:\[\d{{1,10}}\])?:(?: |$)"
)
#: The same where nothing but the line tells what it is: with a stamp that other logs have too, a process is needed.
CERTAIN_SYSLOG_LINE = (
    rf"^(?:<\d{{1,3}}>)?{OLD_STAMP} (?:{HOST} )?{PROGRAM}(?:\[\d{{1,10}}\])?:(?: |$)"
    rf"|^(?:<\d{{1,3}}>)?{ISO_STAMP} {HOST} (?:kernel|{PROGRAM}\[\d{{1,10}}\]):(?: |$)"
)
NEW_SYSLOG_LINE = rf"^(?:<\d{{1,3}}>)?1 (?:{ISO_STAMP}|-) \S+ \S+ \S+ \S+ (?:-|\[)"

#: A time that a message names: with its zone where that is UTC.
_NAMED_TIME = r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?( ?(?:Z\b|UTC\b|\+00:?00\b))?"
_AUDIT_TIME = r"\baudit\((\d{9,10})\.\d{3}:\d+\)"
_KERNEL_SECONDS = r"^\[ *(\d{1,9}\.\d{1,6})\] ?"

#: Half a year: a stamp without a year that goes back by more began a new one.
_HALF_YEAR = timedelta(days=183)
#: In a leap year, as all stamps are compared: one that goes on by more is a line of the old year that came late.
_NEARLY_A_YEAR = timedelta(days=365)
#: No zone is farther from another than this: times of one moment lie within it.
_SAME_MOMENT = timedelta(hours=14, minutes=5)
_DATE_IN_NAME = re.compile(r"[.-](20\d\d)-?(\d\d)-?(\d\d)(?=[.-]|$)")


class Known(Struct, frozen=True):
    """What is known of a file's stamps from outside of its lines.

    ``until`` is a wall-clock time that no stamp lies behind, with the reason to believe it; ``utc``: stamps are UTC.
    """

    until: datetime | None = None
    why: str = ""
    utc: bool = False


def known_by_name(name: str) -> Known:
    """What the name of a rotated log tells: ``messages-20250901.gz`` was closed on that day."""
    found = _DATE_IN_NAME.search(name)
    if found is None:
        return Known()
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return Known()
    return Known(day + timedelta(days=1), "the year is that of the date in the file's name")


def read_syslog(
    source: Source,
    context: ParseContext,
    known: Known | None = None,
    *,
    first: tuple[Grammar, ...] = (),
) -> tuple[Entries, pl.DataFrame]:
    """Reads lines of a syslog daemon or of ``journalctl``: what was cut, and its rows.

    Rows have the shared columns, ``grammar`` and ``facility``, ``priority`` (severity as a number, 0 is worst),
    ``relay``, ``boot_seconds``, ``handler``, ``handler_version``, ``agent_stamp``, ``msgid``, ``structured_data``. A
    line of the Linux agent inside a message is taken apart: its text is the message, its time and level go before
    those of the line.
    ``first`` are grammars of further lines, with ``ts`` and ``msg`` only; they have no time.
    """
    has_times = re.search(_ANY_HEAD, text_head(source.data[:HEAD_SIZE]), re.MULTILINE) is not None
    further = () if has_times else (_STAMPLESS, _STAMPLESS_KERNEL)
    entries = read_entries(source, (*first, *SYSLOG_GRAMMARS, *further), context)
    rows = _named_columns(_lines_in_messages(_without_unknown_hosts(entries.rows)))
    rows = take_agent_lines_apart(rows)
    return entries, _with_times(rows, context, known or known_by_name(source.name))


def unit_of(process: pl.Expr, message: pl.Expr) -> pl.Expr:
    """The unit that a line is about: systemd names it before its text, ``-o with-unit`` in place of the program."""
    named = message.str.extract(rf"^({UNIT}): ")
    return pl.when(process == "systemd").then(named).otherwise(process.str.extract(rf"^({UNIT})$"))


def _without_unknown_hosts(rows: pl.DataFrame) -> pl.DataFrame:
    """In a line without a program the first word is the host where other lines of the file name this host."""
    hosts = rows["host"].drop_nulls().unique().to_list()
    untagged = pl.col("grammar") == NO_TAG
    word = pl.col("message").str.extract(r"^(\S+)(?: |$)")
    leads = untagged & word.is_in(hosts)
    rest = pl.col("message").str.replace(r"^\S+ ?", "")
    return rows.with_columns(
        pl.when(leads).then(word).otherwise(pl.col("host")).alias("host"),
        pl.when(leads).then(rest).otherwise(pl.col("message")).alias("message"),
    )


def _lines_in_messages(rows: pl.DataFrame) -> pl.DataFrame:
    """Takes a line that stands inside the message of another for the event; who handed it on is the relay."""
    rows = rows.with_columns(pl.col("message").str.extract_groups(_LINE_IN_MESSAGE).alias("inner"))
    part = pl.col("inner").struct.field
    doubled = part("1").is_not_null()
    full = part("1").str.contains(r"^(?:[A-Z][a-z]{2} )?\d{4}-")  # the inner stamp says more only if it has a year
    names = {"process": "3", "pid": "4", "message": "5"}
    return rows.with_columns(
        pl.when(doubled).then(pl.coalesce("relay", "host")).otherwise("relay").alias("relay"),
        pl.when(doubled).then(pl.coalesce(part("2"), "host")).otherwise("host").alias("host"),
        pl.when(full).then(part("1")).otherwise("stamp").alias("stamp"),
        *(pl.when(doubled).then(part(field)).otherwise(name).alias(name) for name, field in names.items()),
    ).drop("inner")


def _named_columns(rows: pl.DataFrame) -> pl.DataFrame:
    pri = pl.coalesce("inner_pri", "pri").cast(pl.Int64, strict=False)
    pri = pl.when(pri < 8 * len(FACILITIES)).then(pri)
    words = {name: number for number, name in enumerate(SEVERITIES)} | _OTHER_SEVERITIES
    priority = pl.coalesce(pri % 8, pl.col("severity").replace_strict(words, default=None, return_dtype=pl.Int64))
    facility = (pri // 8).replace_strict(dict(enumerate(FACILITIES)), default=None, return_dtype=pl.String)
    seconds = pl.col("message").str.extract(_KERNEL_SECONDS)
    from_kernel = (pl.col("process") == "kernel").fill_null(False) & seconds.is_not_null()
    named = {name: pl.when(pl.col(name) != "-").then(pl.col(name)) for name in ("host", "process", "msgid")}
    return rows.with_columns(
        named["host"].alias("host.name"),
        named["process"].alias("process.name"),
        pl.col("pid").cast(pl.Int64, strict=False).alias("process.pid"),
        pl.coalesce(facility, "facility").alias("facility"),
        priority.alias("priority"),
        priority.replace_strict(dict(enumerate(SEVERITIES)), default=None, return_dtype=pl.String).alias("log.level"),
        pl.when(from_kernel).then(seconds).cast(pl.Float64, strict=False).alias("boot_seconds"),
        pl.when(from_kernel)
        .then(pl.col("message").str.replace(_KERNEL_SECONDS, ""))
        .otherwise(pl.col("message"))
        .alias("message"),
        named["msgid"].alias("msgid"),
        pl.when(pl.col("structured_data") != "-").then(pl.col("structured_data")).alias("structured_data"),
    ).drop("host", "process", "pid", "pri", "inner_pri", "severity")


def _with_times(rows: pl.DataFrame, context: ParseContext, known: Known) -> pl.DataFrame:
    """``@timestamp`` and ``time.assumed`` from ``stamp``, what messages say, and what is known of the file."""
    rows = _with_years(_stamp_parts(rows), known)
    full = pl.concat_str("full_year", pl.lit("-"), "month_day", pl.lit(" "), "clock")
    rows = rows.with_columns(full.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).alias("wall"))
    rows = rows.with_columns(_exact(rows).alias("exact"), _zone_offsets(rows).alias("offset"))
    local, why = _local_times(context, known)
    waits = pl.col("exact").is_null() & pl.col("wall").is_not_null()
    assumed = pl.concat_list(pl.when(pl.col("year").is_null()).then(pl.col("year_why")), why).list.drop_nulls()
    unknown = (
        pl.when(pl.col("stamp").str.starts_with("["))
        .then(pl.lit(SINCE_BOOT))
        .when(pl.col("month_day").is_not_null() & pl.col("full_year").is_null())
        .then(pl.lit(NO_YEAR))
    )
    stated = pl.when(waits).then(assumed.list.join("; ")).when(pl.col("exact").is_null()).then(unknown)
    rows = rows.with_columns(pl.coalesce("exact", local).alias("@timestamp"), stated.alias("time.assumed"))
    rows = rows.with_columns(
        pl.when(pl.col("time.assumed").str.len_chars() > 0).then(pl.col("time.assumed")).alias("time.assumed"),
        pl.coalesce("boot_seconds", pl.col("stamp").str.extract(r"^\[ *([\d.]+)\]$").cast(pl.Float64)),
    )
    return rows.drop(
        *("stamp", "year", "month_day", "clock", "zone", "full_year", "year_why", "wall", "exact"),
        *("offset", "said", "said_utc"),
    )


def _stamp_parts(rows: pl.DataFrame) -> pl.DataFrame:
    """Splits stamps: ``year`` (null: not written), ``month_day`` (``08-01``), ``clock``, ``zone``.

    ``said`` is a time that the message names, ``said_utc`` whether it is UTC.
    """
    stamp = pl.col("stamp").str.replace(",", ".", literal=True)
    old = _old_stamp(stamp)
    iso = stamp.str.extract_groups(
        rf"^(?:[A-Z][a-z]{{2}} )?(\d{{4}})-(\d\d-\d\d)[T ]({CLOCK}) ?([A-Z0-9:+-]{{1,6}})?$"
    ).struct
    agent = pl.col("agent_stamp").fill_null("")
    text = pl.concat_str(agent, pl.lit(" "), pl.col("message").fill_null(""))
    named = text.str.extract_groups(_NAMED_TIME).struct
    said = pl.concat_str(
        *(named.field("1"), pl.lit("-"), named.field("2"), pl.lit("-"), named.field("3"), pl.lit(" "), named.field("4"))
    ).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    audit = pl.from_epoch(text.str.extract(_AUDIT_TIME).cast(pl.Int64, strict=False), time_unit="s").cast(
        pl.Datetime("us")
    )
    return rows.with_columns(
        pl.coalesce(iso.field("1"), old["year"]).cast(pl.Int32).alias("year"),
        pl.coalesce(iso.field("2"), old["month_day"]).alias("month_day"),
        pl.coalesce(iso.field("3"), old["clock"]).alias("clock"),
        iso.field("4").alias("zone"),
        pl.coalesce(audit, said).alias("said"),
        (audit.is_not_null() | named.field("5").is_not_null()).fill_null(False).alias("said_utc"),
    )


def _old_stamp(stamp: pl.Expr) -> Mapping[str, pl.Expr]:
    """``year`` (null: not written), ``month_day`` and ``clock`` of a stamp with the name of a month."""
    old = stamp.str.extract_groups(
        rf"^(?:(\d{{4}}) )?({MONTH}) {{1,2}}(\d{{1,2}}) (?:(\d{{4}}) )?({CLOCK})(?: (\d{{4}}))?$"
    ).struct
    months = {name: f"{number:02}" for number, name in enumerate(re.findall("[A-Z][a-z]{2}", MONTH), 1)}
    month = old.field("2").replace_strict(months, default=None, return_dtype=pl.String)
    return {
        "year": pl.coalesce(old.field("1"), old.field("4"), old.field("6")),
        "month_day": pl.concat_str(month, pl.lit("-"), old.field("3").str.zfill(2)),
        "clock": old.field("5"),
    }


def _with_years(rows: pl.DataFrame, known: Known) -> pl.DataFrame:
    """Adds ``full_year`` and ``year_why``: each full time in the file gives the year of the lines around it."""
    rows = with_turns(rows).with_columns(_said_year().alias("said_year"))
    rows = rows.with_columns((pl.coalesce("year", "said_year") - pl.col("turns")).alias("base"))
    why = pl.lit("the year is that of full times in the same file")
    if rows["base"].null_count() == rows.height and known.until is not None:
        rows = rows.with_columns(_base_before(rows, known.until).alias("base"))
        why = pl.lit(known.why)
    year = pl.coalesce("year", pl.col("base").forward_fill().backward_fill() + pl.col("turns"))
    return rows.with_columns(
        pl.when(pl.col("month_day").is_not_null()).then(year).cast(pl.String).str.zfill(4).alias("full_year"),
        why.alias("year_why"),
    ).drop("leap", "turns", "said_year", "base")


def with_turns(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds ``leap``, the stamp as one of the year 2000, and ``turns``: how many New Years lie before it in its log.

    The stamps of a log go on from New Year to New Year.
    """
    leap = pl.concat_str(pl.lit("2000-"), "month_day", pl.lit(" "), "clock")
    rows = rows.with_columns(leap.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).alias("leap"))
    before = pl.col("leap").forward_fill().shift()
    step = (
        pl.when(pl.col("leap") - before < -_HALF_YEAR).then(1).when(pl.col("leap") - before > _NEARLY_A_YEAR).then(-1)
    )
    return rows.with_columns(step.fill_null(0).cum_sum().alias("turns"))


def yearless_stamps(rows: pl.DataFrame) -> pl.DataFrame:
    """``place`` (row number), ``month_day`` and ``clock`` of the rows whose time is unknown for want of a year."""
    if not (rows["time.assumed"] == NO_YEAR).any():
        return pl.DataFrame(schema={"place": pl.UInt32, "month_day": pl.String, "clock": pl.String})
    line = pl.col("event.original").str.extract(r"^([^\n]*)")
    stamps = [line.str.extract_groups(grammar.regex).struct.field("stamp") for grammar in SYSLOG_GRAMMARS]
    wanted = rows.with_row_index("place").filter(
        pl.col("@timestamp").is_null() & (pl.col("time.assumed") == NO_YEAR), pl.col("event.original").is_not_null()
    )
    parts = _old_stamp(pl.coalesce(stamps).str.replace(",", ".", literal=True))
    found = wanted.select("place", parts["month_day"].alias("month_day"), parts["clock"].alias("clock"))
    return found.filter(pl.col("month_day").is_not_null() & pl.col("clock").is_not_null())


def _said_year() -> pl.Expr:
    """The year of a stamp whose message names the same moment, give or take a zone."""
    turn = pl.col("leap").dt.month().cast(pl.Int32) - pl.col("said").dt.month().cast(pl.Int32)
    year = pl.col("said").dt.year() + pl.when(turn == -11).then(1).when(turn == 11).then(-1).otherwise(0)
    text = pl.concat_str(year.cast(pl.String), pl.lit("-"), "month_day", pl.lit(" "), "clock")
    full = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    return pl.when((full - pl.col("said")).abs() <= _SAME_MOMENT).then(year)


def _base_before(rows: pl.DataFrame, until: datetime) -> pl.Series:
    """The latest year for each row in which the last stamp of the file is not behind ``until``."""
    last = rows.filter(pl.col("leap").is_not_null()).select("leap", "turns").tail(1)
    if last.is_empty():
        return pl.Series("base", [None] * rows.height, dtype=pl.Int32)
    stamp, turns = last.row(0)
    fits = (stamp.month, stamp.day, stamp.time()) <= (until.month, until.day, until.time())
    return pl.Series("base", [until.year - (not fits) - turns] * rows.height, dtype=pl.Int32)


def _exact(rows: pl.DataFrame) -> pl.Series:
    """Times that need no assumption: the agent's UTC stamps, stamps with a zone, seconds since 1970."""
    agent = pl.col("agent_stamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    zone = pl.col("zone").str.replace("^(?:Z|UTC|GMT)$", "+00:00").str.replace(r"^([+-]\d\d)(\d\d)$", "$1:$2")
    hours = zone.str.extract(r"^[+-](\d\d):\d\d$").cast(pl.Int64)
    minutes = zone.str.extract(r"^[+-]\d\d:(\d\d)$").cast(pl.Int64)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    zoned = pl.col("wall") - sign * pl.duration(hours=hours, minutes=minutes)
    seconds = pl.col("stamp").str.extract(rf"^({_UNIX_STAMP})$").str.replace(".", "", literal=True)
    unix = pl.from_epoch(seconds.cast(pl.Int64, strict=False), time_unit="us")
    return rows.select(pl.coalesce(agent, zoned, unix).dt.replace_time_zone("UTC").alias("exact"))["exact"]


def _zone_offsets(rows: pl.DataFrame) -> pl.Series:
    """How far the file's clock is from UTC, by the messages that name UTC times of their own moment."""
    written = pl.when(pl.col("zone").is_null()).then(pl.col("wall"))
    measured = rows.select(
        written.alias("stamp"),
        pl.when(pl.col("said_utc")).then(zone_offset(written - pl.col("said"), timedelta(minutes=2))).alias("offset"),
    )
    return nearest_offset(measured["stamp"], measured)


def _local_times(context: ParseContext, known: Known) -> tuple[pl.Expr, pl.Expr]:
    """Times of stamps without a zone, and what was assumed of the zone."""
    wall = pl.col("wall")
    if known.utc:
        return wall.dt.replace_time_zone("UTC"), pl.lit(None, dtype=pl.String)
    if context.time_zone is not None:
        given = wall.dt.replace_time_zone(context.time_zone, ambiguous="earliest", non_existent="null")
        why = pl.lit(f"local time, read in the given zone {context.time_zone}")
        return given.dt.convert_time_zone("UTC").cast(TIMESTAMP), why
    measured = pl.concat_str(pl.lit("local time, "), name_offset(pl.col("offset")), pl.lit(" measured in the file"))
    return (
        (wall - pl.col("offset").fill_null(timedelta())).dt.replace_time_zone("UTC"),
        pl.coalesce(measured, pl.lit("local time of an unknown zone, read as UTC")),
    )
