"""Reports of bundles in which very much was found, for tests and measurements of what a page makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from loganalyzer.report.model import AttemptEntry, Evidence, Report
from tests.example_reports import DIAGNOSIS, EXAMPLE, WHEN, coverage_of, evidence_of, with_citations

RULES = 40
SOURCES = 60


def report_with(
    candidates: int, text: str = "2026-03-01T02:10:32Z ERROR the call to storage failed: timed out"
) -> Report:
    """A report with so many entries of evidence, spread over rules, sources and a day."""
    first, *_ = with_citations(EXAMPLE).diagnoses
    own = tuple(_evidence(number, text, candidates) for number in range(candidates))
    half = len(own) * 3 // 4
    second = replace(DIAGNOSIS, rank=2, cause="storage-egress-blocked", title="Storage is blocked", evidence=own[half:])
    sources = tuple(coverage_of(f"logs/part{number}.log", first=WHEN - timedelta(days=3)) for number in range(SOURCES))
    return replace(
        EXAMPLE,
        diagnoses=(replace(first, evidence=own[:half], count=half), second),
        coverage=(*EXAMPLE.coverage, *sources),
        attempts=tuple(
            AttemptEntry(f"attempt-{number}", start, start + timedelta(minutes=9), "command", "failure", (), ())
            for number in range(24)
            for start in (WHEN + timedelta(hours=number),)
        ),
    )


def _evidence(number: int, text: str, candidates: int) -> Evidence:
    one = evidence_of(f"{text} #{number}", f"logs/part{number % SOURCES}.log", number * 100, None)
    return replace(
        one,
        rule=f"rule-{number % RULES}",
        rule_title=f"Rule {number % RULES} found its line",
        role="refutes" if number % RULES == 7 else "supports",
        line=number + 1,
        timestamp=WHEN + timedelta(days=1) * number / candidates,
    )
