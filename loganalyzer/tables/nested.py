"""Values inside of lists and structs: all of one kind in a column, read or rewritten at any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
from polars.datatypes import DataTypeClass


def leaves(column: pl.Series, kind: DataTypeClass) -> Iterator[pl.Series]:
    """The values of this kind, in order, as flat columns without a name; a column of another kind has none."""
    column, dtype = column.alias(""), column.dtype  # polars reads a name like ``^a$`` or ``*`` as a pattern
    if dtype == kind:
        yield column
    elif isinstance(dtype, pl.List) and holds(dtype, kind):
        yield from leaves(column.explode(), kind)
    elif isinstance(dtype, pl.Struct) and holds(dtype, kind):
        for field in dtype.fields:
            yield from leaves(column.struct.field(field.name), kind)


def rewritten(column: pl.Series, kind: DataTypeClass, change: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """The column with every value of this kind changed; nulls and empty lists stay."""
    if not holds(column.dtype, kind):
        return column
    nameless = column.alias("").to_frame()
    return nameless.select(_changed(pl.col(""), column.dtype, kind, change)).to_series().alias(column.name)


def holds(dtype: pl.DataType | DataTypeClass, kind: DataTypeClass) -> bool:
    """Whether a column of this type has values of the kind at some depth."""
    if isinstance(dtype, pl.List):
        return holds(dtype.inner, kind)
    if isinstance(dtype, pl.Struct):
        return any(holds(field.dtype, kind) for field in dtype.fields)
    return bool(dtype == kind)


def _changed(
    value: pl.Expr, dtype: pl.DataType | DataTypeClass, kind: DataTypeClass, change: Callable[[pl.Expr], pl.Expr]
) -> pl.Expr:
    if not holds(dtype, kind):
        return value
    if isinstance(dtype, pl.List):
        return value.list.eval(_changed(pl.element(), dtype.inner, kind, change))
    if isinstance(dtype, pl.Struct):
        fields = [
            _changed(value.struct.field(field.name), field.dtype, kind, change).alias(field.name)
            for field in dtype.fields
        ]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    return change(value)
