"""The parser kit for ``key=value`` files: one row a setting, with the line it stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Parsed, Source
from loganalyzer.schema import REJECTED_COLUMNS, EventFrame, LogSource, conform

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


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    offset: int
    length: int
    text: str


def read_settings(source: Source, logsource: LogSource, read_line: ReadLine) -> Parsed:
    """Reads a file line by line; comments and blank lines are parsed and make no row."""
    rows: list[dict[str, object]] = []
    rejected: list[dict[str, object]] = []
    lines = _lines(source.data)
    for line in lines:
        place = {"log.line": line.number, "log.offset": line.offset, "log.length": line.length}
        found = "not text: the line holds NUL characters" if "\x00" in line.text else read_line(line.text)
        if isinstance(found, str):
            rejected.append(place | {"event.original": line.text, "error.message": found})
        elif found is not None:
            text = {"event.original": line.text, "message": line.text.strip()}
            rows.append(place | text | {"key": found.key, "value": found.value})
    rejected_frame = pl.DataFrame(rejected, schema=dict(REJECTED_COLUMNS))
    rejected_bytes = int(rejected_frame["log.length"].sum())
    return Parsed(
        (EventFrame(logsource, _frame(rows)),),
        source.size - rejected_bytes,
        len(lines),
        rejected=rejected_frame,
        rejected_bytes=rejected_bytes,
    )


def unquoted(value: str) -> str:
    """The value without blanks and double quotes around it, as the Linux agent strips them (linux.md 3.9)."""
    return value.strip('" ').strip()


def _frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    place = {"log.line": pl.Int64(), "log.offset": pl.Int64(), "log.length": pl.Int64()}
    text = {"event.original": pl.String(), "message": pl.String()}
    own = {name: dtype for name, dtype in CONFIG_COLUMNS.items() if name != "effective"}
    frame = pl.DataFrame(rows, schema={**place, **text, **own}).with_columns(
        pl.int_range(pl.len()).alias("event.sequence"),
        pl.col("key").is_last_distinct().alias("effective"),
    )
    return conform(frame)


def _lines(data: bytes) -> list[_Line]:
    """Physical lines of a UTF-8 file; bad bytes become U+FFFD, the byte order mark counts to the first line."""
    pieces = [piece + b"\n" for piece in data.split(b"\n")]
    pieces[-1] = pieces[-1].removesuffix(b"\n")
    found, offset = [], 0
    for number, piece in enumerate(filter(None, pieces), start=1):
        text = piece.rstrip(b"\r\n").decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")
        found.append(_Line(number, offset, len(piece), text))
        offset += len(piece)
    return found
