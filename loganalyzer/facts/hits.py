"""Events that fit a pattern, as small values with their place; and frames built from them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from msgspec import Struct

from loganalyzer.facts.rotation import part_of
from loganalyzer.facts.tables import Pattern
from loganalyzer.schema import DERIVED_COLUMNS, SHARED_COLUMNS, EventFrame, LogSource


class Hit(Struct, frozen=True):
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


class Sightings:
    """Which events of some frames fit which pattern; each pattern is looked for once, however many tables name it.

    Of a long log most events fit the pattern of some series. So what is asked of all of them is asked of columns, and a
    `Hit` is made only of those that are named.
    """

    def __init__(self, frames: Iterable[EventFrame], patterns: Iterable[Pattern] = ()) -> None:
        """``patterns``: those that will be asked for; the events of a log are searched for all of them at once."""
        self.frames = tuple(frames)
        self._found = _searched(self.frames, patterns)

    def find(self, pattern: Pattern) -> list[Hit]:
        """All events that fit, in frame and file order."""
        return [hit for rows in self.rows(pattern) for hit in hits_in(rows, pattern)]

    def rows(self, pattern: Pattern) -> tuple[pl.DataFrame, ...]:
        """All events that fit, frame by frame in file order, with the columns that `hit_of` reads."""
        if (key := _key(pattern)) not in self._found:
            self._found |= _searched(self.frames, [pattern])
        return self._found[key]


def _key(pattern: Pattern) -> Hashable:
    """What the rows of a pattern depend on."""
    where, columns = tuple(pattern.where.items()), tuple(pattern.columns.items())
    return (pattern.logsource, pattern.column, pattern.regex, pattern.unless, where, columns)


def _searched(frames: Sequence[EventFrame], patterns: Iterable[Pattern]) -> dict[Hashable, tuple[pl.DataFrame, ...]]:
    """For each pattern the rows that fit, frame by frame."""
    by_key = {_key(pattern): pattern for pattern in patterns}
    found: dict[Hashable, tuple[pl.DataFrame, ...]] = dict.fromkeys(by_key, ())
    for frame in frames:
        asked = {
            key: pattern
            for key, pattern in by_key.items()
            if pattern.logsource.covers(frame.logsource) and _has_columns(frame.rows, pattern)
        }
        asked = _that_may_fit(frame.rows, asked)
        masks = frame.rows.select(_fits(pattern).alias(str(place)) for place, pattern in enumerate(asked.values()))
        fitting = [
            (key, frame.rows.lazy().filter(mask).select(_taken(frame.rows, pattern)))
            for mask, (key, pattern) in zip(masks.get_columns(), asked.items(), strict=True)
            if mask.any()
        ]
        for (key, _), rows in zip(fitting, pl.collect_all([rows for _, rows in fitting]), strict=True):
            found[key] = (*found[key], rows)
    return found


def _that_may_fit(rows: pl.DataFrame, asked: Mapping[Hashable, Pattern]) -> dict[Hashable, Pattern]:
    """The patterns of which a text stands in their column: one search for all texts costs less than a few patterns."""
    texts: dict[str, set[str]] = defaultdict(set)
    for pattern in asked.values():
        texts[pattern.column].update(pattern.texts)
    standing = {column: _standing_in(rows[column], sought) for column, sought in texts.items()}
    return {
        key: pattern
        for key, pattern in asked.items()
        if not pattern.texts or not standing[pattern.column].isdisjoint(pattern.texts)
    }


def _standing_in(column: pl.Series, sought: Collection[str]) -> frozenset[str]:
    if not sought:
        return frozenset()
    values = column.cast(pl.String).unique().str.to_lowercase().str.replace_all("ſ", "s", literal=True)  # as regexes do
    return frozenset(values.str.extract_many(sorted(sought), overlapping=True).explode().drop_nulls().unique())


def hits_in(rows: pl.DataFrame, pattern: Pattern) -> Iterator[Hit]:
    """The events of rows of `Sightings.rows`; one of them may be several where the pattern looks for ``each``."""
    for row in rows.iter_rows(named=True):
        for groups_of_one in _places(row, pattern):
            yield hit_of(row, {**groups_of_one, **(row["columns"] or {}), **pattern.values})


def value_of(pattern: Pattern, name: str) -> pl.Expr:
    """The value of this name that the events of rows of `Sightings.rows` have, where there is no ``each``."""
    if name in pattern.values:
        return pl.lit(pattern.values[name], dtype=pl.String)
    if name in pattern.columns:
        return pl.col("columns").struct.field(name)
    return pl.col("groups").struct.field(name) if f"(?P<{name}>" in pattern.regex else pl.lit(None, dtype=pl.String)


def find(frames: Sequence[EventFrame], pattern: Pattern) -> list[Hit]:
    """All events that fit, in frame and file order."""
    return Sightings(frames).find(pattern)


def _has_columns(rows: pl.DataFrame, pattern: Pattern) -> bool:
    return pattern.column in rows.columns and all(name in rows.columns for name in pattern.where)


def _fits(pattern: Pattern) -> pl.Expr:
    text = pl.col(pattern.column).cast(pl.String)
    wanted = text.str.contains(pattern.regex)
    if pattern.unless is not None:
        wanted = wanted & ~text.str.contains(pattern.unless)
    for name, texts in pattern.where.items():
        wanted = wanted & pl.col(name).cast(pl.String).str.to_lowercase().is_in(list(texts))
    return wanted.fill_null(False)


def _taken(rows: pl.DataFrame, pattern: Pattern) -> list[pl.Expr | str]:
    """What a hit is made of."""
    text = pl.col(pattern.column).cast(pl.String)
    record_id = pl.col("EventRecordID") if "EventRecordID" in rows.columns else pl.lit(None, dtype=pl.Int64)
    taken_columns = [
        pl.coalesce(
            *(pl.col(one).cast(pl.String) for one in columns if one in rows.columns), pl.lit(None, dtype=pl.String)
        ).alias(name)
        for name, columns in pattern.columns.items()
    ]
    groups = text.str.extract_groups(pattern.regex) if "(?P<" in pattern.regex else pl.lit(None)
    return [
        *SHARED_COLUMNS,
        record_id.alias("record_id"),
        groups.alias("groups"),
        text.alias("text"),
        pl.struct(taken_columns).alias("columns") if taken_columns else pl.lit(None).alias("columns"),
    ]


def hit_of(row: Mapping[str, Any], values: Mapping[str, str | None]) -> Hit:
    """The event of a row of `Sightings.rows`."""
    return Hit(
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
        values,
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
    known = [(hit.time, hit) for hit in hits if hit.time is not None]
    order = in_order({hit.path for _, hit in known})
    known.sort(key=lambda one: (one[0], order[one[1].path], one[1].sequence or 0))
    return [hit for _, hit in known]


def in_order(paths: Iterable[str | None]) -> Mapping[str | None, int]:
    """The places of files in the order of their logs, of a rotated log the older part first."""
    parts = {path: part_of(path or "") for path in paths}
    ordered = sorted(parts, key=lambda path: (parts[path].log, parts[path].age, path or ""))
    return {path: place for place, path in enumerate(ordered)}
