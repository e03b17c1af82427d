"""``loganalyzer plugins``: what other packages add, from which file, and whether it works."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from loganalyzer.plugins import GROUPS, SWITCH, Faults, Plugin, all_installed, switched_on, watch


@click.group("plugins")
def command() -> None:
    """Show the plug-ins that are installed: parsers, rule packs, output formats and redactors of other packages."""


@command.command("list")
@click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="What goes to standard output."
)
def list_plugins(form: str) -> int:
    """List each plug-in with its group, its package and version, its file, and whether it can be used.

    \b
    Exit status: 0 listed, whatever state they are in; 2 wrong usage.
    """
    from loganalyzer.redact import Redactor
    from loganalyzer.report.plain_text import plain, plain_json

    with watch() as faults:
        _use_all()
        redactor = Redactor()
        rows = [_row(plugin, faults) for plugin in all_installed()]
        faults.clear()  # the list itself tells them
    if form == "json":
        click.echo(plain_json(redactor.text(json.dumps(rows, indent=2, ensure_ascii=False))))
        return 0
    for line in _lines(rows):
        click.echo(plain(redactor.text(line)))
    return 0


def _use_all() -> None:
    """Loads every plug-in the way it is used, so that what is wrong with it shows."""
    from loganalyzer.redact.plugged import finders
    from loganalyzer.registry import parsers
    from loganalyzer.report.formats import formats
    from loganalyzer.rule_packs import rule_packs
    from loganalyzer.signatures_in_use import rules_with

    parsers()
    rules_with((), rule_packs())
    formats()
    finders()


def _row(plugin: Plugin, faults: Faults) -> dict[str, str | None]:
    fault = faults.of(plugin)
    state = "off" if not switched_on() else "faulty" if fault is not None else "in use"
    return {
        "group": plugin.group,
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "value": plugin.value,
        "origin": plugin.origin,
        "state": state,
        "fault": fault,
    }


def _lines(rows: list[dict[str, str | None]]) -> Iterator[str]:
    if not rows:
        yield f"no plug-in is installed ({', '.join(GROUPS)})"
        return
    if not switched_on():
        yield f"plug-ins are switched off (--no-plugins or {SWITCH})"
    for row in rows:
        yield f"{row['group']}  {row['name']}  {row['distribution'] or '-'} {row['version'] or '-'}  {row['state']}"
        yield f"    {row['value']}  {row['origin'] or 'no file'}"
        if row["fault"] is not None:
            yield f"    {row['fault']}"
