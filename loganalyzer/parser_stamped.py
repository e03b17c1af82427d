"""The parser kit for logs of programs of many kinds: lines that begin with a time, in any of the usual forms.

Sources: linux.md 2.7 for the forms of Azure's extensions; ISO 8601 for the others. A line without a time continues.
"""

from __future__ import annotations

import re

import polars as pl

from loganalyzer.parser import Entries, Grammar, ParseContext, Source, read_entries, text_head

_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d"
_SLASHES = rf"\d{{4}}/\d\d/\d\d {_CLOCK}"
#: ``[name-version]`` in front of a message, as the extensions' common Python code writes it.
_BRACKET = r"(?:\[(?P<handler>[A-Za-z][\w.\-]*?)-(?P<handler_version>\d+(?:\.\d+)*)\] ?)?"
_MESSAGE = r"(?P<msg>.*)$"

#: Most specific first. ``millis`` and ``utc_offset`` are added to the time afterwards.
GRAMMARS = (
    Grammar(
        "extension",
        rf"^(?P<ts>{_SLASHES}(?:\.\d{{1,9}})?) (?:(?P<level>VERBOSE|INFO|WARNING|ERROR|FATAL)\b:? ?)?"
        rf"{_BRACKET}{_MESSAGE}",
        "%Y/%m/%d %H:%M:%S%.f",
        "local",
    ),
    Grammar(
        "logfmt", rf'^time="?(?P<ts>{_DATE}T{_CLOCK}(?:\.\d{{1,9}})?)Z"? {_MESSAGE}', "%Y-%m-%dT%H:%M:%S%.f", "utc"
    ),
    Grammar(
        "logfmt with an offset",
        rf'^time="?(?P<ts>{_DATE}T{_CLOCK}(?:\.\d{{1,9}})?)(?P<utc_offset>[+-]\d\d:\d\d)"? {_MESSAGE}',
        "%Y-%m-%dT%H:%M:%S%.f",
        "utc",
    ),
    Grammar(
        "JSON",
        rf'^(?P<msg>\{{.{{0,2000}}?"(?:time|ts|timestamp|Timestamp|@timestamp)"\s*:\s*"'
        rf'(?P<ts>{_DATE}T{_CLOCK}(?:\.\d{{1,9}})?)Z".*\}})\s*$',
        "%Y-%m-%dT%H:%M:%S%.f",
        "utc",
    ),
    Grammar(
        "ISO", rf"^\[?(?P<ts>{_DATE}T{_CLOCK}(?:\.\d{{1,9}})?)Z\]?:?(?: |$){_MESSAGE}", "%Y-%m-%dT%H:%M:%S%.f", "utc"
    ),
    Grammar(
        "ISO with an offset",
        rf"^\[?(?P<ts>{_DATE}T{_CLOCK}(?:\.\d{{1,9}})?)(?P<utc_offset>[+-]\d\d:?\d\d)\]?:?(?: +|$){_MESSAGE}",
        "%Y-%m-%dT%H:%M:%S%.f",
        "utc",
    ),
    Grammar(
        "UTC", rf"^\[?(?P<ts>{_DATE} {_CLOCK}(?:\.\d{{1,9}})?)(?:Z| UTC)\]?:?(?: |$){_MESSAGE}", "%F %H:%M:%S%.f", "utc"
    ),
    Grammar(
        "Python",
        rf"^\[?(?P<ts>{_DATE}[ T]{_CLOCK}),(?P<millis>\d{{3}})\]?:?(?: |$){_BRACKET}{_MESSAGE}",
        "%F %H:%M:%S",
        "local",
    ),
    Grammar(
        "local",
        rf"^\[?(?P<ts>{_DATE} {_CLOCK}(?:\.\d{{1,9}})?)\]?:?(?: |$){_BRACKET}{_MESSAGE}",
        "%F %H:%M:%S%.f",
        "local",
    ),
    Grammar(
        "local, with a T",
        rf"^\[?(?P<ts>{_DATE}T{_CLOCK}(?:\.\d{{1,9}})?)\]?:?(?: |$){_BRACKET}{_MESSAGE}",
        "%Y-%m-%dT%H:%M:%S%.f",
        "local",
    ),
)

_HEAD = re.compile(
    rf'^(?:{_SLASHES}\b|time="?{_DATE}T|\{{.{{0,2000}}?"(?:time|ts|timestamp|Timestamp|@timestamp)"\s*:\s*"{_DATE}T'
    rf"|\[?{_DATE}[ T]{_CLOCK})",
    re.MULTILINE,
)

#: A level among the first words, or under its name. Rust's regexes know no lookahead, so the word's end is matched.
_LEVEL = r"^(?:\S+[ \t]+){0,3}\W{0,2}(TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b"
_NAMED_LEVEL = r'(?:\blevel=|"(?:level|severity|Level)"\s*:\s*)"?([A-Za-z]{4,8})\b'


def is_stamped(head: bytes) -> bool:
    """Whether a line of the head begins with a time in one of the forms."""
    return _HEAD.search(text_head(head)) is not None


def read_stamped(source: Source, context: ParseContext) -> Entries:
    """Entries with ``handler`` and ``handler_version`` where a bracket names them, and a level where a line has one."""
    entries = read_entries(source, GRAMMARS, context)
    offset = pl.col("utc_offset").str.extract_groups(r"^([+-])(\d\d):?(\d\d)$")
    minutes = offset.struct.field("2").cast(pl.Int64) * 60 + offset.struct.field("3").cast(pl.Int64)
    sign = pl.when(offset.struct.field("1") == "-").then(-1).otherwise(1)
    shift = pl.duration(minutes=(minutes * sign).fill_null(0))
    millis = pl.duration(milliseconds=pl.col("millis").cast(pl.Int64).fill_null(0))
    level = pl.coalesce("log.level", pl.col("message").str.extract(_LEVEL), pl.col("message").str.extract(_NAMED_LEVEL))
    rows = entries.rows.with_columns(
        (pl.col("@timestamp") - shift + millis).alias("@timestamp"),
        level.str.to_uppercase().replace({"WARN": "WARNING"}).alias("log.level"),
    ).drop("utc_offset", "millis")
    return Entries(rows, entries.rejected, entries.parsed_bytes, entries.rejected_bytes, entries.lines)
