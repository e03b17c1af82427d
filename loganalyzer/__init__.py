"""Attributes a failed Azure VM backup to a documented cause, from a bundle of logs.

    from loganalyzer import read, scan

    report = scan("bundle.zip")              # a Report: verdict, diagnoses, evidence, what to collect next
    events = read("bundle.zip")              # polars frames, one a log source

Importing this package imports nothing else; what is named here is imported when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loganalyzer.errors import BundleError, CatalogueError, Location, LogAnalyzerError, RuleError, UsageError
    from loganalyzer.library import Events, read, scan
    from loganalyzer.plugins import PluginWarning, without_plugins
    from loganalyzer.report.json_report import to_json
    from loganalyzer.report.model import Diagnosis, Evidence, Report
    from loganalyzer.report.read_report import from_json

__version__ = "0.1.0"

__all__ = [
    "BundleError",
    "CatalogueError",
    "Diagnosis",
    "Events",
    "Evidence",
    "Location",
    "LogAnalyzerError",
    "PluginWarning",
    "Report",
    "RuleError",
    "UsageError",
    "__version__",
    "from_json",
    "read",
    "scan",
    "to_json",
    "without_plugins",
]

_HOMES = {
    **dict.fromkeys(
        ("BundleError", "CatalogueError", "Location", "LogAnalyzerError", "RuleError", "UsageError"), "errors"
    ),
    **dict.fromkeys(("Events", "read", "scan"), "library"),
    **dict.fromkeys(("PluginWarning", "without_plugins"), "plugins"),
    **dict.fromkeys(("Diagnosis", "Evidence", "Report"), "report.model"),
    "from_json": "report.read_report",
    "to_json": "report.json_report",
}


if not TYPE_CHECKING:  # for a type checker a name that is not above is none

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
