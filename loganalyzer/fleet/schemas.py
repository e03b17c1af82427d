"""The tables of a dataset: names, types and meanings of their columns, and the rows that a report gives.

Version 1. Additions of columns and tables are allowed within a version, changes are not. Times are UTC with
microseconds. The schemas carry their version and each column's meaning as metadata, so that a file explains itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import pyarrow as pa

from loganalyzer.report.model import Report

VERSION: Final = 1

Row: TypeAlias = dict[str, Any]

_TEXT = pa.string()
_TEXTS = pa.list_(pa.string())
_COUNT = pa.int64()
_LABELS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
_TIME = pa.timestamp("us", tz="UTC")

#: Columns that every table begins with: the bundle that the row is of.
_KEY: Final = (("bundle_id", _TEXT, "Sixteen hexadecimal digits of the bundle's name; joins the tables."),)

#: By table, its columns in their order: name, type, meaning.
COLUMNS: Final[Mapping[str, tuple[tuple[str, pa.DataType, str], ...]]] = {
    "bundles": (
        *_KEY,
        ("bundle", _TEXT, "The name of the bundle: its path below the collection, or as its manifest has it."),
        ("labels", _LABELS, "What a manifest says of it: name and value of each further column."),
        ("content_sha256", _TEXT, "Hash of the bundle as it lay there; null if it was not read."),
        ("etag", _TEXT, "What object storage changes with the content of the bundle; null for a bundle on disk."),
        (
            "judged_by",
            _TEXT,
            "Hashes of what the report depends on besides: this program, its catalogue and the options; and the rules.",
        ),
        ("status", _TEXT, "scanned or failed."),
        ("failure_kind", _TEXT, "Why there is no report: input, fault, crash, time or memory; null if there is one."),
        ("failure", _TEXT, "The same in words."),
        ("report", _TEXT, "Path of the JSON report below the dataset; null if there is none."),
        ("verdict", _TEXT, "cause-found, no-fault-found or cannot-tell."),
        ("cause", _TEXT, "The first diagnosis' cause, if it is confirmed or likely; else null."),
        ("cause_verdict", _TEXT, "confirmed or likely."),
        ("platform", _TEXT, "linux, windows or unknown."),
        ("layout", _TEXT, "How the bundle was collected."),
        ("hosts", _TEXTS, "Names of machines in the bundle."),
        ("first", _TIME, "The first time in the bundle."),
        ("last", _TIME, "The last time in the bundle."),
        ("sha256", _TEXT, "Hash over the bundle's files, whatever their packing."),
        ("files", _COUNT, "Files read."),
        ("bytes", _COUNT, "Bytes of these files."),
        ("events", _COUNT, "Events parsed."),
        ("recognised", _COUNT, "Files that a parser knows."),
        ("unread", _COUNT, "Sources that could not be read to their end."),
        ("attempts", _COUNT, "Backup attempts."),
        ("failed_attempts", _COUNT, "Of these, failed ones."),
        ("last_failure", _TIME, "End, or else start, of the last failed attempt."),
        ("agent_version", _TEXT, "The newest version of the guest agent that the bundle tells of."),
        ("extension_version", _TEXT, "The newest version of the backup extension that the bundle tells of."),
        ("os", _TEXT, "Distribution or build of the operating system."),
        ("next_artefact", _TEXT, "What to collect next: the catalogue's id of it."),
        ("next_command", _TEXT, "The command that collects it."),
        ("tool_version", _TEXT, "The version of this program that made the report."),
        ("catalogue_version", _TEXT, "The version of its catalogue."),
    ),
    "diagnoses": (
        *_KEY,
        ("rank", _COUNT, "1 is the cause to mend first."),
        ("cause", _TEXT, "The catalogue's id."),
        ("title", _TEXT, "The cause in words."),
        ("verdict", _TEXT, "confirmed, likely or possible."),
        ("summary", _TEXT, "What was found."),
        ("first_seen", _TIME, "First evidence."),
        ("last_seen", _TIME, "Last evidence."),
        ("count", _COUNT, "Pieces of evidence."),
        ("error_codes", _TEXTS, "Documented errors that it explains."),
        ("consequences", _TEXTS, "Causes that follow from it here."),
    ),
    "evidence": (
        *_KEY,
        ("cause", _TEXT, "The diagnosis that it speaks for."),
        ("rule", _TEXT, "Id of the signature."),
        ("rule_title", _TEXT, "Its title."),
        ("role", _TEXT, "supports or refutes."),
        ("strength", _TEXT, "definitive, strong or weak."),
        ("kind", _TEXT, "line, record, value or gap."),
        ("source", _TEXT, "File of the bundle."),
        ("line", _COUNT, "Its line, from 1; null in event logs."),
        ("record_id", _COUNT, "The record of an event log."),
        ("timestamp", _TIME, "When it was logged; null if that is not known."),
        ("message", _TEXT, "What it says."),
    ),
    "attempts": (
        *_KEY,
        ("attempt", _TEXT, "Its id within the bundle."),
        ("start", _TIME, "First step."),
        ("end", _TIME, "Last step."),
        ("phase", _TEXT, "The furthest phase that it reached."),
        ("outcome", _TEXT, "success, failure or unfinished."),
        ("codes", _TEXTS, "Error codes that it gave."),
        ("sources", _TEXTS, "Files that tell of it."),
    ),
    "coverage": (
        *_KEY,
        ("source", _TEXT, "File or archive of the bundle."),
        ("logsource", _TEXT, "product/service of its events."),
        ("parser", _TEXT, "What read it."),
        ("status", _TEXT, "read, partial, skipped, unrecognised or archive."),
        ("bytes", _COUNT, "Its size."),
        ("parsed_bytes", _COUNT, "Of these, parsed."),
        ("rejected_bytes", _COUNT, "Rejected with a reason."),
        ("skipped_bytes", _COUNT, "Skipped with a reason."),
        ("lines", _COUNT, "Lines."),
        ("events", _COUNT, "Events."),
        ("rejected", _COUNT, "Entries rejected."),
        ("first", _TIME, "First time."),
        ("last", _TIME, "Last time."),
        ("gaps", _COUNT, "Silences of the log."),
        ("why", _TEXT, "Why it was read so, or was not."),
    ),
    "errors": (
        *_KEY,
        ("code", _TEXT, "A documented error of the bundle."),
        ("message", _TEXT, "Its message."),
        ("explained_by", _TEXTS, "Causes that explain it here."),
    ),
    "unattributed": (
        *_KEY,
        ("template", _TEXT, "Errors that no signature explains, as one template."),
        ("count", _COUNT, "How often."),
        ("first", _TIME, "First time."),
        ("last", _TIME, "Last time."),
        ("new", pa.bool_(), "Whether it is new against the machine's own good time; null if that has none."),
        ("source", _TEXT, "File of the example."),
        ("line", _COUNT, "Line of the example."),
        ("example", _TEXT, "One of them."),
    ),
    "settings": (
        *_KEY,
        ("logsource", _TEXT, "product/service/category of the source."),
        ("name", _TEXT, "A version, a lasting fact, or a setting of a file."),
        ("object", _TEXT, "What it speaks of: an extension, a service, a section."),
        ("value", _TEXT, "Its value."),
        ("source", _TEXT, "File that tells it."),
        ("line", _COUNT, "Line of that file."),
    ),
}


def schema(table: str) -> pa.Schema:
    """The schema of a table, with its version and the meanings of its columns as metadata (UTF-8)."""
    columns = [pa.field(name, kind, metadata={"description": meaning}) for name, kind, meaning in COLUMNS[table]]
    return pa.schema(columns, metadata={"loganalyzer.dataset": str(VERSION), "loganalyzer.table": table})


def report_rows(bundle_id: str, report: Report) -> dict[str, list[Row]]:
    """The rows of all tables but ``bundles`` that a report gives."""
    return {table: [{"bundle_id": bundle_id, **row} for row in rows(report)] for table, rows in _ROWS.items()}


def report_columns(report: Report) -> Row:
    """The columns of ``bundles`` that a report gives."""
    first = report.diagnoses[0] if report.diagnoses else None
    found = first if first is not None and first.verdict != "possible" else None
    failures = [one for one in report.attempts if one.outcome == "failure"]
    ends = [time for one in failures if (time := one.end or one.start) is not None]
    wanted = report.next_evidence[0] if report.next_evidence else None
    return {
        "verdict": report.verdict,
        "cause": found.cause if found is not None else None,
        "cause_verdict": found.verdict if found is not None else None,
        "platform": report.bundle.platform,
        "layout": report.bundle.layout,
        "hosts": report.bundle.hosts,
        "first": report.bundle.first,
        "last": report.bundle.last,
        "sha256": report.bundle.sha256,
        "files": report.receipt.files,
        "bytes": report.receipt.bytes,
        "events": report.receipt.events,
        "attempts": len(report.attempts),
        "failed_attempts": len(failures),
        "last_failure": max(ends, default=None),
        "agent_version": _newest(report, "agent_version"),
        "extension_version": _newest(report, "extension_version", "RecoveryServices"),
        "os": _newest(report, "os") or _newest(report, "os_build"),
        "next_artefact": wanted.artefact if wanted is not None else None,
        "next_command": wanted.command if wanted is not None else None,
        "tool_version": report.tool.version,
        "catalogue_version": report.catalogue.version,
    }


def _newest(report: Report, name: str, of: str = "") -> str | None:
    """The highest value of a fact; numbers in it count as numbers."""
    values = [one.value for one in report.settings if one.name == name and of in (one.object or "")]
    return max(values, key=_numbers, default=None)


def _numbers(value: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in value.split("."))


def _of(table: str, value: object, **others: object) -> Row:
    """A row whose columns are fields of the value under the same name, but for ``others``."""
    names = [name for name, _, _ in COLUMNS[table][len(_KEY) :] if name not in others]
    return {**{name: getattr(value, name) for name in names}, **others}


def _plain(table: str) -> Callable[[Report], Iterator[Row]]:
    return lambda report: (_of(table, value) for value in getattr(report, table))


_ROWS: Final[Mapping[str, Callable[[Report], Iterator[Row]]]] = {
    "evidence": lambda report: (
        _of("evidence", one, cause=diagnosis.cause) for diagnosis in report.diagnoses for one in diagnosis.evidence
    ),
    "attempts": lambda report: (_of("attempts", one, attempt=one.id) for one in report.attempts),
    "coverage": lambda report: (_of("coverage", one, gaps=len(one.gaps)) for one in report.coverage),
    **{table: _plain(table) for table in ("diagnoses", "errors", "unattributed", "settings")},
}
