"""``loganalyzer formats``: what can be read, and which format each file of a bundle is taken for, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import orjson
from rich.table import Table
from rich.text import Text

from loganalyzer.cli.console import open_console
from loganalyzer.cli.known_hosts import hosts_of
from loganalyzer.cli.options import limit_options, limits_of, progress_shown, redact_option, redactor_of
from loganalyzer.cli.what_was_read import status_of_reading, tell_unread
from loganalyzer.intake import Archive, Limits, Skipped, walk
from loganalyzer.intake.layout import recognise_layout, relative
from loganalyzer.known_files import known_file
from loganalyzer.redact import Redactor
from loganalyzer.registry import Recognised, claims, parsers
from loganalyzer.report.plain_text import one_line, plain_json
from loganalyzer.source import Source
from loganalyzer.transcript import Block, blocks_of


@click.command("formats")
@click.argument("bundle", nargs=-1, metavar="[BUNDLE_OR_FILE]...")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "ndjson"]),
    default="text",
    show_default=True,
    help="What goes to standard output.",
)
@redact_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@limit_options
def command(bundle: tuple[str, ...], form: str, quiet: bool, **given: Any) -> int:
    """List the log formats that can be read, the log source of each and where the file lies on a VM.

    With BUNDLE_OR_FILE: tell for each file which format it is taken for, how sure that is (of 100) and why, and what
    else it could be. 'scan --as SOURCE_GLOB=PARSER' overrules it.

    \b
    Exit status: 0 done, 2 wrong usage, 3 nothing recognised or a file or archive not readable to its end.
    """
    if not bundle:
        _list(form)
        return 0
    redactor = redactor_of(given)
    with progress_shown(quiet, redactor) as progress:
        found = _look(bundle, limits_of(given), progress)
    if redactor.mode == "all" and "-" not in bundle:
        redactor.know_hosts(hosts_of(bundle, limits_of(given)))
    rows = [_redacted(row, redactor) for row in found.rows]
    if form == "ndjson":
        _write_lines(rows)
    else:
        for line in _text(rows):
            click.echo(line)
    unread = redactor.texts(found.unread)
    tell_unread(found.recognised, unread)
    return status_of_reading(found.recognised, unread)


def _list(form: str) -> None:
    if form == "ndjson":
        _write_lines(
            {"parser": one.name, "logsource": str(one.logsource), "title": one.title, "paths": one.paths}
            for one in parsers()
        )
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("format", "log source", "what", "where on the VM"):
        table.add_column(heading, overflow="fold")
    for parser in parsers():
        table.add_row(
            *(Text(cell) for cell in (parser.name, str(parser.logsource), parser.title, "\n".join(parser.paths)))
        )
    open_console().print(table)


@dataclass(frozen=True, slots=True)
class _Found:
    """A row for each file, how many have a format, and what could not be read to its end with the reason."""

    rows: Sequence[Mapping[str, Any]]
    recognised: int
    unread: Sequence[str]


def _look(bundle: Sequence[str], limits: Limits, progress: Any) -> _Found:
    """Walks a bundle as a scan does and asks every parser about every file; one file is in memory at a time."""
    seen: list[tuple[str, int, tuple[Recognised, ...], tuple[Block, ...]]] = []
    damaged: list[tuple[str, str]] = []
    others: list[Skipped | Archive] = []
    known = [path for parser in parsers() for path in parser.paths]
    for item in walk(bundle, limits, sys.stdin.buffer if "-" in bundle else None, known):
        if isinstance(item, Source):
            progress("looking at", item.path, item.size)
            seen.append((item.path, item.size, claims(item), blocks_of(item)))
            damaged += [(item.path, item.damage)] if item.damage is not None else []
        else:
            others.append(item)
    root = recognise_layout([path for path, *_ in seen], others, len(bundle) > 1).root
    rows = [_row(relative(path, root), size, found, blocks) for path, size, found, blocks in seen]
    rows += [
        _unclaimed(relative(one.path, root), one.size, f"skipped: {one.why}")
        for one in others
        if isinstance(one, Skipped)
    ]
    damaged += [(one.path, one.damage) for one in others if isinstance(one, Archive) and one.damage is not None]
    damaged += [(one.path, one.why) for one in others if isinstance(one, Skipped) and not one.by_design]
    return _Found(
        sorted(rows, key=lambda row: str(row["source"])),
        sum(bool(found or blocks) for _, _, found, blocks in seen),
        sorted(f"{relative(path, root)}: {why}" for path, why in damaged),
    )


def _row(path: str, size: int, found: Sequence[Recognised], blocks: Sequence[Block]) -> dict[str, Any]:
    if blocks:
        parts = [
            {"lines": [one.first, one.last], "parser": one.recognised.parser.name, "why": one.recognised.claim.why}
            for one in blocks
            if one.recognised is not None
        ]
        row = _unclaimed(path, size, "a transcript of several formats")
        return {**row, "parser": ", ".join(dict.fromkeys(str(one["parser"]) for one in parts)), "blocks": parts}
    if not found:
        known = known_file(path)
        why = "no parser knows a file of this name and content" if known is None else f"{known.what}: {known.why}"
        return _unclaimed(path, size, why)
    first, *others = (
        {"parser": one.parser.name, "strength": one.claim.strength, "why": one.claim.why} for one in found
    )
    return {"source": path, "bytes": size, **first, "others": others}


def _unclaimed(path: str, size: int, why: str) -> dict[str, Any]:
    return {"source": path, "bytes": size, "parser": None, "strength": 0, "why": why, "others": []}


def _redacted(row: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    lists = {
        name: [{**one, "why": redactor.text(one["why"])} for one in row[name]]
        for name in ("others", "blocks")
        if name in row
    }
    return {**row, "source": redactor.text(row["source"]), "why": redactor.text(row["why"]), **lists}


def _text(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    width = max((len(parser.name) for parser in parsers()), default=0)
    for row in rows:
        yield one_line(row["source"])
        if row["parser"] is None:
            yield f"  not read      {one_line(row['why'])}"
            continue
        for one in row.get("blocks", ()):
            where = f"{one['lines'][0]}-{one['lines'][1]}"
            yield f"  lines {where:>9}  {one['parser']:{width}}  {one_line(one['why'])}"
        if "blocks" in row:
            continue
        yield f"  read as  {row['strength']:>3}  {row['parser']:{width}}  {one_line(row['why'])}"
        for one in row["others"]:
            yield f"  or       {one['strength']:>3}  {one['parser']:{width}}  {one_line(one['why'])}"


def _write_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        sys.stdout.buffer.write(plain_json(orjson.dumps(row).decode()).encode() + b"\n")
    sys.stdout.buffer.flush()
