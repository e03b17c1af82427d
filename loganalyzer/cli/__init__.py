"""The command line: words in, one call into the pipeline, text and an exit status out.

Subcommands are imported when they are run, so that ``--help`` stays light.
"""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from loganalyzer import __version__
from loganalyzer.cli.settings import with_common_options
from loganalyzer.errors import LogAnalyzerError, UsageError
from loganalyzer.plugins import check_switch, switch_kept, watch

if TYPE_CHECKING:
    from loganalyzer.redact import Redactor

EXIT_FINDING = 1
EXIT_USAGE = 2
EXIT_UNREADABLE = 3
EXIT_INTERNAL = 4
EXIT_INTERRUPTED = 130

#: Command name, the module that holds it, and its one line in the overview.
COMMANDS = {
    "scan": ("loganalyzer.cli.scan", "Find the documented cause of a failed backup in a bundle of logs."),
    "match": ("loganalyzer.cli.match", "Match any Sigma rules against event logs, JSON events or a bundle."),
    "timeline": ("loganalyzer.cli.timeline", "Print the events of all sources of a bundle in the order of time."),
    "export": ("loganalyzer.cli.export", "Write the events and findings of a bundle to Parquet, Arrow, NDJSON or CSV."),
    "query": ("loganalyzer.cli.query", "Answer a question in SQL over the events and findings of a bundle."),
    "why-not": ("loganalyzer.cli.why_not", "Say why a cause was not given for a bundle, or why its rivals were not."),
    "verify": ("loganalyzer.cli.verify", "Read again, in the bundle, every line that a report cites."),
    "diff": ("loganalyzer.cli.diff", "Say what changed between two bundles, or two reports, of one machine."),
    "redact": (
        "loganalyzer.cli.redact",
        "Write a copy of a bundle without its secrets, which scans like the original.",
    ),
    "shrink": ("loganalyzer.cli.shrink", "Write the smallest redacted part of a bundle that gives the same findings."),
    "batch": ("loganalyzer.cli.batch", "Scan many bundles, one a VM, into a dataset of tables and reports."),
    "fleet": ("loganalyzer.cli.fleet", "Tell what many bundles have in common: causes, versions, common factors."),
    "serve": ("loganalyzer.cli.serve", "Serve a page and a REST API to which bundles are uploaded."),
    "submit": ("loganalyzer.cli.submit", "Upload a bundle to such a server, and fetch the report."),
    "explain": ("loganalyzer.cli.explain", "Explain an error code, a cause, or pasted portal text (offline)."),
    "formats": ("loganalyzer.cli.formats", "List the formats that can be read, or explain whose each file is."),
    "signatures": ("loganalyzer.cli.signatures", "List, show, test and lint the signatures."),
    "plugins": ("loganalyzer.cli.plugins", "List the parsers, rules, outputs and redactors that other packages add."),
    "config": ("loganalyzer.cli.config", "Show the settings that hold, and the files that they come from."),
    "completion": ("loganalyzer.cli.completion", "Print the script with which a shell completes commands and values."),
}


#: Objects that are made before cycles are looked for. What a command imports stays, and makes some 100 000 of them: to
#: look them through again and again, as Python does after every 700, takes longer than many a command's work.
_OBJECTS = 20_000

#: The variable by which the script of a shell asks for completions.
COMPLETION = "_LOGANALYZER_COMPLETE"


class Voice:
    """What one run says on standard error, and through which redactor; without one, secrets are hidden."""

    def __init__(self) -> None:
        self.redactor: Redactor | None = None

    def tell(self, text: str) -> None:
        """Says something. Tokens are those of the results; what is new here does not change their numbers."""
        from loganalyzer.redact import Redactor
        from loganalyzer.report.plain_text import plain

        chosen = self.redactor
        used = Redactor() if chosen is None or chosen.mode == "off" else chosen.aside()
        click.echo(plain(used.texts([text])[0]), err=True)


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
        return with_common_options(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Commands from the table, without importing one; options as click has it."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]

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


with_common_options(cli)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``loganalyzer`` command; exits with the documented status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
        _speak_utf8(getattr(sys, name))
    gc.set_threshold(_OBJECTS)
    status = run(arguments)
    gc.freeze()  # the end of the process frees all: nothing is gained by the interpreter's looking for cycles before
    sys.exit(status)


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status; then tells what plug-ins did wrong."""
    voice = Voice()
    with switch_kept(), watch() as faults:
        try:
            return _status_of(arguments, voice)
        finally:
            for fault in faults:
                voice.tell(f"warning: {fault}")
            faults.clear()


def _status_of(arguments: Sequence[str] | None, voice: Voice) -> int:
    try:
        check_switch()
        if COMPLETION in os.environ:
            importlib.import_module("loganalyzer.cli.completion").register()
        words = list(arguments) if arguments is not None else None
        result = cli.main(args=words, standalone_mode=False, obj=voice, complete_var=COMPLETION)
        sys.stdout.flush()  # what fails here is told below, not by the interpreter on its way out
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        voice.tell(shown.getvalue().rstrip())
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        voice.tell("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return 0
    except LogAnalyzerError as error:
        voice.tell(f"error: {error}")
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_UNREADABLE
    except OSError as error:  # intake and -o tell theirs as the kinds above: what is left is standard output
        _discard_output()
        voice.tell(f"error: cannot write standard output: {error.strerror or error}")
        return EXIT_USAGE
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001  the last net (a panic of polars is no Exception): a bug is told as one
        import traceback

        voice.tell("internal error; please report this with the lines below")
        voice.tell(traceback.format_exc())
        return EXIT_INTERNAL
    return result if isinstance(result, int) else 0


def tell(text: str) -> None:
    """Says something on standard error. It may quote names and rules of others: no secret, nothing a terminal obeys."""
    context = click.get_current_context(silent=True)
    voice = context.find_object(Voice) if context is not None else None
    (voice or Voice()).tell(text)


def speak_through(redactor: Redactor) -> None:
    """From here on, what the running command says on standard error is redacted as its results are."""
    context = click.get_current_context(silent=True)
    voice = context.find_object(Voice) if context is not None else None
    if voice is not None:
        voice.redactor = redactor


def _discard_output() -> None:
    """Nobody takes what is still to be written, so that writing it at exit must not fail once more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # no file behind it
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _speak_utf8(stream: IO[Any]) -> None:
    """What is piped is UTF-8 on every system; what a stream cannot hold is replaced."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
