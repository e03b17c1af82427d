"""Small files of the Linux agent that hold one value: which host, which protocol, which goal state (linux.md 1.3, 3.4).

``WireServerEndpoint`` (the address that the agent takes for the host's), ``Protocol``, ``Incarnation``,
``published_hostname``, ``initial_goal_state`` (the extensions of the first goal state) and ``event_status.json``
(whether an operation last succeeded).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_config import CONFIG_COLUMNS
from loganalyzer.parser_json import inner_json, text_of
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing

_LOGSOURCE = LogSource("linux", "agent_state", "config")
_COLUMNS = {"kind": pl.String(), **CONFIG_COLUMNS}
_PAIR = re.compile(r"\('((?:[^'\\]|\\.)*)', '((?:[^'\\]|\\.)*)'\)")

#: What each file may hold. A file of the name with other content is not the agent's.
_CONTENTS = {
    "wireserverendpoint": r"\A\s*[0-9A-Za-z.:\-\[\]%]{1,255}\s*\Z",
    "protocol": r"\A\s*\w{1,64}\s*\Z",
    "incarnation": r"\A\s*\d{1,20}\s*\Z",
    "published_hostname": r"\A\s*[0-9A-Za-z._\-]{1,255}\s*\Z",
    "initial_goal_state": r"\A\s*(?:\[[^\n]*\])?\s*\Z",
    "event_status.json": r"\A\s*\{",
}
_NAME = re.compile(
    r"(?:^|[/!])(?P<name>WireServerEndpoint|Protocol|Incarnation|published_hostname|initial_goal_state"
    r"|event_status\.json)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AgentStateFiles:
    """One row a value; ``kind`` is the name of the file, ``section`` that of an extension."""

    name: str = "agent_state_files"
    title: str = "small files of the Linux agent: WireServerEndpoint, Protocol, Incarnation, event_status.json ..."
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = (
        "/var/lib/waagent/WireServerEndpoint",
        "/var/lib/waagent/Protocol",
        "/var/lib/waagent/Incarnation",
        "/var/lib/waagent/published_hostname",
        "/var/lib/waagent/initial_goal_state",
        "/var/lib/waagent/event_status.json",
    )
    named = _NAME.pattern
    otherwise = 0
    samples: tuple[Sample, ...] = (
        Sample(
            "the address of the host",
            "var/lib/waagent/WireServerEndpoint",
            b"168.63.129.16\n",
            ({"kind": "WireServerEndpoint", "key": "WireServerEndpoint", "value": "168.63.129.16", "effective": True},),
        ),
        Sample("no line end", "var/lib/waagent/Protocol", b"WireProtocol", ({"value": "WireProtocol", "log.line": 1},)),
        Sample(
            "extensions of the first goal state",
            "var/lib/waagent/initial_goal_state",
            b"[('Example.First', 'success'), ('Example.Second', 'transitioning')]",
            (
                {"kind": "initial_goal_state", "key": "Example.First", "value": "success"},
                {"key": "Example.Second", "value": "transitioning"},
            ),
        ),
        Sample(
            "whether operations succeeded",
            "var/lib/waagent/event_status.json",
            b'{"WALinuxAgent-2.15.0.1-ReportStatus": true, "WALinuxAgent-2.15.0.1-AutoUpdate": false}',
            (
                {"kind": "event_status.json", "key": "WALinuxAgent-2.15.0.1-ReportStatus", "value": "true"},
                {"key": "WALinuxAgent-2.15.0.1-AutoUpdate", "value": "false"},
            ),
        ),
        Sample("an object that was cut off", "event_status.json", b'{"WALinuxAgent-2', (), rejected=1),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the name, and content that the agent could have written there."""
        named = _NAME.search(path.replace("\\", "/"))
        if named is None:
            return None
        content = _CONTENTS[named["name"].lower()]
        claim = claim_by(path, head, name=_NAME.pattern, content=content, text=f"the agent's file {named['name']}")
        return claim if claim is not None and claim.strength > 20 else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Rows of a file by its name; lines that hold nothing of the kind are rejected."""
        lines = console_lines(source.data)
        named = _NAME.search(source.path.replace("\\", "/"))
        name = named["name"] if named else source.name
        filled = [line for line in lines if not line.blank]
        values = _values(name, "\n".join(line.text for line in filled)) if filled else []
        if values is None:
            why = f"not what the agent writes to {name}"
            return listing(source, self.logsource, lines, (), _COLUMNS, [Rejected(line, why) for line in filled])
        rows = [_row(name, key, value, filled) for key, value in values]
        return listing(source, self.logsource, lines, rows, _COLUMNS)


def _values(name: str, text: str) -> list[tuple[str, str | None]] | None:
    """Keys and values of a file; None: it is not of this kind."""
    if "\x00" in text:
        return None
    if name.lower() == "event_status.json":
        value = inner_json(text)
        return [(str(key), text_of(one)) for key, one in value.items()] if isinstance(value, dict) else None
    if re.search(_CONTENTS.get(name.lower(), r"(?!)"), text) is None:
        return None
    if name.lower() == "initial_goal_state":
        return [(found[1], found[2]) for found in _PAIR.finditer(text)]
    return [(name, text.strip())]


def _row(name: str, key: str, value: str | None, lines: Sequence[Line]) -> dict[str, object]:
    return cited(lines) | {"kind": name, "key": key, "value": value, "effective": True, "message": f"{key}={value}"}


parser: Parser = AgentStateFiles()
