"""The command line: words in, one call into the pipeline, text and an exit status out.

Subcommands are imported when they are run, so that ``--help`` stays light.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

import click

from loganalyzer import __version__
from loganalyzer.errors import LogAnalyzerError, UsageError

EXIT_FINDING = 1
EXIT_USAGE = 2
EXIT_UNREADABLE = 3
EXIT_INTERNAL = 4
EXIT_INTERRUPTED = 130

#: Command name, the module that holds it, and its one line in the overview.
COMMANDS = {
    "scan": ("loganalyzer.cli.scan", "Find the documented cause of a failed backup in a bundle of logs."),
    "explain": ("loganalyzer.cli.explain", "Explain an error code, a cause, or pasted portal text (offline)."),
    "formats": ("loganalyzer.cli.formats", "List the log formats that can be read."),
    "signatures": ("loganalyzer.cli.signatures", "List, show, test and lint the signatures."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the module of the command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the overview from the table, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="loganalyzer")
def cli() -> None:
    """Attribute a failed Azure VM backup to a documented cause, with the lines that prove it.

    \b
    Exit status: 0 nothing found, 1 a diagnosis at or above --fail-on, 2 wrong usage or a broken rule,
    3 nothing recognised or a source not readable to its end, 4 internal error, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``loganalyzer`` command; exits with the documented status."""
    _speak_utf8(sys.stdout)
    _speak_utf8(sys.stderr)
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    try:
        result = cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stderr.close()
        return 0
    except LogAnalyzerError as error:
        click.echo(f"error: {error}", err=True)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_UNREADABLE
    except Exception:  # noqa: BLE001  the last net: a bug is told as one, with what is needed to report it
        click.echo("internal error; please report this with the lines below", err=True)
        click.echo(traceback.format_exc(), err=True)
        return EXIT_INTERNAL
    return result if isinstance(result, int) else 0


def _speak_utf8(stream: TextIO) -> None:
    """Piped output is UTF-8 on every system."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and not stream.isatty():
        reconfigure(encoding="utf-8", errors="replace")
