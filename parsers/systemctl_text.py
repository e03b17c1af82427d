"""Output of ``systemctl``: ``status``, ``list-units``, ``list-unit-files``, ``is-active``; the journal's lines in it.

Also what the scripts of services say where ``service`` calls them: SysV, OpenRC, the BSDs.

A unit's state is that of the moment at which it was printed, which the output does not name: rows have no time,
``since`` is when the state began. The lines of the journal under a status are events of ``linux/journald``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing
from loganalyzer.parser_syslog import SYSLOG_LINE, UNIT, Known, read_syslog, unit_of
from loganalyzer.schema import TIMESTAMP, EventFrame

_LOGSOURCE = LogSource("linux", "systemd")
_JOURNAL = LogSource("linux", "journald")

#: ``kind``: status, list, unit_file, answer (of is-active and its like) or script (of a service, outside of systemd).
#: States are systemd's own words.
_COLUMNS: Mapping[str, pl.DataType] = {
    "time.assumed": pl.String(),
    "kind": pl.String(),
    "unit": pl.String(),
    "description": pl.String(),
    "load_state": pl.String(),
    "unit_file_state": pl.String(),
    "active_state": pl.String(),
    "sub_state": pl.String(),
    "result": pl.String(),
    "since": TIMESTAMP,
    "main_pid": pl.Int64(),
    "main_process": pl.String(),
    "exit_code": pl.String(),
    "exit_status": pl.String(),
}

_MARK = r"[●○×↻*x]"
_HEAD = re.compile(rf"^(?:{_MARK} |\s{{0,2}})({UNIT})(?: - (.*))?$")
_LOADED = re.compile(r"^\s*Loaded: ([\w-]+)(?: \((.*)\))?")
_ACTIVE = re.compile(
    r"^\s*Active: ([\w-]+)(?: \(([\w-]+)\))?(?: \(Result: ([\w-]+)\))?(?: since (.+?); (.*?)(?: ago)?)?\s*$"
)
_MAIN_PID = re.compile(r"^\s*Main PID: (\d{1,10})(?: \((.*)\))?")
_PROCESS = re.compile(r"^\s*Process: \d+ .*\((code=.*)\)\s*$")
_EXIT = re.compile(r"code=(\w+)(?:, (?:status|sig(?:nal)?)=([\w/-]+))?")
_NOT_FOUND = re.compile(rf"^Unit ({UNIT}) could not be found\.")
_LIST_HEAD = re.compile(r"^\s*UNIT\s+LOAD\s+ACTIVE\s+SUB\b")
_FILES_HEAD = re.compile(r"^\s*UNIT FILE\s+STATE\b")
_LISTED = re.compile(
    rf"^\s*(?:{_MARK} )?\s*({UNIT})\s+(loaded|not-found|masked|error|bad-setting|merged|stub)\s+"
    r"(active|inactive|failed|activating|deactivating|reloading|maintenance)\s+([\w-]+)(?:\s+(\S.*))?$"
)
_FILE = re.compile(rf"^({UNIT})\s+([a-z]+(?:-[a-z]+)*)(?:\s+\S+)?\s*$")
_LEGEND = re.compile(
    r"^\s*(?:LOAD |ACTIVE |SUB |Legend: |\d+ (?:loaded )?unit|To show all |Pass --all |Hint: |Warning: |lines \d)"
)
_COMMAND = re.compile(
    r"(?:^|[#$>] ?)(?:sudo )?systemctl (?:--?\S+ )*(is-active|is-enabled|is-failed|status)((?: [\w@.:\\-]+)+)\s*$"
)
_ACTIVE_WORDS = frozenset(
    ["active", "inactive", "failed", "activating", "deactivating", "reloading", "unknown", "maintenance"]
)
_ENABLED_WORDS = frozenset(
    [
        "enabled",
        "enabled-runtime",
        "disabled",
        "masked",
        "masked-runtime",
        "static",
        "indirect",
        "alias",
        "generated",
        "transient",
        "linked",
    ]
)
_ANSWER_NAME = re.compile(r"is-(?:active|enabled|failed)[_. -]*([\w@-]+?)?(?:\.service)?(?:\.(?:txt|out|log))?$")
_TAIL = re.compile(SYSLOG_LINE)
_AGO = re.compile(r"(\d{1,6}) ?(years?|months?|weeks?|days?|h|min|s|ms)\b")
_AGO_DAYS = {"y": 366.0, "mo": 31.0, "w": 7.0, "d": 1.0, "h": 1 / 24}
_STATE_TIME = re.compile(r"^[A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?: ([A-Z0-9+-]{1,6}))?$")
#: The call of a service's script, and what such scripts say of the service's state.
_SCRIPT = re.compile(
    r"(?:^|[#$>] ?)(?:sudo )?(?:(?:service|rc-service|invoke-rc\.d) |(?:/usr/local)?/etc/(?:rc\.d/init|init|rc)\.d/)"
    r"([\w@-]+) (?:one)?(?:status|start|restart)\s*$"
)
_AGENT_SCRIPT = re.compile(
    r"^(wa(?:linux)?agent)(?: \(pid +[\d ]+\))? "
    r"(?:is not running|is stopped|is running(?: as pid [\d ]+)?|dead but pid file exists)\.{0,3}$"
)
_SCRIPT_STATES = (
    ("failed", re.compile(r"\bfailed to start\b|status: crashed|\bfailed!?$", re.IGNORECASE)),
    ("inactive", re.compile(r"\bnot running\b|\bis stopped\b|\bdead but\b|status: stopped|stop/waiting")),
    ("active", re.compile(r"\bis running\b|status: started|start/running")),
)
#: Characters of a line of the journal that are read, and of one of a state.
_LONGEST = 65536
_WIDEST = 1024

_STATUS = (
    "● walinuxagent.service - Azure Linux Agent\n"
    "   Loaded: loaded (/lib/systemd/system/walinuxagent.service; enabled; vendor preset: enabled)\n"
    "  Drop-In: /lib/systemd/system/walinuxagent.service.d\n           └─10-Slice.conf\n"
    "   Active: failed (Result: exit-code) since Sat 2025-03-01 02:10:03 UTC; 10min ago\n"
    "  Process: 4711 ExecStart=/usr/bin/python3 -u /usr/sbin/waagent -daemon (code=exited, status=1/FAILURE)\n"
    " Main PID: 4711 (code=exited, status=1/FAILURE)\n\n"
    "Mar 01 02:10:02 vm01 python3[4711]: ModuleNotFoundError: No module named 'distutils'\n"
    "Mar 01 02:10:03 vm01 systemd[1]: walinuxagent.service: Failed with result 'exit-code'.\n\n"
    "● nothing.service\n   Loaded: not-found (Reason: No such file or directory)\n   Active: inactive (dead)\n"
    "Unit waagent.service could not be found.\n"
)
_RUNNING = (
    "× cloud-init.service - Initial cloud-init job\n"
    "     Loaded: loaded (/lib/systemd/system/cloud-init.service; enabled; preset: enabled)\n"
    "     Active: active (running) since Sat 2025-03-01 02:10:03 CET; 3 days ago\n"
    "   Main PID: 1036 (python3)\n     CGroup: /system.slice/cloud-init.service\n"
    "             └─1036 /usr/bin/python3 -u\n\n"
    "Mar 01 02:10:05 vm01 python3[1036]: 2025-03-01T01:10:04.500000Z INFO ExtHandler ExtHandler Goal State Period: 6\n"
    "Hint: Some lines were ellipsized, use -l to show in full.\n"
)
_LIST = (
    "  UNIT                     LOAD   ACTIVE SUB     DESCRIPTION\n"
    "  ssh.service              loaded active running OpenBSD Secure Shell server\n"
    "● waagent.service          loaded failed failed  Azure Linux Agent\n\n"
    "LOAD   = Reflects whether the unit definition was properly loaded.\n"
    "2 loaded units listed.\n"
)


@dataclass(frozen=True, slots=True)
class SystemctlText:
    """One row a unit, and the lines of the journal under it."""

    name: str = "systemctl_text"
    title: str = "systemd units as text: systemctl status, list-units, list-unit-files, is-active, is-enabled"
    logsource: LogSource = _LOGSOURCE
    strongest: int = 88
    paths: tuple[str, ...] = (
        "systemctl status walinuxagent waagent > agent_service.txt",
        "systemctl list-units > units.txt",
    )

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every command, and every state that an agent's unit is seen in."""
        return (*_status_samples(), *_list_samples(), *_script_samples())

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the lines that only ``systemctl`` prints; a lone word needs the command's name in the file's."""
        lines = [line[:_WIDEST] for line in text_head(head).splitlines()]
        if any(_LOADED.match(line) for line in lines) and any(_ACTIVE.match(line) for line in lines):
            first = next((line for line in lines if line.strip()), "")  # a log may quote it
            own = any(form.search(first) for form in (_HEAD, _NOT_FOUND, _COMMAND, _LOADED, _LEGEND))
            return Claim(88 if own else 45, "built like output of systemctl status")
        if any(_LIST_HEAD.match(line) or _FILES_HEAD.match(line) for line in lines):
            return Claim(88, "a table of systemctl")
        if any(_NOT_FOUND.match(line) or _LISTED.match(line) for line in lines):
            return Claim(60, "lines as systemctl prints them")
        if any(_AGENT_SCRIPT.match(line) for line in lines) or (
            any(_SCRIPT.search(line) for line in lines) and any(_script_state(line) for line in lines)
        ):
            return Claim(60, "what the script of a service says")
        asked = _ANSWER_NAME.search(path.replace("\\", "/")) or any(_COMMAND.search(line) for line in lines)
        words = {line.strip() for line in lines if line.strip() and not _COMMAND.search(line)}
        known = bool(words) and words <= _ACTIVE_WORDS | _ENABLED_WORDS
        return Claim(80, "an answer of systemctl") if asked and known else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Two frames: states of units, and lines of the journal where the output has some."""
        lines = console_lines(source.data)
        reader = _Reader(ZoneInfo(context.time_zone) if context.time_zone else None, source.name)
        rows = list(reader.rows([line for line in lines if "\0" not in line.text]))
        bad = [Rejected(line, "not text: the line holds NUL characters") for line in lines if "\0" in line.text]
        found = listing(source, self.logsource, lines, rows, _COLUMNS, [*reader.rejected, *bad])
        if not reader.tail:
            return found
        return replace(found, frames=(*found.frames, EventFrame(_JOURNAL, _journal(reader, source, context))))


class _Reader:
    """Reads the lines of one output; ``tail`` gathers the journal's lines, each with the unit that it stands under."""

    def __init__(self, zone: ZoneInfo | None, file_name: str) -> None:
        self.rejected: list[Rejected] = []
        self.tail: list[tuple[Line, str | None]] = []
        self.known = Known()
        self._zone = zone
        named = _ANSWER_NAME.search(file_name)
        self._asked = [named[1]] if named and named[1] else []

    def rows(self, lines: Sequence[Line]) -> Iterator[dict[str, object]]:
        place = 0
        while place < len(lines):
            block = _status_block(lines, place)
            if block:
                yield self._status(block)
                place += len(block)
                continue
            script = _script_block(lines, place)
            if script:
                yield _script_row(script)
                place += len(script)
                continue
            row = self._single(lines[place])
            if row:
                yield row | cited([lines[place]])
            place += 1

    def _status(self, block: Sequence[Line]) -> dict[str, object]:
        head = _HEAD.match(block[0].text)
        unit = head[1] if head else None
        first_tail = next((n for n, line in enumerate(block) if _TAIL.match(line.text)), len(block))
        own = [line for line in block[:first_tail] if not line.blank]
        self.tail += [(line, unit) for line in block[first_tail:] if not line.blank and not _LEGEND.match(line.text)]
        row: dict[str, object] = {"kind": "status", "unit": unit, "description": head[2] if head else None}
        for line in own:
            row |= self._status_line(line.text[:_WIDEST])
        return row | cited(own) | {"message": "\n".join(line.text.strip() for line in own)[:_LONGEST]}

    def _status_line(self, text: str) -> dict[str, object]:
        if found := _LOADED.match(text):
            parts = [part.strip() for part in (found[2] or "").split(";")]
            enabled = parts[1] if len(parts) > 1 and parts[1] in _ENABLED_WORDS else None
            return {"load_state": found[1], "unit_file_state": enabled}
        if found := _ACTIVE.match(text):
            return {"active_state": found[1], "sub_state": found[2], "result": found[3]} | self._since(
                found[4], found[5]
            )
        if found := _MAIN_PID.match(text):
            inside = found[2] or ""
            ended = _ended(inside)
            return {"main_pid": int(found[1]), "main_process": None if ended else inside or None} | ended
        if found := _PROCESS.match(text):
            return _ended(found[1])
        return {}

    def _since(self, text: str | None, ago: str | None) -> dict[str, object]:
        found = _STATE_TIME.match(text or "")
        if found is None:
            return {}
        try:
            wall = datetime.fromisoformat(found[1])
            utc = found[2] in ("UTC", "GMT")
            time = wall.replace(tzinfo=UTC if utc or not self._zone else self._zone).astimezone(UTC)
            self._remember(wall + _span(ago or ""), utc)
        except (ValueError, OverflowError):
            return {}
        zone = f"in the given zone {self._zone.key}" if self._zone else "as UTC"
        return {"since": time, "time.assumed": None if utc else f"since: local time of an unknown zone, read {zone}"}

    def _remember(self, until: datetime, utc: bool) -> None:
        if self.known.until is None or until > self.known.until:
            self.known = Known(until, "the year is that of the unit's state", utc)

    def _single(self, line: Line) -> dict[str, object]:
        text = line.text.rstrip()[:_WIDEST]
        message: dict[str, object] = {"message": text.strip()}
        if found := _NOT_FOUND.match(text):
            return message | {"kind": "status", "unit": found[1], "load_state": "not-found"}
        if found := _LISTED.match(text):
            names = ("unit", "load_state", "active_state", "sub_state", "description")
            return message | {"kind": "list"} | dict(zip(names, found.groups(), strict=True))
        if (found := _FILE.match(text)) and found[2] in _ENABLED_WORDS:
            return message | {"kind": "unit_file", "unit": found[1], "unit_file_state": found[2]}
        if found := _COMMAND.search(text):
            self._asked = found[2].split()
            return {}
        if (word := text.strip()) in _ACTIVE_WORDS | _ENABLED_WORDS:
            unit = self._asked.pop(0) if self._asked else None
            column = "active_state" if word in _ACTIVE_WORDS else "unit_file_state"
            return message | {"kind": "answer", "unit": _full_name(unit), column: word}
        if not (line.blank or any(form.search(text) for form in (_SCRIPT, _LIST_HEAD, _FILES_HEAD, _LEGEND))):
            self.rejected.append(Rejected(line, "no line of systemctl's output"))
        return {}


def _status_block(lines: Sequence[Line], start: int) -> Sequence[Line]:
    """The lines of one unit's status from its head on; none where no status begins."""
    if not _begins_status(lines, start):
        return ()
    end = start + 2
    while end < len(lines) and not _begins_status(lines, end):
        text = lines[end].text[:_WIDEST]
        if _NOT_FOUND.match(text) or _COMMAND.search(text):
            break
        end += 1
    return lines[start:end]


def _script_block(lines: Sequence[Line], start: int) -> Sequence[Line]:
    """The call of a service's script with what it says; a lone answer of the agent's; none where neither begins.

    Under systemd the same call gives a status, which is read as one.
    """
    if _AGENT_SCRIPT.match(lines[start].text[:_WIDEST]):
        return lines[start : start + 1]
    if not _SCRIPT.search(lines[start].text[:_WIDEST]):
        return ()
    end = start + 1
    while end < len(lines) and not lines[end].blank and not _begins_status(lines, end):
        text = lines[end].text[:_WIDEST]
        if _SCRIPT.search(text) or _COMMAND.search(text) or _NOT_FOUND.match(text):
            break
        end += 1
    return lines[start:end] if end > start + 1 else ()


def _script_row(block: Sequence[Line]) -> dict[str, object]:
    first = block[0].text[:_WIDEST]
    named = _AGENT_SCRIPT.match(first) or _SCRIPT.search(first)
    states = [state for line in block if (state := _script_state(line.text[:_WIDEST]))]
    message = "\n".join(line.text.strip() for line in block)[:_LONGEST]
    unit = f"{named[1]}.service" if named else None
    return cited(block) | {
        "kind": "script",
        "unit": unit,
        "active_state": states[-1] if states else None,
        "message": message,
    }


def _script_state(text: str) -> str | None:
    return next((state for state, words in _SCRIPT_STATES if words.search(text)), None)


def _begins_status(lines: Sequence[Line], place: int) -> bool:
    if place + 1 >= len(lines) or not _LOADED.match(lines[place + 1].text[:_WIDEST]):
        return False
    return _HEAD.match(lines[place].text[:_WIDEST]) is not None


def _ended(text: str) -> dict[str, object]:
    """``code=exited, status=1/FAILURE`` as columns; the number alone, for names of statuses came later."""
    found = _EXIT.search(text)
    return {"exit_code": found[1], "exit_status": (found[2] or "").split("/")[0] or None} if found else {}


def _full_name(unit: str | None) -> str | None:
    return unit if unit is None or re.fullmatch(UNIT, unit) else f"{unit}.service"


def _span(ago: str) -> timedelta:
    """How long ago, and a bit more: the words leave out what is smaller than they are."""
    parts = _AGO.findall(ago)
    days = sum(
        int(number) * _AGO_DAYS.get(unit[:2] if unit[:2] in ("mo", "mi", "ms") else unit[0], 0.0)
        for number, unit in parts
    )
    return timedelta(days=days + (31 if any(unit.startswith(("y", "mo")) for _, unit in parts) else 1))


def _journal(reader: _Reader, source: Source, context: ParseContext) -> pl.DataFrame:
    """The journal's lines as events, with the places that they have in the output."""
    lines = [line for line, _ in reader.tail]
    text = "\n".join(line.text[:_LONGEST] for line in lines)
    _, rows = read_syslog(Source(source.path, text.encode(errors="replace")), context, reader.known)
    starts = [number - 1 for number in rows["log.line"].to_list()]
    ends = [following - 1 for following in (*starts[1:], len(lines))]
    places = {
        "log.line": [lines[start].number for start in starts],
        "log.offset": [lines[start].offset for start in starts],
        "log.length": [
            lines[end].offset + lines[end].length - lines[start].offset for start, end in zip(starts, ends, strict=True)
        ],
        "under": [reader.tail[start][1] for start in starts],
    }
    columns = [
        pl.Series(name, values, dtype=pl.String if name == "under" else pl.Int64) for name, values in places.items()
    ]
    unit = pl.coalesce(unit_of(pl.col("process.name"), pl.col("message")), "under")
    return rows.with_columns(columns).with_columns(unit.alias("unit")).drop("under", "grammar")


def _status_samples() -> tuple[Sample, ...]:
    failed: Mapping[str, object] = {
        "kind": "status",
        "unit": "walinuxagent.service",
        "description": "Azure Linux Agent",
        "load_state": "loaded",
        "unit_file_state": "enabled",
        "active_state": "failed",
        "sub_state": None,
        "result": "exit-code",
        "since": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
        "@timestamp": None,
        "time.assumed": None,
        "main_pid": 4711,
        "main_process": None,
        "exit_code": "exited",
        "exit_status": "1",
    }
    return (
        Sample(
            "a unit that failed, one that is not there",
            "agent_service.txt",
            _STATUS.encode(),
            (
                failed,
                {"unit": "nothing.service", "load_state": "not-found", "active_state": "inactive", "sub_state": "dead"},
                {"unit": "waagent.service", "load_state": "not-found", "since": None},
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, 2, tzinfo=UTC),
                    "time.assumed": "the year is that of the unit's state",
                    "process.name": "python3",
                    "process.pid": 4711,
                    "unit": "walinuxagent.service",
                    "log.line": 9,
                    "message": "ModuleNotFoundError: No module named 'distutils'",
                },
                {"process.name": "systemd", "unit": "walinuxagent.service", "log.line": 10},
            ),
        ),
        Sample(
            "a unit that runs, its zone unknown but for a line of the agent",
            "systemctl-status.txt",
            _RUNNING.encode(),
            (
                {
                    "active_state": "active",
                    "sub_state": "running",
                    "main_pid": 1036,
                    "main_process": "python3",
                    "since": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                    "time.assumed": "since: local time of an unknown zone, read as UTC",
                },
                {
                    "@timestamp": datetime(2025, 3, 1, 1, 10, 4, 500_000, tzinfo=UTC),
                    "time.assumed": None,
                    "message": "Goal State Period: 6",
                    "log.logger": "ExtHandler",
                },
            ),
        ),
    )


def _list_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "list-units",
            "units.txt",
            _LIST.encode() + b"what is this\n",
            (
                {"kind": "list", "unit": "ssh.service", "active_state": "active", "sub_state": "running"},
                {"unit": "waagent.service", "active_state": "failed", "description": "Azure Linux Agent"},
            ),
            rejected=1,
        ),
        Sample(
            "list-unit-files",
            "unit-files.txt",
            b"UNIT FILE             STATE    VENDOR PRESET\nwalinuxagent.service  disabled enabled\n"
            b"ssh.service           static   -\n\n2 unit files listed.\n",
            (
                {"kind": "unit_file", "unit": "walinuxagent.service", "unit_file_state": "disabled"},
                {"unit": "ssh.service", "unit_file_state": "static"},
            ),
        ),
        Sample(
            "is-active with its command",
            "state.txt",
            b"$ systemctl is-active walinuxagent waagent\nfailed\ninactive\n",
            (
                {"kind": "answer", "unit": "walinuxagent.service", "active_state": "failed"},
                {"unit": "waagent.service", "active_state": "inactive"},
            ),
        ),
        Sample(
            "is-enabled, the unit in the file's name",
            "systemctl_is-enabled_walinuxagent.txt",
            b"masked\n",
            ({"kind": "answer", "unit": "walinuxagent.service", "unit_file_state": "masked", "active_state": None},),
        ),
    )


def _script_samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "a script of FreeBSD",
            "service.txt",
            b"root@fw:~ # service waagent status\nwaagent is not running\n# service waagent start\n"
            b"Starting waagent.\nenv: python2: No such file or directory\n",
            (
                {"kind": "script", "unit": "waagent.service", "active_state": "inactive", "log.line": 1},
                {
                    "kind": "script",
                    "active_state": None,
                    "message": "# service waagent start\nStarting waagent.\nenv: python2: No such file or directory",
                },
            ),
        ),
        Sample(
            "a script of SysV, without the command",
            "waagent_status.txt",
            b"waagent (pid  1036) is running...\n",
            ({"kind": "script", "unit": "waagent.service", "active_state": "active"},),
        ),
    )


parser: Parser = SystemctlText()
