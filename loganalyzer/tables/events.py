"""All events of a bundle in one table, in the order of time."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from loganalyzer.schema import SHARED_COLUMNS, EventFrame
from loganalyzer.source import fits_glob

#: The columns of `merged`: what all log sources share, the log source, and the number of a record of an event log.
EVENT_COLUMNS: Final[Mapping[str, pl.DataType]] = {
    "logsource": pl.String(),
    **SHARED_COLUMNS,
    "EventRecordID": pl.Int64(),
}

#: From the least to the most severe, each with the words that logs have for it (in lower case).
LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "debug": ("debug", "verbose", "trace"),
    "info": ("info", "information", "informational", "notice", "heart"),  # HEART: heartbeats in WaAppAgent.log
    "warning": ("warning", "warn"),
    "error": ("error", "err"),
    "critical": ("critical", "crit", "fatal", "alert", "emerg"),
}
_RANKS: Final = {word: rank for rank, words in enumerate(LEVELS.values()) for word in words}


def merged(frames: Sequence[EventFrame]) -> pl.DataFrame:
    """All events with ``EVENT_COLUMNS``: by time, those without one last; then by file and place in it."""
    parts = [_part(frame) for frame in frames]
    together = pl.concat(parts) if parts else pl.DataFrame(schema=dict(EVENT_COLUMNS))
    order = ("@timestamp", "log.file.path", "event.sequence", "logsource")
    return together.sort(order, nulls_last=[True, False, False, False], maintain_order=True)


def _part(frame: EventFrame) -> pl.DataFrame:
    rows = frame.rows
    numbers = rows.get_column("EventRecordID") if "EventRecordID" in rows.columns else None
    if numbers is None or numbers.dtype != pl.Int64:
        numbers = pl.Series("EventRecordID", [None], dtype=pl.Int64).new_from_index(0, rows.height)
    source = pl.Series("logsource", [str(frame.logsource)]).new_from_index(0, rows.height)
    return pl.DataFrame([source, *(rows.get_column(name) for name in SHARED_COLUMNS), numbers])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for; times are UTC and inside the span. ``sources``: globs of paths, or log sources."""

    since: datetime | None = None
    until: datetime | None = None
    level: str | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The events that were asked for, in order; those without a time, which lie in no span; and what was left out.

    ``unknown_level``: events of the span without a level, or with one that no list of levels has. ``idle``: sources
    that were asked for and fit nothing.
    """

    timed: pl.DataFrame
    untimed: pl.DataFrame
    unknown_level: int
    idle: tuple[str, ...]


def choose(events: pl.DataFrame, wanted: Wanted) -> Chosen:
    """Picks from merged events."""
    pairs = events.select("logsource", "log.file.path").unique(maintain_order=True)
    asked = [[_fits(source, path, glob) for source, path in pairs.iter_rows()] for glob in wanted.sources]
    if asked:
        kept = pairs.filter(pl.Series([any(fits) for fits in zip(*asked, strict=True)], dtype=pl.Boolean))
        events = events.join(kept, on=pairs.columns, how="semi", nulls_equal=True, maintain_order="left")
    time = pl.col("@timestamp")
    if wanted.since is not None:
        events = events.filter(time.is_null() | (time >= wanted.since))
    if wanted.until is not None:
        events = events.filter(time.is_null() | (time <= wanted.until))
    unknown = 0
    if wanted.level is not None:
        rank = pl.col("log.level").str.to_lowercase().str.strip_chars().replace_strict(_RANKS, default=None)
        unknown = events.select(rank.is_null().sum()).item()
        events = events.filter(rank >= list(LEVELS).index(wanted.level))
    idle = tuple(glob for glob, fits in zip(wanted.sources, asked, strict=True) if not any(fits))
    return Chosen(events.filter(time.is_not_null()), events.filter(time.is_null()), unknown, idle)


def _fits(logsource: str, path: str | None, glob: str) -> bool:
    return (path is not None and fits_glob(path, glob)) or _is_of(logsource, glob.lower())


def _is_of(logsource: str, glob: str) -> bool:
    """Whether ``linux/waagent``, ``windows/*``, ``*/*/status``, or one part alone, speaks of this log source."""
    parts, wanted = logsource.lower().split("/"), glob.split("/")
    if len(wanted) == 1:
        return glob != "*" and any(fnmatch.fnmatchcase(part, glob) for part in parts)
    parts += ["*"] * (len(wanted) - len(parts))
    return len(wanted) <= len(parts) and all(map(fnmatch.fnmatchcase, parts, wanted))


def logsource_names(events: pl.DataFrame) -> list[str]:
    """The log sources of merged events, sorted."""
    return events.get_column("logsource").unique().sort().to_list()
