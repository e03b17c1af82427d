"""Correlations: rules over the matches of other rules, in sliding windows that no boundary cuts.

How the specification is read here (its text leaves these open):

* A window ends at an event and is closed on both sides: events exactly the timespan apart belong together. Each event
  at which the condition holds completes the correlation once.
* Events at the same time are in the order of their file. An event without a time, or without a field that is grouped
  by, takes no part.
* An event that several of the rules match is one event. Values of ``group-by`` are compared as text, with case.
* ``value_count`` counts distinct values; a missing value is none. Sums, averages, percentiles (by linear
  interpolation) and medians are exact and skip what is no number; without any number nothing holds.
* ``temporal`` counts the different rules in the window, ``temporal_ordered`` the longest chain in the rules' order that
  ends at the event, starting as late as possible.
* ``a and not b``: the event that completes ``a``, with no ``b`` after it within the timespan. Of several events that
  must be present the latest of each count, and none of the absent ones may follow the first of them.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import polars as pl
from msgspec import Struct

from loganalyzer.schema import EventFrame
from loganalyzer.sigma.bind import as_text, column_of
from loganalyzer.sigma.match import Matches, Unable
from loganalyzer.sigma.rule import Alternative, Correlation

#: What events are sorted by: time in µs since 1970 (UTC), file, place in the file, frame, row.
_Order: TypeAlias = tuple[int, str, int, int, int]

#: What a field of an event holds, as text: one value, several, or none.
Text: TypeAlias = str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Record:
    """An event that takes part: ``frame`` and ``row`` as in `Match`, and the ids of the event rules that it matched."""

    order: _Order = field(repr=False)
    frame: int
    row: int
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Correlated:
    """A correlation that holds at an event: the one that completes it is row ``row`` of frame ``frame``.

    ``group``: the fields (or aliases) that it groups by, each with the value that all records share, as text.
    ``value``: what was compared with the thresholds; None for an extended condition.
    """

    rule: Correlation
    frame: int
    row: int
    group: tuple[tuple[str, str], ...]
    value: int | float | None
    _events: Sequence[_Event] = field(repr=False, hash=False)
    _parts: range | tuple[int, ...] = field(repr=False, hash=False)

    @property
    def time(self) -> int:
        """When it is complete: µs since 1970, UTC."""
        return self._events[self._parts[-1]].time

    @property
    def records(self) -> tuple[Record, ...]:
        """Every event that contributes, in time order; the completing one is the last."""
        found: dict[_Order, dict[str, None]] = defaultdict(dict)
        for event in (self._events[part] for part in self._parts):
            own = event.rules.difference(one.rule.id for one in event.below)
            if own:
                found[event.order].update(dict.fromkeys(sorted(own)))
            for record in (record for one in event.below for record in one.records):
                found[record.order].update(dict.fromkeys(record.rule_ids))
        return tuple(Record(order, *order[-2:], tuple(found[order])) for order in sorted(found))


def episodes(found: Iterable[Correlated]) -> tuple[Correlated, ...]:
    """Joins what completes one correlation in one group over and over while its windows overlap.

    An episode holds all their records, is complete where the last of them is, and has its value.
    """
    joined: list[Correlated] = []
    latest: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    for one in found:
        key = one.rule.id, one.group
        place = latest.get(key)
        if place is not None and one._parts[0] <= joined[place]._parts[-1]:
            joined[place] = replace(one, _parts=_joined(joined[place]._parts, one._parts))
        else:
            latest[key] = len(joined)
            joined.append(one)
    return tuple(joined)


def _joined(one: range | tuple[int, ...], other: range | tuple[int, ...]) -> range | tuple[int, ...]:
    if isinstance(one, range) and isinstance(other, range):
        return range(min(one.start, other.start), max(one.stop, other.stop))
    return tuple(sorted({*one, *other}))


class Correlations(Struct, frozen=True):
    """``found`` by time, place and rule id; ``unable``: correlations that could not be judged wholly, and why."""

    found: tuple[Correlated, ...]
    unable: tuple[Unable, ...]


def correlate(correlations: Sequence[Correlation], frames: Sequence[EventFrame], matches: Matches) -> Correlations:
    """Judges each correlation over the matches of the event rules; one that comes first may be referred to later."""
    hits: dict[str, list[_Hit]] = defaultdict(list)
    for match in matches.matches:
        hits[match.rule.id].append(_Hit(match.frame, match.row))
    referred = {rule_id for correlation in correlations for rule_id in correlation.rules}
    failed = {one.rule_id: one.why for one in matches.unable}
    found: list[Correlated] = []
    unable: list[Unable] = []
    for correlation in correlations:
        gathered = _gather(correlation, hits, frames)
        own = [one for events in gathered.groups.values() for one in _judge(correlation, events)]
        found += own
        if correlation.id in referred:
            hits[correlation.id] += [_Hit(one.frame, one.row, one) for one in own]
        broken = [f"{name} cannot run: {failed[name]}" for name in correlation.rules if name in failed]
        why = [*broken, *gathered.left_out]
        if why:
            failed[correlation.id] = "; ".join(why)
            unable.append(Unable(correlation.id, failed[correlation.id]))
    ordered = sorted(found, key=lambda one: (one.time, one.frame, one.row, one.rule.id, one.group))
    return Correlations(tuple(ordered), tuple(sorted(unable)))


class _Hit(NamedTuple):
    """An event that a referred rule matched, or that completed a referred correlation (``below``)."""

    frame: int
    row: int
    below: Correlated | None = None


class _Event(NamedTuple):
    """An event of one group, with the rules that it fits and the values to compute with.

    ``below``: the correlations among its rules, as they were completed.
    """

    order: _Order
    group: tuple[str, ...]
    rules: frozenset[str]
    values: tuple[Text, ...]
    below: tuple[Correlated, ...]

    @property
    def time(self) -> int:
        return self.order[0]


class _Gathered(Struct, frozen=True):
    """The events of each group in their order, and what had to be left out."""

    groups: Mapping[tuple[str, ...], Sequence[_Event]]
    left_out: tuple[str, ...]


def _gather(correlation: Correlation, hits: Mapping[str, Sequence[_Hit]], frames: Sequence[EventFrame]) -> _Gathered:
    events: dict[tuple[int, int, tuple[str, ...]], _Event] = {}
    left_out: Counter[str] = Counter()
    for rule_id in dict.fromkeys(correlation.rules):
        rules = frozenset({rule_id})
        for order, hit, groups, values in _described(correlation, rule_id, hits.get(rule_id, ()), frames):
            missing = [name for name, value in zip(correlation.group_by, groups, strict=True) if value is None]
            if order is None:
                left_out["no time"] += 1
            elif missing:
                left_out[f"no field {missing[0]!r} to group by"] += 1
            else:
                group = tuple("\n".join(value) if isinstance(value, tuple) else value or "" for value in groups)
                place = (hit.frame, hit.row, group)
                known = events.get(place)
                event = _Event(order, group, rules, values, () if hit.below is None else (hit.below,))
                events[place] = event if known is None else _merged(known, event)
    by_group: dict[tuple[str, ...], list[_Event]] = defaultdict(list)
    for event in sorted(events.values(), key=lambda one: one.order):
        by_group[event.group].append(event)
    told = [f"left out {count} matching events that have {what}" for what, count in sorted(left_out.items())]
    return _Gathered(by_group, tuple(told) if not by_group or left_out["no time"] else ())


def _merged(one: _Event, other: _Event) -> _Event:
    values = tuple(mine if mine is not None else theirs for mine, theirs in zip(one.values, other.values, strict=True))
    return _Event(one.order, one.group, one.rules | other.rules, values, (*one.below, *other.below))


def _described(
    correlation: Correlation, rule_id: str, hits: Sequence[_Hit], frames: Sequence[EventFrame]
) -> Iterator[tuple[_Order | None, _Hit, tuple[Text, ...], tuple[Text, ...]]]:
    """Each hit with its order (None: it has no time), the values to group by and the values to compute with."""
    by_frame: dict[int, list[_Hit]] = defaultdict(list)
    for hit in hits:
        by_frame[hit.frame].append(hit)
    wanted = (*correlation.group_by, *correlation.fields)
    for frame, own in by_frame.items():
        rows = frames[frame].rows[[hit.row for hit in own]]
        times = rows["@timestamp"].dt.epoch("us").to_list()
        paths = rows["log.file.path"].fill_null("").to_list()
        sequence = rows["event.sequence"].fill_null(0).to_list()
        columns = [_texts(rows, correlation.aliases.get(name, {}).get(rule_id, name)) for name in wanted]
        for index, hit in enumerate(own):
            order = (times[index], paths[index], sequence[index], hit.frame, hit.row)
            group = {} if hit.below is None else dict(hit.below.group)
            cells = tuple(group.get(name, column[index]) for name, column in zip(wanted, columns, strict=True))
            cut = len(correlation.group_by)
            yield (None if times[index] is None else order), hit, cells[:cut], cells[cut:]


def _texts(rows: pl.DataFrame, name: str) -> list[Text]:
    """A field of each row as text; a field that the rows do not have is None in all."""
    column = column_of(name, rows.columns)
    if column is None:
        return [None] * rows.height
    dtype = rows.schema[column]
    cells = pl.DataFrame({"cell": rows.get_column(column)})
    if isinstance(dtype, pl.List):
        inner = dtype.inner if isinstance(dtype.inner, pl.DataType) else dtype.inner()
        element = as_text(pl.element(), inner)
        asked = None if element is None else pl.col("cell").list.eval(element)
    else:
        asked = as_text(pl.col("cell"), dtype)
    values = [None] * rows.height if asked is None else cells.select(asked).to_series().to_list()
    return [tuple(filter(None, value)) if isinstance(value, list) else value for value in values]


#: Where a correlation holds: the index of the completing event, the value, the indexes of what contributes.
_Held: TypeAlias = tuple[int, int | Fraction | None, range | tuple[int, ...]]


def _judge(correlation: Correlation, events: Sequence[_Event]) -> Iterator[Correlated]:
    """Where the correlation holds in the events of one group."""
    if correlation.alternatives:
        held: Iterable[_Held] = _alternatives(correlation, events)
    else:
        held = _HELD[correlation.type](correlation, events)
    tests = [(_COMPARE[one.op], _exact(one.limit)) for one in correlation.thresholds]
    for index, value, parts in held:
        if value is None or all(compare(value, limit) for compare, limit in tests):
            event = events[index]
            group = tuple(zip(correlation.group_by, event.group, strict=True))
            frame, row = event.order[-2:]
            yield Correlated(correlation, frame, row, group, _plain(value), events, parts)


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


def _exact(number: int | float) -> int | Fraction:
    """A limit as it is written: 0.1 is a tenth, not the nearest binary fraction."""
    return number if isinstance(number, int) else Fraction(repr(number))


def _plain(value: int | Fraction | None) -> int | float | None:
    if not isinstance(value, Fraction):
        return value
    return int(value) if value.denominator == 1 else float(value)


def _windows(correlation: Correlation, events: Sequence[_Event]) -> Iterator[tuple[int, int, int]]:
    """For each event (start before, start, index): its window begins at ``start``, that of the event before it at
    ``start before``."""
    start = 0
    for index, event in enumerate(events):
        before = start
        while events[start].time < event.time - _span(correlation):
            start += 1
        yield before, start, index


def _span(correlation: Correlation) -> int:
    return correlation.timespan * 1_000_000


def _event_count(correlation: Correlation, events: Sequence[_Event]) -> Iterator[_Held]:
    for _, start, index in _windows(correlation, events):
        yield index, index + 1 - start, range(start, index + 1)


def _temporal(correlation: Correlation, events: Sequence[_Event]) -> Iterator[_Held]:
    inside: Counter[str] = Counter()
    for before, start, index in _windows(correlation, events):
        for rule_id in events[index].rules:
            inside[rule_id] += 1
        for gone in events[before:start]:
            for rule_id in gone.rules:
                inside[rule_id] -= 1
        yield index, sum(count > 0 for count in inside.values()), range(start, index + 1)


def _value_count(correlation: Correlation, events: Sequence[_Event]) -> Iterator[_Held]:
    """Distinct values; of several fields distinct combinations; each element of a list is a value."""
    values = [_countable(event.values) for event in events]
    inside: Counter[tuple[Text, ...]] = Counter()
    for before, start, index in _windows(correlation, events):
        inside.update(values[index])
        for gone in (value for event in values[before:start] for value in event):
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
        yield index, len(inside), range(start, index + 1)


def _countable(values: tuple[Text, ...]) -> list[tuple[Text, ...]]:
    if None in values:
        return []
    if len(values) == 1 and isinstance(values[0], tuple):
        return [(element,) for element in dict.fromkeys(values[0])]
    return [values]


def _value_sum(correlation: Correlation, events: Sequence[_Event], average: bool = False) -> Iterator[_Held]:
    numbers = [_number(event.values) for event in events]
    total: int | Fraction = 0
    count = 0
    for before, start, index in _windows(correlation, events):
        added = numbers[index]
        gone = [number for number in numbers[before:start] if number is not None]
        total += (added or 0) - sum(gone)
        count += (added is not None) - len(gone)
        if count:
            yield index, Fraction(total, count) if average else total, range(start, index + 1)


def _value_percentile(correlation: Correlation, events: Sequence[_Event], percentile: int) -> Iterator[_Held]:
    numbers = [_number(event.values) for event in events]
    inside: list[int | Fraction] = []
    for before, start, index in _windows(correlation, events):
        added = numbers[index]
        if added is not None:
            insort(inside, added)
        for gone in numbers[before:start]:
            if gone is not None:
                del inside[bisect_left(inside, gone)]
        if inside:
            yield index, _interpolated(inside, percentile), range(start, index + 1)


def _interpolated(ordered: Sequence[int | Fraction], percentile: int) -> int | Fraction:
    below, hundredths = divmod((len(ordered) - 1) * percentile, 100)
    if not hundredths or ordered[below] == ordered[below + 1]:
        return ordered[below]
    return ordered[below] + Fraction(hundredths, 100) * (ordered[below + 1] - ordered[below])


_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
#: Longer runs of digits are no measurement, and exact arithmetic with them could last.
_LONGEST_NUMBER = 400


def _number(values: tuple[Text, ...]) -> int | Fraction | None:
    """The number that an event's value spells, exactly; None: there is no value, or it is no number."""
    (text,) = values[:1] or (None,)
    if not isinstance(text, str) or len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    number = Fraction(text)
    return int(number) if number.denominator == 1 else number


def _temporal_ordered(correlation: Correlation, events: Sequence[_Event]) -> Iterator[_Held]:
    """The longest chain that ends at each event: of each step and length the latest start is all that matters."""
    steps = correlation.rules
    chains: dict[tuple[int, int], tuple[int, ...]] = {}
    for index, event in enumerate(events):
        longer: dict[tuple[int, int], tuple[int, ...]] = {}
        for step in (step for step, rule_id in enumerate(steps) if rule_id in event.rules):
            longer[step, 1] = (index,)
            for (last, length), chain in chains.items():
                known = longer.get((step, length + 1))
                if last < step and (known is None or chain[0] > known[0]):
                    longer[step, length + 1] = (*chain, index)
        chains = {**chains, **longer}
        ended = [chain for chain in longer.values() if event.time - events[chain[0]].time <= _span(correlation)]
        if ended:
            longest = max(ended, key=lambda chain: (len(chain), chain))
            yield index, len(longest), longest


def _alternatives(correlation: Correlation, events: Sequence[_Event]) -> Iterator[_Held]:
    """Where any alternative of an extended condition holds; the first that does tells what contributes."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, event in enumerate(events):
        for rule_id in event.rules:
            places[rule_id].append(index)
    for index, event in enumerate(events):
        for one in correlation.alternatives:
            present = event.rules.intersection(one.present)
            parts = _present(correlation, one, events, places, index) if present else None
            if parts is not None and not _followed(correlation, one, events, places, parts):
                yield index, None, parts
                break


def _present(
    correlation: Correlation,
    one: Alternative,
    events: Sequence[_Event],
    places: Mapping[str, Sequence[int]],
    index: int,
) -> tuple[int, ...] | None:
    """The latest event of each rule that must be present, up to ``index`` and within the timespan; None: one misses."""
    ordered = correlation.type == "temporal_ordered"
    wanted = [rule_id for rule_id in dict.fromkeys(correlation.rules) if rule_id in one.present]
    found: list[int] = []
    for rule_id in reversed(wanted):
        limit = found[-1] - 1 if ordered and found else index
        known = places.get(rule_id, ())
        place = bisect_right(known, limit) - 1
        if place < 0 or events[index].time - events[known[place]].time > _span(correlation):
            return None
        found.append(known[place])
    return tuple(sorted(set(found))) if not ordered or found[0] == index else None


def _followed(
    correlation: Correlation,
    one: Alternative,
    events: Sequence[_Event],
    places: Mapping[str, Sequence[int]],
    parts: Sequence[int],
) -> bool:
    """Whether a rule that must be absent matches after the first part, up to the timespan after the last."""
    until = events[parts[-1]].time + _span(correlation)
    for rule_id in one.absent:
        known = places.get(rule_id, ())
        after = bisect_right(known, parts[0])
        if any(events[place].time <= until for place in known[after : after + 1]):
            return True
    return False


_HELD: Mapping[str, Callable[[Correlation, Sequence[_Event]], Iterator[_Held]]] = {
    "event_count": _event_count,
    "value_count": _value_count,
    "value_sum": _value_sum,
    "value_avg": partial(_value_sum, average=True),
    "value_median": partial(_value_percentile, percentile=50),
    "value_percentile": lambda correlation, events: _value_percentile(correlation, events, correlation.percentile or 0),
    "temporal": _temporal,
    "temporal_ordered": _temporal_ordered,
}
