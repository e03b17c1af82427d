"""Gaps: the times in which a series that should go on did not.

Two kinds of row. A *silence* lies between two good events (or the last one and the bundle's end) that are further apart
than the series' period allows. An *outage* begins with the first bad event after a good one and ends with the next
good one, or with the log. Both cite what bounds them, so that absence is proved and not noticed.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from loganalyzer.facts.hits import Hit, by_time, derived_frame, find
from loganalyzer.facts.rotation import part_of
from loganalyzer.facts.tables import Pattern, SeriesRow
from loganalyzer.schema import EventFrame, LogSource

#: ``seconds`` is the length. ``closed_by`` is ``next`` (it went on), ``bundle_end``, or ``cut`` (the source could not
#: be read any further, so nothing is known of what follows). ``count`` counts the bad events in it; ``recovered`` is
#: ``true`` or ``false``. ``witnessed_seconds`` is how long after its start other logs of the bundle still have entries
#: inside it, so that a machine that was off is told from an agent that was.
GAP_COLUMNS = {
    "series": pl.String(),
    "kind": pl.String(),
    "seconds": pl.Int64(),
    "closed_by": pl.String(),
    "count": pl.Int64(),
    "recovered": pl.String(),
    "witnessed_seconds": pl.Int64(),
}

#: A good event may be late by half its period before silence is a gap.
_TOLERANCE = 1.5

#: A log with fewer beats than this has no rhythm that could be missed.
_LEAST_BEATS = 3
#: Entries of a log that has them of all levels: one of them is of level INFO.
_MANY = 20


def rhythms(frames: Sequence[EventFrame], rows: Sequence[SeriesRow]) -> Mapping[LogSource, timedelta]:
    """How far apart the beats of those logs are that have a heartbeat here, which old agents do not write."""
    found: dict[LogSource, timedelta] = {}
    for row in rows:
        own = row.period is not None and all(one.logsource == row.logsource for one in row.good)
        if row.period is not None and own and sum(len(find(frames, one)) for one in row.good) >= _LEAST_BEATS:
            found[row.logsource] = timedelta(seconds=row.period)
    return found


def gap_frames(
    frames: Sequence[EventFrame], table: Sequence[SeriesRow], damaged: frozenset[str] = frozenset()
) -> list[EventFrame]:
    """One frame a log source (``category: gap``), rows by time. ``damaged``: sources not read to their end.

    Borrowed events have no silences, for nothing tells what else was written; and if the logs that lent them keep none
    of level INFO, the end of an outage may be among those that they did not keep.
    """
    rows: dict[LogSource, list[dict[str, Any]]] = defaultdict(list)
    times = _times_by_log(frames)
    cut = _cut_logs(frames, damaged)
    borrowed = [frame for frame in frames if frame.borrowed]
    sifted = {frame.logsource for frame in borrowed if _is_sifted(frame.rows)}
    for entry in table:
        unseen = frozenset(times) if entry.logsource in sifted else cut
        source = LogSource(entry.logsource.product, entry.logsource.service, "gap")
        good, bad = _found(frames, entry.good), _found(frames, entry.bad)
        rows[source].extend(_outages(entry, by_time(good), by_time(bad), times, unseen))
        rows[source].extend(_outages_by_place(entry, good, bad, times))
        if all(frame.logsource != entry.logsource for frame in borrowed):
            rows[source].extend(_silences(entry, by_time(good), times, cut))
    return [derived_frame(source, own, GAP_COLUMNS) for source, own in sorted(rows.items()) if own]


def _is_sifted(rows: pl.DataFrame) -> bool:
    """Whether so many entries, and none of level INFO, show that the log keeps no such entries."""
    return rows.height >= _MANY and "INFO" not in rows["log.level"]


def _found(frames: Sequence[EventFrame], patterns: Sequence[Pattern]) -> list[Hit]:
    """The events that fit any of the patterns, each once."""
    return list({(hit.path, hit.sequence): hit for pattern in patterns for hit in find(frames, pattern)}.values())


def _times_by_log(frames: Sequence[EventFrame]) -> dict[str, list[datetime]]:
    """The known times of each log with all its rotated parts, sorted.

    Documents of the platform carry other times than that of their writing.
    """
    times: dict[str, list[datetime]] = defaultdict(list)
    for frame in frames:
        if frame.logsource.product == "azure":
            continue
        known = frame.rows.select("log.file.path", "@timestamp").drop_nulls()
        for (path,), rows in known.group_by("log.file.path", maintain_order=True):
            times[part_of(str(path)).log].extend(rows["@timestamp"].to_list())
    return {log: sorted(known) for log, known in times.items()}


def _cut_logs(frames: Sequence[EventFrame], damaged: frozenset[str]) -> frozenset[str]:
    """The logs whose newest part could not be read to its end; what was put aside before it does not matter."""
    newest: dict[str, tuple[datetime, str]] = {}
    for frame in frames if damaged else ():
        last = frame.rows.select("log.file.path", "@timestamp").drop_nulls().group_by("log.file.path").max()
        for path, time in last.iter_rows():
            log = part_of(path).log
            newest[log] = max(newest.get(log, (time, path)), (time, path))
    return frozenset(log for log, (_, path) in newest.items() if path in damaged)


def _log(hit: Hit) -> str:
    return part_of(hit.path or "").log


def _outages(
    entry: SeriesRow,
    good: Sequence[Hit],
    bad: Sequence[Hit],
    times: dict[str, list[datetime]],
    cut: frozenset[str],
) -> list[dict[str, Any]]:
    rows, opened = [], list[Hit]()
    marked = sorted([(hit.time, 0, hit) for hit in bad] + [(hit.time, 1, hit) for hit in good], key=lambda one: one[:2])
    for _, is_good, hit in marked:
        if not is_good:
            if opened and _apart(entry, opened[-1], hit):
                rows.append(
                    _gap(entry, "outage", opened[0], opened[-1], opened[-1].time, "unknown", len(opened), times)
                )
                opened = []
            opened.append(hit)
        elif opened:
            rows.append(_gap(entry, "outage", opened[0], hit, hit.time, "next", len(opened), times))
            opened = []
    if opened:
        end = max(times.get(_log(opened[-1]), []), default=opened[-1].time)
        closed_by = "cut" if _log(opened[-1]) in cut else "bundle_end"
        rows.append(_gap(entry, "outage", opened[0], opened[-1], end, closed_by, len(opened), times))
    return rows


def _apart(entry: SeriesRow, before: Hit, after: Hit) -> bool:
    """Whether so long passed between two failures that nobody knows what was between them."""
    if entry.apart is None or before.time is None or after.time is None:
        return False
    return after.time - before.time > timedelta(seconds=entry.apart)


def _outages_by_place(
    entry: SeriesRow, good: Sequence[Hit], bad: Sequence[Hit], times: dict[str, list[datetime]]
) -> list[dict[str, Any]]:
    """The outage that is open at the end of an excerpt which lost its times: only what stands where in it is known.

    Closed ones are left out, for nobody knows when they were.
    """
    rows = []
    for path in sorted({hit.path or "" for hit in bad if hit.time is None and _log(hit) not in times}):
        last = max((hit.sequence or 0 for hit in good if (hit.path or "") == path), default=-1)
        opened = [hit for hit in bad if (hit.path or "") == path and (hit.sequence or 0) > last]
        if opened:
            opened.sort(key=lambda hit: hit.sequence or 0)
            rows.append(_gap(entry, "outage", opened[0], opened[-1], None, "bundle_end", len(opened), times))
    return rows


def _silences(
    entry: SeriesRow, good: Sequence[Hit], times: dict[str, list[datetime]], cut: frozenset[str]
) -> list[dict[str, Any]]:
    if entry.period is None or not good:
        return []
    due = timedelta(seconds=entry.period * _TOLERANCE)
    rows = [
        _gap(entry, "silence", before, after, after.time, "next", 0, times)
        for before, after in itertools.pairwise(good)
        if before.time is not None and after.time is not None and after.time - before.time > due
    ]
    last = good[-1]
    bundle_end = max((known[-1] for known in times.values() if known), default=last.time)
    if last.time is not None and bundle_end is not None and bundle_end - last.time > due:
        closed_by = "cut" if _log(last) in cut else "bundle_end"
        rows.append(_gap(entry, "silence", last, last, bundle_end, closed_by, 0, times))
    return rows


def _gap(
    entry: SeriesRow,
    kind: str,
    start: Hit,
    bound: Hit,
    end: datetime | None,
    closed_by: str,
    count: int,
    times: dict[str, list[datetime]],
) -> dict[str, Any]:
    seconds = int((end - start.time).total_seconds()) if end is not None and start.time is not None else 0
    cited = [start.citation()] if bound is start else [start.citation(), bound.citation()]
    return {
        **start.row(),
        "event.end": None if closed_by == "bundle_end" else end,  # an open gap goes on
        "derived_from": cited,
        "series": entry.series,
        "kind": kind,
        "seconds": seconds,
        "closed_by": closed_by,
        "count": count,
        "recovered": "true" if closed_by == "next" else "false",
        "witnessed_seconds": _witnessed(start, end, times),
    }


def _witnessed(start: Hit, end: datetime | None, times: dict[str, list[datetime]]) -> int:
    if start.time is None or end is None:
        return 0
    last, own = start.time, _log(start)
    for log, known in times.items():
        if log != own and (place := bisect_right(known, end)):
            last = max(last, known[place - 1])
    return int((last - start.time).total_seconds())
