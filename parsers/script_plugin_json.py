"""``/etc/azure/VMSnapshotScriptPluginConfig.json``: scripts before and after a snapshot (linux.md 3.10).

Parameters of the scripts stay out, for people pass passwords that way; how many there are stands in the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by, rejected_whole
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_json import UnreadableError, read_json, text_of, whole_file_rows

_LOGSOURCE = LogSource("linux", "vmbackup", "config")
_COLUMNS: Mapping[str, pl.DataType] = {"kind": pl.String(), **CONFIG_COLUMNS}


@dataclass(frozen=True, slots=True)
class ScriptPluginJson:
    """One row a setting, of the kind script_plugin."""

    name: str = "script_plugin_json"
    title: str = "scripts before and after a snapshot: VMSnapshotScriptPluginConfig.json"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("/etc/azure/VMSnapshotScriptPluginConfig.json",)
    named = r"(?:^|[/!])VMSnapshotScriptPluginConfig\.json$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a configuration",
            "etc/azure/VMSnapshotScriptPluginConfig.json",
            b'{"pluginName": "ScriptRunner", "preScriptLocation": "/etc/azure/pre.sh", "preScriptParams": ["a", "b"], '
            b'"timeoutInSeconds": 30, "continueBackupOnFailure": false}',
            (
                {"kind": "script_plugin", "key": "pluginName", "value": "ScriptRunner", "effective": True},
                {"key": "preScriptLocation", "value": "/etc/azure/pre.sh"},
                {"key": "preScriptParams", "value": "2 left out"},
                {"key": "timeoutInSeconds", "value": "30", "message": "timeoutInSeconds=30"},
                {"key": "continueBackupOnFailure", "value": "false", "event.original": "continueBackupOnFailure=false"},
            ),
        ),
        Sample(
            "a configuration that somebody broke",
            "etc/azure/VMSnapshotScriptPluginConfig.json",
            b'{"pluginName": "ScriptRunner", "preScriptLocation": "/etc/azure/pre.sh',
            (),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and the extension's keys."""
        return claim_by(
            path,
            head,
            name=self.named,
            content=r'\A\s*\{(?=[\s\S]{0,8192}?"(?:pre|post)ScriptLocation"\s*:)[\s\S]{0,8192}?"(?:pluginName|timeoutInSeconds)"',
            text="the configuration of scripts around a snapshot",
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a setting; the extension cannot read what is no object, and neither do we."""
        if not source.data:
            return whole_file_rows(source, self.logsource, (), _COLUMNS)
        try:
            value = read_json(source)
        except UnreadableError as error:
            return rejected_whole(source, str(error))
        if not isinstance(value, dict):
            return rejected_whole(source, "no configuration of scripts: the JSON is no object")
        return whole_file_rows(source, self.logsource, list(_rows(value)), _COLUMNS)


def _rows(value: Mapping[str, object]) -> Iterator[dict[str, object]]:
    for key, one in value.items():
        text = text_of(one)
        if "params" in key.lower() or isinstance(one, list | dict):
            text = f"{len(one) if isinstance(one, list | dict) else 1} left out"
        said = f"{key}={'' if text is None else text}"
        yield {
            "kind": "script_plugin",
            "key": key,
            "value": text,
            "effective": True,
            "message": said,
            "event.original": said,
        }


parser: Parser = ScriptPluginJson()
