"""``loganalyzer formats``: what can be read."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from loganalyzer.cli.console import open_console
from loganalyzer.registry import parsers


@click.command("formats")
def command() -> int:
    """List the log formats that can be read, the log source of each and where the file lies on a VM."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("format", "log source", "what", "where on the VM"):
        table.add_column(heading, overflow="fold")
    for parser in parsers():
        table.add_row(
            *(Text(cell) for cell in (parser.name, str(parser.logsource), parser.title, "\n".join(parser.paths)))
        )
    open_console().print(table)
    return 0
