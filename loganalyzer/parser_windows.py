"""The parser kit for the Windows agent's text logs: WaAppAgent.log and TransparentInstaller.log (windows.md 2.1, 2.3).

One entry is a head line with a thread id, a time of three eras and a level, and the lines after it. The agent's version
decides the era, so it is chosen line by line; all eras are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from loganalyzer.parser import (
    HEAD_SIZE,
    Grammar,
    LogSource,
    ParseContext,
    Parsed,
    Source,
    parsed_log,
    read_entries,
    text_head,
)
from loganalyzer.parser_dates import date_reader
from loganalyzer.schema import TIMESTAMP

_MARKS = r"^[\x{FEFF}\x{200E}\x{200F}]*"  # marks that editors and UTF-16 copies leave in front of a line
_REST = r" \[(?P<level>[A-Z]{4,5})\]\s*(?P<msg>.*)$"
#: Extensions that use the agent's library put the process in front of the thread.
_THREAD = r"\[(?:\d{1,7}\+)?(?P<tid>[0-9A-Fa-f]{8})\] "

GRAMMARS = (
    Grammar(
        "us",
        _MARKS + _THREAD + r"\[(?P<ts>\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}\.\d{2})\]" + _REST,
        "%m/%d/%Y %H:%M:%S%.f",
        "utc",
    ),
    Grammar(
        "iso",
        _MARKS + _THREAD + r"(?P<ts>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,7})?)Z" + _REST,
        "%Y-%m-%dT%H:%M:%S%.f",
        "utc",
    ),
    # The head was lost in an excerpt: the entry has a level and no time.
    Grammar("bare", _MARKS + r"(?P<ts>)\[(?P<level>INFO|WARN|ERROR|TRACE|HEART)\]\s*(?P<msg>.*)$", "%Y", "utc"),
)

#: A head with a time, in a claim's regex.
HEAD = (
    r"^[\ufeff\u200e\u200f]*\[[0-9A-Fa-f]{8}\] "
    r"(?:\[\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}\.\d{2}\]|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,7})?Z)"
    r" \[[A-Z]{4,5}\]"
)

#: The same with a process, as extensions write it: no log of the agent itself.
HANDLER_HEAD = HEAD.replace(r"\[[0-9A-Fa-f]{8}\] ", r"\[\d{1,7}\+[0-9A-Fa-f]{8}\] ", 1)

_HANDLER = r"[A-Za-z0-9]+(?:\.[A-Za-z0-9_\-]+){2,}"
_VERSION = r"\d+(?:\.\d+){1,3}"
_IN_PATH = rf"(?i)\\Plugins\\({_HANDLER})\\({_VERSION})"
_HANDLERS = (
    rf"(?:[Pp]lugin|Plugin handler|HandlerName:) '?({_HANDLER})",
    rf"\(name: ({_HANDLER})",
    rf"job object with a name of ({_HANDLER})",
)
_PREFIX = rf"^({_HANDLER}): "  # a handler's own lines; exceptions stand in front of a colon, too
_EXCEPTION = r"((?:[A-Za-z_]\w*\.)+\w*Exception)\b"
#: An HRESULT of a failure in hexadecimal or, as the agent prints some, as a negative decimal (windows.md 2.1).
_HRESULT = re.compile(r"HRESULT: (0x[0-9A-Fa-f]{8})|(0x8[0-9A-Fa-f]{7})\b|Error Code: (-\d{1,10})\b")

#: Heads of logs whose form is not documented, in the order in which they are tried (windows.md 2.4). A time without a
#: zone is local; hours alone are no time.
_LEVELS = "TRACE|DEBUG|VERBOSE|INFO|INFORMATION|WARN|WARNING|ERROR|FATAL|CRITICAL"
_BEHIND = rf"[\]\s,;:|-]*(?:\[?(?P<level>(?i:{_LEVELS}))\b\]?[\s:,;|-]*)?(?P<msg>.*)$"


_FRACTION = r"(?:[.,](?P<fraction>\d{1,9}))?"


def _iso(mark: str, zone: Literal["utc", "offset", "local"]) -> Grammar:
    """``fraction`` and ``utc_offset`` are added to the time afterwards."""
    stamp = rf"^\[?(?P<ts>\d{{4}}-\d{{2}}-\d{{2}}{mark}\d{{2}}:\d{{2}}:\d{{2}}){_FRACTION}"
    ends = {"utc": "(?:Z| UTC)", "offset": r" ?(?P<utc_offset>[+-]\d{2}:?\d{2})", "local": ""}
    return Grammar(
        f"{zone}{mark.strip()}",
        stamp + ends[zone] + _BEHIND,
        f"%Y-%m-%d{mark}%H:%M:%S",
        "local" if zone == "local" else "utc",
    )


#: A date in the order of some region, with hours as there; the file tells which.
_DATE = r"^\[?(?P<ts>\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2}),? \d{1,2}:\d{2}:\d{2}(?:[.,]\d{1,7})?(?: ?[AaPp][Mm]\b)?)"
_DATES = Grammar("date", _DATE + _BEHIND, "in the order of a region", "utc")
_DATED = (
    *GRAMMARS[:2],
    *(_iso(mark, zone) for zone in ("utc", "offset", "local") for mark in ("T", " ")),
    _DATES,
)
_HOURS = (Grammar("hours", r"^\[?(?P<ts>\d{2}:\d{2}:\d{2})(?:[.,]\d+)?" + _BEHIND, "never", "local"),)
_RAW: tuple[Grammar, ...] = (Grammar("raw", r"^(?P<ts>)(?P<msg>.*)$", "never", "utc"),)
_NAMED_ERROR = r"\b((?:Extension|UserError|GuestAgent|VMRestorePoint)[A-Z][A-Za-z]{3,60})\b"
_GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


def read_agent_log(source: Source, logsource: LogSource, context: ParseContext) -> Parsed:
    """Reads a log of the Windows agent; own columns are described in ``agent_columns``."""
    entries = read_entries(source, GRAMMARS, context)
    rows = agent_columns(entries.rows).drop("grammar", "tid")
    return parsed_log(source, entries, logsource, rows)


def agent_columns(rows: pl.DataFrame) -> pl.DataFrame:
    r"""Adds what messages tell: ``handler``, ``handler_version``, ``sequence_number`` (of ``Status\<N>.status``),
    ``exit_code``, ``hresult`` (``0x`` and 8 upper-case digits), ``exception`` (first type) and ``agent_version``.
    """
    message = pl.col("message")
    prefix = message.str.extract(_PREFIX, 1)
    handler = pl.coalesce(
        message.str.extract(_IN_PATH, 1),
        *(message.str.extract(each, 1) for each in _HANDLERS),
        pl.when(~prefix.str.contains(r"Exception$|^System\.")).then(prefix),
    )
    version = pl.coalesce(message.str.extract(_IN_PATH, 2), message.str.extract(rf"(?i)version:? '?({_VERSION})", 1))
    sequence = message.str.extract(r"(?i)[\\/]Status[\\/](\d+)\.status", 1)
    exit_code = message.str.extract(r"(?i)\bexit code:? ?(-?\d+)", 1)
    return rows.with_columns(
        pl.col("tid").alias("process.thread.name"),
        handler.alias("handler"),
        sequence.cast(pl.Int64, strict=False).alias("sequence_number"),
        exit_code.cast(pl.Int64, strict=False).alias("exit_code"),
        _hresults(rows),
        message.str.extract(_EXCEPTION, 1).alias("exception"),
        message.str.extract(rf"WindowsAzureGuestAgent starting\. Version ({_VERSION})", 1).alias("agent_version"),
    ).with_columns(pl.when(pl.col("handler").is_not_null()).then(version).alias("handler_version"))


def _hresults(rows: pl.DataFrame) -> pl.Series:
    """The first HRESULT of each message; few messages have one, so only those are looked at one by one."""
    likely = rows["message"].str.contains("0x|Error Code: -")
    texts = rows["message"].filter(likely).to_list()
    found: Mapping[str, str | None] = {text: _hresult(text) for text in texts}
    values = [found.get(text) for text in rows["message"]] if found else [None] * rows.height
    return pl.Series("hresult", values, dtype=pl.String)


def _hresult(text: str) -> str | None:
    match = _HRESULT.search(text)
    if match is None:
        return None
    number = int(match[3]) if match[3] else int(match[1] or match[2], 16)
    return f"0x{number & 0xFFFFFFFF:08X}"


def read_fallback_log(source: Source, logsource: LogSource, context: ParseContext) -> Parsed:
    """Reads a log of the platform whose form nobody documented, the form of each head line by line.

    Where hardly a line has a head, each line is a row without a time. Own columns: ``hresult``, ``ntstatus``,
    ``exception``, ``error_name`` (a documented kind of name, as ``ExtensionSnapshotFailedCOM``), ``task_id`` and
    ``exit_code``.
    """
    grammars = _fitting(text_head(source.data[:HEAD_SIZE]).splitlines()[:200])
    entries = read_entries(source, grammars, context)
    timed = _with_parts_of_times(entries.rows, context) if grammars == _DATED else entries.rows
    message = pl.col("message")
    thread = pl.col("tid") if "tid" in entries.rows.columns else pl.lit(None, dtype=pl.String)
    ntstatus = message.str.extract(r"\b0x([cC][0-9A-Fa-f]{7})\b", 1).str.to_uppercase()
    rows = timed.with_columns(
        thread.alias("process.thread.name"),
        _hresults(timed),
        pl.when(ntstatus.is_not_null()).then(pl.lit("0x") + ntstatus).alias("ntstatus"),
        message.str.extract(_EXCEPTION, 1).alias("exception"),
        message.str.extract(_NAMED_ERROR, 1).alias("error_name"),
        message.str.extract(rf"(?i)task_?\s?id\W{{1,4}}({_GUID})", 1).str.to_lowercase().alias("task_id"),
        message.str.extract(r"(?i)\bexit code:? ?(-?\d{1,10})\b", 1).cast(pl.Int64, strict=False).alias("exit_code"),
    )
    return parsed_log(source, entries, logsource, rows.drop("grammar", "tid", strict=False))


def _with_parts_of_times(rows: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    """Adds fractions of seconds, takes offsets off, and reads dates in the order that the file's own dates tell."""
    offset = pl.col("utc_offset").str.extract_groups(r"^([+-])(\d\d):?(\d\d)$").struct
    minutes = offset.field("2").cast(pl.Int64) * 60 + offset.field("3").cast(pl.Int64)
    east = pl.when(offset.field("1") == "-").then(-minutes).otherwise(minutes).fill_null(0)
    micros = pl.col("fraction").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    written = pl.coalesce(pl.when(pl.col("grammar") == _DATES.id).then(pl.col("event.original")), pl.lit(None))
    texts = rows.select(written.str.extract(_DATE).alias("text"))["text"]
    reader = date_reader(texts.drop_nulls().unique().to_list(), None, context.time_zone)
    read = {text: reader.read(text) for text in texts.drop_nulls().unique()}
    times = [read[text][0] if text is not None else None for text in texts]
    why = [read[text][1] if text is not None else None for text in texts]
    return rows.with_columns(
        pl.coalesce(
            pl.Series(times, dtype=TIMESTAMP), pl.col("@timestamp") + pl.duration(microseconds=micros, minutes=-east)
        ).alias("@timestamp"),
        pl.coalesce(pl.Series(why, dtype=pl.String), pl.col("time.assumed")).alias("time.assumed"),
    ).drop("fraction", "utc_offset")


def _fitting(lines: Sequence[str]) -> tuple[Grammar, ...]:
    """The grammars of which more than a tenth of the lines are heads, one form or several; else each line by itself."""
    frame = pl.DataFrame({"text": [line for line in lines if line.strip()]}, schema={"text": pl.String})
    for grammars in (_DATED, _HOURS):
        fits = pl.any_horizontal(pl.col("text").str.contains(one.regex) for one in grammars)
        if int(frame.select(fits.sum()).item() or 0) * 10 > frame.height:
            return grammars
    return _RAW
