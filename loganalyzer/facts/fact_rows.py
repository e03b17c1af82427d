"""Facts: one row a thing that the logs state, such as the version of the agent."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from loganalyzer.facts.hits import Hit, Sightings, derived_frame, hits_in, value_of
from loganalyzer.facts.tables import FactRow
from loganalyzer.schema import EventFrame, LogSource

_NEVER = datetime.max.replace(tzinfo=UTC)

#: ``version_num`` has five digits a part and four parts, so that plain ``lt`` orders versions (2.2.48.1 is
#: 2000020004800001); it exceeds 2^53 from 10.x on and must stay an integer.
FACT_COLUMNS = {
    "fact": pl.String(),
    "value": pl.String(),
    "version": pl.String(),
    "version_num": pl.Int64(),
    "object": pl.String(),
    "count": pl.Int64(),
}


def version_number(version: str) -> int | None:
    """``2.2.48.1`` as 2000020004800001; None when a part has more than five digits, or all have too many."""
    parts = version.split(".")
    if not re.fullmatch(r"\d{1,5}(?:\.\d{1,5}){0,3}", version):
        return None
    number = sum(int(part) * int(10 ** (5 * (3 - place))) for place, part in enumerate(parts))
    return number if number < 2**63 else None


def fact_frames(events: Sightings, table: Sequence[FactRow]) -> list[EventFrame]:
    """One frame a log source (``category: fact``), rows in the table's order."""
    rows: dict[LogSource, list[dict[str, Any]]] = defaultdict(list)
    for entry in table:
        source = LogSource(entry.pattern.logsource.product, entry.pattern.logsource.service, "fact")
        rows[source].extend(_row(entry.fact, hit, count) for hit, count in _kept(events, entry))
    return [derived_frame(source, own, FACT_COLUMNS) for source, own in sorted(rows.items()) if own]


#: What hits differ in of which each is kept.
_DISTINCT = ("value", "object")
_OWN = [f"own.{name}" for name in _DISTINCT]


def _kept(events: Sightings, entry: FactRow) -> list[tuple[Hit, int]]:
    """The hits that become rows, with the number of hits each stands for."""
    if entry.pattern.each is not None:
        return _kept_of(events.find(entry.pattern), entry)
    parts = events.rows(entry.pattern)
    if not parts:
        return []
    values = [value_of(entry.pattern, name).alias(f"own.{name}") for name in _DISTINCT]
    rows = pl.concat(parts, how="vertical_relaxed").sort("@timestamp", nulls_last=True, maintain_order=True)
    rows = rows.with_columns(*values, pl.lit(rows.height).alias("own.count"))
    if entry.keep == "each":
        rows = rows.with_columns(pl.len().over(_OWN).alias("own.count")).unique(_OWN, keep="first", maintain_order=True)
    else:
        known = rows.filter(pl.col("@timestamp").is_not_null())
        rows = rows.head(1) if entry.keep == "first" else (known if known.height else rows).tail(1)
    return list(zip(hits_in(rows, entry.pattern), rows["own.count"], strict=True))


def _kept_of(hits: list[Hit], entry: FactRow) -> list[tuple[Hit, int]]:
    """The same where an event may be several hits."""
    if not hits:
        return []
    in_time = sorted(enumerate(hits), key=lambda pair: (pair[1].time is None, pair[1].time or _NEVER, pair[0]))
    ordered = [hit for _, hit in in_time]
    if entry.keep == "first":
        return [(ordered[0], len(ordered))]
    if entry.keep == "last":
        known = [hit for hit in ordered if hit.time is not None]
        return [((known or ordered)[-1], len(ordered))]
    distinct: dict[tuple[str | None, str | None], list[Hit]] = defaultdict(list)
    for hit in ordered:
        distinct[(hit.values.get("value"), hit.values.get("object"))].append(hit)
    return [(group[0], len(group)) for group in distinct.values()]


def _row(fact: str, hit: Hit, count: int) -> dict[str, Any]:
    value = hit.values.get("value")
    number = version_number(value) if value else None
    return {
        **hit.row(),
        "fact": fact,
        "value": value,
        "version": value if number is not None else None,
        "version_num": number,
        "object": hit.values.get("object"),
        "count": count,
        "derived_from": [hit.citation()],
    }
