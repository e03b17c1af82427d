"""The parser kit for the Windows agent's text logs: WaAppAgent.log and TransparentInstaller.log (windows.md 2.1, 2.3).

One entry is a head line with a thread id, a time of three eras and a level, and the lines after it. The agent's version
decides the era, so it is chosen line by line; all eras are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from loganalyzer.parser import (
    Grammar,
    LogSource,
    ParseContext,
    Parsed,
    Source,
    parsed_log,
    read_entries,
)

_MARKS = r"^[\x{FEFF}\x{200E}\x{200F}]*"  # marks that editors and UTF-16 copies leave in front of a line
_REST = r" \[(?P<level>[A-Z]{4,5})\]\s*(?P<msg>.*)$"
_THREAD = r"\[(?P<tid>[0-9A-Fa-f]{8})\] "

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
