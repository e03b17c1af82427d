"""Settings of the Linux snapshot extension under ``/etc/azure`` in INI form (linux.md 3.10).

``vmbackup.conf`` (sections SnapshotThread and Monitor), ``VMSnapshotPluginHost.conf`` (scripts before and after the
snapshot) and ``workload.conf`` (a database that is put into backup mode). A credential string stays out of every row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing

LOGSOURCE = LogSource("linux", "vmbackup", "config")
COLUMNS: Mapping[str, pl.DataType] = {"kind": pl.String(), **CONFIG_COLUMNS}

_NAME = re.compile(r"(?:^|[/!])(?P<name>vmbackup|(?:VMSnapshot)?PluginHost|workload)\.conf$", re.IGNORECASE)
_KINDS = {"vmbackup": "vmbackup", "workload": "workload"}
_CONTENT = r"^\[(?:SnapshotThread|Monitor|pre_post|workload|logbackup)\][ \t\r]*$"
_SECTION = re.compile(r"^\[([^\]]+)\]\s*$")
_PAIR = re.compile(r"^([^=:\s][^=:]*?)\s*[=:]\s*(.*?)\s*$")
#: ``credString`` names a user or holds a password; other keys of the kind are none of the extension's, and as private.
_SECRET = re.compile(r"cred|passw|secret|token|key$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class VMBackupConf:
    """One row a setting; ``kind`` is vmbackup, plugin_host or workload. The last line of a key in a section wins."""

    name: str = "vmbackup_conf"
    title: str = "settings of the Linux snapshot extension: /etc/azure/vmbackup.conf, workload.conf, plug-in host"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = (
        "/etc/azure/vmbackup.conf",
        "/etc/azure/VMSnapshotPluginHost.conf",
        "/etc/azure/workload.conf",
    )
    named = _NAME.pattern
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "the snapshot's own settings",
            "etc/azure/vmbackup.conf",
            b"; by hand\n[SnapshotThread]\ntimeout: 90\nMountsToSkip = /data,/old\ntimeout=120\n"
            b"[Monitor]\nRun = False\noops\n",
            (
                {"kind": "vmbackup", "section": "SnapshotThread", "key": "timeout", "value": "90", "effective": False},
                {"key": "MountsToSkip", "value": "/data,/old", "effective": True},
                {"key": "timeout", "value": "120", "effective": True, "log.line": 5},
                {"section": "Monitor", "key": "Run", "value": "False", "message": "Run=False"},
            ),
            rejected=1,
        ),
        Sample(
            "a credential string stays out",
            "etc/azure/workload.conf",
            b"[workload]\nworkload_name = oracle\ncredString = scott:tiger\n",
            (
                {"kind": "workload", "key": "workload_name", "value": "oracle"},
                {"key": "credString", "value": "<left out>", "event.original": "credString=<left out>"},
            ),
        ),
        Sample(
            "the plug-in host",
            "etc/azure/VMSnapshotPluginHost.conf",
            b"[pre_post]\ntimeout = 10\npluginName0 = ScriptRunner\n",
            ({"kind": "plugin_host", "key": "timeout", "value": "10"}, {"key": "pluginName0", "value": "ScriptRunner"}),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name and a section of the extension's."""
        claim = claim_by(path, head, name=_NAME.pattern, content=_CONTENT, text="settings of the snapshot extension")
        bare = claim is not None and claim.strength <= 20 and "azure/" not in path.replace("\\", "/").lower()
        return None if bare else claim

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a setting; comments and blank lines make none, and other lines are rejected."""
        lines = console_lines(source.data)
        named = _NAME.search(source.path.replace("\\", "/"))
        kind = _KINDS.get(named["name"].lower(), "plugin_host") if named else _kind_of(lines)
        rows: list[dict[str, object]] = []
        rejected: list[Rejected] = []
        section: str | None = None
        for line in lines:
            text = line.text.strip()
            if not text or text[0] in "#;":
                continue
            if found := _SECTION.match(text):
                section = found[1]
            elif "\x00" not in text and (pair := _PAIR.match(text)):
                rows.append(_row(line, kind, section, pair[1], pair[2]))
            else:
                rejected.append(Rejected(line, "neither section nor setting nor comment"))
        _mark_effective(rows)
        return listing(source, self.logsource, lines, rows, COLUMNS, rejected)


def _kind_of(lines: list[Line]) -> str:
    """The kind by the first section, for a file under another name."""
    sections = (found[1].lower() for line in lines if (found := _SECTION.match(line.text.strip())))
    kinds = {"pre_post": "plugin_host", "workload": "workload", "logbackup": "workload"}
    return kinds.get(next(sections, ""), "vmbackup")


def _row(line: Line, kind: str, section: str | None, key: str, value: str) -> dict[str, object]:
    row = cited([line]) | {"kind": kind, "section": section, "key": key, "value": value, "message": f"{key}={value}"}
    if value and _SECRET.search(key):
        said = f"{key}=<left out>"
        row |= {"value": "<left out>", "message": said, "event.original": said}
    return row


def _mark_effective(rows: list[dict[str, object]]) -> None:
    """Keys compare without case, as the extension's reader has it."""
    seen: set[tuple[object, str]] = set()
    for row in reversed(rows):
        name = (row["section"], str(row["key"]).lower())
        row["effective"] = name not in seen
        seen.add(name)


parser: Parser = VMBackupConf()
