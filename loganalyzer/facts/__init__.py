"""Derived frames: config, fact, gap, extension_operation and attempt rows, made from the events by tables of data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import polars as pl
from msgspec import Struct

from loganalyzer.facts.attempts import Attempt, attempt_frames, attempts
from loganalyzer.facts.clock_facts import clock_frames, zone_is_unknown
from loganalyzer.facts.correlated import Correlating, correlated
from loganalyzer.facts.coverage import Span, Unknown, spans
from loganalyzer.facts.fact_rows import fact_frames, version_number
from loganalyzer.facts.hits import Sightings
from loganalyzer.facts.operations import operation_frames
from loganalyzer.facts.reported_errors import REPORTED_ERROR, reported_error_frames
from loganalyzer.facts.rotation import part_of
from loganalyzer.facts.series import gap_frames, rhythms
from loganalyzer.facts.tables import Tables, load_tables
from loganalyzer.facts.tracebacks import traceback_frames
from loganalyzer.schema import DERIVED_COLUMNS, EventFrame

__all__ = [
    "REPORTED_ERROR",
    "Attempt",
    "Correlating",
    "Derived",
    "Span",
    "Tables",
    "correlated",
    "derive",
    "load_tables",
    "platform_of",
    "version_number",
    "zone_is_unknown",
]


#: A log may be written a little before the status that it goes with.
_LATE = timedelta(seconds=5)

Platform: TypeAlias = Literal["linux", "windows", "unknown"]


class Derived(Struct, frozen=True):
    """What the events of a bundle add up to: the derived frames, and the bounds of all known times (UTC).

    ``watched``: the last time of a source in which a backup command shows when it comes; None: there is no such source.
    """

    frames: tuple[EventFrame, ...]
    attempts: tuple[Attempt, ...]
    spans: tuple[Span, ...]
    platform: Platform
    first: datetime | None
    last: datetime | None
    watched: datetime | None = None


def derive(
    events: Sequence[EventFrame],
    tables: Tables,
    damaged: frozenset[str] = frozenset(),
    torn: frozenset[str] = frozenset(),
) -> Derived:
    """Builds every derived frame.

    ``damaged``: paths of sources that could not be read to their end. ``torn``: of logs that end within a line.
    """
    sightings = Sightings(events, tables.patterns)
    found = attempts(sightings, tables)
    platform = platform_of(events, found)
    frames = [
        *(_as_derived(frame) for frame in events if frame.logsource.category == "config"),
        *fact_frames(sightings, tables.facts),
        *reported_error_frames(events),
        *clock_frames(events),
        *traceback_frames(events, tables.tracebacks),
        *gap_frames(sightings, tables.series, damaged | torn),
        *operation_frames(sightings, tables.operations),
        *attempt_frames(found, platform),
    ]
    ends = _unseen_ends(found, events, tables)
    covered = spans(events, damaged, torn, rhythms(sightings, tables.series), ends)
    # Documents of the platform (a goal state, say) may be far older than the logs and bound nothing beside them.
    logs = [span for span in covered if span.logsource.product != "azure"]
    timed = [span for span in logs if span.first is not None] or covered
    return Derived(
        tuple(frames),
        found,
        covered,
        platform,
        min((span.first for span in timed if span.first is not None), default=None),
        _last(timed),
        _last(span for span in covered if span.complete and span.logsource in tables.watch),
    )


def _unseen_ends(found: Sequence[Attempt], events: Sequence[EventFrame], tables: Tables) -> Mapping[str, Unknown]:
    """For each log that should tell the end of an attempt, and stops before it: the times that it does not show."""
    lasts: dict[str, datetime] = {}
    for frame in events:
        if frame.logsource in tables.ends:
            rows = frame.rows.group_by("log.file.path").agg(pl.col("@timestamp").max()).drop_nulls()
            lasts |= dict(rows.iter_rows())
    unseen: dict[str, Unknown] = {}
    for one in found:
        own = [path for path in one.sources if path in lasts]
        log = {part_of(path).log for path in own}
        last = max((time for path, time in lasts.items() if part_of(path).log in log), default=None)
        if one.told is not None and last is not None and not one.assumed and last < one.told - _LATE:
            unseen |= dict.fromkeys(own, (last, one.told))
    return unseen


def _last(found: Iterable[Span]) -> datetime | None:
    return max((span.last for span in found if span.last is not None), default=None)


def platform_of(frames: Sequence[EventFrame], found: Sequence[Attempt] = ()) -> Platform:
    """``linux`` or ``windows`` by the product that most events speak of, else by a backup attempt; else ``unknown``."""
    linux, windows = (
        sum(frame.height for frame in frames if frame.logsource.product == product) for product in ("linux", "windows")
    )
    if linux == windows == 0:
        named = {attempt.platform for attempt in found}
        return "linux" if named == {"linux"} else "windows" if named == {"windows"} else "unknown"
    return "linux" if linux >= windows else "windows"


def _as_derived(frame: EventFrame) -> EventFrame:
    """A parser's config rows with the columns of derived rows; each cites its own line."""
    rows = frame.rows.with_columns(
        pl.lit(None, dtype=DERIVED_COLUMNS["event.end"]).alias("event.end"),
        pl.lit(None, dtype=pl.Int64()).alias("EventRecordID"),
    )
    cited = pl.concat_list(
        pl.struct("log.file.path", "log.line", "log.offset", "EventRecordID", "@timestamp", "event.original")
    )
    return EventFrame(frame.logsource, rows.with_columns(cited.alias("derived_from")))
