"""``loganalyzer signatures``: the rules behind the diagnoses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli import EXIT_FINDING, EXIT_USAGE, tell
from loganalyzer.cli.console import open_console
from loganalyzer.cli.rule_files import load_rule_files
from loganalyzer.errors import LogAnalyzerError, UsageError
from loganalyzer.pipeline import (
    builtin_rule_texts,
    builtin_rules,
    builtin_rules_with_examples,
    compiled_rules,
    example_frames,
)
from loganalyzer.report.plain_text import one_line, plain_json
from loganalyzer.sigma.examples import run_examples
from loganalyzer.sigma.lint import lint
from loganalyzer.sigma.load import Loaded
from loganalyzer.sigma.rule import Rule
from loganalyzer.sigma.store import digest, dump

MOST_FAULTS = 200

RULES = click.option(
    "-r",
    "--rules",
    "paths",
    multiple=True,
    metavar="DIR_OR_FILE",
    help="Rules of your own instead of the built-in ones. May repeat.",
)


@click.group("signatures")
def command() -> None:
    """List, show, test and lint the signatures: Sigma rules that speak for or against a documented cause."""


@command.command("list")
@RULES
@click.option("--cause", help="Only the rules of this cause.")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def list_signatures(paths: tuple[str, ...], cause: str | None, form: str) -> int:
    """List the signatures with what each speaks for or against."""
    loaded = load_rule_files(paths) if paths else builtin_rules()
    rules = [rule for rule in loaded.rules if cause is None or _cause(rule) == cause]
    if form == "json":
        click.echo(plain_json(json.dumps([_summary(rule) for rule in rules], indent=2, ensure_ascii=False)))
        return _told(loaded.faults)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("cause", "role", "strength", "log source", "title"):
        table.add_column(heading, overflow="fold")
    for rule in sorted(rules, key=lambda one: (_cause(one), one.title)):
        summary = _summary(rule)
        cells = [str(summary[key] or "") for key in ("cause", "role", "strength", "logsource", "title")]
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    open_console().print(table)
    return _told(loaded.faults)


@command.command("show")
@click.argument("name")
def show_signature(name: str) -> int:
    """Show the rule NAME (id, name or title) as it is written."""
    texts = builtin_rule_texts()
    for rule in builtin_rules().rules:
        if name in (rule.id, rule.name, rule.title):
            click.echo(f"# {rule.location.path}")
            click.echo(texts[rule.location.path], nl=False)
            return 0
    raise UsageError(
        f"no signature is called {name!r}", None, "'loganalyzer signatures list -f json' gives ids and names"
    )


@command.command("test")
@RULES
@click.option("-q", "--quiet", is_flag=True, help="Only failures.")
def test_signatures(paths: tuple[str, ...], quiet: bool) -> int:
    """Run every example of every rule."""
    loaded = _with_examples(paths)
    ran = failed = 0
    for rule in loaded.rules:
        for result in run_examples(rule, example_frames):
            ran += 1
            if not result.passed:
                failed += 1
                told = f"{rule.location}: {rule.title}: {result.example.name}: {result.why}"
                click.echo(f"FAILED {one_line(told)}")
    status = _told(loaded.faults)
    if not quiet or failed:
        click.echo(f"{ran} examples of {len(loaded.rules)} rules, {failed} failed")
    return EXIT_FINDING if failed else status


@command.command("lint")
@RULES
def lint_signatures(paths: tuple[str, ...]) -> int:
    """Check the rules' form: examples of both kinds, known causes, unique ids, a literal to search for."""
    loaded = _with_examples(paths)
    faults = [*loaded.faults, *lint(loaded.rules, frozenset(load_catalogue().causes))]
    status = _told(faults)
    click.echo(f"{len(loaded.rules)} rules, {len(faults)} faults")
    return status


@command.command("compile")
@click.option("-o", "--output", metavar="FILE", help="Where to write; '-': standard output.  [default: in the package]")
def compile_signatures(output: str | None) -> int:
    """Write the precompiled form of the built-in rules, which a scan reads instead of their YAML files."""
    loaded = builtin_rules_with_examples()
    if loaded.faults:
        return _told(loaded.faults)
    text = dump(loaded, digest(builtin_rule_texts()))
    path = Path(str(compiled_rules())) if output is None else Path(output)
    if output == "-":
        click.echo(text, nl=False)
        return 0
    _write(path, text)
    click.echo(f"{len(loaded.rules) + len(loaded.correlations)} rules in {one_line(str(path))}")
    return 0


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all: another process may be reading it."""
    try:
        if path.exists() and not path.is_file():  # a device or a pipe is written to, not replaced
            path.write_text(text, encoding="utf-8")
            return
        path = path.resolve()
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            new.write_text(text, encoding="utf-8", newline="\n")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        help = "give -o a file in a writable folder"
        raise UsageError(f"cannot write {path}: {error.strerror}", None, help) from error


def _with_examples(paths: Sequence[str]) -> Loaded:
    return load_rule_files(paths) if paths else builtin_rules_with_examples()


def _told(faults: Iterable[LogAnalyzerError]) -> int:
    """Prints the faults of rule files; the exit status that they ask for."""
    found = list(faults)
    for fault in found[:MOST_FAULTS]:
        tell(str(fault))
    if len(found) > MOST_FAULTS:
        tell(f"and {len(found) - MOST_FAULTS} more faults")
    return EXIT_USAGE if found else 0


def _cause(rule: Rule) -> str:
    return (rule.attribution.cause if rule.attribution is not None else None) or ""


def _summary(rule: Rule) -> dict[str, str | None]:
    attribution = rule.attribution
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "cause": _cause(rule) or None,
        "role": attribution.role if attribution is not None else None,
        "strength": attribution.strength if attribution is not None else None,
        "level": rule.level,
        "logsource": str(rule.logsource),
        "file": str(rule.location),
    }
