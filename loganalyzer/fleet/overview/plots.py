"""Where the marks of a page's plots stand, in per cent of their width and height: they stretch with the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import floor
from typing import Final

from loganalyzer.fleet.overview.factors import Factor
from loganalyzer.fleet.overview.overview import CauseCount, ErrorCount

#: Shades of a matrix, from the palest.
SHADES: Final = 5
#: Of the width that a week has, what its bar takes; and the least that any bar takes of a plot.
_FILLED: Final = 0.8
_LEAST: Final = 0.4
_LEAST_HEIGHT: Final = 8.0


@dataclass(frozen=True, slots=True)
class WeekBar:
    """The machines of a week as a bar that stands on the bottom of its plot."""

    week: date
    machines: int
    x: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar that lies: how many ``machines`` a name has. ``kind``: the class that colours it."""

    name: str
    machines: int
    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class DifferenceAxis:
    """Differences of shares, from ``start`` (0 or less) to 1."""

    start: float

    def x(self, difference: float) -> float:
        """Where a difference stands."""
        return round((min(max(difference, self.start), 1.0) - self.start) / (1.0 - self.start) * 100, 2)

    def ticks(self) -> list[float]:
        """The differences that are named."""
        negative = [self.start] if self.start < 0 else []
        return [*negative, 0.0, 0.25, 0.5, 0.75, 1.0]


def week_bars(one: CauseCount, weeks: Sequence[date]) -> list[WeekBar]:
    """A bar for each of the consecutive weeks in which machines failed for the cause; the highest fills the plot."""
    counts = dict(one.weeks)
    most = max((counts.get(week, 0) for week in weeks), default=0)
    step = 100 / max(len(weeks), 1)
    return [
        WeekBar(
            week,
            counts[week],
            round(place * step + step * (1 - _FILLED) / 2, 2),
            round(step * _FILLED, 2),
            round(max(100 * counts[week] / most, _LEAST_HEIGHT), 1),
        )
        for place, week in enumerate(weeks)
        if week in counts
    ]


def segments(parts: Iterable[tuple[str, int, str]], most: int) -> list[Segment]:
    """Parts (name, machines, kind) side by side; a bar of ``most`` machines fills the plot."""
    found, x = [], 0.0
    for name, machines, kind in parts:
        if machines:
            width = max(100 * machines / max(most, 1), _LEAST)
            found.append(Segment(name, machines, kind, round(x, 2), round(width, 2)))
            x += width
    return found


def difference_axis(factors: Iterable[Factor]) -> DifferenceAxis:
    """The axis on which all of the factors and their intervals fit."""
    lowest = min((one.difference_low for one in factors), default=0.0)
    return DifferenceAxis(min(0.0, floor(lowest * 10) / 10))


def shade(count: int, errors: Sequence[ErrorCount]) -> int:
    """The shade of a cell of the matrix: none for 0, the darkest for the highest count of all cells."""
    highest = max((n for one in errors for n in (*dict(one.explained_by).values(), one.unexplained)), default=0)
    return 0 if count == 0 else 1 + min(SHADES - 1, count * SHADES // (highest + 1))
