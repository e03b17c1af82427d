"""Redaction of whole columns: every distinct text once, and only those that may hold a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

import polars as pl
from polars.datatypes import DataTypeClass

from loganalyzer.redact import LITERALS, Redactor, is_secret_file

#: Of a file of which nothing may be shown, these hold what stands in it.
_CONTENT = ("event.original", "message")


class ColumnRedactor(Redactor):
    """A redactor that also takes tables. In ``off`` mode they stay as they are."""

    def tables(self, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """All tables redacted in the order given; then every secret found in one of them is hidden in all of them."""
        if self.mode == "off":
            return dict(tables)
        redacted = {name: self._table(table) for name, table in tables.items()}
        if not self._elsewhere:
            return redacted
        forms = sorted(self._elsewhere, key=lambda form: (-len(form), form))
        tokens = [self._elsewhere[form] for form in forms]

        def hide(text: pl.Expr) -> pl.Expr:
            return text.str.replace_many(forms, tokens, leftmost=True)

        return {name: _each_column(table, lambda column: _rewritten(column, hide)) for name, table in redacted.items()}

    def table(self, table: pl.DataFrame) -> pl.DataFrame:
        """One table, as in `tables`."""
        return self.tables({"": table})[""]

    def _table(self, table: pl.DataFrame) -> pl.DataFrame:
        private = _private_rows(table)
        return _each_column(table, lambda column: self._column(column, private))

    def _column(self, column: pl.Series, private: pl.Series | None) -> pl.Series:
        if private is not None and column.name in _CONTENT:
            hidden = self._replaced(column.filter(private), lambda text: self.whole(text, "file"))
            column = column.clone().scatter(private.arg_true(), hidden)
        if names_a_secret(column.name):
            return self._replaced(column, lambda text: hidden_value(column.name, text, self))
        return self._replaced(column, self.text, LITERALS)

    def _replaced(
        self, column: pl.Series, replace: Callable[[str], str], literals: Iterable[str] | None = None
    ) -> pl.Series:
        """The column with another text for each that ``replace`` changes; only texts with a literal are asked."""
        changes = {}
        for texts in _texts(column):
            distinct = texts.drop_nulls().unique(maintain_order=True)
            if literals is not None:
                distinct = distinct.filter(distinct.str.contains_any(list(literals), ascii_case_insensitive=True))
            changes.update({text: changed for text in distinct if (changed := replace(text)) != text})
        if not changes:
            return column
        return _rewritten(column, lambda text: text.replace(list(changes), list(changes.values())))


def _each_column(table: pl.DataFrame, change: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
    return pl.DataFrame([change(column) for column in table.get_columns()])


def _private_rows(table: pl.DataFrame) -> pl.Series | None:
    """Which rows are from a file of which nothing may be shown; None: no row is."""
    if "log.file.path" not in table.columns:
        return None
    paths = table.get_column("log.file.path")
    private = [path for path in paths.unique().drop_nulls() if is_secret_file(path)]
    return paths.is_in(private).fill_null(False) if private else None


def _texts(column: pl.Series) -> Iterator[pl.Series]:
    """The texts of a column, also those inside of lists and structs."""
    dtype = column.dtype
    if dtype == pl.String:
        yield column
    elif isinstance(dtype, pl.List) and _holds_text(dtype):
        yield from _texts(column.explode())
    elif isinstance(dtype, pl.Struct) and _holds_text(dtype):
        for field in dtype.fields:
            yield from _texts(column.struct.field(field.name))


def _rewritten(column: pl.Series, change: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """The column with every text changed, also those inside of lists and structs."""
    if not _holds_text(column.dtype):
        return column
    named = column.alias("")  # a name like ``^a$`` would be read as a pattern
    return named.to_frame().select(_changed(pl.col(""), column.dtype, change)).to_series().alias(column.name)


def _changed(value: pl.Expr, dtype: pl.DataType, change: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    if dtype == pl.String:
        return change(value)
    if isinstance(dtype, pl.List) and _holds_text(dtype):
        return value.list.eval(_changed(pl.element(), _instance(dtype.inner), change))
    if isinstance(dtype, pl.Struct) and _holds_text(dtype):
        fields = [
            _changed(value.struct.field(field.name), _instance(field.dtype), change).alias(field.name)
            for field in dtype.fields
        ]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    return value


def _holds_text(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List):
        return _holds_text(_instance(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return any(_holds_text(_instance(field.dtype)) for field in dtype.fields)
    return dtype == pl.String


def _instance(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like."""
    written = f'{name}="x7Qp0LmZ"'
    return Redactor().text(written) != written


def hidden_value(name: str, text: str, redactor: Redactor) -> str:
    """A token for the whole value of a field whose name names a secret, unless it says nothing."""
    prefix, suffix = f'{name}="', '"'
    whole = redactor.text(f"{prefix}{text}{suffix}")
    if whole.startswith(prefix) and whole.endswith(suffix) and '"' not in text:
        return whole[len(prefix) : len(whole) - len(suffix)]
    return redactor.whole(text, "secret")
