"""Output of ``systemctl show``: the properties of units, ``NAME=value``, a blank line between units.

The states of a unit are those of the moment at which it was printed: rows have no time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, text_head
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing, paragraphs
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("linux", "systemd")

#: As those of ``systemctl status``; ``kind``: show. ``restarts``: how often systemd itself started the unit again.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "unit": pl.String(),
    "description": pl.String(),
    "load_state": pl.String(),
    "unit_file_state": pl.String(),
    "active_state": pl.String(),
    "sub_state": pl.String(),
    "result": pl.String(),
    "since": TIMESTAMP,
    "main_pid": pl.Int64(),
    "exit_status": pl.String(),
    "restarts": pl.Int64(),
}
_NAMES = {
    "Id": "unit",
    "Description": "description",
    "LoadState": "load_state",
    "UnitFileState": "unit_file_state",
    "ActiveState": "active_state",
    "SubState": "sub_state",
    "Result": "result",
    "ExecMainStatus": "exit_status",
}
_NUMBERS = {"MainPID": "main_pid", "NRestarts": "restarts"}
_PROPERTY = re.compile(r"^([A-Z][A-Za-z0-9]{1,60})=(.*)$")
_HEAD = re.compile(r"^(?:ActiveState|SubState|UnitFileState|LoadState)=[a-z-]*\r?$", re.MULTILINE)
_COMMAND = re.compile(r"^\S*[#$>]\s*(?:sudo )?systemctl\b")
_STAMP = re.compile(r"^[A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:UTC|GMT)$")

_TEXT = (
    "Restart=always\nResult=exit-code\nNRestarts=4\nMainPID=0\nExecMainStatus=1\nId=walinuxagent.service\n"
    "Description=Azure Linux Agent\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\n"
    "StateChangeTimestamp=Sat 2025-03-01 02:10:03 UTC\n\n"
    "ActiveState=active\nSubState=running\nno property\n"
)


@dataclass(frozen=True, slots=True)
class SystemctlShow:
    """One row a unit."""

    name: str = "systemctl_show"
    title: str = "properties of systemd units: systemctl show"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("systemctl show walinuxagent > agent_unit.txt",)
    strongest = 80
    samples: tuple[Sample, ...] = (
        Sample(
            "a unit that failed, and some properties of another",
            "agent_unit.txt",
            _TEXT.encode(),
            (
                {
                    "kind": "show",
                    "unit": "walinuxagent.service",
                    "active_state": "failed",
                    "result": "exit-code",
                    "restarts": 4,
                    "main_pid": None,
                    "exit_status": "1",
                    "since": datetime(2025, 3, 1, 2, 10, 3, tzinfo=UTC),
                },
                {"unit": None, "active_state": "active", "sub_state": "running", "log.line": 14},
            ),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By two of the states that every unit has."""
        found = {match[0].partition("=")[0] for match in _HEAD.finditer(text_head(head))}
        return Claim(80, "properties as systemctl show prints them") if len(found) >= 2 else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a unit; a line that is no property is rejected."""
        lines = console_lines(source.data)
        rows: list[dict[str, object]] = []
        rejected: list[Rejected] = []
        for run in paragraphs(lines):
            known = [line for line in run if _PROPERTY.match(line.text)]
            rejected += [
                Rejected(line, "no property of a unit: Name=value is expected")
                for line in run
                if not _PROPERTY.match(line.text) and not _COMMAND.match(line.text)
            ]
            if known:
                rows.append(_row(known) | cited(run))
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _row(lines: Sequence[Line]) -> dict[str, object]:
    values = dict(line.text.split("=", 1) for line in lines)
    row: dict[str, object] = {column: values.get(name) or None for name, column in _NAMES.items()}
    for name, column in _NUMBERS.items():
        text = values.get(name, "")
        row[column] = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
    row["main_pid"] = row["main_pid"] or None  # 0: there is none
    stamp = _STAMP.match(values.get("StateChangeTimestamp") or values.get("ActiveEnterTimestamp") or "")
    row["since"] = _time(stamp[1]) if stamp else None
    return row | {"kind": "show", "message": f"{row['unit'] or 'a unit'}: {row['active_state']} ({row['sub_state']})"}


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


parser: Parser = SystemctlShow()
