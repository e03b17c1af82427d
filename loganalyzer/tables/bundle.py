"""A bundle as named tables: one a log source, what a scan says of it, and all events together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

import polars as pl

from loganalyzer.pipeline import Judged
from loganalyzer.redact import NOT_BUNDLE_TEXT, redact_report
from loganalyzer.report.model import AttemptEntry, Coverage, Diagnosis, Doc, Report, Rival
from loganalyzer.report.plain_text import one_line
from loganalyzer.schema import TIMESTAMP, EventFrame, LogSource
from loganalyzer.sigma.rows import concat_rows
from loganalyzer.tables.events import merged
from loganalyzer.tables.meanings import DERIVED, Meaning, meaning_of
from loganalyzer.tables.redaction import ColumnRedactor

#: The tables of what a scan says; every export has them.
REPORT_TABLES: Final = ("attempts", "coverage", "diagnoses", "matches")
#: All events in one table.
EVENTS: Final = "events"

#: Characters of a table's name, which is a file's, too.
_LONGEST_NAME: Final = 100
_LONGEST_COLUMN: Final = 200
#: Columns of frames that are this program's words.
_OURS: Final = frozenset({"time.assumed", "table"})

_TEXT: Final = pl.String()
_TEXTS: Final = pl.List(pl.String())
_INTEGER: Final = pl.Int64()
REPORT_SCHEMAS: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    "attempts": {
        **dict.fromkeys(("id",), _TEXT),
        **dict.fromkeys(("start", "end"), TIMESTAMP),
        **dict.fromkeys(("phase", "outcome"), _TEXT),
        **dict.fromkeys(("codes", "sources"), _TEXTS),
    },
    "coverage": {
        **dict.fromkeys(("source", "logsource", "parser", "why", "status"), _TEXT),
        **dict.fromkeys(("bytes", "parsed_bytes", "rejected_bytes", "skipped_bytes"), _INTEGER),
        **dict.fromkeys(("lines", "events", "rejected"), _INTEGER),
        **dict.fromkeys(("first", "last"), TIMESTAMP),
        "gaps": pl.List(pl.Struct({"start": TIMESTAMP, "end": TIMESTAMP})),
        "notes": _TEXTS,
        "sha256": _TEXT,
    },
    "diagnoses": {
        "rank": _INTEGER,
        **dict.fromkeys(("cause", "title", "verdict", "summary", "platform"), _TEXT),
        **dict.fromkeys(("first_seen", "last_seen"), TIMESTAMP),
        "count": _INTEGER,
        **dict.fromkeys(("error_codes", "chain", "consequences"), _TEXTS),
        "rivals": pl.List(pl.Struct({"cause": _TEXT, "why_not": _TEXT})),
        "remedies": _TEXTS,
        "docs": pl.List(pl.Struct({"title": _TEXT, "url": _TEXT})),
        "how": _TEXT,
    },
    "matches": {
        **dict.fromkeys(("rule", "title", "level", "cause", "role", "strength", "logsource", "table"), _TEXT),
        "timestamp": TIMESTAMP,
        "source": _TEXT,
        **dict.fromkeys(("line", "offset", "record_id"), _INTEGER),
        "message": _TEXT,
    },
}
#: Of these tables, the columns that never hold text of a bundle.
OURS_OF: Final[Mapping[str, Collection[str]]] = {
    "matches": frozenset(("rule", "title", "level", "cause", "role", "strength", "table")),
    **{
        name: frozenset(each.name for each in fields(kind) if each.metadata.get(NOT_BUNDLE_TEXT))
        for name, kind in (("attempts", AttemptEntry), ("coverage", Coverage), ("diagnoses", Diagnosis))
    },
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under names that every format can hold: no two columns differ only in case.

    ``renamed``: by column, the name that it has in its source. ``kinds``: groups of meanings, the nearest first.
    """

    name: str
    logsource: str | None
    rows: pl.DataFrame
    kinds: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def meaning(self, column: str) -> Meaning | None:
        """What the column means; None: a field of the source itself."""
        return meaning_of(self.renamed.get(column, column), self.kinds)


def bundle_tables(judged: Judged, redactor: ColumnRedactor, wanted: Collection[str] | None = None) -> list[Table]:
    """The tables of a bundle, redacted, by name.

    ``wanted``: only these, by name; None: all but ``events``, whose rows the others have.
    """
    chosen = _unredacted(judged, redactor, set(table_names(judged)) - {EVENTS} if wanted is None else wanted)
    ours = {one.name: _ours(one) for one in chosen}
    redacted = redactor.tables({one.name: one.rows for one in chosen}, ours)
    return [_named_safely(one, redacted[one.name], redactor) for one in chosen]


def table_outlines(judged: Judged, redactor: ColumnRedactor) -> list[tuple[Table, int]]:
    """All tables of a bundle without their rows, by name, and how many rows each has."""
    made = _unredacted(judged, redactor, table_names(judged))
    return [(_named_safely(one, one.rows.clear(), redactor), one.rows.height) for one in made]


def table_names(judged: Judged) -> list[str]:
    """The names of all tables of a bundle, sorted."""
    return sorted((*_by_name(judged.frames), *REPORT_TABLES, EVENTS))


def _unredacted(judged: Judged, redactor: ColumnRedactor, wanted: Collection[str]) -> list[Table]:
    """These tables by name; what the report says is redacted already, and its tokens come first."""
    by_name = _by_name(judged.frames)
    names = {logsource: name for name, logsource in by_name.items()}
    parts: dict[LogSource, list[pl.DataFrame]] = defaultdict(list)
    for frame in judged.frames:
        parts[frame.logsource].append(frame.rows)
    tables = [
        Table(name, str(one), concat_rows(parts[one]), _kinds(one, parts[one]))
        for name, one in by_name.items()
        if name in wanted
    ]
    tables += [one for one in _report_tables(redact_report(judged.report, redactor)) if one.name in wanted]
    if "matches" in wanted:
        tables.append(_matches(judged, names))
    if EVENTS in wanted:
        tables.append(_events(judged.reading.frames, names))
    return sorted(tables, key=lambda table: table.name)


def _by_name(frames: Sequence[EventFrame]) -> dict[str, LogSource]:
    """A name for each log source, by log source: ``linux_waagent``, ``windows_system_gap``; letters, digits, ``_``."""
    found: dict[str, LogSource] = {}
    for logsource in sorted({frame.logsource for frame in frames}):
        parts = [part for part in (logsource.product, logsource.service, logsource.category) if part]
        plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in "_".join(parts).lower())
        found[_unused(plain[:_LONGEST_NAME] or "any", {*found, *REPORT_TABLES, EVENTS})] = logsource
    return found


def _unused(name: str, taken: Collection[str]) -> str:
    """The name, or the name and a number; ``taken`` are names without their case."""
    unused, count = name, 1
    while unused.casefold() in taken:
        count += 1
        unused = f"{name}_{count}"
    return unused


def _kinds(logsource: LogSource, parts: Sequence[pl.DataFrame]) -> tuple[str, ...]:
    if logsource.category in DERIVED:
        return (logsource.category, "derived", "shared")
    return ("windows", "shared") if "Provider_Name" in parts[0].columns else ("shared",)


def _ours(table: Table) -> Collection[str]:
    """Columns that never hold text of the bundle; what is of the report was redacted with it."""
    return OURS_OF.get(table.name, _OURS)


def _events(frames: Sequence[EventFrame], names: Mapping[LogSource, str]) -> Table:
    rows = merged(frames)
    by_text = {str(logsource): name for logsource, name in names.items()}
    table = rows.get_column("logsource").replace_strict(by_text, default=None, return_dtype=pl.String).alias("table")
    return Table(EVENTS, None, rows.insert_column(1, table), (EVENTS, "shared"))


def _matches(judged: Judged, names: Mapping[LogSource, str]) -> Table:
    """One row for each match of a signature, at the place of the row that matches."""
    places = [_Places(frame.rows) for frame in judged.frames]
    rows = []
    for match in judged.matches.matches:
        said, logsource = match.rule.attribution, judged.frames[match.frame].logsource
        rows.append(
            {
                "rule": match.rule.id,
                "title": match.rule.title,
                "level": match.rule.level,
                "cause": said.cause if said is not None else None,
                "role": said.role if said is not None else None,
                "strength": said.strength if said is not None else None,
                "logsource": str(logsource),
                "table": names[logsource],
                **places[match.frame].of(match.row),
            }
        )
    return Table("matches", None, pl.DataFrame(rows, schema=dict(REPORT_SCHEMAS["matches"])), ("matches",))


class _Places:
    """Where the rows of a frame stand."""

    _COLUMNS: Final = {
        "timestamp": "@timestamp",
        "source": "log.file.path",
        "line": "log.line",
        "offset": "log.offset",
        "record_id": "EventRecordID",
        "message": "message",
    }

    def __init__(self, rows: pl.DataFrame) -> None:
        self._columns = {
            name: rows.get_column(column)
            for name, column in self._COLUMNS.items()
            if column in rows.columns and rows.schema[column] == REPORT_SCHEMAS["matches"][name]
        }

    def of(self, row: int) -> dict[str, Any]:
        """The place of one row, with its time and text."""
        return {name: column[row] for name, column in self._columns.items()}


def _report_tables(report: Report) -> Iterator[Table]:
    for name, values in (("attempts", report.attempts), ("coverage", report.coverage), ("diagnoses", report.diagnoses)):
        schema = REPORT_SCHEMAS[name]
        rows = [{column: _plain(getattr(value, column)) for column in schema} for value in values]
        yield Table(name, None, pl.DataFrame(rows, schema=dict(schema)), (name,))


def _plain(value: Any) -> Any:
    """A value of the report as a table holds it; a pair is a span of times."""
    if isinstance(value, Rival | Doc):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, tuple):
        return [
            {"start": datetime.fromisoformat(one[0]), "end": datetime.fromisoformat(one[1])}
            if isinstance(one, tuple)
            else _plain(one)
            for one in value
        ]
    return value


def _named_safely(table: Table, rows: pl.DataFrame, redactor: ColumnRedactor) -> Table:
    """The table with names that a terminal may show, of which no two differ only in case; the first keeps its own."""
    plain = [one_line(redactor.text(name))[:_LONGEST_COLUMN] or "column" for name in rows.columns]
    taken = {name.casefold() for name in plain}
    kept: set[str] = set()
    names = []
    for name in plain:
        chosen = name if name.casefold() not in kept else _unused(name, taken)
        kept.add(chosen.casefold())
        taken.add(chosen.casefold())
        names.append(chosen)
    renamed = {new: old for new, old in zip(names, plain, strict=True) if new != old}
    columns = [column.alias(name) for name, column in zip(names, rows.get_columns(), strict=True)]
    logsource = None if table.logsource is None else one_line(redactor.text(table.logsource))
    return Table(table.name, logsource, pl.DataFrame(columns), table.kinds, renamed)
