"""Any Sigma rules over any events: one row for each match, and one for each correlation with all its records."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, BinaryIO, Final

from msgspec.structs import replace

from loganalyzer.event_match.reading import Progress, Unread, read_events
from loganalyzer.intake import Limits
from loganalyzer.registry import Choice
from loganalyzer.report.json_report import iso
from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.correlate import Correlated, correlate
from loganalyzer.sigma.match import Matches, Unable, match
from loganalyzer.sigma.matched_fields import matched_fields
from loganalyzer.sigma.rule import Loaded, Rule, Signature
from loganalyzer.sigma.taxonomy import DERIVED_CATEGORIES
from loganalyzer.sigma.undeclared import joined, leaves_open, match_undeclared

#: Sigma's levels, from the least. A rule without one counts as the least.
LEVELS: Final = ("informational", "low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """``time_zone``: IANA name for times without a zone. ``logsource``: of JSON events that name no Windows channel.

    ``min_level``: rows of rules below it are left out. ``choices`` of parsers for files override recognition.
    """

    limits: Limits = field(default_factory=Limits)
    time_zone: str | None = None
    logsource: LogSource | None = None
    min_level: str | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: file as given, EventRecordID or else 1-based line, time (UTC), host; None: not known."""

    file: str | None
    record_id: int | None
    time: datetime | None
    host: str | None

    def to_json(self) -> dict[str, Any]:
        """File, record and time."""
        timestamp = iso(self.time) if self.time is not None else None
        return {"file": self.file, "record_id": self.record_id, "timestamp": timestamp}


@dataclass(frozen=True)
class MatchRow:
    """A rule, the event that it matched (the one that completes a correlation), and the fields that made it match."""

    rule: Signature
    place: Place
    logsource: LogSource
    fields: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The row as JSON's own types, times in ISO 8601."""
        return {
            "rule_id": self.rule.id,
            "rule_title": self.rule.title,
            "level": self.rule.level,
            **self.place.to_json(),
            "logsource": str(self.logsource),
            "host": self.place.host,
            "matched_fields": dict(self.fields),
        }


@dataclass(frozen=True)
class CorrelationRow(MatchRow):
    """A correlation that holds. Its records are looked up when they are asked for, for they may be many."""

    found: Correlated
    place_of: Callable[[int, int], Place]

    def to_json(self) -> dict[str, Any]:
        """The row as for any rule, then what was found, and every event that contributes, in time order."""
        records = [(self.place_of(one.frame, one.row), one.rule_ids) for one in self.found.records]
        times = [place.time for place, _ in records if place.time is not None]
        return {
            **super().to_json(),
            "type": self.found.rule.type,
            "group": dict(self.found.group),
            "value": self.found.value,
            "first": iso(min(times)) if times else None,
            "last": iso(max(times)) if times else None,
            "count": len(records),
            "records": [{**place.to_json(), "rule_ids": list(rule_ids)} for place, rule_ids in records],
        }


@dataclass(frozen=True, slots=True)
class EventMatches:
    """What came of a run.

    ``rows``: matches by file, place and rule id, then correlations by time. ``ran``: ids of rules that ran on some
    events. ``no_source``: of rules whose log source is known and not among the events. ``unable``: rules that could not
    run, or not on everything. ``lesser``: how many event rules were left out for their level. ``hosts``: the machines
    that any of the events names, matched or not. The rest is as in
    `loganalyzer.event_match.reading.EventReading`.
    """

    rows: Sequence[MatchRow]
    ran: tuple[str, ...]
    no_source: tuple[str, ...]
    unable: tuple[Unable, ...]
    lesser: int
    unread: tuple[Unread, ...]
    rejected: tuple[Unread, ...]
    ignored: int
    undeclared: Mapping[str, int]
    events: int
    idle: tuple[Choice, ...] = ()
    hosts: tuple[str, ...] = ()


def match_events(
    inputs: Sequence[str | os.PathLike[str]],
    rules: Loaded,
    options: MatchOptions | None = None,
    *,
    stdin: BinaryIO | None = None,
    progress: Progress | None = None,
) -> EventMatches:
    """Runs rules over the events of files, directories and archives (``-``: ``stdin``).

    Events of one log source are matched together, whatever files they are from, so that a correlation may find its
    records in several files.

    Raises:
        UsageError: no input, or standard input without ``stdin``.
        BundleError: an input does not exist.
    """
    options = options or MatchOptions()
    tell = progress or (lambda phase, name, size: None)
    reading = read_events(inputs, options.limits, options.logsource, options.time_zone, stdin, tell, options.choices)
    tell("matching", "", 0)
    wanted = _reaching(rules, options.min_level)
    read = reading.frames(derived=_asks_for_derived(wanted.rules))
    frames = [
        *(one for one in read if not leaves_open(one.logsource)),
        *(one for one in read if leaves_open(one.logsource)),
    ]
    first_open = sum(not leaves_open(frame.logsource) for frame in frames)
    matches = joined(
        wanted.rules,
        match(wanted.rules, frames[:first_open]),
        match_undeclared(wanted.rules, frames[first_open:]),
        first_open,
    )
    rows = _Rows(frames, matches, {path: number for number, path in enumerate(reading.order)})
    found, unable = _correlated(wanted, frames, matches)
    return EventMatches(
        rows=[
            *(row for row in rows.of_matches(wanted.silent) if _reaches(row.rule, options.min_level)),
            *rows.of_correlations(one for one in found if _reaches(one.rule, options.min_level)),
        ],
        ran=matches.ran,
        no_source=matches.no_source,
        unable=(*matches.unable, *unable),
        lesser=len(rules.rules) - len(wanted.rules),
        unread=reading.unread,
        rejected=reading.rejected,
        ignored=reading.ignored,
        undeclared=reading.undeclared,
        events=reading.events,
        idle=reading.idle,
        hosts=tuple(sorted({host for one in frames for host in one.rows["host.name"].drop_nulls().unique()})),
    )


def reaches(level: str | None, least: str) -> bool:
    """Whether a rule's level is at or above another; a rule without one has the least."""
    return LEVELS.index(level or LEVELS[0]) >= LEVELS.index(least)


def _reaches(rule: Signature, least: str | None) -> bool:
    return least is None or reaches(rule.level, least)


def _reaching(rules: Loaded, least: str | None) -> Loaded:
    """Without event rules that could only give rows below the level."""
    asked = frozenset(name for one in rules.correlations for name in one.rules)
    kept = tuple(rule for rule in rules.rules if rule.id in asked or _reaches(rule, least))
    return replace(rules, rules=kept)


def _asks_for_derived(rules: Iterable[Rule]) -> bool:
    return any(rule.logsource.category in DERIVED_CATEGORIES for rule in rules)


def _correlated(
    rules: Loaded, frames: Sequence[EventFrame], matches: Matches
) -> tuple[Sequence[Correlated], Sequence[Unable]]:
    if not rules.correlations:
        return (), ()
    outcome = correlate(rules.correlations, frames, matches)
    return [one for one in outcome.found if one.rule.id not in rules.silent], outcome.unable


class _Rows:
    """Matches as rows with their place and fields."""

    def __init__(self, frames: Sequence[EventFrame], matches: Matches, order: Mapping[str, int]) -> None:
        self._frames = frames
        self._places = [_Places(frame) for frame in frames]
        self._matches = matches
        self._order = order

    def of_matches(self, silent: frozenset[str]) -> list[MatchRow]:
        """By file in the order of reading, place in it, and rule id."""
        numbers: dict[tuple[str, int], list[int]] = defaultdict(list)
        rules: dict[str, Rule] = {}
        for one in self._matches.matches:
            if isinstance(one.rule, Rule) and one.rule.id not in silent:
                numbers[one.rule.id, one.frame].append(one.row)
                rules[one.rule.id] = one.rule
        found = [
            (self._position(frame, row), self._row(rules[rule_id], frame, row, fields))
            for (rule_id, frame), rows in numbers.items()
            for row, fields in zip(rows, matched_fields(rules[rule_id], self._frames[frame].rows, rows), strict=True)
        ]
        found.sort(key=lambda pair: (pair[0], pair[1].rule.id))
        return [row for _, row in found]

    def of_correlations(self, found: Iterable[Correlated]) -> list[MatchRow]:
        """In the order given; the fields are those by which the completing event matches rules below."""
        rules = {one.rule.id: one.rule for one in self._matches.matches if isinstance(one.rule, Rule)}
        fields: dict[tuple[str, int, int], dict[str, Any]] = {}
        rows: list[MatchRow] = []
        for one in found:
            own: dict[str, Any] = {}
            for rule_id in one.records[-1].rule_ids:
                key = (rule_id, one.frame, one.row)
                if key not in fields:
                    (fields[key],) = matched_fields(rules[rule_id], self._frames[one.frame].rows, [one.row])
                own |= fields[key]
            place, logsource = self.place(one.frame, one.row), self._frames[one.frame].logsource
            rows.append(CorrelationRow(one.rule, place, logsource, own, one, self.place))
        return rows

    def place(self, frame: int, row: int) -> Place:
        """Where an event stands."""
        return self._places[frame].place(row)

    def _row(self, rule: Rule, frame: int, row: int, fields: Mapping[str, Any]) -> MatchRow:
        return MatchRow(rule, self.place(frame, row), self._frames[frame].logsource, fields)

    def _position(self, frame: int, row: int) -> tuple[int, int, int, int]:
        places = self._places[frame]
        number = self._order.get(places.place(row).file or "", len(self._order))
        return number, places.sequences[row] or 0, frame, row


@dataclass(frozen=True)
class _Places:
    """The places of all events of a frame, each column read once."""

    frame: EventFrame

    def place(self, row: int) -> Place:
        """A derived row stands where the first entry stands that it was made from."""
        cited = self._cited[row]
        if cited:
            record_id = cited[0]["EventRecordID"] if cited[0]["EventRecordID"] is not None else cited[0]["log.line"]
            return Place(cited[0]["log.file.path"], record_id, self._times[row], self._hosts[row])
        number = self._numbers[row]
        return Place(
            self._files[row], number if number is not None else self._lines[row], self._times[row], self._hosts[row]
        )

    @cached_property
    def sequences(self) -> list[int | None]:
        """The order in the file."""
        return self._column("event.sequence")

    @cached_property
    def _files(self) -> list[str | None]:
        return self._column("log.file.path")

    @cached_property
    def _numbers(self) -> list[int | None]:
        return self._column("EventRecordID")

    @cached_property
    def _lines(self) -> list[int | None]:
        return self._column("log.line")

    @cached_property
    def _times(self) -> list[datetime | None]:
        return self._column("@timestamp")

    @cached_property
    def _hosts(self) -> list[str | None]:
        return self._column("host.name")

    @cached_property
    def _cited(self) -> list[list[dict[str, Any]] | None]:
        if self.frame.logsource.category not in DERIVED_CATEGORIES:  # an event may have a field of that name
            return [None] * self.frame.rows.height
        return self._column("derived_from")

    def _column(self, name: str) -> list[Any]:
        rows = self.frame.rows
        return rows.get_column(name).to_list() if name in rows.columns else [None] * rows.height
