"""The formats of a report, by name: what each is, which files are of it, and what writes it.

A renderer is imported when it is used. Other packages add formats by entry points of the group
``loganalyzer.outputs``: the name of the entry point is that of the format, its value an `OutputFormat`.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from loganalyzer.errors import Location, LogAnalyzerError
from loganalyzer.report.model import Report

ENTRY_POINT_GROUP: Final = "loganalyzer.outputs"
#: Columns of a report in a text file.
_TEXT_WIDTH: Final = 120


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """One format of a report.

    ``suffixes`` of file names, with their dot and in lower case, say that a file is of it. ``render`` takes a report,
    whose secrets are tokens already, and gives the bytes of a file; with ``takes_exit_code`` it also takes the exit
    status of the command. ``named_for``: by suffix, the format that is meant where this one is asked for by name.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    render: Callable[..., bytes]
    takes_exit_code: bool = False
    named_for: Mapping[str, str] = field(default_factory=dict)

    def bytes_of(self, report: Report, exit_code: int) -> bytes:
        """The report in this format."""
        return self.render(report, exit_code) if self.takes_exit_code else self.render(report)


def _in_module(module: str, function: str) -> Callable[..., bytes]:
    def render(*arguments: Any) -> bytes:
        found: bytes = getattr(importlib.import_module(f"loganalyzer.report.{module}"), function)(*arguments)
        return found

    return render


def to_text(report: Report) -> bytes:
    """What a terminal shows with all details, without colours, 120 columns wide."""
    from rich.console import Console

    from loganalyzer.report.terminal import render_terminal

    text = io.StringIO()
    console = Console(file=text, width=_TEXT_WIDTH, no_color=True, color_system=None, force_terminal=False)
    render_terminal(report, console, details=True)
    return text.getvalue().encode()


_BUILT_IN: Final = (
    OutputFormat("text", "the report for people, with all details", (".txt",), to_text),
    OutputFormat("json", "the report, schema loganalyzer/report/1", (".json",), _in_module("json_report", "to_json")),
    OutputFormat("markdown", "the report for a ticket", (".md", ".markdown"), _in_module("markdown", "to_markdown")),
    OutputFormat(
        "sarif",
        "diagnoses as SARIF 2.1.0",
        (".sarif", ".sarif.json"),
        _in_module("sarif", "to_sarif"),
        takes_exit_code=True,
    ),
    OutputFormat("junit", "causes as JUnit test cases", (".xml",), _in_module("junit", "to_junit")),
    OutputFormat("csv", "evidence as rows for a spreadsheet", (".csv",), _in_module("csv_rows", "to_csv")),
    OutputFormat("ndjson", "evidence with ECS names", (".ndjson", ".jsonl"), _in_module("ndjson", "to_ndjson")),
    OutputFormat(
        "timesketch",
        "timeline of evidence and attempts for Timesketch, JSON lines or (to a .csv) CSV",
        (".timesketch.jsonl",),
        _in_module("timesketch", "to_timesketch"),
        named_for={".csv": "timesketch-csv"},
    ),
    OutputFormat(
        "timesketch-csv",
        "the same timeline as CSV",
        (".timesketch.csv",),
        _in_module("timesketch", "to_timesketch_csv"),
    ),
    OutputFormat(
        "elastic",
        "evidence and attempts as a bulk request to Elasticsearch",
        (".bulk.ndjson",),
        _in_module("elastic", "to_elastic"),
    ),
)
#: The formats of this package, by name.
BUILT_IN: Final[Mapping[str, OutputFormat]] = {one.name: one for one in _BUILT_IN}
#: What people also call them.
ALIASES: Final[Mapping[str, str]] = {"md": "markdown", "txt": "text", "jsonl": "ndjson"}


def format_called(name: str) -> OutputFormat | None:
    """The format of this name; entry points are looked at only for a name that is not built in. None: there is none.

    Raises:
        LogAnalyzerError: the package that brings it is broken.
    """
    name = ALIASES.get(name, name)
    if name in BUILT_IN:
        return BUILT_IN[name]
    point = next((one for one in _points() if one.name == name), None)
    return None if point is None else _loaded(point)


def format_of_file(name: str) -> OutputFormat | None:
    """The format that the longest known suffix of a file's name says. None: it says none.

    Raises:
        LogAnalyzerError: no built-in format has the suffix, and a package that brings formats is broken.
    """
    return _by_suffix(name, BUILT_IN) or _by_suffix(name, {one.name: _loaded(one) for one in _points()})


def formats() -> tuple[OutputFormat, ...]:
    """All formats, the built-in ones first, then those of other packages by name.

    Raises:
        LogAnalyzerError: a package that brings a format is broken, or names it like a built-in one.
    """
    added = [_loaded(point) for point in _points()]
    for one in added:
        if one.name in BUILT_IN or one.name in ALIASES:
            where, help = Location(ENTRY_POINT_GROUP), "uninstall the package that brings it"
            raise LogAnalyzerError(f"a second output format is called {one.name!r}", where, help)
    return (*_BUILT_IN, *added)


def _points() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value))


def _loaded(point: EntryPoint) -> OutputFormat:
    where, help = Location(ENTRY_POINT_GROUP), "update or uninstall the package that brings it"
    try:
        found = point.load()
    except Exception as error:  # code of others, run on import
        raise LogAnalyzerError(
            f"the output format {point.name!r} ({point.value}) fails: {error}", where, help
        ) from error
    if not isinstance(found, OutputFormat) or found.name != point.name:
        raise LogAnalyzerError(f"{point.value} is not an OutputFormat called {point.name!r}", where, help)
    return found


def _by_suffix(name: str, among: Mapping[str, OutputFormat]) -> OutputFormat | None:
    fitting = [(len(suffix), one) for one in among.values() for suffix in one.suffixes if name.lower().endswith(suffix)]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None
