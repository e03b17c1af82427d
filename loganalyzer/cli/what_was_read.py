"""What every command that reads a bundle says on standard error of the reading, and the exit status of it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from loganalyzer.cli import EXIT_UNREADABLE, tell
from loganalyzer.facts.machines import SEVERAL_MACHINES
from loganalyzer.registry import Choice
from loganalyzer.report.model import Coverage
from loganalyzer.report.plain_text import one_line

MOST_UNREAD = 10


def tell_unread(recognised: int, unread: Sequence[str]) -> None:
    """Says what could not be read to its end (redacted before, or on purpose not): the reason for exit status 3."""
    for told in unread[:MOST_UNREAD]:
        click.echo(f"not read to its end: {one_line(told)}", err=True)
    if len(unread) > MOST_UNREAD:
        click.echo(f"and {len(unread) - MOST_UNREAD} more: see the sources in the report", err=True)
    if recognised == 0:
        click.echo(
            "nothing was recognised: no file of this bundle is a log that can be read\n"
            "  help: 'loganalyzer formats' lists what can; give the folder or archive that holds the logs",
            err=True,
        )


def tell_machines(coverage: Sequence[Coverage]) -> None:
    """Says that a diagnosis may rest on logs of different machines."""
    sources = [one.source for one in coverage if any(note.endswith(SEVERAL_MACHINES) for note in one.notes)]
    if sources:
        more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
        tell(f"warning: {SEVERAL_MACHINES}: {one_line(sources[0])}{more}; scan each machine by itself")


def tell_idle(choices: Sequence[Choice]) -> None:
    """Says which choices of ``--as`` fit no source: they are probably misspelt."""
    for choice in choices:
        tell(one_line(f"--as {choice.glob}={choice.parser.name} fits no source: 'loganalyzer formats BUNDLE' has them"))


def status_of_reading(recognised: int, unread: Sequence[str]) -> int:
    """3 where nothing was recognised, or something that is recognised was not read to its end; else 0."""
    return EXIT_UNREADABLE if recognised == 0 or unread else 0
