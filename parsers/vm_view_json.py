"""A VM: its model and its instance view (``az vm get-instance-view | show | list``, ``Get-AzVM -Status``).

The view is a picture of the moment of the export, so that rows have no time of their own; ``reported`` says when the
agent or an extension last told its state.
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
    field_of,
    first_text,
    ids_of,
    moment,
    parsed_export,
    truth,
)
from loganalyzer.parser_json import items, member, text_of
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("azure", "instanceview")

#: ``kind``: vm (the model), state (the view), agent, handler, extension, extension_resource (of the model).
#: ``provisioning_state`` in lower case; ``vm_provisioning_state`` and ``vm_power`` are those of the VM on its other
#: rows too. ``machines``: how many VMs the export has. ``agent_version_num`` sorts: four parts of five digits.
#: ``extensions`` and ``failed_extensions`` of a view count those that tell a state, and of these the failed ones.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "vm": pl.String(),
    "location": pl.String(),
    "os": pl.String(),
    "os_version": pl.String(),
    "provisioning_state": pl.String(),
    "provisioning_error": pl.String(),
    "vm_provisioning_state": pl.String(),
    "vm_power": pl.String(),
    "vm_type": pl.String(),
    "machines": pl.Int64(),
    "agent_status": pl.String(),
    "agent_version": pl.String(),
    "agent_version_num": pl.Int64(),
    "allow_extension_operations": pl.Boolean(),
    "provision_vm_agent": pl.Boolean(),
    "security_type": pl.String(),
    "data_disks": pl.Int64(),
    "unmanaged_disks": pl.Int64(),
    "extensions": pl.Int64(),
    "failed_extensions": pl.Int64(),
    "handler": pl.String(),
    "handler_version": pl.String(),
    "status": pl.String(),
    "status_code": pl.String(),
    "status_message": pl.String(),
    "reported": TIMESTAMP,
}

_VIEW = {
    "name": "vm07",
    "location": "northeurope",
    "provisioningState": "Failed",
    "hardwareProfile": {"vmSize": "Standard_B1s"},
    "osProfile": {"allowExtensionOperations": True, "windowsConfiguration": {"provisionVmAgent": True}},
    "instanceView": {
        "osName": "Windows Server 2019 Datacenter",
        "vmAgent": {
            "vmAgentVersion": "2.7.41491.1083",
            "statuses": [
                {
                    "code": "ProvisioningState/Unavailable",
                    "displayStatus": "Not Ready",
                    "message": "Nothing heard yet.",
                    "time": "2026-03-01T22:15:00+00:00",
                }
            ],
            "extensionHandlers": [
                {
                    "type": "Contoso.Tool",
                    "typeHandlerVersion": "1.2",
                    "status": {"code": "ProvisioningState/succeeded", "displayStatus": "Ready"},
                }
            ],
        },
        "extensions": [
            {
                "name": "Tool",
                "type": "Contoso.Tool",
                "typeHandlerVersion": "1.2",
                "statuses": [{"code": "ProvisioningState/failed/1009", "message": "It did not enable."}],
            }
        ],
        "statuses": [
            {"code": "ProvisioningState/failed/MadeUpError", "displayStatus": "Provisioning failed"},
            {"code": "PowerState/running", "displayStatus": "VM running"},
        ],
    },
}
_ROWS = (
    {
        "kind": "vm",
        "vm": "vm07",
        "provisioning_state": "failed",
        "allow_extension_operations": True,
        "provision_vm_agent": True,
    },
    {
        "kind": "state",
        "provisioning_state": "failed",
        "provisioning_error": "MadeUpError",
        "vm_power": "running",
        "machines": 1,
        "extensions": 1,
        "failed_extensions": 1,
    },
    {
        "kind": "agent",
        "agent_status": "Not Ready",
        "agent_version": "2.7.41491.1083",
        "agent_version_num": 2_00007_41491_01083,
        "vm_power": "running",
        "os": "Windows Server 2019 Datacenter",
        "status_message": "Nothing heard yet.",
        "reported": datetime(2026, 3, 1, 22, 15, tzinfo=UTC),
    },
    {"kind": "handler", "handler": "Contoso.Tool", "provisioning_state": "succeeded", "status": "Ready"},
    {
        "kind": "extension",
        "handler": "Contoso.Tool",
        "provisioning_state": "failed",
        "provisioning_error": "1009",
        "vm_provisioning_state": "failed",
        "status_message": "It did not enable.",
    },
)


@dataclass(frozen=True, slots=True)
class VmViewJson:
    """One row for the model, the view, the agent, each handler and each extension."""

    name: str = "vm_view_json"
    title: str = "a VM of Azure as JSON: az vm get-instance-view, az vm show, Get-AzVM -Status"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az vm get-instance-view -g <rg> -n <vm> -o json > instance_view.json",)
    named = r"(?:^|[/!])[^/!]*(?:instance[-_ ]?view|vm)[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample("az", "instance_view.json", orjson.dumps(_VIEW, option=orjson.OPT_INDENT_2), _ROWS),
        Sample(
            "PowerShell: the view alone",
            "vmstatus.json",
            b'{"Name": "vm07", "FaultDomain": 0, "VMAgent": {"VmAgentVersion": "Unknown", "Statuses": [{"Code":'
            b' "ProvisioningState/Unavailable", "DisplayStatus": "Not Ready"}]}, "Statuses": [{"Code":'
            b' "PowerState/deallocated"}]}',
            (
                {"kind": "state", "vm_power": "deallocated", "provisioning_state": None},
                {"kind": "agent", "agent_status": "Not Ready", "agent_version": "Unknown"},
            ),
        ),
        Sample(
            "PowerShell: its list of keys",
            "vm status.txt",
            (
                "WARNING: made up\r\n\r\nResourceGroupName : rg\r\nName              : vm07\r\n"
                "VMAgent           : \r\n  VmAgentVersion  : 2.7.1\r\n  Statuses[0]     : \r\n"
                "    Code          : ProvisioningState/Unavailable\r\n    DisplayStatus : Not Ready\r\n"
                "Statuses[0]       : \r\n  Code            : ProvisioningState/updating\r\n"
                "Statuses[1]       : \r\n  Code            : PowerState/running\r\n"
            ).encode("utf-16"),
            (
                {"kind": "state", "vm": "vm07", "vm_power": "running", "provisioning_state": "updating"},
                {"kind": "agent", "agent_status": "Not Ready", "agent_version": "2.7.1", "vm_power": "running"},
            ),
            rejected=1,
        ),
        Sample(
            "models as a list, one with its extensions",
            "vms.json",
            b'[{"name": "vm07", "provisioningState": "Succeeded", "hardwareProfile": {}, "instanceView": null,'
            b' "powerState": "VM running", "storageProfile": {"dataDisks": [{}, {"vhd": {"uri": "u"}}]}, "resources":'
            b' [{"name": "Tool", "publisher": "Contoso", "typePropertiesType": "Tool", "provisioningState": "Failed"}],'
            b' "osProfile": {"allowExtensionOperations": false, "linuxConfiguration": {"provisionVMAgent": false}}},'
            b' {"name": "old", "type": "Microsoft.ClassicCompute/virtualMachines",'
            b' "properties": {"hardwareProfile": {}, "provisioningState": "Succeeded"}}]',
            (
                {
                    "kind": "vm",
                    "provisioning_state": "succeeded",
                    "allow_extension_operations": False,
                    "provision_vm_agent": False,
                    "data_disks": 2,
                    "unmanaged_disks": 1,
                    "vm_power": "running",
                    "machines": 2,
                },
                {
                    "kind": "extension_resource",
                    "handler": "Contoso.Tool",
                    "provisioning_state": "failed",
                    "vm_provisioning_state": "succeeded",
                },
                {"kind": "vm", "vm": "old", "vm_type": "microsoft.classiccompute/virtualmachines", "machines": 2},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the keys of a VM's model or view."""
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("hardwareProfile|vmAgent", "provisioningState|statuses|vmAgentVersion|osProfile"),
            text="a VM of Azure",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a thing that has a state."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _counted)


def _rows(record: Record) -> Iterator[Row]:
    machine = record.value
    view = field_of(machine, "instanceView")
    model = field_of(machine, "hardwareProfile") is not None or field_of(machine, "osProfile") is not None
    if not isinstance(view, Mapping):
        alone = any(field_of(machine, name) is not None for name in ("vmAgent", "statuses"))
        view = machine if alone else None
    statuses = items(field_of(view, "statuses"))
    state = _state(statuses) if statuses else {}
    shared: Row = {
        "vm": first_text(machine, "name"),
        "os": first_text(view, "osName") or _system(machine),
        "os_version": first_text(view, "osVersion"),
        "location": first_text(machine, "location"),
        "vm_type": ids_of(machine, "type"),
        "vm_power": state.get("vm_power"),
        "vm_provisioning_state": state.get("provisioning_state"),
    }
    if model:
        yield from _model(machine, shared)
    if isinstance(view, Mapping):
        yield from _view(view, state, shared)


def _view(view: Mapping[str, object], state: Row, shared: Row) -> Iterator[Row]:
    extensions = [
        _handler("extension", one, told[0] if told else None)
        for one in items(field_of(view, "extensions"))
        for told in [[*items(member(one, "statuses")), *items(member(one, "substatuses"))]]
    ]
    if state:
        known = [one["provisioning_state"] for one in extensions if one["provisioning_state"] is not None]
        yield shared | state | {"extensions": len(known), "failed_extensions": known.count("failed")}
    agent = field_of(view, "vmAgent")
    if isinstance(agent, Mapping):
        yield shared | _agent(agent)
        for one in items(member(agent, "extensionHandlers")):
            yield shared | _handler("handler", one, member(one, "status"))
    yield from (shared | one for one in extensions)


def _counted(whole: Whole) -> Iterator[Row]:
    """Says on each row how many VMs the export has; of one that is cut nobody knows."""
    machines = len({str(row["vm"]).casefold() for row in whole.rows}) if whole.complete else None
    yield from (row | {"machines": machines} for row in whole.rows)


def _system(machine: Mapping[str, object]) -> str | None:
    """``Windows`` or ``Linux``, as the model's disk or settings say."""
    told = text_of(member(field_of(machine, "storageProfile"), "osDisk", "osType"))
    profile = field_of(machine, "osProfile")
    by_settings = ("windowsConfiguration", "Windows"), ("linuxConfiguration", "Linux")
    return told or next((name for key, name in by_settings if member(profile, key) is not None), None)


def _model(machine: Mapping[str, object], shared: Row) -> Iterator[Row]:
    profile = field_of(machine, "osProfile")
    system = member(profile, "windowsConfiguration") or member(profile, "linuxConfiguration")
    state = (first_text(machine, "provisioningState") or "").lower() or None
    disks = member(field_of(machine, "storageProfile"), "dataDisks")
    power = first_text(machine, "powerState")
    known = {"vm_provisioning_state": state or shared["vm_provisioning_state"]}
    yield (
        shared
        | known
        | {
            "kind": "vm",
            "provisioning_state": state,
            "allow_extension_operations": truth(member(profile, "allowExtensionOperations")),
            "provision_vm_agent": truth(member(system, "provisionVMAgent")),
            "security_type": text_of(member(field_of(machine, "securityProfile"), "securityType")),
            "data_disks": len(disks) if isinstance(disks, list) else None,
            "unmanaged_disks": _unmanaged(field_of(machine, "storageProfile")),
            "vm_power": re.sub(r"^(?:VM |PowerState/)", "", power).lower() if power else shared["vm_power"],
            "message": f"the model of the VM: provisioning {state}",
        }
    )
    for one in items(field_of(machine, "resources")):
        publisher, name = first_text(one, "publisher"), first_text(one, "typePropertiesType", "name")
        told = (first_text(one, "provisioningState") or "").lower() or None
        if publisher is not None and told is not None:
            handler = f"{publisher}.{name}"
            own: Row = {"kind": "extension_resource", "handler": handler, "provisioning_state": told}
            version = first_text(one, "typeHandlerVersion")
            yield shared | known | own | {"handler_version": version, "message": f"{handler}: {told}"}


def _unmanaged(storage: object) -> int | None:
    """Disks that lie as a VHD in a storage account."""
    disks = [*items(member(storage, "osDisk")), *items(member(storage, "dataDisks"))]
    return sum(member(disk, "vhd", "uri") is not None for disk in disks) if disks else None


def _state(statuses: object) -> Row:
    row: Row = {"kind": "state"}
    for one in items(statuses):
        code = text_of(member(one, "code")) or ""
        if code.lower().startswith("powerstate/"):
            row["vm_power"] = code.split("/", 1)[1].lower()
        elif code.lower().startswith("provisioningstate/"):
            row |= _provisioning(one)
    return row | {"message": f"the VM: provisioning {row.get('provisioning_state')}, power {row.get('vm_power')}"}


def _provisioning(status: object) -> Row:
    """What ``ProvisioningState/<state>[/<error>]`` says."""
    code = text_of(member(status, "code"))
    parts = (code or "").split("/", 2)
    known = len(parts) > 1 and parts[0].lower() == "provisioningstate"
    return {
        "provisioning_state": parts[1].lower() if known else None,
        "provisioning_error": parts[2] if known and len(parts) > 2 else None,
        "status": text_of(member(status, "displayStatus")),
        "status_code": code,
        "status_message": text_of(member(status, "message")),
        "reported": moment(status, "time"),
    }


def _agent(agent: Mapping[str, object]) -> Row:
    statuses = items(member(agent, "statuses"))
    told = _provisioning(statuses[0]) if statuses else {}
    version = first_text(agent, "vmAgentVersion")
    return told | {
        "kind": "agent",
        "agent_status": told.get("status"),
        "agent_version": version,
        "agent_version_num": _number(version),
        "message": f"the VM agent {version or ''}: {told.get('status')}".replace("  ", " "),
    }


def _number(version: str | None) -> int | None:
    found = re.fullmatch(r"(?:WALinuxAgent-)?(\d{1,4})\.(\d{1,5})(?:\.(\d{1,5}))?(?:\.(\d{1,5}))?", version or "", re.A)
    if found is None:
        return None
    number = 0
    for part in found.groups(default="0"):
        number = number * 100_000 + int(part)
    return number if number < 2**63 else None


def _handler(kind: str, one: object, status: object) -> Row:
    told = _provisioning(status)
    handler = first_text(one, "type") or first_text(one, "name")
    error = told["status_message"] or told["provisioning_error"] or ""
    return told | {
        "kind": kind,
        "handler": handler,
        "handler_version": first_text(one, "typeHandlerVersion"),
        "message": f"{handler}: {told['provisioning_state'] or told['status']} {error}".strip(),
    }


parser: Parser = VmViewJson()
