"""Questions in SQL over tables: only over them, and only questions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from loganalyzer.errors import UsageError

#: What a statement may begin with. The engine knows others (CREATE, DROP, DELETE), which would ask nothing.
_QUESTIONS: Final = ("select", "with", "from", "values", "show", "explain")

#: The engine's functions that stand for a table open files: ``read_csv('/etc/passwd')``. Whatever may be one of them is
#: refused wherever it stands, also inside of a text, so that no quoting or comment can hide it.
_READS_A_FILE: Final = re.compile(r"(?i)(?:read|scan)_[a-z]\w*")

#: Characters of a statement. The engine walks an expression by recursion: 80 000 characters of one end the process.
_LONGEST: Final = 10_000

_COMMENT: Final = re.compile(r"\s+|--[^\n]*|/\*.*?\*/", re.DOTALL)


def check_statement(sql: str) -> None:
    """
    Raises:
        UsageError: it is no question, too long, or might open a file.
    """
    if len(sql) > _LONGEST:
        help = f"at most {_LONGEST} characters: export the tables and ask a database"
        raise UsageError("the SQL statement is too long", None, help)
    if (reads := _READS_A_FILE.search(sql)) is not None:
        help = "in a text to look for, write a % for its _"
        raise UsageError(f"{reads[0]} is refused: a query reads the tables of the bundle and no files", None, help)
    first = re.match(r"\(*\s*(\w*)", _without_comments(sql))
    if first is None or first[1].lower() not in _QUESTIONS:
        help = 'such as: SELECT "log.level", count(*) AS n FROM events GROUP BY "log.level"'
        raise UsageError("a query is one SELECT statement", None, help)


def _without_comments(sql: str) -> str:
    """The statement from its first word on."""
    at = 0
    while (found := _COMMENT.match(sql, at)) is not None:
        at = found.end()
    return sql[at:]


def mentioned(sql: str, names: Sequence[str]) -> list[str]:
    """The tables that a statement may speak of: those whose names stand in it."""
    lowered = sql.lower()
    return [name for name in names if name in lowered]


def ask(sql: str, tables: Mapping[str, pl.DataFrame | pl.LazyFrame], names: Sequence[str]) -> pl.DataFrame:
    """The answer to a statement over tables; ``names`` are those of all tables there are.

    Raises:
        UsageError: as `check_statement`, or the engine cannot answer it.
    """
    check_statement(sql)
    frames = {name: tables.get(name, pl.DataFrame()) for name in names}
    try:
        return pl.SQLContext(frames, eager=True).execute(sql)
    except OSError as error:
        raise UsageError(
            f"a table cannot be read: {str(error).partition(chr(10))[0]}", None, "run batch again"
        ) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, TypeError) as error:
        why = str(error).split("\n\n", 1)[0].strip() or type(error).__name__
        help = f"tables are {', '.join(names)}; columns with a dot stand in double quotes; --tables lists all"
        raise UsageError(f"the query cannot be answered: {why}", None, help) from error
