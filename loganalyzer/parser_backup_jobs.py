"""The parser kit for backup jobs of a vault, in whatever form: one set of columns, and what only all jobs tell.

A job is a row of kind ``job``, which counts as a backup attempt; of what else the vault protects it is ``foreign_job``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from loganalyzer.parser_control_plane import Row, Whole
from loganalyzer.schema import TIMESTAMP

__all__ = ["JOB_COLUMNS", "completed_jobs", "is_running", "kind_of_job"]

#: ``kind``: job, task, error, last_backup, earlier (a state that a later row of the job replaced), item (a protected
#: VM), foreign_job (of a database or a share), other_item (a job of an item whose last backup succeeded, in an export
#: where that of another did not). ``item`` is the VM, ``vm`` its name in lower case, ``duration`` in seconds,
#: ``task`` the name of a step.
#: Of a job: ``snapshot_task`` and ``transfer_task`` are the states of its steps; ``blocked_by`` is the id of a job of
#: the same item that ran when it started, ``blocked_by_vault`` whether in the same or other vault, and
#: ``blocked_by_seconds`` how long that one had run; ``backups_in_day``: backups of the item that had completed in the
#: 24 hours before its end, itself included.
#: A row ``last_backup`` without a time follows where all jobs are of one item: ``last_backup_status`` of its last
#: backup that ended. ``listed`` is the number of items then, as exports of items have it.
JOB_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "job_id": pl.String(),
    "operation": pl.String(),
    "status": pl.String(),
    "start": TIMESTAMP,
    "end": TIMESTAMP,
    "duration": pl.Int64(),
    "task": pl.String(),
    "error_code": pl.String(),
    "error_title": pl.String(),
    "error_message": pl.String(),
    "recommendations": pl.String(),
    "item": pl.String(),
    "item_id": pl.String(),
    "vm": pl.String(),
    "vault": pl.String(),
    "activity_id": pl.String(),
    "vm_version": pl.String(),
    "snapshot_task": pl.String(),
    "transfer_task": pl.String(),
    "blocked_by": pl.String(),
    "blocked_by_vault": pl.String(),
    "blocked_by_seconds": pl.Int64(),
    "backups_in_day": pl.Int64(),
    "last_backup_status": pl.String(),
    "listed": pl.Int64(),
}

_RUNNING = frozenset({"inprogress", "in progress", "cancelling"})
_COMPLETED = frozenset({"completed", "completedwithwarnings"})
_ENDED = _COMPLETED | {"failed", "cancelled"}
_FOREVER = datetime.max.replace(tzinfo=UTC)
_DAY = timedelta(days=1)


def is_running(status: str | None) -> bool:
    """Whether a job with this status has not ended."""
    return (status or "").casefold() in _RUNNING


def kind_of_job(management: str | None) -> str:
    """``job`` for those of VMs (or where nothing is said: PowerShell writes a number), else ``foreign_job``."""
    word = (management or "").casefold()
    return "job" if not word or word.isdigit() or word.endswith(("iaasvm", "azurevm")) else "foreign_job"


def completed_jobs(whole: Whole) -> Iterable[Row]:
    """The rows, with what the jobs of the export tell of each other."""
    by_item: dict[str, list[Row]] = defaultdict(list)
    for row in whole.rows:
        if row["kind"] == "job":
            row["vm"] = _item(row) or None
            by_item[_item(row)].append(row)
    for jobs in by_item.values():
        _blocking(jobs)
        _counted(jobs)
    failed = {item for item, jobs in by_item.items() if _last_word(jobs) in ("failed", "cancelled")}
    others = {item for item, jobs in by_item.items() if item and _last_word(jobs) in _COMPLETED} if failed else set()
    rows = [_set_aside(row) if _item(row) in others and row["kind"] in _OF_JOB else row for row in whole.rows]
    return [*rows, *_last_backup(whole, by_item)]


def _last_backup(whole: Whole, by_item: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """How the last backup went, where that is known: a state of the item when the export was made."""
    if len(by_item) != 1 or not whole.complete:
        return
    [(item, jobs)] = by_item.items()
    word = _last_word(jobs)
    if item and word is not None:
        status = "Completed" if word in _COMPLETED else word.capitalize()
        told = f"the last backup of {jobs[0]['item']} in the export: {status}"
        own: Row = {"kind": "last_backup", "item": jobs[0]["item"], "last_backup_status": status, "listed": 1}
        yield {**whole.place, **own, "message": told}


_OF_JOB = frozenset({"job", "task", "error"})


def _set_aside(row: Row) -> Row:
    """A row of an item that is well; its old errors say nothing of the item that is not."""
    return row | {"kind": "other_item", "error_code": None, "error_title": None, "error_message": None}


def _item(row: Mapping[str, object]) -> str:
    return str(row.get("item") or "").casefold()


def _word(row: Mapping[str, object], name: str) -> str:
    return str(row.get(name) or "").casefold()


def _time(row: Mapping[str, object], name: str) -> datetime | None:
    value = row.get(name)
    return value if isinstance(value, datetime) else None


def _last_word(jobs: Sequence[Row]) -> str | None:
    """How the last backup of an item that ended did so."""
    ended = [
        (time, _word(job, "status"))
        for job in jobs
        if _word(job, "operation") == "backup"
        and _word(job, "status") in _ENDED
        and (time := _time(job, "end") or _time(job, "@timestamp")) is not None
    ]
    return max(ended)[1] if ended else None


def _blocking(jobs: Sequence[Row]) -> None:
    """Tells each job which other one of the item still ran when it started: the one that ran longest."""
    started = sorted(((start, job) for job in jobs if (start := _time(job, "start"))), key=lambda pair: pair[0])
    until, before = None, None
    for start, job in started:
        if before is not None and until is not None and until > start and job.get("job_id") != before.get("job_id"):
            began = _time(before, "start") or start
            vaults = (_word(job, "vault"), _word(before, "vault"))
            same = "same" if vaults[0] == vaults[1] else "other"
            job |= {"blocked_by": before.get("job_id"), "blocked_by_vault": same if all(vaults) else None}
            job["blocked_by_seconds"] = int((start - began).total_seconds())
        end = _FOREVER if is_running(str(job.get("status"))) else _time(job, "end")
        if end is not None and (until is None or end > until):
            until, before = end, job


def _counted(jobs: Sequence[Row]) -> None:
    """Tells each completed backup how many of the item there were in the day before its end."""
    done = [
        (end, job)
        for job in jobs
        if _word(job, "operation") == "backup" and _word(job, "status") in _COMPLETED and (end := _time(job, "end"))
    ]
    done.sort(key=lambda pair: pair[0])
    ends = [end for end, _ in done]
    for place, (end, job) in enumerate(done):
        if end - _DAY > datetime.min.replace(tzinfo=UTC):
            job["backups_in_day"] = place + 1 - bisect_left(ends, end - _DAY)
