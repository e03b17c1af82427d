"""Tables as text: NDJSON and CSV, in blocks, with nothing in it that a terminal obeys."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from loganalyzer.report.plain_text import plain_json
from loganalyzer.tables.nested import rewritten

#: Rows that are text at a time.
_BLOCK = 4096
_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


def ndjson(rows: pl.DataFrame) -> Iterator[str]:
    """One JSON object a line; times are ISO 8601 in UTC."""
    for block in rows.iter_slices(_BLOCK):
        yield plain_json(_timed(block).write_ndjson())


def json_array(rows: pl.DataFrame) -> Iterator[str]:
    """One JSON array, an object a line."""
    before = "[\n"
    for block in ndjson(rows):
        yield before + ",\n".join(block.removesuffix("\n").split("\n"))
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def csv(rows: pl.DataFrame) -> Iterator[str]:
    """A header and the rows: lists and structs are JSON text, times ISO 8601 in UTC, nothing is null.

    What a terminal obeys is written as in JSON: ``\\u001b``. A text that is empty is ``""``.
    """
    yield escaped_csv(pl.DataFrame(schema=dict.fromkeys(rows.columns, pl.String)).write_csv())
    for block in rows.iter_slices(_BLOCK):
        yield escaped_csv(flat(block).write_csv(include_header=False))


def escaped_csv(text: str) -> str:
    """CSV with what a terminal obeys as in JSON; Windows' line ends inside of a text stay as they are."""
    return "\r\n".join(map(plain_json, text.split("\r\n")))


def flat(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with times as text and lists and structs as JSON text."""
    return pl.DataFrame([_flat(column) for column in _timed(rows).get_columns()])


def _timed(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        [rewritten(column, pl.Datetime, lambda time: time.dt.to_string(_TIME)) for column in rows.get_columns()]
    )


def _flat(column: pl.Series) -> pl.Series:
    """A nested column as JSON text."""
    if not column.dtype.is_nested():
        return column
    packed = pl.struct("v").struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
    text = pl.when(pl.col("v").is_not_null()).then(packed)
    return column.alias("v").to_frame().select(text.alias("text")).to_series().alias(column.name)
