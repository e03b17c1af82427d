"""Redaction of whole columns: every distinct text once, and only those that may hold a secret."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache

import polars as pl

from loganalyzer.redact import LITERALS, Redactor, is_secret_file
from loganalyzer.tables.nested import leaves, rewritten

#: Of a file of which nothing may be shown, these columns hold what stands in it.
_CONTENT = ("event.original", "message")
#: Where settings are rows, one column names what another one holds.
_NAME, _VALUE = "key", "value"


class ColumnRedactor(Redactor):
    """A redactor that also takes tables. In ``off`` mode they stay as they are."""

    def tables(
        self, tables: Mapping[str, pl.DataFrame], ours: Mapping[str, Collection[str]] | None = None
    ) -> dict[str, pl.DataFrame]:
        """All tables redacted in the order given; then every secret found in one of them is hidden in all of them.

        ``ours``: by table, the columns that never hold text of a bundle; they stay as they are.
        """
        if self.mode == "off":
            return dict(tables)
        kept = ours or {}
        redacted = {name: self._table(table, kept.get(name, ())) for name, table in tables.items()}
        if not self._elsewhere:
            return redacted
        forms = sorted(self._elsewhere, key=lambda form: (-len(form), form))
        tokens = [self._elsewhere[form] for form in forms]

        def hidden(column: pl.Series) -> pl.Series:
            return rewritten(column, pl.String, lambda text: text.str.replace_many(forms, tokens, leftmost=True))

        return {name: _each_column(table, hidden, kept.get(name, ())) for name, table in redacted.items()}

    def table(self, table: pl.DataFrame) -> pl.DataFrame:
        """One table, as in `tables`."""
        return self.tables({"": table})[""]

    def _table(self, table: pl.DataFrame, ours: Collection[str]) -> pl.DataFrame:
        return _each_column(self._without_named_values(self._without_private_files(table)), self._column, ours)

    def _without_private_files(self, table: pl.DataFrame) -> pl.DataFrame:
        if "log.file.path" not in table.columns:
            return table
        paths = table.get_column("log.file.path")
        private = [path for path in paths.unique().drop_nulls() if is_secret_file(path)]
        if not private:
            return table
        rows = paths.is_in(private).fill_null(False)
        content = [column for column in table.get_columns() if column.name in _CONTENT]
        return table.with_columns(
            [self._replaced_in(column, rows, lambda text: self.whole(text, "file")) for column in content]
        )

    def _without_named_values(self, table: pl.DataFrame) -> pl.DataFrame:
        """Hides the values of settings whose names name a secret."""
        if not {_NAME, _VALUE} <= set(table.columns) or table.schema[_NAME] != pl.String:
            return table
        names, values = table.get_column(_NAME), table.get_column(_VALUE)
        for name in names.unique(maintain_order=True).drop_nulls():
            if names_a_secret(name):
                values = self._replaced_in(values, (names == name).fill_null(False), _hiding(name, self))
        return table.with_columns(values)

    def _replaced_in(self, column: pl.Series, rows: pl.Series, replace: Callable[[str], str]) -> pl.Series:
        """The column with other texts in these rows only."""
        changes = self._changes(column.filter(rows), replace)
        return column.zip_with(~rows, _changed(column, changes))

    def _column(self, column: pl.Series) -> pl.Series:
        if names_a_secret(column.name):
            return _changed(column, self._changes(column, _hiding(column.name, self)))
        return _changed(column, self._changes(column, self.text, LITERALS))

    def _changes(
        self, column: pl.Series, replace: Callable[[str], str], literals: Collection[str] = ()
    ) -> Mapping[str, str]:
        """The texts that ``replace`` changes. With ``literals``, only texts that hold one are asked."""
        changes: dict[str, str] = {}
        for texts in leaves(column, pl.String):
            distinct = texts.drop_nulls().unique(maintain_order=True)
            if literals:
                distinct = distinct.filter(distinct.str.contains_any(list(literals), ascii_case_insensitive=True))
            changes.update({text: changed for text in distinct if (changed := replace(text)) != text})
        return changes


def _changed(column: pl.Series, changes: Mapping[str, str]) -> pl.Series:
    if not changes:
        return column
    return rewritten(column, pl.String, lambda text: text.replace(list(changes), list(changes.values())))


def _each_column(table: pl.DataFrame, change: Callable[[pl.Series], pl.Series], ours: Collection[str]) -> pl.DataFrame:
    return pl.DataFrame([column if column.name in ours else change(column) for column in table.get_columns()])


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like."""
    written = f'{name}="x7Qp0LmZ"'
    return Redactor().text(written) != written


def _hiding(name: str, redactor: Redactor) -> Callable[[str], str]:
    return lambda text: hidden_value(name, text, redactor)


def hidden_value(name: str, text: str, redactor: Redactor) -> str:
    """A token for the whole value of a field whose name names a secret, unless it says nothing."""
    prefix, suffix = f'{name}="', '"'
    whole = redactor.text(f"{prefix}{text}{suffix}")
    if whole.startswith(prefix) and whole.endswith(suffix) and '"' not in text:
        return whole[len(prefix) : len(whole) - len(suffix)]
    return redactor.whole(text, "secret")
