"""Coverage: which times a source shows, so that silence in it can be told from silence of it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loganalyzer.schema import EventFrame, LogSource

#: Two entries further apart than this are shown as a gap of the source.
GAP = timedelta(hours=6)
MOST_GAPS = 20


@dataclass(frozen=True, slots=True)
class Span:
    """What one source shows of one log source. A state (no times at all) has neither ``first`` nor ``last``.

    Times are UTC. ``whole`` is false where a part of the source could not be read.
    """

    path: str
    logsource: LogSource
    events: int
    first: datetime | None
    last: datetime | None
    gaps: tuple[tuple[datetime, datetime], ...]
    whole: bool
    columns: Mapping[str, frozenset[str]]

    def covers(self, start: datetime, end: datetime) -> bool:
        """Whether the source was being written when the window opened.

        A log that begins later does not cover it. The end is no bound: a live log that has nothing to say is silent,
        and what was collected ends with the bundle.
        """
        if not self.whole:
            return False
        if self.logsource.category is not None:  # a state or a status document, not a log
            return True
        return self.first is None or self.first <= start or (self.first <= end and self.first - start < GAP / 12)


#: Columns whose values tell artefacts of one log source apart.
DISTINGUISHING = ("kind",)


def spans(frames: Sequence[EventFrame], damaged: frozenset[str]) -> tuple[Span, ...]:
    """One span a path and log source, sorted; ``damaged`` are the paths that were not read to their end."""
    found: dict[tuple[str, LogSource], Span] = {}
    for frame in frames:
        for (path,), rows in frame.rows.group_by("log.file.path", maintain_order=True):
            times = rows["@timestamp"].drop_nulls().sort()
            known: list[datetime] = times.to_list()
            gaps = [(a, b) for a, b in itertools.pairwise(known) if b - a > GAP]
            columns: dict[str, frozenset[str]] = defaultdict(frozenset)
            for name in DISTINGUISHING:
                if name in rows.columns:
                    columns[name] = frozenset(rows[name].drop_nulls().to_list())
            found[(str(path), frame.logsource)] = Span(
                str(path),
                frame.logsource,
                rows.height,
                known[0] if known else None,
                known[-1] if known else None,
                tuple(gaps[:MOST_GAPS]),
                str(path) not in damaged,
                dict(columns),
            )
    return tuple(found[key] for key in sorted(found))
