"""Evidence and backup attempts as documents with field names of the Elastic Common Schema: flat and dotted.

What ECS has no name for stands under ``loganalyzer.``, or has the name that it has in the tables of a bundle.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from loganalyzer.report.evidence_rows import EvidenceRow
from loganalyzer.report.json_report import jsonable
from loganalyzer.report.model import AttemptEntry, Report
from loganalyzer.report.plain_text import plain_json

ECS_VERSION: Final = "8.17.0"
#: ``event.outcome`` is one of three words.
_OUTCOMES: Final = frozenset(("success", "failure"))


def evidence_document(report: Report, row: EvidenceRow) -> dict[str, Any]:
    """One entry of evidence as a signal of the rule that it matches; every document has every field."""
    one = row.evidence
    return {
        "@timestamp": one.timestamp,
        "message": one.message,
        **_origin(report),
        "event.kind": "signal",
        "event.dataset": "loganalyzer.evidence",
        "event.original": one.original,
        "event.hash": one.sha256,
        "event.reason": row.how,
        "log.file.path": one.source,
        "log.offset": one.offset,
        "log.length": one.length,
        "log.line": one.line,
        "EventRecordID": one.record_id,
        "time.assumed": one.time_assumed,
        "rule.id": one.rule,
        "rule.name": one.rule_title,
        "rule.category": row.cause,
        "rule.description": row.title,
        "rule.reference": row.url,
        "rule.ruleset": "loganalyzer",
        "rule.version": report.catalogue.version,
        "loganalyzer.cause": row.cause,
        "loganalyzer.verdict": row.verdict,
        "loganalyzer.rank": row.rank,
        "loganalyzer.role": one.role,
        "loganalyzer.strength": one.strength,
        "loganalyzer.kind": one.kind,
        "loganalyzer.redacted": one.redacted,
        "tags": tags(row),
    }


def attempt_document(report: Report, one: AttemptEntry) -> dict[str, Any]:
    """One backup attempt as an event that lasts."""
    lasted = one.end - one.start if one.start is not None and one.end is not None else None
    return {
        "@timestamp": one.start if one.start is not None else one.end,
        "message": attempt_message(one),
        **_origin(report),
        "event.kind": "event",
        "event.dataset": "loganalyzer.attempt",
        "event.action": "backup-attempt",
        "event.id": one.id,
        "event.start": one.start,
        "event.end": one.end,
        "event.duration": None if lasted is None else round(lasted.total_seconds() * 10**6) * 1000,
        "event.outcome": one.outcome if one.outcome in _OUTCOMES else "unknown",
        "error.code": list(one.codes),
        "log.file.path": list(one.sources),
        "loganalyzer.phase": one.phase,
        "loganalyzer.outcome": one.outcome,
        "tags": ["backup-attempt", one.outcome],
    }


def attempt_message(one: AttemptEntry) -> str:
    """``backup attempt-1 failed in the phase command (402)``."""
    codes = f" ({', '.join(one.codes)})" if one.codes else ""
    return f"backup {one.id}: {one.outcome}, phase {one.phase}{codes}"


def tags(row: EvidenceRow) -> list[str]:
    """Words to filter evidence by."""
    return [row.cause, row.verdict, row.evidence.role]


def ndjson(document: dict[str, Any]) -> bytes:
    """One line of JSON, with its end; what a terminal obeys is escaped."""
    return (plain_json(orjson.dumps(jsonable(document)).decode()) + "\n").encode()


def _origin(report: Report) -> dict[str, Any]:
    bundle = report.bundle
    return {
        "ecs.version": ECS_VERSION,
        "event.module": "loganalyzer",
        "host.name": list(bundle.hosts),
        "host.os.type": bundle.platform if bundle.platform != "unknown" else None,
        "observer.product": "loganalyzer",
        "observer.version": report.tool.version,
        "loganalyzer.bundle.path": bundle.path,
        "loganalyzer.bundle.sha256": bundle.sha256,
    }
