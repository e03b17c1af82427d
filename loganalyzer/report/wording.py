"""How places, times, spans and sizes are written for people, and which evidence comes first. No text is made plain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from loganalyzer.report.model import Citation, Evidence, Report


def headline(report: Report) -> str:
    """What the bundle's verdict comes down to, in one sentence without its full stop."""
    if report.diagnoses and report.verdict != "no-fault-found":
        return report.diagnoses[0].title
    if report.verdict == "cannot-tell" and report.next_evidence:
        first = report.next_evidence[0]
        return f"next, collect {first.what or first.artefact}"
    if report.verdict == "cannot-tell":
        return "these files neither prove nor exclude a cause"
    return report.receipt.statement or "nothing in these files explains a failed backup"


def place(cited: Evidence | Citation) -> str:
    """The source with the record or line of it."""
    if cited.record_id is not None:
        return f"{cited.source} record {cited.record_id}"
    return cited.source if cited.line is None else f"{cited.source}:{cited.line}"


def first_of_each_rule(evidence: Sequence[Evidence], most: int) -> list[Evidence]:
    """At most so many entries, which show each rule once before they show one twice, in the order of the report."""
    firsts = list({one.rule: one for one in reversed(evidence)}.values())
    rest = [one for one in evidence if not any(one is first for first in firsts)]
    ranks = {id(one): rank for rank, one in enumerate(evidence)}
    chosen = [*sorted(firsts, key=lambda one: ranks[id(one)]), *rest][:most]
    return sorted(chosen, key=lambda one: ranks[id(one)])


def time_text(time: datetime) -> str:
    """``2026-03-01 02:10:32Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(first: datetime, last: datetime) -> str:
    """Two times; the second without its day if that is the same."""
    if time_text(first) == time_text(last):
        return time_text(first)
    same_day = first.astimezone(UTC).date() == last.astimezone(UTC).date()
    return f"{time_text(first)} → {time_text(last)[11:] if same_day else time_text(last)}"


def rough_span(first: datetime, last: datetime) -> str:
    """Two times to the minute; the second without its year or day if that is the same."""
    start, end = (f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in (first, last))
    if start == end:
        return start
    return f"{start} → {end[11:] if start[:10] == end[:10] else end[5:] if start[:4] == end[:4] else end}"


def duration(start: datetime, end: datetime) -> str:
    """In the largest unit that counts to two at least."""
    seconds = int((end - start).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def size_text(size: int) -> str:
    """Bytes for people, in powers of 1024."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
