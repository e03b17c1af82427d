"""The formats of a report, by name: what each is, which files are of it, and what writes it.

A renderer is imported when it is used. Other packages add formats as plug-ins of the group ``loganalyzer.outputs``: the
name of the entry point is that of the format, its value an `OutputFormat`.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from loganalyzer.errors import UsageError
from loganalyzer.plugins import OUTPUTS, Plugin, blame, installed, load, watch
from loganalyzer.report.model import Report

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
    OutputFormat("html", "the report as one page for a case", (".html", ".htm"), _in_module("html_report", "to_html")),
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
    """The format of this name; plug-ins are looked at only for a name that is not built in. None: there is none.

    Raises:
        UsageError: the plug-in that brings it cannot be loaded.
    """
    name = ALIASES.get(name, name)
    if name in BUILT_IN:
        return BUILT_IN[name]
    plugin = next((one for one in installed(OUTPUTS) if one.name == name), None)
    if plugin is None:
        return None
    with watch() as faults:
        found = _loaded(plugin)
        why = faults.of(plugin)
        faults.clear()
    if found is None:
        raise UsageError(f"{plugin} cannot be used: {why}", None, "update or uninstall the package that brings it")
    return found


def format_of_file(name: str) -> OutputFormat | None:
    """The format that the longest known suffix of a file's name says, a built-in one first. None: it says none."""
    return _by_suffix(name, _BUILT_IN) or _by_suffix(name, _added())


def formats() -> tuple[OutputFormat, ...]:
    """All formats, the built-in ones first, then those of plug-ins by name; a broken one is left out, as a fault."""
    return (*_BUILT_IN, *_added())


def _added() -> list[OutputFormat]:
    return [found for plugin in installed(OUTPUTS) if (found := _loaded(plugin)) is not None]


def _loaded(plugin: Plugin) -> OutputFormat | None:
    found = load(plugin, _checked)
    if found is None:
        return None
    if found.name != plugin.name or found.name in BUILT_IN or found.name in ALIASES:
        blame(plugin, f"its format is called {found.name!r}: call it like the entry point, and like no built-in one")
        return None
    return replace(found, render=_guarded(plugin, found.render))


def _checked(found: object) -> OutputFormat:
    """
    Raises:
        TypeError: it is no format.
    """
    if not isinstance(found, OutputFormat):
        raise TypeError(f"it is a {type(found).__name__}, no OutputFormat")
    return found


def _guarded(plugin: Plugin, render: Callable[..., bytes]) -> Callable[..., bytes]:
    """The renderer of a plug-in, whose failure is told as the plug-in's."""

    def guarded(*arguments: Any) -> bytes:
        try:
            data = render(*arguments)
            if not isinstance(data, bytes):
                raise TypeError(f"it gives a {type(data).__name__}, not bytes")
        except Exception as error:
            help = "update or uninstall the package that brings it"
            raise UsageError(f"{plugin} failed: {type(error).__name__}: {error}", None, help) from error
        return data

    return guarded


def _by_suffix(name: str, among: Iterable[OutputFormat]) -> OutputFormat | None:
    fitting = [(len(suffix), one) for one in among for suffix in one.suffixes if name.lower().endswith(suffix)]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None
