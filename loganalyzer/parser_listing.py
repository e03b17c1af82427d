"""The parser kit for text that Windows programs print: its lines in whatever code page, and rows that cite them.

A console writes its output in UTF-16 (PowerShell), in the OEM code page (cmd) or in the ANSI code page (older tools);
none of them says which. Keys are in the language of the system, so readers go by GUIDs, numbers and places.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

import polars as pl

from loganalyzer.parser import HEAD_SIZE, LINE_LIMIT, REJECTED_LIMIT, Parsed, Source
from loganalyzer.schema import REJECTED_COLUMNS, EventFrame, LogSource, conform

#: ``event.original`` of a row: at most this many characters of its lines.
ORIGINAL_LIMIT = 8192

#: What may be read of a line that holds a whole document: bytes. An answer of Azure's REST API stands on one line, and
#: a page of it has 1000 records at most.
DOCUMENT_LIMIT = 16 * LINE_LIMIT

_KANA = re.compile("[\u3041-\u30ff]")
#: Marks that editors, consoles and UTF-16 copies leave in a line.
_MARKS = str.maketrans(dict.fromkeys("\ufeff\u200e\u200f"))


@dataclass(frozen=True, slots=True)
class Line:
    """A physical line: 1-based number, byte offset, length with its line end, and its text without it."""

    number: int
    offset: int
    length: int
    text: str

    @property
    def indent(self) -> int:
        """How many blanks it begins with."""
        return len(self.text) - len(self.text.lstrip())

    @property
    def blank(self) -> bool:
        """Whether nothing is on it."""
        return not self.text.strip()


def console_encoding(data: bytes) -> str:
    """How console text is encoded: by byte order mark, as UTF-8 or UTF-16, else cp932, cp850 or cp1252.

    The two western code pages keep their letters apart: cp850 below 0xA6, cp1252 from 0xC0 on. cp932 is believed only
    where it gives kana.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return name
    head = data[:HEAD_SIZE]
    for name, zero, letter in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        zeros = head[zero:4096:2].count(0)
        if len(head) >= 16 and zeros * 10 > len(head[zero:4096:2]) * 3 and head[letter:4096:2].count(0) == 0:
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(data) <= HEAD_SIZE)
    except UnicodeDecodeError:
        return _code_page(head)
    return "utf-8"


def _code_page(head: bytes) -> str:
    if len(_KANA.findall(head.decode("cp932", errors="replace"))) > 2 * head.decode("cp932", errors="replace").count(
        "\ufffd"
    ):
        return "cp932"
    oem = sum(0x80 <= byte <= 0xA5 for byte in head)
    ansi = sum(byte >= 0xC0 for byte in head)
    return "cp850" if oem > ansi else "cp1252"


@lru_cache(maxsize=2)
def console_head(head: bytes) -> str:
    """The beginning of a source as text, for claims; kept, since all parsers ask for that of one source in turn."""
    return head.decode(console_encoding(head), errors="replace").translate(_MARKS)


def console_lines(data: bytes, longest: int | None = LINE_LIMIT) -> list[Line]:
    """All physical lines. Bad bytes become U+FFFD; the byte order mark counts to the first line.

    Of a line of more than ``longest`` bytes the rest is left out, as each copy of it would cost its size again: the
    line ends there, the next one begins where it does, and what lies between is ``unread``. None: any length.
    """
    encoding = console_encoding(data)
    lines, view = [], memoryview(data)
    for number, (start, stop) in enumerate(_places(data, encoding), start=1):
        length = stop - start if longest is None else min(stop - start, longest)
        piece = view[start : start + length]
        if length < stop - start:
            decoder = codecs.getincrementaldecoder(encoding)("replace")
            text = decoder.decode(piece)
            length -= len(decoder.getstate()[0])  # the last character may go on behind the limit
        else:
            text = str(piece, encoding, "replace").rstrip("\r\n")
        lines.append(Line(number, start, length, text if text.isascii() else text.translate(_MARKS)))
    return lines


def _places(data: bytes, encoding: str) -> Iterator[tuple[int, int]]:
    """Where each line starts and where the next one does."""
    end = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}.get(encoding, b"\n")
    start = search = 0
    while start < len(data):
        found = data.find(end, search)
        if found >= 0 and found % len(end) != 0:  # half of two UTF-16 units
            search = found + 1
            continue
        stop = len(data) if found < 0 else found + len(end)
        yield start, stop
        start = search = stop


def unread(source: Source, lines: Sequence[Line]) -> list[Rejected]:
    """What overlong lines of ``console_lines`` have beyond the limit, to be rejected with the reason."""
    found = []
    for line, following in zip_longest(lines, lines[1:]):
        start, stop = line.offset + line.length, following.offset if following else source.size
        if start < stop:
            text = source.data[start : start + 2 * REJECTED_LIMIT].decode(console_encoding(source.data), "replace")
            why = f"the line is longer than {round(line.length / 1024)} KiB: the rest of it was not read"
            found.append(Rejected(Line(line.number, start, stop - start, text), why))
    return found


def paragraphs(lines: Sequence[Line]) -> list[list[Line]]:
    """Runs of lines between blank ones."""
    found: list[list[Line]] = [[]]
    for line in lines:
        if line.blank:
            found.append([])
        else:
            found[-1].append(line)
    return [run for run in found if run]


def key_value(text: str, separator: str = ":") -> tuple[str, str] | None:
    """``Key : value`` without blanks around either; French sets a blank before the colon. None: no such line."""
    key, found, value = text.partition(separator)
    return (key.strip(), value.strip()) if found and key.strip() else None


def cited(lines: Sequence[Line]) -> dict[str, object]:
    """The citing columns of a row that was read from these neighbouring lines."""
    first, last = lines[0], lines[-1]
    return {
        "log.line": first.number,
        "log.offset": first.offset,
        "log.length": last.offset + last.length - first.offset,
        "event.original": "\n".join(line.text for line in lines).rstrip()[:ORIGINAL_LIMIT],
    }


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that nothing was read from, and why."""

    line: Line
    why: str


def listing(
    source: Source,
    logsource: LogSource,
    lines: Sequence[Line],
    rows: Sequence[Mapping[str, object]],
    own: Mapping[str, pl.DataType],
    rejected: Sequence[Rejected] = (),
) -> Parsed:
    """The result of a listing: one frame of ``rows`` (each with ``cited``), ``own`` columns beside the shared ones.

    What ``lines``, all of the source, leave out of it is rejected too.
    """
    place: dict[str, pl.DataType] = {"log.line": pl.Int64(), "log.offset": pl.Int64(), "log.length": pl.Int64()}
    text: dict[str, pl.DataType] = {"event.original": pl.String(), "message": pl.String()}
    frame = pl.DataFrame(list(rows), schema=place | text | dict(own), strict=False)
    frame = frame.with_columns(pl.int_range(pl.len()).alias("event.sequence"))
    lost = rejected_lines([*rejected, *unread(source, lines)])
    lost_bytes = int(lost["log.length"].sum())
    return Parsed(
        (EventFrame(logsource, conform(frame)),), source.size - lost_bytes, len(lines), lost, rejected_bytes=lost_bytes
    )


def rejected_lines(rejected: Sequence[Rejected]) -> pl.DataFrame:
    """Rejected lines as ``Parsed`` has them."""
    rows = [
        (one.line.offset, one.line.length, one.line.number, one.line.text[:REJECTED_LIMIT], one.why)
        for one in sorted(rejected, key=lambda one: (one.line.number, one.line.offset))
    ]
    return pl.DataFrame(rows, schema=dict(REJECTED_COLUMNS), orient="row")
