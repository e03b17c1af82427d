"""``loganalyzer query``: a question in SQL over the tables of a bundle."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import polars as pl
from rich.table import Table as TextTable
from rich.text import Text

from loganalyzer.cli import tell
from loganalyzer.cli.options import (
    choice_option,
    choices_of,
    color_option,
    console_for,
    limit_options,
    limits_of,
    progress_shown,
    redact_option,
    redactor_of,
    zone_of,
)
from loganalyzer.cli.what_was_read import status_of_reading, tell_idle, tell_unread
from loganalyzer.errors import UsageError
from loganalyzer.pipeline import Judged, ScanOptions, judge
from loganalyzer.report.plain_text import cut_end, one_line
from loganalyzer.tables.bundle import Table, bundle_tables, table_names, table_outlines
from loganalyzer.tables.redaction import ColumnRedactor
from loganalyzer.tables.sql import ask, check_statement, mentioned
from loganalyzer.tables.text import csv, flat, json_array, ndjson

#: A table for people is laid out as a whole; the other formats hold all rows and all of each value.
_MOST_ROWS: Final = 500
_LONGEST_VALUE: Final = 200


@click.command("query")
@click.argument("bundle")
@click.argument("sql", required=False)
@click.option("--tables", "list_tables", is_flag=True, help="List the tables and their columns instead.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["table", "ndjson", "csv", "json"]),
    help="What goes to standard output: by default a table on a terminal, else NDJSON.",
)
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of log stamps without one (Europe/Rome).")
@redact_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@choice_option
@color_option
@limit_options
def command(bundle: str, sql: str | None, **given: Any) -> int:
    """Answer a question in SQL over the tables of BUNDLE ('-' for standard input), or of a dataset of 'batch'.

    The tables are those of 'loganalyzer export' and events, which has all events with the columns that they share.
    Names with a dot stand in double quotes: SELECT message FROM events WHERE "log.level" = 'ERROR'

    \b
    Exit status: 0 done, 2 wrong usage or a query that cannot be answered, 3 nothing recognised or a source not readable
    to its end.
    """
    zone_of(given["zone"])
    if (sql is None) != given["list_tables"]:
        help = "write: loganalyzer query BUNDLE 'SELECT ...', or loganalyzer query BUNDLE --tables"
        raise UsageError("a query needs either a statement or --tables", None, help)
    if sql is not None:
        check_statement(sql)
    form = given["form"] or ("table" if sys.stdout.isatty() else "ndjson")
    if bundle != "-" and any(Path(bundle).glob("part=*/bundles.parquet")):
        _write(_answer_of_dataset(Path(bundle), sql), form, given["color"])
        return 0
    options = ScanOptions(limits_of(given), given["zone"], choices=choices_of(given["choices"]))
    redactor = redactor_of(given)
    with progress_shown(given["quiet"], redactor) as progress:
        judged = judge([bundle], options, stdin=sys.stdin.buffer if bundle == "-" else None, progress=progress)
        progress("answering", "", 0)
        answer = _columns(judged, redactor) if sql is None else _answer(judged, sql, redactor)
    _write(answer, form, given["color"])
    reading = judged.reading
    unread = redactor.texts(reading.unread)
    tell_idle(reading.idle)
    tell_unread(reading.recognised, unread)
    return status_of_reading(reading.recognised, unread)


def _answer(judged: Judged, sql: str, redactor: ColumnRedactor) -> pl.DataFrame:
    """Only tables that the statement speaks of are redacted: that is what takes time."""
    names = table_names(judged)
    tables = bundle_tables(judged, redactor, mentioned(sql, names))
    return ask(sql, {table.name: table.rows for table in tables}, names)


def _answer_of_dataset(folder: Path, sql: str | None) -> pl.DataFrame:
    """The same of a dataset, which is as redacted as it was written."""
    from loganalyzer.fleet.schemas import COLUMNS

    tables = {name: pl.scan_parquet(folder / f"part=*/{name}.parquet", hive_partitioning=False) for name in COLUMNS}
    if sql is not None:
        return ask(sql, {name: tables[name] for name in mentioned(sql, list(tables))}, list(tables))
    rows = [
        {"table": name, "rows": height, "column": column, "type": str(kind), "meaning": meaning}
        for name, columns in COLUMNS.items()
        for height in [tables[name].select(pl.len()).collect().item()]
        for column, kind, meaning in columns
    ]
    return pl.DataFrame(rows)


def _columns(judged: Judged, redactor: ColumnRedactor) -> pl.DataFrame:
    """A row for each column of each table."""
    rows = [row for table, height in table_outlines(judged, redactor) for row in _columns_of(table, height)]
    texts = dict.fromkeys(("table", "column", "type", "meaning"), pl.String)
    return pl.DataFrame(rows, schema={"table": pl.String, "rows": pl.Int64, **texts})


def _columns_of(table: Table, height: int) -> Iterator[dict[str, str | int | None]]:
    for name, dtype in table.rows.schema.items():
        meaning = table.meaning(name)
        told = None if meaning is None else meaning.meaning
        yield {"table": table.name, "rows": height, "column": name, "type": _type(dtype), "meaning": told}


def _type(dtype: pl.DataType) -> str:
    return "Datetime" if dtype == pl.Datetime else str(dtype).split("(", 1)[0]


def _write(answer: pl.DataFrame, form: str, color: str) -> None:
    if form == "table":
        _write_table(answer, color)
        return
    for text in {"ndjson": ndjson, "csv": csv, "json": json_array}[form](answer):
        sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _write_table(answer: pl.DataFrame, color: str) -> None:
    table = TextTable(box=None, pad_edge=False, header_style="bold")
    for name in answer.columns:
        table.add_column(Text(one_line(name)), overflow="fold")
    for row in flat(answer.head(_MOST_ROWS)).iter_rows():
        table.add_row(*(Text(cut_end(_cell(value), _LONGEST_VALUE)) for value in row))
    console_for(color).print(table)
    if answer.height > _MOST_ROWS:
        tell(f"{answer.height - _MOST_ROWS} more rows: -f ndjson, csv or json have all")


def _cell(value: object) -> str:
    return "" if value is None else one_line(str(value))
