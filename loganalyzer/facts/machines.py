"""Whether a bundle holds logs of several machines: names of hosts in logs that were written at the same time.

One machine has several names for good reasons: with its domain and without, cut to 15 characters, before and after it
was renamed. So names count as those of two machines only where each is the only name of some log, no log has both, and
entries of the two stand between each other in time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final

import polars as pl

from loganalyzer.schema import EventFrame

#: What each note says in the end.
SEVERAL_MACHINES: Final = "the bundle seems to hold logs of several machines"
#: Entries that a log needs to tell whose it is, and those that must lie within the times of the other machine.
_LEAST: Final = 10
#: Windows cuts a name to so many characters where NetBIOS reads it.
_SHORT: Final = 15
_NO_NAME: Final = re.compile(r"(?:localhost|\(none\)|-|)\Z|\d+\Z")


def other_machines(frames: Sequence[EventFrame]) -> Mapping[str, tuple[str, ...]]:
    """A note for each source that is of another machine than most entries of the bundle; nothing where one may do."""
    names = {name for frame in frames for name in frame.rows["host.name"].drop_nulls().unique()}
    if len({short for name in names if (short := _short_name(name)) is not None}) < 2:
        return {}
    entries = _entries(frames)
    machines = _machines(entries)
    if len(machines) < 2:
        return {}
    most = max(machines, key=lambda name: (machines[name].height, name))
    shown = {short: name for name in sorted(names) if (short := _short_name(name)) is not None}
    return {
        source: (
            f"its entries are of {shown[name]}, and others of {shown[most]} were written at the same time:"
            f" {SEVERAL_MACHINES}",
        )
        for name, rows in machines.items()
        if name != most
        for source in rows["source"].unique()
    }


def _short_name(name: str) -> str | None:
    """What is the same in all forms of a machine's name; None: it is that of no machine."""
    short = name.strip().lower().partition(".")[0][:_SHORT]
    return None if _NO_NAME.match(short) else short


def _entries(frames: Iterable[EventFrame]) -> pl.DataFrame:
    """Source, time and short name of all entries that have them."""
    parts = []
    for frame in frames:
        rows = frame.rows.select(
            pl.col("log.file.path").alias("source"),
            pl.col("@timestamp").alias("time"),
            pl.col("host.name").alias("name"),
        ).drop_nulls()
        shorts = {name: _short_name(name) for name in rows["name"].unique()}
        parts.append(rows.with_columns(pl.col("name").replace_strict(shorts, return_dtype=pl.String)))
    return pl.concat(parts).drop_nulls()


def _machines(entries: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    """The names that are those of different machines, each with the entries of its own logs."""
    by_source = entries.group_by("source").agg(pl.col("name").unique().sort(), pl.len())
    together = {pair for names in by_source["name"] for pair in combinations(names.to_list(), 2)}
    alone = by_source.filter((pl.col("name").list.len() == 1) & (pl.col("len") >= _LEAST))["source"]
    own = entries.filter(pl.col("source").is_in(alone.implode()))
    logs = {str(name): rows for (name,), rows in sorted(own.group_by("name"), key=lambda pair: str(pair[0]))}
    apart = [
        pair for pair in combinations(logs, 2) if pair not in together and _at_one_time(logs[pair[0]], logs[pair[1]])
    ]
    return {name: rows for name, rows in logs.items() if any(name in pair for pair in apart)}


def _at_one_time(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return all(
        rows.filter(pl.col("time").is_between(within["time"].min(), within["time"].max())).height >= _LEAST
        for rows, within in ((one, other), (other, one))
    )
