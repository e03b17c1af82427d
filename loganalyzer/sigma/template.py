"""A commented rule or correlation to start from: valid, linted and proved as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from loganalyzer.schema import LogSource
from loganalyzer.sigma.rule import CorrelationType
from loganalyzer.sigma.shape import Shape, shape_of
from loganalyzer.sigma.taxonomy import is_own


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the new rule is about. ``cause`` None: a fact, which speaks for no cause.

    ``title`` is printable text of one line. ``columns``: comments about the log source's columns, a line each.
    ``formats``: names of the parsers that give such rows from text, so that an example may hold text.
    """

    name: str
    title: str
    level: str
    logsource: LogSource
    cause: str | None
    columns: Sequence[str]
    formats: Sequence[str]
    today: date


def event_rule(wanted: Wanted) -> str:
    """The text of an event rule in YAML."""
    return "\n".join((*_HEAD, *_rule(wanted, shape_of(wanted.logsource)))) + "\n"


_HEAD = (
    "# A Sigma rule (https://sigmahq.io/docs/basics/rules.html) with one key of loganalyzer's own, 'loganalyzer'.",
    "# It is valid as it stands. Replace the examples by what your logs say, then run on this file:",
    "#     loganalyzer signatures lint --rules FILE",
    "#     loganalyzer signatures test --rules FILE",
)


def _rule(wanted: Wanted, shape: Shape) -> Iterator[str]:
    source = wanted.logsource
    yield from _header(wanted, "What a match shows, in one line without the name of a customer or machine.")
    yield "# Which rows it reads; what is left out is not asked. See: loganalyzer formats"
    yield "logsource:"
    parts = (("product", source.product), ("service", source.service), ("category", source.category))
    yield from (f"    {key}: {value}" for key, value in parts if value is not None)
    yield from (f"# {line}".rstrip() for line in wanted.columns)
    yield "# What a row must say: all fields of one map, any value of one list; '|contains' and others modify a field."
    yield "detection:"
    yield "    selection:"
    yield from _lines(shape.detection, 8)
    yield "    # How the maps above go together: and, or, not, '1 of selection_*'."
    yield "    condition: selection"
    yield from _footer(wanted)
    yield "        - name: what it finds"
    yield "          match: true"
    yield from _about_event(wanted)
    yield "          event:"
    yield from _lines(shape.row, 14)
    yield from _NEGATIVE
    yield "        - name: its nearest harmless neighbour"
    yield "          match: false"
    yield "          event:"
    yield from _lines(shape.neighbour, 14)


def _about_event(wanted: Wanted) -> Iterator[str]:
    yield "          # A row with the columns that the rule asks for."
    if wanted.formats:
        named = " or ".join(f"'parser: {name}'" for name in wanted.formats[:2])
        yield f"          # Better, lines of a log under 'raw: |' with {named}, which are"
        yield "          # read as in a scan; replace secrets and names in them."


_NEGATIVE = (
    "        # The row that is most like the one above and means no harm: a retry that worked, another program, the",
    "        # same words in a success. Change only what makes it harmless; a row that shares nothing proves nothing.",
)

_NEGATIVES = (
    "        # The events that are most like those above and mean no harm: too few, too far apart, in another order.",
    "        # At least one of them must match a rule below the correlation, or they would prove nothing.",
)


def _header(wanted: Wanted, about_title: str) -> Iterator[str]:
    yield f"# {about_title}"
    yield f"title: {_scalar(wanted.title)}"
    yield "# Unique for ever: it stays when the rule changes."
    yield f"id: {uuid4()}"
    yield "# What correlations and 'loganalyzer signatures show' call it, in snake_case."
    yield f"name: {wanted.name}"
    if is_own(wanted.logsource):
        yield "# The field names are loganalyzer's, not Sigma's own."
        yield "taxonomy: loganalyzer"
    yield "# experimental, test or stable."
    yield "status: experimental"
    yield "# What the log shows, why that is so, and what else it could be."
    yield "description: 'Replace this by one or two sentences.'"
    yield "# Who wrote it, and when."
    yield "author: 'Replace this'"
    yield f"date: {wanted.today.isoformat()}"


def _footer(wanted: Wanted) -> Iterator[str]:
    yield "# What matches although nothing is wrong."
    yield "falsepositives:"
    yield "    - 'None known'"
    yield "# informational, low, medium, high or critical."
    yield f"level: {wanted.level}"
    yield "# What a match means for a diagnosis."
    yield "loganalyzer:"
    if wanted.cause is None:
        yield "    # A fact speaks for no cause. For one: 'role: supports' or refutes, 'cause: ID', 'strength: strong'."
        yield "    role: fact"
    else:
        yield "    # supports or refutes a cause of the catalogue; a fact does neither."
        yield "    role: supports"
        yield "    # Its id. See: loganalyzer explain ID"
        yield f"    cause: {wanted.cause}"
        yield "    # definitive: the log says so outright; strong: this makes it likely; weak: it agrees with others."
        yield "    strength: strong"
    yield "    # Proofs, run by 'loganalyzer signatures test': at least one of each kind."
    yield "    examples:"


#: What each type of correlation asks, for the comment above it.
_ASKS: Mapping[CorrelationType, str] = {
    "event_count": "event_count: how many events of the rules lie within the timespan.",
    "value_count": "value_count: how many distinct values the field has within the timespan.",
    "temporal": "temporal: each of the rules matches within the timespan, in any order.",
    "temporal_ordered": "temporal_ordered: each of the rules matches within the timespan, in the order of 'rules'.",
    "value_sum": "value_sum: the sum of the field's numbers within the timespan.",
    "value_avg": "value_avg: the mean of the field's numbers within the timespan.",
    "value_percentile": "value_percentile: a percentile of the field's numbers within the timespan.",
    "value_median": "value_median: the median of the field's numbers within the timespan.",
}


@dataclass(frozen=True, slots=True)
class _Case:
    """An example of a correlation: rows, each with the minute at which it is written."""

    name: str
    rows: Sequence[tuple[int, Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a correlation of a type asks, and both of its examples; ``count``: events that complete the first."""

    condition: Mapping[str, object]
    finds: _Case
    neighbour: _Case
    count: int | None = None


def correlation_rule(wanted: Wanted, kind: CorrelationType) -> str:
    """The text of the event rules that a correlation needs, and of the correlation, in YAML."""
    parts = ("first", "second") if kind in ("temporal", "temporal_ordered") else ("event",)
    shapes = [shape_of(wanted.logsource, number) for number, _ in enumerate(parts, 1)]
    below = [
        replace(
            wanted, name=f"{wanted.name}_{part}", title=f"{wanted.title}: {part}", level="informational", cause=None
        )
        for part in parts
    ]
    lines = [*_HEAD]
    for number, (rule, shape) in enumerate(zip(below, shapes, strict=True)):
        lines += _rule(rule if number == 0 else replace(rule, columns=()), shape)
        lines.append("---")
    lines += _correlation(wanted, kind, [rule.name for rule in below], _plan(kind, shapes))
    return "\n".join(lines) + "\n"


def _plan(kind: CorrelationType, shapes: Sequence[Shape]) -> _Plan:
    row = shapes[0].row
    if kind == "event_count":
        near, far = _Case("three times within the timespan", _every(5, [row] * 3)), _every(10, [row] * 3)
        return _Plan({"gte": 3}, near, _Case("three times, too far apart", far), 1)
    if kind == "value_count":
        name, values = shapes[0].distinct
        rows: list[Mapping[str, object]] = [{**row, name: value} for value in values]
        finds, neighbour = (
            _Case("three values", _every(5, rows)),
            _Case("one value, three times", _every(5, rows[:1] * 3)),
        )
        return _Plan({"gte": 3, "field": name}, finds, neighbour, 1)
    if kind in ("temporal", "temporal_ordered"):
        rows = [shape.row for shape in shapes]
        if kind == "temporal":
            neighbour = _Case("both, too far apart", _every(20, rows))
        else:
            neighbour = _Case("the second before the first", _every(5, rows[::-1]))
        return _Plan({}, _Case("one after the other", _every(5, rows)), neighbour, 1)
    name, high, low = shapes[0].number
    limit = high * 5 // 2 if kind == "value_sum" else high * 3 // 4
    percentile = {"percentile": 90} if kind == "value_percentile" else {}
    finds = _Case("three high values", _every(5, [{**row, name: high}] * 3))
    neighbour = _Case("three low values", _every(5, [{**row, name: low}] * 3))
    return _Plan({"gte": limit, "field": name, **percentile}, finds, neighbour)


def _every(minutes: int, rows: Iterable[Mapping[str, object]]) -> list[tuple[int, Mapping[str, object]]]:
    return [(number * minutes, row) for number, row in enumerate(rows)]


def _correlation(wanted: Wanted, kind: CorrelationType, names: Sequence[str], plan: _Plan) -> Iterator[str]:
    yield from _header(wanted, "A correlation of the rules above: what it shows, in one line.")
    yield "# See https://sigmahq.io/docs/meta/correlations.html"
    yield "correlation:"
    yield f"    # {_ASKS[kind]}"
    yield f"    type: {kind}"
    yield "    # The rules whose matches it takes, by name or id. Their role is fact: alone they speak for nothing."
    yield "    rules:"
    yield from (f"        - {name}" for name in names)
    yield from _grouping(wanted.logsource)
    yield "    # How far apart the first and the last may be: a number and s, m, h, d, w, M or y."
    yield "    timespan: 15m"
    if plan.condition:
        yield "    # gte, gt, lte, lt, eq or neq a number. It holds at each event that fulfils it."
        yield "    condition:"
        yield from _lines(plan.condition, 8)
    yield from _footer(wanted)
    yield from _events(plan.finds, match=True, count=plan.count)
    yield from _NEGATIVES
    yield from _events(plan.neighbour, match=False, count=None)


def _grouping(source: LogSource) -> Iterator[str]:
    """By host, where rows name theirs: those of text logs do not, and would take no part."""
    if source.product == "windows" and not is_own(source):
        yield "    # Only events with equal values of these fields belong together; one without a value takes no part."
        yield "    group-by:"
        yield "        - host.name"
    else:
        yield "    # 'group-by:' with fields keeps events with other values apart; an event without one takes no part."


def _events(case: _Case, *, match: bool, count: int | None) -> Iterator[str]:
    yield f"        - name: {case.name}"
    yield f"          match: {str(match).lower()}"
    if count is not None:
        yield "          # How many events complete it; may be left out."
        yield f"          count: {count}"
    if match:
        yield "          # Rows that the rules below read, each with its time and the fields that are grouped by."
    yield "          events:"
    for minute, row in case.rows:
        time = datetime(2026, 3, 1, 2, tzinfo=UTC) + timedelta(minutes=minute)
        timed = {"@timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "host.name": "vm01", **row}
        first, *others = _lines(timed, 16)
        yield f"{first[:14]}- {first[16:]}"
        yield from others


def _lines(fields: Mapping[str, object], indent: int) -> Iterator[str]:
    for name, value in fields.items():
        key = name if re.fullmatch(r"[A-Za-z][\w.|-]*", name) else _scalar(name)
        yield f"{' ' * indent}{key}: {_scalar(value)}"


def _scalar(value: object) -> str:
    """A value as YAML: text in single quotes, where nothing but the quote itself has a meaning."""
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
