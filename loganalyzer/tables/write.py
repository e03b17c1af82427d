"""Tables to files: Parquet, Arrow IPC, NDJSON, CSV; each file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa
from pyarrow import ipc, parquet

from loganalyzer import __version__
from loganalyzer.errors import Location, UsageError
from loganalyzer.tables.bundle import Table
from loganalyzer.tables.text import csv, ndjson

#: The version of the names and meanings of columns: additions are allowed, changes are not.
SCHEMA: Final = "loganalyzer/tables/1"


def arrow_table(table: Table) -> pa.Table:
    """The table as Arrow has it. Metadata of a field: ``meaning``, ``unit``, ``zone``, and ``renamed_from``.

    ``renamed_from`` is the name in the source where another column's differs from it only in case. Metadata of the
    schema: ``schema``, ``version`` (of this program), ``table`` and, of a log source's table, ``logsource``.
    """
    rows = table.rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    described = [each.with_metadata(_metadata(table, each.name)) for each in rows.schema]
    about = {"schema": SCHEMA, "version": __version__, "table": table.name, "logsource": table.logsource}
    return rows.cast(pa.schema(described, {key: value for key, value in about.items() if value is not None}))


def _metadata(table: Table, column: str) -> dict[str, str]:
    meaning = table.meaning(column)
    told = {"renamed_from": table.renamed.get(column)}
    if meaning is not None:
        told |= {"meaning": meaning.meaning, "unit": meaning.unit, "zone": meaning.zone}
    return {key: value for key, value in told.items() if value is not None}


def _write_parquet(table: Table, file: BinaryIO) -> None:
    parquet.write_table(arrow_table(table), file, compression="zstd")


def _write_arrow(table: Table, file: BinaryIO) -> None:
    rows = arrow_table(table)
    with ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)


def _write_ndjson(table: Table, file: BinaryIO) -> None:
    for text in ndjson(table.rows):
        file.write(text.encode())


def _write_csv(table: Table, file: BinaryIO) -> None:
    for text in csv(table.rows):
        file.write(text.encode())


_WRITERS: Final[Mapping[str, Callable[[Table, BinaryIO], None]]] = {
    "parquet": _write_parquet,
    "arrow": _write_arrow,
    "ndjson": _write_ndjson,
    "csv": _write_csv,
}
#: Names of formats, which are also the suffixes of the files in a folder.
FORMATS: Final = tuple(_WRITERS)


def write_folder(tables: Sequence[Table], form: str, folder: Path, *, force: bool) -> None:
    """One file for each table, ``<table>.<form>``. All are written before the first gets its name.

    Raises:
        UsageError: a file is there already and ``force`` is false, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    _write([(table, folder / f"{table.name}.{form}") for table in tables], form, force)


def replace_folder(tables: Sequence[Table], folder: Path) -> None:
    """The tables as Parquet, and no other ones of this program: those that only an earlier run had are removed.

    Raises:
        UsageError: the folder cannot be written.
    """
    write_folder(tables, "parquet", folder, force=True)
    kept = {f"{table.name}.parquet" for table in tables}
    for path in sorted(folder.glob("*.parquet")):
        if path.name not in kept and not path.is_symlink() and _is_ours(path):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _cannot_write(path, error) from error


def _is_ours(path: Path) -> bool:
    """Whether the metadata of a file names the schema of our tables."""
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return bool(metadata.get(b"schema") == SCHEMA.encode())


def write_file(table: Table, form: str, path: Path, *, force: bool) -> None:
    """One table to one file.

    Raises:
        UsageError: the file is there already and ``force`` is false, or it cannot be written.
    """
    _write([(table, path)], form, force)


def refuse_to_overwrite(path: Path) -> None:
    """
    Raises:
        UsageError: there is something of this name.
    """
    if os.path.lexists(path):
        raise UsageError("the file is there already", Location(str(path)), "name another place, or add --force")


def _write(targets: Sequence[tuple[Table, Path]], form: str, force: bool) -> None:
    if not force:
        for _, path in targets:
            refuse_to_overwrite(path)
    made: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for table, path in targets:
            made.append((path.with_name(f"{path.name}.{os.getpid()}.new"), path))
            with made[-1][0].open("wb") as file:
                _WRITERS[form](table, file)
        for new, path in made:
            new.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        for new, _ in made:
            with suppress(OSError):
                new.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> UsageError:
    help = "give -o a file or a folder that can be written"
    return UsageError(f"cannot write: {error.strerror or error}", Location(str(path)), help)
