"""Backup jobs from Log Analytics: rows of AddonAzureBackupJobs and CoreAzureBackup, as JSON of a query or as CSV.

A job writes several rows: of one job the last is kept. Older vaults have their type behind the name of a column
(``JobStatus_s``).
"""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from loganalyzer.parser import HEAD_SIZE, Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_backup_jobs import JOB_COLUMNS, completed_jobs, is_running, kind_of_job
from loganalyzer.parser_control_plane import (
    JsonExport,
    Record,
    Row,
    duration_seconds,
    export_rows,
    first_text,
    moment,
    read_export,
    resource,
    timed,
)
from loganalyzer.parser_json import items, member, text_of
from loganalyzer.parser_listing import Line, Rejected, console_head, console_lines

_LOGSOURCE = LogSource("azure", "backupjob")

_KEYS = re.compile(r'"(?:JobUniqueId|BackupItemUniqueId)(?:_[sg])?"')
_STATES = re.compile(r'"(?:JobStatus|BackupItemFriendlyName)(?:_s)?"')
_HEADER = re.compile(r"^(?!\s*[\[{])[^\n{]*\b(?:JobUniqueId|BackupItemUniqueId)(?:_[sg])?\b[^\n]*[,;\t]", re.MULTILINE)
_MOST_JOINED = 50
_SUFFIX = re.compile(r"_(?:s|g|d|t|b)$|\s\[[^\]]*\]$")

_ROW = {
    "TimeGenerated": "2026-03-01T22:30:00Z",
    "OperationName": "Job",
    "Category": "AddonAzureBackupJobs",
    "BackupItemUniqueId": "16;vault-x;iaasvmcontainerv2;rg-app;vm07",
    "JobUniqueId": "11111111-2222-0000-0000-000000000000",
    "JobOperation": "Backup",
    "JobStatus": "Failed",
    "JobFailureCode": "UserErrorMadeUp",
    "JobStartDateTime": "2026-03-01T22:00:04Z",
    "JobDurationInSecs": "1296",
}
_EVENTS = (
    {
        "kind": "job",
        "@timestamp": datetime(2026, 3, 1, 22, 21, 40, tzinfo=UTC),
        "status": "Failed",
        "operation": "Backup",
        "item": "vm07",
        "duration": 1296,
        "job_id": "11111111-2222-0000-0000-000000000000",
    },
    {"kind": "error", "error_code": "UserErrorMadeUp", "item": "vm07"},
    {"kind": "last_backup", "last_backup_status": "Failed", "@timestamp": None},
)


@dataclass(frozen=True, slots=True)
class LogAnalyticsJobs:
    """One row a job and its error, as other sources of jobs give them; one row an item."""

    name: str = "log_analytics_jobs"
    title: str = "backup jobs from Log Analytics: AddonAzureBackupJobs, CoreAzureBackup, as JSON or CSV"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az monitor log-analytics query ... -o json > la_jobs.json", "query_data.csv")
    strongest = 88
    samples: tuple[Sample, ...] = (
        Sample(
            "a query of az: a row while the job ran, and the last",
            "la_jobs.json",
            orjson.dumps(
                [
                    {**_ROW, "TimeGenerated": "2026-03-01T22:05:00Z", "JobStatus": "InProgress", "JobFailureCode": ""},
                    _ROW,
                ]
            ),
            ({"kind": "earlier", "status": "InProgress"}, *_EVENTS),
        ),
        Sample(
            "tables of the service",
            "query.json",
            orjson.dumps(
                {
                    "tables": [
                        {
                            "name": "PrimaryResult",
                            "columns": [{"name": name, "type": "string"} for name in _ROW],
                            "rows": [list(_ROW.values())],
                        }
                    ]
                }
            ),
            _EVENTS,
        ),
        Sample(
            "CSV, with types behind the names",
            "query_data.csv",
            b'"TimeGenerated [UTC]",JobUniqueId_g,JobOperation_s,JobStatus_s,JobFailureCode_s,JobStartDateTime_s,'
            b"JobDurationInSecs_s,BackupItemUniqueId_s\r\n"
            b'"2026-03-01T22:30:00Z",11111111-2222-0000-0000-000000000000,Backup,Failed,UserErrorMadeUp,'
            b'2026-03-01T22:00:04Z,1296,"16;vault-x;iaasvmcontainerv2;rg-app;vm07"\r\n',
            _EVENTS,
        ),
        Sample(
            "CSV of another region, with a cell of two lines, and a database",
            "jobs.csv",
            b"JobUniqueId;JobOperation;JobStatus;JobFailureCode;JobStartDateTime;JobDurationInSecs;"
            b"BackupManagementType;State\n"
            b'1;Backup;Completed;Success;2026-03-01T22:00:04Z;60;IaaSVM;"Ac\ntive"\n'
            b"2;Backup;Failed;Made;2026-03-01T22:00:04Z;60;AzureWorkload;Active\n3;short\n",
            (
                {"kind": "job", "status": "Completed", "job_id": "1", "error_code": None},
                {"kind": "foreign_job", "status": "Failed", "job_id": "2", "error_code": None},
            ),
            rejected=1,
        ),
        Sample(
            "items",
            "core.json",
            b'[{"Category": "CoreAzureBackup", "BackupItemUniqueId": "1;v;c;rg;vm7", "BackupItemFriendlyName": "VM7",'
            b' "BackupItemProtectionState": "Protected", "TimeGenerated": "2026-03-01T22:30:00Z"}]',
            ({"kind": "item", "item": "VM7", "item_id": "1;v;c;rg;vm7", "status": "Protected"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the names of the columns."""
        name = r"(?:^|[/!])[^/!]*(?:la[-_ ]|log[-_ ]?analytics|query|jobs|core)[^/!]*$"
        text = console_head(head)
        named = re.search(name, path.replace("\\", "/"), re.IGNORECASE) is not None
        if re.search(r"[\[{]", text) and _KEYS.search(text) and _STATES.search(text):
            return Claim(88 if named else 62, "built like rows of backup jobs in Log Analytics")
        if _HEADER.search(text):
            return Claim(86 if named else 60, "has columns of backup jobs of Log Analytics")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row the last state of a job, its error and an item."""
        export = _csv(source) if _HEADER.match(console_head(source.data[:HEAD_SIZE])) else read_export(source)
        export.records[:] = [flat for record in export.records for flat in _flat(record)]
        last, names = _last_rows(export.records), _names(export.records)
        rows_of = functools.partial(_rows, last=last, names=names)
        return export_rows(source, export, self.logsource, JOB_COLUMNS, rows_of, completed_jobs)


def _csv(source: Source) -> JsonExport:
    """Rows of CSV in the region's own separator; a quoted cell may go over several lines."""
    lines = console_lines(source.data)
    export = JsonExport(lines)
    header: list[str] | None = None
    separator = ","
    for group in _logical(lines):
        text = "\n".join(line.text for line in group)
        if header is None:
            separator = max(",;\t", key=text.count)
        try:
            cells = next(csv.reader(io.StringIO(text), delimiter=separator))
        except (csv.Error, StopIteration):
            export.rejected += [Rejected(line, "no row of CSV") for line in group]
            continue
        if header is None:
            header = cells
        elif len(cells) == len(header):
            export.records.append(Record(dict(zip(header, cells, strict=True)), group))
        else:
            why = f"a row of {len(cells)} fields, where the header has {len(header)}"
            export.rejected += [Rejected(line, why) for line in group]
    return export


def _logical(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines, and those together that an open quote joins; a quote that never closes joins no more than a few."""
    group: list[Line] = []
    quotes = 0
    for line in lines:
        if line.blank and not group:
            continue
        group.append(line)
        quotes += line.text.count('"')
        if quotes % 2 == 0 or len(group) > _MOST_JOINED:
            yield group
            group, quotes = [], 0
    if group:
        yield group


def _flat(record: Record) -> Iterator[Record]:
    """The rows of ``{"tables": [{"columns": ..., "rows": ...}]}``, or the record; without types behind the names."""
    tables = items(member(record.value, "tables")) or ([record.value] if member(record.value, "columns") else [])
    if not tables:
        yield Record(_plain(record.value), record.lines, record.whole)
        return
    for table in tables:
        names = [text_of(member(column, "name")) or "" for column in items(member(table, "columns"))]
        rows = member(table, "rows")
        for values in rows if isinstance(rows, list) else ():
            if isinstance(values, list):
                yield Record(_plain(dict(zip(names, values, strict=False))), record.lines, record.whole)


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    return {_SUFFIX.sub("", name): value for name, value in row.items() if value not in (None, "")}


def _last_rows(records: Sequence[Record]) -> frozenset[int]:
    """The identities of the rows to keep: of each job the one that was written last, and all others."""
    last: dict[str, Record] = {}
    kept = []
    for record in records:
        job = first_text(record.value, "JobUniqueId")
        if job is None:
            kept.append(record)
        elif job not in last or _written(last[job]) <= _written(record):
            last[job] = record
    return frozenset(id(record) for record in (*kept, *last.values()))


def _written(record: Record) -> datetime:
    return moment(record.value, "TimeGenerated") or datetime.min.replace(tzinfo=UTC)


def _names(records: Sequence[Record]) -> Mapping[str, str]:
    """What items are called, by their ids: rows of CoreAzureBackup know it."""
    told = (
        (first_text(one.value, "BackupItemUniqueId"), first_text(one.value, "BackupItemFriendlyName"))
        for one in records
    )
    return {item_id: name for item_id, name in told if item_id and name}


def _rows(record: Record, last: frozenset[int], names: Mapping[str, str]) -> Iterator[Row]:
    one = record.value
    item_id = first_text(one, "BackupItemUniqueId")
    parts = item_id.split(";") if item_id else []
    item = names.get(item_id or "") or (parts[-1] if parts else None)
    vault = first_text(one, "VaultName") or resource(first_text(one, "ResourceId", "_ResourceId"), "vaults")
    shared: Row = {"item": item, "item_id": item_id, "vault": vault or (parts[1] if len(parts) > 3 else None)}
    job, status = first_text(one, "JobUniqueId"), first_text(one, "JobStatus")
    if job is None and status is None:
        if item_id in names:
            state = first_text(one, "BackupItemProtectionState", "ProtectionState")
            yield shared | {"kind": "item", "status": state, "message": f"item {item}: {state}"}
        return
    start, seconds = moment(one, "JobStartDateTime"), duration_seconds(_number(first_text(one, "JobDurationInSecs")))
    running = is_running(status)
    end = start + timedelta(seconds=seconds) if start and seconds and not running else None
    operation = first_text(one, "JobOperation")
    shared |= {"job_id": job, "operation": operation, "status": status, "start": start, "end": end}
    known = start if running else end
    shared |= {"@timestamp": known, "time.assumed": None} if known else timed(one, "TimeGenerated")
    if id(record) not in last:
        yield shared | {"kind": "earlier", "message": f"an earlier row of a job: {status}"}
        return
    kind = kind_of_job(first_text(one, "BackupManagementType"))
    told = f"{operation} of {item or 'an item'}: {status}"
    yield shared | {"kind": kind, "duration": seconds, "message": told}
    code = first_text(one, "JobFailureCode")
    if kind == "job" and code is not None and code.casefold() not in ("success", "none"):
        yield shared | {"kind": "error", "error_code": code, "error_message": code, "message": code}


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", text) else None


parser: Parser = LogAnalyticsJobs()
