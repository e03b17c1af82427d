"""``loganalyzer match``: any Sigma rules over any events, one row for each match."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from loganalyzer.cli import EXIT_FINDING, EXIT_UNREADABLE, EXIT_USAGE, tell
from loganalyzer.cli.match_output import hidden_elsewhere, opened, redacted
from loganalyzer.cli.options import (
    choice_option,
    choices_of,
    color_option,
    limit_options,
    limits_of,
    output_target,
    progress_shown,
    redact_option,
    redactor_of,
    zone_of,
)
from loganalyzer.cli.rule_files import RuleFiles, read_rule_files
from loganalyzer.cli.what_was_read import tell_idle
from loganalyzer.errors import LogAnalyzerError, UsageError
from loganalyzer.event_match import LEVELS, EventMatches, MatchOptions, MatchRow, match_events, reaches
from loganalyzer.redact import Redactor
from loganalyzer.report.plain_text import one_line
from loganalyzer.schema import LogSource
from loganalyzer.sigma.rule import Loaded

SUFFIXES = {".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json", ".txt": "table"}
#: Of each kind of news, without -v.
MOST_TOLD = 20


@click.command("match")
@click.argument("events", nargs=-1, required=True)
@click.option(
    "-r",
    "--rules",
    "rules",
    multiple=True,
    required=True,
    metavar="DIR_OR_FILE",
    help="Sigma rules: a file, or a folder of .yml files. May repeat.",
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["ndjson", "json", "table"]),
    help="What goes to standard output: by default a table on a terminal, else NDJSON.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="[FORMAT:]FILE",
    help="Also write a file; the format by its suffix (.ndjson, .json, .txt) or prefix. May repeat; '-' is standard"
    " output.",
)
@click.option(
    "--logsource",
    metavar="PRODUCT/SERVICE/CATEGORY",
    help="What JSON events are that name no Windows channel, with * for none: linux/auditd, linux/*/process_creation.",
)
@click.option("--min-level", type=click.Choice(LEVELS), help="Only rules from this level on.")
@click.option(
    "--fail-on",
    type=click.Choice([*LEVELS, "any", "never"]),
    default="never",
    show_default=True,
    help="Exit 1 if a rule of this level or above matches.",
)
@click.option("--strict", is_flag=True, help="Exit 2 if any rule file is faulty.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 where a match would give 1 or an unread file 3.")
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of times that name none (Europe/Rome); without it UTC.")
@redact_option
@click.option("-v", "--verbose", is_flag=True, help=f"Tell all faults and unable rules, not only {MOST_TOLD}.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@choice_option
@color_option
@limit_options
def command(events: tuple[str, ...], **given: Any) -> int:
    """Match Sigma rules against EVENTS: .evtx files, JSON or NDJSON events, folders, archives, any bundle, or '-'.

    \b
    Exit status: 0 done, 1 a match at or above --fail-on, 2 wrong usage, no rule at all, or with --strict a faulty one,
    3 something that was named could not be read to its end.
    """
    targets = _targets(given)
    options = _options(given)
    files = read_rule_files(given["rules"])
    from loganalyzer.sigma.load import load_rules

    loaded = load_rules(files.texts)
    faults = [*files.faults, *loaded.faults]
    _tell_some([str(fault) for fault in faults], "faults of rules", given["verbose"])
    if not loaded.rules:
        raise UsageError("no rule could be loaded", None, "name files or folders with Sigma rules (.yml) after --rules")
    redactor = redactor_of(given)
    stdin = sys.stdin.buffer if "-" in events else None
    with progress_shown(given["quiet"], redactor) as progress:
        found = match_events(events, loaded, options, stdin=stdin, progress=progress)
    redactor.know_hosts(found.hosts)
    _write(found.rows, targets, given["color"], redactor)
    tell_idle(found.idle)
    _tell_unread(found, given["verbose"])
    if not given["quiet"]:
        _tell_summary(found, loaded, files, faults, given["verbose"])
    return _exit_status(found, faults, given)


def _targets(given: dict[str, Any]) -> list[tuple[str, Path | None]]:
    form = given["form"] or ("table" if sys.stdout.isatty() else "ndjson")
    targets = [output_target(one, form, SUFFIXES) for one in given["outputs"]]
    return targets if any(path is None for _, path in targets) else [(form, None), *targets]


def _options(given: dict[str, Any]) -> MatchOptions:
    zone_of(given["zone"])  # an unknown one is told before anything is read
    logsource = None if given["logsource"] is None else _logsource(given["logsource"])
    choices = choices_of(given["choices"])
    return MatchOptions(limits_of(given), given["zone"], logsource, given["min_level"], choices)


def _logsource(text: str) -> LogSource:
    parts = [None if part in ("", "*") else part.lower() for part in text.split("/")]
    if len(parts) > 3 or not any(parts):
        help = "write PRODUCT/SERVICE/CATEGORY with * for none, such as linux/auditd or windows/*/process_creation"
        raise UsageError(f"--logsource {text!r} is no log source", None, help)
    return LogSource(*parts)


def _write(
    rows: Sequence[MatchRow], targets: Sequence[tuple[str, Path | None]], color: str, redactor: Redactor
) -> None:
    sinks = [opened(form, path, color) for form, path in targets]
    told = [redacted(row.to_json(), redactor) for row in rows]
    hide = redactor.hiding_elsewhere()
    for row_told in told:
        whole = hidden_elsewhere(row_told, hide)
        for sink in sinks:
            sink.write(whole)
    for sink in sinks:
        sink.close()


def _tell_some(texts: Sequence[str], of_what: str, verbose: bool) -> None:
    """At most ``MOST_TOLD`` of them, unless all are asked for; what is left out is counted."""
    shown = texts if verbose else texts[:MOST_TOLD]
    for text in shown:
        tell(text)
    if len(shown) < len(texts):
        tell(f"and {len(texts) - len(shown)} more {of_what}; -v lists all")


def _tell_unread(found: EventMatches, verbose: bool) -> None:
    _tell_some([f"not read: {one_line(f'{one.path}: {one.why}')}" for one in found.unread], "files", verbose)
    rejected = [
        f"lines that are no events: {one.count}, the first at {one_line(f'{one.path}:{one.line}: {one.why}')}"
        for one in found.rejected
    ]
    _tell_some(rejected, "files with such lines", verbose)
    if found.undeclared:
        tell(_undeclared(found))


def _undeclared(found: EventMatches) -> str:
    first, *others = found.undeclared
    where = one_line(first) + (f" and {_counted(len(others), 'further file')}" if others else "")
    return (
        f"{sum(found.undeclared.values())} events of {where} do not say what they are:"
        " rules of every known log source were tried; name it with --logsource"
    )


def _tell_summary(
    found: EventMatches, loaded: Loaded, files: RuleFiles, faults: Sequence[LogAnalyzerError], verbose: bool
) -> None:
    _tell_some(_unable(found, loaded, verbose), "reasons", verbose)
    for line in _summary(found, loaded, files, faults):
        tell(line)


def _unable(found: EventMatches, loaded: Loaded, verbose: bool) -> list[str]:
    """Rules that could not run, a reason a line; with -v a rule a line."""
    names = {rule.id: f"{rule.title} ({rule.id})" for rule in (*loaded.rules, *loaded.correlations)}
    if verbose:
        return [one_line(f"unable, because {one.why}: {names.get(one.rule_id, '')}") for one in found.unable]
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in found.unable:
        reasons[one.why].append(names.get(one.rule_id, one.rule_id))
    return [
        one_line(f"unable, because {why}: {rules[0] if len(rules) == 1 else f'{len(rules)} rules, one is {rules[0]}'}")
        for why, rules in reasons.items()
    ]


def _summary(
    found: EventMatches, loaded: Loaded, files: RuleFiles, faults: Sequence[LogAnalyzerError]
) -> Iterator[str]:
    ignored = f"; {_counted(found.ignored, 'file')} in folders and archives without any" if found.ignored else ""
    yield f"read: {_counted(found.events, 'event')}{ignored}"
    correlations = f" and {_counted(len(loaded.correlations), 'correlation')}" if loaded.correlations else ""
    other = f"; {_counted(len(files.other), 'further YAML file')} without a rule" if files.other else ""
    ran = f"{len(found.ran)} ran, {len(found.no_source)} without events of their log source, {len(found.unable)} unable"
    if found.lesser:
        ran += f", {found.lesser} below the level"
    yield f"{_counted(len(loaded.rules), 'rule')}{correlations}: {ran}; {_counted(len(faults), 'fault')}{other}"
    by_level = Counter(row.rule.level or "no level" for row in found.rows)
    counted = ", ".join(f"{by_level[level]} {level}" for level in (*reversed(LEVELS), "no level") if by_level[level])
    yield _counted(len(found.rows), "match", "matches") + (f": {counted}" if counted else "")


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _exit_status(found: EventMatches, faults: Sequence[LogAnalyzerError], given: dict[str, Any]) -> int:
    """The first that holds."""
    if given["strict"] and faults:
        return EXIT_USAGE
    if given["exit_zero"]:
        return 0
    least = {"any": LEVELS[0], "never": None}.get(given["fail_on"], given["fail_on"])
    if least is not None and any(reaches(row.rule.level, least) for row in found.rows):
        return EXIT_FINDING
    return EXIT_UNREADABLE if found.unread else 0
