"""The extension resources of a VM as JSON: ``az vm extension list``, ``Get-AzVMExtension``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import Record, Row, Whole, claim_export, first_text, parsed_export, resource
from loganalyzer.parser_json import member, text_of
from loganalyzer.parser_listing import console_head

_LOGSOURCE = LogSource("azure", "instanceview")

_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "vm": pl.String(),
    "handler": pl.String(),
    "handler_version": pl.String(),
    "provisioning_state": pl.String(),
    "extensions": pl.Int64(),
    "failed_extensions": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class VmExtensionsJson:
    """One row an extension (``kind: extension_resource``; ``handler`` is its publisher and type), and their count."""

    name: str = "vm_extensions_json"
    title: str = "extension resources of a VM as JSON: az vm extension list, Get-AzVMExtension"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az vm extension list -g <rg> --vm-name <vm> -o json > extensions.json",)
    named = r"(?:^|[/!])[^/!]*extensions?[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "az",
            "extensions.json",
            orjson.dumps(
                [
                    {
                        "id": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm07"
                        "/extensions/VMSnapshot",
                        "name": "VMSnapshot",
                        "provisioningState": "Failed",
                        "publisher": "Microsoft.Azure.RecoveryServices",
                        "typeHandlerVersion": "1.0",
                        "typePropertiesType": "VMSnapshot",
                    }
                ]
            ),
            (
                {
                    "kind": "extension_resource",
                    "vm": "vm07",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshot",
                    "handler_version": "1.0",
                    "provisioning_state": "failed",
                    "@timestamp": None,
                },
                {"kind": "extensions", "extensions": 1, "failed_extensions": 1},
            ),
        ),
        Sample(
            "a list of PowerShell",
            "extensions.txt",
            b"VMName            : vm07\nName              : Tool\nPublisher         : Contoso\n"
            b"ExtensionType     : Tool\nTypeHandlerVersion : 1.2\nProvisioningState : Succeeded\n",
            (
                {"vm": "vm07", "handler": "Contoso.Tool", "provisioning_state": "succeeded"},
                {"kind": "extensions", "extensions": 1, "failed_extensions": 0},
            ),
        ),
        Sample("none", "extensions.json", b"[]", ({"kind": "extensions", "extensions": 0, "failed_extensions": 0},)),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By publisher and version; the model of a VM may hold such a list, and is no such file."""
        text = console_head(head)
        if "hardwareProfile" in text or "vmAgent" in text:
            return None
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("publisher", "typeHandlerVersion", "provisioningState"),
            text="extension resources of a VM",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an extension."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _counted)


def _rows(record: Record) -> Iterator[Row]:
    one = record.value
    publisher, state = first_text(one, "publisher"), first_text(one, "provisioningState")
    if publisher is None and state is None:
        return
    kind = first_text(one, "typePropertiesType", "virtualMachineExtensionType", "ExtensionType")
    properties = text_of(member(member(one, "properties"), "type"))
    name = kind or properties or first_text(one, "name")
    handler = f"{publisher}.{name}" if publisher and name else name
    yield {
        "kind": "extension_resource",
        "vm": resource(member(one, "id"), "virtualMachines") or first_text(one, "VMName"),
        "handler": handler,
        "handler_version": first_text(one, "typeHandlerVersion"),
        "provisioning_state": (state or "").lower() or None,
        "message": f"{handler}: {state}",
    }


def _counted(whole: Whole) -> Iterator[Row]:
    yield from whole.rows
    states = [row["provisioning_state"] for row in whole.rows]
    counts: Row = {"extensions": len(states), "failed_extensions": states.count("failed")} if whole.complete else {}
    yield {**whole.place, "kind": "extensions", **counts, "message": f"{len(states)} extensions"}


parser: Parser = VmExtensionsJson()
