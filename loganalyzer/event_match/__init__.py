"""Any Sigma rules over any inputs: events are read, matched and told a row a match."""

from __future__ import annotations

from loganalyzer.event_match.rows import (
    LEVELS,
    CorrelationRow,
    EventMatches,
    MatchOptions,
    MatchRow,
    match_events,
    reaches,
)

__all__ = ["LEVELS", "CorrelationRow", "EventMatches", "MatchOptions", "MatchRow", "match_events", "reaches"]
