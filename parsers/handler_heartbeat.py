"""``heartbeat.log`` of a handler: what it last said of itself (linux.md 3.11). The snapshot extension has none."""

from __future__ import annotations

from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path, message_of
from loganalyzer.parser_json import (
    UnreadableError,
    compact,
    int_of,
    items,
    member,
    read_json,
    text_of,
    whole_file_rows,
    word_of,
)


@dataclass(frozen=True, slots=True)
class HandlerHeartbeat:
    """One row a heartbeat: the word and code of the handler itself."""

    name: str = "handler_heartbeat"
    title: str = "what a handler last said of itself: heartbeat.log"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/<name>-<version>/heartbeat.log",
        "C:\\Packages\\Plugins\\<name>\\<version>\\Status\\HeartBeat.Json",
    )
    named = r"(?:^|[/!])heartbeat\.(?:log|json)$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a handler that is not ready",
            "var/lib/waagent/Example.Handler-1.2.3/heartbeat.log",
            b'[{"version": 1.0, "heartbeat": {"status": "NotReady", "code": 5, "Message": "no connection"}}]',
            (
                {
                    "kind": "heartbeat",
                    "handler": "Example.Handler",
                    "handler_version": "1.2.3",
                    "status": "notready",
                    "code": 5,
                    "message": "no connection",
                    "outcome": None,
                },
            ),
        ),
        Sample(
            "a message with its language",
            "var/lib/waagent/Example.Handler-1.2.3/heartbeat.log",
            b'[{"version":1.0,"heartbeat":{"status":"ready","code":0,"formattedMessage":{"lang":"en","message":"ok"}}}]',
            ({"status": "ready", "message": "ok"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the key ``heartbeat``."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r'\A\s*(?:\[\s*)?\{(?=[\s\S]{0,256}"version"\s*:)[\s\S]{0,256}"heartbeat"\s*:\s*\{',
            text="the heartbeat of a handler",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a heartbeat; what is none is rejected."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), STATUS_COLUMNS)
        try:
            elements = items(read_json(source))
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        handler, version = handler_of_path(source.path)
        beats = [beat for element in elements if isinstance(beat := member(element, "heartbeat"), dict)]
        if not beats:
            return rejected_whole(source, "no heartbeat in it")
        rows = [
            {
                "kind": "heartbeat",
                "handler": handler,
                "handler_version": version,
                "status": word_of(member(beat, "status")),
                "code": int_of(member(beat, "code")),
                "message": text_of(member(beat, "Message")) or message_of(beat),
                "event.original": compact(beat),
            }
            for beat in beats
        ]
        lost = len(elements) - len(rows)
        damage = (f"{lost} of {len(elements)} elements are no heartbeats",) if lost else ()
        return whole_file_rows(source, self.logsource, rows, STATUS_COLUMNS, damage=damage)


parser: Parser = HandlerHeartbeat()
