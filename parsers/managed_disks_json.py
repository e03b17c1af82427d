"""Managed disks as JSON: ``az disk list``, ``Get-AzDisk``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    parsed_export,
    resource,
    truth,
)
from loganalyzer.parser_json import int_of, member, text_of
from loganalyzer.parser_listing import console_head

_LOGSOURCE = LogSource("azure", "disks")

#: ``encrypted``: by Azure Disk Encryption, inside of the guest. ``vm``: the VM that it is attached to.
#: Rows ``vm`` follow: for each VM the number of its ``disks``, the ``size_gib`` of all, and ``encrypted`` where one is;
#: then a ``summary`` of a whole list: ``encrypted`` where any disk is, ``largest_gib``, and ``largest_encrypted_gib``.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "name": pl.String(),
    "vm": pl.String(),
    "size_gib": pl.Int64(),
    "sku": pl.String(),
    "disks": pl.Int64(),
    "encrypted": pl.Boolean(),
    "largest_gib": pl.Int64(),
    "largest_encrypted_gib": pl.Int64(),
    "max_shares": pl.Int64(),
    "disk_state": pl.String(),
    "os": pl.String(),
}


@dataclass(frozen=True, slots=True)
class ManagedDisksJson:
    """One row a disk."""

    name: str = "managed_disks_json"
    title: str = "managed disks as JSON: az disk list, Get-AzDisk"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az disk list -g <rg> -o json > disks.json",)
    named = r"(?:^|[/!])[^/!]*disks?[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "a disk",
            "disks.json",
            orjson.dumps(
                [
                    {
                        "id": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/disks/data1",
                        "name": "data1",
                        "diskSizeGB": 8192,
                        "diskState": "Attached",
                        "encryptionSettingsCollection": {"enabled": True},
                        "managedBy": "/subscriptions/0/providers/Microsoft.Compute/virtualMachines/vm07",
                        "maxShares": 2,
                        "sku": {"name": "Premium_LRS"},
                        "type": "Microsoft.Compute/disks",
                    }
                ]
            ),
            (
                {
                    "kind": "disk",
                    "name": "data1",
                    "vm": "vm07",
                    "size_gib": 8192,
                    "encrypted": True,
                    "max_shares": 2,
                    "sku": "Premium_LRS",
                },
                {"kind": "vm", "vm": "vm07", "disks": 1, "size_gib": 8192, "encrypted": True},
                {"kind": "summary", "disks": 1, "largest_gib": 8192, "largest_encrypted_gib": 8192, "encrypted": True},
            ),
        ),
        Sample(
            "a list of PowerShell",
            "disks.txt",
            b"ManagedBy    : /subscriptions/0/providers/Microsoft.Compute/virtualMachines/vm07\n"
            b"Sku          : Microsoft.Azure.Management.Compute.Models.DiskSku\nDiskSizeGB   : 128\n"
            b"EncryptionSettingsCollection :\nDiskState    : Attached\nName         : os\n"
            b"Id           : /subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/disks/os\n",
            (
                {"kind": "disk", "name": "os", "vm": "vm07", "size_gib": 128, "encrypted": None},
                {"kind": "vm", "vm": "vm07", "disks": 1, "encrypted": None},
                {"kind": "summary", "largest_gib": 128, "largest_encrypted_gib": None, "encrypted": None},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the type and the size of disks; a snapshot names the disk that it was made of."""
        if re.search(r'"type"\s*:\s*"Microsoft\.Compute/snapshots"', console_head(head), re.IGNORECASE):
            return None
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("diskSizeGB", "sku|diskState|managedBy"),
            words=(r"Microsoft\.Compute/disks",),
            text="managed disks",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a disk; a state, without a time."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _summed)


def _rows(record: Record) -> Iterator[Row]:
    disk = record.value
    size = int_of(field_of(disk, "diskSizeGB"))
    if size is None:
        return
    name = first_text(disk, "name")
    yield {
        "kind": "disk",
        "name": name,
        "vm": resource(field_of(disk, "managedBy"), "virtualMachines"),
        "size_gib": size,
        "sku": text_of(member(field_of(disk, "sku"), "name")),
        "encrypted": _encrypted(disk, record.whole),
        "max_shares": int_of(field_of(disk, "maxShares")),
        "disk_state": first_text(disk, "diskState"),
        "os": first_text(disk, "osType"),
        "message": f"disk {name}: {size} GiB",
    }


def _encrypted(disk: Mapping[str, object], whole: bool) -> bool | None:
    """az writes null for a disk that never was encrypted, or leaves the key out; a list of PowerShell names a type."""
    settings = field_of(disk, "encryptionSettingsCollection", "encryptionSettings")
    enabled = truth(member(settings, "enabled"))
    if enabled is not None:
        return enabled
    return False if whole and settings is None and isinstance(field_of(disk, "sku"), Mapping) else None


def _summed(whole: Whole) -> Iterator[Row]:
    yield from whole.rows
    by_vm: dict[str, list[Row]] = defaultdict(list)
    for row in whole.rows:
        if row["vm"] is not None:
            by_vm[str(row["vm"]).casefold()].append(row)
    for disks in by_vm.values():
        size = sum(int_of(disk["size_gib"]) or 0 for disk in disks)
        states = {disk["encrypted"] for disk in disks}
        encrypted = True if True in states else False if states == {False} and whole.complete else None
        told = f"{len(disks)} disks of {disks[0]['vm']}: {size} GiB"
        total: Row = {"kind": "vm", "vm": disks[0]["vm"], "disks": len(disks), "size_gib": size, "encrypted": encrypted}
        yield {**whole.place, **total, "message": told}
    if whole.rows and whole.complete:
        yield {**whole.place, **_summary(whole.rows)}


def _summary(disks: Sequence[Row]) -> Row:
    states = {disk["encrypted"] for disk in disks}
    sizes = {state: [int_of(disk["size_gib"]) or 0 for disk in disks if disk["encrypted"] is state] for state in states}
    largest = max(size for own in sizes.values() for size in own)
    return {
        "kind": "summary",
        "disks": len(disks),
        "largest_gib": largest,
        "largest_encrypted_gib": None if None in states else max(sizes.get(True, ()), default=0),
        "encrypted": True if True in states else None if None in states else False,
        "message": f"{len(disks)} disks, the largest of {largest} GiB",
    }


parser: Parser = ManagedDisksJson()
