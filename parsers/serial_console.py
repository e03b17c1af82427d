"""The serial console of a Linux VM: boot diagnostics of Azure, ``az serial-console``, a paste of either.

The kernel, systemd, cloud-init, the agent and the login prompt write to one screen, each in its own form, with escape
sequences between. Lines of the kernel are events of ``linux/kernel``, all others of ``linux/console``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_agent import ANY_AGENT_STAMP, take_agent_lines_apart
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing
from loganalyzer.parser_syslog import CLOCK_SAID, PLACED, SINCE_BOOT, SYSLOG_GRAMMARS, unit_of
from loganalyzer.schema import EventFrame, conform

_LOGSOURCE = LogSource("linux", "console")
_KERNEL = LogSource("linux", "kernel")

#: ``status`` is systemd's word in brackets; ``up`` and ``said`` are times that a message names, for placing others.
_COLUMNS: Mapping[str, pl.DataType] = {
    "process.name": pl.String(),
    "process.pid": pl.Int64(),
    "host.name": pl.String(),
    "status": pl.String(),
    "boot_seconds": pl.Float64(),
    "stamp": pl.String(),
}

#: Sequences of ANSI and of terminals; those of colours also where a copy lost the ESC before them.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,256}\x07?|\x1b[ -/]{0,4}[0-~]|\[\d{1,2}(?:;\d{1,3}){0,4}m"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

#: What stands before the text of a line that another program wrote at the prompt, or a service that a script starts.
_PROMPT = re.compile(
    r"^(?:[\w.-]{1,64} login: *|(?:\[ {0,2}(?:OK|FAILED) {0,2}\] *)?Starting [\w. -]{1,64}: *)"
    r"(?=\[ *\d+\.\d+\] |\[[ A-Z*]{4,8}\] |\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:)"
)
_SECONDS = re.compile(r"^(?:<\d{1,3}>)?\[ *(\d{1,9}\.\d{6})\](?:\[ *[CT]\d{1,9}\])? ?(.*)$")
_PROGRAM = re.compile(r"^([^\s:\[\]]{1,128})\[(\d{1,10})\]: ?(.*)$")
#: What the kernel itself says of a process, in the form of a line of that process.
_OF_PROCESS = re.compile(r"^(?:segfault|trap|general protection|bad frame|unhandled signal|vsyscall|int3) ?")
_STATUS = re.compile(r"^\[ {0,2}(OK|FAILED|DEPEND|TIME|ASSERT|SKIP|INFO|WARN|\*[ *]{0,5}) {0,5}\] *(\S.*)$")
_STEP = re.compile(
    r"^ {5,12}((?:Starting|Stopping|Mounting|Unmounting|Activating|Deactivating|Expecting|Reloading) \S.*)$"
)
_SYSLOG = re.compile(next(one.regex for one in SYSLOG_GRAMMARS if one.id == "program"))
_CLOUD_INIT = re.compile(r"^(?:ci-info: |Cloud-init v\. \S+ )")
_CLOUD_INIT_AT = (
    r"^Cloud-init v\. \S+ (?:running '[\w:.-]+'|finished) at "
    r"[A-Z][a-z]{2}, (?P<said>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d) \+0000\..*"
    r" Up +(?P<up>\d{1,9}(?:\.\d{1,6})?) seconds"
)
_BANNER = re.compile(r"^\S.{1,80} (?:ttyS\d|hvc\d|ttyAMA\d)$")
_AT_PROMPT = re.compile(r"^[\w.-]{1,64} login:", re.MULTILINE)
_FORWARDED = re.compile(r"^\[ *\d{1,9}\.\d{6}\] (?:cloud-init|python3?|waagent|WALinuxAgent)\[\d{1,10}\]: ")
_AGENT = re.compile(ANY_AGENT_STAMP)
_BOOT_LOG = re.compile(r"(?:^|[/!])boot\.log(?:[.-]\d+)?$")
_NAME = re.compile(
    r"(?:(?:serial|console|boot[-_. ]?diag)[^/!]*|[/!]boot)\.(?:log|txt|out)(?:[.-]\d+)?$", re.IGNORECASE
)

#: Characters of a line that are read as more than text, and kept of it.
_WIDEST = 64 * 1024
#: Seconds by which a line may stand behind one that was written later; a larger step back is another start.
_LATE = 5.0

NO_STAMP = "the line has no stamp: the time is not known"
_ABOVE = "the line has no time of its own: it was written after the one above it that has one"
_LOCAL = "local time of an unknown zone, read as UTC"


@dataclass(frozen=True, slots=True)
class SerialConsole:
    """One row a line that is not blank."""

    name: str = "serial_console"
    title: str = "serial console of a Linux VM: boot diagnostics, a paste of the screen"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = (
        "boot diagnostics: *.serialconsole.log",
        "var/log/boot.log",
        "az vm boot-diagnostics get-boot-log > console.txt",
    )
    named = _NAME.pattern
    otherwise = 75

    @property
    def samples(self) -> tuple[Sample, ...]:
        """A start with all who write to the screen, and what starts, pastes and clocks do to it."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By what two programs of different kinds wrote to one screen; a fitting name makes one enough."""
        raw = text_head(head)
        lines = [_screen(line) for line in raw.split("\n")]
        kernel = any(_SECONDS.match(line) for line in lines)
        states = any(_STATUS.match(line) for line in lines)
        prompt = any(_BANNER.match(line) for line in lines) or _AT_PROMPT.search(raw) is not None
        agent = any(_AGENT.match(line) for line in lines)
        forwarded = any(_FORWARDED.match(line) for line in lines)
        beside_agent = prompt or _BOOT_LOG.search(path.replace("\\", "/")) is not None
        if _NAME.search(path.replace("\\", "/")) and (kernel or states or (agent and beside_agent)):
            return Claim(92, "named and built like a serial console")
        if states and (kernel or prompt or agent):
            return Claim(75, "written by systemd and others to one screen")
        if kernel and (prompt or forwarded):
            return Claim(60, "written by the kernel and others to one screen")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Two frames: what the kernel wrote and what others did; the lines of the agent among these are taken apart."""
        lines = console_lines(source.data)
        bad = [Rejected(line, "not text: the line holds NUL characters") for line in lines if "\0" in line.text]
        texts = [(line, _screen(line.text)) for line in lines if "\0" not in line.text]
        found = listing(source, _LOGSOURCE, lines, [_row(line, text) for line, text in texts if text], _COLUMNS, bad)
        [frame] = found.frames
        rows = _with_times(take_agent_lines_apart(frame.rows), context)
        rows = rows.with_columns(
            unit_of(pl.col("process.name"), pl.col("message")).alias("unit"),
            (pl.col("process.name").is_null() & ~pl.col("message").str.contains(_BANNER.pattern)).alias("unnamed"),
        )
        by_kernel = (pl.col("process.name") == "kernel").fill_null(False)
        parts = ((_KERNEL, rows.filter(by_kernel)), (_LOGSOURCE, rows.filter(~by_kernel)))
        return replace(found, frames=tuple(EventFrame(source, conform(part)) for source, part in parts if part.height))


def _plain(text: str) -> str:
    """The text without what moves and colours a screen; carriage returns stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def _screen(text: str) -> str:
    """What a line shows in the end: a carriage return writes it anew."""
    drawn = [part for part in _plain(text[:_WIDEST]).split("\r") if part.strip()]
    shown = drawn[-1].rstrip() if drawn else ""
    return _PROMPT.sub("", shown)


def _row(line: Line, text: str) -> dict[str, object]:
    row = cited([line]) | {"message": text}
    if found := _SECONDS.match(text):
        row["boot_seconds"] = float(found[1])
        return row | (_said_by(found[2]) or {"message": found[2], "process.name": "kernel"})
    if found := _STATUS.match(text):
        status = None if found[1].startswith("*") else found[1]
        return row | {"message": found[2], "process.name": "systemd", "status": status}
    if found := _STEP.match(text):
        return row | {"message": found[1], "process.name": "systemd"}
    if _CLOUD_INIT.match(text):
        return row | {"process.name": "cloud-init"}
    if found := _SYSLOG.match(text):
        pid = int(found["pid"]) if found["pid"] else None
        names = {"process.name": found["process"], "process.pid": pid, "host.name": found["host"]}
        return row | names | {"message": found["msg"], "stamp": found["stamp"]}
    return row | (_said_by(text) or {})


def _said_by(text: str) -> dict[str, object] | None:
    """What a program wrote, told by its name and process; None: no program is named."""
    found = _PROGRAM.match(text)
    if found is None or _OF_PROCESS.match(found[3]):
        return None
    return {"process.name": found[1], "process.pid": int(found[2]), "message": found[3]}


def _with_times(rows: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    """``@timestamp`` and ``time.assumed``: by a line's own stamp, by the start of the machine, by the line above."""
    back = pl.col("boot_seconds") < pl.col("boot_seconds").forward_fill().shift() - _LATE
    named = pl.col("message").str.extract_groups(_CLOUD_INIT_AT).struct
    said = named.field("said").str.to_datetime("%d %b %Y %H:%M:%S", time_unit="us", strict=False)
    zoned = pl.col("stamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    utc = pl.col("agent_stamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    local = pl.col("agent_stamp").str.to_datetime("%Y/%m/%d %H:%M:%S%.f", time_unit="us", strict=False)
    epoch = pl.coalesce(*(pl.col("message").str.extract(CLOCK_SAID, group) for group in (1, 2)))
    by_kernel = pl.from_epoch((epoch.cast(pl.Float64) * 10**6).cast(pl.Int64), time_unit="us")
    rows = rows.with_columns(
        back.fill_null(False).cum_sum().alias("boot"),
        pl.coalesce(utc, zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None), said).alias("exact"),
        _in_zone(local, context.time_zone).alias("local"),
        _micros(named.field("up").cast(pl.Float64)).alias("up"),
        _micros(pl.col("boot_seconds")).alias("since"),
        by_kernel.alias("clock"),
    )
    started = pl.coalesce(pl.col("clock") - pl.col("since"), pl.col("exact") - pl.coalesce("up", "since"))
    placed = started.drop_nulls().first().over("boot") + pl.col("since")
    rows = rows.with_columns(placed.alias("placed"))
    zone = f"local time, read in the given zone {context.time_zone}" if context.time_zone else _LOCAL
    own_why = (
        pl.when(pl.col("exact").is_null() & pl.col("placed").is_not_null())
        .then(pl.lit(PLACED))
        .when(pl.col("exact").is_null() & pl.col("local").is_not_null())
        .then(pl.lit(zone))
    )
    rows = rows.with_columns(pl.coalesce("exact", "placed", "local").alias("own")).with_columns(own_why.alias("why"))
    above, above_why = pl.col("own").forward_fill().over("boot"), _last_why()
    why = (
        pl.when(pl.col("own").is_not_null())
        .then(pl.col("why"))
        .when(above.is_not_null())
        .then(pl.concat_str(pl.lit(_ABOVE), above_why, separator="; ", ignore_nulls=True))
        .when(pl.col("since").is_not_null())
        .then(pl.lit(SINCE_BOOT))
        .otherwise(pl.lit(NO_STAMP))
    )
    rows = rows.with_columns(
        pl.coalesce("own", above).dt.replace_time_zone("UTC").alias("@timestamp"), why.alias("time.assumed")
    )
    return rows.drop("boot", "exact", "local", "up", "since", "clock", "placed", "own", "why", "stamp")


def _last_why() -> pl.Expr:
    """What was assumed for the nearest line above that has a time; null: nothing."""
    told = pl.when(pl.col("own").is_not_null()).then(pl.col("why").fill_null(""))
    last = told.forward_fill().over("boot")
    return pl.when(last != "").then(last)


def _micros(seconds: pl.Expr) -> pl.Expr:
    return pl.duration(microseconds=(seconds * 10**6).round().cast(pl.Int64, strict=False))


def _in_zone(local: pl.Expr, time_zone: str | None) -> pl.Expr:
    if time_zone is None:
        return local
    given = local.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return given.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _samples() -> tuple[Sample, ...]:
    started = datetime(2025, 6, 10, 1, 0, 1, tzinfo=UTC)
    return (
        Sample(
            "a start: the kernel, systemd in colours, cloud-init, the agent, the prompt",
            "web1.0f1e2d3c.serialconsole.log",
            b"\x1b[2J\x1b[01;01HLoading Linux 6.8.0-1031-azure ...\r\n"
            b"[    0.000000] Linux version 6.8.0-1031-azure\r\n"
            b"[    1.500000] rtc_cmos 00:02: setting system clock to 2025-06-10T01:00:02 UTC (1749517202)\r\n"
            b"[    2.500000] systemd[1]: walinuxagent.service: Scheduled restart job, restart counter is at 7.\r\n"
            b"[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mBasic System\x1b[0m.\r\n"
            b"[\x1b[0;1;31mFAILED\x1b[0m] Failed to start \x1b[0;1;39mwalinuxagent.service\x1b[0m.\r\n"
            b"         Starting Azure Linux Agent...\r\n\r\n"
            b"[   12.500000] cloud-init[612]: ci-info: |  eth0  | True | 10.0.0.4 |\r\n"
            b"web1 login: 2025-06-10T01:00:20.250000Z INFO ExtHandler [Example.Handler-1.2] Enable\r\n"
            b"web1 login: [   30.500000] EXT4-fs error (device sda1): ext4_find_entry\r\n"
            b"[   31.500000] python3[812]: segfault at 0 ip 00007f\r\n",
            (
                {"message": "Linux version 6.8.0-1031-azure", "process.name": "kernel", "boot_seconds": 0.0},
                {"@timestamp": started + timedelta(seconds=1), "time.assumed": PLACED},
                {"message": "EXT4-fs error (device sda1): ext4_find_entry", "log.line": 11},
                {"message": "python3[812]: segfault at 0 ip 00007f", "process.name": "kernel"},
                {"@timestamp": None, "time.assumed": NO_STAMP, "message": "Loading Linux 6.8.0-1031-azure ..."},
                {
                    "@timestamp": started + timedelta(seconds=2),
                    "process.name": "systemd",
                    "process.pid": 1,
                    "unit": "walinuxagent.service",
                },
                {"message": "Reached target Basic System.", "status": "OK", "process.name": "systemd"},
                {
                    "@timestamp": started + timedelta(seconds=2),
                    "time.assumed": f"{_ABOVE}; {PLACED}",
                    "message": "Failed to start walinuxagent.service.",
                    "status": "FAILED",
                },
                {"message": "Starting Azure Linux Agent...", "process.name": "systemd", "status": None},
                {"process.name": "cloud-init", "message": "ci-info: |  eth0  | True | 10.0.0.4 |"},
                {
                    "@timestamp": datetime(2025, 6, 10, 1, 0, 20, 250_000, tzinfo=UTC),
                    "time.assumed": None,
                    "log.level": "INFO",
                    "handler": "Example.Handler",
                    "message": "Enable",
                    "log.line": 10,
                },
            ),
        ),
        Sample(
            "two starts, each placed by what stands in it; the copy lost the escapes",
            "paste.txt",
            b"[    9.000000] hv_vmbus: registering driver hv_netvsc\n"
            b"[   12.000000] cloud-init[612]: Cloud-init v. 25.1 running 'init' at Tue, 10 Jun 2025 01:00:13 +0000. "
            b"Up 12.00 seconds.\n"
            b"[[0;32m  OK  [0m] Started Azure Linux Agent.\n"
            b"[    1.000000] Linux version 6.8.0-1031-azure\n"
            b"[ ***  ] A start job is running for /dev/sdc1 (5s / 1min 30s)\r[  *** ] A start job is running for "
            b"/dev/sdc1 (6s / 1min 30s)\n",
            (
                {"@timestamp": started + timedelta(seconds=9), "time.assumed": PLACED},
                {"@timestamp": None, "time.assumed": SINCE_BOOT, "message": "Linux version 6.8.0-1031-azure"},
                {"@timestamp": started + timedelta(seconds=12), "time.assumed": None, "process.name": "cloud-init"},
                {"@timestamp": started + timedelta(seconds=12), "message": "Started Azure Linux Agent."},
                {
                    "@timestamp": None,
                    "status": None,
                    "message": "A start job is running for /dev/sdc1 (6s / 1min 30s)",
                },
            ),
        ),
        Sample(
            "the agent of an old era at the prompt, and a line of a syslog daemon",
            "boot-diagnostics.txt",
            b"Ubuntu 18.04.6 LTS web1 ttyS0\n\n"
            b"web1 login: 2018/12/04 04:33:52.298408 INFO Waiting for cloud-init to copy ovf-env.xml\n"
            b"<14>Dec  4 04:33:53 ec2: no key\n"
            b"2018-12-04T04:33:54+00:00 web1 systemd[1]: Started Azure Linux Agent.\n",
            (
                {"@timestamp": None, "message": "Ubuntu 18.04.6 LTS web1 ttyS0"},
                {
                    "@timestamp": datetime(2018, 12, 4, 4, 33, 52, 298408, tzinfo=UTC),
                    "time.assumed": _LOCAL,
                    "message": "Waiting for cloud-init to copy ovf-env.xml",
                },
                {"process.name": "ec2", "message": "no key", "time.assumed": f"{_ABOVE}; {_LOCAL}"},
                {
                    "@timestamp": datetime(2018, 12, 4, 4, 33, 54, tzinfo=UTC),
                    "time.assumed": None,
                    "host.name": "web1",
                    "process.name": "systemd",
                },
            ),
        ),
    )


parser: Parser = SerialConsole()
