"""Protected items of a vault as JSON: ``az backup item list | show``, ``Get-AzRecoveryServicesBackupItem``."""

from __future__ import annotations

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
    field_of,
    first_text,
    moment,
    parsed_export,
    resource,
    timed,
    truth,
)
from loganalyzer.parser_json import items, member, text_of
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("azure", "backupitem")

#: ``listed``: how many items the export has; a row ``summary`` has it too. Of a single item, details of a health that
#: needs attention are errors of the backup, told at the time of the last one if that failed.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "item": pl.String(),
    "vault": pl.String(),
    "policy": pl.String(),
    "protection_state": pl.String(),
    "health": pl.String(),
    "last_backup_status": pl.String(),
    "last_backup": TIMESTAMP,
    "health_code": pl.String(),
    "health_message": pl.String(),
    "error_code": pl.String(),
    "error_title": pl.String(),
    "error_message": pl.String(),
    "soft_deleted": pl.Boolean(),
    "listed": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class BackupItemsJson:
    """One row an item, one a detail of its health (``kind: health``)."""

    name: str = "backup_items_json"
    title: str = "protected items of a vault as JSON: az backup item list, Get-AzRecoveryServicesBackupItem"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az backup item list -g <rg> -v <vault> -o json > backup_items.json",)
    named = r"(?:^|[/!])[^/!]*(?:backup[-_ ]?)?items?[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "an item",
            "backup_items.json",
            orjson.dumps(
                [
                    {
                        "id": "/subscriptions/0/providers/Microsoft.RecoveryServices/vaults/vault-x/backupFabrics",
                        "name": "VM;iaasvmcontainerv2;rg;vm07",
                        "properties": {
                            "friendlyName": "vm07",
                            "protectionState": "ProtectionStopped",
                            "healthStatus": "ActionRequired",
                            "healthDetails": [{"code": 400239, "title": "T", "message": "M"}],
                            "lastBackupStatus": "Failed",
                            "lastBackupTime": "2026-03-01T22:05:00Z",
                            "policyName": "daily",
                        },
                    }
                ]
            ),
            (
                {
                    "kind": "item",
                    "item": "vm07",
                    "vault": "vault-x",
                    "protection_state": "ProtectionStopped",
                    "last_backup": datetime(2026, 3, 1, 22, 5, tzinfo=UTC),
                    "policy": "daily",
                    "@timestamp": None,
                },
                {
                    "kind": "health",
                    "health_code": "400239",
                    "health_message": "M",
                    "error_code": "400239",
                    "error_title": "T",
                    "@timestamp": datetime(2026, 3, 1, 22, 5, tzinfo=UTC),
                },
                {"kind": "summary", "listed": 1},
            ),
        ),
        Sample(
            "items of PowerShell, of which nobody knows whose errors they are",
            "items.txt",
            b"ProtectionState  : Protected\nProtectionStatus : Healthy\nLastBackupStatus : Completed\n"
            b"LastBackupTime   : 3/1/2026 10:05:00 PM\nName             : VM;iaasvmcontainerv2;rg;vm07\n\n"
            b"ProtectionState  : ProtectionStopped\nProtectionStatus : Healthy\nLastBackupStatus :\n"
            b"Name             : VM;iaasvmcontainerv2;rg;vm08\n",
            (
                {"item": "vm07", "protection_state": "Protected", "listed": 2, "last_backup": None},
                {"item": "vm08", "protection_state": "ProtectionStopped", "listed": 2},
                {"kind": "summary", "listed": 2},
            ),
        ),
        Sample("a vault without items", "backup_items.json", b"[]", ({"kind": "summary", "listed": 0},)),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the keys of an item."""
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("protectionState", "lastBackupStatus|lastBackupTime|LatestRecoveryPoint|protectionStatus"),
            text="protected items of a vault",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an item; a state, without a time."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _listed)


def _rows(record: Record) -> Iterator[Row]:
    one = record.value
    state = first_text(one, "protectionState")
    if state is None:
        return
    shared: Row = {
        "item": first_text(one, "friendlyName") or _vm(one),
        "vault": resource(member(one, "id"), "vaults"),
        "protection_state": state,
        "health": first_text(one, "healthStatus"),
    }
    last = first_text(one, "lastBackupStatus")
    yield shared | {
        "kind": "item",
        "policy": first_text(one, "policyName", "ProtectionPolicyName"),
        "last_backup_status": last,
        "last_backup": moment(one, "lastBackupTime"),
        "soft_deleted": truth(field_of(one, "isScheduledForDeferredDelete")),
        "message": f"item {shared['item']}: {state}",
    }
    when = timed(one, "lastBackupTime") if (last or "").casefold() == "failed" else {}
    for detail in items(field_of(one, "healthDetails")):
        code, title = text_of(member(detail, "code")), first_text(detail, "title")
        told = first_text(detail, "message") or title
        message = ": ".join(part for part in (code, told) if part)
        own: Row = {"kind": "health", "health_code": code, "health_message": told, "error_title": title}
        yield shared | when | own | {"message": message}


def _listed(whole: Whole) -> Iterator[Row]:
    """Says how many items there are; whose errors are the bundle's is only known where there is one."""
    count = sum(row["kind"] == "item" for row in whole.rows)
    known: Row = {"listed": count if whole.complete else None}
    for row in whole.rows:
        if row["kind"] != "health":
            yield row | known
        elif count == 1 and str(row["health"]).casefold() not in ("passed", "healthy"):
            yield row | known | {"error_code": row["health_code"], "error_message": row["health_message"]}
        else:
            yield row | known | {"error_title": None}
    yield {**whole.place, "kind": "summary", **known, "message": f"{count} protected items"}


def _vm(one: Mapping[str, object]) -> str | None:
    """The VM's name, as its id or the item's own name (``VM;iaasvmcontainerv2;<group>;<vm>``) ends with it."""
    named = resource(field_of(one, "virtualMachineId", "SourceResourceId"), "virtualMachines")
    return named or (first_text(one, "name") or "").rsplit(";", 1)[-1] or None


parser: Parser = BackupItemsJson()
