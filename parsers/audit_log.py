"""``/var/log/audit/audit.log`` and what ``ausearch`` prints of it: what SELinux denied to whom, which units stopped.

One row a record. A denial is one record of an event of several: program, path and success of the call stand in others,
and are added to it. ``ausearch -i`` prints local times in the form of the system's language. Sources: auditd.conf(5),
ausearch(8), the field dictionary of the audit project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_dates import DateReader, date_reader
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("linux", "auditd")

#: Fields that become columns under their own names, as Sigma's rules for auditd have them.
_FIELDS = (
    *("comm", "exe", "name", "nametype", "path", "cwd", "key", "syscall", "success", "exit", "uid", "auid", "ses"),
    *("a0", "a1", "a2", "a3", "unit", "res", "scontext", "tcontext", "tclass", "permissive", "proctitle", "enforcing"),
)
#: ``result``: denied or granted, of an access that SELinux judged; ``permission``: which, with blanks between them.
_COLUMNS: Mapping[str, pl.DataType] = {
    "@timestamp": TIMESTAMP,
    "time.assumed": pl.String(),
    "host.name": pl.String(),
    "process.name": pl.String(),
    "process.pid": pl.Int64(),
    "type": pl.String(),
    "serial": pl.Int64(),
    "result": pl.String(),
    "permission": pl.String(),
    **dict.fromkeys(_FIELDS, pl.String()),
}
#: What a denial takes from the other records of its event.
_SHARED = ("exe", "success", "syscall", "proctitle", "path")
_JUDGED = frozenset({"AVC", "USER_AVC"})
#: Fields whose value is hexadecimal where it holds blanks or quotes.
_ENCODED = frozenset({"comm", "exe", "name", "path", "cwd", "proctitle", "a0", "a1", "a2", "a3", "key"})

_NAME = r"(?:^|[/!])(?:audit\.log(?:[.-][\w.]*)?|[^/!]*(?:ausearch|avc|audit)[^/!]*\.(?:txt|log|out))$"
_HEAD = r"^(?:node=(?P<node>\S{1,255}) )?type=(?P<type>[A-Z][A-Z0-9_]*(?:\[\d+\])?) msg=audit\("
_CONTENT = _HEAD.replace("?P<node>", "?:").replace("?P<type>", "?:") + r"[^()\n]{8,40}:\d+\) ?:"
_RECORD = re.compile(
    _HEAD
    + r"(?:(?P<epoch>\d{1,11})\.(?P<millis>\d{3})|(?P<local>[^()]{8,40})):(?P<serial>\d{1,18})\) ?: ?(?P<text>.*)$"
)
_BETWEEN = re.compile(r"^(?:----|time->.*|<no matches>|\s*[$#>].*|\[?[\w.-]+@[\w.-]+.*[#$] .*)?\s*$")
_JUDGEMENT = re.compile(r"\bavc:\s+(denied|granted)\s+\{ ([^{}]{0,200}) \}")
_FIELD = re.compile(r"\b([a-z][a-z0-9_-]{0,31})=(\"[^\"]*\"|'[^']*'|[^\s'\"]+)")
_HEX = re.compile(r"(?:[0-9A-F]{2})+\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A record of more than this is cut before its fields are taken apart.
_LONGEST = 16384


@dataclass(frozen=True, slots=True)
class AuditLog:
    """One row a record."""

    name: str = "audit_log"
    title: str = "records of the Linux audit system: audit.log, ausearch"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("var/log/audit/audit.log*", "ausearch -m AVC > avc.txt")
    named = _NAME
    otherwise = 50

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The file, what ``ausearch`` makes of it, and other kinds of records."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the head of a record; a system log that quotes records has its own heads before them."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="records of the audit system")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a record; a line that is none, and no line of ``ausearch`` between them, is rejected."""
        lines = console_lines(source.data)
        rejected: list[Rejected] = []
        found: list[tuple[Line, re.Match[str]]] = []
        for line in lines:
            record = None if "\0" in line.text else _RECORD.match(line.text[:_LONGEST])
            if record is not None:
                found.append((line, record))
            elif not _BETWEEN.match(line.text[:_LONGEST]):
                rejected.append(Rejected(line, "no record of the audit system"))
        dates = date_reader((record["local"] for _, record in found if record["local"]), None, context.time_zone)
        rows = [_row(line, record, dates) for line, record in found]
        _share(rows)
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _row(line: Line, record: re.Match[str], dates: DateReader) -> dict[str, object]:
    fields = dict(_fields(record["text"]))
    judged = _JUDGEMENT.search(record["text"])
    time, assumed = _time(record, dates)
    pid = fields.get("pid", "")
    row: dict[str, object] = {name: fields.get(name) for name in _FIELDS}
    return {
        **row,
        **cited([line]),
        "message": line.text.strip()[:_LONGEST],
        "@timestamp": time,
        "time.assumed": assumed,
        "host.name": record["node"],
        "process.name": fields.get("comm"),
        "process.pid": int(pid) if re.fullmatch(r"[0-9]{1,10}", pid) else None,
        "type": record["type"],
        "serial": int(record["serial"]),
        "result": judged[1] if judged else None,
        "permission": judged[2].strip() if judged else None,
    }


def _time(record: re.Match[str], dates: DateReader) -> tuple[datetime | None, str | None]:
    if record["local"]:
        return dates.read(record["local"])
    return _EPOCH + timedelta(seconds=int(record["epoch"]), milliseconds=int(record["millis"])), None


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """``key=value``, the ones inside of ``msg='...'`` too; the enriched ones behind them repeat others in words."""
    for key, value in _FIELD.findall(text.partition("\x1d")[0]):
        if key == "msg" and value.startswith("'"):
            yield from _fields(value[1:-1])
        elif value[0] in "\"'":
            yield key, value[1:-1]
        elif value not in ("?", "(null)"):
            yield key, _decoded(value) if key in _ENCODED else value


def _decoded(value: str) -> str:
    """A value in hexadecimal digits; the arguments of a command have NUL between them."""
    if len(value) < 4 or not _HEX.match(value):
        return value
    return bytes.fromhex(value).decode(errors="replace").replace("\0", " ").strip()


def _share(rows: Sequence[dict[str, object]]) -> None:
    """Gives denials what other records of the same event say; a later one of a kind counts."""
    said: dict[object, dict[str, object]] = {}
    for row in rows:
        if row["type"] in ("SYSCALL", "PATH", "PROCTITLE", "CWD"):
            own = {name: row[name] for name in _SHARED if row[name] is not None}
            if row["type"] == "PATH" and str(row["name"]).startswith("/") and row["nametype"] != "PARENT":
                own["path"] = row["name"]
            said.setdefault(_event(row), {}).update(own)
    for row in rows:
        if row["type"] in _JUDGED:
            for name, value in said.get(_event(row), {}).items():
                row[name] = row[name] if row[name] is not None else value


def _event(row: Mapping[str, object]) -> object:
    return row["serial"], row["@timestamp"], row["host.name"]


_TIME = datetime(2025, 3, 1, 2, 10, 3, 123_000, tzinfo=UTC)
_DENIED = (
    'type=AVC msg=audit(1740795003.123:456): avc:  denied  { write add_name } for  pid=1036 comm="python3" '
    'name="error.json" dev="sda1" ino=131 scontext=system_u:system_r:init_t:s0 '
    "tcontext=system_u:object_r:default_t:s0 tclass=dir permissive=0\n"
)
_EVENT = (
    "type=SYSCALL msg=audit(1740795003.123:456): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c pid=1036 "
    'auid=4294967295 uid=0 ses=4294967295 comm="python3" exe="/usr/bin/python3.6" key=(null)\x1dUID="root"\n'
    'type=CWD msg=audit(1740795003.123:456): cwd="/"\n'
    'type=PATH msg=audit(1740795003.123:456): item=1 name="/var/lib/waagent/error.json" nametype=CREATE\n'
    "type=PROCTITLE msg=audit(1740795003.123:456): proctitle="
    "707974686F6E33002D7500776161676500\n"
)


def _samples() -> tuple[Sample, ...]:
    return (
        Sample(
            "a denial with the other records of its event",
            "var/log/audit/audit.log.1",
            (_DENIED + _EVENT + "no record\n").encode(),
            (
                {
                    "@timestamp": _TIME,
                    "time.assumed": None,
                    "type": "AVC",
                    "serial": 456,
                    "result": "denied",
                    "permission": "write add_name",
                    "comm": "python3",
                    "process.name": "python3",
                    "process.pid": 1036,
                    "name": "error.json",
                    "tclass": "dir",
                    "permissive": "0",
                    "exe": "/usr/bin/python3.6",
                    "success": "no",
                    "path": "/var/lib/waagent/error.json",
                    "proctitle": "python3 -u waage",
                },
                {"type": "SYSCALL", "syscall": "257", "uid": "0", "key": None, "exe": "/usr/bin/python3.6"},
                {"type": "CWD", "cwd": "/"},
                {"type": "PATH", "name": "/var/lib/waagent/error.json"},
                {"type": "PROCTITLE", "proctitle": "python3 -u waage"},
            ),
            rejected=1,
        ),
        Sample(
            "ausearch",
            "avc.txt",
            b"----\ntime->Sat Mar  1 02:10:03 2025\n" + _DENIED.encode() + b"----\n",
            ({"@timestamp": _TIME, "result": "denied", "log.line": 3, "exe": None},),
        ),
        Sample(
            "ausearch -i, by a date that tells its order",
            "ausearch.txt",
            b"----\ntype=AVC msg=audit(03/21/2025 02:10:03.123:456) : avc:  denied  { execute } for  pid=7 "
            b'comm=safefreeze name=safefreeze dev="sda1" permissive=1\n',
            (
                {
                    "@timestamp": datetime(2025, 3, 21, 2, 10, 3, 123_000, tzinfo=UTC),
                    "time.assumed": "local time of an unknown zone, read as UTC; month first, as other dates of the "
                    "file tell",
                    "permission": "execute",
                    "comm": "safefreeze",
                    "permissive": "1",
                },
            ),
        ),
        Sample(
            "a unit, from a collector of several hosts",
            "audit.log",
            b"node=vm01 type=SERVICE_STOP msg=audit(1740795003.123:457): pid=1 uid=0 auid=4294967295 ses=4294967295 "
            b'subj=system_u:system_r:init_t:s0 msg=\'unit=walinuxagent comm="systemd" exe="/usr/lib/systemd/systemd" '
            b"hostname=? addr=? terminal=? res=success'\n",
            (
                {
                    "host.name": "vm01",
                    "type": "SERVICE_STOP",
                    "unit": "walinuxagent",
                    "res": "success",
                    "comm": "systemd",
                    "process.pid": 1,
                },
            ),
        ),
    )


parser: Parser = AuditLog()
