"""Stamps without a zone: measuring the offset of a clock inside the log itself, so that less has to be assumed.

A log that holds stamps of two clocks, or names the UTC time in a message, shows how far apart they are. Offsets of time
zones are multiples of a quarter of an hour, which tells them from delays.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

QUARTER_MICROSECONDS = 15 * 60 * 1_000_000

#: No zone is farther from UTC (Pacific/Kiritimati is +14:00).
FARTHEST = timedelta(hours=14)


def zone_offset(difference: pl.Expr, tolerance: timedelta) -> pl.Expr:
    """The offset of a zone that ``difference`` (a clock's stamp minus UTC, Duration) shows.

    Null where the difference is more than ``tolerance`` away from a quarter of an hour, or no zone's.
    """
    quarters = (difference.dt.total_microseconds() + QUARTER_MICROSECONDS // 2) // QUARTER_MICROSECONDS
    rounded = (quarters * QUARTER_MICROSECONDS).cast(pl.Duration("us"))
    fits = ((difference - rounded).abs() <= tolerance) & (rounded.abs() <= FARTHEST)
    return pl.when(fits).then(rounded)


def between_neighbours(stamp: pl.Expr, utc: pl.Expr, window: timedelta = timedelta(minutes=5)) -> pl.Expr:
    """The offset of a clock whose line stands, in file order, between two lines of known time that are close together.

    ``stamp`` is null for lines of known time, ``utc`` for the others; null where the neighbours are farther apart than
    ``window`` or the stamp does not fit between them.
    """
    before, after = utc.forward_fill(), utc.backward_fill()
    close = (after >= before) & (after - before <= window)
    offset = zone_offset(stamp - before, window)
    inside = (stamp - offset >= before - timedelta(seconds=10)) & (stamp - offset <= after + timedelta(seconds=10))
    return pl.when(close & inside).then(offset)


def nearest_offset(stamps: pl.Series, measured: pl.DataFrame) -> pl.Series:
    """The offset measured nearest in time to each stamp; null without a stamp or any measurement.

    ``measured`` has the columns ``stamp`` (of the same clock as ``stamps``) and ``offset`` (Duration). The nearest one
    counts, because daylight saving and updates of the writing program change an offset within one file.
    """
    known = measured.drop_nulls().sort("stamp", "offset")
    wanted = pl.DataFrame({"stamp": stamps}).with_row_index()
    found = wanted.drop_nulls("stamp").sort("stamp", "index").join_asof(known, on="stamp", strategy="nearest")
    return wanted.join(found.select("index", "offset"), on="index", how="left").sort("index")["offset"]


def name_offset(offset: pl.Expr) -> pl.Expr:
    """``UTC+05:30`` for an offset (Duration)."""
    minutes = offset.dt.total_minutes()
    two = [part.cast(pl.String).str.zfill(2) for part in (minutes.abs() // 60, minutes.abs() % 60)]
    sign = pl.when(minutes < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
    return pl.concat_str(pl.lit("UTC"), sign, two[0], pl.lit(":"), two[1])
