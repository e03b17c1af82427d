"""What ``ps`` prints: ``ps aux``, ``ps -ef``, ``ps -eo ...``, whole or filtered by ``grep``.

The Linux agent is two processes: ``waagent -daemon`` of the package, and ``WALinuxAgent-<version>
... -run-exthandlers`` of the release that works (linux.md 2.2). Source: ps(1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing

_LOGSOURCE = LogSource("linux", "processes", "config")

#: ``kind``: process, or summary (one, in front, about all of them). ``state``: as printed, ``D`` is uninterruptible
#: sleep. Of a summary, ``complete``: whether a process of the agent would stand in the list if there were one;
#: ``arguments``: whether commands are printed with what they were given.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "user": pl.String(),
    "process.pid": pl.Int64(),
    "parent_pid": pl.Int64(),
    "state": pl.String(),
    "started": pl.String(),
    "cpu_time": pl.String(),
    "command": pl.String(),
    "agent_version": pl.String(),
    "processes": pl.Int64(),
    "agent_daemons": pl.Int64(),
    "agent_workers": pl.Int64(),
    "complete": pl.Boolean(),
    "arguments": pl.Boolean(),
}
_HEADING = re.compile(
    r"^\s*(?=.*\bPID\b)(?:(?:[A-Z%]+|F|S|C)\s+){1,24}(?:COMMAND|CMD|ARGS)\s*$",
)
_AUX = ("USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND")
_EF = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
#: A row of ``ps aux`` and one of ``ps -ef``, whose heading a filter took away.
_AUX_ROW = re.compile(
    r"^\S+\s+\d{1,10}\s+\d{1,6}(?:\.\d)?\s+\d{1,3}\.\d\s+\d+\s+\d+\s+\S+\s+[DIRSTtWXZ][<NLsl+]{0,6}\s+\S+\s+\d+:\d\d\s+\S"
)
_EF_ROW = re.compile(r"^\S+\s+\d{1,10}\s+\d{1,10}\s+\d{1,3}\s+\S+\s+\S+\s+(?:\d+-)?\d\d:\d\d:\d\d\s+\S")
_TREE = re.compile(r"^(?:[\s|`\\_├└─│-]+ )?")
_COMMAND = re.compile(r"^\s*(?:[$#>]|\S+[$#>]\s)")
_DAEMON = re.compile(r"\bwaagent\b.* -{0,2}daemon\b", re.IGNORECASE)
_WORKER = re.compile(r"(?:\bWALinuxAgent-(\d+(?:\.\d+)+)\S*|\bwaagent)\b.* -{0,2}run-exthandlers\b")
#: ``grep`` finds its own command, and every process of the agent's daemon has this word in it.
_FILTER = re.compile(r"^[ef]?grep (?:-\S+ ){0,4}[\"']?waagent[\"']?$")
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class ProcessList:
    """One row a process, and one about the list."""

    name: str = "process_list"
    title: str = "processes of Linux: ps aux, ps -ef"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("ps -ef > ps.txt", "ps aux > ps.txt")
    strongest = 60

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Both usual forms, one of an own choice, and what a filter leaves."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the heading, or a first line in one of the two usual forms."""
        lines = [line[:_LONGEST] for line in text_head(head).splitlines() if line.strip()]
        first = next((line for line in lines if not _COMMAND.match(line)), "")
        if any(form.match(first) for form in (_HEADING, _AUX_ROW, _EF_ROW)):
            return Claim(60, "built like a list of processes")
        return Claim(45, "holds a list of processes") if any(map(_HEADING.match, lines)) else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a process; what stands outside of a list is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        rows: list[dict[str, object]] = []
        headings: Sequence[str] | None = None
        own: list[Line] = []
        for line in lines:
            text = line.text.rstrip()
            odd = "\0" in text or len(text) > _LONGEST
            if not odd and _HEADING.match(text):
                headings = text.split()
            elif not odd and (row := _process(text, headings)):
                rows.append(cited([line]) | {"message": str(row["command"])} | row)
                own.append(line)
            elif not line.blank and (odd or not _COMMAND.match(text)):
                rejected.append(Rejected(line, "no line of a list of processes"))
        if rows:
            whole = lines[own[0].number - 1 : own[-1].number]
            rows.insert(0, cited(whole) | _summary(rows, headings is not None))
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _process(text: str, headings: Sequence[str] | None) -> dict[str, object] | None:
    """The values of a line by its headings; without headings a line of a usual form."""
    if headings is None:
        headings = _AUX if _AUX_ROW.match(text) else _EF if _EF_ROW.match(text) else None
    words = text.split(None, len(headings) - 1) if headings else []
    if headings is None or len(words) < len(headings):
        return None
    told = dict(zip(headings, words, strict=True))
    if not re.fullmatch(r"[0-9]{1,10}", told.get("PID", "")):
        return None
    command = _TREE.sub("", words[-1], count=1)
    worker = _WORKER.search(command)
    parent = told.get("PPID", "")
    return {
        "kind": "process",
        "user": told.get("USER") or told.get("UID"),
        "process.pid": int(told["PID"]),
        "parent_pid": int(parent) if re.fullmatch(r"[0-9]{1,10}", parent) else None,
        "state": told.get("STAT") or told.get("S"),
        "started": told.get("START") or told.get("STIME"),
        "cpu_time": told.get("TIME"),
        "command": command,
        "agent_version": worker[1] if worker else None,
    }


def _summary(rows: Sequence[Mapping[str, object]], headed: bool) -> dict[str, object]:
    commands = [str(row["command"]) for row in rows]
    filters = [command for command in commands if re.match(r"[ef]?grep ", command)]
    whole = headed and any(row["process.pid"] == 1 for row in rows) and len(rows) >= 5
    daemons = sum(_DAEMON.search(one) is not None for one in commands if one not in filters)
    workers = sum(_WORKER.search(one) is not None for one in commands if one not in filters)
    return {
        "kind": "summary",
        "message": f"{len(rows)} processes, {daemons} daemons and {workers} workers of the Linux agent",
        "processes": len(rows),
        "agent_daemons": daemons,
        "agent_workers": workers,
        "complete": whole or any(_FILTER.match(one) for one in filters),
        "arguments": any(" -" in one or " /" in one for one in commands),
    }


_AUX_TEXT = (
    "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
    "root           1  0.0  0.3 167744 11520 ?        Ss   02:00   0:01 /sbin/init splash\n"
    "root           2  0.0  0.0      0     0 ?        S    02:00   0:00 [kthreadd]\n"
    "root         812  0.0  0.7  31232 20096 ?        Ss   02:00   0:00 /usr/bin/python3 -u /usr/sbin/waagent -daemon\n"
    "root        1036  0.3  1.2 420352 35004 ?        Sl   02:00   0:12 python3 -u bin/WALinuxAgent-2.9.1.1-py3.8.egg"
    " -run-exthandlers\nroot        4711  0.0  0.0  10000   900 ?        D    02:10   0:00  \\_ sync\n"
)


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "ps aux",
            "ps.txt",
            _AUX_TEXT.encode() + b"what\n",
            (
                {
                    "kind": "summary",
                    "processes": 5,
                    "agent_daemons": 1,
                    "agent_workers": 1,
                    "complete": True,
                    "arguments": True,
                    "log.line": 2,
                },
                {"kind": "process", "user": "root", "process.pid": 1, "state": "Ss", "command": "/sbin/init splash"},
                {"command": "[kthreadd]"},
                {"command": "/usr/bin/python3 -u /usr/sbin/waagent -daemon", "agent_version": None},
                {"process.pid": 1036, "agent_version": "2.9.1.1"},
                {"state": "D", "command": "sync", "started": "02:10", "cpu_time": "0:00"},
            ),
            rejected=1,
        ),
        Sample(
            "ps -ef, filtered: only the filter is left",
            "a.txt",
            b"$ ps -ef | grep waagent\nazureus+  4711  4700  0 02:10 pts/0    00:00:00 grep --color=auto waagent\n",
            (
                {"agent_daemons": 0, "agent_workers": 0, "complete": True, "processes": 1},
                {"user": "azureus+", "parent_pid": 4700, "command": "grep --color=auto waagent"},
            ),
        ),
        Sample(
            "columns of an own choice, and a filter for something else",
            "procs.txt",
            b"    PID    PPID STAT COMMAND\n   4712       1 S+   grep -i walinuxagent\n",
            ({"complete": False}, {"process.pid": 4712, "parent_pid": 1, "user": None, "state": "S+"}),
        ),
    )


parser: Parser = ProcessList()
