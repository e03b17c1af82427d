"""The parser kit for long Windows event logs: rows are made of those events only that something may ask for.

An event becomes a row if rules or tables ask for its id or for a text in it, if it is of a level that is told for
itself, if it is the first of its kind, one of the last, one of a machine of which few were seen, or one at which the
clock went back. Of the others stay their number and the times between which they stand, and those that stand beside a
row. A log that holds more than one channel is read whole.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl

from loganalyzer import parser_long_log
from loganalyzer.events_asked import EventsAsked
from loganalyzer.evtx.events import Event
from loganalyzer.evtx.frames import created_times, frames_of, service_of
from loganalyzer.evtx.glance import Glance
from loganalyzer.evtx.heads import UNKNOWN, Heads, System
from loganalyzer.evtx.unaligned import Marks, Places
from loganalyzer.literal_search import line_search
from loganalyzer.schema import EventFrame, LogSource, PassedOver, to_the_minute

BESIDE = parser_long_log.BESIDE
#: Windows' numbers of the levels at which a program says that nothing failed; 0 is shown as Information.
_QUIET = frozenset({"0", "3", "4", "5"})
#: Events of a machine that are rows whatever they hold, so that whose log it is can be told.
OF_A_MACHINE = 20


class NotPlainError(Exception):
    """A log of which nothing must be selected."""


class Decodable(Protocol):
    """Events of a log that follow each other, some of which can be decoded."""

    def events(self, places: Sequence[int], first: int) -> list[Event]:
        """Decodes those at some places in it; ``first`` is the place of its first event among all of the log.

        Raises:
            NotPlainError: one of them cannot be decoded.
        """


class Stretch(Decodable, Protocol):
    """Events of which all can be decoded, and something is known of each before that."""

    @property
    def heads(self) -> Heads:
        """What is known of them without decoding them; where nothing is known, they are decoded."""

    def with_text(self, texts: frozenset[str]) -> Marks:
        """Which of them hold one of some texts (ASCII, lower case) in what they say; it may be too many."""

    def only(self, places: Sequence[int]) -> Decodable:
        """What is needed to decode those at these places."""


@dataclass(frozen=True, slots=True)
class _Part:
    """``first``: the place of its first event in the log; ``chosen``: those that are rows for what is known so far."""

    stretch: Stretch
    first: int
    chosen: Marks

    @property
    def count(self) -> int:
        return len(self.chosen)


@dataclass
class EventPicker:
    """Takes the events of a log in order, and tells the rows. ``asked``: of a log source; None: it is read whole."""

    asked: Callable[[LogSource], EventsAsked | None]
    _rows: list[Event] = field(default_factory=list)
    _beside: list[tuple[int, list[int], Decodable]] = field(default_factory=list)
    _waiting: deque[_Part] = field(default_factory=deque)
    _before: Marks = field(default_factory=lambda: np.zeros(BESIDE, np.bool_))
    _count: int = 0
    _passed: int = 0
    _times: list[pl.Series] = field(default_factory=list)
    _channel: str | None = None
    _questions: EventsAsked | None = None
    _kinds: set[tuple[str, str]] = field(default_factory=set)
    _machines: Counter[str] = field(default_factory=Counter)
    _latest: int | None = None

    def add(self, stretch: Stretch) -> None:
        """The next events.

        Raises:
            NotPlainError: nothing must be selected of this log.
        """
        heads = stretch.heads
        if not len(heads.which):
            return
        part = _Part(stretch, self._count, heads.which == UNKNOWN)
        for number in np.unique(heads.which[~part.chosen]).tolist():
            self._choose(heads.systems[number], np.flatnonzero(heads.which == number), part.chosen)
        if self._questions is not None and self._questions.texts:
            part.chosen[stretch.with_text(self._questions.texts)] = True
        self._choose_where_the_clock_went_back(heads, part)
        part.chosen[: max(0, BESIDE + 1 - self._count)] = True
        self._count += part.count
        self._waiting.append(part)
        behind = sum(one.count for one in self._waiting) - self._waiting[0].count
        while behind >= max(parser_long_log.LAST_ENTRIES, BESIDE) and len(self._waiting) > 1:
            self._settle()
            behind -= self._waiting[0].count

    def frames(self, path: str) -> tuple[EventFrame, ...]:
        """The frame of the log, once it has no more events.

        Raises:
            NotPlainError: nothing must be selected of this log.
        """
        left = parser_long_log.LAST_ENTRIES
        for part in reversed(self._waiting):
            part.chosen[max(0, part.count - left) :] |= left > 0
            left -= min(left, part.count)
        while self._waiting:
            self._settle()
        times = to_the_minute(pl.concat([_moments(np.zeros(0, np.int64)), *self._times]))
        passed = PassedOver("", self._passed, self._passed, times, _Beside(self._beside, path).between)
        return tuple(
            EventFrame(one.logsource, one.rows, passed=(passed,) if number == 0 else ())
            for number, one in enumerate(frames_of(self._rows, path))
        )

    def _choose(self, system: System, places: Places, chosen: Marks) -> None:
        """Marks rows among the events at some places, which have the same fields."""
        provider, event_id, level, channel, computer = system
        if self._channel is None:
            self._channel = channel
            self._questions = self.asked(LogSource("windows", service_of(channel)))
        if channel != self._channel or self._questions is None:
            raise NotPlainError
        kind = (provider.lower(), event_id)
        if kind not in self._kinds:
            self._kinds.add(kind)
            chosen[places[0]] = True
        of_machine = max(0, OF_A_MACHINE - self._machines[computer])
        self._machines[computer] += min(of_machine, len(places))
        chosen[places[:of_machine]] = True
        asked = self._questions
        is_asked = event_id in asked.ids or kind in asked.kinds or _begins_with_one(provider, event_id, asked.texts)
        if is_asked or level not in _QUIET:
            chosen[places] = True

    def _choose_where_the_clock_went_back(self, heads: Heads, part: _Part) -> None:
        places = np.flatnonzero(heads.which != UNKNOWN)
        if not len(places):
            return
        created = heads.created[places]
        back = np.flatnonzero(np.diff(created) < 0)
        part.chosen[places[back]] = part.chosen[places[back + 1]] = True
        if self._latest is not None and created[0] < self._latest:
            part.chosen[places[0]] = True
            if self._waiting:
                self._waiting[-1].chosen[-1] = True
        self._latest = int(created[-1])

    def _settle(self) -> None:
        """Nothing more will be known of the first part that waits."""
        part = self._waiting.popleft()
        around = np.concatenate([self._before, part.chosen, *(one.chosen[:BESIDE] for one in self._waiting)])
        beside = parser_long_log.with_neighbours(around)[len(self._before) :][: part.count] & ~part.chosen
        self._before = np.concatenate([self._before, part.chosen])[-BESIDE:]
        self._rows += part.stretch.events(np.flatnonzero(part.chosen).tolist(), part.first)
        near: list[int] = np.flatnonzero(beside).tolist()
        if near:
            self._beside.append((part.first, near, part.stretch.only(near)))
        self._passed += part.count - int(part.chosen.sum())
        self._times.append(to_the_minute(_moments(part.stretch.heads.created[~part.chosen])))


def _begins_with_one(provider: str, event_id: str, texts: frozenset[str]) -> bool:
    """Whether one of the texts stands in what the message of an event begins with."""
    head = f"{provider} {event_id}: ".lower()
    return any(text in head for text in texts)


def _moments(created: Places) -> pl.Series:
    return pl.Series("@timestamp", created, pl.Int64).cast(pl.Datetime("us", "UTC"))


class Rendered(Protocol):
    """An event as JSON."""

    @property
    def head(self) -> Glance | None:
        """What its beginning tells; None: nothing."""

    @property
    def text(self) -> str:
        """The JSON."""

    def event(self, sequence: int) -> Event | None:
        """Decodes it; ``sequence`` is its place among all events of the log."""


@dataclass(frozen=True)
class RenderedStretch:
    """Events that are there as JSON, by their places."""

    heads: Heads
    rendered: Mapping[int, Rendered]

    @classmethod
    def of(cls, rendered: Sequence[Rendered]) -> RenderedStretch:
        """Raises NotPlainError where a time is none."""
        heads = [one.head for one in rendered]
        known = [head for head in heads if head is not None]
        created = created_times([head.created for head in known])
        if created.null_count():
            raise NotPlainError
        systems: dict[System, int] = {}
        own = [(one.provider, one.event_id, one.level, one.channel, one.computer) for one in known]
        numbers = [systems.setdefault(system, len(systems)) for system in own]
        places = np.array([place for place, head in enumerate(heads) if head is not None], np.int64)
        which, times = np.full(len(heads), UNKNOWN, np.int64), np.zeros(len(heads), np.int64)
        which[places], times[places] = numbers, created.to_physical().to_numpy()
        return cls(Heads([*systems], which, times), dict(enumerate(rendered)))

    def with_text(self, texts: frozenset[str]) -> Marks:
        """See `Stretch`."""
        lines = [one.text[one.head.payload :] if one.head is not None else "" for one in self.rendered.values()]
        block = "".join(f"{line}\n" for line in lines).encode()
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        if len(ends) != len(lines):
            raise NotPlainError
        return line_search(texts).lines(memoryview(block), ends)

    def events(self, places: Sequence[int], first: int) -> list[Event]:
        """See `Stretch`."""
        found = [self.rendered[place].event(first + place) for place in places]
        told = [event for event in found if event is not None]
        if len(told) < len(found):
            raise NotPlainError
        return told

    def only(self, places: Sequence[int]) -> RenderedStretch:
        """See `Stretch`."""
        return RenderedStretch(self.heads, {place: self.rendered[place] for place in places})


@dataclass(frozen=True, slots=True)
class _Beside:
    """Events that stand beside rows, decoded once a report quotes them: first place of a stretch, places in it."""

    parts: Sequence[tuple[int, Sequence[int], Decodable]]
    path: str

    def between(self, first: int, last: int) -> pl.DataFrame:
        """See `PassedOver`."""
        near: list[Event] = []
        for start, places, stretch in self.parts:
            low, high = bisect_left(places, first - start), bisect_right(places, last - start)
            with suppress(NotPlainError):  # the process that decodes them is gone: the row stands without them
                near += stretch.events(places[low:high], start)
        told = [
            rows.select(name for name in _TOLD if name in rows.columns)
            for rows in (frame.rows for frame in frames_of(near, self.path))
        ]
        return pl.concat(told) if told else pl.DataFrame(schema={"event.sequence": pl.Int64})


#: What a report shows of an event that stands beside one.
_TOLD = ("event.sequence", "log.line", "EventRecordID", "@timestamp", "event.original", "message")
