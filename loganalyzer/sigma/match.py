"""Runs rules over event frames. A rule that cannot run is named with the reason, and costs the others nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.schema import EventFrame
from loganalyzer.sigma.bind import BindError, as_text, bind, column_of, with_lower_case
from loganalyzer.sigma.rule import Rule
from loganalyzer.sigma.taxonomy import Scope, scopes, speaks_of, unmapped

#: Expressions in one pass over a frame: enough to share the work, few enough that a broken one is found fast.
BATCH = 64


@dataclass(frozen=True, slots=True)
class Match:
    """A row that fits a rule: ``frame`` is the index of the frame that was given, ``row`` the index of its row."""

    rule: Rule
    frame: int
    row: int


@dataclass(frozen=True, slots=True, order=True)
class Unable:
    """A rule that could not run, and why, as a user would read it."""

    rule_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Matches:
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
    found: list[Match] = []
    failed: dict[str, str] = {}
    tried: set[str] = set()
    for index, frame in enumerate(frames):
        for scope, group in _rules_by_scope(rules, frame).items():
            tried.update(rule.id for rule in group)
            for start in range(0, len(group), BATCH):
                hits, faults = _run(group[start : start + BATCH], scope, frame)
                found += [Match(rule, index, row) for rule, rows in hits for row in rows]
                failed = {**faults, **failed}
    idle = {rule.id: rule for rule in rules if rule.id not in tried}
    inert = {rule_id: why for rule_id, rule in idle.items() if (why := unmapped(rule.logsource)) is not None}
    unable = [Unable(rule_id, why) for rule_id, why in {**failed, **inert}.items()]
    return Matches(
        matches=tuple(sorted(found, key=lambda match: (match.frame, match.row, match.rule.id))),
        ran=tuple(sorted(tried - failed.keys())),
        no_source=tuple(sorted(idle.keys() - inert.keys())),
        unable=tuple(sorted(unable)),
    )


def _rules_by_scope(rules: Iterable[Rule], frame: EventFrame) -> Mapping[Scope, list[Rule]]:
    groups: dict[Scope, list[Rule]] = {}
    whole = Scope(frame.logsource)
    for rule in rules:
        for scope in scopes(rule.logsource):
            if speaks_of(scope.source, frame.logsource):
                narrow = scope.event_ids is not None
                groups.setdefault(scope if narrow else whole, []).append(rule)
    return groups


def _run(rules: Sequence[Rule], scope: Scope, frame: EventFrame) -> tuple[list[tuple[Rule, list[int]]], dict[str, str]]:
    """The rows that each rule fits, and the rules that failed with the reason."""
    rows = with_lower_case(_in_words_of(scope, frame.rows), [rule.condition for rule in rules])
    within = _within(scope, rows.schema)
    faults: dict[str, str] = {}
    bound: list[tuple[Rule, pl.Expr]] = []
    for rule in rules:
        try:
            bound.append((rule, bind(rule.condition, rows.schema) & within))
        except BindError as error:
            faults[rule.id] = str(error)
    masks = _evaluate(bound, rows, faults)
    return [(rule, mask.arg_true().to_list()) for rule, mask in masks], faults


def _evaluate(
    bound: Sequence[tuple[Rule, pl.Expr]], rows: pl.DataFrame, faults: dict[str, str]
) -> list[tuple[Rule, pl.Series]]:
    """All in one pass; if that fails each rule alone, for one broken rule fails all that run with it."""
    if not bound:
        return []
    try:
        masks = _select(rows, [expression for _, expression in bound])
        return [(rule, mask) for (rule, _), mask in zip(bound, masks, strict=True)]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if len(bound) == 1:
            faults[bound[0][0].id] = f"polars refuses it: {str(error).splitlines()[0]}"
            return []
    return [masked for pair in bound for masked in _evaluate([pair], rows, faults)]


def _select(rows: pl.DataFrame, expressions: Sequence[pl.Expr]) -> list[pl.Series]:
    """One boolean series an expression, each as long as the frame: a row number keeps literals from being one row."""
    named = [expression.alias(str(index)) for index, expression in enumerate(expressions)]
    masks = rows.lazy().select(pl.int_range(pl.len()).alias("row"), *named).collect()
    return masks.get_columns()[1:]


def _in_words_of(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """Fills the fields that a scope names from the columns that mean the same, where the event has none itself."""
    filled = []
    for name, other in scope.fields.items():
        if other in rows.columns:
            own = [pl.col(name).cast(pl.String)] if name in rows.columns else []
            filled.append(pl.coalesce(*own, pl.col(other).cast(pl.String)).alias(name))
    return rows.with_columns(filled)


def _within(scope: Scope, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Whether a row is of the event ids of the scope."""
    if scope.event_ids is None:
        return pl.lit(True)
    for name in ("EventID", "event.code"):
        column = column_of(name, schema)
        text = None if column is None else as_text(pl.col(column), schema[column])
        if text is not None:
            return text.is_in([str(event_id) for event_id in scope.event_ids]).fill_null(False)
    return pl.lit(False)
