"""``config/<N>.settings``: what a handler was told to do (linux.md 3.5). Protected settings go into no row.

Of public settings only those named here go in, because other extensions put secrets there. The snapshot extension
writes the file anew without protected settings when it has read them, and puts older files aside as ``<N>_settings``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path
from loganalyzer.parser_json import (
    UnreadableError,
    compact,
    inner_json,
    int_of,
    items,
    member,
    read_json,
    text_of,
    ticks_time,
    whole_file_rows,
)

_NAME = re.compile(
    r"(?:^|[/!])(?:config|RuntimeSettings)[/!](?:(?P<extension>[^/!]+)\.)?(?P<number>\d+)[._]settings$", re.IGNORECASE
)
_SAFE = ("taskId", "locale", "vmType")
#: Of the snapshot extension alone: what it is to do, and how (linux.md 4.1).
_OF_SNAPSHOT = ("commandToExecute",)
_CUSTOM = ("takeSnapshotFrom", "isManagedVm", "canTakeCrashConsistentSnapshot", "backupRetryCount")

_COLUMNS: Mapping[str, pl.DataType] = {
    **STATUS_COLUMNS,
    **dict.fromkeys((*_SAFE[1:], *_OF_SNAPSHOT, *_CUSTOM, "protectedSettingsCertThumbprint"), pl.String()),
    "has_protected_settings": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class HandlerSettings:
    """One row a set of settings; ``has_protected_settings`` says only that there are some."""

    name: str = "handler_settings"
    title: str = "public settings of a handler: config/<N>.settings"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/<name>-<version>/config/<N>.settings",
        "/var/lib/waagent/<name>-<version>/config/<extension>.<N>.settings",
        "C:\\Packages\\Plugins\\<name>\\<version>\\RuntimeSettings\\<N>.settings",
    )
    named = _NAME.pattern
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a backup through the host",
            "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0/config/7.settings",
            b'{"runtimeSettings": [{"handlerSettings": {"publicSettings": {"taskId": "7c9e6679", '
            b'"commandToExecute": "snapshot", "commandStartTimeUTCTicks": "638763918000000000", "objectStr": "eyJh", '
            b'"customSettings": "{\\"takeSnapshotFrom\\":\\"onlyHost\\",\\"isManagedVm\\":true}"}, '
            b'"protectedSettings": "MIIB", "protectedSettingsCertThumbprint": "AB12"}}]}',
            (
                {
                    "kind": "handler_settings",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "sequence_number": 7,
                    "task_id": "7c9e6679",
                    "command_start": datetime(2025, 3, 1, 2, 10, tzinfo=UTC),
                    "commandToExecute": "snapshot",
                    "takeSnapshotFrom": "onlyHost",
                    "isManagedVm": "true",
                    "has_protected_settings": True,
                    "protectedSettingsCertThumbprint": "AB12",
                    "event.original": '{"taskId":"7c9e6679","commandToExecute":"<left out>",'
                    '"takeSnapshotFrom":"onlyHost","isManagedVm":"true","protectedSettingsCertThumbprint":"AB12"}',
                },
            ),
        ),
        Sample(
            "another handler's command stays out",
            "C:\\Packages\\Plugins\\Example.Handler\\1.2\\RuntimeSettings\\0.settings",
            b'{"runtimeSettings": [{"handlerSettings": {"publicSettings": {"commandToExecute": "run --password x"}, '
            b'"protectedSettings": null, "protectedSettingsCertThumbprint": null}}]}',
            (
                {
                    "handler": "Example.Handler",
                    "handler_version": "1.2",
                    "sequence_number": 0,
                    "commandToExecute": None,
                    "has_protected_settings": False,
                    "message": "settings 0 of Example.Handler",
                },
            ),
        ),
        Sample(
            "settings that nobody can read",
            "var/lib/waagent/Example.Handler-1.2/config/1.settings",
            b'{"runtimeSettings": [{"handlerSettings": ',
            (),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the keys of settings."""
        return claim_by(
            path,
            head,
            name=_NAME.pattern,
            content=r'\A\s*\{\s*"runtimeSettings"\s*:\s*\[(?=[\s\S]{0,512}"handlerSettings")',
            text="the settings of a handler",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row for each of ``runtimeSettings``; an empty file, as for a handler without settings, has no rows."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return _rejected(source, str(error))
        settings = [member(one, "handlerSettings") for one in items(member(value, "runtimeSettings"))]
        rows = [_row(source.path, one) for one in settings if isinstance(one, dict)]
        if not rows:
            return _rejected(source, "no settings of a handler in it")
        lost = len(settings) - len(rows)
        damage = (f"{lost} of {len(settings)} elements are no settings",) if lost else ()
        return whole_file_rows(source, self.logsource, rows, _COLUMNS, damage=damage)


def _rejected(source: Source, why: str) -> Parsed:
    """Rejected without its text, for nobody knows where in it a secret begins."""
    rejected = rejected_whole(source, why)
    blank = rejected.rejected.with_columns(pl.lit("<left out>").alias("event.original"))
    return Parsed((), 0, 0, rejected=blank, rejected_bytes=source.size, damage=rejected.damage)


def _row(path: str, settings: object) -> dict[str, object]:
    handler, version = handler_of_path(path)
    named = _NAME.search(path.replace("\\", "/"))
    public = member(settings, "publicSettings")
    public = public if isinstance(public, dict) else inner_json(public)
    shown = _shown(public, handler)
    if thumbprint := text_of(member(settings, "protectedSettingsCertThumbprint")):
        shown["protectedSettingsCertThumbprint"] = thumbprint
    number = int_of(named["number"]) if named else None
    return {
        "kind": "handler_settings",
        "handler": handler,
        "handler_version": version,
        "extension_name": named["extension"] if named else None,
        "sequence_number": number,
        "task_id": shown.get("taskId"),
        "command_start": ticks_time(member(public, "commandStartTimeUTCTicks")),
        "has_protected_settings": bool(member(settings, "protectedSettings")),
        "message": f"settings {'' if number is None else number} of {handler}".replace("  ", " "),
        "event.original": compact(shown),
        **{key: value for key, value in shown.items() if key != "taskId"},
    }


def _shown(public: object, handler: str | None) -> dict[str, str]:
    """The public settings that are known to hold no secret."""
    found = {key: text_of(member(public, key)) for key in _SAFE}
    if "vmsnapshot" in (handler or "").lower():
        custom = member(public, "customSettings")
        custom = custom if isinstance(custom, dict) else inner_json(custom)
        found |= {key: text_of(member(public, key)) for key in _OF_SNAPSHOT}
        found |= {key: text_of(member(custom, key)) for key in _CUSTOM}
    return {key: value for key, value in found.items() if value is not None}


parser: Parser = HandlerSettings()
