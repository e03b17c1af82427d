"""``loganalyzer explain``: what is documented about a code, a cause or pasted portal text, offline."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from loganalyzer.catalogue import Cause, FoundCode, NumberMeaning, load_catalogue
from loganalyzer.cli.completers import complete_documented
from loganalyzer.cli.console import open_console
from loganalyzer.explain import Explanation, explain
from loganalyzer.redact import Redactor
from loganalyzer.report.plain_text import plain_json

#: Causes told in full; of a wrapper code with dozens, the rest is named in a line each.
MOST_CAUSES = 6


@click.command("explain")
@click.argument("query", nargs=-1, required=True, shell_complete=complete_documented)
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.option("--all", "everything", is_flag=True, help="Tell every candidate cause in full.")
def command(query: tuple[str, ...], form: str, everything: bool) -> int:
    """Explain QUERY: an error code, a number, a cause id, a state, or pasted portal text ('-': standard input)."""
    text = sys.stdin.read() if query == ("-",) else " ".join(query)
    found = explain(load_catalogue(), text)
    if form == "json":
        told = found.to_json() | {"query": Redactor().text(found.query)}
        click.echo(plain_json(json.dumps(told, indent=2, ensure_ascii=False)))
    else:
        _render(found, open_console(), everything)
    return 0 if found.found else 1


def _render(found: Explanation, console: Console, everything: bool) -> None:
    if not found.found:
        console.print(Text("Nothing is documented about this.", style="bold"))
        if found.suggestions:
            console.print(Text("Did you mean: " + ", ".join(found.suggestions)))
        return
    for number in found.numbers:
        _number(number, console)
    told = found.errors if not found.causes or len(found.errors) <= MOST_CAUSES else ()
    for error in told:
        _error(error, console)
    if len(found.errors) > len(told):
        _block(console, "Errors: " + ", ".join(one.error.code for one in found.errors))
    for message in found.messages:
        _block(console, f"{message.message.text}: {message.message.summary}")
    for state in found.states:
        console.print(Text(f"{state.title}  ({state.id})", style="bold"))
        for sign in state.signs:
            _block(console, f"- {sign}")
    if found.leads_to:
        _block(console, "Leads to: " + ", ".join(found.leads_to))
    shown = len(found.causes) if everything else MOST_CAUSES
    if found.causes:
        console.print(Text(f"\nCandidate causes ({len(found.causes)})", style="bold"))
    for cause in found.causes[:shown]:
        _cause(cause, console)
    for cause in found.causes[shown:]:
        _block(console, f"{cause.title}  ({cause.id})")
    if len(found.causes) > shown:
        console.print(Text("\n--all tells every one of them in full", style="dim"))


def _number(number: NumberMeaning, console: Console) -> None:
    meaning = f": {number.meaning}" if number.meaning else ""
    console.print(Text(f"{number.program} {number.number} is {number.name}{meaning}", style="bold"))


def _error(found: FoundCode, console: Console) -> None:
    error = found.error
    by = "" if found.by == "code" else f"  (found by its {found.by})"
    console.print(Text(f"{error.code}{by}", style="bold"))
    if error.message:
        _block(console, f'"{error.message}"')
    _block(console, error.summary)
    if error.doc.url:
        _block(console, error.doc.url)


def _cause(cause: Cause, console: Console) -> None:
    console.print()
    visible = {"yes": "", "partly": ", partly visible in the guest", "no": ", not visible in the guest"}
    title = Text(f"  {cause.title}", style="bold")
    title.append(f"  ({cause.id}{visible[cause.guest_visible]})", style="dim")
    console.print(title)
    _block(console, cause.explanation, 4)
    for number, remedy in enumerate(cause.remedies, start=1):
        _block(console, f"{number}. {remedy}", 4)
    if cause.collect:
        _block(console, "To decide it, collect:", 4)
        for item in cause.collect:
            _block(console, f"- {item.what}: {item.command}", 6)
    for doc in cause.docs:
        if doc.url:
            _block(console, doc.url, 4)


def _block(console: Console, text: str, indent: int = 2) -> None:
    console.print(Padding(Text(text, overflow="fold"), (0, 0, 0, indent)))
