"""Evidence as NDJSON: one document a line, with field names of the Elastic Common Schema."""

from __future__ import annotations

from loganalyzer.report.ecs import evidence_document, ndjson
from loganalyzer.report.evidence_rows import evidence_rows
from loganalyzer.report.model import Report


def to_ndjson(report: Report) -> bytes:
    """One line an entry of evidence; all lines have the same fields, what is unknown is null."""
    return b"".join(ndjson(evidence_document(report, one)) for one in evidence_rows(report))
