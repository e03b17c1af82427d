"""``loganalyzer config``: which settings hold for which command, where each comes from, and which files are read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from loganalyzer.cli import EXIT_USAGE, tell
from loganalyzer.cli.settings import Resolved, commands, layers_of, looked_for, path_of, resolve, settable
from loganalyzer.cli.settings_files import Candidate, Layer, read_file, shown
from loganalyzer.errors import LogAnalyzerError, UsageError

_FORM = click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="What goes to standard output."
)


@click.group("config")
def command() -> None:
    """Show the settings that options get from files and from the environment."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One option of one command: its value, where that comes from, and the place."""

    command: str
    option: str
    value: Any
    origin: str
    where: str | None


@command.command("show")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.option("--all", "everything", is_flag=True, help="Also the options that have their default.")
@_FORM
@click.pass_context
def show(ctx: click.Context, words: tuple[str, ...], everything: bool, form: str) -> int:
    """Show each value that differs from the default of its option, and the file and line or variable that gives it.

    COMMAND: only that command, with all its options ('config show signatures test').

    \b
    Exit status: 0 shown, 2 a file or variable says what no option takes (told on standard error).
    """
    asked = [one for one in commands(ctx.find_root()) if path_of(one)[: len(words)] == words]
    if not asked:
        raise UsageError(f"there is no command {' '.join(words)!r}", None, "'loganalyzer --help' lists them")
    layers, faults = _readable(looked_for(ctx))
    rows: list[_Row] = []
    for one in asked:
        resolved, more = _resolved(one, layers)
        faults += [fault for fault in more if fault not in faults]
        rows += _rows(one, resolved, everything or bool(words))
    _write(rows, form)
    for fault in faults:
        tell(fault)
    return EXIT_USAGE if any(fault.startswith("error") for fault in faults) else 0


def _readable(files: Sequence[Candidate]) -> tuple[list[Layer], list[str]]:
    """The files that can be read; and of each other one what is wrong with it."""
    layers: list[Layer] = []
    faults: list[str] = []
    for file in files:
        try:
            layers += layers_of([file])
        except LogAnalyzerError as error:
            faults.append(f"error: {error}")
    return layers, faults


def _resolved(ctx: click.Context, layers: Sequence[Layer]) -> tuple[Resolved, list[str]]:
    """What holds for a command; where a file or the variables are faulty, what the others say."""
    try:
        resolved = resolve(ctx, layers)
        return resolved, [f"note: {one}" for one in resolved.ignored]
    except LogAnalyzerError as error:
        return Resolved({}), [f"error: {error}"]


def _rows(ctx: click.Context, resolved: Resolved, everything: bool) -> Iterator[_Row]:
    name = " ".join(path_of(ctx))
    for key, option in settable(ctx.command).items():
        setting = resolved.settings.get(key)
        if setting is not None:
            where = None if setting.where is None else str(setting.where)
            yield _Row(name, key, setting.value, setting.origin, where)
        elif everything:
            yield _Row(name, key, _default(ctx, option), "default", None)


def _default(ctx: click.Context, option: click.Option) -> Any:
    """The default as JSON can hold it; None: the option has none."""
    value = option.to_info_dict()["default"]
    if option.multiple:
        return list(value or ())
    return value if isinstance(value, str | int | float | bool) else None


def _write(rows: Sequence[_Row], form: str) -> None:
    from loganalyzer.redact import Redactor
    from loganalyzer.report.plain_text import plain, plain_json

    redactor = Redactor()
    if form == "json":
        click.echo(plain_json(redactor.text(json.dumps([asdict(one) for one in rows], indent=2, ensure_ascii=False))))
        return
    if not rows:
        click.echo("no setting differs from the default of its option")
    for one in rows:
        where = one.origin if one.where is None else f"{one.origin}, {one.where}"
        said = f"{one.command.replace(' ', '.')}.{one.option} = {json.dumps(one.value, ensure_ascii=False)}"
        click.echo(plain(redactor.text(f"{said}  ({where})")))


@command.command("path")
@_FORM
@click.pass_context
def path(ctx: click.Context, form: str) -> int:
    """List the files that are looked for, the strongest first. Before them come the command line and the environment.

    \b
    Exit status: 0 listed.
    """
    from loganalyzer.report.plain_text import plain, plain_json

    rows = [
        {"origin": file.origin, "path": shown(file), "state": _state(file), "trusted": file.trusted}
        for file in looked_for(ctx)
    ]
    if form == "json":
        click.echo(plain_json(json.dumps(rows, indent=2, ensure_ascii=False)))
        return 0
    for row in rows:
        limits = "" if row["trusted"] else "; sets only how results are shown, and the exit status"
        click.echo(plain(f"{row['path']}  ({row['origin']}, {row['state']}{limits})"))
    return 0


def _state(file: Candidate) -> str:
    try:
        return "not there" if read_file(file) is None else "read"
    except LogAnalyzerError as error:
        return f"faulty: {error.what}"
