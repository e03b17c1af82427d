"""The parser kit: what a parser is, what it returns, and the one way to read text logs.

A parser is a module of ``parsers/`` that ends in ``parser: Parser = ...``. It claims a source by name and content, and
turns its bytes into event frames. Every byte is parsed, rejected with a reason or skipped with a reason.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, Protocol, TypeAlias

import polars as pl

from loganalyzer.schema import (
    REJECTED_COLUMNS,
    TIMESTAMP,
    EventFrame,
    LogSource,
    conform,
    empty_rejected,
)
from loganalyzer.source import Source

__all__ = [
    "HEAD_SIZE",
    "Claim",
    "Entries",
    "EventFrame",
    "Grammar",
    "LogSource",
    "ParseContext",
    "Parsed",
    "Parser",
    "Sample",
    "Source",
    "claim_by",
    "conform",
    "cut_at_start",
    "decode",
    "parsed_log",
    "read_entries",
    "rejected_whole",
    "text_head",
]

#: Bytes of a source that a claim may look at.
HEAD_SIZE = 64 * 1024

#: An entry longer than this goes on in a further entry (``grammar`` = ``overflow``) with the same time (linux.md 2.4).
ENTRY_LIMIT = 64 * 1024

#: Characters of a rejected line that are kept as text; its offset and length name all of it.
REJECTED_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Claim:
    """How sure a parser is that a source is its own: 0 (no) to 100, with the reason as a user would read it."""

    strength: int
    why: str


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What parsing may depend on beside the bytes. ``time_zone``: IANA name for stamps without a zone, or None."""

    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The result of one source. ``parsed_bytes + rejected_bytes + skipped_bytes`` is the size of the source.

    ``damage`` says what could not be read to its end (a scan then exits with 3); ``cut`` what a collector had already
    cut before we got it (it does not); ``notes`` what else a reader of the report should know of the source. ``lines``
    are physical lines, or records for binary formats.
    """

    frames: tuple[EventFrame, ...]
    parsed_bytes: int
    lines: int
    rejected: pl.DataFrame = field(default_factory=empty_rejected)
    rejected_bytes: int = 0
    skipped_bytes: int = 0
    damage: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A proof inside a parser: these bytes under this path give these events (each a subset of columns, in order)."""

    name: str
    path: str
    raw: bytes
    events: tuple[Mapping[str, object], ...]
    rejected: int = 0


class Parser(Protocol):
    """One log format. Configuration is in attributes; ``claim`` and ``parse`` keep no state."""

    @property
    def name(self) -> str:
        """Unique, snake_case: how reports and examples name the format."""

    @property
    def title(self) -> str:
        """One line for ``loganalyzer formats``."""

    @property
    def logsource(self) -> LogSource:
        """The log source of its (main) frame."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the file lies on a VM, as globs for people to read."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """At least one; the contract tests run them all."""

    def claim(self, path: str, head: bytes) -> Claim | None:
        """Looks at the path (any prefix, any case) and the first ``HEAD_SIZE`` bytes; None: not mine."""

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Never raises for any bytes."""


def claim_by(path: str, head: bytes, *, name: str, content: str | None, text: str, flags: int = 0) -> Claim | None:
    r"""The usual claim: ``name`` is searched in the path (``/``, any case), ``content`` in the decoded head.

    Both: 90. Content only: 50, so that renamed and bare files are found. Name only: 20, and only where the head is
    text or empty; a file with the right name and other content stays with the parser, which then says what it
    could not read. ``text`` names the format in the reason. ``content=None``: the format has no mark of its own, the
    name decides (60).
    """
    named = re.search(name, path.replace("\\", "/"), re.IGNORECASE) is not None
    if content is None:
        return Claim(60, f"named like {text}") if named and _is_text(head) else None
    known = re.search(content, text_head(head), re.MULTILINE | flags) is not None
    if named and known:
        return Claim(90, f"named and built like {text}")
    if known:
        return Claim(50, f"built like {text}")
    if named and _is_text(head):
        return Claim(20, f"named like {text}, content not recognised")
    return None


def _is_text(head: bytes) -> bool:
    encoding, _ = _encoding(head)
    if encoding != "utf-8":
        return True
    sample = head[:4096]
    odd = sum(byte < 9 or 13 < byte < 32 for byte in sample)
    return odd * 20 <= len(sample)


def text_head(head: bytes) -> str:
    """The head as text; a last character that is cut by the head's end is replaced."""
    encoding, mark = _encoding(head)
    return head[mark:].decode(encoding, errors="replace")


def decode(data: bytes) -> str:
    """The whole source as text by its byte order mark, UTF-16 without one, or UTF-8; bad bytes become U+FFFD."""
    encoding, mark = _encoding(data)
    return data[mark:].decode(encoding, errors="replace")


Encoding: TypeAlias = Literal["utf-8", "utf-16-le", "utf-16-be"]


def _encoding(data: bytes) -> tuple[Encoding, int]:
    """Encoding and length of the byte order mark, by the rule of windows.md 1.4."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if data.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    head = data[:4096]
    for encoding, other in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, rest = head[other::2].count(0), head[1 - other :: 2].count(0)
        if len(head) >= 16 and zeros * 10 > len(head[other::2]) * 3 and rest == 0:
            return ("utf-16-le", 0) if encoding == "utf-16-le" else ("utf-16-be", 0)
    return "utf-8", 0


@dataclass(frozen=True, slots=True)
class Grammar:
    """The first line of an entry.

    ``regex`` is a Rust regex over one physical line with the named groups ``ts`` and ``msg`` and any others (which
    become columns). ``time_format`` is chrono's, without the zone; ``zone`` says what a stamp means. A line that fits
    ``unless`` too does not open an entry (Rust regexes have no lookahead).
    """

    id: str
    regex: str
    time_format: str
    zone: Literal["utc", "local"]
    unless: str | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of a text log: shared columns, ``grammar`` (null: lines before the first head), captured groups."""

    rows: pl.DataFrame
    rejected: pl.DataFrame
    parsed_bytes: int
    rejected_bytes: int
    lines: int


def read_entries(source: Source, grammars: Sequence[Grammar], context: ParseContext) -> Entries:
    """Cuts a text log into entries: a line that fits a grammar opens one, any other line continues it.

    Lines before the first head become one entry without a time. NUL characters are no text: a run of them around a line
    and a line with one inside are rejected, and an entry that they interrupt goes on in a further one (``overflow``).
    Offsets and lengths are bytes of the source, line ends and byte order mark included, so that they sum up.
    """
    lines = _split_lines(source.data)
    if lines.is_empty():
        rows = conform(_entry_schema(grammars))
        return Entries(rows, empty_rejected(), 0, 0, 0)
    garbage = pl.col("text").str.contains("\x00", literal=True)
    rejected = lines.filter(garbage)
    heads = _match_heads(lines.filter(~garbage), grammars)
    rows = _join_continuations(heads)
    rows = rows.with_columns(_timestamp(grammars, context)).with_columns(_assumed(grammars, context))
    rows = rows.drop("ts", "head_grammar")
    rejected_rows = rejected.select(
        pl.col("offset").alias("log.offset"),
        pl.col("length").alias("log.length"),
        pl.col("line").alias("log.line"),
        pl.col("text").str.slice(0, REJECTED_LIMIT).alias("event.original"),
        pl.lit("not text: the line holds NUL characters").alias("error.message"),
    ).cast(pl.Schema(REJECTED_COLUMNS))
    rejected_bytes = int(rejected["length"].sum())
    physical = int(lines["line"][-1])
    return Entries(conform(rows), rejected_rows, source.size - rejected_bytes, rejected_bytes, physical)


def _split_lines(data: bytes) -> pl.DataFrame:
    """Physical lines: ``line`` (1-based), ``offset``, ``length`` (bytes, line end included), ``text`` without it.

    A run of NUL bytes around a line, as a crash leaves it, is a row of its own with the number of that line.
    """
    encoding, mark = _encoding(data)
    if encoding == "utf-8":
        pieces = data[mark:].split(b"\n")
        numbers: Sequence[int] = range(1, len(pieces) + 1)
        ends = [1] * len(pieces)
        if b"\0" in data:
            numbers, pieces, ends = _split_padding(pieces)
        lengths = [len(piece) + end for piece, end in zip(pieces, ends, strict=True)]
        texts = [piece.removesuffix(b"\r").decode("utf-8", errors="replace") for piece in pieces]
    else:
        parts = data[mark:].decode(encoding, errors="replace").split("\n")
        numbers = range(1, len(parts) + 1)
        lengths = [len(part.encode(encoding, errors="surrogatepass")) + 2 for part in parts]
        texts = [part.removesuffix("\r") for part in parts]
    if texts[-1] == "" and (len(texts) > 1 or not data):  # nothing stands behind the last line end
        numbers, lengths, texts = numbers[:-1], lengths[:-1], texts[:-1]
    offsets = list(accumulate(lengths[:-1], initial=mark)) if lengths else []
    if lengths:  # the mark belongs to the first line; the last has no line end, or half a character
        offsets[0] = 0
        lengths[0] += mark
        lengths[-1] = len(data) - offsets[-1]
    return pl.DataFrame(
        {"line": numbers, "offset": offsets, "length": lengths, "text": texts},
        schema={"line": pl.Int64, "offset": pl.Int64, "length": pl.Int64, "text": pl.String},
    ).with_columns(pl.col("text").str.replace_all("[\ufeff\u200e\u200f]", ""))


def _split_padding(pieces: list[bytes]) -> tuple[list[int], list[bytes], list[int]]:
    """Cuts NUL bytes off both ends of each line: line numbers, pieces, and the bytes of line end behind each piece."""
    numbers, cut, ends = [], [], []
    for number, piece in enumerate(pieces, 1):
        core = piece.strip(b"\0")
        lead = len(piece) - len(piece.lstrip(b"\0"))
        parts = [piece[:lead], core, piece[lead + len(core) :]] if core.strip(b"\r") else [piece]
        kept = [part for part in parts if part] or [b""]
        numbers += [number] * len(kept)
        cut += kept
        ends += [0] * (len(kept) - 1) + [1]
    return numbers, cut, ends


def _groups(grammars: Sequence[Grammar]) -> list[str]:
    names: dict[str, None] = {}
    for grammar in grammars:
        names.update(dict.fromkeys(re.findall(r"\(\?P<(\w+)>", grammar.regex)))
    return list(names)


def _entry_schema(grammars: Sequence[Grammar]) -> pl.DataFrame:
    own = [name for name in _groups(grammars) if name not in ("ts", "msg", "level")]
    return pl.DataFrame(schema={"grammar": pl.String, **dict.fromkeys(own, pl.String)})


def _match_heads(lines: pl.DataFrame, grammars: Sequence[Grammar]) -> pl.DataFrame:
    """Adds ``grammar`` and its captured groups to each line; the first grammar that fits wins."""
    names = _groups(grammars)
    rest, parts = lines, []
    for grammar in grammars:
        groups = rest.with_columns(pl.col("text").str.extract_groups(grammar.regex).alias("groups")).unnest("groups")
        fits = groups["ts"].is_not_null()
        if grammar.unless is not None:
            fits &= ~groups["text"].str.contains(grammar.unless)
        parts.append(groups.filter(fits).with_columns(pl.lit(grammar.id).alias("grammar")))
        rest = rest.filter(~fits)
    parts.append(rest.with_columns(pl.lit(None, dtype=pl.String).alias("grammar")))
    marked = pl.concat(parts, how="diagonal").sort("line")
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in names if name not in marked.columns]
    return marked.with_columns(missing)


def _join_continuations(marked: pl.DataFrame) -> pl.DataFrame:
    """One row an entry: the head's groups, the whole text, byte range and line number."""
    opened = pl.col("grammar").is_not_null().cum_sum()
    within = pl.col("length").cum_sum().over("entry") - pl.col("length")
    follows = pl.col("offset") == pl.col("offset").shift() + pl.col("length").shift()
    hole = ~follows.fill_null(True) & pl.col("grammar").is_null()  # rejected bytes inside an entry
    part = within // ENTRY_LIMIT + hole.cast(pl.Int64).cum_sum().over("entry")
    marked = marked.with_columns(opened.alias("entry")).with_columns(part.alias("part"))
    own = [name for name in marked.columns if name not in ("line", "offset", "length", "text", "entry", "part")]
    level = pl.col("level") if "level" in own else pl.lit(None, dtype=pl.String)
    marked = marked.with_columns(pl.col(own).first().over("entry"))
    grouped = marked.group_by("entry", "part", maintain_order=True).agg(
        pl.col(own).first(),
        pl.col("line").first().alias("log.line"),
        pl.col("offset").first().alias("log.offset"),
        pl.col("length").sum().alias("log.length"),
        pl.col("text").str.join("\n").alias("event.original"),
        pl.col("text").slice(1).str.join("\n").alias("tail"),
        pl.len().alias("physical"),
    )
    head = pl.when((pl.col("part") == 0) & pl.col("grammar").is_not_null()).then(pl.col("msg"))
    message = (
        pl.when(head.is_null())
        .then(pl.col("event.original"))
        .when(pl.col("physical") == 1)
        .then(head)
        .otherwise(pl.concat_str(head, pl.lit("\n"), pl.col("tail")))
    )
    drop = [name for name in ("msg", "level", "entry", "part", "tail", "physical") if name in grouped.columns]
    return grouped.with_columns(
        message.alias("message"),
        level.alias("log.level"),
        pl.when(pl.col("part") > 0).then(pl.lit("overflow")).otherwise(pl.col("grammar")).alias("grammar"),
        pl.col("grammar").alias("head_grammar"),
        pl.int_range(pl.len()).alias("event.sequence"),
    ).drop(drop)


def _timestamp(grammars: Sequence[Grammar], context: ParseContext) -> pl.Expr:
    by_grammar = []
    for grammar in grammars:
        naive = pl.col("ts").str.to_datetime(grammar.time_format, time_unit="us", strict=False)
        if grammar.zone == "local" and context.time_zone is not None:
            aware = naive.dt.replace_time_zone(context.time_zone, ambiguous="earliest", non_existent="null")
            aware = aware.dt.convert_time_zone("UTC")
        else:
            aware = naive.dt.replace_time_zone("UTC")
        by_grammar.append(pl.when(pl.col("head_grammar") == grammar.id).then(aware))
    return pl.coalesce(*by_grammar, pl.lit(None, dtype=TIMESTAMP)).alias("@timestamp")


def _assumed(grammars: Sequence[Grammar], context: ParseContext) -> pl.Expr:
    local = [grammar.id for grammar in grammars if grammar.zone == "local"]
    why = (
        f"local time, read in the given zone {context.time_zone}"
        if context.time_zone
        else "local time of an unknown zone, read as UTC"
    )
    known = pl.col("@timestamp").is_not_null()
    return pl.when(pl.col("head_grammar").is_in(local) & known).then(pl.lit(why)).alias("time.assumed")


def parsed_log(source: Source, entries: Entries, logsource: LogSource, rows: pl.DataFrame) -> Parsed:
    """The result of a text log: one frame of ``rows``, and what ``entries`` says of the bytes."""
    return Parsed(
        (EventFrame(logsource, rows),),
        entries.parsed_bytes,
        entries.lines,
        entries.rejected,
        entries.rejected_bytes,
        cut=cut_at_start(source, entries),
    )


def cut_at_start(source: Source, entries: Entries) -> tuple[str, ...]:
    """What ``Parsed.cut`` says of a log whose first entry lost its beginning.

    The agent's log collector keeps the last 30 MiB of a longer file as ``truncated__var_log_...`` (linux.md 1.1), and
    the agent itself keeps the last 10 MiB of CommandExecution.log (linux.md 1.4): both may cut a line in the middle.
    """
    if re.match(r"truncated_+", source.name):
        return ("the log collector kept only the end of this file",)
    if entries.rows.height > 1 and entries.rows["grammar"][0] is None:
        return ("the file does not begin with the start of an entry: what stood before is missing",)
    return ()


def rejected_whole(source: Source, why: str) -> Parsed:
    """The result for a source of the right kind that cannot be read at all: all of it is rejected, with the reason."""
    row = {
        "log.offset": [0],
        "log.length": [source.size],
        "log.line": [1],
        "event.original": [decode(source.data[:200])],
        "error.message": [why],
    }
    rejected = pl.DataFrame(row, schema=dict(REJECTED_COLUMNS))
    return Parsed((), 0, 0, rejected=rejected, rejected_bytes=source.size, damage=(why,))
