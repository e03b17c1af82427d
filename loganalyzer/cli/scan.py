"""``loganalyzer scan``: one bundle in, one report out, in as many forms as are asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loganalyzer.cli import EXIT_FINDING, EXIT_USAGE
from loganalyzer.cli.completers import complete_output
from loganalyzer.cli.options import (
    choice_option,
    choices_of,
    color_option,
    console_for,
    limit_options,
    limits_of,
    moment,
    progress_shown,
    redact_option,
    redactor_of,
    zone_of,
)
from loganalyzer.cli.redact_map import map_target, redact_map_option
from loganalyzer.cli.report_outputs import Target, format_option, targets_of, write_outputs
from loganalyzer.cli.rule_files import own_rules, own_rules_option
from loganalyzer.cli.what_was_read import status_of_reading, tell_idle, tell_machines, tell_unread
from loganalyzer.pipeline import Judged, Progress, Scan, ScanOptions, judge, redacted, scan
from loganalyzer.redact import Redactor
from loganalyzer.report.model import Report
from loganalyzer.windows import Ticket

if TYPE_CHECKING:
    from loganalyzer.tables.redaction import ColumnRedactor

FAIL_ON = ("confirmed", "likely", "possible", "cannot-tell", "never")


@click.command("scan")
@click.argument("bundle", nargs=-1, required=True)
@format_option
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="[FORMAT:]FILE",
    shell_complete=complete_output,
    help="Also write a file; the format by its suffix (.json .md .sarif .xml .csv .ndjson .txt) or by prefix:"
    " timesketch:FILE, elastic:FILE, and parquet:DIR for the tables. May repeat; '-' is standard output.",
)
@click.option("--error", "errors", multiple=True, metavar="CODE_OR_TEXT", help="What the portal said. May repeat.")
@click.option("--at", metavar="TIME", help="When the backup failed, as ISO 8601 (2026-03-01T02:10). See --tz.")
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of --at and of log stamps without one (Europe/Rome).")
@click.option("--fail-on", type=click.Choice(FAIL_ON), default="likely", show_default=True, help="Exit 1 from here on.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 where a finding would give 1 or an unread source 3.")
@redact_option
@redact_map_option
@click.option("--details", is_flag=True, help="Show all evidence, all sources and what was ruled out.")
@click.option("-v", "--verbose", is_flag=True, help="Also say how each verdict came about.")
@click.option("-q", "--quiet", is_flag=True, help="Only the verdict, no progress.")
@choice_option
@own_rules_option
@color_option
@limit_options
def command(bundle: tuple[str, ...], **given: Any) -> int:
    """Scan BUNDLE (a directory, zip, tar, single file, or '-' for standard input) and name the cause.

    Several paths are read as one bundle of one VM. A faulty rule of your own (--rules) is told, and exits with 2.
    """
    targets = targets_of(given["outputs"], given["form"])
    rules, faults = own_rules(given["rules"])
    options = _options(given, rules)
    redactor, kept = redactor_of(given), map_target(given)
    with progress_shown(given["quiet"], redactor) as progress:
        result, judged = _scanned(bundle, options, progress, targets, redactor)
    status = EXIT_USAGE if faults else _exit_status(result, given["fail_on"], given["exit_zero"])
    to_console = partial(_show, result.report, given)
    written = write_outputs(targets, result.report, status, to_console, partial(_write_tables, judged, redactor))
    if kept is not None:
        kept.write(redactor)
    tell_idle(result.idle)
    tell_unread(result.recognised, result.unread)
    tell_machines(result.report.coverage)
    return status if written else EXIT_USAGE


def _scanned(
    bundle: Sequence[str], options: ScanOptions, progress: Progress, targets: Sequence[Target], redactor: Redactor
) -> tuple[Scan, Judged | None]:
    """The scan; and the rows behind it, which are kept only if their tables are asked for."""
    stdin = sys.stdin.buffer if "-" in bundle else None
    if all(target.form is not None for target in targets):
        return scan(bundle, options, stdin=stdin, progress=progress, redactor=redactor), None
    judged = judge(bundle, options, stdin=stdin, progress=progress)
    reading = judged.reading
    report = redacted(judged.report, redactor)
    return Scan(report, reading.recognised, tuple(redactor.texts(reading.unread)), reading.idle), judged


def _write_tables(judged: Judged | None, redactor: ColumnRedactor, folder: Path) -> None:
    """The tables that ``export`` writes, redacted as there."""
    from loganalyzer.tables.bundle import bundle_tables
    from loganalyzer.tables.write import replace_folder

    assert judged is not None
    replace_folder(bundle_tables(judged, redactor), folder)


def _show(report: Report, given: dict[str, Any]) -> None:
    from loganalyzer.report.terminal import render_terminal  # not for those who ask for another format

    shown = {name: given[name] for name in ("details", "quiet", "verbose")}
    render_terminal(report, console_for(given["color"]), **shown)


def _options(given: dict[str, Any], rules: tuple[tuple[str, str], ...]) -> ScanOptions:
    return ScanOptions(
        limits=limits_of(given),
        time_zone=given["zone"],
        ticket=Ticket(given["errors"], moment(given["at"], "--at", zone_of(given["zone"]))),
        redact=given["redact"] != "off",
        choices=choices_of(given["choices"]),
        rules=rules,
    )


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
