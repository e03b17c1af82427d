"""Years of stamps that have none, from the other logs of the bundle.

RFC 3164 and ``journalctl -o short`` write no year. Where nothing in the log itself tells it, the logs with dates do:
the one year in which it meets them is its year. Of several, or of none, nobody can tell; the time stays unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import polars as pl
from msgspec import Struct

from loganalyzer.clock import FARTHEST
from loganalyzer.facts.rotation import part_of
from loganalyzer.parser_syslog import with_turns, yearless_stamps
from loganalyzer.schema import TIMESTAMP, EventFrame, LogSource

YEAR_OF_OTHERS = "the year is the one in which this log meets the bundle's other logs"


class _Part(Struct, frozen=True):
    """The stamps without a year of one frame: ``place`` (row), ``month_day``, ``clock``, ``leap``, ``turns``."""

    file: int
    frame: int
    stamps: pl.DataFrame


def with_years(
    files: Sequence[tuple[str, tuple[EventFrame, ...]]], time_zone: str | None
) -> list[tuple[EventFrame, ...]]:
    """The frames of each file (by its path), with times where a year could be found for their stamps.

    ``time_zone``: IANA name for stamps without a zone, or None: they are read as UTC, and say so.
    """
    dated = [frame for _, frames in files for frame in frames if _bounds_others(frame.logsource)]
    known = [time for frame in dated for time in (frame.rows["@timestamp"].min(), frame.rows["@timestamp"].max())]
    times = [time for time in known if isinstance(time, datetime)]
    result = [list(frames) for _, frames in files]
    if times:
        for parts in _logs(files):
            year = _year(parts, min(times), max(times))
            if year is not None:
                for part in parts:
                    frame = result[part.file][part.frame]
                    rows = _dated(frame.rows, part.stamps, year, time_zone)
                    result[part.file][part.frame] = EventFrame(frame.logsource, rows)
    return [tuple(frames) for frames in result]


def _bounds_others(logsource: LogSource) -> bool:
    """Logs of the guest; a document may be far older."""
    return logsource.category is None and logsource.product != "azure"


def _logs(files: Sequence[tuple[str, tuple[EventFrame, ...]]]) -> list[list[_Part]]:
    """The stamps of each log, its rotated parts from the oldest on, so that New Years between them count."""
    found: dict[tuple[str, LogSource], list[tuple[tuple[tuple[bool, int, str], str], _Part]]] = defaultdict(list)
    for file, (path, frames) in enumerate(files):
        for number, frame in enumerate(frames):
            stamps = yearless_stamps(frame.rows)
            if stamps.height:
                name = part_of(path)
                found[(name.log, frame.logsource)].append(((name.age, path), _Part(file, number, stamps)))
    logs = []
    for _, own in sorted(found.items(), key=lambda pair: (pair[0][0], str(pair[0][1]))):
        parts = [part for _, part in sorted(own, key=lambda pair: pair[0])]
        whole = with_turns(pl.concat([part.stamps for part in parts]))
        ends = [sum(part.stamps.height for part in parts[:number]) for number in range(len(parts))]
        logs.append(
            [
                _Part(part.file, part.frame, whole.slice(end, part.stamps.height))
                for part, end in zip(parts, ends, strict=True)
            ]
        )
    return logs


def _year(parts: Sequence[_Part], first: datetime, last: datetime) -> int | None:
    """The only year of the log's first stamp for which the log and the time from ``first`` to ``last`` meet."""
    stamps = pl.concat([part.stamps for part in parts]).filter(pl.col("leap").is_not_null()).sort("turns", "leap")
    if stamps.is_empty():
        return None
    turns = stamps["turns"][-1] - stamps["turns"][0]
    fitting = []
    for year in range(first.year - turns - 1, last.year + 2):
        times = _times(stamps, year - stamps["turns"][0]).dt.replace_time_zone("UTC")
        ends = times[0], times[-1]
        if times.null_count() == 0 and ends[0] <= last + FARTHEST and ends[1] >= first - FARTHEST:
            fitting.append(year - stamps["turns"][0])
    return fitting[0] if len(fitting) == 1 else None


def _times(stamps: pl.DataFrame, year: int) -> pl.Series:
    """The wall-clock times of stamps, those before the first New Year being of ``year``; no 29 February: null."""
    text = pl.concat_str(
        (pl.col("turns") + year).cast(pl.String).str.zfill(4), pl.lit("-"), "month_day", pl.lit(" "), "clock"
    )
    return stamps.select(text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).alias("t"))["t"]


def _dated(rows: pl.DataFrame, stamps: pl.DataFrame, year: int, time_zone: str | None) -> pl.DataFrame:
    zone = (
        f"local time, read in the given zone {time_zone}" if time_zone else "local time of an unknown zone, read as UTC"
    )
    wall = _times(stamps, year).dt.replace_time_zone(time_zone or "UTC", ambiguous="earliest", non_existent="null")
    found = stamps.select("place").with_columns(wall.dt.convert_time_zone("UTC").cast(TIMESTAMP).alias("found"))
    joined = rows.with_row_index("place").join(found, on="place", how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce("@timestamp", "found").alias("@timestamp"),
        pl.when(pl.col("found").is_not_null())
        .then(pl.lit(f"{YEAR_OF_OTHERS}; {zone}"))
        .otherwise("time.assumed")
        .alias("time.assumed"),
    ).drop("place", "found")
