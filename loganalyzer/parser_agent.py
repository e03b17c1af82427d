"""The parser kit for lines of the Azure Linux agent, in its own log and wherever its output goes (linux.md 2.1).

The daemon is the distribution's package and never updates itself, the ExtHandler child does: one file mixes eras.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from loganalyzer.parser import Grammar
from loganalyzer.schema import SHARED_COLUMNS, EventFrame, LogSource

OLDEST = r"^(?P<ts>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)(?: |$)(?:(?P<level>ERROR|WARNING):)?"
LOCAL = r"^(?P<ts>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}) (?P<level>VERBOSE|INFO|WARNING|ERROR)"
UTC_STAMP = r"^(?P<ts>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})Z (?P<level>VERBOSE|INFO|WARNING|ERROR)"

ROLE = r"(?P<logger>Daemon|ExtHandler|LogCollector|Firewall)"
THREAD = r"(?P<thread>[A-Za-z][\w-]*(?: \([^)]*\))?)"
#: Threads that write without naming their role; two threads are called like a role and cannot be told from it.
NAMED_THREAD = (
    r"(?P<thread>MainThread|EnvHandler|MonitorHandler|CollectLogsHandler|LogCollectorMonitorHandler"
    r"|TelemetryEventsCollector|SendTelemetryHandler|Thread-\d+(?: \([^)]*\))?)"
)
HANDLER = r"\[(?P<handler>[A-Za-z0-9]+(?:\.[A-Za-z0-9_-]+)+)-(?P<handler_version>\d+(?:\.\d+)*)\]"
REST = r"(?: |$)(?P<msg>(?s:.*))$"
#: A text of 2.2.46, which names no thread, that begins with the name of a role.
ABOUT_DAEMON = r"^\S+ [A-Z]+ (?:Daemon|ExtHandler|LogCollector|Firewall) Daemon (?:is already running|ended with)\b"

SLASHES = "%Y/%m/%d %H:%M:%S%.f"
ISO = "%Y-%m-%dT%H:%M:%S%.f"

#: Lines from 2.1 on, most specific first.
AGENT_GRAMMARS = (
    Grammar("utc handler", f"{UTC_STAMP}(?: {THREAD})? {HANDLER}{REST}", ISO, "utc"),
    Grammar("utc thread role", f"{UTC_STAMP} {THREAD} {ROLE}{REST}", ISO, "utc", unless=ABOUT_DAEMON),
    Grammar("utc role", f"{UTC_STAMP} {ROLE}{REST}", ISO, "utc"),
    Grammar("utc thread", f"{UTC_STAMP} {NAMED_THREAD}{REST}", ISO, "utc"),
    Grammar("utc", f"{UTC_STAMP}{REST}", ISO, "utc"),
    Grammar("local handler", f"{LOCAL}(?: {ROLE})? {HANDLER}{REST}", SLASHES, "local"),
    Grammar("local role", f"{LOCAL} {ROLE}{REST}", SLASHES, "local"),
    Grammar("local", f"{LOCAL}{REST}", SLASHES, "local"),
)

#: The same in an excerpt that lost its times; of the oldest era only what is worse than INFO has a mark of its own.
BARE_AGENT_GRAMMARS = (
    *(
        Grammar(
            f"bare {one.id}", one.regex.replace(UTC_STAMP, r"^(?P<ts>)(?P<level>VERBOSE|INFO|WARNING|ERROR)"), "", "utc"
        )
        for one in AGENT_GRAMMARS
        if one.zone == "utc"
    ),
    Grammar("bare oldest", r"^(?P<ts>)(?P<level>ERROR|WARNING):(?P<msg>.*)$", "", "utc"),
)

#: The stamp of a line that the agent wrote, and its level.
ANY_AGENT_STAMP = r"^(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\.\d{6}Z?) (?:VERBOSE|INFO|WARNING|ERROR)(?: |$)"


#: The log of the agent, and what a line of it has beside the shared columns, wherever it stands.
WAAGENT = LogSource("linux", "waagent")
_OWN_COLUMNS = ("handler", "handler_version")
#: Lines of one of its entries.
_MOST_LINES = 200


def with_borrowed_agent_lines(frames: Sequence[EventFrame]) -> tuple[EventFrame, ...]:
    """The frames; where the agent's own log is missing, its lines in other logs stand in for it.

    They go over from the frames of those logs, so that no line is an event of two log sources. One that several logs
    have is taken from the first of them.
    """
    if any(frame.logsource == WAAGENT for frame in frames):
        return tuple(frames)
    lent, left = list[pl.DataFrame](), list[EventFrame]()
    for frame in frames:
        if "agent_stamp" in frame.rows.columns:
            taken, rest = _entries_of_agent(frame.rows)
            lent.append(taken)
            left.append(replace(frame, rows=rest))
        else:
            left.append(frame)
    rows = pl.concat([rows for rows in lent if rows.height] or [pl.DataFrame()], how="diagonal_relaxed")
    if rows.is_empty():
        return tuple(frames)
    rows = rows.unique(("agent_stamp", "log.level", "message"), keep="first", maintain_order=True)
    own = EventFrame(WAAGENT, rows.select(*SHARED_COLUMNS, *_OWN_COLUMNS), borrowed=True)
    return tuple(sorted((*(one for one in left if one.rows.height), own), key=lambda one: str(one.logsource)))


def _entries_of_agent(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The entries of the agent, and all other rows.

    The agent hands on an entry of several lines at once; each becomes a line of the other log, with the same process.
    What follows a line of the agent without a break and is of its process belongs to it; so does what names no program
    at all (``unnamed``) where a log tells such lines apart.
    """
    is_head = pl.col("agent_stamp").is_not_null()
    rows = rows.with_columns(is_head.cum_sum().over("log.file.path").alias("entry"))
    entry = ["log.file.path", "entry"]
    same = is_head | (pl.col("process.pid") == pl.col("process.pid").first().over(entry)).fill_null(False)
    if "unnamed" in rows.columns:
        same |= pl.col("unnamed")
    near = pl.int_range(pl.len()).over(entry) < _MOST_LINES
    unbroken = (same & near).cast(pl.UInt8).cum_min().over(entry) == 1
    rows = rows.with_columns((unbroken & (pl.col("entry") > 0)).alias("is_agent"))
    joined = (
        rows.filter("is_agent")
        .group_by(entry, maintain_order=True)
        .agg(
            pl.col("message", "event.original").str.join("\n"),
            pl.col("log.length").sum(),
            pl.exclude("message", "event.original", "log.length").first(),
        )
    )
    return joined.drop("entry", "is_agent"), rows.filter(~pl.col("is_agent")).drop("entry", "is_agent")


def take_agent_lines_apart(rows: pl.DataFrame) -> pl.DataFrame:
    """The agent's level, thread, role, handler and text, where ``message`` is a line of its log.

    Adds ``agent_stamp``, as the agent wrote it; null: the message is of another program.
    """
    stamp = pl.col("message").str.extract(ANY_AGENT_STAMP)
    rows = rows.with_columns(stamp.alias("agent_stamp")).with_row_index("place")
    names = ("level", "thread", "logger", "handler", "handler_version", "msg")
    rest = rows.filter(pl.col("agent_stamp").is_not_null()).select("place", "message")
    parts = [pl.DataFrame(schema={"place": rows.schema["place"], **dict.fromkeys(names, pl.String)})]
    for grammar in AGENT_GRAMMARS:
        groups = rest.with_columns(pl.col("message").str.extract_groups(grammar.regex).alias("groups")).unnest("groups")
        fits = groups["ts"].is_not_null()
        if grammar.unless is not None:
            fits &= ~groups["message"].str.contains(grammar.unless)
        parts.append(groups.filter(fits).select("place", *(name for name in names if name in groups.columns)))
        rest = rest.filter(~fits)
    found = pl.concat(parts, how="diagonal").select("place", pl.struct(names).alias("agent"))
    part = pl.col("agent").struct.field
    return (
        rows.join(found, on="place", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce(part("msg"), "message").alias("message"),
            pl.coalesce(part("level"), "log.level").alias("log.level"),
            part("thread").alias("process.thread.name"),
            part("logger").alias("log.logger"),
            part("handler").alias("handler"),
            part("handler_version").alias("handler_version"),
        )
        .drop("place", "agent")
    )
