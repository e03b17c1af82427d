"""waagent.log of the Azure Linux agent, all eras in one file (linux.md 2.1).

The daemon is the distribution's package and never updates itself, the ExtHandler child does: one file mixes line
grammars, and local stamps with UTC ones. So the grammar is chosen line by line.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import polars as pl

from loganalyzer.clock import between_neighbours, name_offset, nearest_offset, zone_offset
from loganalyzer.parser import (
    HEAD_SIZE,
    Claim,
    Entries,
    FixedHead,
    Grammar,
    LogSource,
    LongSource,
    ParseContext,
    Parsed,
    Parser,
    Sample,
    Source,
    claim_by,
    parsed_log,
    read_entries,
    read_selected,
    text_head,
)
from loganalyzer.parser_agent import (
    AGENT_GRAMMARS,
    BARE_AGENT_GRAMMARS,
    HANDLER,
    LOCAL,
    OLDEST,
    SLASHES,
    UTC_STAMP,
)
from loganalyzer.parser_payload import ENCODED, with_payloads

NAME = r"(?:^|/)[^/]*waagent\.log(?:[.-][^/]*)?$"

#: A line like those of the oldest era that an extension wrote (linux.md 2.7): it continues the entry that quotes it.
QUOTED = r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:ERROR:|WARNING:)?\[[\w.]+-[\d.]+\]"

GRAMMARS = (*AGENT_GRAMMARS, Grammar("oldest", f"{OLDEST}(?P<msg>.*)$", SLASHES, "local", unless=QUOTED))

ANY_HEAD = "|".join((LOCAL, UTC_STAMP, OLDEST)).replace("?P<ts>", "?:").replace("?P<level>", "?:")
#: A line of an excerpt without times; its level alone, and with what only the agent writes.
BARE_HEAD = r"^(?:(?:VERBOSE|INFO|WARNING|ERROR) |(?:WARNING|ERROR):(?=\S))"
BARE_OWN_WORDS = (
    r"^(?:VERBOSE|INFO|WARNING|ERROR) (?:ExtHandler|Daemon|[A-Z]\w+Handler) "
    r"(?:ExtHandler|Daemon|LogCollector|Firewall) "
)
#: What only the agent writes: its role in front of a message, or its own name in the oldest eras. CommandExecution.log
#: has the same grammar, with an extension's bracket in every line.
OWN_WORDS = (
    (
        rf"(?:{LOCAL}|{UTC_STAMP}) (?:\S+ )?(?:Daemon|ExtHandler|LogCollector|Firewall) (?!{HANDLER})"
        rf"|(?:{LOCAL}|{OLDEST}) ?(?:Windows )?(?:Azure Linux Agent Version|WALinuxAgent-)"
    )
    .replace("?P<ts>", "?:")
    .replace("?P<level>", "?:")
    .replace("?P<handler>", "?:")
    .replace("?P<handler_version>", "?:")
)

#: The head of every line that the agent writes since 2.2.46.
HEAD = FixedHead(("INFO", "VERBOSE", "WARNING", "ERROR"), quiet=("INFO", "VERBOSE"))

FIRST_WORDS_OF_CHILD = r"Goal State Agent version|is running as the goal state agent"

SAMPLE_PATH = "var/log/waagent.log"


class WaagentLog:
    """The log of the agent's daemon and of its ExtHandler."""

    name = "waagent_log"
    title = "Azure Linux agent log (waagent.log), every era from 2.0"
    logsource = LogSource(product="linux", service="waagent")
    paths = ("var/log/waagent.log", "var/log/waagent.log[.-]*", "truncated_*waagent.log*")
    named = NAME
    otherwise = 50

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By name and any head line; under another name the agent's own words are needed."""
        named = re.search(NAME, path.replace("\\", "/"), re.IGNORECASE) is not None
        content = f"{ANY_HEAD}|{BARE_HEAD}" if named else f"{OWN_WORDS}|{BARE_OWN_WORDS}"
        return claim_by(path, head, name=NAME, content=content, text="the Linux agent's log")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One frame. Local stamps are read in the given zone, else by an offset measured in the log, else as UTC."""
        has_times = re.search(ANY_HEAD, text_head(source.data[:HEAD_SIZE]), re.MULTILINE) is not None
        entries = read_entries(source, GRAMMARS if has_times else (*GRAMMARS, *BARE_AGENT_GRAMMARS), context)
        return self._parsed(source, entries, context)

    def parse_long(self, source: LongSource, context: ParseContext) -> Parsed | None:
        """The same of a log that is all of the latest era, with rows for what is asked; None: it is not."""
        entries = read_selected(source, GRAMMARS, context, self.logsource, HEAD, frozenset({ENCODED}))
        return None if entries is None else self._parsed(source, entries, context)

    def _parsed(self, source: Source | LongSource, entries: Entries, context: ParseContext) -> Parsed:
        rows = entries.rows if context.time_zone else _measure_local_offset(entries.rows)
        rows = rows.with_columns(
            pl.col("thread").alias("process.thread.name"),
            pl.col("logger").alias("log.logger"),
            pl.when(pl.col("grammar") == "oldest")
            .then(pl.col("log.level").fill_null("INFO"))
            .otherwise(pl.col("log.level"))
            .alias("log.level"),
        ).drop("thread", "logger", "grammar")
        return parsed_log(source, entries, self.logsource, with_payloads(rows))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """One for each era, one for their mixture, one for what collectors do to a file."""
        return (*_era_samples(), *_mixed_samples())


def _measure_local_offset(rows: pl.DataFrame) -> pl.DataFrame:
    """Moves local stamps to UTC where the log shows the offset (linux.md 2.1 "Recover the local offset").

    It shows it where the daemon hands over to its child that writes UTC, and where a local line stands between two UTC
    lines that are close together.
    """
    local = pl.col("time.assumed").is_not_null()
    stamp = pl.when(local).then(pl.col("@timestamp"))
    utc = pl.when(~local).then(pl.col("@timestamp"))
    child = pl.when(pl.col("message").str.contains(FIRST_WORDS_OF_CHILD)).then(utc)
    handover = zone_offset(stamp - child.shift(-1), timedelta(minutes=1))
    measured = rows.select(stamp.alias("stamp"), pl.coalesce(handover, between_neighbours(stamp, utc)).alias("offset"))
    offset = nearest_offset(rows.select(stamp.alias("stamp"))["stamp"], measured)
    if offset.null_count() == rows.height:
        return rows
    why = pl.concat_str(
        pl.lit("local time, "), name_offset(pl.col("offset")), pl.lit(" measured at UTC lines beside it")
    )
    return (
        rows.with_columns(offset.alias("offset"))
        .with_columns(
            pl.when(pl.col("offset").is_null())
            .then(pl.col("@timestamp"))
            .otherwise(pl.col("@timestamp") - pl.col("offset"))
            .alias("@timestamp"),
            pl.coalesce(why, pl.col("time.assumed")).alias("time.assumed"),
        )
        .drop("offset")
    )


def _era_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "oldest era: glued level, every physical line has the stamp",
            SAMPLE_PATH,
            b"2015/03/02 09:14:06 Retrieved GoalState from Azure Fabric.\n"
            b"2015/03/02 09:14:07 ERROR:UpdateGoalState failed.\n"
            b"2015/03/02 09:14:07 ERROR:Traceback (most recent call last):\n"
            b"2015/03/02 09:14:09 \n",
            (
                {
                    "@timestamp": datetime(2015, 3, 2, 9, 14, 6, tzinfo=UTC),
                    "log.level": "INFO",
                    "message": "Retrieved GoalState from Azure Fabric.",
                    "log.logger": None,
                    "time.assumed": "local time of an unknown zone, read as UTC",
                },
                {"log.level": "ERROR", "message": "UpdateGoalState failed.", "log.line": 2},
                {"log.level": "ERROR", "message": "Traceback (most recent call last):"},
                {"log.level": "INFO", "message": ""},
            ),
        ),
        Sample(
            "2.1 to 2.2.45: local stamp, no thread",
            SAMPLE_PATH,
            b"2018/11/05 06:25:01.000100 INFO Azure Linux Agent Version:2.2.32\n"
            b"2018/11/05 06:25:01.114329 INFO ExtHandler Wire server endpoint:168.63.129.16\n"
            b"2018/11/05 06:25:02.500000 INFO [Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9103.1] "
            b"Target handler state: enabled\n"
            b"2018/11/05 06:25:03.000000 ERROR ExtHandler Event: name=WALinuxAgent, op=Download, message=no route\n"
            b"Inner error: timed out, duration=0\n",
            (
                {"message": "Azure Linux Agent Version:2.2.32", "log.logger": None, "log.level": "INFO"},
                {"log.logger": "ExtHandler", "message": "Wire server endpoint:168.63.129.16"},
                {
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9103.1",
                    "message": "Target handler state: enabled",
                    "process.thread.name": None,
                },
                {
                    "message": "Event: name=WALinuxAgent, op=Download, message=no route\n"
                    "Inner error: timed out, duration=0",
                    "log.level": "ERROR",
                    "log.line": 4,
                },
            ),
        ),
        Sample(
            "2.2.46: UTC, no thread",
            SAMPLE_PATH,
            b"2020-03-01T02:10:00.000000Z INFO Daemon Agent WALinuxAgent-2.14.0.1 launched with command 'python3'\n"
            b"2020-03-01T02:10:01.000000Z WARNING Daemon Daemon ended with exception -- Sleep 15 seconds and restart\n"
            b"2020-03-01T02:10:02.000000Z INFO [Example.RunCommand-1.3] Target handler state: enabled\n",
            (
                {"log.logger": "Daemon", "process.thread.name": None, "time.assumed": None, "log.level": "INFO"},
                {
                    "log.logger": "Daemon",
                    "process.thread.name": None,
                    "message": "Daemon ended with exception -- Sleep 15 seconds and restart",
                },
                {"handler": "Example.RunCommand", "message": "Target handler state: enabled"},
            ),
        ),
        Sample(
            "2.2.47 and later: UTC, thread and role or handler",
            SAMPLE_PATH,
            b"2025-09-15T11:14:36.859686Z INFO ExtHandler ExtHandler [HEARTBEAT] Agent WALinuxAgent-2.14.0.1 is "
            b"running as the goal state agent\r\n"
            b"2025-09-15T11:14:37.000000Z INFO ExtHandler ExtHandler \r\n"
            b"2025-09-15T11:14:38.000000Z INFO ExtHandler "
            b"[Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0] Command: main/handle.sh enable\r\n"
            b"[stdout]\r\n"
            b"2025/09/15 13:14:37 ERROR:[Example.Extension-1.0]nested line of an extension\r\n[stderr]\r\n"
            b"2025-09-15T11:15:00.000000Z WARNING MonitorHandler ExtHandler HealthService: could not report\r\n"
            b"2025-09-15T11:15:01.000000Z INFO Thread-7 (run) ExtHandler Stopped\r\n"
            b"2025-09-15T11:15:02.000000Z INFO EnvHandler Stopped\r\n"
            b"2025-09-15T11:15:03.000000Z INFO [Example.RunCommand.First_Run-1.3] Enable\r\n",
            (
                {
                    "@timestamp": datetime(2025, 9, 15, 11, 14, 36, 859686, tzinfo=UTC),
                    "time.assumed": None,
                    "process.thread.name": "ExtHandler",
                    "log.logger": "ExtHandler",
                    "message": "[HEARTBEAT] Agent WALinuxAgent-2.14.0.1 is running as the goal state agent",
                    "handler": None,
                },
                {"message": "", "log.logger": "ExtHandler"},
                {
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "process.thread.name": "ExtHandler",
                    "log.logger": None,
                    "message": "Command: main/handle.sh enable\n[stdout]\n"
                    "2025/09/15 13:14:37 ERROR:[Example.Extension-1.0]nested line of an extension\n[stderr]",
                },
                {"log.level": "WARNING", "process.thread.name": "MonitorHandler", "log.logger": "ExtHandler"},
                {"process.thread.name": "Thread-7 (run)", "log.logger": "ExtHandler", "message": "Stopped"},
                {"process.thread.name": "EnvHandler", "log.logger": None, "message": "Stopped"},
                {"handler": "Example.RunCommand.First_Run", "handler_version": "1.3", "message": "Enable"},
            ),
        ),
    )


def _mixed_samples() -> tuple[Sample, ...]:
    measured = "local time, UTC+02:00 measured at UTC lines beside it"
    return (
        Sample(
            "a daemon of 2.2.45 hands over to a child that writes UTC: its offset is known",
            "var/log/waagent.log.1",
            b"2021/06/14 11:20:38.832859 INFO Daemon Azure Linux Agent Version:2.2.45\n"
            b"2021/06/14 11:20:44.000000 INFO Daemon Determined Agent WALinuxAgent-2.9.1.1 to be the latest agent\n"
            b"2021-06-14T09:20:45.100000Z INFO ExtHandler ExtHandler Azure Linux Agent (Goal State Agent version "
            b"2.9.1.1)\n"
            b"2021-06-14T09:35:50.000000Z INFO ExtHandler ExtHandler ProcessGoalState completed "
            b"[incarnation 2; 4496 ms]\n"
            b"2021/06/14 11:35:51.000000 INFO Daemon Agent WALinuxAgent-2.9.1.1 launched with command 'python3 -u "
            b"x.egg -run-exthandlers' is successfully running\n",
            (
                {"@timestamp": datetime(2021, 6, 14, 9, 20, 38, 832859, tzinfo=UTC), "time.assumed": measured},
                {"@timestamp": datetime(2021, 6, 14, 9, 20, 44, tzinfo=UTC), "log.logger": "Daemon"},
                {"time.assumed": None, "message": "Azure Linux Agent (Goal State Agent version 2.9.1.1)"},
                {"@timestamp": datetime(2021, 6, 14, 9, 35, 50, tzinfo=UTC)},
                {"@timestamp": datetime(2021, 6, 14, 9, 35, 51, tzinfo=UTC), "time.assumed": measured},
            ),
        ),
        Sample(
            "the end of a long file, kept by the log collector",
            "truncated__var_log_waagent.log",
            b"not start: [ProtocolError] GET vmSettings\n"
            b"2025-03-01T02:00:00.000000Z INFO Daemon Agent WALinuxAgent-2.14.0.1 launched\n"
            b"2025-02-31T02:00:00.000000Z INFO ExtHandler ExtHandler a day that does not exist\n"
            b"\0\0\0\0\n",
            (
                {"@timestamp": None, "message": "not start: [ProtocolError] GET vmSettings", "log.level": None},
                {"log.logger": "Daemon", "message": "Agent WALinuxAgent-2.14.0.1 launched"},
                {"@timestamp": None, "message": "a day that does not exist", "time.assumed": None},
            ),
            rejected=1,
        ),
        Sample(
            "an excerpt that lost its times",
            SAMPLE_PATH,
            b"WARNING ExtHandler ExtHandler No route exists to 168.63.129.16\n"
            b"ERROR ExtHandler ExtHandler Event: name=WALinuxAgent, op=Download, message=no route\n"
            b"Traceback (most recent call last):\n"
            b"INFO ExtHandler [Example.RunCommand-1.3] Enable\nINFO EnvHandler Stopped\nINFO Daemon Run daemon\n",
            (
                {
                    "@timestamp": None,
                    "time.assumed": None,
                    "log.level": "WARNING",
                    "process.thread.name": "ExtHandler",
                    "log.logger": "ExtHandler",
                    "message": "No route exists to 168.63.129.16",
                },
                {
                    "log.level": "ERROR",
                    "message": "Event: name=WALinuxAgent, op=Download, message=no route\n"
                    "Traceback (most recent call last):",
                },
                {"handler": "Example.RunCommand", "handler_version": "1.3", "message": "Enable"},
                {"process.thread.name": "EnvHandler", "message": "Stopped"},
                {"log.logger": "Daemon", "message": "Run daemon"},
            ),
        ),
        Sample(
            "an excerpt of the oldest era that lost its times",
            SAMPLE_PATH,
            b"ERROR:UpdateGoalState failed.\nWARNING:Failed to fetch goalstate\nERROR:\n",
            (
                {"@timestamp": None, "time.assumed": None, "log.level": "ERROR", "message": "UpdateGoalState failed."},
                {"log.level": "WARNING", "message": "Failed to fetch goalstate"},
                {"log.level": "ERROR", "message": ""},
            ),
        ),
    )


parser: Parser = WaagentLog()
