"""``loganalyzer diff``: what changed between two bundles, or two reports, of one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from loganalyzer.cli import EXIT_FINDING
from loganalyzer.cli.options import (
    choice_option,
    choices_of,
    color_option,
    console_for,
    limit_options,
    limits_of,
    progress_shown,
    redact_option,
    redactor_of,
    zone_of,
)
from loganalyzer.cli.what_was_read import status_of_reading, tell_idle, tell_unread
from loganalyzer.compare import Attempts, ChangedCause, ChangedSetting, Comparison, compare
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.report.json_report import iso
from loganalyzer.report.model import SCHEMA, Report
from loganalyzer.report.plain_text import cut_end, one_line, plain_json
from loganalyzer.report.read_report import read_report

_STYLES: Final = {
    "new": "bold red",
    "stronger": "bold red",
    "same": "bold yellow",
    "weaker": "bold cyan",
    "not-shown": "bold magenta",
    "fixed": "bold green",
}
_WORDS: Final = {
    "same": "still there",
    "not-shown": "no longer shown",
    "stronger": "surer now",
    "weaker": "less sure now",
}

#: Settings and clusters of errors shown without ``--all``.
_MOST: Final = 20
_VALUE: Final = 80

#: What a report begins with, whatever white space stands between.
_REPORT_HEAD: Final = f'{{"schema":"{SCHEMA}"'.encode()


@click.command("diff")
@click.argument("before")
@click.argument("after")
@click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="What goes to standard output."
)
@click.option("--all", "everything", is_flag=True, help="Tell every setting and every cluster of errors.")
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of log stamps without one (Europe/Rome).")
@redact_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@choice_option
@color_option
@limit_options
def command(before: str, after: str, **given: Any) -> int:
    """Compare two bundles, or two JSON reports, of one machine: BEFORE and AFTER.

    Tells which causes are fixed, still there or new, which versions and settings changed, the backup attempts of each,
    and errors without a known cause that are new. A cause counts as fixed only where the later bundle holds what would
    show it, or a backup that succeeded.

    \b
    Exit status: 0 no cause is new or surer, 1 one is, 2 wrong usage, 3 a bundle cannot be read to its end.
    """
    status = 0
    reports = []
    for path in (before, after):
        report, read = _report(path, given)
        status = max(status, read)
        reports.append(report)
    found = compare(*reports)
    if given["form"] == "json":
        click.echo(plain_json(json.dumps(_to_json(found), indent=2, ensure_ascii=False, default=iso)))
    else:
        console = console_for(given["color"])
        for line in _text(found, everything=given["everything"]):
            console.print(line, soft_wrap=True)
    return EXIT_FINDING if found.worse else status


def _report(path: str, given: dict[str, Any]) -> tuple[Report, int]:
    """The report of a file, or that on a bundle, and the exit status of reading it."""
    if _is_report(Path(path)):
        return read_report(Path(path)), 0
    zone_of(given["zone"])
    options = ScanOptions(limits_of(given), given["zone"], choices=choices_of(given["choices"]))
    redactor = redactor_of(given)
    with progress_shown(given["quiet"], redactor) as progress:
        result = scan([path], options, progress=progress, redactor=redactor)
    tell_idle(result.idle)
    tell_unread(result.recognised, result.unread)
    return result.report, status_of_reading(result.recognised, result.unread)


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"".join(file.read(256).split()).startswith(_REPORT_HEAD)
    except OSError:  # a folder, or what the scan will tell
        return False


def _to_json(found: Comparison) -> dict[str, Any]:
    told = {name: value for name, value in asdict(found).items() if name not in ("verdicts", "attempts")}
    return {
        "verdict": dict(zip(("before", "after"), found.verdicts, strict=True)),
        "attempts": dict(zip(("before", "after"), map(asdict, found.attempts), strict=True)),
        **told,
    }


def _text(found: Comparison, *, everything: bool) -> Iterator[Text]:
    yield Text.assemble(("Verdict  ", "bold"), f"{found.verdicts[0]} -> {found.verdicts[1]}")
    if found.same_host is False:
        yield Text("These seem to be two machines: their host names differ.", "bold red")
    for why in found.unlike:
        yield Text(f"Note: {why}.", "yellow")
    yield Text()
    yield Text("Causes", "bold")
    for cause in found.causes:
        yield from _cause(cause)
    if not found.causes:
        yield Text("  none, in neither")
    yield Text()
    yield Text("Backup attempts", "bold")
    for word, side in zip(("before", "after"), found.attempts, strict=True):
        yield Text(f"  {word:6}  {_attempts(side)}")
    yield Text()
    yield Text("Versions and settings", "bold")
    yield from _some([_setting(one) for one in found.settings], everything, "no change in what both sides hold")
    yield Text()
    yield Text("Errors without a known cause, new", "bold")
    clusters = [f"{one.count}x {cut_end(one_line(one.example), 160)}" for one in found.new_errors]
    yield from _some(clusters, everything, "none")
    if found.gone_errors:
        yield Text(f"  {len(found.gone_errors)} of before are gone")


def _cause(one: ChangedCause) -> Iterator[Text]:
    word = _WORDS.get(one.change, one.change)
    verdicts = one.after if one.before == one.after else f"{one.before} -> {one.after}"
    yield Text.assemble("  ", (f"{word:15}", _STYLES[one.change]), f"  {one.title} ({one.cause}): {verdicts}")
    if one.change == "not-shown":
        yield Text(f"  {'':15}  {cut_end(one_line(one.why), 200)}")


def _attempts(side: Attempts) -> str:
    if side.last is None:
        return "none seen"
    counts = ", ".join(f"{count} {outcome}" for outcome, count in side.outcomes.items())
    time = side.last.end or side.last.start
    when = "at an unknown time" if time is None else iso(time)
    codes = f" ({', '.join(map(one_line, side.last.codes))})" if side.last.codes else ""
    return f"{counts}; the last, {when}: {side.last.outcome}{codes}"


def _setting(one: ChangedSetting) -> str:
    of_what = f" [{one_line(one.object)}]" if one.object else ""
    return f"{one_line(one.name)}{of_what}: {_values(one.before)} -> {_values(one.after)}  ({one.logsource})"


def _values(values: Sequence[str]) -> str:
    return cut_end(one_line(", ".join(values)), _VALUE) or "(not there)"


def _some(lines: Sequence[str], everything: bool, none: str) -> Iterator[Text]:
    shown = lines if everything else lines[:_MOST]
    for line in shown or [none]:
        yield Text(f"  {line}")
    if len(shown) < len(lines):
        yield Text(f"  and {len(lines) - len(shown)} more (--all)")
