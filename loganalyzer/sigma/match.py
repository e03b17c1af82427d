"""Runs rules over event frames. A rule that cannot run is named with the reason, and costs the others nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import polars as pl
from msgspec import Struct

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.bind import BindError, as_text, bind, check_regexes, column_of, columns_of, exactly, lower_case
from loganalyzer.sigma.ir import Value, leaves
from loganalyzer.sigma.prefilter import may_fit
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.sigma.taxonomy import Scope, scopes, speaks_of, unmapped

#: Expressions in one pass over a frame: enough to share the work, few enough that a broken one is found fast.
BATCH = 256

#: The column of the rows' numbers in the whole frame; no rule can write it.
_ROW = "\x1frow"


class Match(Struct, frozen=True):
    """A row that fits a rule: ``frame`` is the index of the frame that was given, ``row`` the index of its row.

    The row of an episode fits a correlation.
    """

    rule: Rule | Correlation
    frame: int
    row: int


@dataclass(frozen=True, slots=True, order=True)
class Unable:
    """A rule that could not run, and why, as a user would read it."""

    rule_id: str
    why: str


class Matches(Struct, frozen=True):
    """``matches`` by (frame, row, rule id). Every rule is in one of the rest, each sorted by rule id.

    ``ran``: it ran on at least one frame, wholly. ``no_source``: its log source is known, and no frame of this input
    has it. ``unable``: it means nothing here, or failed on a frame (its matches on other frames are kept).
    """

    matches: tuple[Match, ...]
    ran: tuple[str, ...]
    no_source: tuple[str, ...]
    unable: tuple[Unable, ...]


def match(rules: Sequence[Rule], frames: Sequence[EventFrame]) -> Matches:
    """Runs each rule on the frames that its log source covers."""
    read = {source: _read_by(source, frames) for source in {rule.logsource for rule in rules}}
    tried = [rule for rule in rules if read[rule.logsource]]
    able, failed = _with_sound_regexes(tried)
    found: list[Match] = []
    for index, frame in enumerate(frames):
        hits: list[tuple[Rule, list[int]]] = []
        for scope, group in _by_scope(able, read, index).items():
            for start in range(0, len(group), BATCH):
                hits += _run(group[start : start + BATCH], scope, frame, failed)
        hits.sort(key=lambda hit: hit[0].id)
        found += sorted((Match(rule, index, row) for rule, rows in hits for row in rows), key=attrgetter("row"))
    ran = {rule.id for rule in tried}
    idle = {rule.id: rule for rule in rules if rule.id not in ran}
    inert = {rule_id: why for rule_id, rule in idle.items() if (why := unmapped(rule.logsource)) is not None}
    unable = [Unable(rule_id, why) for rule_id, why in {**failed, **inert}.items()]
    return Matches(
        matches=tuple(found),
        ran=tuple(sorted(ran - failed.keys())),
        no_source=tuple(sorted(idle.keys() - inert.keys())),
        unable=tuple(sorted(unable)),
    )


def _read_by(source: LogSource, frames: Sequence[EventFrame]) -> Mapping[int, list[Scope]]:
    """The frames that a rule of this log source reads, by index, and what of them."""
    found: dict[int, list[Scope]] = defaultdict(list)
    for scope in scopes(source):
        for index, frame in enumerate(frames):
            if speaks_of(scope.source, frame.logsource):
                found[index].append(scope if scope.event_ids is not None else Scope(frame.logsource))
    return found


def _by_scope(
    rules: Iterable[Rule], read: Mapping[LogSource, Mapping[int, list[Scope]]], index: int
) -> Mapping[Scope, list[Rule]]:
    """The rules that read a frame, by what they read of it."""
    groups: dict[Scope, list[Rule]] = defaultdict(list)
    for rule in rules:
        for scope in read[rule.logsource].get(index, ()):
            groups[scope].append(rule)
    return groups


def _with_sound_regexes(rules: Iterable[Rule]) -> tuple[list[Rule], dict[str, str]]:
    """The rules whose regexes Rust takes, and why it refuses the others. Looked at once, not for each frame."""
    able: list[Rule] = []
    refused: dict[str, str] = {}
    regexes = {rule.id: _regexes(rule) for rule in rules}
    all_sound = _are_sound(dict.fromkeys(regex for own in regexes.values() for regex in own))
    for rule in rules:
        try:
            if not all_sound:
                check_regexes(regexes[rule.id])
            able.append(rule)
        except BindError as error:
            refused[rule.id] = str(error)
    return able, refused


def _regexes(rule: Rule) -> list[Value]:
    return [value for leaf in leaves(rule.condition) if leaf.op == "re" for value in leaf.values]


def _are_sound(patterns: Iterable[Value]) -> bool:
    try:
        pl.select(pl.lit("").str.contains(str(pattern)).alias(str(number)) for number, pattern in enumerate(patterns))
    except pl.exceptions.ComputeError:
        return False
    return True


def _run(
    rules: Sequence[Rule], scope: Scope, frame: EventFrame, failed: dict[str, str]
) -> list[tuple[Rule, list[int]]]:
    """The rows that each rule fits; ``failed`` learns the rules that could not run, each with its first reason.

    Only rules that some row may fit are bound, and those that compare columns, of which binding tells whether it can.
    """
    rows, schema = _rows_of(scope, frame)
    held = rows.select(_ROW, *map(exactly, columns_of([rule.condition for rule in rules], schema))).collect()
    fitting = may_fit([rule.condition for rule in rules], held)
    chosen = [rule for rule, fits in zip(rules, fitting, strict=True) if fits or _compares(rule)]
    lower = lower_case([rule.condition for rule in chosen], schema)
    bound = _bind(chosen, {**schema, **dict.fromkeys(lower, pl.String())}, failed)
    return _evaluate(bound, held.lazy().with_columns(**lower), failed)


def _compares(rule: Rule) -> bool:
    return any(leaf.op.startswith("fieldref") for leaf in leaves(rule.condition))


def _bind(
    rules: Iterable[Rule], schema: Mapping[str, pl.DataType], failed: dict[str, str]
) -> list[tuple[Rule, pl.Expr]]:
    bound = []
    for rule in rules:
        try:
            bound.append((rule, bind(rule.condition, schema)))
        except BindError as error:
            failed.setdefault(rule.id, str(error))
    return bound


def _rows_of(scope: Scope, frame: EventFrame) -> tuple[pl.LazyFrame, Mapping[str, pl.DataType]]:
    """The rows of a scope with their numbers, in its words; and the columns that rules see of them."""
    schema = frame.rows.schema
    rows = frame.rows.lazy().with_columns(pl.int_range(pl.len()).alias(_ROW))
    if scope.event_ids is not None:
        rows = rows.filter(_is_any_of(scope.event_ids, schema))
    words = _in_words_of(scope, schema)
    return rows.with_columns(**words), {**schema, **dict.fromkeys(words, pl.String())}


def _evaluate(
    bound: Sequence[tuple[Rule, pl.Expr]], rows: pl.LazyFrame, failed: dict[str, str]
) -> list[tuple[Rule, list[int]]]:
    """All in one pass; if that fails each half alone, for one broken rule fails all that run with it."""
    if not bound:
        return []
    try:
        numbers, *masks = _select(rows, [expression for _, expression in bound])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if len(bound) == 1:
            failed.setdefault(bound[0][0].id, f"polars refuses it: {str(error).splitlines()[0]}")
            return []
        half = len(bound) // 2
        return [*_evaluate(bound[:half], rows, failed), *_evaluate(bound[half:], rows, failed)]
    return [(rule, numbers.filter(mask).to_list()) for (rule, _), mask in zip(bound, masks, strict=True) if mask.any()]


def _select(rows: pl.LazyFrame, expressions: Sequence[pl.Expr]) -> list[pl.Series]:
    """The rows' numbers, and one boolean series an expression; the numbers keep a literal from being one row."""
    named = [expression.alias(str(index)) for index, expression in enumerate(expressions)]
    return rows.select(_ROW, *named).collect().get_columns()


def _in_words_of(scope: Scope, schema: Mapping[str, pl.DataType]) -> Mapping[str, pl.Expr]:
    """Fills the fields that a scope names from the columns that mean the same, where the event has none itself."""
    filled = {}
    for name, other in scope.fields.items():
        known = [one for one in (name, other) if one in schema]
        if other in known and not any(schema[one].is_nested() for one in known):  # a list has no one text
            own = [pl.col(name).cast(pl.String)] if name in schema else []
            filled[name] = pl.coalesce(*own, pl.col(other).cast(pl.String))
    return filled


def _is_any_of(event_ids: Iterable[int], schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Whether a row is of one of the event ids."""
    for name in ("EventID", "event.code"):
        column = column_of(name, schema)
        text = None if column is None else as_text(pl.col(column), schema[column])
        if text is not None:
            return text.is_in([str(event_id) for event_id in event_ids]).fill_null(False)
    return pl.lit(False)
