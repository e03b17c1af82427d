"""Extension operations: how the handlers' installs, enables and downloads ended, repeats folded into one row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import polars as pl

from loganalyzer.facts.hits import Hit, Sightings, derived_frame
from loganalyzer.facts.tables import OperationRow
from loganalyzer.schema import EventFrame, LogSource

#: ``result`` is ``failed`` or ``succeeded``; ``count`` equal results in a row; ``recovered`` is ``true`` when the
#: same handler succeeded later; a failure that is the last word on its handler has no end. ``output``: the event text.
OPERATION_COLUMNS = {
    "handler": pl.String(),
    "handler_version": pl.String(),
    "operation": pl.String(),
    "exit_code": pl.Int64(),
    "result": pl.String(),
    "output": pl.String(),
    "count": pl.Int64(),
    "recovered": pl.String(),
}


def operation_frames(events: Sightings, table: Sequence[OperationRow]) -> list[EventFrame]:
    """One frame a log source (``category: extension_operation``), rows by time."""
    found: dict[LogSource, list[tuple[str, Hit]]] = defaultdict(list)
    taken: set[tuple[str | None, int | None, str | None]] = set()
    for entry in table:
        source = LogSource(entry.pattern.logsource.product, entry.pattern.logsource.service, "extension_operation")
        for hit in events.find(entry.pattern):
            place = (hit.path, hit.sequence, hit.values.get("handler"))
            if place not in taken:  # the first row of the table that fits an event speaks for it
                taken.add(place)
                found[source].append((entry.result, hit))
    return [derived_frame(source, _rows(found[source]), OPERATION_COLUMNS) for source in sorted(found) if found[source]]


def _rows(found: list[tuple[str, Hit]]) -> list[dict[str, Any]]:
    timed = sorted(
        ((result, hit) for result, hit in found if hit.time is not None),
        key=lambda pair: (str(pair[1].time), pair[1].sequence or 0),
    )
    untimed = [(result, hit) for result, hit in found if hit.time is None]
    succeeded = {hit.values.get("handler"): hit.time for result, hit in timed if result == "succeeded"}
    rows: list[dict[str, Any]] = []
    open_rows: dict[str | None, dict[str, Any]] = {}
    for result, hit in [*untimed, *timed]:
        handler = hit.values.get("handler")
        operation, code = hit.values.get("operation"), _integer(hit.values.get("exit_code"))
        row = open_rows.get(handler)
        same = row is not None and (row["result"], row["operation"], row["exit_code"]) == (result, operation, code)
        if row is not None and same:
            row["count"] += 1
            row["event.end"] = hit.time
            row["derived_from"] = [row["derived_from"][0], hit.citation()]
            continue
        later = succeeded.get(handler)
        recovered = result == "failed" and later is not None and hit.time is not None and later > hit.time
        row = {
            **hit.row(),
            "event.end": hit.time,
            "derived_from": [hit.citation()],
            "handler": handler,
            "handler_version": hit.values.get("handler_version"),
            "operation": operation,
            "exit_code": code,
            "result": result,
            "output": hit.message,
            "count": 1,
            "recovered": "true" if recovered else "false",
        }
        rows.append(row)
        open_rows[handler] = row
    for row in open_rows.values():  # the last word on a handler: a failure goes on
        if row["result"] == "failed":
            row["event.end"] = None
    return rows


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text is not None and len(text) < 12 else None
    except ValueError:
        return None
