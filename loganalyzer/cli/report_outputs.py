"""Where a report goes: ``-f`` and ``-o`` to targets, and each target written for itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem
from msgspec import Struct

from loganalyzer.cli import tell
from loganalyzer.cli.whole_file import write_whole
from loganalyzer.errors import LogAnalyzerError, UsageError
from loganalyzer.report.formats import BUILT_IN, OutputFormat, format_called, format_of_file
from loganalyzer.report.model import Report

#: The tables behind a report are many files, so that they are a folder and no `OutputFormat`.
TABLES: Final = "parquet"


class Target(Struct, frozen=True):
    """One place that a report goes to. ``path`` None: standard output; ``form`` None: the tables, in a folder."""

    form: OutputFormat | None
    path: Path | None


def _format_named(ctx: click.Context, param: click.Parameter, value: str) -> OutputFormat:
    if value == TABLES:
        raise click.BadParameter(f"the tables are a folder of files: write -o {TABLES}:DIR", ctx, param)
    found = format_called(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(BUILT_IN)}", ctx, param)
    return found


def _completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=one.title) for name, one in BUILT_IN.items() if name.startswith(incomplete)]


#: Decorates a command that prints a report; formats of other packages are looked at only for a name not built in.
format_option = click.option(
    "-f",
    "--format",
    "form",
    default="text",
    callback=_format_named,
    shell_complete=_completed,
    metavar=f"[{'|'.join(BUILT_IN)}]",
    help="What goes to standard output.",
)


def targets_of(outputs: Sequence[str], form_of_stdout: OutputFormat) -> list[Target]:
    """The targets of all ``-o [FORMAT:]FILE``, files first; standard output, in the format of ``-f``, if none is it.

    Raises:
        UsageError: neither a prefix nor the file's suffix names a format, or two targets are the same.
    """
    targets = [_target(text, form_of_stdout) for text in outputs]
    if not any(target.path is None for target in targets):
        targets.append(Target(form_of_stdout, None))
    if sum(target.path is None for target in targets) > 1:
        raise UsageError("two outputs go to standard output", None, "give all but one a file")
    paths = [target.path.absolute() for target in targets if target.path is not None]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise UsageError(f"-o {str(twice)!r} is given twice", None, "give each output a file of its own")
    return sorted(targets, key=lambda target: target.path is None)  # a reader that goes away costs no file


def _target(text: str, form_of_stdout: OutputFormat) -> Target:
    prefix, separator, rest = text.partition(":")
    if separator and prefix == TABLES:
        if rest in ("", "-"):
            raise UsageError(f"-o {text!r} names no folder", None, f"write {TABLES}:DIR")
        return Target(None, Path(rest))
    form = format_called(prefix) if separator and len(prefix) > 1 else None  # one letter is a drive of Windows
    if form is not None:
        if not rest:
            help = f"write {prefix}:FILE, or {prefix}:- for standard output"
            raise UsageError(f"-o {text!r} names no file", None, help)
        return Target(_meant(form, rest), None if rest == "-" else Path(rest))
    if text == "-":
        return Target(form_of_stdout, None)
    form = format_of_file(Path(text).name)
    if form is None:
        known = ", ".join(one.suffixes[0] for one in BUILT_IN.values() if one.suffixes[0].count(".") == 1)
        help = f"write FORMAT:{text} with one of {', '.join(BUILT_IN)}, {TABLES}; or use {known}"
        raise UsageError(f"-o {text!r}: the suffix names no format", None, help)
    return Target(form, Path(text))


def _meant(form: OutputFormat, file: str) -> OutputFormat:
    other = form.named_for.get(Path(file).suffix.lower())
    found = format_called(other) if other is not None else None
    return found if found is not None else form


def write_outputs(
    targets: Sequence[Target],
    report: Report,
    exit_code: int,
    to_console: Callable[[], None],
    write_tables: Callable[[Path], None],
) -> bool:
    """Writes every target, whatever becomes of the others; whether all were written.

    What cannot be written is told on standard error. ``to_console`` prints text on standard output. A renderer that
    fails as none may is raised once the others are written; so is a fault of standard output, which comes last.
    """
    written, bug = True, None
    for target in targets:
        try:
            if target.path is None:
                _to_stdout(target.form, report, exit_code, to_console)
            elif target.form is None:
                write_tables(target.path)
            else:
                write_whole(target.path, target.form.bytes_of(report, exit_code))
        except LogAnalyzerError as error:
            tell(f"error: {error}")
            written = False
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  a bug in one renderer must not cost the others
            bug = bug or error
    if bug is not None:
        raise bug
    return written


def _to_stdout(form: OutputFormat | None, report: Report, exit_code: int, to_console: Callable[[], None]) -> None:
    if form is None or form.name == "text":
        to_console()
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(form.bytes_of(report, exit_code))
