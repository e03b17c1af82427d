"""``loganalyzer why-not``: why a cause was not given for a bundle, or why its rivals were not."""

from __future__ import annotations

import sys
from typing import Any

import click

from loganalyzer.catalogue import Catalogue, load_catalogue
from loganalyzer.cli import EXIT_UNREADABLE, EXIT_USAGE
from loganalyzer.cli.completers import complete_bundle_then_documented
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
from loganalyzer.cli.rule_files import own_rules, own_rules_option
from loganalyzer.cli.what_was_read import tell_idle, tell_unread
from loganalyzer.cli.why_not_text import render
from loganalyzer.errors import UsageError
from loganalyzer.explain import explain
from loganalyzer.pipeline import ScanOptions, judge
from loganalyzer.redact import redact_report
from loganalyzer.report.json_report import to_json
from loganalyzer.why_not import answers
from loganalyzer.windows import Ticket


@click.command("why-not")
@click.argument("bundle", nargs=-1, required=True, shell_complete=complete_bundle_then_documented)
@click.argument("cause", shell_complete=complete_bundle_then_documented)
@click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="What goes to standard output."
)
@click.option("--all", "everything", is_flag=True, help="Tell every rule, rival and cause in full.")
@click.option("--error", "errors", multiple=True, metavar="CODE_OR_TEXT", help="What the portal said. May repeat.")
@click.option("--at", metavar="TIME", help="When the backup failed, as ISO 8601 (2026-03-01T02:10). See --tz.")
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of --at and of log stamps without one (Europe/Rome).")
@redact_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@choice_option
@own_rules_option
@color_option
@limit_options
def command(bundle: tuple[str, ...], cause: str, **given: Any) -> int:
    """Say why a scan of BUNDLE did not give CAUSE: what is missing, what is history, what speaks against it, and of
    each rule the first condition that fails, with the nearest line. Of a cause that was given: its rivals, what put it
    in its place, and what would change its verdict.

    CAUSE is the id of a cause, or an error code, a number or a state: then all causes of it.

    \b
    Exit status: 0 answered, 2 wrong usage, an unknown cause or a faulty rule, 3 nothing recognised.
    """
    causes = _causes(load_catalogue(), cause)
    rules, faults = own_rules(given["rules"])
    options = ScanOptions(
        limits=limits_of(given),
        time_zone=given["zone"],
        ticket=Ticket(given["errors"], moment(given["at"], "--at", zone_of(given["zone"]))),
        choices=choices_of(given["choices"]),
        rules=rules,
    )
    redactor = redactor_of(given)
    with progress_shown(given["quiet"], redactor) as progress:
        judged = judge(bundle, options, stdin=sys.stdin.buffer if "-" in bundle else None, progress=progress)
    redactor.know_hosts(judged.report.bundle.hosts)
    told = redact_report(answers(judged.grounds, cause, causes), redactor)
    if given["form"] == "json":
        sys.stdout.buffer.write(to_json(told))  # type: ignore[arg-type]  # it writes any dataclass as it does a Report
    else:
        render(told, console_for(given["color"]), given["everything"])
    reading = judged.reading
    tell_idle(reading.idle)
    tell_unread(reading.recognised, redactor.texts(reading.unread))
    if faults:
        return EXIT_USAGE
    return EXIT_UNREADABLE if reading.recognised == 0 else 0


def _causes(catalogue: Catalogue, asked: str) -> tuple[str, ...]:
    """The ids of the causes that are meant, in the order of the catalogue.

    Raises:
        UsageError: the catalogue knows no cause of it.
    """
    found = explain(catalogue, asked)
    if found.causes:
        return tuple(cause.id for cause in found.causes)
    near = f"did you mean {', '.join(found.suggestions)}? " if found.suggestions else ""
    what = "no cause is documented for" if found.found else "nothing is documented about"
    raise UsageError(f"{what} {asked!r}", None, f"{near}'loganalyzer signatures list' names the causes")
