"""The tables behind the derived frames: which events make a fact, a series, an operation or a step of an attempt.

The tables are data (``signatures/derived/*.yml``), so that no wording of a log stands in Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from msgspec import Struct

from loganalyzer.errors import CatalogueError, Location
from loganalyzer.precompiled import restored
from loganalyzer.required_text import texts_of_regex
from loganalyzer.schema import LogSource

Keep = Literal["first", "last", "each"]
Step = Literal["start", "step", "report", "job", "inside", "skip"]
Result = Literal["failed", "succeeded"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Events of one log source whose ``column`` fits a Rust regex; named groups become values.

    ``unless`` takes out texts that fit it as well. ``each``, where it is given, is searched in the fitting text and
    makes one hit of every place that it finds. ``where`` asks further columns for one of some texts (any case).
    ``values`` are constants given to each hit; ``columns`` take a value from other columns of the event, the first that
    has one. ``texts``: in lower case, one of them stands in whatever the regex fits; empty: none is known. A table
    writes ``column`` as ``field``.
    """

    logsource: LogSource
    regex: str
    column: str = "message"
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    each: str | None = None
    unless: str | None = None
    texts: tuple[str, ...] = ()


class FactRow(Struct, frozen=True):
    """One kind of fact; ``keep`` says which of several equal ones is kept (``each``: one row a distinct value)."""

    fact: str
    keep: Keep
    pattern: Pattern


class SeriesRow(Struct, frozen=True):
    """Events that show a thing going well, and those that show it failing.

    ``period``: seconds after which the next good event is due; None where silence means nothing. ``apart``: two
    failures that are further apart than so many seconds are of two outages, as nobody knows what was between them;
    None: a failure lasts until something goes well.
    """

    series: str
    logsource: LogSource
    good: tuple[Pattern, ...]
    bad: tuple[Pattern, ...]
    period: int | None
    apart: int | None = None


class OperationRow(Struct, frozen=True):
    """An event that says how an operation of an extension's handler ended."""

    result: Result
    pattern: Pattern


class StepRow(Struct, frozen=True):
    """An event of a backup attempt: what it does to the attempt, and the phase that it shows."""

    step: Step
    phase: str | None
    pattern: Pattern


class Owner(Struct, frozen=True):
    """A program that tracebacks are told to be of: by a file that they name, else by unit or process (regexes)."""

    object: str
    file: str
    unit: str | None
    process: str | None


class TracebackTable(Struct, frozen=True):
    """How tracebacks of Python are found, and whose they are.

    ``lines``: the entries that hold a part of one. ``alone``: what a last line says of which the others may be missing.
    ``owners``: the first that fits counts. ``python``: files that run in every program. ``alive``: entries by object
    that show a program at work.
    """

    lines: Pattern
    alone: str
    owners: tuple[Owner, ...]
    python: str
    alive: Mapping[str, Pattern]


class Tables(Struct, frozen=True):
    """All five tables, and what else is said of attempts.

    ``outcomes``: what a numeric code means. ``phases``: those of the work in their order. ``watch``: the sources in
    which a command shows when it comes. ``ends``: the logs that tell how each of their attempts ended.
    ``shown_in``: for a phase the sources that would show why the work stopped in it.
    """

    facts: tuple[FactRow, ...]
    series: tuple[SeriesRow, ...]
    operations: tuple[OperationRow, ...]
    tracebacks: TracebackTable
    steps: tuple[StepRow, ...]
    outcomes: Mapping[str, str]
    phases: tuple[str, ...]
    watch: tuple[LogSource, ...]
    ends: tuple[LogSource, ...]
    shown_in: Mapping[str, tuple[LogSource, ...]]

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Every pattern of every table."""
        series = (one for row in self.series for one in (*row.good, *row.bad))
        rows = (row.pattern for table in (self.facts, self.operations, self.steps) for row in table)
        return (*rows, *series, self.tracebacks.lines, *self.tracebacks.alive.values())


#: The name of the tables' precompiled form, and the files that it is made from.
PRECOMPILED = "derived"
FILES = ("attempts.yml", "facts.yml", "series.yml", "operations.yml", "tracebacks.yml")


@lru_cache(maxsize=1)
def load_tables() -> Tables:
    """The tables of this package, read once in a process, from their precompiled form where that is of these files.

    Raises:
        CatalogueError: as `read_tables` says.
    """
    known = restored(PRECOMPILED, own_files(), Tables)
    return known if known is not None else read_tables()


def own_files() -> list[Traversable]:
    """The files of the tables."""
    return [files("loganalyzer.signatures") / "derived" / name for name in FILES]


def read_tables() -> Tables:
    """The tables of this package, from their files.

    Raises:
        CatalogueError: a table holds an unknown key, a bad regex or a value outside its vocabulary.
    """
    attempts = _read("attempts.yml")
    known = {*attempts["phases"], *attempts["reporting"], None}
    for phase in [*(row.get("phase") for row in attempts["steps"]), *attempts["shown_in"]]:
        if phase not in known:
            raise CatalogueError(f"unknown phase {phase!r}", Location("signatures/derived/attempts.yml"))
    return Tables(
        facts=tuple(
            FactRow(row["fact"], _one_of(row.get("keep", "last"), Keep), _pattern(row, "facts.yml"))
            for row in _read("facts.yml")["facts"]
        ),
        series=tuple(
            SeriesRow(
                row["series"],
                LogSource(**row["logsource"]),
                tuple(_pattern({"logsource": row["logsource"], **one}, "series.yml") for one in row["good"]),
                tuple(_pattern({"logsource": row["logsource"], **one}, "series.yml") for one in row.get("bad", ())),
                row.get("period"),
                row.get("apart"),
            )
            for row in _read("series.yml")["series"]
        ),
        operations=tuple(
            OperationRow(_one_of(row["result"], Result), _pattern(row, "operations.yml"))
            for row in _read("operations.yml")["operations"]
        ),
        tracebacks=_tracebacks(),
        steps=tuple(
            StepRow(_one_of(row["step"], Step), row.get("phase"), _pattern(row, "attempts.yml"))
            for row in attempts["steps"]
        ),
        outcomes={str(key): str(value) for key, value in attempts["outcomes"].items()},
        phases=tuple(attempts["phases"]),
        watch=tuple(LogSource(**one) for one in attempts["watch"]),
        ends=tuple(LogSource(**one) for one in attempts["ends"]),
        shown_in={
            str(phase): tuple(LogSource(**one) for one in sources) for phase, sources in attempts["shown_in"].items()
        },
    )


def _tracebacks() -> TracebackTable:
    table = _read("tracebacks.yml")
    return TracebackTable(
        _pattern(table["lines"], "tracebacks.yml"),
        table["alone"],
        tuple(Owner(one["object"], one["file"], one.get("unit"), one.get("process")) for one in table["owners"]),
        table["python"],
        {one["object"]: _pattern(one, "tracebacks.yml") for one in table["alive"]},
    )


def _read(name: str) -> dict[str, Any]:
    import yaml  # a scan, which has the precompiled form, does not pay for it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files("loganalyzer.signatures").joinpath("derived", name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506  a safe loader either way
    return loaded


def _pattern(row: Mapping[str, Any], table: str) -> Pattern:
    known = {"logsource", "regex", "unless", "each", "field", "where", "values", "columns"}
    own = {"fact", "keep", "result", "step", "phase", "title", "source", "object"}
    if unknown := set(row) - known - own:
        raise CatalogueError(f"unknown keys {sorted(unknown)}", Location(f"signatures/derived/{table}"))
    try:
        # Rust's syntax is close enough to Python's for this check; polars has the last word (a test runs every row).
        for key in ("regex", "each", "unless"):
            re.compile(row.get(key, ""))
    except re.error as error:
        raise CatalogueError(f"bad regex {row['regex']!r}: {error}", Location(f"signatures/derived/{table}")) from error
    return Pattern(
        LogSource(**row["logsource"]),
        row["regex"],
        row.get("field", "message"),
        {key: _texts(value) for key, value in row.get("where", {}).items()},
        dict(row.get("values", {})),
        {key: (value,) if isinstance(value, str) else tuple(value) for key, value in row.get("columns", {}).items()},
        row.get("each"),
        row.get("unless"),
        tuple(sorted(texts_of_regex(row["regex"]))),
    )


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value.lower(),) if isinstance(value, str) else tuple(one.lower() for one in value)


def _one_of(value: str, vocabulary: Any) -> Any:
    if value not in get_args(vocabulary):
        raise CatalogueError(
            f"unknown value {value!r}", Location("signatures/derived"), f"one of {', '.join(get_args(vocabulary))}"
        )
    return value
