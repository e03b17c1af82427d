"""The parser kit: what a parser is, what it returns, and the one way to read text logs.

A parser is a module of ``parsers/`` that ends in ``parser: Parser = ...``. It claims a source by name and content, and
turns its bytes into event frames. Every byte is parsed, rejected with a reason or skipped with a reason.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Literal, Protocol, TypeAlias

import polars as pl

from loganalyzer.events_asked import EventsAsked
from loganalyzer.fixed_head import FixedHead
from loganalyzer.schema import (
    REJECTED_COLUMNS,
    TIMESTAMP,
    EventFrame,
    LogSource,
    PassedOver,
    conform,
    empty_rejected,
)
from loganalyzer.source import LongSource, Source

__all__ = [
    "HEAD_SIZE",
    "Claim",
    "Entries",
    "EventFrame",
    "FixedHead",
    "Grammar",
    "LogSource",
    "LongSource",
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
    "read_selected",
    "rejected_whole",
    "text_head",
]

#: Bytes of a source that a claim may look at.
HEAD_SIZE = 64 * 1024

#: An entry longer than this goes on in a further entry (``grammar`` = ``overflow``) with the same time (linux.md 2.4).
ENTRY_LIMIT = 64 * 1024

#: Bytes of a physical line that are read. No log has longer lines; what has them is hostile or lost its line ends.
LINE_LIMIT = 1024 * 1024

#: Characters of a rejected line that are kept as text; its offset and length name all of it.
REJECTED_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Claim:
    """How sure a parser is that a source is its own: 0 (no) to 100, with the reason as a user would read it."""

    strength: int
    why: str


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What parsing may depend on beside the bytes. ``time_zone``: IANA name for stamps without a zone, or None.

    ``selection``: what will be asked of long logs, so that not every entry of them need become a row; None: all do.
    """

    time_zone: str | None = None
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of long logs, so that the rest of them need not become rows.

    ``texts``: of a log source, in lower case: one of them stands in whatever is asked for. ``events``: the same of a
    channel of Windows. None: something is asked of it that they do not tell. What is held in memory is long from
    ``longer_than`` bytes on.
    """

    texts: Callable[[LogSource], frozenset[str] | None]
    events: Callable[[LogSource], EventsAsked | None]
    longer_than: int


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
    """One log format. Configuration is in attributes; ``claim`` and ``parse`` keep no state.

    A parser may have further attributes that bound its claims, so that it need not be asked, nor imported, about a
    source on which another's claim is stronger: ``strongest``, which no claim of its exceeds; and ``otherwise``, which
    none exceeds where ``named`` (a regex, in any case) is not found in the path with ``/`` and the head does not begin
    with ``begins`` (bytes). Each of these two may be missing.

    And it may have a method ``parse_long(source: LongSource, context) -> Parsed | None``, as `parse` of a log that need
    not be held in memory; None: it must be, and `parse` is asked. It never raises for any bytes either.
    """

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


@lru_cache(maxsize=2)
def text_head(head: bytes) -> str:
    """The head as text; a last character that is cut by the head's end is replaced.

    It is kept, since all parsers ask for that of one source in turn.
    """
    return decode(head)


def decode(data: bytes) -> str:
    """The whole source as text by its byte order mark, UTF-16 without one, or UTF-8.

    A line that is no UTF-8 at all is read as Windows-1252; other bad bytes become U+FFFD.
    """
    encoding, mark = _encoding(data)
    content = data[mark:]
    if encoding != "utf-8":
        return content.decode(encoding, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        pieces = content.split(b"\n")
        last = len(pieces) - 1
        return "\n".join(_utf_8(piece, place == 0, place == last) for place, piece in enumerate(pieces))


Encoding: TypeAlias = Literal["utf-8", "utf-16-le", "utf-16-be"]

_NOT_NUL = re.compile(rb"[^\0]")
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f]")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_NOT_WINDOWS_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d\xff]")  # the last is a letter there, and rubbish in a log
_TORN_START = re.compile(rb"[\x80-\xbf]{1,3}")
_TORN_END = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{0,2}\Z")


def _encoding(data: bytes) -> tuple[Encoding, int]:
    """Encoding and where the text begins: behind a byte order mark, or behind half a unit (windows.md 1.4)."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if data.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    return _utf_16_without_mark(data) or ("utf-8", 0)


def _utf_16_without_mark(data: bytes) -> tuple[Encoding, int] | None:
    """UTF-16 is told by zeros in every other byte of its first 4 KiB, padding with zeros left aside.

    Where the first byte is torn off, the order seems the other one. Letters below U+0100 read the same in both, others
    leave control characters in the wrong one.
    """
    found = _NOT_NUL.search(data)
    start = found.start() & ~1 if found else 0
    head = data[start : start + 4096]
    if b"\0" not in head or len(head) < 16:
        return None
    units = [unit for unit in zip(head[::2], head[1::2], strict=False) if unit != (0, 0)]
    low, high = sum(not unit[0] for unit in units), sum(not unit[1] for unit in units)
    for zeros, others, seeming, torn in ((high, low, "utf-16-le", "utf-16-be"), (low, high, "utf-16-be", "utf-16-le")):
        if zeros * 10 > len(units) * 3 and others == 0:
            is_torn = not start and _controls(head[1:], torn) < _controls(head, seeming)
            encoding: Encoding = "utf-16-le" if (torn if is_torn else seeming) == "utf-16-le" else "utf-16-be"
            return encoding, int(is_torn)
    return None


def _controls(head: bytes, encoding: str) -> int:
    return len(_CONTROL.findall(head[: len(head) & ~1].decode(encoding, errors="replace")))


def _utf_8(piece: bytes, first: bool = False, last: bool = False) -> str:
    """A line of a file that is UTF-8 where it is not Windows-1252; the ``first`` and ``last`` may be torn."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        start = torn.end() if first and (torn := _TORN_START.match(piece)) else 0
        end = torn.start() if last and (torn := _TORN_END.search(piece)) else len(piece)
        is_torn = piece[start:end].isascii()
    if is_torn or _MULTIBYTE.search(piece) or _NOT_WINDOWS_1252.search(piece):
        return piece.decode(errors="replace")
    return piece.decode("cp1252")


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
    passed: PassedOver | None = None


def read_selected(
    source: LongSource,
    grammars: Sequence[Grammar],
    context: ParseContext,
    logsource: LogSource,
    head: FixedHead,
    also: frozenset[str] = frozenset(),
) -> Entries | None:
    """As `read_entries`, with rows for those entries only that something may ask for; None: all must be read.

    ``also``: regexes of what an entry becomes a row for, beside the texts of the selection.
    """
    texts = None if context.selection is None else context.selection.texts(logsource)
    if texts is None:
        return None
    # numpy and hyperscan take as long to import as a small bundle takes to read
    from loganalyzer.literal_search import line_search
    from loganalyzer.parser_long_log import select

    selected = select(source.readinto, head, line_search(texts, also), ENTRY_LIMIT)
    if selected is None or _opens_any(selected.odd_lines, grammars):
        return None
    rows = _rows(selected.lines.with_columns(_VISIBLE), grammars, context)
    if not rows["@timestamp"].equals(selected.times):  # also where their number differs
        return None
    rows = rows.with_columns(selected.entries)
    passed = PassedOver("", selected.passed, selected.passed_timed, selected.passed_times, selected.beside)
    return Entries(conform(rows), empty_rejected(), selected.size, 0, selected.line_count, passed)


def _opens_any(lines: Sequence[bytes], grammars: Sequence[Grammar]) -> bool:
    decoded = pl.DataFrame({"text": [line.decode(errors="replace") for line in lines]}, schema={"text": pl.String})
    texts = decoded.select(_VISIBLE).to_series()
    return any(texts.str.contains(grammar.regex).any() for grammar in grammars)


def read_entries(source: Source, grammars: Sequence[Grammar], context: ParseContext) -> Entries:
    """Cuts a text log into entries: a line that fits a grammar opens one, any other line continues it.

    Lines before the first head become one entry without a time. NUL characters are no text: a run of them around a line
    and a line with one inside are rejected, and an entry that they interrupt goes on in a further one (``overflow``).
    So is what a line has beyond ``LINE_LIMIT``.
    Offsets and lengths are bytes of the source, line ends and byte order mark included, so that they sum up.
    """
    lines = _split_lines(source.data)
    if lines.is_empty():
        rows = conform(_entry_schema(grammars))
        return Entries(rows, empty_rejected(), 0, 0, 0)
    rejected = lines.filter(pl.col("why").is_not_null())
    rows = _rows(lines.filter(pl.col("why").is_null()).drop("why"), grammars, context)
    rejected_rows = rejected.select(
        pl.col("offset").alias("log.offset"),
        pl.col("length").alias("log.length"),
        pl.col("line").alias("log.line"),
        pl.col("text").str.slice(0, REJECTED_LIMIT).alias("event.original"),
        pl.col("why").alias("error.message"),
    ).cast(pl.Schema(REJECTED_COLUMNS))
    rejected_bytes = int(rejected["length"].sum())
    physical = int(lines["line"][-1])
    return Entries(conform(rows), rejected_rows, source.size - rejected_bytes, rejected_bytes, physical)


def _rows(lines: pl.DataFrame, grammars: Sequence[Grammar], context: ParseContext) -> pl.DataFrame:
    rows = _join_continuations(_match_heads(lines, grammars))
    rows = rows.with_columns(_timestamp(grammars, context)).with_columns(_assumed(grammars, context))
    return rows.drop("ts", "head_grammar")


def _split_lines(data: bytes) -> pl.DataFrame:
    """Physical lines: ``line`` (1-based), ``offset``, ``length`` (bytes, line end included), ``text`` without it.

    A run of NUL bytes around a line, as a crash leaves it, is a row of its own with the number of that line, and so is
    what goes beyond ``LINE_LIMIT``. ``why`` is the reason for which a row is rejected, or null.
    """
    encoding, mark = _encoding(data)
    if encoding == "utf-8" and b"\0" not in data and not _has_long_line(data):
        rows = _plain_lines(data, mark)
    else:
        rows = pl.DataFrame(list(_odd_lines(data, encoding, mark)), schema=_LINE, orient="row")
    return rows.with_columns(_VISIBLE)


#: Without marks that show nothing, which terminals and editors put in front of lines.
_VISIBLE = pl.col("text").str.replace_all("[\ufeff\u200e\u200f]", "")

_LINE = {"line": pl.Int64, "offset": pl.Int64, "length": pl.Int64, "text": pl.String, "why": pl.String}
_NULS = "not text: the line holds NUL characters"
_TOO_LONG = f"the line is longer than {LINE_LIMIT // 1024} KiB: the rest of it was not read"


def _has_long_line(data: bytes) -> bool:
    start = 0
    while len(data) - start > LINE_LIMIT:
        start = data.rfind(b"\n", start, start + LINE_LIMIT) + 1
        if not start:
            return True
    return False


def _plain_lines(data: bytes, mark: int) -> pl.DataFrame:
    """Lines of a file without NUL bytes and without overlong lines, which most are."""
    pieces = data[mark:].split(b"\n")
    if pieces[-1] in (b"", b"\r") and (len(pieces) > 1 or not data):  # nothing stands behind the last line end
        pieces.pop()
    lengths = [len(piece) + 1 for piece in pieces]
    offsets = list(accumulate(lengths[:-1], initial=mark)) if lengths else []
    try:
        texts = [piece.removesuffix(b"\r").decode() for piece in pieces]
    except UnicodeDecodeError:
        last = len(pieces) - 1
        texts = [
            _utf_8(piece.removesuffix(b"\r"), place == 0, place == last and not data.endswith(b"\n"))
            for place, piece in enumerate(pieces)
        ]
    if lengths:  # the mark belongs to the first line; the last may have no line end
        offsets[0] = 0
        lengths[0] += mark
        lengths[-1] = len(data) - offsets[-1]
    numbers = range(1, len(pieces) + 1)
    return pl.DataFrame(
        {"line": numbers, "offset": offsets, "length": lengths, "text": texts, "why": [None] * len(pieces)},
        schema=_LINE,
    )


_Line: TypeAlias = tuple[int, int, int, str, str | None]


def _odd_lines(data: bytes, encoding: Encoding, mark: int) -> Iterator[_Line]:
    """Lines of any file; of an overlong line and of padding only a little is ever copied."""
    if len(data) == mark and data:
        yield (1, 0, mark, "", None)
    for number, (start, stop, following) in enumerate(_line_places(data, encoding, mark), 1):
        first = 0 if start == mark else start  # the mark belongs to the first line
        begin = _behind_nuls(data, start, stop, encoding)
        if begin == stop > start:
            yield (number, first, following - first, "\0" * min(stop - start, REJECTED_LIMIT), _NULS)
            continue
        if begin > start:
            yield (number, first, begin - first, "\0" * min(begin - start, REJECTED_LIMIT), _NULS)
            first = begin
        kept = _line_limit(data, begin, stop, encoding)
        text, padding = _without_padding(data[begin:kept], encoding, begin == mark, kept == len(data))
        why = _NULS if "\0" in text else None
        end = kept - padding
        rest = kept < stop and not (padding and _NOT_NUL.search(data, kept, stop) is None)
        if rest:  # what stands behind the limit may be padding in the middle, or more text
            end = kept
        behind = following - end
        if end == stop:
            yield (number, first, following - first, text.removesuffix("\r"), why)
            continue
        yield (number, first, end - first, text.removesuffix("\r"), why)
        sample = data[end : end + 2 * REJECTED_LIMIT].decode(encoding, errors="replace")[:REJECTED_LIMIT]
        yield (number, end, behind, sample, _TOO_LONG if rest else _NULS)


def _line_places(data: bytes, encoding: Encoding, mark: int) -> Iterator[tuple[int, int, int]]:
    """Where each line starts and stops, and where the one behind its line end starts."""
    end = "\n".encode(encoding)
    start = mark
    while start < len(data):
        stop = data.find(end, start)
        while stop > 0 and (stop - mark) % len(end):  # halves of two units
            stop = data.find(end, stop + 1)
        stop, following = (stop, stop + len(end)) if stop >= 0 else (len(data), len(data))
        yield start, stop, following
        start = following


def _behind_nuls(data: bytes, start: int, stop: int, encoding: Encoding) -> int:
    """Where the padding before a line ends; ``stop`` if there is nothing else."""
    found = _NOT_NUL.search(data, start, stop)
    if found is None:
        return stop
    return found.start() if encoding == "utf-8" else found.start() - (found.start() - start) % 2


def _line_limit(data: bytes, start: int, stop: int, encoding: Encoding) -> int:
    """Where reading of a line ends: its own end, or the last character within the limit."""
    limit = start + LINE_LIMIT
    if stop <= limit:
        return stop
    if encoding == "utf-8":
        return limit - next((back for back in range(4) if data[limit - back] & 0xC0 != 0x80), 0)
    unit = int.from_bytes(data[limit : limit + 2], "little" if encoding == "utf-16-le" else "big")
    return limit - 2 if 0xDC00 <= unit < 0xE000 else limit


def _without_padding(piece: bytes, encoding: Encoding, first: bool, last: bool) -> tuple[str, int]:
    """The text of a line, and how many bytes of NUL padding follow it. A half of a unit at the end becomes U+FFFD."""
    if encoding == "utf-8":
        text = piece.rstrip(b"\0")
        return _utf_8(text, first, last), len(piece) - len(text)
    half = piece[len(piece) & ~1 :]
    text_16 = piece[: len(piece) & ~1].decode(encoding, errors="replace")
    plain = text_16.rstrip("\0")
    if half and (half != b"\0" or plain == text_16):
        return text_16 + "\ufffd", 0
    return plain, 2 * (len(text_16) - len(plain)) + len(half)


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
    rest, parts = lines, list[pl.DataFrame]()
    for grammar in grammars:
        if parts and rest.is_empty():
            break
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
    is_head = pl.col("grammar").is_not_null()
    alone = marked.select(is_head & is_head.shift(-1, fill_value=True)).to_series()
    joined = pl.concat([_of_one_line(marked.filter(alone)), _of_several_lines(marked.filter(~alone))])
    return joined.sort("log.offset").with_columns(pl.int_range(pl.len()).alias("event.sequence"))


def _of_one_line(marked: pl.DataFrame) -> pl.DataFrame:
    """The entries of heads that nothing continues."""
    return marked.select(
        pl.col(_own_columns(marked)).exclude("msg", "level"),
        pl.col("line").alias("log.line"),
        pl.col("offset").alias("log.offset"),
        pl.col("length").alias("log.length"),
        pl.col("text").alias("event.original"),
        pl.col("msg").alias("message"),
        _level(marked).alias("log.level"),
        pl.col("grammar").alias("head_grammar"),
    )


def _own_columns(marked: pl.DataFrame) -> list[str]:
    """What the heads tell."""
    return [name for name in marked.columns if name not in ("line", "offset", "length", "text")]


def _level(marked: pl.DataFrame) -> pl.Expr:
    return pl.col("level") if "level" in marked.columns else pl.lit(None, dtype=pl.String)


def _of_several_lines(marked: pl.DataFrame) -> pl.DataFrame:
    """The other entries, and what stands before the first head."""
    own = _own_columns(marked)
    opened = pl.col("grammar").is_not_null().cum_sum()
    within = pl.col("length").cum_sum().over("entry") - pl.col("length")
    follows = pl.col("offset") == pl.col("offset").shift() + pl.col("length").shift()
    hole = ~follows.fill_null(True) & pl.col("grammar").is_null()  # rejected bytes inside an entry
    part = within // ENTRY_LIMIT + hole.cast(pl.Int64).cum_sum().over("entry")
    marked = marked.with_columns(opened.alias("entry")).with_columns(part.alias("part"))
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
    return grouped.with_columns(
        message.alias("message"),
        _level(grouped).alias("log.level"),
        pl.when(pl.col("part") > 0).then(pl.lit("overflow")).otherwise(pl.col("grammar")).alias("grammar"),
        pl.col("grammar").alias("head_grammar"),
    ).drop("msg", "level", "entry", "part", "tail", "physical", strict=False)


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


def parsed_log(source: Source | LongSource, entries: Entries, logsource: LogSource, rows: pl.DataFrame) -> Parsed:
    """The result of a text log: one frame of ``rows``, and what ``entries`` says of the bytes."""
    passed = () if entries.passed is None else (entries.passed,)
    return Parsed(
        (EventFrame(logsource, rows, passed=passed),),
        entries.parsed_bytes,
        entries.lines,
        entries.rejected,
        entries.rejected_bytes,
        cut=cut_at_start(source, entries),
    )


def cut_at_start(source: Source | LongSource, entries: Entries) -> tuple[str, ...]:
    """What ``Parsed.cut`` says of a log whose first entry lost its beginning.

    The agent's log collector keeps the last 30 MiB of a longer file as ``truncated__var_log_...`` (linux.md 1.1), and
    the agent itself keeps the last 10 MiB of CommandExecution.log (linux.md 1.4): both may cut a line in the middle.
    """
    if re.match(r"truncated_+", source.name):
        return ("the log collector kept only the end of this file",)
    several = entries.rows.height > 1 or entries.passed is not None
    if several and entries.rows["grammar"][0] is None:
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
