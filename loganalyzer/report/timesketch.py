"""Evidence and backup attempts as a timeline for Timesketch, as JSON lines or as CSV.

Timesketch wants ``message``, ``datetime`` and ``timestamp_desc`` in every event and goes by the name of the file: it
must end in ``.jsonl`` or ``.csv`` (its docs/guides/user/import-from-json-csv.md). It reads a column of CSV times in the
form of the first one, hence six digits of a second in all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from loganalyzer.report.csv_rows import csv_bytes
from loganalyzer.report.ecs import attempt_message, ndjson, tags
from loganalyzer.report.evidence_rows import evidence_rows
from loganalyzer.report.model import Report

COLUMNS: Final = (
    *("message", "timestamp", "datetime", "timestamp_desc", "tag"),
    *("cause", "verdict", "role", "strength", "rule", "rule_title"),
    *("source", "line", "record_id", "offset", "original", "sha256", "attempt", "phase", "outcome", "codes"),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_timesketch(report: Report) -> bytes:
    """One line of JSON an event, by time; what has no known time cannot stand in a timeline and is left out."""
    return b"".join(ndjson(event) for event in _events(report))


def to_timesketch_csv(report: Report) -> bytes:
    """The same as CSV; lists are JSON text, which Timesketch reads as a list where they are tags."""
    rows = ({**event, **_lists_as_text(event)} for event in _events(report))
    return csv_bytes(COLUMNS, rows)


def _lists_as_text(event: dict[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in event.items() if isinstance(value, list)}


def _events(report: Report) -> list[dict[str, Any]]:
    return sorted((*_evidence(report), *_attempts(report)), key=lambda event: int(event["timestamp"]))


def _evidence(report: Report) -> Iterator[dict[str, Any]]:
    for row in evidence_rows(report):
        one = row.evidence
        if one.timestamp is not None:
            yield {
                **_head(one.message, one.timestamp, "Evidence Logged", tags(row)),
                **{"cause": row.cause, "verdict": row.verdict, "role": one.role, "strength": one.strength},
                **{"rule": one.rule, "rule_title": one.rule_title, "source": one.source, "line": one.line},
                **{"record_id": one.record_id, "offset": one.offset, "original": one.original, "sha256": one.sha256},
            }


def _attempts(report: Report) -> Iterator[dict[str, Any]]:
    """An attempt is two events: that it started, and that it ended."""
    for one in report.attempts:
        for time, description in ((one.start, "Backup Attempt Started"), (one.end, "Backup Attempt Ended")):
            if time is not None:
                yield {
                    **_head(attempt_message(one), time, description, ["backup-attempt", one.outcome]),
                    **{"attempt": one.id, "phase": one.phase, "outcome": one.outcome, "codes": list(one.codes)},
                }


def _head(message: str, time: datetime, description: str, tag: list[str]) -> dict[str, Any]:
    """What Timesketch wants of every event; ``timestamp`` is microseconds since 1970 in UTC."""
    return {
        "message": message or "(no text)",
        "timestamp": (time - _EPOCH) // timedelta(microseconds=1),
        "datetime": time.astimezone(UTC).isoformat(timespec="microseconds"),
        "timestamp_desc": description,
        "tag": tag,
    }
