"""Logs of backup programs that quote the Volume Shadow Copy Service: whatever their form, by what VSS itself says.

No two programs write alike, and none matters here but for the errors of VSS that it met: codes, their names in the
interface, the classes that wrappers make of them, and the sentences of the documentation. A row is a line with one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_dates import DATE, date_reader
from loganalyzer.parser_listing import Line, cited, console_head, console_lines, listing
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("windows", "backupprogram")

#: ``vss_error``: the name in the interface of VSS; ``writer``: which writer the line names.
_COLUMNS: Mapping[str, pl.DataType] = {
    "@timestamp": TIMESTAMP,
    "time.assumed": pl.String(),
    "hresult": pl.String(),
    "vss_error": pl.String(),
    "writer": pl.String(),
    "writer_failed": pl.Boolean(),
}

#: Codes of VSS (windows.md 4.1), their names behind ``VSS_E_``, and words that programs and its documentation print.
_ERRORS: tuple[tuple[str, str, str], ...] = (
    ("0x80042301", "BAD_STATE", ""),
    ("0x80042302", "UNEXPECTED", r"Shadow Copy Service component encountered an unexpected error"),
    ("0x80042304", "PROVIDER_NOT_REGISTERED", r"volume shadow copy provider is not registered"),
    ("0x80042306", "PROVIDER_VETO", r"shadow copy provider had an error|provider vetoed"),
    ("0x80042308", "OBJECT_NOT_FOUND", ""),
    ("0x8004230C", "VOLUME_NOT_SUPPORTED", r"Shadow copying the specified volume is not supported"),
    ("0x8004230E", "VOLUME_NOT_SUPPORTED_BY_PROVIDER", r"given shadow copy provider does not support shadow copying"),
    ("0x8004230F", "UNEXPECTED_PROVIDER_ERROR", r"shadow copy provider had an unexpected error"),
    ("0x80042312", "MAXIMUM_NUMBER_OF_VOLUMES_REACHED", ""),
    ("0x80042313", "FLUSH_WRITES_TIMEOUT", r"timed out while flushing data to the volume"),
    ("0x80042314", "HOLD_WRITES_TIMEOUT", r"timed out while holding writes|unable to hold I/O writes"),
    ("0x80042315", "UNEXPECTED_WRITER_ERROR", r"encountered problems while sending events to writers"),
    ("0x80042316", "SNAPSHOT_SET_IN_PROGRESS", r"[Aa]nother shadow copy creation is already in progress"
     r"|creation of a shadow copy is already in progress"),
    ("0x80042317", "MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED", r"has reached its maximum number of shadow copies"),
    ("0x80042318", "WRITER_INFRASTRUCTURE", r"error contacting shadow copy service writers"),
    ("0x80042319", "WRITER_NOT_RESPONDING", r"writer did not respond to a GatherWriterStatus"),
    ("0x8004231F", "INSUFFICIENT_STORAGE", r"[Ii]nsufficient storage available to create either the shadow copy"),
    ("0x800423F0", "WRITERERROR_INCONSISTENTSNAPSHOT", r"set only contains only a subset of the volumes"),
    ("0x800423F1", "WRITERERROR_OUTOFRESOURCES", r"writer ran out of memory or other system resources"),
    ("0x800423F2", "WRITERERROR_TIMEOUT", r"writer's timeout expired between the Freeze and Thaw"),
    ("0x800423F3", "WRITERERROR_RETRYABLE", r"writer experienced a transient error"),
    ("0x800423F4", "WRITERERROR_NONRETRYABLE", r"writer experienced a non-transient error"),
)  # fmt: skip
_BY_NAME = {name: code for code, name, _ in _ERRORS}
_NAME_OF = {code: name for code, name, _ in _ERRORS}
#: Classes of wrappers are named like the errors, without marks between the words.
_BY_CLASS = {name.replace("_", "").lower(): code for code, name, _ in _ERRORS}
_WORDS = [(code, re.compile(words)) for code, _, words in _ERRORS if words]

_CODE = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(800423[0-3F][0-9A-F])L?(?![0-9A-Za-z])", re.IGNORECASE)
_SYMBOL = re.compile(r"\bVSS_E_([A-Z_]{5,50})\b")
_CLASS = re.compile(r"\bVss([A-Z][A-Za-z]{5,50})Exception\b")
_DECIMAL = re.compile(r"(?<!\d)-?(21472\d{5})(?!\d)")
#: A writer, in words: ``VSS Writer "x" has invalid state``, ``Writer 'x' is in failed state``.
_WRITER = re.compile(
    r"\b(?:VSS )?[Ww]riter(?:'s)?(?: name)?\s{0,3}[:=]?\s{0,3}['\"\[‘“](?P<quoted>[^'\"\]’”\n]{2,80})['\"\]’”]"
    r"|\b(?P<known>SqlServerWriter|(?:System|Registry|WMI|MSSearch Service|Shadow Copy Optimization|IIS Config"
    r"|NPS VSS|Microsoft Exchange|Microsoft Hyper-V VSS|Cluster Shared Volume VSS|Task Scheduler|ASR) Writer)\b"
)
_FAILED = re.compile(
    r"\bvetoed the shadow copy|\b(?:has|have|is in|in|reported?|with)\s(?:an?\s)?(?:invalid|failed|bad) state\b"
    r"|[Ww]riter state is not stable|[Ww]riter\b.{0,80}\b(?:failed at|has failed|FAILED_AT_)|\bVSS_WS_FAILED"
    r"|[Ss]tate\s?[:=]\s?\[?(?:[6-9]|1[0-5])\]?\W{1,3}[Ff]ailed",
)
_OF_WRITERS = re.compile(r"\bVSS\b|[Ww]riter\b|[Ss]hadow copy")
_NAMED = re.compile(
    r"(?:^|[/!])[^/!]*(?:backup|vss|snapshot|shadow|restore|job)[^/!]*\.(?:log|txt|out)$", re.IGNORECASE
)
#: Formats in which VSS may be quoted, too, and which have readers of their own.
_OTHERS = re.compile(
    r"^\s*[\[{<]\s*[\"<?\[{]|^\s*(?:Log Name|Event ID|ProviderName)\s*:|^\[[0-9A-Fa-f]{8}\] \[", re.MULTILINE
)
_DATE_START = re.compile(rf"^\W{{0,2}}({DATE})", re.IGNORECASE)
_ISO_START = re.compile(r"^\W{0,2}(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)")


@dataclass(frozen=True, slots=True)
class BackupProgramLog:
    """One row a line in which a program tells an error of VSS."""

    name: str = "backup_program_log"
    title: str = "logs of other backup programs that quote errors of the Volume Shadow Copy Service"
    logsource: LogSource = _LOGSOURCE
    strongest: int = 29
    paths: tuple[str, ...] = ("the log of any backup program",)
    samples: tuple[Sample, ...] = (
        Sample(
            "codes and names",
            "contoso-backup.log",
            b"2026-03-01 22:00:04 INFO begin\n"
            b"2026-03-01 22:00:09 ERROR DoSnapshotSet: 0x80042314\n"
            b"2026-03-01 22:00:10 ERROR job: VSS_E_INSUFFICIENT_STORAGE on E:\n",
            (
                {
                    "hresult": "0x80042314",
                    "vss_error": "VSS_E_HOLD_WRITES_TIMEOUT",
                    "@timestamp": datetime(2026, 3, 1, 22, 0, 9, tzinfo=UTC),
                    "log.line": 2,
                },
                {"hresult": "0x8004231F", "vss_error": "VSS_E_INSUFFICIENT_STORAGE"},
            ),
        ),
        Sample(
            "a wrapper's class, and a writer in words",
            "job-output.txt",
            b"Contoso.Vss.VssUnexpectedProviderErrorException: sorry\n   at Contoso.Take()\n"
            b'Warning: VSS Writer "Contoso Writer" has invalid state. ERR=made up\n',
            (
                {"hresult": "0x8004230F", "writer": None, "@timestamp": None},
                {"hresult": None, "writer": "Contoso Writer", "writer_failed": True},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By an error of VSS in a text that no other reader knows; weakly, since everything may quote one."""
        text = console_head(head)
        if _OTHERS.search(text) or not any(_told(line) for line in text.splitlines()):
            return None
        named = _NAMED.search(path.replace("\\", "/")) is not None
        return Claim(29 if named else 24, "quotes errors of the Volume Shadow Copy Service")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a line; a local time is read in the given zone, or as UTC, and says so."""
        lines = console_lines(source.data)
        rows = list(_rows(lines, context))
        if not rows and source.data.strip():
            return rejected_whole(source, "no error of the Volume Shadow Copy Service in it")
        return listing(source, self.logsource, lines, rows, _COLUMNS)


def _rows(lines: Sequence[Line], context: ParseContext) -> Iterator[dict[str, object]]:
    stamps = {line.number: stamp for line in lines if (stamp := _stamp(line.text))}
    reader = date_reader(stamps.values(), None, context.time_zone)
    for line in lines:
        told = _told(line.text)
        if told is None:
            continue
        time, assumed = reader.read(stamps.get(line.number, ""))
        yield {**cited([line]), "@timestamp": time, "time.assumed": assumed, **told}


def _stamp(text: str) -> str | None:
    found = _ISO_START.match(text) or _DATE_START.match(text)
    return found[1].replace(",", ".") if found else None


def _told(text: str) -> dict[str, object] | None:
    """The error of VSS that a line tells; None: none."""
    line = text[:4000]
    code = _code(line)
    writer = _WRITER.search(line)
    failed = _FAILED.search(line) is not None and _OF_WRITERS.search(line) is not None
    if code is None and not failed:
        return None
    failed = failed or (code or "").startswith("0x800423F")
    error = f"VSS_E_{_NAME_OF[code]}" if code in _NAME_OF else None
    named = (writer["quoted"] or writer["known"]) if writer else None
    said = ("a writer failed" if failed else None, error, named, line.strip())
    return {
        "hresult": code,
        "vss_error": error,
        "writer": named,
        "writer_failed": failed,
        "message": ": ".join(one for one in said if one),
    }


def _code(line: str) -> str | None:
    if found := _CODE.search(line):
        return f"0x{found[1].upper()}"
    for symbol in _SYMBOL.finditer(line):
        if symbol[1] in _BY_NAME:
            return _BY_NAME[symbol[1]]
    for named in _CLASS.finditer(line):
        if named[1].lower() in _BY_CLASS:
            return _BY_CLASS[named[1].lower()]
    for decimal in _DECIMAL.finditer(line):
        value = f"0x{(-int(decimal[1])) & 0xFFFFFFFF:08X}"
        if value in _NAME_OF:
            return value
    return next((code for code, words in _WORDS if words.search(line)), None)


parser: Parser = BackupProgramLog()
