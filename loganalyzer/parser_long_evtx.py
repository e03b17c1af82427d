"""The parser kit for long Windows event logs: rows are made of those events only that something may ask for.

An event becomes a row if rules or tables ask for its id or for a text in it, if it is of a level that is told for
itself, if it is the first of its kind, one of the last, one of a machine of which few were seen, or one at which the
clock went back. Of the others stay their number and the times between which they stand, and those that stand beside a
row. A log that holds more than one channel is read whole.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl

from loganalyzer import parser_long_log
from loganalyzer.events_asked import EventsAsked
from loganalyzer.evtx.events import Event
from loganalyzer.evtx.frames import created_times, frames_of, service_of
from loganalyzer.evtx.glance import Glance
from loganalyzer.literal_search import LineSearch, line_search
from loganalyzer.schema import EventFrame, LogSource, PassedOver, to_the_minute

BESIDE = parser_long_log.BESIDE
#: Windows' numbers of the levels at which a program says that nothing failed; 0 is shown as Information.
_QUIET = frozenset({"0", "3", "4", "5"})
#: Events of a machine that are rows whatever they hold, so that whose log it is can be told.
OF_A_MACHINE = 20
#: Times that wait to be thinned.
_MANY = 50_000


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


class NotPlainError(Exception):
    """A log of which nothing must be selected."""


@dataclass(slots=True)
class _Waiting:
    sequence: int
    rendered: Rendered
    chosen: bool


@dataclass
class EventPicker:
    """Takes the events of a log in order, and tells the rows. ``asked``: of a log source; None: it is read whole."""

    asked: Callable[[LogSource], EventsAsked | None]
    _rows: list[Event] = field(default_factory=list)
    _beside: dict[int, Rendered] = field(default_factory=dict)
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _before: deque[bool] = field(default_factory=lambda: deque(maxlen=BESIDE))
    _count: int = 0
    _passed: int = 0
    _created: list[str] = field(default_factory=list)
    _times: list[pl.Series] = field(default_factory=list)
    _channel: str | None = None
    _questions: EventsAsked | None = None
    _search: LineSearch | None = None
    _kinds: set[tuple[str, str]] = field(default_factory=set)
    _machines: Counter[str] = field(default_factory=Counter)
    _latest: str = ""

    def add(self, events: Sequence[Rendered]) -> None:
        """The next events.

        Raises:
            NotPlainError: nothing must be selected of this log.
        """
        chosen = [self._is_chosen(one.head) for one in events]
        for number in self._with_text(events):
            chosen[number] = True
        for rendered, is_chosen in zip(events, chosen, strict=True):
            self._step(rendered, is_chosen)
        while len(self._waiting) > max(parser_long_log.LAST_ENTRIES, BESIDE):
            self._settle()

    def frames(self, path: str) -> tuple[EventFrame, ...]:
        """The frame of the log, once it has no more events.

        Raises:
            NotPlainError: nothing must be selected of this log.
        """
        for number in range(min(parser_long_log.LAST_ENTRIES, len(self._waiting))):
            self._waiting[-1 - number].chosen = True
        while self._waiting:
            self._settle()
        self._thin()
        passed = PassedOver(
            "", self._passed, self._passed, to_the_minute(pl.concat(self._times)), _Beside(self._beside, path).between
        )
        return tuple(
            EventFrame(one.logsource, one.rows, passed=(passed,) if number == 0 else ())
            for number, one in enumerate(frames_of(self._rows, path))
        )

    def _is_chosen(self, head: Glance | None) -> bool:
        if head is None:
            return True
        if self._channel is None:
            self._begin(head.channel)
        if head.channel != self._channel or self._questions is None:
            raise NotPlainError
        kind = (head.provider.lower(), head.event_id)
        first = kind not in self._kinds
        self._kinds.add(kind)
        self._machines[head.computer] += 1
        return (
            first
            or head.level not in _QUIET
            or head.event_id in self._questions.ids
            or kind in self._questions.kinds
            or self._machines[head.computer] <= OF_A_MACHINE
        )

    def _begin(self, channel: str) -> None:
        self._channel = channel
        self._questions = self.asked(LogSource("windows", service_of(channel)))
        if self._questions is not None and self._questions.texts:
            self._search = line_search(self._questions.texts)

    def _with_text(self, events: Sequence[Rendered]) -> Iterable[int]:
        """Which of the events hold a text, in what they say or in what their message begins with."""
        if self._search is None or not events:
            return ()
        lines = [
            f"{one.head.provider} {one.head.event_id}: {one.text[one.head.payload :]}" if one.head is not None else ""
            for one in events
        ]
        block = "".join(f"{line}\n" for line in lines).encode()
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        if len(ends) != len(lines):
            raise NotPlainError
        found: list[int] = np.flatnonzero(self._search.lines(memoryview(block), ends)).tolist()
        return found

    def _step(self, rendered: Rendered, chosen: bool) -> None:
        head = rendered.head
        if head is not None:
            if head.created < self._latest:  # the clock went back
                chosen = True
                if self._waiting:
                    self._waiting[-1].chosen = True
            self._latest = head.created
        self._waiting.append(_Waiting(self._count, rendered, chosen or self._count <= BESIDE))
        self._count += 1

    def _settle(self) -> None:
        """Nothing more will be known of the first event that waits."""
        one = self._waiting.popleft()
        behind = [self._waiting[place].chosen for place in range(min(BESIDE, len(self._waiting)))]
        is_beside = not one.chosen and (any(self._before) or any(behind))
        self._before.append(one.chosen)
        if one.chosen:
            event = one.rendered.event(one.sequence)
            if event is None:
                raise NotPlainError
            self._rows.append(event)
        else:
            if is_beside:
                self._beside[one.sequence] = one.rendered
            assert one.rendered.head is not None  # what tells nothing is chosen
            self._passed += 1
            self._created.append(one.rendered.head.created)
            if len(self._created) >= _MANY:
                self._thin()

    def _thin(self) -> None:
        times = created_times(self._created)
        if times.null_count():
            raise NotPlainError
        self._times.append(to_the_minute(times))
        self._created.clear()


@dataclass(frozen=True, slots=True)
class _Beside:
    """Events that stand beside rows, decoded once a report quotes them."""

    rendered: Mapping[int, Rendered]
    path: str

    def between(self, first: int, last: int) -> pl.DataFrame:
        """See `PassedOver`."""
        near = [one.event(at) for at in range(first, last + 1) if (one := self.rendered.get(at)) is not None]
        parts = [frame.rows for frame in frames_of([event for event in near if event is not None], self.path)]
        told = [rows.select(name for name in _TOLD if name in rows.columns) for rows in parts]
        return pl.concat(told) if told else pl.DataFrame(schema={"event.sequence": pl.Int64})


#: What a report shows of an event that stands beside one.
_TOLD = ("event.sequence", "log.line", "EventRecordID", "@timestamp", "event.original", "message")
