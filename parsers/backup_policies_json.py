"""Backup policies of a vault: ``az backup policy show | list``, ``Get-AzRecoveryServicesBackupProtectionPolicy``."""

from __future__ import annotations

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
    field_of,
    first_text,
    parsed_export,
    resource,
)
from loganalyzer.parser_json import int_of, member

_LOGSOURCE = LogSource("azure", "backuppolicy")

#: ``policy_type``: V1 (Standard) or V2 (Enhanced). ``snapshot_days``: how long instant restore points stay.
#: ``runs_per_day``: scheduled backups, of a weekly policy 0. ``snapshots_kept``: the product of both, which is how many
#: instant restore points the schedule keeps of a VM. ``listed``: how many policies the export has.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "policy": pl.String(),
    "vault": pl.String(),
    "management_type": pl.String(),
    "policy_type": pl.String(),
    "frequency": pl.String(),
    "runs_per_day": pl.Int64(),
    "snapshot_days": pl.Int64(),
    "snapshots_kept": pl.Int64(),
    "restore_point_group": pl.String(),
    "items": pl.Int64(),
    "listed": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class BackupPoliciesJson:
    """One row a policy."""

    name: str = "backup_policies_json"
    title: str = "backup policies: az backup policy show | list, Get-AzRecoveryServicesBackupProtectionPolicy"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az backup policy show -g <rg> -v <vault> -n <policy> -o json > backup_policy.json",)
    named = r"(?:^|[/!])[^/!]*polic(?:y|ies)[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "an hourly policy",
            "backup_policy.json",
            orjson.dumps(
                {
                    "id": "/subscriptions/0/providers/Microsoft.RecoveryServices/vaults/vault-x/backupPolicies/often",
                    "name": "often",
                    "properties": {
                        "backupManagementType": "AzureIaasVM",
                        "policyType": "V2",
                        "instantRpRetentionRangeInDays": 7,
                        "instantRpDetails": {"azureBackupRgNamePrefix": "rg-points"},
                        "protectedItemsCount": 3,
                        "schedulePolicy": {
                            "schedulePolicyType": "SimpleSchedulePolicyV2",
                            "scheduleRunFrequency": "Hourly",
                            "hourlySchedule": {"interval": 4, "scheduleWindowDuration": 24},
                        },
                    },
                }
            ),
            (
                {
                    "kind": "policy",
                    "policy": "often",
                    "vault": "vault-x",
                    "policy_type": "V2",
                    "frequency": "Hourly",
                    "runs_per_day": 6,
                    "snapshot_days": 7,
                    "snapshots_kept": 42,
                    "restore_point_group": "rg-points",
                    "listed": 1,
                },
            ),
        ),
        Sample(
            "a daily and a weekly policy",
            "policies.json",
            b'{"value": [{"name": "d", "properties": {"policyType": "V1", "instantRpRetentionRangeInDays": 2,'
            b' "schedulePolicy": {"scheduleRunFrequency": "Daily", "scheduleRunTimes": ["2026-03-01T22:00:00Z"]}}},'
            b' {"Name": "w",'
            b' "SnapshotRetentionInDays": 5, "SchedulePolicy": {"ScheduleRunFrequency": "Weekly"}}]}',
            (
                {"policy": "d", "runs_per_day": 1, "snapshots_kept": 2, "listed": 2},
                {"policy": "w", "runs_per_day": 0, "snapshots_kept": None, "snapshot_days": 5},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the schedule and how long snapshots stay."""
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("schedulePolicy", "scheduleRunFrequency"),
            text="backup policies",
            listed=False,
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a policy; a state, without a time."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows, _listed)


def _rows(record: Record) -> Iterator[Row]:
    one = record.value
    schedule = field_of(one, "schedulePolicy")
    frequency = first_text(schedule, "scheduleRunFrequency")
    if frequency is None:
        return
    days = int_of(field_of(one, "instantRpRetentionRangeInDays", "SnapshotRetentionInDays"))
    runs = _runs(frequency.casefold(), schedule)
    group = field_of(one, "instantRpDetails", "AzureBackupRGName")
    name = first_text(one, "name")
    yield {
        "kind": "policy",
        "policy": name,
        "vault": resource(member(one, "id"), "vaults"),
        "management_type": first_text(one, "backupManagementType"),
        "policy_type": first_text(one, "policyType", "PolicySubType"),
        "frequency": frequency,
        "runs_per_day": runs,
        "snapshot_days": days,
        "snapshots_kept": runs * days if runs and days is not None and days < 10_000 else None,
        "restore_point_group": group if isinstance(group, str) else first_text(group, "azureBackupRgNamePrefix"),
        "items": int_of(field_of(one, "protectedItemsCount")),
        "message": f"policy {name}: {frequency}, snapshots stay {'?' if days is None else days} days",
    }


def _runs(frequency: str, schedule: object) -> int | None:
    """Scheduled backups a day. An hourly one runs each ``interval`` hours of its window, once at the window's start."""
    if frequency != "hourly":
        return {"daily": 1, "weekly": 0}.get(frequency)
    hourly = member(schedule, "hourlySchedule") or schedule
    interval = int_of(field_of(hourly, "interval", "ScheduleInterval"))
    window = int_of(field_of(hourly, "scheduleWindowDuration")) or 24
    return max(1, min(window, 24) // interval) if interval and 0 < interval <= 24 else None


def _listed(whole: Whole) -> Iterator[Row]:
    count = len(whole.rows) if whole.complete else None
    yield from (row | {"listed": count} for row in whole.rows)


parser: Parser = BackupPoliciesJson()
