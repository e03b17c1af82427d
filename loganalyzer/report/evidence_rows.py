"""The evidence of a report as rows: each entry beside the cause that it speaks for or against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from loganalyzer.report.model import DiagnosisVerdict, Evidence, Report

RowVerdict: TypeAlias = DiagnosisVerdict | Literal["ruled-out"]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One entry of evidence. ``rank``, ``title`` and ``url`` (of the documentation) are those of a diagnosis only."""

    cause: str
    verdict: RowVerdict
    how: str
    evidence: Evidence
    rank: int | None = None
    title: str | None = None
    url: str | None = None


def evidence_rows(report: Report) -> Iterator[EvidenceRow]:
    """All evidence: of the diagnoses by rank, then of what was ruled out; of each in the order of the report."""
    for one in report.diagnoses:
        url = one.docs[0].url if one.docs else None
        for evidence in one.evidence:
            yield EvidenceRow(one.cause, one.verdict, one.how, evidence, one.rank, one.title, url)
    for other in report.ruled_out:
        for evidence in other.evidence:
            yield EvidenceRow(other.cause, "ruled-out", other.why, evidence)
