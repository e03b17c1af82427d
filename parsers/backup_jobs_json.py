"""Jobs of a Recovery Services vault as JSON: ``az backup job list | show``, ``Get-AzRecoveryServicesBackupJob``, REST.

A job is a row, each of its tasks and errors another. The time of a job is its end, of one that still runs its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_backup_jobs import JOB_COLUMNS, completed_jobs, is_running, kind_of_job
from loganalyzer.parser_control_plane import (
    Record,
    Row,
    claim_export,
    duration_seconds,
    field_of,
    first_text,
    moment,
    parsed_export,
    resource,
    texts_of,
    timed,
)
from loganalyzer.parser_json import items, member

_LOGSOURCE = LogSource("azure", "backupjob")

_VAULT = "/subscriptions/0/resourceGroups/rg-v/providers/Microsoft.RecoveryServices/vaults/vault-x/backupJobs/"
_JOB = {
    "id": f"{_VAULT}11111111-0000-0000-0000-000000000000",
    "name": "11111111-0000-0000-0000-000000000000",
    "properties": {
        "jobType": "AzureIaaSVMJob",
        "backupManagementType": "AzureIaasVM",
        "operation": "Backup",
        "status": "Failed",
        "entityFriendlyName": "vm07",
        "startTime": "2026-03-01T22:00:04.1234567+00:00",
        "endTime": "2026-03-01T22:21:40Z",
        "duration": "0:21:36.530865",
        "errorDetails": [
            {
                "errorCode": 400239,
                "errorTitle": "Told in short",
                "errorString": "Told in full.",
                "recommendations": ["Do this.", "Then that."],
            }
        ],
        "extendedInfo": {
            "tasksList": [
                {"taskId": "Take Snapshot", "status": "Failed", "duration": "0:21:30"},
                {"taskId": "Transfer data to vault", "status": "NotStarted", "duration": "0:00:00"},
            ]
        },
    },
}
_POWERSHELL = {
    "IsCancellable": False,
    "ErrorDetails": [{"ErrorCode": 1, "ErrorMessage": "It failed.", "Recommendations": ["Try again."]}],
    "JobId": "22222222-0000-0000-0000-000000000000",
    "Operation": "Backup",
    "Status": "Failed",
    "WorkloadName": "vm07",
    "StartTime": "/Date(1772402404000)/",
    "EndTime": "/Date(1772403700000)/",
    "Duration": {"TotalSeconds": 1296.0},
    "BackupManagementType": "AzureVM",
}
_EVENTS = (
    {
        "kind": "job",
        "@timestamp": datetime(2026, 3, 1, 22, 21, 40, tzinfo=UTC),
        "start": datetime(2026, 3, 1, 22, 0, 4, 123456, tzinfo=UTC),
        "operation": "Backup",
        "status": "Failed",
        "duration": 1296,
        "error_code": None,
        "item": "vm07",
        "vault": "vault-x",
    },
    {
        "kind": "error",
        "error_code": "400239",
        "error_title": "Told in short",
        "error_message": "Told in full.",
        "recommendations": "Do this.\nThen that.",
        "status": "Failed",
    },
    {"kind": "task", "task": "Take Snapshot", "status": "Failed", "duration": 1290},
    {"kind": "task", "task": "Transfer data to vault", "status": "NotStarted"},
)
_LAST = {"kind": "last_backup", "last_backup_status": "Failed", "listed": 1, "@timestamp": None}


@dataclass(frozen=True, slots=True)
class BackupJobsJson:
    """One row a job, a task and an error."""

    name: str = "backup_jobs_json"
    title: str = "backup jobs as JSON: az backup job list | show, Get-AzRecoveryServicesBackupJob | ConvertTo-Json"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az backup job list -g <rg> -v <vault> -o json > backup_jobs.json",)
    named = r"(?:^|[/!])[^/!]*(?:backup[-_ ]?jobs?|jobs?)[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample("a job", "backup_job.json", orjson.dumps(_JOB, option=orjson.OPT_INDENT_2), (*_EVENTS, _LAST)),
        Sample(
            "REST, in UTF-16", "out.txt", orjson.dumps({"value": [_JOB]}).decode().encode("utf-16"), (*_EVENTS, _LAST)
        ),
        Sample(
            "PowerShell, with its prompt",
            "control-plane/jobs.json",
            b"PS C:\\> Get-AzRecoveryServicesBackupJob | ConvertTo-Json\r\n" + orjson.dumps([_POWERSHELL]) + b"\r\n",
            (
                {
                    "kind": "job",
                    "@timestamp": datetime(2026, 3, 1, 22, 21, 40, tzinfo=UTC),
                    "duration": 1296,
                    "item": "vm07",
                    "job_id": "22222222-0000-0000-0000-000000000000",
                },
                {"kind": "error", "error_code": "1", "error_message": "It failed.", "recommendations": "Try again."},
                _LAST,
            ),
            rejected=1,
        ),
        Sample(
            "cut in the second job",
            "backup_jobs.json",
            orjson.dumps([_JOB, _JOB])[: len(orjson.dumps(_JOB)) + 330],
            (*_EVENTS, {"kind": "job", "operation": "Backup", "@timestamp": None, "status": "Failed"}),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the keys of a job."""
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("entityFriendlyName|WorkloadName", "operation", "backupManagementType"),
            text="backup jobs of a vault",
            listed=False,
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a job, then its errors and tasks."""
        return parsed_export(source, self.logsource, JOB_COLUMNS, _rows, completed_jobs)


def _rows(record: Record) -> Iterator[Row]:
    job = record.value
    operation, status = first_text(job, "operation"), first_text(job, "status")
    if operation is None and status is None:
        return
    running = is_running(status)
    tasks = items(field_of(field_of(job, "extendedInfo"), "tasksList")) or items(member(job, "SubTasks"))
    shared: Row = {
        **timed(job, "startTime" if running else "endTime"),
        "job_id": first_text(job, "JobId") or first_text(job, "name"),
        "operation": operation,
        "status": status,
        "start": moment(job, "startTime"),
        "end": None if running else moment(job, "endTime"),
        "item": first_text(job, "entityFriendlyName", "WorkloadName"),
        "vault": resource(member(job, "id"), "vaults"),
        "activity_id": first_text(job, "activityId"),
        "vm_version": first_text(job, "virtualMachineVersion"),
    }
    kind = kind_of_job(first_text(job, "backupManagementType"))
    told = f"{operation} of {shared['item'] or 'an item'}: {status}"
    states = {"snapshot_task": _state(tasks, "snapshot"), "transfer_task": _state(tasks, "transfer")}
    yield shared | states | {"kind": kind, "duration": duration_seconds(field_of(job, "duration")), "message": told}
    if kind != "job":
        return
    yield from (shared | row for row in _errors(job))
    for task in tasks:
        name, state = first_text(task, "taskId", "name"), first_text(task, "status")
        own: Row = {"kind": "task", "task": name, "status": state, "message": f"{name}: {state}"}
        yield shared | own | {"duration": duration_seconds(member(task, "duration"))}


def _state(tasks: Iterable[object], word: str) -> str | None:
    """The state of the task whose name has this word in it."""
    named = ((first_text(task, "taskId", "name") or "", first_text(task, "status")) for task in tasks)
    return next((state for name, state in named if word in name.casefold()), None)


def _errors(job: object) -> Iterator[Row]:
    details = items(field_of(job, "errorDetails"))
    dynamic = first_text(field_of(job, "extendedInfo"), "dynamicErrorMessage")
    for one in details:
        title, text = first_text(one, "errorTitle"), first_text(one, "errorString", "errorMessage")
        text = "\n".join(dict.fromkeys(part for part in (dynamic, text) if part)) or None
        yield _error(first_text(one, "errorCode"), title, text, texts_of(member(one, "recommendations")))
    if dynamic is not None and not details:
        yield _error(None, None, dynamic, None)


def _error(code: str | None, title: str | None, text: str | None, advice: str | None) -> Row:
    return {
        "kind": "error",
        "error_code": code,
        "error_title": title,
        "error_message": text or title,
        "recommendations": advice,
        "message": ": ".join(part for part in (code, text or title) if part),
    }


parser: Parser = BackupJobsJson()
