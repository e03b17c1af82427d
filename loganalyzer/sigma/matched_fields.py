"""Which fields of an event made a rule match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
from msgspec.structs import replace

from loganalyzer.sigma.bind import bind, column_of
from loganalyzer.sigma.ir import And, Condition, Leaf, Not, Or
from loganalyzer.sigma.rule import Rule
from loganalyzer.sigma.taxonomy import scopes, unsearched
from loganalyzer.sigma.undeclared import in_words_of

#: Numbers of rows in the whole frame; no rule can write it.
_ROW = "\x1frow"


def matched_fields(rule: Rule, rows: pl.DataFrame, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """For each of the rows that the rule matches, the fields (under the rule's names) that speak for it.

    That is every field that a part of the condition asks which is true of the row and stands under no ``not``; of a
    keyword, the columns in which it is found. Values are text, numbers, truth values, lists of them, or None.
    """
    words = {name: other for scope in scopes(rule.logsource) for name, other in scope.fields.items()}
    asked = [one for leaf in dict.fromkeys(_affirmed(rule.condition, True)) for one in _by_column(leaf, rows.columns)]
    fields = dict.fromkeys([*(name for leaf in asked for name in _names(leaf)), *words, *words.values()])
    columns = dict.fromkeys(column for name in fields if (column := column_of(name, rows.columns)) is not None)
    chosen = [rows.get_column(name).gather(list(numbers)) for name in columns]
    part = in_words_of(words, pl.DataFrame([pl.Series(_ROW, numbers, dtype=pl.Int64), *chosen]))
    found: list[dict[str, Any]] = [{} for _ in numbers]
    for leaf, fits in zip(asked, _masks(asked, part), strict=True):
        for name in _names(leaf):
            column = column_of(name, part.columns)
            values = [None] * len(numbers) if column is None else [*map(_plain, part.get_column(column).to_list())]
            for row in fits:
                found[row][name] = values[row]
    return found


def _affirmed(condition: Condition, wanted: bool) -> Iterator[Leaf]:
    """The leaves that speak for a match where they are true."""
    match condition:
        case And(items) | Or(items):
            for item in items:
                yield from _affirmed(item, wanted)
        case Not(item):
            yield from _affirmed(item, not wanted)
        case Leaf() if wanted:
            yield condition


def _by_column(leaf: Leaf, columns: Sequence[str]) -> Iterator[Leaf]:
    if leaf.field is not None:
        yield leaf
    else:
        left_out = unsearched(columns)
        yield from (replace(leaf, field=name) for name in columns if name not in left_out)


def _names(leaf: Leaf) -> tuple[str, ...]:
    """The fields that a leaf compares."""
    others = map(str, leaf.values) if leaf.op.startswith("fieldref") else ()
    return (*((leaf.field,) if leaf.field is not None else ()), *others)


def _masks(asked: Sequence[Leaf], part: pl.DataFrame) -> Iterator[list[int]]:
    """For each leaf the rows of which it is true."""
    bound = [bind(leaf, part.schema).alias(str(index)) for index, leaf in enumerate(asked)]
    masks = part.lazy().select(_ROW, *bound).collect().get_columns()[1:]  # a literal alone would be one row
    yield from (mask.arg_true().to_list() for mask in masks)


def _plain(value: object) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value)
