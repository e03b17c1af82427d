"""Correlations as rows: one an episode, from its first event to its last, with the events that it was made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from typing import Any

import polars as pl
from msgspec import Struct

from loganalyzer.facts.hits import derived_frame
from loganalyzer.schema import CITATION, SHARED_COLUMNS, EventFrame, LogSource
from loganalyzer.sigma.correlate import Correlated, Record, correlate, episodes
from loganalyzer.sigma.match import Match, Matches
from loganalyzer.sigma.rule import Correlation

#: Events of an episode that its row cites: the first ones and the last ones.
MOST_CITED = 20

#: ``count``: events of the episode. ``value``: what was compared at its last event, as text.
CORRELATION_COLUMNS = {"count": pl.Int64(), "value": pl.String()}


class Correlating(Struct, frozen=True):
    """Frames of episodes, which follow the event frames, and the matches of all rules over all of them."""

    frames: tuple[EventFrame, ...]
    matches: Matches


def correlated(correlations: Sequence[Correlation], frames: Sequence[EventFrame], matches: Matches) -> Correlating:
    """Judges the correlations: a row of category ``correlation`` for each episode, and a match of its rule."""
    outcome = correlate(correlations, frames, matches)
    by_source: dict[LogSource, list[Correlated]] = defaultdict(list)
    for one in episodes(outcome.found):
        origin = frames[one.frame].logsource
        by_source[LogSource(origin.product, origin.service, "correlation")].append(one)
    made, found = [], list(matches.matches)
    for number, (source, own) in enumerate(sorted(by_source.items()), start=len(frames)):
        made.append(derived_frame(source, [_row(one, frames) for one in own], CORRELATION_COLUMNS))
        found += [Match(one.rule, number, row) for row, one in enumerate(own)]
    failed = {one.rule_id for one in outcome.unable}
    ran = _ran(correlations, matches, failed)
    together = Matches(
        tuple(found),
        tuple(sorted((*matches.ran, *ran))),
        tuple(sorted({*matches.no_source, *({one.id for one in correlations} - ran - failed)})),
        tuple(sorted({*matches.unable, *outcome.unable})),
    )
    return Correlating(tuple(made), together)


def _ran(correlations: Sequence[Correlation], matches: Matches, failed: Set[str]) -> frozenset[str]:
    """Ids of the correlations that had something to judge: a rule below them had."""
    ran = set(matches.ran)
    for one in correlations:
        if one.id not in failed and ran.intersection(one.rules):
            ran.add(one.id)
    return frozenset(ran.difference(matches.ran))


def _row(one: Correlated, frames: Sequence[EventFrame]) -> dict[str, Any]:
    """The row of an episode: at the place of the event that completes it, from its first event to its last."""
    records = one.records
    cited = [_event(record, frames) for record in _shown(records)]
    first, last = cited[0], cited[-1]
    group = "".join(f", {name}={value}" for name, value in one.group)
    assumed = [event["time.assumed"] for event in cited if event["time.assumed"] is not None]
    return {
        **{name: last[name] for name in (*SHARED_COLUMNS, "EventRecordID")},
        "@timestamp": first["@timestamp"],
        "event.end": last["@timestamp"],
        "time.assumed": assumed[0] if assumed else None,
        "message": f"{len(records)} events within {last['@timestamp'] - first['@timestamp']}{group}: {last['message']}",
        "derived_from": [{name: event[name] for name in CITATION.to_schema()} for event in cited],
        "count": len(records),
        "value": None if one.value is None else str(one.value),
    }


def _shown(records: Sequence[Record]) -> Sequence[Record]:
    half = MOST_CITED // 2
    return records if len(records) <= MOST_CITED else (*records[:half], *records[-half:])


def _event(record: Record, frames: Sequence[EventFrame]) -> dict[str, Any]:
    row = frames[record.frame].rows.row(record.row, named=True)
    return {"EventRecordID": None, **row}
