"""Where a page on a dataset leads to: the JSON reports of the dataset, or pages that are written for those it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from loganalyzer.errors import LogAnalyzerError
from loganalyzer.fleet.overview.html_page import Link
from loganalyzer.report.html_report import to_html
from loganalyzer.report.read_report import read_report

#: Reports as a dataset names them; a table that says anything else names a file that is none of it.
_REPORT: Final = re.compile(r"reports/\w+/[\w-]+\.json")


def links_to_json(dataset: Path, base: Path) -> Link:
    """To the reports of the dataset, from a page in the folder ``base``."""

    def link(report: str) -> str | None:
        path = dataset / report
        return _address(path, base) if _REPORT.fullmatch(report) and path.is_file() else None

    return link


def links_to_pages(folder: Path, base: Path, written: Iterable[str]) -> Link:
    """To the pages of these reports in a folder, from a page in the folder ``base``."""
    there = frozenset(written)
    return lambda report: _address(folder / page_name(report), base) if report in there else None


def report_pages(dataset: Path, reports: Iterable[str]) -> Iterator[tuple[str, bytes | LogAnalyzerError]]:
    """Each report with its page; or with the reason why there is none."""
    for report in reports:
        if _REPORT.fullmatch(report):
            try:
                yield report, to_html(read_report(dataset / report))
            except LogAnalyzerError as error:
                yield report, error


def page_name(report: str) -> str:
    """The name of a report's page."""
    return f"{Path(report).stem}.html"


def _address(path: Path, base: Path) -> str:
    """A relative address where there is one, so that folders can be moved together."""
    try:
        return quote(Path(os.path.relpath(path, base)).as_posix())
    except ValueError:  # another drive
        return path.absolute().as_uri()
