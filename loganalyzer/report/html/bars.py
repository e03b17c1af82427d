"""When each source speaks: bars over one span of time, with holes where its log is silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from loganalyzer.report.model import Coverage, Report

#: Units of a bar's width, and the least that a stretch of time takes.
WIDTH: Final = 1000.0
_LEAST: Final = 3.0
#: Holes drawn of one source.
_MOST_GAPS: Final = 100
_READ: Final = ("read", "partial")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a bar: from ``x``, ``width`` wide, in units of ``WIDTH``."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Axis:
    """The span of time that all bars show; ``cuts``: some source began before it."""

    start: datetime
    end: datetime
    cuts: bool

    def stretch(self, first: datetime, last: datetime) -> Stretch | None:
        """Where a span lies; None: outside."""
        if last < self.start or first > self.end:
            return None
        left, right = (self._x(min(max(time, self.start), self.end)) for time in (first, last))
        width = max(right - left, _LEAST)
        return Stretch(round(min(left, WIDTH - width), 1), round(width, 1))

    def _x(self, time: datetime) -> float:
        return (time - self.start) / (self.end - self.start) * WIDTH


def axis_of(report: Report) -> Axis | None:
    """From somewhat before the first attempt or piece of evidence to the end; without these, all that was read."""
    rows = [one for one in report.coverage if one.status in _READ and one.first is not None and one.last is not None]
    firsts, lasts = [one.first for one in rows if one.first], [one.last for one in rows if one.last]
    if not firsts:
        return None
    told = [one.start for one in report.attempts if one.start is not None]
    told += [one.first_seen for one in report.diagnoses if one.first_seen is not None]
    start, end = min(firsts), max([*lasts, *told])
    if told:
        air = max((end - min(told)) / 5, timedelta(minutes=30))
        start = start if min(told) - start < air else min(told) - air
    return Axis(start, max(end, start + timedelta(seconds=1)), start > min(firsts))


def read_stretches(one: Coverage) -> Iterator[tuple[datetime, datetime]]:
    """The spans in which a source speaks: from its first entry to its last, without its gaps."""
    if one.status not in _READ or one.first is None or one.last is None:
        return
    at = one.first
    for start, end in sorted(_times(one.gaps[:_MOST_GAPS])):
        if at <= start <= end <= one.last:
            yield at, start
            at = end
    yield at, one.last


def failed_ticks(report: Report, axis: Axis) -> list[Stretch]:
    """Where the failed attempts lie."""
    spans = ((one.start, one.end or one.start) for one in report.attempts[-200:] if one.outcome == "failure")
    found = (axis.stretch(start, end) for start, end in spans if start is not None and end is not None)
    return [one for one in found if one is not None]


def stretches(one: Coverage, axis: Axis) -> list[Stretch]:
    """The parts of a source's bar."""
    return [found for span in read_stretches(one) if (found := axis.stretch(*span)) is not None]


def by_status(coverage: Sequence[Coverage]) -> list[Coverage]:
    """What was read first, then what was not; else in the order of the report."""
    order = {"read": 0, "partial": 0, "archive": 1, "unrecognised": 2, "skipped": 3}
    return sorted(coverage, key=lambda one: order[one.status])


def _times(gaps: Iterable[tuple[str, str]]) -> Iterator[tuple[datetime, datetime]]:
    for gap in gaps:
        start, end = (_time(text) for text in gap)
        if start is not None and end is not None:
            yield start, end


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
