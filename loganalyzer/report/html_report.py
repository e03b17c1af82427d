"""The report as one HTML page to attach to a case: it needs no network, and its content policy holds it to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from loganalyzer.report.html.bars import WIDTH, Axis, axis_of, by_status, failed_ticks, stretches
from loganalyzer.report.html.chosen import MOST_ATTEMPTS, MOST_SOURCES, choose
from loganalyzer.report.html.commands import pieces
from loganalyzer.report.html.page import asset, page, script_data
from loganalyzer.report.html.timeline import KINDS, timeline
from loganalyzer.report.model import Coverage, Report, RuledOut, Undecided
from loganalyzer.report.plain_text import one_line
from loganalyzer.report.wording import duration, headline, place, rough_span, size_text

#: In the order in which they run.
_CHART_SCRIPTS: Final = ("vega.min.js", "vega-lite.min.js", "vega-interpreter.min.js")
_LICENCES: Final = ("vega.LICENSE.txt", "vega-lite.LICENSE.txt", "d3.LICENSE.txt")
_VERDICTS: Final = {"cause-found": "Cause found", "no-fault-found": "No fault found", "cannot-tell": "Cannot tell"}
_GAPS_TOLD: Final = 3


def to_html(report: Report) -> bytes:
    """The page in UTF-8; the same report gives the same bytes. Times are in UTC."""
    chosen = choose(report)
    chart = timeline(report, chosen.anchors)
    axis = axis_of(report)
    values = {
        "report": report,
        "chosen": chosen,
        "chart": chart,
        "chart_data": script_data(chart.spec) if chart is not None else None,
        "kinds": KINDS,
        "axis": axis,
        "ticks": failed_ticks(report, axis) if axis is not None else [],
        "sources": by_status(report.coverage)[:MOST_SOURCES],
        "attempts": report.attempts[-MOST_ATTEMPTS:],
        "undecided": _grouped(report.undecided),
        "unseen": _grouped([one for one in report.ruled_out if not one.evidence]),
        "titles": {one.cause: one.title for one in report.diagnoses},
        "cuts": (*chosen.cuts, *(chart.cuts if chart is not None else ())),
        "verdict": _VERDICTS[report.verdict],
        "headline": headline(report),
        "licences": [asset(name) for name in _LICENCES] if chart is not None else [],
        "duration": duration,
        "place": place,
        "stretches": stretches,
        "about_source": _about_source,
        "bar_width": WIDTH,
        "axis_text": _axis_text,
        "pieces": pieces,
    }
    scripts = (*_CHART_SCRIPTS, "report.js") if chart is not None else ("report.js",)
    return page(
        "report.html",
        scripts,
        (
            "palette.css",
            "report.css",
        ),
        values,
    )


def _axis_text(axis: Axis) -> str:
    return rough_span(axis.start, axis.end)


def _about_source(one: Coverage) -> list[str]:
    """What there is to say of a source beside its numbers."""
    about = [one_line(one.why)] if one.status not in ("read", "archive") else []
    if one.rejected:
        about.append(f"{one.rejected:,} entries rejected ({size_text(one.rejected_bytes)})")
    about += [one_line(note) for note in one.notes]
    about += [f"silent {one_line(start)} → {one_line(end)}" for start, end in one.gaps[:_GAPS_TOLD]]
    if len(one.gaps) > _GAPS_TOLD:
        about.append(f"and {len(one.gaps) - _GAPS_TOLD} more times")
    return [_short(line) for line in about if line]


def _short(line: str, most: int = 300) -> str:
    return line if len(line) <= most else f"{line[:most]}…"


def _grouped(rows: Sequence[Undecided | RuledOut]) -> Mapping[str, list[Undecided | RuledOut]]:
    """By the reason, in the order of the report."""
    groups: dict[str, list[Undecided | RuledOut]] = {}
    for one in rows:
        groups.setdefault(one.why, []).append(one)
    return groups
