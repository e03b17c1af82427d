"""The parser kit for exports of the Azure control plane: JSON of az, PowerShell and REST, whole or cut, in other text.

A list, ``{"value": [...]}`` or single objects become records that cite their lines; so do the objects that PowerShell
prints as lists of keys. A file that ends in the middle is read to the last member that is whole; what follows is
rejected with the reason.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from typing import Any, TypeAlias

import polars as pl

from loganalyzer.event_time import read_time
from loganalyzer.parser import Claim, Parsed
from loganalyzer.parser_format_list import listed_objects, looks_listed
from loganalyzer.parser_json import compact, inner_json, items, member, text_of
from loganalyzer.parser_listing import (
    DOCUMENT_LIMIT,
    Line,
    Rejected,
    cited,
    console_encoding,
    console_head,
    console_lines,
    listing,
)
from loganalyzer.possessive import compile_possessive
from loganalyzer.schema import TIMESTAMP, LogSource
from loganalyzer.source import Source

__all__ = [
    "Error",
    "JsonExport",
    "Record",
    "Row",
    "Whole",
    "claim_export",
    "duration_seconds",
    "errors_in",
    "export_rows",
    "field_of",
    "first_text",
    "ids_of",
    "moment",
    "named_value",
    "parsed_export",
    "read_export",
    "resource",
    "texts_of",
    "timed",
    "truth",
]

Row: TypeAlias = dict[str, object]

#: Where JSON begins: a bracket with what JSON has behind it.
_OPENING = re.compile(r"\{(?=\s*[\"}])|\[(?=\s*[{\]])")
_WRAPPED = re.compile(r"\{\s*\"(?:value|Value|Count)\"\s*:\s*(?:\d+\s*,\s*\"value\"\s*:\s*)?\[")
_EMPTY = re.compile(r"\s*(?:\[\s*\]|\{\s*\"value\"\s*:\s*\[\s*\]\s*(?:,\s*\"nextLink\"\s*:\s*null\s*)?\})\s*", re.I)
_BETWEEN = re.compile(r"[\s,]*")
_TOKEN = compile_possessive(r'"(?:[^"\\]++|\\.)*+"|[\[\]{},:"]|[^\s\[\]{},:"]+', re.DOTALL)
_CLOSING = {"[": "]", "{": "}"}
_SURROGATE = re.compile("[\ud800-\udfff]")
#: With so many broken objects in a file the rest of it is given up.
_MOST_TORN = 100
#: So many pieces of text between objects are told; what follows them is rejected as one.
_MOST_PIECES = 10_000
#: Where an object is cut inside a word or an escape, the fault is told to be up to so many characters before the end.
_CUT_WORD = 16

_DECODER = json.JSONDecoder(strict=False, parse_constant=str)

_AROUND = "no JSON: text around the export"
_CUT = "the file ends in the middle of its JSON: the rest is missing"


@dataclass(frozen=True, slots=True)
class Record:
    """One object of an export and the lines that it stands on; ``whole`` is false where its end is missing."""

    value: Mapping[str, object]
    lines: Sequence[Line]
    whole: bool = True


@dataclass(slots=True)
class JsonExport:
    """What came of a file: its lines, the objects, what was rejected, and why it could not be read to its end."""

    lines: list[Line]
    records: list[Record] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    damage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """All rows of an export, where rows about all of them are cited, and whether nothing of it is missing or odd."""

    rows: list[Row]
    place: Mapping[str, object]
    complete: bool


Completing: TypeAlias = Callable[[Whole], Iterable[Row]]


def claim_export(
    path: str, head: bytes, *, name: str, keys: Sequence[str], words: Sequence[str] = (), text: str, listed: bool = True
) -> Claim | None:
    """A claim by the keys of an export: each of ``keys`` (regexes of a key's name, in any case) must be in the head.

    ``words`` are further regexes that must match somewhere. With a fitting ``name`` 88, else 58: keys of Azure's
    resources are distinctive, names that people give are not. Keys of a list of PowerShell count too if ``listed``.
    An empty list is nothing but its name: 56.
    """
    decoded = console_head(head)
    named = re.search(name, path.replace("\\", "/"), re.IGNORECASE) is not None
    if named and _EMPTY.fullmatch(decoded):
        return Claim(56, f"an empty list, named like {text}")
    if not all(re.search(word, decoded, re.IGNORECASE) for word in words):
        return None
    if not _has_keys(decoded, keys, listed):
        return None
    return Claim(88, f"named and built like {text}") if named else Claim(58, f"built like {text}")


def _has_keys(decoded: str, keys: Sequence[str], listed: bool) -> bool:
    if _OPENING.search(decoded) and all(re.search(rf'"(?:{key})"\s*:', decoded, re.IGNORECASE) for key in keys):
        return True
    in_lists = (re.search(rf"^ *(?:{key})(?:\[\d+\])? * :", decoded, re.I | re.M) for key in keys)
    return listed and looks_listed(decoded) and all(in_lists)


def parsed_export(
    source: Source,
    logsource: LogSource,
    own: Mapping[str, pl.DataType],
    rows_of: Callable[[Record], Iterable[Row]],
    completed: Completing | None = None,
) -> Parsed:
    """The result of an export: the rows that ``rows_of`` makes of each record; a record that gives none is rejected.

    ``completed`` gets all of them, and gives them back with what only shows in the whole of the export.
    """
    return export_rows(source, read_export(source), logsource, own, rows_of, completed)


def export_rows(
    source: Source,
    export: JsonExport,
    logsource: LogSource,
    own: Mapping[str, pl.DataType],
    rows_of: Callable[[Record], Iterable[Row]],
    completed: Completing | None = None,
) -> Parsed:
    """As `parsed_export`, of what was read before."""
    rows: list[Row] = []
    rejected = list(export.rejected)
    for record in export.records:
        place = cited(record.lines) | {"event.original": compact(record.value)}
        found = [place | row for row in rows_of(record)]
        rows += found
        if not found:
            why = "an object that has none of the fields of such an export"
            rejected.append(Rejected(replace(record.lines[0], length=0), why))
    if completed is not None and export.lines and (rows or not export.records):
        complete = not export.damage and all(one.why == _AROUND for one in rejected)
        rows = list(completed(Whole(rows, cited(_last(export)), complete)))
    parsed = _listing(source, logsource, export, rows, own, rejected)
    return replace(parsed, damage=export.damage)


def _last(export: JsonExport) -> Sequence[Line]:
    return export.records[-1].lines if export.records else export.lines


def _listing(
    source: Source,
    logsource: LogSource,
    export: JsonExport,
    rows: Sequence[Row],
    own: Mapping[str, pl.DataType],
    rejected: Sequence[Rejected],
) -> Parsed:
    timed = dict(own) | {"@timestamp": TIMESTAMP, "time.assumed": pl.String()}
    return listing(source, logsource, export.lines, [_clean(row) for row in rows], timed, rejected)


def _clean(row: Row) -> Row:
    """Half of a UTF-16 pair is no character and no column can hold it: U+FFFD."""
    return {
        name: _SURROGATE.sub("\ufffd", value) if isinstance(value, str) and not value.isascii() else value
        for name, value in row.items()
    }


def read_export(source: Source) -> JsonExport:
    """Finds the objects of a text, whatever stands around them."""
    export = JsonExport(console_lines(source.data, DOCUMENT_LIMIT))
    _Reading(source, export).run()
    export.records.sort(key=lambda record: record.lines[0].number)
    return export


class _Reading:
    """One pass over the text from left to right."""

    def __init__(self, source: Source, export: JsonExport) -> None:
        self._data = source.data
        self._export = export
        self._encoding = console_encoding(source.data)
        self._texts = self._without_lists(export)
        self._text = "\n".join(self._texts)
        lengths = (len(text) + 1 for text in self._texts[:-1])
        self._starts = list(accumulate(lengths, initial=0)) if export.lines else []
        self._used = 0  # all characters before it are read or rejected
        self._torn = 0
        self._counted = (0, 0, 0)  # of a line the characters before its last rejected part, and their bytes

    @staticmethod
    def _without_lists(export: JsonExport) -> list[str]:
        """The texts of the lines, blank where objects of Format-List stand, which become records here."""
        texts = [line.text for line in export.lines]
        for one in listed_objects(export.lines):
            export.records.append(Record(one.value, one.lines))
            for line in one.lines:
                texts[line.number - 1] = ""
        return texts

    def run(self) -> None:
        """Reads all there is."""
        position = 0
        while (opening := _OPENING.search(self._text, position)) is not None and self._torn < _MOST_TORN:
            if len(self._export.rejected) >= _MOST_PIECES:
                break
            position = self._container(opening.start())
        self._around(len(self._text))

    def _container(self, start: int) -> int:
        """The list, wrapping or object that begins here; where to look for the next one."""
        wrapped = _WRAPPED.match(self._text, start)
        if wrapped is None and self._text[start] == "{":
            return self._object(start)
        self._around(start)
        position = wrapped.end() if wrapped else start + 1
        while True:
            between = _BETWEEN.match(self._text, position)
            position = between.end() if between else position
            self._used = max(self._used, position)
            if position >= len(self._text):
                self._export.damage = (_CUT,)
                return position
            if self._text[position] == "]":
                closing = re.compile(r"\](?:\s*,\s*\"nextLink\"\s*:\s*(?:null|\"[^\"]*\"))?\s*\}?").match(
                    self._text, position
                )
                self._used = closing.end() if closing and wrapped else position + 1
                return self._used
            if self._text[position] != "{":
                return position + 1
            following = self._object(position)
            if following <= position + 1:
                return following
            position = following

    def _object(self, start: int) -> int:
        """Reads one object; a broken one is passed over."""
        self._around(start)
        try:
            value, end = _DECODER.raw_decode(self._text, start)
        except RecursionError:
            return self._broken(start, "nested too deeply")
        except json.JSONDecodeError as error:
            unended = error.msg.startswith("Unterminated string")
            if unended or error.pos >= len(self._text.rstrip("\x00 \t\r\n")) - _CUT_WORD:
                return self._cut_object(start)
            return self._broken(start, f"not JSON: {error.msg} (line {self._line(error.pos) + 1})")
        except ValueError as error:  # Python limits the digits of a number
            return self._broken(start, f"not JSON that can be read: {error}")
        self._export.records.append(Record(value, self._between(start, end)))
        self._used = end
        return int(end)

    def _cut_object(self, start: int) -> int:
        """An object without its end: its whole members are read, the rest of the file is rejected."""
        end, closing = _last_whole(self._text, start)
        try:
            value = _DECODER.decode(self._text[start:end] + closing) if end > start + 1 else {}
        except (ValueError, RecursionError):
            value, end = {}, start
        if value:
            self._export.records.append(Record(value, self._between(start, end), whole=False))
            self._used = end
        self._reject(max(end, start) if value else start, len(self._text), _CUT)
        self._export.damage = (_CUT,)
        return len(self._text)

    def _broken(self, start: int, why: str) -> int:
        """The line of a broken object is rejected; the search goes on behind it."""
        self._torn += 1
        end = self._text.find("\n", start)
        end = len(self._text) if end < 0 else end
        self._reject(start, end, why)
        if self._torn >= _MOST_TORN:
            self._reject(end, len(self._text), "too many broken objects before it")
            return len(self._text)
        return end

    def _around(self, end: int) -> None:
        """Rejects what was passed over up to here, blanks aside."""
        self._reject(self._used, end, _AROUND)

    def _reject(self, start: int, end: int, why: str) -> None:
        """Rejects these characters, piece by piece of each line."""
        self._used = max(self._used, end)
        if start >= end or not self._text[start:end].strip("\x00 \t\r\n,"):
            return
        for number in range(self._line(start), self._line(end - 1) + 1):
            line, first = self._export.lines[number], self._starts[number]
            inside = max(start - first, 0)
            piece = self._texts[number][inside : end - first]
            if piece.strip("\x00 \t\r,"):
                self._export.rejected.append(Rejected(self._piece(line, inside, end - first), why))

    def _piece(self, line: Line, start: int, end: int) -> Line:
        """A part of a line, by its bytes as far as they can be told.

        The parts of a line come in their order, and each is counted from the one before it: a line may have many.
        """
        number, known, counted = self._counted
        if number != line.number or known > start:
            known, counted = 0, 0
        counted += len(line.text[known:start].encode(self._encoding, errors="replace"))
        self._counted = (line.number, start, counted)
        skip = min(counted, line.length)
        if end >= len(line.text):
            length = line.length - skip
        else:
            length = min(len(line.text[start:end].encode(self._encoding, errors="replace")), line.length - skip)
        return Line(line.number, line.offset + skip, length, line.text[start:end])

    def _line(self, position: int) -> int:
        return max(bisect_right(self._starts, position) - 1, 0)

    def _between(self, start: int, end: int) -> Sequence[Line]:
        return self._export.lines[self._line(start) : self._line(max(end - 1, start)) + 1]


def _last_whole(text: str, start: int) -> tuple[int, str]:
    """Where the last whole member of a cut object ends, and the brackets that close it there."""
    stack: list[str] = []
    end = start
    for token in _TOKEN.finditer(text, start):
        word = token[0]
        if word == '"':  # a text without its end
            break
        if word in _CLOSING:
            stack.append(word)
            end = token.end()
        elif word in ("]", "}"):
            if not stack:
                break
            stack.pop()
            end = token.end()
        elif word == ",":
            end = token.start()
    return end, "".join(_CLOSING[word] for word in reversed(stack))


# --- values ---------------------------------------------------------------------------------------------------------


def field_of(value: object, *names: str) -> object:
    """The first of these members that is there, at the top or under ``properties``; keys compare without case."""
    for name in names:
        for holder in (value, member(value, "properties")):
            found = member(holder, name)
            if found is not None:
                return found
    return None


def first_text(value: object, *names: str) -> str | None:
    """The first of these members that is text or a number and not blank, as text."""
    for name in names:
        found = text_of(field_of(value, name))
        if found is not None and found.strip():
            return found.strip()
    return None


def named_value(value: object, name: str) -> str | None:
    """The text of ``{"value": ..., "localizedValue": ...}``, or of a plain text."""
    found = field_of(value, name)
    return text_of(member(found, "value") if isinstance(found, Mapping) else found)


def moment(value: object, *names: str) -> datetime | None:
    """A time in UTC (ISO 8601, ``/Date(ms)/``, PowerShell's ``{"value": ..., "DateTime": ...}``); None: unknown."""
    return _time(value, names)[0]


def timed(value: object, *names: str) -> Row:
    """``@timestamp`` of the first of these members that is a time, and what had to be assumed of its zone."""
    found = next((told for name in names if (told := _time(value, (name,)))[0] is not None), (None, None))
    return {"@timestamp": found[0], "time.assumed": found[1]}


def _time(value: object, names: Sequence[str]) -> tuple[datetime | None, str | None]:
    found = field_of(value, *names)
    if isinstance(found, Mapping):
        found = member(found, "value")
    return read_time(found, None) if isinstance(found, str) else (None, None)


def truth(value: object) -> bool | None:
    """A truth value, also as text in any case; None: neither."""
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).strip().casefold())


def ids_of(value: object, *names: str) -> str | None:
    """The first of these members that is text, as a resource id to compare: in lower case, without a slash behind."""
    found = first_text(value, *names)
    return found.lower().rstrip("/") if found else None


def texts_of(value: object) -> str | None:
    """The texts of a list, one a line; a text as it is."""
    if isinstance(value, str):
        return value.strip() or None
    texts = [text for one in value if (text := text_of(one))] if isinstance(value, list) else []
    return "\n".join(texts) or None


_DURATION = re.compile(r"(?:(?P<days>\d{1,5})[.:])?(?P<hours>\d{1,3}):(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2})")
_ISO_DURATION = re.compile(r"P(?:(\d{1,5})D)?T?(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,7})(?:\.\d+)?S)?", re.IGNORECASE)


def duration_seconds(value: object) -> int | None:
    """Seconds of ``1.02:03:04.5``, ``0:21:36``, ``PT21M36S``, a .NET TimeSpan as JSON, or a plain number."""
    if isinstance(value, Mapping):
        value = member(value, "TotalSeconds")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if abs(value) < 1e12 else None
    if not isinstance(value, str):
        return None
    if found := _DURATION.match(value.strip()):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if (found := _ISO_DURATION.fullmatch(value.strip())) and any(found.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return None


def resource(identifier: object, kind: str) -> str | None:
    """The name behind ``/<kind>/`` in a resource id, in any case."""
    found = re.search(rf"/{kind}/([^/?]+)", identifier, re.IGNORECASE) if isinstance(identifier, str) else None
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Error:
    """One error of Azure's resource manager: ``{"code": ..., "message": ..., "details": [...]}``."""

    code: str | None
    message: str | None
    target: str | None
    depth: int


#: How deep errors may lie in errors, and JSON in their messages.
_DEEPEST = 8


def errors_in(value: object, depth: int = 0) -> list[Error]:
    """The errors of an answer, the outermost first; those in ``details`` and in JSON inside of messages too."""
    if depth > _DEEPEST:
        return []
    if isinstance(value, str):
        value = inner_json(value)
    if isinstance(value, list):
        return [error for one in value[:100] for error in errors_in(one, depth)]
    if not isinstance(value, Mapping):
        return []
    inner = next((found for name in ("error", "exception") if (found := member(value, name)) is not None), None)
    if isinstance(inner, Mapping | list):
        return errors_in(inner, depth)
    code, message = text_of(member(value, "code")), text_of(member(value, "message"))
    deeper: list[Any] = [*items(member(value, "details")), *items(member(value, "innererror"))]
    if message is not None and (told := inner_json(message)) is not None and errors_in(told, depth + 1):
        deeper.append(told)
        message = None
    own = [Error(code, message, text_of(member(value, "target")), depth)] if code or message else []
    return [*own, *(error for one in deeper for error in errors_in(one, depth + 1))]
