"""The activity log of Azure as JSON: ``az monitor activity-log list``, ``Get-AzLog``, storage, AzureActivity.

Not the log source ``azure/activitylogs`` of rules for the cloud: field names and times are this project's.

What an event did may last: a failed operation until the same one succeeds on the same resource, a deletion until the
resource is written again, a lock until it is deleted, an incident until it is resolved. ``event.end`` says until when;
it is null where nothing in the file ended it, and the time of the event where nothing lasts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import (
    Record,
    Row,
    Whole,
    claim_export,
    errors_in,
    field_of,
    first_text,
    ids_of,
    named_value,
    parsed_export,
    resource,
    timed,
)
from loganalyzer.parser_json import inner_json, items, member, text_of
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("azure", "activity")

#: ``kind``: event or incident (of the category ServiceHealth). ``outcome``: started, succeeded or failed, whatever the
#: schema calls it. ``error_code`` and ``error_message`` are those of the innermost error of the status message.
#: ``resource`` is in lower case, ``vm`` the name of the VM in it. ``by_backup``: the caller is Azure Backup itself.
_COLUMNS: Mapping[str, pl.DataType] = {
    "event.end": TIMESTAMP,
    "kind": pl.String(),
    "log.level": pl.String(),
    "operation": pl.String(),
    "outcome": pl.String(),
    "status": pl.String(),
    "sub_status": pl.String(),
    "category": pl.String(),
    "caller": pl.String(),
    "by_backup": pl.Boolean(),
    "resource": pl.String(),
    "vm": pl.String(),
    "correlation_id": pl.String(),
    "status_code": pl.String(),
    "error_code": pl.String(),
    "error_title": pl.String(),
    "error_message": pl.String(),
    "incident": pl.String(),
    "incident_type": pl.String(),
    "incident_stage": pl.String(),
    "incident_services": pl.String(),
    "incident_regions": pl.String(),
}

#: The application of Azure Backup in the public cloud (control-plane.md 3).
_BACKUP_SERVICE = "262044b1-e2ce-469f-a196-69ab7ada62d3"
_OUTCOMES = {
    **dict.fromkeys(("started", "start", "accepted", "accept", "inprogress", "active", "begin"), "started"),
    **dict.fromkeys(("succeeded", "success", "resolved", "end"), "succeeded"),
    **dict.fromkeys(("failed", "failure"), "failed"),
}
_OVER = frozenset({"resolved", "complete", "completed", "mitigated", "canceled", "rca"})
_POINT = re.compile(r"(/restorepointcollections/[^/]+)/.*$")

_EVENT = {
    "eventTimestamp": "2026-03-01T22:20:11.0000000Z",
    "correlationId": "77777777-0000-0000-0000-000000000000",
    "caller": "somebody@example.org",
    "level": "Error",
    "category": {"value": "Administrative"},
    "operationName": {"value": "Microsoft.Compute/virtualMachines/write", "localizedValue": "Create VM"},
    "resourceId": "/subscriptions/0/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm07",
    "status": {"value": "Failed"},
    "subStatus": {"value": "Conflict"},
    "properties": {
        "statusCode": "Conflict",
        "statusMessage": '{"error":{"code":"Outer","message":"It failed.","details":[{"code":"MadeUpError",'
        '"message":"Told inside."}]}}',
    },
}


@dataclass(frozen=True, slots=True)
class ActivityLogJson:
    """One row an event."""

    name: str = "activity_log_json"
    title: str = "activity log of Azure as JSON: az monitor activity-log list, Get-AzLog, exports"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az monitor activity-log list -g <rg> --offset 7d -o json > activity.json",)
    named = r"(?:^|[/!])[^/!]*(?:activity|PT1H)[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "az",
            "activity_vm.json",
            orjson.dumps([_EVENT], option=orjson.OPT_INDENT_2),
            (
                {
                    "@timestamp": datetime(2026, 3, 1, 22, 20, 11, tzinfo=UTC),
                    "kind": "event",
                    "operation": "Microsoft.Compute/virtualMachines/write",
                    "status": "Failed",
                    "sub_status": "Conflict",
                    "caller": "somebody@example.org",
                    "error_code": "MadeUpError",
                    "error_title": "Outer",
                    "error_message": "Told inside.",
                    "status_code": "Conflict",
                    "category": "Administrative",
                    "outcome": "failed",
                    "vm": "vm07",
                    "event.end": None,
                    "by_backup": False,
                },
            ),
        ),
        Sample(
            "a failure that a later try mended, newest first",
            "control-plane/activity.json",
            orjson.dumps(
                {
                    "value": [
                        {**_EVENT, "eventTimestamp": "2026-03-01T23:00:00Z", "status": {"value": "Succeeded"}},
                        _EVENT,
                    ]
                }
            ),
            (
                {"outcome": "succeeded", "event.end": datetime(2026, 3, 1, 23, tzinfo=UTC)},
                {"outcome": "failed", "event.end": datetime(2026, 3, 1, 23, tzinfo=UTC)},
            ),
        ),
        Sample(
            "an incident of a region",
            "activity.json",
            orjson.dumps(
                [
                    {
                        "eventTimestamp": "2026-03-01T22:00:00Z",
                        "category": {"value": "ServiceHealth"},
                        "level": "Error",
                        "operationName": {"value": "Microsoft.ServiceHealth/incident/action"},
                        "status": {"value": "Active"},
                        "properties": {
                            "title": "Made up",
                            "incidentType": "Incident",
                            "stage": "Active",
                            "trackingId": "AAAA-111",
                            "impactedServices": '[{"ServiceName": "Backup", "ImpactedRegions": [{"RegionName": "X"}]}]',
                        },
                    }
                ]
            ),
            (
                {
                    "kind": "incident",
                    "incident": "AAAA-111",
                    "incident_type": "Incident",
                    "incident_services": "Backup",
                    "incident_regions": "X",
                    "event.end": None,
                },
            ),
        ),
        Sample(
            "rows of AzureActivity",
            "activity rows.json",
            orjson.dumps(
                [
                    {
                        "TimeGenerated": "2026-03-01T22:00:00Z",
                        "OperationNameValue": "MICROSOFT.AUTHORIZATION/LOCKS/WRITE",
                        "ActivityStatusValue": "Success",
                        "_ResourceId": "/subscriptions/0/x",
                        "Caller": _BACKUP_SERVICE,
                        "Properties": '{"statusCode": "OK"}',
                    }
                ]
            ),
            (
                {
                    "operation": "MICROSOFT.AUTHORIZATION/LOCKS/WRITE",
                    "outcome": "succeeded",
                    "status_code": "OK",
                    "by_backup": True,
                    "event.end": None,
                },
            ),
        ),
        Sample(
            "the schema of an export to storage, an event a line",
            "PT1H.json",
            b'{"time": "2026-03-01T22:20:11Z", "operationName": "MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE",'
            b' "resultType": "Failure", "resultSignature": "Failed.Conflict", "resourceId": "/SUBSCRIPTIONS/0",'
            b' "level": "Error", "properties": {"statusMessage": "no JSON"}}\n'
            b'{"time": "2026-03-01T22:20:12Z", "operationName": "X/Y", "resultType": "Start"}\n',
            (
                {
                    "operation": "MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE",
                    "status": "Failure",
                    "sub_status": "Failed.Conflict",
                    "error_message": "no JSON",
                },
                {"operation": "X/Y", "status": "Start"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the names of its operation, time and result."""
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("operationName(?:Value)?", "eventTimestamp|resultType|activityStatus(?:Value)?"),
            text="the activity log of Azure",
            listed=False,
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an event; its time is that of the event."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _with_ends)


def _rows(record: Record) -> Iterator[Row]:
    event = record.value
    operation = _operation(event)
    if operation is None:
        return
    properties = member(event, "properties")
    properties = inner_json(properties) or properties
    properties = member(properties, "Content") or properties  # of PowerShell
    told = text_of(member(properties, "statusMessage"))
    errors = errors_in(told) or errors_in(member(event, "error")) or errors_in(member(properties, "error"))
    plain = told if told and inner_json(told) is None else None
    status = _named(event, "status", "resultType", "ActivityStatusValue", "ActivityStatus")
    last = errors[-1] if errors else None
    resource_id, caller = ids_of(event, "resourceId", "_ResourceId"), first_text(event, "caller")
    yield {
        **timed(event, "eventTimestamp", "time", "TimeGenerated"),
        "kind": "event",
        "log.level": first_text(event, "level"),
        "operation": operation,
        "outcome": _OUTCOMES.get((status or "").casefold()),
        "status": status,
        "sub_status": _named(event, "subStatus", "resultSignature", "ActivitySubstatusValue"),
        "category": _named(event, "category", "CategoryValue"),
        "caller": caller,
        "by_backup": caller.casefold() == _BACKUP_SERVICE if caller else None,
        "resource": resource_id,
        "vm": resource(resource_id, "virtualmachines"),
        "correlation_id": first_text(event, "correlationId"),
        "status_code": text_of(member(properties, "statusCode")),
        "error_code": last.code if last else None,
        "error_title": errors[0].code if len(errors) > 1 else None,
        "error_message": last.message if last else plain,
        "message": " ".join(part for part in (operation, status, last.code if last else None) if part),
        **_incident(properties),
    }


def _operation(event: object) -> str | None:
    """The operation's own name: PowerShell puts it beside one for people, which has blanks."""
    names = (_named(event, "OperationNameValue"), _named(event, "operationName"))
    action = text_of(member(field_of(event, "authorization"), "action"))
    known = [name for name in (*names, action) if name]
    return next((name for name in known if " " not in name and "/" in name), known[0] if known else None)


def _named(event: object, *names: str) -> str | None:
    return next((found for name in names if (found := named_value(event, name))), None)


def _incident(properties: object) -> Row:
    """What an event of the category ServiceHealth says; of others nothing."""
    kind = first_text(properties, "incidentType")
    if kind is None:
        return {}
    impacted = member(properties, "impactedServices")
    services = items(inner_json(impacted) if isinstance(impacted, str) else impacted)
    names = [text_of(member(one, "ServiceName")) for one in services] or [first_text(properties, "service")]
    regions = [
        text_of(member(place, "RegionName")) for one in services for place in items(member(one, "ImpactedRegions"))
    ] or [first_text(properties, "region")]
    title = first_text(properties, "title")
    return {
        "kind": "incident",
        "incident": first_text(properties, "trackingId"),
        "incident_type": kind,
        "incident_stage": first_text(properties, "stage"),
        "incident_services": ", ".join(dict.fromkeys(name for name in names if name)) or None,
        "incident_regions": ", ".join(dict.fromkeys(name for name in regions if name)) or None,
        "message": f"{kind}: {title}",
    }


def _with_ends(whole: Whole) -> Iterator[Row]:
    """Says of each event until when stood what it did, from the later events of the file."""
    ends: dict[int, datetime | None] = {}
    following: dict[tuple[str, str], datetime] = {}  # what ends something, by its operation and resource
    timed_rows = [
        (time, place) for place, row in enumerate(whole.rows) if isinstance(time := row["@timestamp"], datetime)
    ]
    for time, place in sorted(timed_rows, reverse=True):
        row = whole.rows[place]
        ending = _ended_by(row)
        ends[place] = time if ending is None else following.get(ending)
        if (own := _ending(row)) is not None:
            following[own] = time
    yield from (row | {"event.end": ends.get(place)} for place, row in enumerate(whole.rows))


def _ended_by(row: Row) -> tuple[str, str] | None:
    """The operation and resource whose success ends what this event did; None: nothing lasts."""
    if row["kind"] == "incident":
        stage = str(row.get("incident_stage") or "").casefold()
        return None if stage in _OVER else ("incident", str(row.get("incident")))
    operation, place = str(row["operation"]).casefold(), _POINT.sub(r"\1", str(row["resource"] or ""))
    if row["outcome"] == "failed":
        return operation, place
    if row["outcome"] == "succeeded" and operation in _LASTING:
        return _LASTING[operation], place
    return None


def _ending(row: Row) -> tuple[str, str] | None:
    """What the event ends, as `_ended_by` names it."""
    if row["kind"] == "incident":
        over = str(row.get("incident_stage") or "").casefold() in _OVER
        return ("incident", str(row.get("incident"))) if over else None
    if row["outcome"] != "succeeded":
        return None
    return str(row["operation"]).casefold(), _POINT.sub(r"\1", str(row["resource"] or ""))


#: Operations whose success lasts until that of another.
_LASTING = {
    "microsoft.compute/virtualmachines/delete": "microsoft.compute/virtualmachines/write",
    "microsoft.compute/restorepointcollections/delete": "microsoft.compute/restorepointcollections/write",
    "microsoft.authorization/locks/write": "microsoft.authorization/locks/delete",
    "microsoft.resources/subscriptions/resourcegroups/moveresources/action": "never",
}


parser: Parser = ActivityLogJson()
