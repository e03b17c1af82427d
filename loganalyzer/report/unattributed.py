"""Errors around the failure that no signature speaks about, by masked template: what a person should look at next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from datetime import datetime

import polars as pl

from loganalyzer.attribute import Attribution
from loganalyzer.report.model import Unattributed
from loganalyzer.report.quoting import cut
from loganalyzer.schema import EventFrame
from loganalyzer.sigma.match import Matches

MOST_UNATTRIBUTED = 10
TEMPLATE_LIMIT = 200
EXAMPLE_LIMIT = 500

#: Levels at which a program says that something failed, in upper case.
ERROR_LEVELS = ("ERROR", "ERR", "CRITICAL", "CRIT", "FATAL", "ALERT", "EMERG")
#: Words of a failure, for logs that write no level (the extension's own, linux.md 2.5).
_WORDS = r"(?i)\b(?:error|exception|fail(?:ed|ure|s)?|traceback|denied|refused|timed out|unable|cannot)\b"

#: What differs between messages of one template; also every long word that could be a key, before redaction sees it.
_VARIABLE = (
    r"[A-Za-z0-9+/=_%-]{28,}|"
    r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|0x[0-9A-Fa-f]+|\b[0-9A-Fa-f]{16,}\b|\d+(?:[.:]\d+)*"
)


def unattributed(frames: Sequence[EventFrame], matches: Matches, attribution: Attribution) -> tuple[Unattributed, ...]:
    """The templates of errors inside the windows: first those that the good time does not know, then by count.

    The good time is that before its last successful backup. ``new`` is null where no backup succeeded.
    """
    found = [rows for rows in _errors(frames, matches) if rows.height]
    if not found:
        return ()
    rows = pl.concat(found)
    since = attribution.relevance.since
    good = set(rows.filter(pl.col("@timestamp") <= since)["template"].to_list()) if since is not None else set()
    inside = rows.filter(pl.Series([_in_windows(time, attribution) for time in rows["@timestamp"]], dtype=pl.Boolean))
    told = [
        Unattributed(
            template=template,
            count=count,
            example=cut(example, EXAMPLE_LIMIT),
            first=first,
            last=last,
            source=source,
            line=line,
            new=None if since is None else template not in good,
        )
        for template, count, example, first, last, source, line in inside.group_by("template", maintain_order=True)
        .agg(
            pl.len(),
            pl.col("message").first(),
            pl.col("@timestamp").min().alias("first"),
            pl.col("@timestamp").max().alias("last"),
            pl.col("log.file.path").first(),
            pl.col("log.line").first(),
        )
        .iter_rows()
    ]
    told.sort(key=lambda one: (one.new is not True, -one.count, one.template))
    return tuple(told[:MOST_UNATTRIBUTED])


def _errors(frames: Sequence[EventFrame], matches: Matches) -> Iterator[pl.DataFrame]:
    """Of each frame the errors that no rule matched, and of which no matched derived row was made."""
    spoken: dict[int, set[int]] = defaultdict(set)
    for match in matches.matches:
        spoken[match.frame].add(match.row)
    explained = _explained(frames, spoken)
    for number, frame in enumerate(frames):
        if frame.logsource.category is not None:
            continue
        level = pl.col("log.level").str.to_uppercase()
        wanted = (
            pl.when(level.is_null()).then(pl.col("message").str.contains(_WORDS)).otherwise(level.is_in(ERROR_LEVELS))
        )
        rows = frame.rows.with_row_index("row").filter(wanted, ~pl.col("row").is_in(sorted(spoken[number])))
        first_line = pl.col("message").str.extract(r"\A\s*([^\r\n]*)")
        rows = rows.select(
            first_line.str.replace_all(_VARIABLE, "<*>").str.head(TEMPLATE_LIMIT).alias("template"),
            *("@timestamp", "message", "log.file.path", "log.line", "log.offset"),
        ).filter(pl.col("template").str.len_bytes() > 0)
        places = zip(rows["log.file.path"], rows["log.offset"], strict=True)
        yield rows.filter(pl.Series([place not in explained for place in places], dtype=pl.Boolean))


def _explained(frames: Sequence[EventFrame], spoken: dict[int, set[int]]) -> Set[tuple[str, int]]:
    """The places of the entries that a matched derived row was made from."""
    places: set[tuple[str, int]] = set()
    for number, own in sorted(spoken.items()):
        if "derived_from" in frames[number].rows.columns:
            cited = frames[number].rows["derived_from"].gather(sorted(own)).explode().drop_nulls()
            places.update(cited.struct.unnest().select("log.file.path", "log.offset").iter_rows())
    return places


def _in_windows(time: datetime | None, attribution: Attribution) -> bool:
    return time is None or attribution.relevance.touched(time, time, False) is not None
