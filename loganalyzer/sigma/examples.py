"""Runs the examples inside a rule: each must match, or must not, as it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import polars as pl

from loganalyzer.schema import DERIVED_COLUMNS, SHARED_COLUMNS, TIMESTAMP, EventFrame, LogSource, conform
from loganalyzer.sigma.match import match
from loganalyzer.sigma.rule import Example, Rule
from loganalyzer.sigma.taxonomy import scopes, speaks_of

#: Reads raw text as a parser would: the parser's name, a path hint or None, the bytes. Raises LookupError for an
#: unknown parser.
Read: TypeAlias = Callable[[str, str | None, bytes], Sequence[EventFrame]]


_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """Whether an example holds. ``matched``: rows that the rule matched; ``why``: what is wrong, or None."""

    example: Example
    matched: int
    why: str | None

    @property
    def passed(self) -> bool:
        """Whether the rule does what the example says."""
        return self.why is None


def run_examples(rule: Rule, read: Read) -> list[ExampleResult]:
    """Runs every example of the rule, in order. Nothing to read or no fitting log source is a failure, match or not."""
    examples = rule.attribution.examples if rule.attribution is not None else ()
    return [_run(rule, example, read) for example in examples]


def _run(rule: Rule, example: Example, read: Read) -> ExampleResult:
    try:
        frames = _frames(rule, example, read)
    except LookupError as error:
        return ExampleResult(example, 0, f"no parser {example.parser!r}: {error}")
    outcome = match([rule], frames)
    matched = len(outcome.matches)
    if outcome.unable:
        return ExampleResult(example, matched, f"the rule cannot run: {outcome.unable[0].why}")
    if not sum(frame.rows.height for frame in frames if _covers(rule, frame)):
        read_as = ", ".join(sorted({str(frame.logsource) for frame in frames})) or "nothing"
        return ExampleResult(example, matched, f"it holds no event of {rule.logsource}: it was read as {read_as}")
    if (matched > 0) != example.match:
        why = "no row matches" if example.match else f"{matched} rows match and none may"
        return ExampleResult(example, matched, why)
    if example.count is not None and matched != example.count:
        return ExampleResult(example, matched, f"{matched} rows match, not {example.count}")
    return ExampleResult(example, matched, None)


def _frames(rule: Rule, example: Example, read: Read) -> Sequence[EventFrame]:
    if example.raw is not None:
        return read(example.parser or "", example.path, example.raw.encode())
    events = example.events if example.events is not None else (example.event or {},)
    rows = rows_of(events)
    return [EventFrame(scope.source, rows) for scope in scopes(rule.logsource)]


def _covers(rule: Rule, frame: EventFrame) -> bool:
    return any(speaks_of(scope.source, frame.logsource) for scope in scopes(rule.logsource))


def frame_of(logsource: LogSource, events: Iterable[Mapping[str, object]]) -> EventFrame:
    """Events as plain values, as a frame of this log source."""
    return EventFrame(logsource, rows_of(events))


def rows_of(events: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Events as rows with the shared columns; other fields become text, Int64, Float64, Boolean or List columns.

    A column whose values differ in kind becomes text, as a reader of JSON lines would give it; any list makes it a
    list. A time is ISO 8601 text, in UTC if it names no zone; what no shared column can hold is null.
    """
    events = list(events)
    names = dict.fromkeys(name for event in events for name in event)
    columns = [_column(name, [event.get(name) for event in events]) for name in names]
    if "event.sequence" not in names:
        columns.append(pl.Series("event.sequence", range(len(events)), dtype=pl.Int64))
    return conform(pl.DataFrame(columns))


def _column(name: str, values: list[object]) -> pl.Series:
    dtype = {**SHARED_COLUMNS, **DERIVED_COLUMNS}.get(name)
    if dtype == TIMESTAMP:
        return pl.Series(name, [_time(value) for value in values], dtype=TIMESTAMP)
    if dtype == pl.Int64:
        whole = [value if isinstance(value, int) and value in _INT64 else None for value in values]
        return pl.Series(name, whole, dtype=pl.Int64)
    if dtype == pl.String:
        return pl.Series(name, [_cast(value, pl.String()) for value in values], dtype=pl.String)
    return _series(name, values)


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _series(name: str, values: list[object]) -> pl.Series:
    if any(isinstance(value, list) for value in values):
        lists = [value if isinstance(value, list) else None if value is None else [value] for value in values]
        inner = _dtype([item for items in lists if items is not None for item in items])
        typed = [None if items is None else [_cast(item, inner) for item in items] for items in lists]
        return pl.Series(name, typed, dtype=pl.List(inner))
    dtype = _dtype(values)
    return pl.Series(name, [_cast(value, dtype) for value in values], dtype=dtype)


def _dtype(values: Iterable[object]) -> pl.DataType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Boolean()
    if kinds == {int} and all(value in _INT64 for value in values if isinstance(value, int)):
        return pl.Int64()
    if kinds == {float}:
        return pl.Float64()
    return pl.String()


def _cast(value: object, dtype: pl.DataType) -> object:
    if value is None or dtype != pl.String or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
