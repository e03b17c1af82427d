"""``loganalyzer shrink``: the smallest redacted part of a bundle that gives the same findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from loganalyzer.cli import EXIT_UNREADABLE, tell
from loganalyzer.cli.options import (
    choice_option,
    choices_of,
    limit_options,
    limits_of,
    progress_shown,
    redact_option,
    redactor_of,
    zone_of,
)
from loganalyzer.cli.redact import copy_of, kept_input
from loganalyzer.cli.redacted_copy import refuse_to_overwrite, write_copy
from loganalyzer.errors import UsageError
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.redact.copy import LISTING, CopiedFile
from loganalyzer.shrink import TRIES, findings_of, shrink


@click.command("shrink")
@click.argument("bundle", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    required=True,
    help="A folder, .zip or .tar.gz.",
)
@click.option("--force", is_flag=True, help="Replace what is there already.")
@click.option(
    "--tries",
    type=click.IntRange(1, 100_000),
    default=TRIES,
    show_default=True,
    help="Scans of smaller bundles, at most.",
)
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of log stamps without one (Europe/Rome).")
@redact_option
@choice_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no summary.")
@limit_options
def command(bundle: tuple[str, ...], output: Path, force: bool, tries: int, **given: Any) -> int:
    """Write the smallest part of BUNDLE that still gives the same causes, verdicts and attempts, redacted: to attach it
    to a ticket, or to make a test of it.

    Files, lines of texts and chunks of event logs are left out as long as a scan says the same. That takes as many
    scans as --tries allows; with fewer the result is larger, never another.

    \b
    Exit status: 0 done, 2 wrong usage, 3 nothing recognised, or a secret would have stayed (nothing is written).
    """
    if given["redact"] == "off":
        help = "leave out --redact, or use all"
        raise UsageError("a part with --redact off would hold the secrets of the bundle", None, help)
    zone_of(given["zone"])
    refuse_to_overwrite(output, force)
    limits, redactor = limits_of(given), redactor_of(given)
    options = ScanOptions(limits, given["zone"], redact=False, choices=choices_of(given["choices"]))
    with kept_input(bundle) as stdin, progress_shown(given["quiet"], redactor) as progress:
        whole = scan(bundle, options, stdin=stdin, progress=progress)
        copied = copy_of(bundle, limits, redactor, stdin, progress).files()
        files = {one.path: one.data for one in copied if one.path != LISTING}
        progress("leaving out", "what is not needed", 0)
        found = shrink(files, options, findings_of(whole.report), tries)
    count = write_copy(output, (CopiedFile(path, data) for path, data in found.files.items()), force)
    if not given["quiet"]:
        before, after = (sum(map(len, some.values())) for some in (files, found.files))
        tell(f"written: {output}, {count} of {len(files)} files, {after} of {before} bytes, {found.tries} scans")
        if found.exhausted:
            tell("there were no scans left to leave out more: give a larger --tries for a smaller result")
    return EXIT_UNREADABLE if whole.recognised == 0 else 0
