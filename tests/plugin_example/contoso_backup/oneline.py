"""An output format: a report in one line, for a chat."""

from __future__ import annotations

from loganalyzer import Report
from loganalyzer.report.formats import OutputFormat


def to_line(report: Report) -> bytes:
    """The verdict, and the first cause where there is one. Secrets of the report are tokens already."""
    first = f": {report.diagnoses[0].title}" if report.diagnoses else ""
    return f"{report.verdict}{first}\n".encode()


output = OutputFormat(name="oneline", title="the verdict in one line", suffixes=(".oneline",), render=to_line)
