"""``VmSettings.json``: the goal state by the fast track, from the host's agent (linux.md 3.3).

Keys differ in case from host to host. Its rows are those of ``ExtensionsConfig.xml``. The signed address of the status
blob and protected settings stay out of every column; of public settings only those named here go in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_json import (
    UnreadableError,
    inner_json,
    int_of,
    items,
    member,
    read_json,
    text_of,
    ticks_time,
    whole_file_rows,
)
from loganalyzer.parser_xml import GOAL_STATE_COLUMNS, LOGSOURCE, setting_row

_NAME = r"(?:^|[/!])VmSettings(?:\.[^/!]*)?\.json$"
_CONTENT = (
    r'(?i)\A\s*\{(?=[\s\S]*?"(?:hostGAPluginVersion|vmSettingsSchemaVersion)"\s*:)'
    r'[\s\S]*?"(?:extensionGoalStates|activityId)"'
)
_KEYS = (
    "hostGAPluginVersion",
    "vmSettingsSchemaVersion",
    "activityId",
    "correlationId",
    "inSvdSeqNo",
    "extensionGoalStatesSource",
    "onHold",
)
_SAFE_SETTINGS = ("taskId", "locale", "vmType", "commandStartTimeUTCTicks")
_INCARNATION = re.compile(r"/\d{4}-\d\d-\d\dT[\d:.\-]+(?:_incarnation)?_+(\d+)(?:-\d+)?(?:\.zip)?/[^/]*$")


@dataclass(frozen=True, slots=True)
class VmSettingsJson:
    """Rows of the kinds goal_state, extension and settings; times are when the extensions were last changed."""

    name: str = "vm_settings_json"
    title: str = "extensions of a goal state by the fast track: VmSettings.json"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/VmSettings.<id>.json",
        "/var/lib/waagent/history/*/VmSettings.json",
    )
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "one extension with settings, keys in another case",
            "var/lib/waagent/history/2025-03-01T02-09-00__5-12/VmSettings.json",
            b'{"HostGAPluginVersion": "1.0.8.141", "vmSettingsSchemaVersion": "0.0", "activityId": "a1", '
            b'"extensionsLastModifiedTickCount": 638763918000000000, "onHold": false, '
            b'"statusUploadBlob": {"statusBlobType": "BlockBlob", "value": "***REDACTED***"}, '
            b'"gaFamilies": [{"name": "Prod", "version": "2.15.0.1", "uris": []}], '
            b'"extensionGoalStates": [{"name": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux", '
            b'"version": "1.0.9225.0", "state": "enabled", "settingsSeqNo": 7, "settings": [{'
            b'"protectedSettingsCertThumbprint": "AB12", "protectedSettings": "MIIB", "publicSettings": '
            b'"{\\"taskId\\":\\"7c9e6679\\",\\"commandToExecute\\":\\"snapshot\\",\\"objectStr\\":\\"eyJ\\"}"}]}]}',
            (
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, tzinfo=UTC),
                    "kind": "goal_state",
                    "incarnation": "5",
                    "key": "hostGAPluginVersion",
                    "value": "1.0.8.141",
                },
                {"key": "vmSettingsSchemaVersion", "value": "0.0"},
                {"key": "activityId", "value": "a1"},
                {"key": "onHold", "value": "false", "message": "onHold=false"},
                {"key": "statusBlobType", "value": "BlockBlob"},
                {"key": "GAFamily", "value": "Prod", "handler_version": "2.15.0.1"},
                {
                    "kind": "extension",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "state": "enabled",
                    "sequence_number": 7,
                },
                {"kind": "settings", "sequence_number": 7, "task_id": "7c9e6679", "key": None},
                {"kind": "settings", "key": "taskId", "value": "7c9e6679"},
                {"kind": "settings", "key": "commandToExecute", "value": "snapshot"},
                {"kind": "settings", "key": "protectedSettingsCertThumbprint", "value": "AB12"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the keys of the host's agent."""
        return claim_by(path, head, name=_NAME, content=_CONTENT, text="the settings of a VM by the fast track")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows in the order above; anything but an object is rejected."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), GOAL_STATE_COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        if not isinstance(value, dict):
            return rejected_whole(source, "no settings of a VM in it: the JSON is no object")
        found = _INCARNATION.search(source.path.replace("!", "/"))
        common = {
            "@timestamp": ticks_time(member(value, "extensionsLastModifiedTickCount")),
            "incarnation": found[1] if found else None,
        }
        rows = [common | row | {"event.original": row["message"]} for row in _rows(value)]
        return whole_file_rows(source, self.logsource, rows, GOAL_STATE_COLUMNS)


def _rows(value: object) -> Iterator[dict[str, object]]:
    for key in _KEYS:
        if (text := text_of(member(value, key))) is not None:
            yield setting_row("goal_state", key, text)
    if (blob := text_of(member(value, "statusUploadBlob", "statusBlobType"))) is not None:
        yield setting_row("goal_state", "statusBlobType", blob)
    for feature in items(member(value, "requiredFeatures")):
        yield setting_row("goal_state", "RequiredFeature", text_of(member(feature, "name")))
    for family in items(member(value, "gaFamilies")):
        version = text_of(member(family, "version"))
        yield setting_row("goal_state", "GAFamily", text_of(member(family, "name"))) | {"handler_version": version}
    for extension in items(member(value, "extensionGoalStates")):
        yield from _extension(extension)


def _extension(extension: object) -> Iterator[dict[str, object]]:
    name, version = text_of(member(extension, "name")), text_of(member(extension, "version"))
    state = text_of(member(extension, "state"))
    common: dict[str, object] = {"handler": name, "handler_version": version}
    number = int_of(member(extension, "settingsSeqNo"))
    yield common | {
        "kind": "extension",
        "state": state.lower() if state else None,
        "sequence_number": number,
        "message": f"{name} {version}: {state}",
    }
    for settings in items(member(extension, "settings")):
        yield from (common | row for row in _settings(settings, name, number))


def _settings(settings: object, handler: str | None, number: int | None) -> Iterator[dict[str, object]]:
    """One row for the settings, and one for each public setting that is known to hold no secret."""
    text = member(settings, "publicSettings")
    public = text if isinstance(text, dict) else inner_json(text)
    own = int_of(member(settings, "seqNo"))
    state = text_of(member(settings, "extensionState"))
    common: dict[str, object] = {
        "kind": "settings",
        "extension_name": text_of(member(settings, "extensionName")),
        "state": state.lower() if state else None,
        "sequence_number": number if own is None else own,
        "task_id": text_of(member(public, "taskId")),
        "command_start": ticks_time(member(public, "commandStartTimeUTCTicks")),
    }
    yield common | {"message": f"settings {common['sequence_number']} of {handler}"}
    safe = (*_SAFE_SETTINGS, "commandToExecute") if "vmsnapshot" in (handler or "").lower() else _SAFE_SETTINGS
    found = {key: text_of(member(public, key)) for key in safe}
    found["protectedSettingsCertThumbprint"] = text_of(member(settings, "protectedSettingsCertThumbprint"))
    yield from (common | setting_row("settings", key, value) for key, value in found.items() if value)


parser: Parser = VmSettingsJson()
