"""``HandlerManifest.json``: the commands of a handler (linux.md 3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path, same_name
from loganalyzer.parser_json import UnreadableError, compact, items, member, read_json, text_of, whole_file_rows

_COMMANDS = ("installCommand", "enableCommand", "updateCommand", "disableCommand", "uninstallCommand")
_COLUMNS = {**STATUS_COLUMNS, **dict.fromkeys(_COMMANDS, pl.String())}


@dataclass(frozen=True, slots=True)
class HandlerManifest:
    """One row a handler, with its commands in columns of their own names."""

    name: str = "handler_manifest"
    title: str = "the commands of a handler: HandlerManifest.json"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/<name>-<version>/HandlerManifest.json",
        "C:\\Packages\\Plugins\\<name>\\<version>\\HandlerManifest.json",
    )
    named = r"(?:^|[/!])HandlerManifest\.json$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "the directory knows the version, the file carries a test name",
            "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0/HandlerManifest.json",
            b'[{"name": "MyBackupTestLinuxInt", "version": "1.0.9120.0", "handlerManifest": '
            b'{"installCommand": "main/handle.sh install", "enableCommand": "main/handle.sh enable", '
            b'"rebootAfterInstall": false, "reportHeartbeat": false}}]',
            (
                {
                    "kind": "handler_manifest",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "enableCommand": "main/handle.sh enable",
                    "updateCommand": None,
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the key ``handlerManifest``."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r'\A\s*[\[{][\s\S]{0,4096}?"handlerManifest"\s*:',
            text="a HandlerManifest.json",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a handler; name and version are the directory's, which the file may contradict (linux.md intro)."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            elements = items(read_json(source))
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        rows = [_row(source.path, element) for element in elements if isinstance(element, dict)]
        if not rows:
            return rejected_whole(source, "no handler manifest in it: the JSON is no list of objects")
        lost = len(elements) - len(rows)
        damage = (f"{lost} of {len(elements)} elements are no handler manifests",) if lost else ()
        return whole_file_rows(source, self.logsource, rows, _COLUMNS, damage=damage)


def _row(path: str, element: object) -> dict[str, object]:
    handler, version = handler_of_path(path)
    name = text_of(member(element, "name"))
    commands = {command: text_of(member(element, "handlerManifest", command)) for command in _COMMANDS}
    return {
        "kind": "handler_manifest",
        "handler": same_name(handler, name) or name,
        "handler_version": version or text_of(member(element, "version")),
        "event.original": compact(element),
        **commands,
    }


parser: Parser = HandlerManifest()
