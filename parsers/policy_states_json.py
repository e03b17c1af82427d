"""States and events of Azure Policy as JSON: ``az policy state list``, ``az policy event list``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import Record, Row, claim_export, first_text, ids_of, parsed_export, timed

_LOGSOURCE = LogSource("azure", "policystate")

_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "compliance": pl.String(),
    "action": pl.String(),
    "policy": pl.String(),
    "assignment": pl.String(),
    "resource": pl.String(),
    "resource_group": pl.String(),
}


@dataclass(frozen=True, slots=True)
class PolicyStatesJson:
    """One row a state; ``action`` in lower case (deny, audit, ...)."""

    name: str = "policy_states_json"
    title: str = "states of Azure Policy as JSON: az policy state list"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az policy state list --resource <vm-id> -o json > policy_states.json",)
    named = r"(?:^|[/!])[^/!]*polic(?:y|ies)[^/!]*$"
    otherwise = 58
    samples: tuple[Sample, ...] = (
        Sample(
            "a denial",
            "policy_states.json",
            orjson.dumps(
                {
                    "value": [
                        {
                            "timestamp": "2026-03-01T22:05:00Z",
                            "resourceId": "/subscriptions/0/resourceGroups/AzureBackupRG_x_1",
                            "policyDefinitionAction": "Deny",
                            "policyDefinitionName": "made-up",
                            "complianceState": "NonCompliant",
                            "resourceGroup": "azurebackuprg_x_1",
                        }
                    ]
                }
            ),
            (
                {
                    "@timestamp": datetime(2026, 3, 1, 22, 5, tzinfo=UTC),
                    "kind": "policy_state",
                    "compliance": "NonCompliant",
                    "action": "deny",
                    "policy": "made-up",
                    "resource": "/subscriptions/0/resourcegroups/azurebackuprg_x_1",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the keys of a state."""
        return claim_export(
            path,
            head,
            name=self.named,
            keys=("policyDefinition(?:Action|Name|Id)", "complianceState|isCompliant"),
            text="states of Azure Policy",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a state, at the time of its evaluation."""
        return parsed_export(source, self.logsource, _COLUMNS, _rows)


def _rows(record: Record) -> Iterator[Row]:
    one = record.value
    compliance, action = first_text(one, "complianceState"), first_text(one, "policyDefinitionAction")
    if compliance is None and first_text(one, "isCompliant") is not None:
        compliance = "Compliant" if first_text(one, "isCompliant") == "true" else "NonCompliant"
    if compliance is None:
        return
    policy = first_text(one, "policyDefinitionName", "policyDefinitionId")
    yield {
        **timed(one, "timestamp"),
        "kind": "policy_state",
        "compliance": compliance,
        "action": action.lower() if action else None,
        "policy": policy,
        "assignment": first_text(one, "policyAssignmentName", "policyAssignmentId"),
        "resource": ids_of(one, "resourceId"),
        "resource_group": ids_of(one, "resourceGroup"),
        "message": f"policy {policy} ({action}): {compliance}",
    }


parser: Parser = PolicyStatesJson()
