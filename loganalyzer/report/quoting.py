"""How much of an entry a report quotes, and the entries around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from loganalyzer.report.model import ContextEntry
from loganalyzer.schema import PassedOver

#: Characters of an entry that stand in a report.
ORIGINAL_LIMIT: Final = 4096
#: Entries shown before a cited one and after it, and the characters of each.
CONTEXT_ENTRIES: Final = 2
CONTEXT_LIMIT: Final = 240

#: Stands for what a quoted neighbour does not show.
_LEFT_OUT: Final = "…"
#: An entry that is one long word may be a line of a key: alone it is not known to be a secret.
_LONG_WORD: Final = re.compile(r"\S{40,}")
_NEIGHBOUR: Final = ("log.file.path", "log.line", "EventRecordID", "@timestamp", "event.original", "message")


def cut(text: str, limit: int = ORIGINAL_LIMIT) -> str:
    """At most ``limit`` characters, cut between words: redaction comes later and must not meet half a key."""
    if len(text) <= limit:
        return text
    head, _, _ = text[:limit].rpartition(" ")
    return head if len(head) > limit // 2 else text[:limit]


def context_of(rows: pl.DataFrame, row: int, passed: Sequence[PassedOver] = ()) -> tuple[ContextEntry, ...]:
    """The neighbours of a row of a frame in the same source, in its order: two before and two after where there are.

    ``passed``: what was passed over of the frame's logs; it may stand beside the row.
    """
    source = rows["log.file.path"][row]
    for one in passed:
        if one.path == source:
            return _in_part_of_a_log(rows, row, one.beside)
    first = max(row - CONTEXT_ENTRIES, 0)
    around = rows.slice(first, row - first + CONTEXT_ENTRIES + 1).select(
        name for name in _NEIGHBOUR if name in rows.columns
    )
    entries = list(around.iter_rows(named=True))
    return tuple(
        _context_entry(entry, number < row)
        for number, entry in enumerate(entries, start=first)
        if number != row and entry["log.file.path"] == source
    )


def _in_part_of_a_log(
    rows: pl.DataFrame, row: int, beside: Callable[[int, int], pl.DataFrame]
) -> tuple[ContextEntry, ...]:
    """The same where not every entry of the log is a row: its place in the file tells which stand beside it."""
    own, place = pl.col("log.file.path") == rows["log.file.path"][row], rows["event.sequence"][row]
    first, last = place - CONTEXT_ENTRIES, place + CONTEXT_ENTRIES
    near = pl.col("event.sequence").is_between(first, last)
    names = ["event.sequence", *(name for name in _NEIGHBOUR if name in rows.columns)]
    around = pl.concat([rows.filter(own, near).select(names), beside(first, last)], how="diagonal_relaxed")
    return tuple(
        _context_entry(entry, entry["event.sequence"] < place)
        for entry in around.sort("event.sequence").iter_rows(named=True)
        if entry["event.sequence"] != place
    )


def _context_entry(entry: Mapping[str, Any], before: bool) -> ContextEntry:
    record_id = entry.get("EventRecordID")
    told = ("message", "event.original") if record_id is not None else ("event.original", "message")
    text = next((entry[name] for name in told if entry[name]), "")
    return ContextEntry(before, entry["log.line"], record_id, entry["@timestamp"], _short(text))


def _short(text: str) -> str:
    """The words of a text that fit; of one that does not fit nothing, as half a key is not known for one."""
    text = text.strip()
    if _LONG_WORD.fullmatch(text):
        return _LEFT_OUT
    if len(text) <= CONTEXT_LIMIT:
        return text
    kept = re.split(r"\s+(?=\S*\Z)", text[: CONTEXT_LIMIT - 1], maxsplit=1)
    return f"{kept[0]} {_LEFT_OUT}" if len(kept) == 2 else _LEFT_OUT
