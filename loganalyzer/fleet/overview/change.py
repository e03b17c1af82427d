"""What changed since an older dataset: causes that rose or fell, and machines that fail now or have recovered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import polars as pl

from loganalyzer.catalogue import load_catalogue
from loganalyzer.fleet.overview.exact import log_p_of_pairs, rejected
from loganalyzer.fleet.overview.machines import Fleet

#: ``new`` and ``gone`` are said of all machines; ``rose`` and ``fell`` of those in both datasets, as others may only
#: have been added or left out; where no machine is in both, of the shares of all.
Direction: TypeAlias = Literal["new", "rose", "same", "fell", "gone"]
#: ``newly-failing``: from no fault found to a cause; ``newly-told``: from "cannot tell" to a cause; ``other-cause``:
#: from one cause to another; ``no-longer-told``: from a cause to "cannot tell", which proves no recovery;
#: ``recovered``: from a cause to no fault found.
MachineChange: TypeAlias = Literal["newly-failing", "newly-told", "other-cause", "no-longer-told", "recovered"]
_DIRECTIONS: Final[tuple[Direction, ...]] = ("new", "rose", "same", "fell", "gone")
_CHANGES: Final[tuple[MachineChange, ...]] = (
    "newly-failing",
    "newly-told",
    "other-cause",
    "no-longer-told",
    "recovered",
)
#: Machines that are named of a change.
MOST_CHANGED: Final = 50


@dataclass(frozen=True, slots=True)
class ChangedCause:
    """How many machines had a cause ``before`` and have it ``after``.

    Of the machines in both datasets, ``gained`` have it now and had it not before, ``lost`` had it and have it no more.
    ``beyond_chance``: these two numbers differ by more than machines that come and go at random give.
    """

    cause: str
    title: str
    change: Direction
    before: int
    after: int
    gained: int
    lost: int
    beyond_chance: bool


@dataclass(frozen=True, slots=True)
class ChangedMachine:
    """A machine in both datasets, its causes (null: none), and the newer report on it."""

    name: str
    before: str | None
    after: str | None
    report: str


@dataclass(frozen=True, slots=True)
class ChangedMachines:
    """All machines with one kind of change; ``named``: the first of them."""

    change: MachineChange
    machines: int
    named: tuple[ChangedMachine, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What changed. ``machines_before``: of the older dataset; ``in_both``: those that both know by the same name.

    ``gone_clusters``: clusters of unexplained errors that only the older dataset has. ``unlike``: what makes the
    datasets hard to compare, in words.
    """

    machines_before: int
    in_both: int
    verdicts_before: tuple[tuple[str, int], ...]
    causes: tuple[ChangedCause, ...]
    machines: tuple[ChangedMachines, ...]
    gone_clusters: int
    unlike: tuple[str, ...]


def change(older: Fleet, newer: Fleet, rate: float) -> Change:
    """What changed from one dataset to the other. ``rate``: of false discoveries among what is called beyond chance."""
    both = (
        older.machines.select("machine", pl.col("cause").alias("before"), pl.col("verdict").alias("verdict_before"))
        .join(newer.machines.select("machine", "cause", "verdict", "report"), on="machine")
        .sort("machine")
    )
    verdicts = Counter(older.machines["verdict"].drop_nulls().sort())
    return Change(
        older.machines.height,
        both.height,
        tuple(verdicts.most_common()),
        _causes(older.machines, newer.machines, both, rate),
        _machines(both),
        len(templates(older) - templates(newer)),
        tuple(_unlike(older.machines, newer.machines, both)),
    )


def templates(fleet: Fleet) -> frozenset[str]:
    """The clusters of unexplained errors of all machines."""
    return frozenset(fleet.rows("unattributed", "template")["template"])


def _causes(older: pl.DataFrame, newer: pl.DataFrame, both: pl.DataFrame, rate: float) -> tuple[ChangedCause, ...]:
    titles = load_catalogue().causes
    before, after = (Counter[str](machines["cause"].drop_nulls()) for machines in (older, newer))
    moved = both.filter(pl.col("before").ne_missing(pl.col("cause")))
    gained, lost = Counter[str](moved["cause"].drop_nulls()), Counter[str](moved["before"].drop_nulls())
    causes = sorted(before.keys() | after.keys())
    pairs = [(gained[cause], lost[cause]) for cause in causes]
    beyond, _ = rejected([log_p_of_pairs(*one) for one in pairs], [log_p_of_pairs(sum(one), 0) for one in pairs], rate)
    found = []
    for place, cause in enumerate(causes):
        rise = gained[cause] - lost[cause]
        if not both.height:  # whole numbers: shares that are equal must not differ by rounding
            rise = after[cause] * older.height - before[cause] * newer.height
        way = _direction(before[cause], after[cause], rise)
        title = titles[cause].title if cause in titles else cause
        is_beyond = any(one.place == place for one in beyond)
        found.append(ChangedCause(cause, title, way, before[cause], after[cause], *pairs[place], is_beyond))
    found.sort(key=lambda one: (_DIRECTIONS.index(one.change), -abs(one.after - one.before), -one.after, one.cause))
    return tuple(found)


def _direction(before: int, after: int, rise: int) -> Direction:
    if not before or not after:
        return "gone" if before else "new"
    return "rose" if rise > 0 else "fell" if rise < 0 else "same"


def _machines(both: pl.DataFrame) -> tuple[ChangedMachines, ...]:
    found: dict[MachineChange, list[ChangedMachine]] = defaultdict(list)
    for name, before, verdict_before, after, verdict, report in both.iter_rows():
        kind = _machine_change(before, verdict_before, after, verdict)
        if kind is not None:
            found[kind].append(ChangedMachine(name, before, after, report))
    return tuple(
        ChangedMachines(kind, len(found[kind]), tuple(found[kind][:MOST_CHANGED])) for kind in _CHANGES if kind in found
    )


def _machine_change(before: str | None, verdict_before: str, after: str | None, verdict: str) -> MachineChange | None:
    if before == after:
        return None
    if before is None:
        return "newly-failing" if verdict_before == "no-fault-found" else "newly-told"
    if after is None:
        return "recovered" if verdict == "no-fault-found" else "no-longer-told"
    return "other-cause"


def _unlike(older: pl.DataFrame, newer: pl.DataFrame, both: pl.DataFrame) -> Iterator[str]:
    if not both.height:
        yield "no machine is in both: names may have been redacted without a key, or other bundles were scanned"
    if set(older["judged_by"]) != set(newer["judged_by"]):
        yield "they were judged by other signatures or with other options: run batch again for the older bundles"
    ends = pl.concat([older.select(pl.col("last").max()), newer.select(pl.col("last").max())])["last"]
    if ends.null_count() == 0 and ends[1] < ends[0]:
        yield "the newer dataset ends before the older one does"
