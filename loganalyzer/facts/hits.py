"""Events that fit a pattern, as small values with their place; and frames built from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from loganalyzer.facts.rotation import part_of
from loganalyzer.facts.tables import Pattern
from loganalyzer.schema import DERIVED_COLUMNS, SHARED_COLUMNS, EventFrame, LogSource


@dataclass(frozen=True, slots=True)
class Hit:
    """One event: its time (UTC or None), its place, and the values that the pattern took from it."""

    time: datetime | None
    assumed: str | None
    path: str | None
    line: int | None
    offset: int | None
    length: int | None
    record_id: int | None
    sequence: int | None
    host: str | None
    original: str | None
    message: str | None
    values: Mapping[str, str | None]

    def citation(self) -> dict[str, Any]:
        """The place as a row of ``schema.CITATION``."""
        return {
            "log.file.path": self.path,
            "log.line": self.line,
            "log.offset": self.offset,
            "EventRecordID": self.record_id,
            "@timestamp": self.time,
            "event.original": self.original,
        }

    def row(self) -> dict[str, Any]:
        """The shared columns of a derived row that stands for this event."""
        return {
            "@timestamp": self.time,
            "time.assumed": self.assumed,
            "event.original": self.original,
            "message": self.message,
            "log.file.path": self.path,
            "log.offset": self.offset,
            "log.length": self.length,
            "log.line": self.line,
            "host.name": self.host,
            "EventRecordID": self.record_id,
        }


def find(frames: Sequence[EventFrame], pattern: Pattern) -> list[Hit]:
    """All events that fit, in frame and file order."""
    return [
        hit
        for frame in frames
        if pattern.logsource.covers(frame.logsource) and _has_columns(frame.rows, pattern)
        for hit in _hits(frame.rows, pattern)
    ]


def _has_columns(rows: pl.DataFrame, pattern: Pattern) -> bool:
    return pattern.column in rows.columns and all(name in rows.columns for name in pattern.where)


def _hits(rows: pl.DataFrame, pattern: Pattern) -> Iterable[Hit]:
    text = pl.col(pattern.column).cast(pl.String)
    wanted = text.str.contains(pattern.regex)
    if pattern.unless is not None:
        wanted = wanted & ~text.str.contains(pattern.unless)
    for name, texts in pattern.where.items():
        wanted = wanted & pl.col(name).cast(pl.String).str.to_lowercase().is_in(list(texts))
    record_id = pl.col("EventRecordID") if "EventRecordID" in rows.columns else pl.lit(None, dtype=pl.Int64)
    taken_columns = [
        pl.coalesce(
            *(pl.col(one).cast(pl.String) for one in columns if one in rows.columns), pl.lit(None, dtype=pl.String)
        ).alias(name)
        for name, columns in pattern.columns.items()
    ]
    groups = text.str.extract_groups(pattern.regex) if "(?P<" in pattern.regex else pl.lit(None)
    fitting = rows.filter(wanted.fill_null(False)).select(
        *SHARED_COLUMNS,
        record_id.alias("record_id"),
        groups.alias("groups"),
        text.alias("text"),
        pl.struct(taken_columns).alias("columns") if taken_columns else pl.lit(None).alias("columns"),
    )
    for row in fitting.iter_rows(named=True):
        for groups_of_one in _places(row, pattern):
            yield Hit(
                row["@timestamp"],
                row["time.assumed"],
                row["log.file.path"],
                row["log.line"],
                row["log.offset"],
                row["log.length"],
                row["record_id"],
                row["event.sequence"],
                row["host.name"],
                row["event.original"],
                row["message"],
                {**groups_of_one, **(row["columns"] or {}), **pattern.values},
            )


def _places(row: Mapping[str, Any], pattern: Pattern) -> Iterable[Mapping[str, str | None]]:
    """The values that an event gives: one set of them, or one for every place that ``each`` finds."""
    own = row["groups"] or {}
    if pattern.each is None:
        return (own,)
    return ({**own, **found.groupdict()} for found in re.finditer(pattern.each, row["text"]))


def derived_frame(
    logsource: LogSource, rows: Sequence[Mapping[str, Any]], own: Mapping[str, pl.DataType]
) -> EventFrame:
    """A derived frame: shared columns, ``EventRecordID``, ``DERIVED_COLUMNS`` and the frame's own columns."""
    schema: dict[str, pl.DataType] = {**SHARED_COLUMNS, "EventRecordID": pl.Int64(), **DERIVED_COLUMNS, **own}
    numbered = [{**row, "event.sequence": number} for number, row in enumerate(rows)]
    return EventFrame(logsource, pl.DataFrame(numbered, schema=schema, orient="row"))


def by_time(hits: Iterable[Hit]) -> list[Hit]:
    """Hits of known time, in order of time, then log, then place in it: of a rotated log the older part comes first."""
    known = [(hit.time, part_of(hit.path or ""), hit) for hit in hits if hit.time is not None]
    known.sort(key=lambda one: (one[0], one[1].log, one[1].age, one[2].path or "", one[2].sequence or 0))
    return [hit for _, _, hit in known]
