"""``HandlerEnvironment.json``: where a handler has its folders (linux.md 3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_extension import LOGSOURCE, STATUS_COLUMNS, handler_of_path, same_name
from loganalyzer.parser_json import UnreadableError, compact, items, member, read_json, text_of, whole_file_rows

_FOLDERS = ("logFolder", "configFolder", "statusFolder", "heartbeatFile", "eventsFolder")
_COLUMNS = {**STATUS_COLUMNS, **dict.fromkeys(_FOLDERS, pl.String())}


@dataclass(frozen=True, slots=True)
class HandlerEnvironment:
    """One row a handler, with its folders in columns of their own names."""

    name: str = "handler_environment"
    title: str = "the folders of a handler: HandlerEnvironment.json"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/<name>-<version>/HandlerEnvironment.json",
        "C:\\Packages\\Plugins\\<name>\\<version>\\HandlerEnvironment.json",
    )
    named = r"(?:^|[/!])HandlerEnvironment\.json$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "folders of a handler that writes no events",
            "var/lib/waagent/Example.Handler-1.2.3/HandlerEnvironment.json",
            b'[{"name": "Example.Handler", "version": 1.0, "handlerEnvironment": {'
            b'"logFolder": "/var/log/azure/Example.Handler", "configFolder": "/c", "statusFolder": "/s", '
            b'"heartbeatFile": "/h"}}]',
            (
                {
                    "kind": "handler_environment",
                    "handler": "Example.Handler",
                    "handler_version": "1.2.3",
                    "logFolder": "/var/log/azure/Example.Handler",
                    "eventsFolder": None,
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the key ``handlerEnvironment``."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r'\A\s*[\[{][\s\S]{0,4096}?"handlerEnvironment"\s*:',
            text="a HandlerEnvironment.json",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a handler; the version is the directory's, for the one inside is that of the form."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            elements = items(read_json(source))
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        rows = [_row(source.path, element) for element in elements if isinstance(element, dict)]
        if not rows:
            return rejected_whole(source, "no handler environment in it: the JSON is no list of objects")
        lost = len(elements) - len(rows)
        damage = (f"{lost} of {len(elements)} elements are no handler environments",) if lost else ()
        return whole_file_rows(source, self.logsource, rows, _COLUMNS, damage=damage)


def _row(path: str, element: object) -> dict[str, object]:
    handler, version = handler_of_path(path)
    name = text_of(member(element, "name"))
    folders = {folder: text_of(member(element, "handlerEnvironment", folder)) for folder in _FOLDERS}
    return {
        "kind": "handler_environment",
        "handler": same_name(handler, name) or name,
        "handler_version": version,
        "event.original": compact(element),
        **folders,
    }


parser: Parser = HandlerEnvironment()
