"""The parser kit for ``key=value`` files: one row a setting, with the line it stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Parsed, Source
from loganalyzer.parser_listing import Rejected, console_lines, listing
from loganalyzer.schema import LogSource

#: ``value`` null: the key is there and unset. ``effective``: this line decides, because the last one of a key wins.
CONFIG_COLUMNS = {"section": pl.String(), "key": pl.String(), "value": pl.String(), "effective": pl.Boolean()}

NEITHER = "neither key=value nor comment"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key with its value; None: named and unset."""

    key: str
    value: str | None


#: Reads one line without its end: a setting, None for a comment or a blank line, or the reason to reject it.
ReadLine = Callable[[str], Setting | str | None]


def read_settings(source: Source, logsource: LogSource, read_line: ReadLine) -> Parsed:
    """Reads a file line by line; comments and blank lines are parsed and make no row."""
    rows: list[dict[str, object]] = []
    rejected: list[Rejected] = []
    lines = console_lines(source.data)
    for line in lines:
        place = {"log.line": line.number, "log.offset": line.offset, "log.length": line.length}
        found = "not text: the line holds NUL characters" if "\x00" in line.text else read_line(line.text)
        if isinstance(found, str):
            rejected.append(Rejected(line, found))
        elif found is not None:
            text = {"event.original": line.text, "message": line.text.strip()}
            rows.append(place | text | {"key": found.key, "value": found.value})
    last = {row["key"]: number for number, row in enumerate(rows)}
    full = [row | {"effective": last[row["key"]] == number} for number, row in enumerate(rows)]
    return listing(source, logsource, lines, full, CONFIG_COLUMNS, rejected)


def unquoted(value: str) -> str:
    """The value without blanks and double quotes around it, as the Linux agent strips them (linux.md 3.9)."""
    return value.strip('" ').strip()
