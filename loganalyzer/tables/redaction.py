"""Redaction of whole columns: every distinct text once, and only those that may hold a secret."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import polars as pl

from loganalyzer.redact import LITERALS, PAYLOAD_RUN, Redactor, is_secret_file
from loganalyzer.redact.field_names import hidden_value, named_identity, names_a_secret, names_an_identity
from loganalyzer.redact.plugged import finders
from loganalyzer.tables.nested import leaves, rewritten

#: Of a file of which nothing may be shown, these columns hold what stands in it.
_CONTENT = ("event.original", "message")
#: These columns hold the name of a machine and nothing else.
_HOST_COLUMNS: Final = frozenset({"host.name", "Computer", "host"})
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
        self.know_hosts(host for table in tables.values() for host in hosts_in(table))
        redacted = {name: self._table(table, kept.get(name, ())) for name, table in tables.items()}
        return self._hidden_elsewhere(redacted, kept)

    def _hidden_elsewhere(
        self, tables: dict[str, pl.DataFrame], ours: Mapping[str, Collection[str]]
    ) -> dict[str, pl.DataFrame]:
        """Secrets that one table told, hidden in all of them."""
        forms, tokens = self.forms_elsewhere()
        hide = self.hidden_names()

        def hidden(column: pl.Series) -> pl.Series:
            if forms:
                column = rewritten(column, pl.String, lambda text: text.str.replace_many(forms, tokens, leftmost=True))
            return column if hide is None else _changed(column, self._changes(column, hide))

        if not forms and hide is None:
            return tables
        return {name: _each_column(table, hidden, ours.get(name, ())) for name, table in tables.items()}

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
            rows = (names == name).fill_null(False)
            if names_a_secret(name):
                values = self._replaced_in(values, rows, _hiding(name, self))
            elif self.mode == "all" and names_an_identity(name):
                values = self._replaced_in(values, rows, _telling(name, self))
        return table.with_columns(values)

    def _replaced_in(self, column: pl.Series, rows: pl.Series, replace: Callable[[str], str]) -> pl.Series:
        """The column with other texts in these rows only."""
        changes = self._changes(column.filter(rows), replace)
        return column.zip_with(~rows, _changed(column, changes))

    def _column(self, column: pl.Series) -> pl.Series:
        if names_a_secret(column.name):
            return _changed(column, self._changes(column, _hiding(column.name, self)))
        if column.name in _HOST_COLUMNS:
            return _changed(column, self._changes(column, self.host))
        if self.mode == "all" and names_an_identity(column.name):
            return _changed(column, self._changes(column, lambda text: named_identity(column.name, text, self)))
        # What identities and the finds of plug-ins have in common nobody knows.
        literals = LITERALS if self.mode == "tokens" and not finders() else ()
        return _changed(column, self._changes(column, self.text, literals))

    def _changes(
        self, column: pl.Series, replace: Callable[[str], str], literals: Collection[str] = ()
    ) -> Mapping[str, str]:
        """The texts that ``replace`` changes. With ``literals``, only texts that hold one are asked."""
        changes: dict[str, str] = {}
        for texts in leaves(column, pl.String):
            distinct = texts.drop_nulls().unique(maintain_order=True)
            if literals:
                distinct = distinct.filter(_may_hold(distinct, literals))
            changes.update({text: changed for text in distinct if (changed := replace(text)) != text})
        return changes


def _may_hold(texts: pl.Series, literals: Collection[str]) -> pl.Series:
    return texts.str.contains_any(list(literals), ascii_case_insensitive=True) | texts.str.contains(PAYLOAD_RUN)


def hosts_in(table: pl.DataFrame) -> list[str]:
    """The names of machines that a table's columns of hosts have."""
    columns = [table.get_column(name) for name in table.columns if name in _HOST_COLUMNS]
    return [host for column in columns if column.dtype == pl.String for host in column.drop_nulls().unique().sort()]


def _changed(column: pl.Series, changes: Mapping[str, str]) -> pl.Series:
    if not changes:
        return column
    return rewritten(column, pl.String, lambda text: text.replace(list(changes), list(changes.values())))


def _each_column(table: pl.DataFrame, change: Callable[[pl.Series], pl.Series], ours: Collection[str]) -> pl.DataFrame:
    return pl.DataFrame([column if column.name in ours else change(column) for column in table.get_columns()])


def _telling(name: str, redactor: Redactor) -> Callable[[str], str]:
    return lambda text: named_identity(name, text, redactor)


def _hiding(name: str, redactor: Redactor) -> Callable[[str], str]:
    return lambda text: hidden_value(name, text, redactor)
