"""Evidence as CSV (RFC 4180, UTF-8), fit for a spreadsheet: no cell of it is taken for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from loganalyzer.report.evidence_rows import EvidenceRow, evidence_rows
from loganalyzer.report.json_report import iso
from loganalyzer.report.model import Report
from loganalyzer.report.plain_text import plain_json, without_surrogates

COLUMNS: Final = (
    *("cause", "title", "verdict", "rank", "role", "strength", "rule", "rule_title", "kind"),
    *("timestamp", "time_assumed", "source", "line", "record_id", "offset", "length"),
    *("message", "original", "redacted", "sha256"),
)
#: How a cell begins that a spreadsheet runs (OWASP, "CSV Injection"); some skip blanks or take the full-width forms.
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def to_csv(report: Report) -> bytes:
    """A header and one row an entry of evidence; times are ISO 8601 in UTC, what is unknown is empty.

    A text that a spreadsheet would take for a formula has an apostrophe in front. What a terminal obeys is written as
    in JSON (``\\u001b``).
    """
    return csv_bytes(COLUMNS, (_row(one) for one in evidence_rows(report)))


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A header and rows, every cell quoted, with the line ends of RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return text.getvalue().encode()


def _row(one: EvidenceRow) -> dict[str, Any]:
    evidence = one.evidence
    row = {name: getattr(evidence, name) for name in COLUMNS if hasattr(evidence, name)}
    timestamp = iso(evidence.timestamp) if evidence.timestamp is not None else None
    named = {"cause": one.cause, "title": one.title, "verdict": one.verdict, "rank": one.rank}
    return {**row, **named, "timestamp": timestamp, "redacted": "true" if evidence.redacted else "false"}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = plain_json(without_surrogates(value))
    return f"'{text}" if _FORMULA.match(value) else text
