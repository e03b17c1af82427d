"""``loganalyzer signatures``: the rules behind the diagnoses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli import EXIT_FINDING, EXIT_USAGE, tell
from loganalyzer.cli.accuracy import Wanted, run_cases
from loganalyzer.cli.console import open_console
from loganalyzer.cli.new_signature import command as new_signature
from loganalyzer.cli.rule_files import load_rule_files, own_rules
from loganalyzer.cli.whole_file import write_whole
from loganalyzer.errors import LogAnalyzerError, UsageError
from loganalyzer.pipeline import ScanOptions, example_frames
from loganalyzer.precompiled import where
from loganalyzer.report.plain_text import one_line, plain_json
from loganalyzer.selection import without_text
from loganalyzer.sigma.examples import ExampleResult, run_correlation_examples, run_examples
from loganalyzer.sigma.lint import lint
from loganalyzer.sigma.rule import Correlation, Loaded, Rule
from loganalyzer.sigma.store import digest, dump
from loganalyzer.signatures_in_use import (
    builtin_rule_texts,
    builtin_rules,
    builtin_rules_with_examples,
    compiled_rules,
    precompiled_tables,
)

MOST_FAULTS = 200

PERCENT = click.FloatRange(0, 100)

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
    """List, show, test, lint and begin signatures: Sigma rules that speak for or against a documented cause."""


command.add_command(new_signature)


@command.command("list")
@RULES
@click.option("--cause", help="Only the rules of this cause.")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def list_signatures(paths: tuple[str, ...], cause: str | None, form: str) -> int:
    """List the signatures with what each speaks for or against."""
    loaded = load_rule_files(paths) if paths else builtin_rules()
    signatures = [one for one in _signatures(loaded) if cause is None or _cause(one) == cause]
    if form == "json":
        click.echo(plain_json(json.dumps([_summary(one) for one in signatures], indent=2, ensure_ascii=False)))
        return _told(loaded.faults)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("cause", "role", "strength", "log source", "title"):
        table.add_column(heading, overflow="fold")
    for signature in sorted(signatures, key=lambda one: (_cause(one), one.title)):
        summary = _summary(signature)
        cells = [str(summary[key] or "") for key in ("cause", "role", "strength", "logsource", "title")]
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    open_console().print(table)
    return _told(loaded.faults)


@command.command("show")
@click.argument("name")
def show_signature(name: str) -> int:
    """Show the rule NAME (id, name or title) as it is written."""
    texts = builtin_rule_texts()
    for one in _signatures(builtin_rules()):
        if name in (one.id, one.name, one.title):
            click.echo(f"# {one.location.path}")
            click.echo(texts[one.location.path], nl=False)
            return 0
    raise UsageError(
        f"no signature is called {name!r}", None, "'loganalyzer signatures list -f json' gives ids and names"
    )


@command.command("test")
@RULES
@click.option(
    "--cases",
    "folders",
    multiple=True,
    metavar="DIR",
    help="Scan labelled cases instead, a folder each with a label.yaml, and count how often the scan is right."
    " May repeat.",
)
@click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format with --cases."
)
@click.option("--min-first", type=PERCENT, help="Exit 1 if the first diagnosis is less often an expected one.")
@click.option("--min-accepted", type=PERCENT, help="Exit 1 if it is less often an expected or acceptable one.")
@click.option("--min-partly", type=PERCENT, help="Exit 1 if partly decidable ones are less often in the first three.")
@click.option("--jobs", type=click.IntRange(1, 512), help="Cases scanned at a time.  [default: the number of cores]")
@click.option("-q", "--quiet", is_flag=True, help="Only failures, and with --cases the totals.")
def test_signatures(paths: tuple[str, ...], folders: tuple[str, ...], quiet: bool, **given: Any) -> int:
    """Run every example of every rule and correlation, or score labelled cases.

    Rules of your own (--rules) are tested instead of the built-in ones; cases are scanned with both.

    \b
    The fields of a case's label.yaml (ids of causes; only the first is needed):
      expected_causes    right as the first diagnosis, the main one first; [healthy]: nothing stops a backup
      acceptable_causes  also right as the first one
      must_not           wrong anywhere; [any]: every other cause
      healthy            true: no diagnosis but acceptable ones is right
      decidable          yes, partly or no: whether these files show the cause
      perfect_verdict    what a perfect tool would say, in words

    \b
    Exit status with --cases: 2 a label is broken or a case cannot be scanned, 1 a forbidden cause, a false one
    in a healthy case, or a percentage that was asked for and missed, else 0.
    """
    if folders:
        wanted = Wanted(given["min_first"], given["min_accepted"], given["min_partly"])
        rules, faults = own_rules(paths)
        jobs = given["jobs"] or os.cpu_count() or 1
        status = run_cases(folders, jobs, given["form"], quiet, wanted, ScanOptions(rules=rules))
        return EXIT_USAGE if faults else status
    if given.pop("form") != "text" or any(value is not None for value in given.values()):
        raise UsageError("-f json, --jobs and --min-... go with --cases", None, "name a folder of labelled cases")
    return _run_examples(_with_examples(paths), quiet)


def _run_examples(loaded: Loaded, quiet: bool) -> int:
    ran = failed = 0
    for one in _signatures(loaded):
        for result in _results(one, loaded):
            ran += 1
            if not result.passed:
                failed += 1
                told = f"{one.location}: {one.title}: {result.example.name}: {result.why}"
                click.echo(f"FAILED {one_line(told)}")
    status = _told(loaded.faults)
    if not quiet or failed:
        click.echo(f"{ran} examples of {_counted(loaded)}, {failed} failed")
    return EXIT_FINDING if failed else status


def _results(one: Rule | Correlation, loaded: Loaded) -> list[ExampleResult]:
    if isinstance(one, Rule):
        return run_examples(one, example_frames)
    return run_correlation_examples(one, loaded, example_frames)


@command.command("lint")
@RULES
def lint_signatures(paths: tuple[str, ...]) -> int:
    """Check the rules' form: examples of both kinds, known causes, unique ids, a literal to search for.

    A rule of your own without the key 'loganalyzer' is plain Sigma: what it lacks is advice, not a fault.
    """
    loaded = _with_examples(paths)
    linted = lint(_signatures(loaded), frozenset(load_catalogue().causes), custom=bool(paths))
    faults = [*loaded.faults, *linted.errors]
    status = _told(faults)
    advice = [*linted.advice, *without_text(loaded.rules)]
    _tell_all((f"advice: {one}" for one in advice), "more pieces of advice")
    advised = f", {len(advice)} pieces of advice" if advice else ""
    click.echo(f"{_counted(loaded)}, {len(faults)} faults{advised}")
    return status


@command.command("compile")
@click.option(
    "-o", "--output", metavar="FILE", help="Only the rules, to a file; '-': standard output.  [default: in the package]"
)
def compile_signatures(output: str | None) -> int:
    """Write the precompiled form of the built-in rules and tables, which a scan reads instead of their YAML files."""
    loaded = builtin_rules_with_examples()
    if loaded.faults:
        return _told(loaded.faults)
    text = dump(loaded, digest(builtin_rule_texts()))
    path = Path(str(compiled_rules())) if output is None else Path(output)
    if output == "-":
        click.echo(text, nl=False)
        return 0
    write_whole(path, text)
    click.echo(f"{len(loaded.rules) + len(loaded.correlations)} rules in {one_line(str(path))}")
    for name, text in precompiled_tables().items() if output is None else ():
        table = Path(str(where(name)))
        write_whole(table, text)
        click.echo(f"{name} in {one_line(str(table))}")
    return 0


def _with_examples(paths: Sequence[str]) -> Loaded:
    return load_rule_files(paths) if paths else builtin_rules_with_examples()


def _signatures(loaded: Loaded) -> tuple[Rule | Correlation, ...]:
    return (*loaded.rules, *loaded.correlations)


def _counted(loaded: Loaded) -> str:
    correlations = f" and {len(loaded.correlations)} correlations" if loaded.correlations else ""
    return f"{len(loaded.rules)} rules{correlations}"


def _told(faults: Sequence[LogAnalyzerError]) -> int:
    """Prints the faults of rule files; the exit status that they ask for."""
    _tell_all(map(str, faults), "more faults")
    return EXIT_USAGE if faults else 0


def _tell_all(lines: Iterable[str], more: str) -> None:
    told = list(lines)
    for line in told[:MOST_FAULTS]:
        tell(line)
    if len(told) > MOST_FAULTS:
        tell(f"and {len(told) - MOST_FAULTS} {more}")


def _cause(one: Rule | Correlation) -> str:
    return (one.attribution.cause if one.attribution is not None else None) or ""


def _summary(one: Rule | Correlation) -> dict[str, str | None]:
    attribution = one.attribution
    return {
        "id": one.id,
        "name": one.name,
        "title": one.title,
        "cause": _cause(one) or None,
        "role": attribution.role if attribution is not None else None,
        "strength": attribution.strength if attribution is not None else None,
        "level": one.level,
        "correlation": one.type if isinstance(one, Correlation) else None,
        "logsource": ", ".join(map(str, one.logsources)),
        "file": str(one.location),
    }
