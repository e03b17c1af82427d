"""The row that comes nearest to a rule which no row fits, and the first condition that fails on it.

A condition is told by its leaves, which the engine itself evaluates. Of an `And` every item counts, of an `Or` the
branch that holds most, a `Not` counts where it is true. Leaves that *speak* are those under no `Not` that ask for
something to be there: a row of which only others hold has nothing to do with the rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl
from msgspec import Struct

from loganalyzer.schema import EventFrame
from loganalyzer.sigma.bind import BindError, bind, column_of, columns_of, exactly, lower_case
from loganalyzer.sigma.ir import And, Condition, Leaf, Not, Or, leaves
from loganalyzer.sigma.prefilter import may_fit
from loganalyzer.sigma.rule import Rule
from loganalyzer.sigma.taxonomy import scopes, speaks_of
from loganalyzer.sigma.undeclared import in_words_of

#: Numbers of rows in the whole frame; no rule can write it.
_ROW = "\x1frow"

#: A time span (UTC): of rows that are as near to a rule, the one nearest to it in time is taken.
Around = tuple[datetime, datetime]


class Nearest(Struct, frozen=True):
    """A row that does not fit a rule. ``frame`` and ``row`` as in `Match`, ``rows`` the frame in the rule's words.

    ``condition`` is what was asked: the rule's own, and the events that its log source stands for. ``held`` leaves
    hold, ``speaking`` of them speak; at least ``lacking`` more would have to. ``failed`` is the first part that is
    false, in the order of the rule: a leaf, a `Not`, or an `Or` of which nothing holds.
    """

    rule: Rule
    frame: int
    row: int
    rows: pl.DataFrame
    condition: Condition
    held: int
    speaking: int
    lacking: int
    distance: int | None
    failed: Condition

    @property
    def order(self) -> tuple[int, int, int, bool, int, int, int]:
        """Sorts the nearest first: what holds, then time, then place."""
        late = self.distance is None
        return (-self.held, -self.speaking, self.lacking, late, self.distance or 0, self.frame, self.row)


class View(Struct, frozen=True):
    """What a rule sees of a frame: the rows in its words, and what it asks of them."""

    frame: int
    rows: pl.DataFrame
    condition: Condition


def views(rule: Rule, frames: Sequence[EventFrame]) -> Iterator[View]:
    """The frames that the rule's log source covers; the event ids of a category are a condition like any other."""
    for scope in scopes(rule.logsource):
        for index, frame in enumerate(frames):
            if not speaks_of(scope.source, frame.logsource):
                continue
            if scope.event_ids is None:
                yield View(index, frame.rows, rule.condition)
                continue
            ids = Leaf("EventID", "equals", tuple(sorted(scope.event_ids)))
            if column_of("EventID", frame.rows.columns) is None:
                ids = Leaf("event.code", "equals", ids.values)
            yield View(index, in_words_of(scope.fields, frame.rows), And((ids, rule.condition)))


def nearest(rule: Rule, frames: Sequence[EventFrame], around: Around | None = None) -> Nearest | None:
    """The row that comes nearest; None: of no row anything holds that speaks.

    Raises:
        BindError: the rule asks for something that cannot be run.
    """
    found = [one for view in views(rule, frames) if (one := _nearest_in(rule, view, around)) is not None]
    return min(found, key=lambda one: one.order, default=None)


def almost(
    rules: Sequence[Rule], frames: Sequence[EventFrame], inside: Around, most_rows: int, enough: int
) -> list[Nearest]:
    """For each rule of which all but one leaf hold on a row inside a time span, and ``enough`` that speak, that row.

    Cheap: of the ``most_rows`` last rows of each file those inside are read, and what no text of them can fulfil is
    left out by one search for the texts of all rules. A rule that cannot run is left out.
    """
    by_frame: dict[int, list[tuple[Rule, View]]] = {}
    for rule in rules:
        if len(leaves(rule.condition)) > enough:
            for view in views(rule, frames):
                by_frame.setdefault(view.frame, []).append((rule, view))
    part = Part(inside, most_rows, enough)
    found: dict[str, Nearest] = {}
    for own in by_frame.values():
        for one in _almost_in(own, part):
            known = found.get(one.rule.id)
            found[one.rule.id] = one if known is None else min(known, one, key=lambda each: each.order)
    return sorted(found.values(), key=lambda one: (one.order, one.rule.id))


class Part(Struct, frozen=True):
    """The rows that `almost` looks at, and what must hold of one."""

    inside: Around
    most_rows: int
    enough: int

    def of(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The last rows of the time span, of each file only what stands at its end."""
        place = pl.col("event.sequence")
        late = (place > place.max().over("log.file.path") - self.most_rows).fill_null(True)
        return rows.filter(late, pl.col("@timestamp").is_between(*self.inside)).tail(self.most_rows)


def _almost_in(own: Sequence[tuple[Rule, View]], part: Part) -> Iterator[Nearest]:
    asked = list(dict.fromkeys(leaf for _, view in own for leaf in leaves(view.condition)))
    rows = part.of(own[0][1].rows.lazy()).collect()
    if rows.is_empty():
        return
    able = dict(zip(asked, may_fit(asked, rows), strict=True))
    for rule, view in own:
        best = _Tally.of(view.condition, able, at_best=True)
        if best.lacking > 1 or best.speaking < part.enough:
            continue
        try:
            one = _nearest_in(rule, view, part.inside, part)
        except (BindError, pl.exceptions.PolarsError):
            continue
        if one is not None:
            yield one


def _nearest_in(rule: Rule, view: View, around: Around | None, part: Part | None = None) -> Nearest | None:
    """The nearest row of one frame; with ``part`` only one of it that lacks a single leaf."""
    names = {leaf: str(index) for index, leaf in enumerate(dict.fromkeys(leaves(view.condition)))}
    score = _score(view.condition, {leaf: pl.col(name) for leaf, name in names.items()})
    scored = _masks(view, names, around, part).with_columns(
        held=score.held, speaking=score.speaking, lacking=score.lacking
    )
    wanted = scored.filter(pl.col("lacking") > 0, pl.col("speaking") > 0)
    if part is not None:
        wanted = wanted.filter(pl.col("lacking") == 1, pl.col("speaking") >= part.enough)
    keys = ["held", "speaking", "lacking", "distance", _ROW]
    best = wanted.sort(keys, descending=[True, True, False, False, False], nulls_last=True).head(1).collect()
    for row in best.iter_rows(named=True):
        truth = {leaf: bool(row[name]) for leaf, name in names.items()}
        counts = (row["held"], row["speaking"], row["lacking"], row["distance"])
        failed = first_failed(view.condition, truth)
        return Nearest(rule, view.frame, row[_ROW], view.rows, view.condition, *counts, failed)
    return None


def _masks(view: View, names: Mapping[Leaf, str], around: Around | None, part: Part | None) -> pl.LazyFrame:
    """For each row its number, how far it is from a time (µs; null: unknown), and by name which leaves hold of it."""
    schema = view.rows.schema
    lower = lower_case([view.condition], schema)
    whole = {**schema, **dict.fromkeys(lower, pl.String())}
    bound = [bind(leaf, whole).alias(name) for leaf, name in names.items()]
    wanted = columns_of([view.condition], schema) | {"@timestamp", "event.sequence", "log.file.path"}
    rows = view.rows.lazy().select(pl.int_range(pl.len()).alias(_ROW), *map(exactly, sorted(wanted)))
    rows = rows if part is None else part.of(rows)
    return rows.with_columns(**lower).select(_ROW, _distance(around).alias("distance"), *bound)


def _distance(around: Around | None) -> pl.Expr:
    if around is None:
        return pl.lit(0, dtype=pl.Int64)
    start, end = (round(time.timestamp() * 1_000_000) for time in around)
    time = pl.col("@timestamp").dt.epoch("us")
    return pl.max_horizontal(start - time, time - end, pl.when(time.is_not_null()).then(0))


class _Score(Struct, frozen=True):
    """The `_Tally` of each row, as expressions; and whether the condition holds."""

    true: pl.Expr
    held: pl.Expr
    speaking: pl.Expr
    lacking: pl.Expr


def _score(condition: Condition, masks: Mapping[Leaf, pl.Expr]) -> _Score:
    match condition:
        case And(items):
            parts = [_score(item, masks) for item in items]
            return _Score(
                pl.all_horizontal(part.true for part in parts),
                pl.sum_horizontal(part.held for part in parts),
                pl.sum_horizontal(part.speaking for part in parts),
                pl.sum_horizontal(part.lacking for part in parts),
            )
        case Or(items):
            parts = [_score(item, masks) for item in items]
            return _Score(
                pl.any_horizontal(part.true for part in parts),
                pl.max_horizontal(part.held for part in parts),
                pl.max_horizontal(part.speaking for part in parts),
                pl.min_horizontal(part.lacking for part in parts),
            )
        case Not(item):
            inner = _score(item, masks).true
            return _Score(~inner, (~inner).cast(pl.Int32), pl.lit(0, dtype=pl.Int32), inner.cast(pl.Int32))
        case Leaf():
            true = masks[condition]
            held = true.cast(pl.Int32)
            return _Score(true, held, held if _speaks(condition) else pl.lit(0, dtype=pl.Int32), 1 - held)


def _speaks(leaf: Leaf) -> bool:
    return leaf.op != "missing"


class _Tally(Struct, frozen=True):
    """How many leaves hold, how many of them speak, and how many more would have to hold."""

    held: int
    speaking: int
    lacking: int

    @classmethod
    def of(cls, condition: Condition, truth: Mapping[Leaf, bool], *, at_best: bool = False) -> _Tally:
        """The tally of a row; ``at_best`` the best that one can have, where each leaf may also be false."""
        match condition:
            case And(items):
                parts = [cls.of(item, truth, at_best=at_best) for item in items]
                return cls(
                    sum(part.held for part in parts),
                    sum(part.speaking for part in parts),
                    sum(part.lacking for part in parts),
                )
            case Or(items):
                parts = [cls.of(item, truth, at_best=at_best) for item in items]
                return cls(
                    max(part.held for part in parts),
                    max(part.speaking for part in parts),
                    min(part.lacking for part in parts),
                )
            case Not(item):
                false = at_best or cls.of(item, truth).lacking > 0
                return cls(int(false), 0, int(not false))
            case Leaf():
                held = truth[condition]
                return cls(int(held), int(held and _speaks(condition)), int(not held))


def first_failed(condition: Condition, truth: Mapping[Leaf, bool]) -> Condition:
    """The first part of a false condition that is false itself: of an `Or` in the branch that holds most."""
    match condition:
        case And(items):
            return first_failed(next(item for item in items if _Tally.of(item, truth).lacking), truth)
        case Or(items):
            tallies = [_Tally.of(item, truth) for item in items]
            best = max(range(len(items)), key=lambda index: (tallies[index].speaking, tallies[index].held, -index))
            return first_failed(items[best], truth) if tallies[best].speaking else condition
        case Not() | Leaf():
            return condition


def fields_of(condition: Condition, columns: Collection[str]) -> tuple[str, ...]:
    """The columns that the leaves of a condition ask, each once; a keyword has none."""
    names = (leaf.field for leaf in leaves(condition) if leaf.field is not None)
    return tuple(dict.fromkeys(column for name in names if (column := column_of(name, columns)) is not None))
