"""``loganalyzer fleet``: what a dataset of many bundles says as a whole."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from loganalyzer.cli import tell
from loganalyzer.cli.fleet_text import show
from loganalyzer.cli.options import cannot_write, color_option, console_for, moment, output_target, zone_of
from loganalyzer.cli.whole_file import write_whole
from loganalyzer.errors import LogAnalyzerError, UsageError
from loganalyzer.fleet.overview.html_page import Link, reports_named, to_html
from loganalyzer.fleet.overview.json_form import to_json
from loganalyzer.fleet.overview.links import links_to_json, links_to_pages, page_name, report_pages
from loganalyzer.fleet.overview.machines import read_fleet
from loganalyzer.fleet.overview.overview import Overview, overview

SUFFIXES: Final = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html"}
#: Columns of the overview in a text file.
_TEXT_WIDTH: Final = 120


@click.command("fleet")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="What goes to standard output.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="[FORMAT:]FILE",
    help="Also write a file; the format by its suffix (.html .json .txt) or by prefix. May repeat; '-' is standard"
    " output.",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write a page for each report that the HTML page names, and link to these instead of the JSON reports.",
)
@click.option(
    "--fdr",
    type=click.FloatRange(min=0.0, max=0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="Share of false discoveries that the common factors may have.",
)
@click.option("--since", metavar="TIME", help="Only clusters of unexplained errors that began at or after this time.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OLDER",
    help="Also tell what changed since this older dataset: causes that rose or fell, machines that fail now or have"
    " recovered, errors that are new.",
)
@color_option
def command(dataset: Path, **given: Any) -> int:
    """Tell what many bundles have in common: DATASET is what 'loganalyzer batch' wrote.

    Causes by count with their weeks, what failing machines share and the others lack, versions, documented errors, what
    to collect from machines that cannot be told, and errors that no signature explains. Of each machine the newest
    bundle counts.

    \b
    Exit status: 0 done, 2 wrong usage or no dataset.
    """
    targets = _targets(given)
    began = None if given["since"] is None else moment(given["since"], "--since", zone_of(None))
    older = None if given["against"] is None else read_fleet(given["against"])
    found = overview(read_fleet(dataset), given["fdr"], began, older)
    pages = None if given["reports"] is None else _write_report_pages(found, dataset, given["reports"])
    for form, path in targets:
        base = Path.cwd() if path is None else path.absolute().parent
        link = links_to_json(dataset, base) if pages is None else links_to_pages(given["reports"], base, pages)
        _write(found, form, path, link, given["color"])
    return 0


def _targets(given: dict[str, Any]) -> list[tuple[str, Path | None]]:
    """Files first: a reader of standard output that goes away costs no file."""
    targets = [output_target(one, given["form"], SUFFIXES) for one in given["outputs"]]
    if not any(path is None for _, path in targets):
        targets.append((given["form"], None))
    if given["reports"] is not None and all(form != "html" for form, _ in targets):
        raise UsageError("--reports is of an HTML page, and none is written", None, "add -o fleet.html")
    return sorted(targets, key=lambda target: target[1] is None)


def _write(found: Overview, form: str, path: Path | None, link: Link, color: str) -> None:
    if form == "text" and path is None:
        show(found, console_for(color))
        return
    content = to_json(found) if form == "json" else to_html(found, link) if form == "html" else _text(found)
    if path is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    else:
        write_whole(path, content)


def _text(found: Overview) -> bytes:
    text = io.StringIO()
    show(found, Console(file=text, width=_TEXT_WIDTH, no_color=True, color_system=None, force_terminal=False))
    return text.getvalue().encode()


def _write_report_pages(found: Overview, dataset: Path, folder: Path) -> Sequence[str]:
    """Writes the pages of the reports that the page names; those that were written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    written = []
    for report, page in report_pages(dataset, reports_named(found)):
        if isinstance(page, LogAnalyzerError):
            tell(f"warning: no page of a report: {page}")
        else:
            write_whole(folder / page_name(report), page)
            written.append(report)
    return written
