"""``loganalyzer signatures``: the rules behind the diagnoses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli import EXIT_FINDING, EXIT_USAGE, tell
from loganalyzer.cli.console import open_console
from loganalyzer.errors import LogAnalyzerError, UsageError
from loganalyzer.pipeline import builtin_rule_texts, builtin_rules, example_frames
from loganalyzer.report.plain_text import one_line, plain_json
from loganalyzer.sigma.examples import run_examples
from loganalyzer.sigma.lint import lint
from loganalyzer.sigma.load import Loaded, load_rules
from loganalyzer.sigma.rule import Rule

#: Bytes of one rule file.
LARGEST = 4 << 20
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
    loaded = _load(paths)
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
    loaded = _load(paths)
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
    loaded = _load(paths)
    faults = [*loaded.faults, *lint(loaded.rules, frozenset(load_catalogue().causes))]
    status = _told(faults)
    click.echo(f"{len(loaded.rules)} rules, {len(faults)} faults")
    return status


def _load(paths: Sequence[str]) -> Loaded:
    if not paths:
        return builtin_rules()
    texts: dict[str, str] = {}
    for path in (file for given in paths for file in _files(Path(given))):
        try:
            texts[str(path)] = _text(path)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {path}: {error}", None, "give readable rule files in UTF-8") from error
    return load_rules(texts)


def _text(path: Path) -> str:
    """The text of a rule file; a device or pipe may never end, and no rules are that long."""
    if not path.is_file():
        raise UsageError(f"{path} is no regular file", None, "give a rule file or a folder of .yml files")
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is larger than {LARGEST >> 20} MiB", None, "split it into files of a few rules")
    return path.read_text(encoding="utf-8")


def _files(path: Path) -> Iterable[Path]:
    if not path.exists():
        raise UsageError(f"{path} does not exist", None, "give a rule file or a folder of .yml files")
    if path.is_dir():
        return sorted([*path.rglob("*.yml"), *path.rglob("*.yaml")])
    return [path]


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
