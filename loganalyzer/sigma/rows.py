"""Plain values to the rows that rules read, and rows of several files to one frame."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import polars as pl
from polars import selectors

from loganalyzer.schema import DERIVED_COLUMNS, SHARED_COLUMNS, TIMESTAMP, conform
from loganalyzer.sigma.bind import as_text

_INT64 = range(-(2**63), 2**63)
_TEXTS = pl.List(pl.String())


def rows_of(events: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Events as rows with the shared columns; other fields become text, Int64, Float64, Boolean or List columns.

    A column whose values differ in kind becomes text, as a reader of JSON lines would give it; any list makes it a
    list. A time is ISO 8601 text, in UTC if it names no zone; what no shared column can hold is null.
    """
    events = list(events)
    names = dict.fromkeys(name for event in events for name in event)
    columns = [_column(name, [event.get(name) for event in events]) for name in names]
    if "event.sequence" not in names:
        columns.append(pl.Series("event.sequence", range(len(events)), dtype=pl.Int64))
    return conform(pl.DataFrame(columns))


def _column(name: str, values: list[object]) -> pl.Series:
    dtype = {**SHARED_COLUMNS, **DERIVED_COLUMNS}.get(name)
    if dtype == TIMESTAMP:
        return pl.Series(name, [_time(value) for value in values], dtype=TIMESTAMP)
    if dtype == pl.Int64:
        whole = [value if isinstance(value, int) and value in _INT64 else None for value in values]
        return pl.Series(name, whole, dtype=pl.Int64)
    if dtype == pl.String:
        return pl.Series(name, _as(pl.String(), values), dtype=pl.String)
    return _series(name, values)


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _series(name: str, values: list[object]) -> pl.Series:
    if any(isinstance(value, list) for value in values):
        lists = [value if isinstance(value, list) else None if value is None else [value] for value in values]
        inner = _dtype([item for items in lists if items is not None for item in items])
        typed = [None if items is None else _as(inner, items) for items in lists]
        return pl.Series(name, typed, dtype=pl.List(inner))
    dtype = _dtype(values)
    return pl.Series(name, _as(dtype, values), dtype=dtype)


def _dtype(values: Iterable[object]) -> pl.DataType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Boolean()
    if kinds == {int} and all(value in _INT64 for value in values if isinstance(value, int)):
        return pl.Int64()
    if kinds == {float}:
        return pl.Float64()
    return pl.String()


def _as(dtype: pl.DataType, values: list[object]) -> list[object]:
    """The values for a column of this type; for text, what is none is written as JSON."""
    return list(map(_text, values)) if isinstance(dtype, pl.String) else values


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def concat_rows(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all parts in order. A column of several kinds becomes text; with a list among them, lists of text."""
    if len(parts) == 1:
        return parts[0]
    kinds: dict[str, set[pl.DataType]] = {}
    for part in parts:
        for name, dtype in part.schema.items():
            kinds.setdefault(name, set()).add(dtype)
    mixed = {name: any(isinstance(one, pl.List) for one in found) for name, found in kinds.items() if len(found) > 1}
    return pl.concat([_alike(part, mixed) for part in parts], how="diagonal")


def _alike(part: pl.DataFrame, mixed: Mapping[str, bool]) -> pl.DataFrame:
    """The columns named in ``mixed`` as text, or as lists of text where the value there is true."""
    changed = []
    for name, as_list in mixed.items():
        if name in part.columns:
            column, dtype = selectors.by_name(name).as_expr(), part.schema[name]
            text = _texts(column, dtype) if as_list else as_text(column, dtype)
            empty = pl.lit(None, dtype=_TEXTS if as_list else pl.String)
            changed.append((empty if text is None else text).alias(name))
    return part.with_columns(changed) if changed else part


def _texts(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """A list as a list of texts, any other value as a list of one."""
    if isinstance(dtype, pl.List):
        inner = dtype.inner if isinstance(dtype.inner, pl.DataType) else dtype.inner()
        text = as_text(pl.element(), inner)
        return None if text is None else column.list.eval(text).cast(_TEXTS)
    text = as_text(column, dtype)
    return None if text is None else pl.when(column.is_not_null()).then(pl.concat_list(text))
