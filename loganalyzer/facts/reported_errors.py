"""Documented errors that files of the control plane report, as facts: by code, by number or by message in any language.

What is documented stands in the catalogue alone, so that a rule names an error once and no rule holds its wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from loganalyzer.catalogue import FoundCode, load_catalogue
from loganalyzer.facts.fact_rows import FACT_COLUMNS
from loganalyzer.facts.hits import derived_frame
from loganalyzer.schema import SHARED_COLUMNS, EventFrame, LogSource

#: The ``fact`` of these rows. ``value`` is the error's code as the catalogue writes it, ``object`` how it was found:
#: code, number or message.
REPORTED_ERROR = "backup_error"

#: Columns of frames of the product azure that an error is told in.
_TEXTS = ("error_code", "error_title", "error_message")


def reported_error_frames(frames: Sequence[EventFrame]) -> list[EventFrame]:
    """One frame a log source that has errors (``category: fact``); a row an event and error."""
    found = []
    for frame in frames:
        if frame.logsource.product == "azure" and frame.logsource.category is None and _TEXTS[0] in frame.rows.columns:
            source = LogSource("azure", frame.logsource.service, "fact")
            rows = list(_rows(frame.rows))
            found += [derived_frame(source, rows, FACT_COLUMNS)] if rows else []
    return found


def _rows(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    present = [name for name in _TEXTS if name in rows.columns]
    telling = rows.filter(pl.any_horizontal(pl.col(present).is_not_null()))
    seen: dict[str, tuple[FoundCode, ...]] = {}
    for row in telling.iter_rows(named=True):
        text = ": ".join(str(row[name]) for name in present if row[name])
        if text not in seen:
            seen[text] = load_catalogue().find_codes(text)
        yield from (_row(row, one) for one in seen[text])


def _row(row: Mapping[str, Any], found: FoundCode) -> dict[str, Any]:
    citation = {
        "log.file.path": row["log.file.path"],
        "log.line": row["log.line"],
        "log.offset": row["log.offset"],
        "EventRecordID": None,
        "@timestamp": row["@timestamp"],
        "event.original": row["event.original"],
    }
    own = ("event.code", "event.provider", "process.name", "process.pid", "process.thread.name", "log.logger")
    return {
        **{name: row[name] for name in SHARED_COLUMNS if name not in own},
        "EventRecordID": None,
        "event.end": row["@timestamp"],
        "derived_from": [citation],
        "fact": REPORTED_ERROR,
        "value": found.error.code,
        "version": None,
        "version_num": None,
        "object": found.by,
        "count": 1,
    }
