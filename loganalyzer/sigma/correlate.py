"""Correlations: rules over the matches of other rules, in sliding windows that no boundary cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loganalyzer.schema import EventFrame
from loganalyzer.sigma.match import Matches, Unable
from loganalyzer.sigma.rule import Correlation


@dataclass(frozen=True, slots=True)
class Record:
    """An event that takes part: ``frame`` and ``row`` as in `Match`, and the ids of the event rules that it matched."""

    frame: int
    row: int
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Correlated:
    """A correlation that holds at an event: the one that completes it is row ``row`` of frame ``frame``.

    ``group``: the fields (or aliases) that it groups by, each with the value that all records share, as text.
    ``value``: what was compared with the thresholds; None for an extended condition.
    ``records``: every event that contributes, in time order; the completing one is the last.
    """

    rule: Correlation
    frame: int
    row: int
    group: tuple[tuple[str, str], ...]
    value: int | float | None
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Correlations:
    """``found`` by time, place and rule id; ``unable``: correlations that could not be judged wholly, and why."""

    found: tuple[Correlated, ...]
    unable: tuple[Unable, ...]


def correlate(correlations: Sequence[Correlation], frames: Sequence[EventFrame], matches: Matches) -> Correlations:
    """Judges each correlation over the matches of the event rules; one that comes first may be referred to later."""
    raise NotImplementedError
