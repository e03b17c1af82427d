"""Management locks as JSON: ``az lock list``, ``Get-AzResourceLock``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import (
    Record,
    Row,
    Whole,
    claim_export,
    first_text,
    ids_of,
    parsed_export,
)
from loganalyzer.parser_listing import console_head

_LOGSOURCE = LogSource("azure", "locks")

#: ``scope``: what is locked, in lower case, for ids of Azure are the same in any case. ``scope_kind``: subscription,
#: group or resource; ``scope_type`` is the type of a resource and ``resource`` its name. ``backup_group``: the scope
#: is a resource group of Azure Backup, something in it, or a restore point collection.
#: A row ``summary`` ends a list: ``locks`` counts all, ``inheriting`` those of subscriptions and resource groups (what
#: is in them inherits them), ``backup_locks`` those of ``backup_group``; null where the list is not whole.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "lock_name": pl.String(),
    "level": pl.String(),
    "scope": pl.String(),
    "scope_kind": pl.String(),
    "scope_type": pl.String(),
    "group": pl.String(),
    "resource": pl.String(),
    "backup_group": pl.Boolean(),
    "notes": pl.String(),
    "locks": pl.Int64(),
    "inheriting": pl.Int64(),
    "backup_locks": pl.Int64(),
}
_LOCKS = re.compile(r"/providers/microsoft\.authorization/locks/.*$", re.IGNORECASE | re.DOTALL)
_IDS = ("id", "LockId", "ResourceId")
_COLLECTIONS = "microsoft.compute/restorepointcollections"
_SCOPE = re.compile(r"^/subscriptions/[^/]+(?:/resourcegroups/(?P<group>[^/]+))?(?P<rest>/providers/.+)?$")

_LOCK = {
    "id": "/subscriptions/0/resourceGroups/AzureBackupRG_northeurope_1/providers/Microsoft.Authorization/locks/keep",
    "level": "CanNotDelete",
    "name": "keep",
    "notes": "made up",
    "resourceGroup": "AzureBackupRG_northeurope_1",
    "type": "Microsoft.Authorization/locks",
}


@dataclass(frozen=True, slots=True)
class ResourceLocksJson:
    """One row a lock."""

    name: str = "resource_locks_json"
    title: str = "management locks as JSON: az lock list, Get-AzResourceLock"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az lock list -o json > locks.json",)
    named = r"(?:^|[/!])[^/!]*locks?[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "a group and a VM",
            "locks.json",
            orjson.dumps(
                [
                    _LOCK,
                    {
                        "LockId": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm07"
                        "/providers/Microsoft.Authorization/locks/still",
                        "Name": "still",
                        "Properties": {"level": "ReadOnly"},
                    },
                ]
            ),
            (
                {
                    "kind": "lock",
                    "lock_name": "keep",
                    "level": "CanNotDelete",
                    "scope": "/subscriptions/0/resourcegroups/azurebackuprg_northeurope_1",
                    "scope_kind": "group",
                    "group": "azurebackuprg_northeurope_1",
                    "notes": "made up",
                    "backup_group": True,
                },
                {
                    "level": "ReadOnly",
                    "scope_kind": "resource",
                    "scope_type": "microsoft.compute/virtualmachines",
                    "resource": "vm07",
                    "backup_group": False,
                },
                {"kind": "summary", "locks": 2, "inheriting": 1, "backup_locks": 1},
            ),
        ),
        Sample(
            "a list of PowerShell, in UTF-16",
            "control-plane/locks.txt",
            (
                "PS C:\\> Get-AzResourceLock\r\n\r\nName         : all\r\n"
                "ResourceType : Microsoft.Authorization/locks\r\n"
                "Properties   : @{level=CanNotDelete; notes=}\r\n"
                "LockId       : /subscriptions/0/providers/Microsoft.Authorization/locks/all\r\n\r\n"
            ).encode("utf-16"),
            (
                {"kind": "lock", "lock_name": "all", "scope_kind": "subscription", "level": "CanNotDelete"},
                {"kind": "summary", "locks": 1, "inheriting": 1, "backup_locks": 0},
            ),
            rejected=1,
        ),
        Sample(
            "no lock",
            "locks.json",
            b"[]\n",
            ({"kind": "summary", "locks": 0, "inheriting": 0, "backup_locks": 0, "@timestamp": None},),
        ),
        Sample(
            "cut after the first lock",
            "locks.json",
            orjson.dumps([_LOCK, _LOCK])[: len(orjson.dumps(_LOCK)) + 90],
            ({"kind": "lock"}, {"kind": "summary", "locks": None}),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the ids and levels of locks; an event of the activity log may speak of one."""
        if re.search(r'"operationName(?:Value)?"\s*:', console_head(head), re.IGNORECASE):
            return None
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("id|LockId|ResourceId",),
            words=(r"Microsoft\.Authorization/\s*locks", r"\blevel\b"),
            text="management locks",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a lock; a state, without a time."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _summed)


def _rows(record: Record) -> Iterator[Row]:
    lock = record.value
    identifier = next((one for name in _IDS if (one := ids_of(lock, name)) and _LOCKS.search(one)), None)
    level, name = first_text(lock, "level"), first_text(lock, "name", "LockName")
    if identifier is None or level is None:
        return
    scope = _LOCKS.sub("", identifier)
    found = _SCOPE.match(scope)
    group, rest = (found["group"], found["rest"]) if found else (None, None)
    parts = rest.split("/") if rest else []
    scope_type = "/".join(parts[2:4]) or None
    yield {
        "kind": "lock",
        "lock_name": name,
        "level": level,
        "scope": scope,
        "scope_kind": "resource" if rest else "group" if group else "subscription" if found else None,
        "scope_type": scope_type,
        "group": group,
        "resource": parts[4] if len(parts) > 4 else None,
        "backup_group": bool(group and group.startswith("azurebackuprg")) or scope_type == _COLLECTIONS,
        "notes": first_text(lock, "notes"),
        "message": f"lock {name} ({level}) on {scope}",
    }


def _summed(whole: Whole) -> Iterator[Row]:
    yield from whole.rows
    wide = sum(row["scope_kind"] != "resource" for row in whole.rows)
    ours = sum(row["backup_group"] is True for row in whole.rows)
    row: Row = {"kind": "summary", "message": f"{len(whole.rows)} locks, {ours} of them on restore points"}
    if whole.complete:
        row |= {"locks": len(whole.rows), "inheriting": wide, "backup_locks": ours}
    yield {**whole.place, **row}


parser: Parser = ResourceLocksJson()
