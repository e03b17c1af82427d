"""What a shell may complete: parsers, and what the catalogue documents."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem


def complete_parser(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """The parsers, behind the ``=`` of ``--as SOURCE_GLOB=PARSER``; before it nothing."""
    from loganalyzer.registry import parsers

    glob, separator, start = incomplete.rpartition("=")
    if not separator:
        return []
    return [
        CompletionItem(f"{glob}={one.name}", help=one.title) for one in parsers() if one.name.startswith(start.lower())
    ]


def complete_output(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Files, and ``FORMAT:FILE`` with a name to change for each format that begins so."""
    from loganalyzer.report.formats import BUILT_IN

    files: CompletionItem[Any] = CompletionItem(incomplete, type="file")
    named = [one for one in BUILT_IN.values() if incomplete and one.name.startswith(incomplete)]
    return [files, *(CompletionItem(f"{one.name}:report{one.suffixes[0]}", help=one.title) for one in named)]


def complete_documented(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """What the catalogue documents: causes, error codes and states, in any case."""
    from loganalyzer.catalogue import load_catalogue

    catalogue = load_catalogue()
    titles = {name: one.title for name, one in catalogue.causes.items()}
    titles |= {one.code: one.summary for one in catalogue.errors.values()}
    titles |= {name: one.title for name, one in catalogue.states.items()}
    wanted = incomplete.lower()
    return [CompletionItem(name, help=title) for name, title in titles.items() if name.lower().startswith(wanted)]


def complete_bundle_then_documented(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    """Files for the first argument; behind a bundle also what the catalogue documents (``why-not BUNDLE CAUSE``)."""
    files: CompletionItem[Any] = CompletionItem(incomplete, type="file")
    given = any(ctx.params.get(name) for name in ("bundle", "cause"))
    return [files, *(complete_documented(ctx, param, incomplete) if given else ())]
