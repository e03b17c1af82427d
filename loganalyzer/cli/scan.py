"""``loganalyzer scan``: one bundle in, one report out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from loganalyzer.cli import EXIT_FINDING, EXIT_USAGE
from loganalyzer.cli.options import (
    cannot_write,
    choice_option,
    choices_of,
    color_option,
    console_for,
    limit_options,
    limits_of,
    moment,
    output_target,
    progress_shown,
    redact_option,
    zone_of,
)
from loganalyzer.cli.rule_files import own_rules, own_rules_option
from loganalyzer.cli.what_was_read import status_of_reading, tell_idle, tell_unread
from loganalyzer.pipeline import Scan, ScanOptions, scan
from loganalyzer.redact import Redactor
from loganalyzer.report.json_report import to_json
from loganalyzer.report.model import Report
from loganalyzer.report.terminal import render_terminal
from loganalyzer.windows import Ticket

FAIL_ON = ("confirmed", "likely", "possible", "cannot-tell", "never")
FORMATS = ("text", "json")
SUFFIXES = {".json": "json", ".txt": "text"}


@click.command("scan")
@click.argument("bundle", nargs=-1, required=True)
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), default="text", help="What goes to standard output."
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="[FORMAT:]FILE",
    help="Also write a file; the format by its suffix (.json, .txt) or prefix. May repeat; '-' is standard output.",
)
@click.option("--error", "errors", multiple=True, metavar="CODE_OR_TEXT", help="What the portal said. May repeat.")
@click.option("--at", metavar="TIME", help="When the backup failed, as ISO 8601 (2026-03-01T02:10). See --tz.")
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of --at and of log stamps without one (Europe/Rome).")
@click.option("--fail-on", type=click.Choice(FAIL_ON), default="likely", show_default=True, help="Exit 1 from here on.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 where a finding would give 1 or an unread source 3.")
@redact_option
@click.option("--details", is_flag=True, help="Show all evidence, all sources and what was ruled out.")
@click.option("-q", "--quiet", is_flag=True, help="Only the verdict, no progress.")
@choice_option
@own_rules_option
@color_option
@limit_options
def command(bundle: tuple[str, ...], **given: Any) -> int:
    """Scan BUNDLE (a directory, zip, tar, single file, or '-' for standard input) and name the cause.

    Several paths are read as one bundle of one VM. A faulty rule of your own (--rules) is told, and exits with 2.
    """
    targets = [output_target(one, given["form"], SUFFIXES) for one in given["outputs"]]
    rules, faults = own_rules(given["rules"])
    options = _options(given, rules)
    with progress_shown(given["quiet"], Redactor("tokens" if options.redact else "off")) as progress:
        result = scan(bundle, options, stdin=sys.stdin.buffer if "-" in bundle else None, progress=progress)
    if not any(path is None for _, path in targets):
        targets.insert(0, (given["form"], None))
    for form, path in targets:
        _write(result.report, form, path, given)
    tell_idle(result.idle)
    tell_unread(result.recognised, result.unread)
    return EXIT_USAGE if faults else _exit_status(result, given["fail_on"], given["exit_zero"])


def _options(given: dict[str, Any], rules: tuple[tuple[str, str], ...]) -> ScanOptions:
    return ScanOptions(
        limits=limits_of(given),
        time_zone=given["zone"],
        ticket=Ticket(given["errors"], moment(given["at"], "--at", zone_of(given["zone"]))),
        redact=given["redact"] == "on",
        choices=choices_of(given["choices"]),
        rules=rules,
    )


def _write(report: Report, form: str, path: Path | None, given: dict[str, Any]) -> None:
    try:
        if form == "json":
            data = to_json(report)
            if path is None:
                sys.stdout.buffer.write(data)
            else:
                path.write_bytes(data)
        elif path is None:
            render_terminal(report, console_for(given["color"]), details=given["details"], quiet=given["quiet"])
        else:
            with path.open("w", encoding="utf-8") as file:
                render_terminal(report, Console(file=file, width=120, no_color=True), details=True)
    except OSError as error:
        if path is None:
            raise
        raise cannot_write(path, error) from error


def _exit_status(result: Scan, fail_on: str, exit_zero: bool) -> int:
    """The first that holds: a finding (1), nothing recognised or not read to the end (3), else 0."""
    if exit_zero:
        return 0
    if fail_on != "never":
        counted = FAIL_ON[: FAIL_ON.index(fail_on) + 1]
        if any(diagnosis.verdict in counted for diagnosis in result.report.diagnoses):
            return EXIT_FINDING
        if fail_on == "cannot-tell" and result.report.verdict == "cannot-tell":
            return EXIT_FINDING
    return status_of_reading(result.recognised, result.unread)
