"""``waagent_status*.json`` and ``aggregatestatus*.json``: what the agent tells the platform.

Sources: linux.md 3.8, windows.md 2.5. Agents around 2.2.45 keep a shorter record under the same name: ``agent_name``,
``current_version``, ``extensions_status``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, message_of, read_report
from loganalyzer.parser_json import (
    UnreadableError,
    compact,
    int_of,
    items,
    member,
    read_json,
    text_of,
    time_of,
    whole_file_rows,
    word_of,
)

_NAME = r"(?:^|[/!])(?:waagent_status(?:\.\d+)?|aggregatestatus(?:_\d+)?)\.json$"
_CONTENT = r"""\A\s*\{[\s\S]*?"(?:aggregateStatus|handlerAggregateStatus|extensions_status)"\s*:"""
_WHEN = datetime(2025, 3, 1, 2, 11, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """One row for the agent, one a handler, and one each for agent update and goal state where they are told."""

    name: str = "agent_status_json"
    title: str = "the agent's status report: waagent_status.json, aggregatestatus.json"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/waagent_status.json",
        "/var/lib/waagent/waagent_status.<incarnation>.json",
        "/var/lib/waagent/history/*/waagent_status.json",
        "C:\\WindowsAzure\\Logs\\AggregateStatus\\aggregatestatus*.json",
    )
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "an agent that is ready and an extension that is not done",
            "C/WindowsAzure/Logs/AggregateStatus/aggregatestatus.json",
            b'{"version":"1.0","timestampUTC":"2025-03-01T02:11:00Z","aggregateStatus":{"guestAgentStatus":{'
            b'"version":"2.7.41491.1095","status":"Ready","formattedMessage":{"lang":"en-US","message":"running"}},'
            b'"handlerAggregateStatus":[{"handlerName":"Microsoft.Azure.RecoveryServices.VMSnapshot",'
            b'"handlerVersion":"1.0.92.0","status":"NotReady","code":3,"formattedMessage":{"message":"failed"},'
            b'"runtimeSettingsStatus":{"sequenceNumber":41,"settingsStatus":{"status":{"status":"transitioning",'
            b'"operation":"Enable"}}}}]},"guestOSInfo":{"computerName":"vm01","osName":"Windows"}}',
            (
                {
                    "@timestamp": _WHEN,
                    "kind": "agent",
                    "handler": None,
                    "handler_version": "2.7.41491.1095",
                    "status": "ready",
                    "message": "running",
                    "host.name": "vm01",
                },
                {
                    "@timestamp": _WHEN,
                    "kind": "aggregate",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshot",
                    "handler_version": "1.0.92.0",
                    "status": "notready",
                    "code": 3,
                    "message": "failed",
                    "sequence_number": 41,
                    "settings_status": "transitioning",
                    "operation": "Enable",
                    "outcome": "in_progress",
                },
            ),
        ),
        Sample(
            "the short record of an old agent",
            "var/lib/waagent/waagent_status.json",
            b'{"agent_name": "WALinuxAgent", "current_version": "2.2.45", "python_version": "Python: 3.6.9", '
            b'"last_successful_status_upload_time": "2025-03-01T02:11:00Z", "extensions_status": '
            b'[{"name": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux", "version": "1.0.9176.0", '
            b'"status": "NotReady"}]}',
            (
                {"@timestamp": _WHEN, "kind": "agent", "handler_version": "2.2.45", "status": None},
                {
                    "kind": "aggregate",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9176.0",
                    "status": "notready",
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the names and the key ``aggregateStatus``."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="an agent's status report")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """The rows of the report; a file without agent and handlers is rejected with the reason."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), STATUS_COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        rows = _reported(value) or _short_record(value)
        if not rows:
            return rejected_whole(source, "no agent status in it: neither `aggregateStatus` nor `extensions_status`")
        return whole_file_rows(source, self.logsource, rows, STATUS_COLUMNS)


def _reported(value: object) -> list[dict[str, object]]:
    """Rows of the report that the agent uploads."""
    aggregate = member(value, "aggregateStatus")
    agent = member(aggregate, "guestAgentStatus")
    rows = [_agent(agent)] if isinstance(agent, dict) else []
    if isinstance(update := member(agent, "updateStatus"), dict):
        rows.append(_state("agent_update", update) | {"handler_version": text_of(member(update, "expectedVersion"))})
    handlers = items(member(aggregate, "handlerAggregateStatus"))
    rows.extend(_handler(entry) for entry in handlers if isinstance(entry, dict))
    goal_state = member(aggregate, "vmArtifactsAggregateStatus", "goalStateAggregateStatus")
    if isinstance(goal_state, dict):
        rows.append(_state("goal_state", goal_state))
    common = {
        "@timestamp": time_of(member(value, "timestampUTC")),
        "host.name": text_of(member(value, "guestOSInfo", "computerName")),
    }
    return [common | row for row in rows]


def _state(kind: str, value: object) -> dict[str, object]:
    return {
        "kind": kind,
        "status": word_of(member(value, "status")),
        "code": int_of(member(value, "code")),
        "message": message_of(value),
        "event.original": compact(value),
    }


def _agent(value: object) -> dict[str, object]:
    return _state("agent", value) | {"handler_version": text_of(member(value, "version"))}


def _handler(entry: object) -> dict[str, object]:
    """A handler, with the report of its extension where the agent had one."""
    settings = member(entry, "runtimeSettingsStatus")
    handler = text_of(member(entry, "handlerName"))
    row = _state("aggregate", entry) | {
        "handler": handler,
        "handler_version": text_of(member(entry, "handlerVersion")),
        "extension_name": text_of(member(settings, "extensionName")),
        "sequence_number": int_of(member(settings, "sequenceNumber")),
    }
    status = member(settings, "settingsStatus", "status")
    if not isinstance(status, dict):
        return row
    report = read_report(status)
    return row | report.columns() | {"settings_status": report.status, "outcome": report.outcome(handler)}


def _short_record(value: object) -> list[dict[str, object]]:
    """Rows of the record that agents around 2.2.45 keep for users; it says no status of the agent itself."""
    version = text_of(member(value, "current_version"))
    handlers = [entry for entry in items(member(value, "extensions_status")) if isinstance(entry, dict)]
    if version is None and not handlers:
        return []
    time: dict[str, object] = {"@timestamp": time_of(member(value, "last_successful_status_upload_time"))}
    head = {key: item for key, item in value.items() if key != "extensions_status"} if isinstance(value, dict) else {}
    agent: dict[str, object] = time | {"kind": "agent", "handler_version": version, "event.original": compact(head)}
    return [
        agent,
        *(
            time
            | _state("aggregate", entry)
            | {"handler": text_of(member(entry, "name")), "handler_version": text_of(member(entry, "version"))}
            for entry in handlers
        ),
    ]


parser: Parser = AgentStatus()
