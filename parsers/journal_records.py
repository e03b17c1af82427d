"""Entries of the systemd journal with all fields: ``journalctl -o json``, ``json-pretty``, ``export``, ``verbose``.

Names of fields are those of systemd.journal-fields(7); times are microseconds since 1970, in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import orjson
import polars as pl

from loganalyzer.parser import (
    HEAD_SIZE,
    Claim,
    LogSource,
    ParseContext,
    Parsed,
    Parser,
    Sample,
    Source,
    rejected_whole,
    text_head,
)
from loganalyzer.parser_agent import take_agent_lines_apart
from loganalyzer.parser_listing import DOCUMENT_LIMIT, Line, Rejected, cited, console_lines, listing, paragraphs
from loganalyzer.parser_syslog import FACILITIES, SEVERITIES
from loganalyzer.schema import TIMESTAMP, EventFrame, conform

_LOGSOURCE = LogSource("linux", "journald")
_JSON = re.compile(r'\A\s*(?:data: )?[\[{](?s:.*?)"__REALTIME_TIMESTAMP"\s*:', re.MULTILINE)
_EXPORT = re.compile(r"^__REALTIME_TIMESTAMP=\d", re.MULTILINE)
_VERBOSE = re.compile(r"^(?:[A-Z][a-z]{2} )?\d{4}-\d\d-\d\d \S+(?: \S+)? \[s=[0-9a-f]+;i=[0-9a-f]+;", re.MULTILINE)
_CURSOR_TIME = re.compile(r";t=([0-9a-f]{1,16});")
_CURSOR_MONOTONIC = re.compile(r";m=([0-9a-f]{1,16});")
_CURSOR_BOOT = re.compile(r";b=([0-9a-f]{32});")
_FIELD = re.compile(r"^[ \t]+([A-Z_][A-Z0-9_]{0,63})=(.*)$")
_EXPORTED_FIELD = re.compile(r"^([A-Z_][A-Z0-9_]{0,63})=(.*)$", re.DOTALL)
_NAME = re.compile(r"journal[^/!]*$", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The fields of an entry by their names, and an entry with its lines.
Fields: TypeAlias = Mapping[str, str]
Entry: TypeAlias = tuple[Fields, Sequence[Line]]

#: ``unit``: the one that the entry is about (systemd's own entries have ``UNIT``), else the one that wrote it.
_COLUMNS: Mapping[str, pl.DataType] = {
    "@timestamp": TIMESTAMP,
    "log.level": pl.String(),
    "host.name": pl.String(),
    "process.name": pl.String(),
    "process.pid": pl.Int64(),
    "unit": pl.String(),
    "facility": pl.String(),
    "priority": pl.Int64(),
    "boot_seconds": pl.Float64(),
    "boot_id": pl.String(),
    "transport": pl.String(),
}

_ENTRY = {
    "__CURSOR": "s=1;i=2",
    "__REALTIME_TIMESTAMP": "1740795003250000",
    "__MONOTONIC_TIMESTAMP": "7500000",
    "_BOOT_ID": "0123456789abcdef0123456789abcdef",
    "PRIORITY": "3",
    "SYSLOG_FACILITY": "3",
    "SYSLOG_IDENTIFIER": "systemd",
    "_PID": "1",
    "_HOSTNAME": "vm01",
    "_SYSTEMD_UNIT": "init.scope",
    "UNIT": "walinuxagent.service",
    "_TRANSPORT": "journal",
    "MESSAGE": "walinuxagent.service: Failed with result 'exit-code'.",
}
_EVENT: Mapping[str, object] = {
    "@timestamp": datetime(2025, 3, 1, 2, 10, 3, 250_000, tzinfo=UTC),
    "time.assumed": None,
    "message": "walinuxagent.service: Failed with result 'exit-code'.",
    "unit": "walinuxagent.service",
    "priority": 3,
    "log.level": "err",
    "facility": "daemon",
    "process.name": "systemd",
    "process.pid": 1,
    "host.name": "vm01",
    "boot_seconds": 7.5,
    "boot_id": "0123456789abcdef0123456789abcdef",
    "transport": "journal",
}
_EXPORTED = "".join(f"{name}={value}\n" for name, value in _ENTRY.items() if name != "MESSAGE").encode()
_AGENT_TEXT = "2025-03-01T02:10:04.000000Z WARNING ExtHandler ExtHandler No route exists to 168.63.129.16"
_AGENT_EVENT: Mapping[str, object] = {
    "message": "No route exists to 168.63.129.16",
    "log.level": "WARNING",
    "log.logger": "ExtHandler",
    "process.name": "python3",
}


@dataclass(frozen=True, slots=True)
class JournalRecords:
    """One row an entry."""

    name: str = "journal_records"
    title: str = "systemd journal with all fields: journalctl -o json, json-pretty, json-sse, export, verbose"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("journalctl -o json > journal.json", "journalctl -o export > journal.export")
    named = _NAME.pattern
    otherwise = 80

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every form, with values that are no text and with lines that are torn."""
        return (*_json_samples(), *_field_samples())

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the journal's own names of fields, or its cursor in the head of an entry."""
        text = text_head(head)
        known = _JSON.search(text) or _EXPORT.search(text) or _VERBOSE.search(text)
        strength = 93 if _NAME.search(path.replace("\\", "/")) else 80
        return Claim(strength, "with fields of the systemd journal") if known else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an entry; what belongs to none is rejected."""
        head = text_head(source.data[:HEAD_SIZE])
        lines = console_lines(source.data, DOCUMENT_LIMIT)
        rejected: list[Rejected] = []
        if _VERBOSE.search(head):
            entries = list(_verbose_entries(lines, rejected))
        elif _EXPORT.search(head) and not _JSON.search(head):
            lines = _export_lines(source.data)
            entries = list(_export_entries(lines, rejected))
        else:
            entries = list(_json_entries(lines, rejected))
        if not entries and source.data.strip():
            return rejected_whole(source, "no entry of a journal in it: no time in any of its fields")
        found = listing(source, self.logsource, lines, [_row(*one) for one in entries], _COLUMNS, rejected)
        [frame] = found.frames
        rows = take_agent_lines_apart(frame.rows)
        return replace(found, frames=(EventFrame(self.logsource, conform(rows)),))


def _row(fields: Fields, lines: Sequence[Line]) -> dict[str, object]:
    time = _time(fields)
    priority, facility = _number(fields, "PRIORITY"), _number(fields, "SYSLOG_FACILITY")
    monotonic = _number(fields, "__MONOTONIC_TIMESTAMP")
    return cited(lines) | {
        "@timestamp": time,
        "message": fields.get("MESSAGE"),
        "log.level": SEVERITIES[priority] if priority is not None and priority < len(SEVERITIES) else None,
        "host.name": fields.get("_HOSTNAME"),
        "process.name": fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM"),
        "process.pid": _first(_number(fields, "_PID"), _number(fields, "SYSLOG_PID")),
        "unit": fields.get("UNIT") or fields.get("_SYSTEMD_UNIT"),
        "facility": FACILITIES[facility] if facility is not None and facility < len(FACILITIES) else None,
        "priority": priority,
        "boot_seconds": monotonic / 10**6 if monotonic is not None else None,
        "boot_id": fields.get("_BOOT_ID"),
        "transport": fields.get("_TRANSPORT"),
    }


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _number(fields: Fields, name: str) -> int | None:
    text = fields.get(name) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _time(fields: Fields) -> datetime | None:
    """When the program wrote the entry, where it says so, as ``journalctl`` shows it; else when it was received."""
    micros = _first(_number(fields, "_SOURCE_REALTIME_TIMESTAMP"), _number(fields, "__REALTIME_TIMESTAMP"))
    try:
        return _EPOCH + timedelta(microseconds=micros) if micros is not None else None
    except OverflowError:
        return None


def _json_entries(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[Entry]:
    """An entry a line, or one from a line ``{`` to a line ``}``; a list of entries is their lines with commas."""
    held: list[Line] = []
    for line in lines:
        text = line.text.strip().removeprefix("data: ")
        if held or text.lstrip("[, ") == "{":
            held.append(line)
            if text.rstrip("], ") != "}":
                continue
        elif text.strip("[], ") == "":
            continue
        else:
            held = [line]
        values = _json_values("\n".join(one.text.strip().removeprefix("data: ") for one in held))
        found = [fields for value in values if (fields := _json_fields(value))]
        yield from ((fields, held) for fields in found)
        if not found:
            rejected.extend(Rejected(one, "no JSON of an entry of the journal") for one in held)
        held = []
    rejected.extend(Rejected(line, "an entry whose end is missing") for line in held)


def _json_values(text: str) -> Sequence[object]:
    for shape in (text, text.strip().strip(",").strip(), text.strip().lstrip("[, ").rstrip("], ")):
        try:
            value: object = orjson.loads(shape)
        except orjson.JSONDecodeError:
            continue
        return value if isinstance(value, list) else [value]
    return ()


def _json_fields(value: object) -> Fields:
    """The fields of an entry. Values with bytes that are no text are lists of numbers; several of a name are a list."""
    if not isinstance(value, dict) or not any(name in value for name in ("__REALTIME_TIMESTAMP", "MESSAGE")):
        return {}
    return {name: text for name, one in value.items() if (text := _json_text(one)) is not None}


def _json_text(value: object) -> str | None:
    if isinstance(value, list):
        if value and all(isinstance(one, int) and 0 <= one < 256 for one in value):
            return bytes(value).decode("utf-8", errors="replace")
        return next((one for one in value if isinstance(one, str)), None)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None


def _verbose_entries(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[Entry]:
    """An entry is a head line with the cursor, and an indented line a field; other lines go on with the field above."""
    fields: dict[str, str] = {}
    own: list[Line] = []
    name = ""
    for line in lines:
        if _VERBOSE.match(line.text):
            if own:
                yield fields, own
            fields, own, name = _of_cursor(line.text), [line], ""
        elif not own:
            if not line.blank and not line.text.startswith("-- "):
                rejected.append(Rejected(line, "belongs to no entry of the journal"))
        else:
            own.append(line)
            if pair := _FIELD.match(line.text):
                name = pair[1]
                fields[name] = pair[2]
            elif name and not line.text.startswith("-- "):
                fields[name] += "\n" + line.text.strip()
    if own:
        yield fields, own


def _of_cursor(text: str) -> dict[str, str]:
    time, monotonic, boot = _CURSOR_TIME.search(text), _CURSOR_MONOTONIC.search(text), _CURSOR_BOOT.search(text)
    fields = {"_BOOT_ID": boot[1]} if boot else {}
    if time:
        fields["__REALTIME_TIMESTAMP"] = str(int(time[1], 16))
    if monotonic:
        fields["__MONOTONIC_TIMESTAMP"] = str(int(monotonic[1], 16))
    return fields


def _export_lines(data: bytes) -> list[Line]:
    """The lines of an export. A field of other bytes than text is one: its name, its length in 8 bytes, itself."""
    lines, offset, number = [], 0, 1
    while offset < len(data):
        end = data.find(b"\n", offset) + 1 or len(data)
        text = data[offset:end].rstrip(b"\r\n").decode("utf-8", errors="replace")
        if re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", text) and end + 8 <= len(data):
            size = int.from_bytes(data[end : end + 8], "little")
            if end + 8 + size <= len(data):
                value = data[end + 8 : end + 8 + size].decode("utf-8", errors="replace")
                end = min(end + 8 + size + 1, len(data))
                text = f"{text}={value}"
        lines.append(Line(number, offset, end - offset, text))
        number += data.count(b"\n", offset, end)
        offset = end
    return lines


def _export_entries(lines: Sequence[Line], rejected: list[Rejected]) -> Iterator[Entry]:
    """Entries are runs of ``NAME=value`` between blank lines."""
    for run in paragraphs(lines):
        fields: dict[str, str] = {}
        for line in run:
            if pair := _EXPORTED_FIELD.match(line.text):
                fields[pair[1]] = pair[2]
            else:
                rejected.append(Rejected(line, "no field of the journal: NAME=value is expected"))
        if fields:
            yield fields, run


def _json_samples() -> tuple[Sample, ...]:
    agent = {"__REALTIME_TIMESTAMP": "1740795004000000", "SYSLOG_IDENTIFIER": "python3", "MESSAGE": _AGENT_TEXT}
    odd = {"__REALTIME_TIMESTAMP": "1740795005000000", "MESSAGE": [98, 195, 164, 10], "PRIORITY": "9"}
    return (
        Sample(
            "json, a line an entry, one of them torn",
            "journal.json",
            b"\n".join((orjson.dumps(_ENTRY), orjson.dumps(_ENTRY)[:50], orjson.dumps(agent), orjson.dumps(odd), b"")),
            (
                _EVENT,
                {"@timestamp": datetime(2025, 3, 1, 2, 10, 4, tzinfo=UTC), "log.line": 3, **_AGENT_EVENT},
                {"message": "bä\n", "priority": 9, "log.level": None},
            ),
            rejected=1,
        ),
        Sample(
            "json-pretty",
            "journal.txt",
            orjson.dumps(_ENTRY, option=orjson.OPT_INDENT_2) + b"\n" + orjson.dumps(agent, option=orjson.OPT_INDENT_2),
            (_EVENT, _AGENT_EVENT),
        ),
        Sample(
            "json-sse, and a list made of entries",
            "entries.json",
            b"data: " + orjson.dumps(_ENTRY) + b"\n\n[" + orjson.dumps(agent) + b",\n" + orjson.dumps(odd) + b"]\n",
            (_EVENT, _AGENT_EVENT, {"message": "bä\n"}),
        ),
    )


def _field_samples() -> tuple[Sample, ...]:
    text = str(_ENTRY["MESSAGE"]).encode()
    binary = b"first\nsecond"
    return (
        Sample(
            "export, with a value of two lines and a line that is no field",
            "journal.export",
            _EXPORTED
            + b"MESSAGE="
            + text
            + b"\n\n"
            + _EXPORTED
            + b"MESSAGE\n"
            + len(binary).to_bytes(8, "little")
            + binary
            + b"\n\n"
            + _EXPORTED
            + b"MESSAGE=third\nno field\n",
            (_EVENT, {"message": "first\nsecond", "unit": "walinuxagent.service"}, {"message": "third"}),
            rejected=1,
        ),
        Sample(
            "verbose",
            "journal.verbose.txt",
            b"-- Logs begin at Sat 2025-03-01 02:00:00 UTC, end at Sat 2025-03-01 03:00:00 UTC. --\n"
            b"Sat 2025-03-01 02:10:03.250000 UTC [s=5a;i=2;b=0123456789abcdef0123456789abcdef;m=7270e0;"
            b"t=62f3e6bcba550;x=1]\n"
            b"    PRIORITY=3\n    SYSLOG_FACILITY=3\n    SYSLOG_IDENTIFIER=systemd\n    _PID=1\n    _HOSTNAME=vm01\n"
            b"    UNIT=walinuxagent.service\n    _TRANSPORT=journal\n    MESSAGE=" + text + b"\n"
            b"Sat 2025-03-01 02:10:04.000000 UTC [s=5;i=3;b=0123456789abcdef0123456789abcdef;m=8;t=62f3e6bd71700]\n"
            b"    SYSLOG_IDENTIFIER=python3\n    MESSAGE=" + _AGENT_TEXT.encode() + b"\n            a second line\n",
            (_EVENT, {**_AGENT_EVENT, "message": "No route exists to 168.63.129.16\na second line"}),
        ),
    )


parser: Parser = JournalRecords()
