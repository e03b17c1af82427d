"""Evidence and backup attempts as the body of a bulk request to Elasticsearch or OpenSearch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from loganalyzer.report.ecs import attempt_document, evidence_document, ndjson
from loganalyzer.report.evidence_rows import evidence_rows
from loganalyzer.report.json_report import jsonable
from loganalyzer.report.model import Report

INDEX: Final = "loganalyzer"


def to_elastic(report: Report) -> bytes:
    """An action line and a document line for each entry of evidence and each attempt; POST it to ``/_bulk``.

    The action is ``create``, which data streams take, too; the id is of the document's content, so that the same report
    is indexed once. Fields without a value are left out: a document without a time has no ``@timestamp``.
    """
    lines = []
    for document in _documents(report):
        filled = {name: value for name, value in document.items() if value is not None and value != []}
        name = hashlib.sha256(orjson.dumps(jsonable(filled), option=orjson.OPT_SORT_KEYS)).hexdigest()
        lines += [ndjson({"create": {"_index": INDEX, "_id": name}}), ndjson(filled)]
    return b"".join(lines)


def _documents(report: Report) -> Iterator[dict[str, Any]]:
    yield from (evidence_document(report, one) for one in evidence_rows(report))
    yield from (attempt_document(report, one) for one in report.attempts)
