"""``ExtensionsConfig(.N).xml``: which extensions the platform wants, with which settings (linux.md 3.2).

The signed address of the status blob and protected settings stay out of every column; of public settings only those
named here go in, because other extensions put secrets there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_json import inner_json, int_of, items, member, text_of, ticks_time
from loganalyzer.parser_xml import LOGSOURCE, attribute, content, elements, name_of, read_goal_state_file, setting_row

_METADATA = ("inSvdSeqNo", "activityId", "correlationId")
_SAFE_SETTINGS = ("taskId", "locale", "vmType", "commandStartTimeUTCTicks")

_Row = tuple[etree._Element, dict[str, object]]


@dataclass(frozen=True, slots=True)
class ExtensionsConfigXml:
    """Rows of the kinds goal_state, extension and settings."""

    name: str = "extensions_config_xml"
    title: str = "extensions of a goal state: ExtensionsConfig.xml"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/ExtensionsConfig.<N>.xml",
        "/var/lib/waagent/history/*/ExtensionsConfig.xml",
    )
    named = r"(?:^|[/!])ExtensionsConfig(?:\.\d+)?\.xml$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "one extension with settings",
            "var/lib/waagent/ExtensionsConfig.5.xml",
            b'<Extensions version="1.0.0.0" goalStateIncarnation="5"><Plugins>'
            b'<Plugin name="Microsoft.Azure.RecoveryServices.VMSnapshotLinux" version="1.0.9225.0" state="enabled"/>'
            b"</Plugins>\n<PluginSettings>"
            b'<Plugin name="Microsoft.Azure.RecoveryServices.VMSnapshotLinux" version="1.0.9225.0">\n'
            b'<RuntimeSettings seqNo="7">{"runtimeSettings":[{"handlerSettings":{"publicSettings":'
            b'{"taskId":"7c9e6679","commandStartTimeUTCTicks":"638763918000000000"},'
            b'"protectedSettings":"MIIB"}}]}</RuntimeSettings></Plugin></PluginSettings>\n'
            b'<InVMGoalStateMetaData inSvdSeqNo="12" createdOnTicks="638763918000000000"/></Extensions>',
            (
                {"kind": "goal_state", "key": "goalStateIncarnation", "value": "5", "incarnation": "5"},
                {
                    "@timestamp": datetime(2025, 3, 1, 2, 10, tzinfo=UTC),
                    "kind": "extension",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "state": "enabled",
                },
                {
                    "kind": "settings",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "sequence_number": 7,
                    "task_id": "7c9e6679",
                    "command_start": datetime(2025, 3, 1, 2, 10, tzinfo=UTC),
                    "event.original": '<RuntimeSettings seqNo="7">',
                    "log.line": 3,
                },
                {"kind": "settings", "key": "taskId", "value": "7c9e6679"},
                {"kind": "settings", "key": "commandStartTimeUTCTicks", "value": "638763918000000000"},
                {"kind": "goal_state", "key": "inSvdSeqNo", "value": "12"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the root element."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r"<(?:\w+:)?Extensions\s[^>]*(?:goalStateIncarnation|version)\s*=",
            text="the extensions of a goal state",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows in document order, all with the time at which the goal state was made."""
        return read_goal_state_file(source, "Extensions", _rows)


def _rows(root: etree._Element) -> Iterator[_Row]:
    metadata = next(elements(root, "InVMGoalStateMetaData"), None)
    made = ticks_time(attribute(metadata, "createdOnTicks")) if metadata is not None else None
    for element, row in _untimed_rows(root):
        yield element, {"@timestamp": made} | row


def _untimed_rows(root: etree._Element) -> Iterator[_Row]:
    yield root, setting_row("goal_state", "goalStateIncarnation", attribute(root, "goalStateIncarnation"))
    for element in elements(root):
        parent = element.getparent()
        name, within = name_of(element), name_of(parent) if parent is not None else ""
        if name == "Plugin" and within == "Plugins":
            yield element, _extension(element)
        elif name in ("RuntimeSettings", "ExtensionRuntimeSettings") and within == "Plugin" and parent is not None:
            yield from ((element, row) for row in _settings(element, parent))
        elif name == "GAFamily":
            yield element, _family(element)
        elif name == "InVMGoalStateMetaData":
            yield from (
                (element, setting_row("goal_state", key, attribute(element, key))) for key in _metadata(element)
            )
        elif name == "StatusUploadBlob":
            yield element, setting_row("goal_state", "statusBlobType", attribute(element, "statusBlobType"))
        elif name == "RequiredFeature":
            feature = next((content(child) for child in elements(element, "Name")), None)
            yield element, setting_row("goal_state", name, feature)


def _metadata(element: etree._Element) -> list[str]:
    return [key for key in _METADATA if attribute(element, key)]


def _family(element: etree._Element) -> dict[str, object]:
    """An agent family: its name, and the version that the platform asks for, if any."""
    name = next((content(child) for child in elements(element, "Name")), None)
    version = next((content(child) for child in elements(element, "Version")), None)
    return setting_row("goal_state", "GAFamily", name) | {"handler_version": version}


def _extension(element: etree._Element) -> dict[str, object]:
    name, version, state = (attribute(element, key) for key in ("name", "version", "state"))
    return {
        "kind": "extension",
        "handler": name,
        "handler_version": version,
        "state": state.lower() if state else None,
        "message": f"{name} {version}: {state}",
    }


def _settings(element: etree._Element, plugin: etree._Element) -> Iterator[dict[str, object]]:
    """One row for the settings, and one for each public setting that is known to hold no secret."""
    handler, state, text = attribute(plugin, "name"), attribute(element, "state"), content(element)
    first = next(iter(items(member(inner_json(text), "runtimeSettings"))), None)
    public = member(first, "handlerSettings", "publicSettings")
    common: dict[str, object] = {
        "kind": "settings",
        "handler": handler,
        "handler_version": attribute(plugin, "version"),
        "extension_name": attribute(element, "name"),
        "state": state.lower() if state else None,
        "sequence_number": int_of(attribute(element, "seqNo")),
        "task_id": text_of(member(public, "taskId")),
        "command_start": ticks_time(member(public, "commandStartTimeUTCTicks")),
    }
    yield common | {"message": f"settings {attribute(element, 'seqNo')} of {handler}"}
    if text and inner_json(text) is None:
        yield common | setting_row("settings", "runtimeSettings", "not JSON")
    safe = (*_SAFE_SETTINGS, "commandToExecute") if "vmsnapshot" in (handler or "").lower() else _SAFE_SETTINGS
    found = {key: text_of(member(public, key)) for key in safe}
    found["protectedSettingsCertThumbprint"] = text_of(
        member(first, "handlerSettings", "protectedSettingsCertThumbprint")
    )
    yield from (common | setting_row("settings", key, value) for key, value in found.items() if value)


parser: Parser = ExtensionsConfigXml()
