"""``loganalyzer verify``: whether a bundle still says what a report cites of it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from loganalyzer.cli import EXIT_FINDING
from loganalyzer.cli.options import choice_option, choices_of, limit_options, limits_of, progress_shown, zone_of
from loganalyzer.cli.what_was_read import status_of_reading, tell_idle, tell_unread
from loganalyzer.pipeline import ScanOptions, read
from loganalyzer.redact import Redactor
from loganalyzer.report.plain_text import one_line, plain_json
from loganalyzer.report.read_report import read_report
from loganalyzer.verify import Check, Verified, verify


@click.command("verify")
@click.argument("report", type=click.Path(path_type=Path))
@click.argument("bundle", nargs=-1, required=True)
@click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="What goes to standard output."
)
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of stamps without one, as the scan was told.")
@click.option("-q", "--quiet", is_flag=True, help="Only what does not hold, no progress.")
@choice_option
@limit_options
def command(report: Path, bundle: tuple[str, ...], **given: Any) -> int:
    """Read again, in BUNDLE, every entry that REPORT (JSON of a scan) cites, and compare its text and hash.

    Of a gap the entries around it are read, and that nothing of its series lies between. How the bundle is packed does
    not matter. Of an entry that was redacted what is shown is compared; where its file was changed, the hidden part
    cannot be proved, and that is told.

    \b
    Exit status: 0 all holds, 1 something does not, 2 wrong usage or no report, 3 a source cannot be read to its end.
    """
    zone_of(given["zone"])
    cited = read_report(report)
    options = ScanOptions(limits_of(given), given["zone"], choices=choices_of(given["choices"]))
    redactor = Redactor()
    with progress_shown(given["quiet"], redactor) as progress:
        reading = read(bundle, options, sys.stdin.buffer if "-" in bundle else None, progress)
    found = verify(cited, reading)
    if given["form"] == "json":
        click.echo(plain_json(json.dumps(_to_json(found), indent=2, ensure_ascii=False)))
    else:
        for line in _text(found, given["quiet"]):
            click.echo(one_line(redactor.text(line)))
    unread = redactor.texts(reading.unread)
    tell_idle(reading.idle)
    tell_unread(reading.recognised, unread)
    return status_of_reading(reading.recognised, unread) if found.holds else EXIT_FINDING


def _to_json(found: Verified) -> dict[str, Any]:
    redactor = Redactor()
    checks = [
        {**asdict(one), "source": redactor.text(one.source), "why": redactor.text(one.why)} for one in found.checks
    ]
    return {
        "holds": found.holds,
        "same_bytes": found.same_bytes,
        "changed": redactor.texts(found.changed),
        "gone": redactor.texts(found.gone),
        "checks": checks,
    }


def _text(found: Verified, quiet: bool) -> Iterator[str]:
    for one in found.checks:
        if one.outcome != "holds":
            yield f"{one.outcome}: {_place(one)}: {one.why} (cited for: {'; '.join(one.rules)})"
    if quiet:
        return
    counts = Counter(one.outcome for one in found.checks)
    told = [f"{counts['holds']} of {len(found.checks)} cited entries hold"]
    told += [f"{counts['differs']} differ"] if counts["differs"] else []
    told += [f"{counts['unproved']} cannot be proved"] if counts["unproved"] else []
    yield ", ".join(told)
    if found.same_bytes:
        yield "the bundle holds the same bytes as the one that was scanned"
    else:
        yield "the bundle is not the same as the one that was scanned: files were changed, added or taken away"


def _place(one: Check) -> str:
    record = "" if one.record_id is None else f" record {one.record_id}"
    line = "" if one.line is None else f":{one.line}"
    return f"{one.source}{line}{record}"
