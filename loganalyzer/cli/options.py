"""Options that several commands share, and what they mean."""

from __future__ import annotations

import difflib
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from loganalyzer.cli import speak_through
from loganalyzer.cli.completers import complete_parser
from loganalyzer.errors import UsageError
from loganalyzer.intake import Limits
from loganalyzer.redact import RedactMode, Redactor, read_key
from loganalyzer.registry import Choice, parsers
from loganalyzer.report.plain_text import one_line
from loganalyzer.schema import FIRST_TIME, LAST_TIME

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from loganalyzer.tables.redaction import ColumnRedactor

F = TypeVar("F", bound=Callable[..., Any])

_LIMIT = click.IntRange(min=1, max=10**15)


def limit_options(command: F) -> F:
    """Adds an option for each limit of intake that a user may set."""
    for option in reversed(
        (
            click.option("--max-members", type=_LIMIT, help="Most files of a bundle."),
            click.option("--max-depth", type=_LIMIT, help="Deepest archive inside an archive."),
            click.option(
                "--max-expanded",
                "max_expanded_bytes",
                type=_LIMIT,
                metavar="BYTES",
                help="Most bytes after expansion.",
            ),
            click.option("--max-ratio", type=_LIMIT, help="Highest compression ratio of a member."),
            click.option("--max-member-memory", type=_LIMIT, metavar="BYTES", help="Largest file that is read whole."),
        )
    ):
        command = option(command)
    return command


def limits_of(given: Mapping[str, Any]) -> Limits:
    """The limits that `limit_options` took; what was not given has its default."""
    names = [field.name for field in fields(Limits) if given.get(field.name) is not None]
    return Limits(**{name: given[name] for name in names})


def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone of ``--tz``.

    Raises:
        UsageError: there is none of this name.
    """
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"unknown time zone {name!r}", None, "use an IANA name such as Europe/Rome or UTC") from error


def moment(text: str | None, option: str, zone: ZoneInfo | None) -> datetime | None:
    """The time (UTC) that an option was given, as ISO 8601; without a zone of its own it is in ``zone``, else in UTC.

    Raises:
        UsageError: it is no time, or none that an event can have.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        time = (time if time.tzinfo is not None else time.replace(tzinfo=zone or UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        help = "write it as 2026-03-01T02:10 or with +01:00"
        raise UsageError(f"{option} {text!r} is no time", None, help) from error
    if not FIRST_TIME <= time <= LAST_TIME:
        raise UsageError(f"{option} {text!r} is no time of a log", None, "check the year")
    return time


#: Decorates a command whose user may overrule the recognition of formats; `choices_of` reads it.
choice_option = click.option(
    "--as",
    "choices",
    multiple=True,
    metavar="SOURCE_GLOB=PARSER",
    shell_complete=complete_parser,
    help="Read the sources of these paths with this parser, whatever they look like ('*/odd.log=waagent_log');"
    " 'loganalyzer formats' lists the parsers. May repeat; the last that fits counts.",
)


def choices_of(given: Sequence[str]) -> tuple[Choice, ...]:
    """What ``--as`` was given.

    Raises:
        UsageError: one has another form or names no parser.
    """
    return tuple(map(_choice, given))


def _choice(text: str) -> Choice:
    glob, _, name = text.rpartition("=")
    if not glob or not name:
        help = "write a glob of paths and a parser, such as --as '*/odd.log=waagent_log'"
        raise UsageError(f"--as {text!r} is not SOURCE_GLOB=PARSER", None, help)
    by_name = {parser.name: parser for parser in parsers()}
    if name in by_name:
        return Choice(glob, by_name[name])
    near = difflib.get_close_matches(name.lower(), by_name, 3, 0.5)
    meant = f"is it {' or '.join(near)}? " if near else ""
    raise UsageError(f"--as {text!r}: there is no parser {name!r}", None, f"{meant}'loganalyzer formats' lists them")


#: Words of ``--redact``, and the mode of a redactor that each means.
_MODES: Mapping[str, RedactMode] = {"on": "tokens", "all": "all", "off": "off"}


def redact_option(command: F) -> F:
    """Adds ``--redact`` and ``--redact-key``; `redactor_of` reads them."""
    hidden = "on: secrets; all: also names of machines and people, addresses and ids of Azure; off: nothing."
    key = "Tokens that are equal in every bundle: made by HMAC with this file of at least 16 random bytes."
    command = click.option("--redact-key", "redact_key", type=click.Path(path_type=Path), metavar="FILE", help=key)(
        command
    )
    modes = click.Choice(list(_MODES))
    return click.option("--redact", type=modes, default="on", show_default=True, help=f"What is hidden: {hidden}")(
        command
    )


def redactor_of(given: Mapping[str, Any]) -> ColumnRedactor:
    """A redactor for what `redact_option` took. What this command says on standard error is redacted by it, too.

    Raises:
        UsageError: the key cannot be used.
    """
    from loganalyzer.tables.redaction import ColumnRedactor

    key = None if given["redact_key"] is None else read_key(given["redact_key"])
    redactor = ColumnRedactor(_MODES[given["redact"]], key)
    speak_through(redactor)
    return redactor


def output_target(text: str, form_of_stdout: str, suffixes: Mapping[str, str]) -> tuple[str, Path | None]:
    """Format and path of one ``-o [FORMAT:]FILE``; the path None is standard output, whose format ``-f`` names.

    Raises:
        UsageError: neither a prefix nor the file's suffix (one of ``suffixes``) names a format.
    """
    prefix, separator, rest = text.partition(":")
    if separator and prefix in suffixes.values():
        return prefix, None if rest == "-" else Path(rest)
    if text == "-":
        return form_of_stdout, None
    form = suffixes.get(Path(text).suffix.lower())
    if form is None:
        *others, last = suffixes
        known = f"{', '.join(others)} or {last}"
        help = f"write {next(iter(suffixes.values()))}:{text}, or use {known}"
        raise UsageError(f"-o {text!r}: the suffix names no format", None, help)
    return form, Path(text)


def cannot_write(path: Path, error: OSError) -> UsageError:
    """What is told of a file of ``-o`` that cannot be written."""
    return UsageError(f"cannot write {path}: {error.strerror}", None, "give -o a file in a writable folder")


color_option = click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True
)


def console_for(color: str) -> Console:
    """Standard output for ``--color``."""
    from loganalyzer.cli.console import open_console

    if color == "always":
        return open_console(force_terminal=True)
    if color == "never":
        return open_console(no_color=True, color_system=None)
    return open_console()


#: Variables by which rich takes for a terminal what is none.
_TAKEN_FOR_TERMINAL = frozenset(("FORCE_COLOR", "TTY_COMPATIBLE"))


@contextmanager
def progress_shown(quiet: bool, redactor: Redactor) -> Iterator[Callable[[str, str, int], None]]:
    """Phase and file name on standard error while it is a terminal.

    A redactor of its own hides what must not be seen, so that a terminal does not change the numbers of tokens. Where
    names of machines are hidden, which are not known yet, files are counted.
    """
    if quiet or not (sys.stderr.isatty() or _TAKEN_FOR_TERMINAL & os.environ.keys()):
        yield lambda phase, name, size: None
        return
    from rich.text import Text  # which takes a while, and is not needed in a pipe

    from loganalyzer.cli.console import open_console

    terminal = open_console(stderr=True)
    if not terminal.is_terminal:
        yield lambda phase, name, size: None
        return
    own, count = redactor.fresh(), itertools.count(1)

    def shown(phase: str, name: str) -> Text:
        what = f"file {next(count)}" if own.mode == "all" and name else one_line(own.text(name))[-60:]
        return Text(f"{phase} {what}")

    with terminal.status("reading") as status:
        yield lambda phase, name, size: status.update(shown(phase, name))
