"""Coverage: which times a source shows, so that silence in it can be told from silence of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from loganalyzer.facts.rotation import part_of
from loganalyzer.schema import TIMESTAMP, EventFrame, LogSource

#: Two entries further apart than this are shown as a gap of the source.
GAP = timedelta(hours=6)
MOST_GAPS = 20

#: A log whose heart beats is not whole where this many beats are missing, and at least this long.
MISSING_BEATS = 3
LEAST_HOLE = timedelta(hours=1)

FOR_EVER = datetime.max.replace(tzinfo=UTC)

#: Times of which nothing is known; None: from the beginning, to the end.
Unknown: TypeAlias = tuple[datetime | None, datetime | None]


class Span(Struct, frozen=True):
    """What one source shows of one log source. A state (no times at all) has neither ``first`` nor ``last``.

    ``torn``: it ends within a line.

    Times are UTC. ``whole`` is false where a part of the source could not be read. A rotated log has a span for each of
    its parts, which know of the others: ``begins`` is when the log as a whole does, ``unknown`` are the times of parts
    that are damaged or missing. Of the ``gaps`` the first may lie between this part and the one before it. ``undated``:
    it has stamps, but they do not tell the time of any of its entries.
    """

    path: str
    logsource: LogSource
    events: int
    first: datetime | None
    last: datetime | None
    gaps: tuple[tuple[datetime, datetime], ...]
    whole: bool
    columns: Mapping[str, frozenset[str]]
    begins: datetime | None = None
    unknown: tuple[Unknown, ...] = ()
    undated: bool = False
    torn: bool = False

    @property
    def complete(self) -> bool:
        """Whether all of it was read, and nothing says that its end is missing."""
        return self.whole and not self.torn

    def covers(self, start: datetime, end: datetime) -> bool:
        """Whether the log was being written when the window opened, and nothing of the window is missing.

        A log that begins later does not cover it. The end is no bound, as long as nothing shows that it is missing: a
        live log that has nothing to say is silent, and what was collected ends with the bundle.
        """
        if self.logsource.category is not None:  # a state, or a status document, which speaks of its own time
            return self.whole and (self.logsource.category != "status" or self.last is None or self.last >= start)
        if self.undated:
            return False
        if any(_meet(times, start, end) for times in self.unknown):
            return False
        return self.begins is None or self.begins <= start or (self.begins <= end and self.begins - start < GAP / 12)


def _meet(unknown: Unknown, start: datetime, end: datetime) -> bool:
    since, until = unknown
    if since is not None and until is None:  # a log whose end is not there was written until then
        return since < start
    return (since is None or since <= end) and (until is None or until > start)


#: Columns whose values tell artefacts of one log source apart.
DISTINGUISHING = ("kind", "hive")


def spans(
    frames: Sequence[EventFrame],
    damaged: frozenset[str],
    torn: frozenset[str] = frozenset(),
    rhythms: Mapping[LogSource, timedelta] | None = None,
    ends: Mapping[str, Unknown] | None = None,
) -> tuple[Span, ...]:
    """One span a path and log source, sorted.

    ``damaged``: paths that were not read to their end; ``torn``: that end within a line. ``rhythms``: how far apart the
    beats of a log are that has a heartbeat; where they are missing, nobody knows what else is. ``ends``: for paths
    whose end is missing the times of it.
    """
    found: dict[tuple[str, LogSource], Span] = {}
    for frame in frames:
        known, passed = frame.times(), {one.path: one.count for one in frame.passed}
        for (path,), rows in frame.rows.group_by("log.file.path", maintain_order=True):
            times = known.get(str(path), pl.Series(dtype=TIMESTAMP))
            columns: dict[str, frozenset[str]] = defaultdict(frozenset)
            for name in DISTINGUISHING:
                if name in rows.columns:
                    columns[name] = frozenset(rows[name].drop_nulls().to_list())
            found[(str(path), frame.logsource)] = Span(
                str(path),
                frame.logsource,
                rows.height + passed.get(str(path), 0),
                _moment(times, 0),
                _moment(times, -1),
                tuple(_apart(times, GAP)[:MOST_GAPS]),
                str(path) not in damaged and not frame.borrowed,
                dict(columns),
                undated=times.is_empty() and rows["time.assumed"].null_count() < rows.height,
                torn=str(path) in torn,
            )
    parts: dict[tuple[str, LogSource], list[Span]] = defaultdict(list)
    for span in found.values():
        parts[(part_of(span.path).log, span.logsource)].append(span)
    last = max((one.last for one in found.values() if one.last and one.logsource.product != "azure"), default=None)
    joined = []
    for (_, logsource), own in parts.items():
        rhythm = (rhythms or {}).get(logsource)
        missing = [] if rhythm is None else _holes(_times(frames, logsource), rhythm, last)
        joined += _joined(own, [*missing, *(ends[one.path] for one in own if ends and one.path in ends)])
    return tuple(sorted(joined, key=lambda span: (span.path, span.logsource)))


def _times(frames: Sequence[EventFrame], logsource: LogSource) -> pl.Series:
    """All known times of a log source, in order."""
    found = [times for frame in frames if frame.logsource == logsource for times in frame.times().values()]
    return pl.concat(found).sort() if found else pl.Series(dtype=TIMESTAMP)


def _moment(times: pl.Series, place: int) -> datetime | None:
    return None if times.is_empty() else times[place]


def _apart(times: pl.Series, longest: timedelta) -> list[tuple[datetime, datetime]]:
    """The neighbours among sorted times that are further apart than that."""
    return [(times[place - 1], times[place]) for place in (times.diff() > longest).arg_true()]


def _holes(times: pl.Series, rhythm: timedelta, last: datetime | None) -> list[Unknown]:
    """Where a log with a heartbeat is silent for too long, also before the bundle's end."""
    longest = max(MISSING_BEATS * rhythm, LEAST_HOLE)
    holes: list[Unknown] = [*_apart(times, longest)]
    end = _moment(times, -1)
    if end is not None and last is not None and last - end > longest:
        holes.append((end, last))
    return holes


def _joined(parts: Sequence[Span], holes: Sequence[Unknown] = ()) -> list[Span]:
    """The parts of one log, each with what follows from all of them; in order of the times inside them."""
    timed = sorted((one for one in parts if one.first is not None), key=lambda one: (one.first, one.last, one.path))
    timeless = [one for one in parts if one.first is None]
    begins = timed[0].first if timed else None
    unknown = _unknown(timed) if timed else [] if all(one.whole for one in timeless) else [(None, None)]
    unknown += [*holes, *((one.last, FOR_EVER) for one in timed[-1:] if one.torn)]
    before: datetime | None = None
    told = []
    for one in [*timed, *timeless]:
        gaps = one.gaps
        if before is not None and one.first is not None and one.first - before > GAP:
            gaps = ((before, one.first), *gaps)[:MOST_GAPS]
        before = max(filter(None, (before, one.last)), default=None)
        told.append(replace(one, gaps=gaps, begins=begins, unknown=tuple(unknown)))
    return told


def _unknown(parts: Sequence[Span]) -> list[Unknown]:
    """The times that a rotated log does not show: of damaged parts, and between parts where names skip a number.

    Of dates nobody can tell whether one is missing: there the parts are taken to follow each other.
    """
    if len(parts) == 1 and not parts[0].whole:
        return [(None, None)]
    names = [part_of(one.path) for one in parts]
    unknown: list[Unknown] = []
    for place, (one, name) in enumerate(zip(parts, names, strict=True)):
        following = parts[place + 1].first if place + 1 < len(parts) else None
        if not one.whole:
            unknown.append((one.first, following))
        if following is None:
            if name.kind != "live":
                unknown.append((one.last, None))
        elif name.kind == "numbered" and names[place + 1].kind != "aside" and name.number - names[place + 1].number > 1:
            unknown.append((one.last, following))
    return unknown
