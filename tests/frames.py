"""Small event frames for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from loganalyzer.schema import TIMESTAMP, EventFrame, LogSource, conform


def make_frame(logsource: LogSource, path: str, *rows: Mapping[str, Any]) -> EventFrame:
    """A frame of ``path`` with one row a mapping; a row's ``at`` is ``YYYY-MM-DD HH:MM[:SS]`` in UTC."""
    columns: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        at = row.get("at")
        columns.append(
            {
                "@timestamp": datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None,
                "event.original": row.get("message"),
                "log.offset": number * 100,
                "log.length": 100,
                "log.line": number + 1,
                "event.sequence": number,
                **{key: value for key, value in row.items() if key != "at"},
            }
        )
    frame = pl.DataFrame(columns, schema_overrides={"@timestamp": TIMESTAMP}, infer_schema_length=None)
    return EventFrame(logsource, conform(frame, log_file_path=path))
