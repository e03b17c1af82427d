"""``loganalyzer signatures new``: a rule to start from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import get_args

import click
import polars as pl

from loganalyzer.catalogue import load_catalogue
from loganalyzer.cli.whole_file import write_whole
from loganalyzer.errors import UsageError
from loganalyzer.pipeline import example_frames
from loganalyzer.registry import parsers
from loganalyzer.schema import LogSource
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.rule import CorrelationType
from loganalyzer.sigma.taxonomy import PROVENANCE_COLUMNS, WINDOWS_CATEGORIES, speaks_of, unmapped
from loganalyzer.sigma.template import Wanted, correlation_rule, event_rule

LEVELS = ("informational", "low", "medium", "high", "critical")
#: Characters of a column's value that are shown, and of a title (Sigma's own limit).
SHOWN = 60
LONGEST_TITLE = 256


@click.command("new")
@click.argument("name")
@click.option("--cause", metavar="ID", help="The cause that a match supports.  [default: none, the rule is a fact]")
@click.option(
    "--logsource",
    "source",
    default="linux/waagent",
    show_default=True,
    metavar="PRODUCT/SERVICE/CATEGORY",
    help="Which rows it reads; '*' or nothing leaves a part out.",
)
@click.option("--title", help="What a match shows.  [default: NAME in words]")
@click.option("--level", type=click.Choice(LEVELS), default="medium", show_default=True, help="Sigma's level.")
@click.option(
    "--correlation", "kind", type=click.Choice(get_args(CorrelationType)), help="A correlation, and the rules it needs."
)
@click.option("-o", "--output", metavar="FILE", help="Where to write.  [default: standard output]")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def command(
    name: str,
    cause: str | None,
    source: str,
    title: str | None,
    level: str,
    kind: CorrelationType | None,
    output: str | None,
    force: bool,
) -> int:
    """Write a commented rule called NAME to start from, with examples; it passes 'lint' and 'test' as it stands."""
    path = None if output in (None, "-") else Path(output or "")
    if path is not None and not force and (path.exists() or path.is_symlink()):
        raise UsageError(f"{output} exists already", None, "choose another name, or add --force to overwrite it")
    checked = _name(name), _title(title if title is not None else name.replace("_", " ").capitalize()), _cause(cause)
    text = _text(*checked, level, _logsource(source), kind)
    if path is None:
        click.echo(text, nl=False)
    else:
        write_whole(path, text)
    return 0


def _text(name: str, title: str, cause: str | None, level: str, source: LogSource, kind: CorrelationType | None) -> str:
    samples = _samples()
    wanted = Wanted(
        name=name,
        title=title,
        level=level,
        logsource=source,
        cause=cause,
        columns=tuple(_columns(source, samples)),
        formats=tuple(dict.fromkeys(one.format for one in samples if one.text and speaks_of(source, one.logsource))),
        today=date.today(),
    )
    text = event_rule(wanted) if kind is None else correlation_rule(wanted, kind)
    for fault in load_rules({"the new rule": text}).faults:
        raise UsageError(f"this would be no valid rule: {fault.what}", fault.where, fault.help)
    return text


def _name(name: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return name
    better = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    help = f"for example {better}" if re.match("[a-z]", better) else "for example agent_stopped_twice"
    raise UsageError(f"{name!r} is no name in snake_case", None, help)


def _title(title: str) -> str:
    title = title.strip()
    if not title or not title.isprintable() or len(title) > LONGEST_TITLE:
        help = "write one line of plain text"
        raise UsageError(f"the title has to be printable and up to {LONGEST_TITLE} characters long", None, help)
    return title


def _cause(cause: str | None) -> str | None:
    known = load_catalogue().causes
    if cause is None or cause in known:
        return cause
    words = set(cause.lower().replace("_", "-").split("-"))
    sharing = sorted(known, key=lambda one: -len(words.intersection(one.split("-"))))
    near = [
        *get_close_matches(cause.lower(), known, 3),
        *(one for one in sharing if words.intersection(one.split("-"))),
    ]
    help = f"near to it: {', '.join(list(dict.fromkeys(near))[:5])}" if near else "leave --cause out for a fact"
    raise UsageError(f"the catalogue has no cause {cause!r}", None, help)


def _logsource(text: str) -> LogSource:
    parts = [part if part not in ("", "*") else None for part in text.split("/")]
    named = [part for part in parts if part is not None]
    if len(parts) > 3 or not named or not all(re.fullmatch(r"[a-z0-9_-]+", part) for part in named):
        help = "write product/service/category, for example linux/waagent, windows/system or linux/waagent/gap"
        raise UsageError(f"{text!r} is no log source", None, help)
    source = LogSource(*parts)
    why = unmapped(source)
    if why is not None:
        known = {str(one.logsource) for one in _samples()} | {f"windows/*/{name}" for name in WINDOWS_CATEGORIES}
        near = get_close_matches(str(source), sorted(known), 5, 0.5)
        help = f"near to it: {', '.join(near)}" if near else "'loganalyzer formats' lists what is read"
        raise UsageError(f"a rule could never run: {why}", None, help)
    return source


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows that a parser's sample gives; ``text``: the sample is text, which an example of a rule can hold."""

    format: str
    text: bool
    logsource: LogSource
    rows: pl.DataFrame


@lru_cache(maxsize=1)
def _samples() -> tuple[_Sample, ...]:
    """What the samples of all parsers give, with the rows that are derived from them."""
    return tuple(
        _Sample(parser.name, b"\0" not in sample.raw, frame.logsource, frame.rows)
        for parser in parsers()
        for sample in parser.samples
        for frame in example_frames(parser.name, sample.path, sample.raw)
        if frame.rows.height
    )


def _columns(source: LogSource, samples: Sequence[_Sample]) -> Iterator[str]:
    """Comments: the columns of a log source with a value of each, as far as the samples of the parsers show them."""
    own = [one for one in samples if speaks_of(source, one.logsource)]
    alike = [one for one in samples if source.category is not None and one.logsource.category == source.category]
    events = [one for one in samples if one.logsource == LogSource("windows", "application")]
    if own:
        formats = ", ".join(dict.fromkeys(one.format for one in own))
        yield from _table(f"Columns of {source} with a value of each, from samples of {formats}:", _values(own))
    elif alike:
        yield from _table(f"Columns of category {source.category} with a value of each:", _values(alike))
    elif source.product == "windows" and events:
        yield from _table("Columns of every Windows event; its data are named as in the event:", _common(events))
    else:
        yield "No format that is installed has a sample of this log source (see: loganalyzer formats)."


def _values(samples: Iterable[_Sample]) -> Mapping[str, object]:
    values: dict[str, object] = {}
    for sample in samples:
        for column in sample.rows.get_columns():
            held = column.drop_nulls()
            if held.len():
                values.setdefault(column.name, held.to_list()[0])
    return values


def _common(samples: Sequence[_Sample]) -> Mapping[str, object]:
    """The columns that no row leaves empty."""
    full = [{name for name in one.rows.columns if not one.rows[name].null_count()} for one in samples]
    return {name: value for name, value in _values(samples).items() if all(name in names for names in full)}


def _table(heading: str, values: Mapping[str, object]) -> Iterator[str]:
    yield heading
    shown = {name: value for name, value in sorted(values.items()) if name not in PROVENANCE_COLUMNS}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        text = json.dumps(value, default=str)
        yield f"    {name:{width}}  {text if len(text) <= SHOWN else text[: SHOWN - 3] + '...'}"
    yield "Every row has @timestamp, log.file.path and log.line as well; events of Windows have host.name."
