"""Tells which rules no row can fit, by one search for the texts of all of them.

Most rules require a text, and most of those texts stand nowhere in a log. One search for hundreds of texts costs about
as much as a few searches for one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import polars as pl

from loganalyzer.sigma.bind import column_of
from loganalyzer.sigma.ir import Condition, leaves, required_literals

#: Shorter texts stand nearly everywhere: to find them costs more than it tells.
_SHORTEST = 3


def may_fit(conditions: Sequence[Condition], rows: pl.DataFrame) -> list[bool]:
    """Whether each condition may be true of a row; False only where no text of those that it requires stands there."""
    columns = _text_columns(conditions, rows.schema)
    required = [_required_texts(condition, columns) for condition in conditions]
    sought = frozenset().union(*required)
    found = _standing_in([rows[column] for column in sorted(set(columns.values()))], sought)
    return [not texts or not texts.isdisjoint(found) for texts in required]


def _text_columns(conditions: Iterable[Condition], schema: Mapping[str, pl.DataType]) -> Mapping[str, str]:
    """The columns of text that the conditions ask, by the name that they use."""
    fields = {leaf.field for condition in conditions for leaf in leaves(condition)}
    columns = {field: column_of(field, schema) for field in fields if field is not None}
    return {field: column for field, column in columns.items() if column and schema[column] == pl.String}


def _required_texts(condition: Condition, fields: Collection[str]) -> frozenset[str]:
    """Lower-case texts of which one stands in these fields of each row that fits; empty: nothing is known to be there.

    A keyword also looks at columns that hold no text. Beyond ASCII, the lower case of a letter may depend on what
    stands beside it, so that a text may hold a word in another lower case than the word alone has.
    """
    if any(leaf.field is None for leaf in leaves(condition)):
        return frozenset()
    texts = required_literals(condition, fields)
    return texts if all(text.isascii() and len(text) >= _SHORTEST for text in texts) else frozenset()


def _standing_in(columns: Sequence[pl.Series], sought: frozenset[str]) -> frozenset[str]:
    """Those of the lower-case texts that stand in any of the columns."""
    if not columns or not sought:
        return frozenset()
    values = pl.concat([column.unique().alias("") for column in columns]).str.to_lowercase()
    return frozenset(values.str.extract_many(sorted(sought), overlapping=True).explode().drop_nulls().unique())
