"""``config/HandlerState``: one word, how far the Linux agent got with a handler (linux.md 3.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loganalyzer.parser import (
    Claim,
    LogSource,
    ParseContext,
    Parsed,
    Parser,
    Sample,
    Source,
    claim_by,
    decode,
    rejected_whole,
)
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path
from loganalyzer.parser_json import whole_file_rows

_NAME = re.compile(r"(?:^|[/!])(?:([^/!]*)\.)?HandlerState$", re.IGNORECASE)
_CONTENT = r"\A\s*(?:NotInstalled|Installed|Enabled|FailedUpgrade)\s*\Z"
_STATES = frozenset({"notinstalled", "installed", "enabled", "failedupgrade"})


@dataclass(frozen=True, slots=True)
class HandlerState:
    """The state of a handler: one row. Anything but Enabled keeps the extension from running."""

    name: str = "handler_state"
    title: str = "the state of a handler: config/HandlerState"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/<name>-<version>/config/HandlerState",
        "/var/lib/waagent/<name>-<version>/config/<extension>.HandlerState",
    )
    named = _NAME.pattern
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a handler that was installed and never enabled",
            "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0/config/HandlerState",
            b"Installed\n",
            (
                {
                    "kind": "handler_state",
                    "handler": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux",
                    "handler_version": "1.0.9225.0",
                    "status": "installed",
                    "event.original": "Installed",
                },
            ),
        ),
        Sample(
            "a word that is no state",
            "var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0/config/HandlerState",
            b"Enab",
            (),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name; a lone word under another name is too little to go by."""
        if not _NAME.search(path.replace("\\", "/")):
            return None
        return claim_by(path, head, name=_NAME.pattern, content=_CONTENT, text="a HandlerState file")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row; an unknown word is rejected, an empty file has no rows."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), STATUS_COLUMNS)
        word = decode(source.data).strip("\x00 \t\r\n\"'")
        if word.lower() not in _STATES:
            return rejected_whole(source, "no handler state: not NotInstalled, Installed, Enabled or FailedUpgrade")
        handler, version = handler_of_path(source.path)
        named = _NAME.search(source.path)
        row = {
            "kind": "handler_state",
            "handler": handler,
            "handler_version": version,
            "extension_name": named[1] if named else None,
            "status": word.lower(),
            "message": word,
            "event.original": word,
        }
        return whole_file_rows(source, self.logsource, (row,), STATUS_COLUMNS)


parser: Parser = HandlerState()
