"""``loganalyzer timeline``: the events of all sources of a bundle, in the order of time."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import click
import orjson
import polars as pl
from rich.text import Text

from loganalyzer.cli import tell
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
from loganalyzer.cli.what_was_read import status_of_reading, tell_idle, tell_unread
from loganalyzer.errors import UsageError
from loganalyzer.facts import Attempt, load_tables
from loganalyzer.facts.attempts import attempts
from loganalyzer.facts.hits import Sightings
from loganalyzer.pipeline import Reading, ScanOptions, read
from loganalyzer.report.json_report import iso
from loganalyzer.report.plain_text import cut_end, one_line, plain_json
from loganalyzer.tables.events import LEVELS, Chosen, Wanted, choose, logsource_names, merged
from loganalyzer.tables.text import escaped_csv

#: Name in the output and column of a merged event.
FIELDS: Final = {
    "timestamp": "@timestamp",
    "time_assumed": "time.assumed",
    "logsource": "logsource",
    "level": "log.level",
    "host": "host.name",
    "message": "message",
    "source": "log.file.path",
    "line": "log.line",
    "record_id": "EventRecordID",
    "offset": "log.offset",
}
#: Rows that are Python values at a time.
_BLOCK: Final = 4096
#: Cells of a message in text; the other formats hold all of it.
_LONGEST_MESSAGE: Final = 400
#: A log source's name is filled up to this many cells.
_WIDEST_SOURCE: Final = 24
_STYLES: Final = {"critical": "bold red", "error": "red", "warning": "yellow"}
_STYLE_OF: Final = {word: style for level, style in _STYLES.items() for word in LEVELS[level]}

_MINUTES = click.IntRange(min=0, max=60 * 24 * 366)


@click.command("timeline")
@click.argument("bundle", nargs=-1, required=True)
@click.option("--since", metavar="TIME", help="Only from this time on, as ISO 8601 (2026-03-01T02:10). See --tz.")
@click.option("--until", metavar="TIME", help="Only up to this time.")
@click.option("--level", type=click.Choice(list(LEVELS)), help="Only events of this level and above.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="GLOB_OR_LOGSOURCE",
    help="Only these sources: a path or its end ('*.evtx', 'azure/*.log'), or a log source (linux/waagent)."
    " May repeat.",
)
@click.option("--around", metavar="ATTEMPT_ID", help="Only around this backup attempt (attempt-2, or last).")
@click.option("--before", type=_MINUTES, default=30, show_default=True, help="Minutes before the attempt of --around.")
@click.option("--after", type=_MINUTES, default=15, show_default=True, help="Minutes after the attempt of --around.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many events.")
@click.option("--untimed", is_flag=True, help="Also show the events whose time is unknown, after the others.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "ndjson", "csv"]),
    default="text",
    show_default=True,
    help="What goes to standard output.",
)
@click.option("--tz", "zone", metavar="ZONE", help="IANA zone of the times given here and of log stamps without one.")
@redact_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no counts of what is not shown.")
@choice_option
@color_option
@limit_options
def command(bundle: tuple[str, ...], **given: Any) -> int:
    """Print the events of all sources of BUNDLE in the order of time, in UTC, one a line.

    A time whose zone or year had to be assumed has a ~ behind it; NDJSON and CSV say what was assumed.

    \b
    Exit status: 0 done, 2 wrong usage, 3 nothing recognised or a source not readable to its end.
    """
    zone = zone_of(given["zone"])
    since, until = moment(given["since"], "--since", zone), moment(given["until"], "--until", zone)
    if since is not None and until is not None and since > until:
        raise UsageError("--since is after --until: no time lies between them", None, "exchange the two")
    options = ScanOptions(limits_of(given), given["zone"], choices=choices_of(given["choices"]))
    redactor = redactor_of(given)
    with progress_shown(given["quiet"], redactor) as progress:
        reading = read(bundle, options, sys.stdin.buffer if "-" in bundle else None, progress)
    if given["around"] is not None:
        since, until = _around(reading, given, since, until)
    events = merged(reading.frames)
    chosen = choose(events, Wanted(since, until, given["level"], given["sources"]))
    shown = _shown(chosen, given)
    _write(redactor.table(shown.select(FIELDS.values())), given["form"], given["color"])
    if not given["quiet"]:
        _tell_counts(chosen, shown, given)
    _tell_idle_sources(chosen, events)
    tell_idle(reading.idle)
    unread = redactor.texts(reading.unread)
    tell_unread(reading.recognised, unread)
    return status_of_reading(reading.recognised, unread)


def _around(
    reading: Reading, given: Mapping[str, Any], since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    """The span of ``--around``, within that of ``--since`` and ``--until``."""
    found = attempts(Sightings(reading.frames), load_tables())
    one = _attempt(found, given["around"])
    first, last = one.start - timedelta(minutes=given["before"]), one.last + timedelta(minutes=given["after"])
    return max(first, since or first), min(last, until or last)


def _attempt(found: Sequence[Attempt], name: str) -> Attempt:
    by_id = {one.id: one for one in found}
    if name == "last" and found:
        return found[-1]
    if name in by_id:
        return by_id[name]
    known = "; ".join(f"{one.id} from {iso(one.start)}, {one.outcome}" for one in found)
    help = f"known are {known}" if found else "no source of this bundle shows a backup attempt: use --since and --until"
    raise UsageError(f"--around {name!r}: there is no such backup attempt", None, help)


def _shown(chosen: Chosen, given: Mapping[str, Any]) -> pl.DataFrame:
    parts = [chosen.timed, chosen.untimed] if given["untimed"] else [chosen.timed]
    together = pl.concat(parts)
    shown = together if given["limit"] is None else together.head(given["limit"])
    return shown.with_columns(pl.coalesce("message", "event.original").alias("message"))


def _tell_counts(chosen: Chosen, shown: pl.DataFrame, given: Mapping[str, Any]) -> None:
    """What is not shown, and what the marks mean: nothing is left out in silence."""
    assumed = shown.get_column("time.assumed").drop_nulls().unique(maintain_order=True).to_list()
    if assumed:
        count = shown.height - shown.get_column("time.assumed").null_count()
        more = f" and {len(assumed) - 1} other assumptions" if len(assumed) > 1 else ""
        tell(f"{count} times are assumed (~): {one_line(assumed[0])}{more}")
    beyond = chosen.timed.height + (chosen.untimed.height if given["untimed"] else 0) - shown.height
    if beyond:
        tell(f"{beyond} more events: --limit left them out")
    if chosen.untimed.height and not given["untimed"]:
        tell(f"{chosen.untimed.height} events have no known time: --untimed shows them")
    if chosen.unknown_level:
        tell(f"{chosen.unknown_level} events have no level that is known: --level left them out")


def _tell_idle_sources(chosen: Chosen, events: pl.DataFrame) -> None:
    if chosen.idle:
        known = ", ".join(logsource_names(events)) or "none"
        for glob in chosen.idle:
            tell(one_line(f"--source {glob} fits no source; the log sources are {known}"))


def _write(shown: pl.DataFrame, form: str, color: str) -> None:
    if form == "text":
        _write_text(shown, color)
        return
    write = {"ndjson": _ndjson, "csv": _csv}[form]
    for chunk in write(_blocks(shown)):
        sys.stdout.buffer.write(chunk.encode())
    sys.stdout.buffer.flush()


def _blocks(shown: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    for block in shown.iter_slices(_BLOCK):
        rows = []
        for row in block.iter_rows(named=True):
            time = row["@timestamp"]
            rows.append(
                {name: row[column] for name, column in FIELDS.items()} | {"timestamp": iso(time) if time else None}
            )
        yield rows


def _ndjson(blocks: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    for rows in blocks:
        yield plain_json("".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE).decode() for row in rows))


def _csv(blocks: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    """A header and the rows; a text with a line end or a comma is quoted, a missing value is empty."""
    yield ",".join(FIELDS) + "\n"
    for rows in blocks:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(row.values() for row in rows)
        yield escaped_csv(text.getvalue())


def _write_text(shown: pl.DataFrame, color: str) -> None:
    console = console_for(color)
    names = shown.get_column("logsource").unique().to_list()
    width = min(max(map(len, names), default=0), _WIDEST_SOURCE)
    colored = console.is_terminal and not console.no_color
    for block in shown.iter_slices(_BLOCK):
        lines = [_line(row, width) for row in block.iter_rows(named=True)]
        if colored:
            for before, level, after in lines:
                line = Text.assemble((before, "dim"), (level, _STYLE_OF.get(level.strip().lower(), "")), after)
                console.print(line, soft_wrap=True)
        else:
            sys.stdout.write("".join(f"{before}{level}{after}\n" for before, level, after in lines))


def _line(row: Mapping[str, Any], width: int) -> tuple[str, str, str]:
    """Time and log source, level, message and place: together one line, nothing of which moves a cursor."""
    time, record = row["@timestamp"], row["EventRecordID"]
    stamp = f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d}Z" if time else "time unknown"
    mark = "~" if row["time.assumed"] else " "
    message = one_line(row["message"] or "")
    if 2 * len(message) > _LONGEST_MESSAGE:
        message = cut_end(message, _LONGEST_MESSAGE)
    number = f":{row['log.line']}" if row["log.line"] is not None else f" record {record}" if record is not None else ""
    place = one_line(row["log.file.path"] or "-") + number
    level = one_line(row["log.level"] or "-")
    return f"{stamp:24}{mark} {one_line(row['logsource']):{width}}  ", f"{level:11}", f"  {message}  [{place}]"
