"""Windows of interest: the times in which evidence counts, from the backup attempts or from what the ticket says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from loganalyzer.facts import REPORTED_ERROR, Attempt, Derived, zone_is_unknown

#: A cause may show itself this long before the command is given, and its effect a little after the end (linux.md 6.3).
LOOKBACK = timedelta(minutes=30)
AFTERMATH = timedelta(minutes=15)
#: Without any attempt, events of the bundle's last day are what still stands.
END_OF_BUNDLE = timedelta(hours=24)
#: A stamp whose zone had to be assumed may be off by a zone.
UNCERTAIN = timedelta(hours=14)
#: How far around the time of a ticket an attempt or an event may lie.
TICKET_RANGE = timedelta(hours=2)


class Ticket(Struct, frozen=True):
    """What the ticket says: error codes or texts, and the time of the failure (UTC) where it is known."""

    errors: tuple[str, ...] = ()
    at: datetime | None = None


class Window(Struct, frozen=True):
    """A time span (UTC, both ends inside) in which evidence counts, and why. ``attempt`` is None without one.

    ``opened`` is when the failure itself began: a source covers the window when it was written by then.
    """

    start: datetime
    end: datetime
    opened: datetime
    attempt: str | None
    why: str

    def holds(self, first: datetime, last: datetime | None, assumed: bool) -> bool:
        """Whether something that began at ``first`` and ended at ``last`` (None: goes on) touches the window."""
        slack = UNCERTAIN if assumed else timedelta()
        return first - slack <= self.end and (last is None or last + slack >= self.start)


@dataclass(frozen=True)
class Relevance:
    """The failed attempts' windows, by their starts, and the end of the bundle.

    ``end`` is the window in which single events still stand; with attempts there is none, for then only what lasts
    (a state, an open gap, an operation that never recovered) stands at the end. ``since`` is the end of the last
    success: what began before it did not keep a backup from succeeding, and is history unless a later attempt failed.
    ``assumed``: the zone of a failed attempt is unknown; ``one_clock``: paths of the logs whose clock all of them have.
    """

    failed: tuple[Window, ...]
    end: Window | None
    since: datetime | None
    last: datetime | None
    assumed: bool = False
    one_clock: frozenset[str] = frozenset()

    def uncertain(self, path: str, assumed: bool) -> bool:
        """Whether an entry's time and those of the windows may be off by a zone from each other."""
        return path not in self.one_clock and (assumed or self.assumed)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """All windows by their starts: those of failed attempts, or the end of the bundle."""
        found = (*self.failed, self.end) if self.end is not None else self.failed
        return tuple(sorted(found, key=lambda window: window.start))

    @cached_property
    def _reached(self) -> list[datetime]:
        """For each window the latest end of it and of those before it."""
        return list(accumulate((window.end for window in self.windows), max))

    def touched(self, first: datetime, last: datetime | None, assumed: bool) -> Window | None:
        """The first window that holds the time. A bundle may show many thousand attempts, and as many findings."""
        place = bisect_left(self._reached, first - UNCERTAIN if assumed else first)
        if place == len(self.windows):  # all windows ended before
            return None
        window = self.windows[place]  # the first that did not; those behind it begin later still
        return window if window.holds(first, last, assumed) else None

    def placed(
        self, first: datetime | None, last: datetime | None, assumed: bool, lasting: bool
    ) -> Window | str | None:
        """Where evidence counts: in a window, as a state (``"standing"``), or nowhere (None: history).

        A state has no time. An event whose stamp does not tell its time (``assumed``) happened nobody knows when: it
        proves nothing of a bundle in which other times are known.
        """
        if first is None:
            return None if assumed and self.last is not None else "standing"
        window = self.touched(first, last, assumed)
        if window is not None:
            return window
        if lasting and last is None and (self.since is None or first >= self.since):
            return "standing"
        return None


def relevance(derived: Derived, ticket: Ticket) -> Relevance:
    """The windows of a bundle: the failed attempts near a ticket's time, or all those since the last success."""
    found = derived.attempts
    succeeded = [number for number, attempt in enumerate(found) if attempt.outcome == "success"]
    since = found[succeeded[-1]].last if succeeded else None
    if ticket.at is not None:
        return Relevance(_of_ticket(found, ticket.at, derived.last), None, None, derived.last)
    failing = [(number, attempt) for number, attempt in enumerate(found) if attempt.outcome != "success"]
    recent = failing if not succeeded else [pair for pair in failing if pair[0] > succeeded[-1]]
    failed = tuple(_window(found, number, derived.last) for number, _ in recent)
    end = None
    if not found and derived.last is not None:
        start = derived.last - END_OF_BUNDLE
        end = Window(start, derived.last, start, None, "the last day of the bundle, in which no backup attempt shows")
    own = [attempt for _, attempt in recent]
    shared = [frozenset(attempt.sources) if attempt.assumed else frozenset() for attempt in own]
    one_clock = frozenset.intersection(*shared) if shared else frozenset()
    return Relevance(failed, end, since, derived.last, any(attempt.assumed for attempt in own), one_clock)


def with_reported_errors(derived: Derived, ticket: Ticket) -> Ticket:
    """The ticket with the errors that the bundle's own files report where evidence counts, behind those that it names.

    A job or a portal text in a bundle says what a ticket would. Errors of jobs before the last success are history.
    """
    windows = relevance(derived, ticket)
    told = dict.fromkeys(ticket.errors)
    for frame in derived.frames:
        if frame.logsource.product != "azure" or frame.logsource.category != "fact":
            continue
        for row in frame.rows.filter(fact=REPORTED_ERROR).iter_rows(named=True):
            if (
                windows.placed(row["@timestamp"], row["event.end"], zone_is_unknown(row["time.assumed"]), True)
                is not None
            ):
                told.setdefault(row["value"])
    return replace(ticket, errors=tuple(told))


def _window(found: Sequence[Attempt], number: int, last: datetime | None) -> Window:
    attempt = found[number]
    following = found[number + 1].start if number + 1 < len(found) else last
    if attempt.end is not None:
        end = attempt.end + AFTERMATH
    else:
        longest = attempt.start + timedelta(minutes=140)
        end = max(attempt.last, min(longest, following or longest))
    return Window(attempt.start - LOOKBACK, end, attempt.start, attempt.id, f"{attempt.id} ({attempt.outcome})")


def _of_ticket(found: Sequence[Attempt], at: datetime, last: datetime | None) -> tuple[Window, ...]:
    near = [
        _window(found, number, last)
        for number, attempt in enumerate(found)
        if attempt.outcome != "success" and attempt.start - TICKET_RANGE <= at <= attempt.last + TICKET_RANGE
    ]
    around = Window(at - TICKET_RANGE, at + TICKET_RANGE, at, None, "the time that the ticket gives")
    return tuple(near) or (around,)
