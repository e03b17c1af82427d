"""``loganalyzer export``: the tables of a bundle to files."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

from loganalyzer.cli import tell
from loganalyzer.cli.options import (
    choice_option,
    choices_of,
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
from loganalyzer.tables.bundle import Table, bundle_tables, table_names
from loganalyzer.tables.write import FORMATS, refuse_to_overwrite, write_file, write_folder

SUFFIXES = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
}


@click.command("export")
@click.argument("bundle", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR|FILE",
    help="A folder for one file a table, or with one table of --tables a file (.parquet, .arrow, .ndjson, .csv).",
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="What is written: by default what the suffix of FILE says, else Parquet.",
)
@click.option("--tables", multiple=True, metavar="NAME", help="Only these tables, also 'events'. May repeat; or a,b.")
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of log stamps without one (Europe/Rome).")
@redact_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no list of what was written.")
@choice_option
@limit_options
def command(bundle: tuple[str, ...], **given: Any) -> int:
    """Write the tables of BUNDLE to files: one for each log source, and attempts, coverage, diagnoses and matches.

    Columns have ECS names or those of their source; those of Parquet and Arrow say in their metadata what they mean.
    CSV has lists and structs as JSON text; a spreadsheet may take a text that begins with = for a formula.

    \b
    Exit status: 0 done, 2 wrong usage or a file that cannot be written, 3 nothing recognised or a source not readable
    to its end (what could be read is written).
    """
    zone_of(given["zone"])
    wanted = _asked(given["tables"])
    target, form = Path(given["output"]), given["form"]
    alone = not target.is_dir() and target.suffix.lower() in SUFFIXES
    form = form or (SUFFIXES[target.suffix.lower()] if alone else "parquet")
    if alone:
        _check_file(target, wanted, given["force"])
    options = ScanOptions(limits_of(given), given["zone"], choices=choices_of(given["choices"]))
    redactor = redactor_of(given)
    with progress_shown(given["quiet"], redactor) as progress:
        judged = judge(bundle, options, stdin=sys.stdin.buffer if "-" in bundle else None, progress=progress)
        check_tables(wanted, judged)
        progress("writing", "", 0)
        tables = bundle_tables(judged, redactor, wanted)
        if alone:
            write_file(tables[0], form, target, force=given["force"])
        else:
            write_folder(tables, form, target, force=given["force"])
    if not given["quiet"]:
        _tell_written(tables, target)
    reading = judged.reading
    unread = redactor.texts(reading.unread)
    tell_idle(reading.idle)
    tell_unread(reading.recognised, unread)
    return status_of_reading(reading.recognised, unread)


def _asked(tables: Sequence[str]) -> frozenset[str] | None:
    """The tables of ``--tables``; None: all."""
    names = frozenset(name for one in tables for name in one.split(",") if name)
    if tables and not names:
        raise UsageError("--tables names no table", None, "name one or more, or leave the option out for all")
    return names or None


def _check_file(path: Path, wanted: Collection[str] | None, force: bool) -> None:
    """A file takes one table, and is not overwritten: said before anything is read."""
    if wanted is None or len(wanted) != 1:
        help = "name one with --tables, such as --tables events, or give -o a folder"
        raise UsageError(f"-o {path.name!r} is a file, which takes one table", None, help)
    if not force:
        refuse_to_overwrite(path)


def check_tables(wanted: Collection[str] | None, judged: Judged) -> None:
    """
    Raises:
        UsageError: a table is asked for that the bundle does not have.
    """
    known = table_names(judged)
    unknown = sorted(set(wanted or ()) - set(known))
    if unknown:
        raise UsageError(f"no table {', '.join(unknown)} in this bundle", None, f"known are {', '.join(known)}")


def _tell_written(tables: Sequence[Table], target: Path) -> None:
    width = max(len(table.name) for table in tables)
    for table in tables:
        tell(f"{table.name:{width}}  {table.rows.height:>9} rows  {table.rows.width:>4} columns")
    tell(f"written: {target}")
