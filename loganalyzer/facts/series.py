"""Gaps: the times in which a series that should go on did not.

Two kinds of row. A *silence* lies between two good events (or the last one and the bundle's end) that are further apart
than the series' period allows. An *outage* begins with the first bad event after a good one and ends with the next
good one, or with the log. Both cite what bounds them, so that absence is proved and not noticed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from loganalyzer.facts.hits import Hit, Sightings, derived_frame, hit_of, in_order
from loganalyzer.facts.rotation import part_of
from loganalyzer.facts.tables import Pattern, SeriesRow
from loganalyzer.schema import SHARED_COLUMNS, EventFrame, LogSource

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


def rhythms(events: Sightings, table: Sequence[SeriesRow]) -> Mapping[LogSource, timedelta]:
    """How far apart the beats of those logs are that have a heartbeat here, which old agents do not write."""
    found: dict[LogSource, timedelta] = {}
    for entry in table:
        own = entry.period is not None and all(one.logsource == entry.logsource for one in entry.good)
        beats = sum(rows.height for one in entry.good for rows in events.rows(one)) if own else 0
        if entry.period is not None and beats >= _LEAST_BEATS:
            found[entry.logsource] = timedelta(seconds=entry.period)
    return found


def gap_frames(
    events: Sightings, table: Sequence[SeriesRow], damaged: frozenset[str] = frozenset()
) -> list[EventFrame]:
    """One frame a log source (``category: gap``), rows by time. ``damaged``: sources not read to their end.

    Borrowed events have no silences, for nothing tells what else was written; and if the logs that lent them keep none
    of level INFO, the end of an outage may be among those that they did not keep.
    """
    rows: dict[LogSource, list[dict[str, Any]]] = defaultdict(list)
    times = _times_by_log(events.frames)
    cut = _cut_logs(events.frames, damaged)
    borrowed = [frame for frame in events.frames if frame.borrowed]
    sifted = {frame.logsource for frame in borrowed if _is_sifted(frame.rows)}
    for entry in table:
        unseen = frozenset(times) if entry.logsource in sifted else cut
        source = LogSource(entry.logsource.product, entry.logsource.service, "gap")
        good, bad = _found(events, entry.good), _found(events, entry.bad)
        if good is None and bad is None:
            continue
        good_in_time = _in_time(good)
        rows[source].extend(_outages(entry, good_in_time, _in_time(bad), times, unseen))
        rows[source].extend(_outages_by_place(entry, good, bad, times))
        if all(frame.logsource != entry.logsource for frame in borrowed):
            rows[source].extend(_silences(entry, good_in_time, times, cut))
    return [derived_frame(source, own, GAP_COLUMNS) for source, own in sorted(rows.items()) if own]


def _is_sifted(rows: pl.DataFrame) -> bool:
    """Whether so many entries, and none of level INFO, show that the log keeps no such entries."""
    return rows.height >= _MANY and "INFO" not in rows["log.level"]


def _found(events: Sightings, patterns: Sequence[Pattern]) -> pl.DataFrame | None:
    """The events that fit any of the patterns, each once; None: there are none."""
    parts = [rows.select(_PLACED) for pattern in patterns for rows in events.rows(pattern)]
    if len(parts) < 2:  # one pattern finds an event once
        return parts[0] if parts else None
    return pl.concat(parts).unique(["log.file.path", "event.sequence"], maintain_order=True)


_PLACED = [*SHARED_COLUMNS, "record_id"]


def _in_time(rows: pl.DataFrame | None) -> pl.DataFrame | None:
    """Events of known time, in order of time, then log, then place in it; None: there are none."""
    if rows is None or (known := rows.filter(rows["@timestamp"].is_not_null())).is_empty():
        return None
    paths = known["log.file.path"].unique()
    places = [pl.col("log.file.path").replace_strict(in_order(paths), return_dtype=pl.Int64)] if len(paths) > 1 else []
    return known.sort("@timestamp", *places, pl.col("event.sequence").fill_null(0), maintain_order=True)


def _hit(rows: pl.DataFrame, place: int) -> Hit:
    return hit_of(rows.row(place, named=True), {})


def _times_by_log(frames: Sequence[EventFrame]) -> Mapping[str, pl.Series]:
    """The known times of each log with all its rotated parts, sorted.

    Documents of the platform carry other times than that of their writing.
    """
    times: dict[str, list[pl.Series]] = defaultdict(list)
    for frame in frames:
        if frame.logsource.product == "azure":
            continue
        for path, known in frame.times().items():
            times[part_of(path).log].append(known)
    return {log: pl.concat(parts).sort() for log, parts in times.items()}


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
    good: pl.DataFrame | None,
    bad: pl.DataFrame | None,
    times: Mapping[str, pl.Series],
    cut: frozenset[str],
) -> Iterator[dict[str, Any]]:
    """Each run of failures up to the next event that shows the thing going well, which may be of the same moment."""
    if bad is None:
        return
    ends = pl.Series([0] * bad.height) if good is None else good["@timestamp"].search_sorted(bad["@timestamp"])
    apart = pl.Series([False] * bad.height)
    if entry.apart is not None:  # so long after the failure before that nobody knows what was between them
        apart = (bad["@timestamp"].diff() > timedelta(seconds=entry.apart)).fill_null(False)
    runs = (
        bad.select(
            pl.int_range(pl.len()).alias("place"), ends.alias("ends"), apart.cast(pl.Int64).cum_sum().alias("apart")
        )
        .group_by("ends", "apart", maintain_order=True)
        .agg(pl.col("place").first().alias("first"), pl.col("place").last().alias("last"))
    )
    for number, (end, _, first, last) in enumerate(runs.iter_rows()):
        opened, latest, count = _hit(bad, first), _hit(bad, last), last - first + 1
        if number + 1 < runs.height and runs["ends"][number + 1] == end:
            yield _gap(entry, "outage", opened, latest, latest.time, "unknown", count, times)
        elif good is not None and end < good.height:
            over = _hit(good, end)
            yield _gap(entry, "outage", opened, over, over.time, "next", count, times)
        else:
            known = times.get(_log(latest))
            told = latest.time if known is None else known[-1]
            closed_by = "cut" if _log(latest) in cut else "bundle_end"
            yield _gap(entry, "outage", opened, latest, told, closed_by, count, times)


def _outages_by_place(
    entry: SeriesRow, good: pl.DataFrame | None, bad: pl.DataFrame | None, times: Mapping[str, pl.Series]
) -> Iterator[dict[str, Any]]:
    """The outage that is open at the end of an excerpt which lost its times: only what stands where in it is known.

    Closed ones are left out, for nobody knows when they were.
    """
    if bad is None:
        return
    timeless = bad.filter(pl.col("@timestamp").is_null())["log.file.path"].unique().sort()
    place = pl.col("event.sequence").fill_null(0)
    for path in timeless:
        if part_of(path or "").log in times:
            continue
        in_file = pl.col("log.file.path").eq_missing(pl.lit(path, dtype=pl.String))
        last = -1 if good is None else good.filter(in_file).select(place.max()).item()
        opened = bad.filter(in_file & (place > (-1 if last is None else last))).sort(place, maintain_order=True)
        if opened.height:
            first, latest = _hit(opened, 0), _hit(opened, opened.height - 1)
            yield _gap(entry, "outage", first, latest, None, "bundle_end", opened.height, times)


def _silences(
    entry: SeriesRow, good: pl.DataFrame | None, times: Mapping[str, pl.Series], cut: frozenset[str]
) -> Iterator[dict[str, Any]]:
    if entry.period is None or good is None:
        return
    due = timedelta(seconds=entry.period * _TOLERANCE)
    for place in (good["@timestamp"].diff() > due).arg_true():
        before, after = _hit(good, place - 1), _hit(good, place)
        yield _gap(entry, "silence", before, after, after.time, "next", 0, times)
    last = _hit(good, good.height - 1)
    bundle_end = max((known[-1] for known in times.values()), default=last.time)
    if last.time is not None and bundle_end is not None and bundle_end - last.time > due:
        closed_by = "cut" if _log(last) in cut else "bundle_end"
        yield _gap(entry, "silence", last, last, bundle_end, closed_by, 0, times)


def _gap(
    entry: SeriesRow,
    kind: str,
    start: Hit,
    bound: Hit,
    end: datetime | None,
    closed_by: str,
    count: int,
    times: Mapping[str, pl.Series],
) -> dict[str, Any]:
    seconds = int((end - start.time).total_seconds()) if end is not None and start.time is not None else 0
    same = (bound.path, bound.sequence) == (start.path, start.sequence)
    return {
        **start.row(),
        "event.end": None if closed_by == "bundle_end" else end,  # an open gap goes on
        "derived_from": [start.citation()] if same else [start.citation(), bound.citation()],
        "series": entry.series,
        "kind": kind,
        "seconds": seconds,
        "closed_by": closed_by,
        "count": count,
        "recovered": "true" if closed_by == "next" else "false",
        "witnessed_seconds": _witnessed(start, end, times),
    }


def _witnessed(start: Hit, end: datetime | None, times: Mapping[str, pl.Series]) -> int:
    if start.time is None or end is None:
        return 0
    last, own = start.time, _log(start)
    for log, known in times.items():
        if log != own and (place := known.search_sorted(end, side="right")):
            last = max(last, known[place - 1])
    return int((last - start.time).total_seconds())
