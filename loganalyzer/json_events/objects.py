"""JSON objects in a text, however they are laid out: a line each, in arrays, over many lines, one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class FoundObject:
    """One JSON object, its text and the line on which it begins."""

    line: int
    text: str
    value: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line, or the rest of one, that is no event, and why; at most ``LONGEST_REJECTED`` characters of it."""

    line: int
    text: str
    why: str


#: Characters of a rejected line that are kept.
LONGEST_REJECTED = 1024

#: A file may hold events if a line of its head begins like JSON.
OPENING = re.compile(r"(?m)^[ \t\r\x00\ufeff\x1e,]*+[{\[]")
#: What may stand between objects: blanks, commas, the brackets of arrays; NULs, a byte order mark and the record
#: separator of JSON text sequences.
_BETWEEN = re.compile(r"[\s,\[\]\x00\ufeff]*")
#: The wrapping of CloudTrail's files: its elements are the events.
_RECORDS = re.compile(r'\{\s*"Records"\s*:\s*(?=\[\s*\{)')
#: What follows the last element of such a wrapping.
_CLOSING = re.compile(r"[\s,\]]*\}")


def objects(text: str) -> Iterator[FoundObject | RejectedLine]:
    """Every object of a text, whatever stands around it; a line that holds something else is rejected."""
    position, wrapped = 0, False
    place = _Place()
    broken: _Place | None = None  # where an object begins that could not be read
    torn = 0
    while True:
        if wrapped and (closing := _CLOSING.match(text, position)):
            position, wrapped = closing.end(), False
        between = _BETWEEN.match(text, position)
        position = between.end() if between is not None else position
        if position >= len(text):
            return
        place = place.moved(text, position)
        if text[position] == "{" and (broken is None or place.column <= broken.column):
            if wrapping := _RECORDS.match(text, position):
                position, wrapped = wrapping.end(), True
                continue
            found = _decode_at(text, position, one_line=torn >= _MOST_TORN)
            if not isinstance(found, str):
                value, end = found
                yield FoundObject(place.line, text[position:end], value)
                position, broken = end, None
                continue
            broken, why, torn = place, found, torn + 1
        else:
            why = (
                "not a JSON object" if broken is None else f"part of the broken event that begins on line {broken.line}"
            )
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        yield RejectedLine(place.line, text[position : min(end, position + LONGEST_REJECTED)].rstrip("\r"), why)
        position = end


@dataclass(frozen=True, slots=True)
class _Place:
    """A position in a text, its line (1-based) and where that line begins."""

    position: int = 0
    line: int = 1
    line_start: int = 0

    @property
    def column(self) -> int:
        """Characters before it on its line."""
        return self.position - self.line_start

    def moved(self, text: str, position: int) -> _Place:
        """The place of a later position."""
        passed = text.count("\n", self.position, position)
        line_start = text.rfind("\n", self.position, position) + 1 if passed else self.line_start
        return _Place(position, self.line + passed, line_start)


def _merged(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object; of a key that stands there twice, both values, as a list."""
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    all_values: dict[str, list[Json]] = {}
    for key, one in pairs:
        all_values.setdefault(key, []).append(one)
    return {key: values[0] if len(values) == 1 else values for key, values in all_values.items()}


_DECODER = json.JSONDecoder(object_pairs_hook=_merged, parse_constant=str, strict=False)
_SMALLEST_WINDOW = 4096
#: Where a window ends inside a word, a number or an escape, the fault is told to be up to so many characters before.
_CUT_WORD = 16


#: With so many broken objects in a file, none is looked for beyond the end of its line any more: each may cost as much
#: as a thousand lines.
_MOST_TORN = 1000


def _decode_at(text: str, start: int, *, one_line: bool) -> tuple[dict[str, Json], int] | str:
    """The object that begins here and where it ends, or why it cannot be read.

    Only as much text is looked at as is needed: some of the line, then twice as much while the text ends too early. So
    neither many broken lines nor many objects on one line make it read a file again and again.
    """
    line_end = text.find("\n", start, start + _SMALLEST_WINDOW)
    width = _SMALLEST_WINDOW if line_end < 0 else line_end - start
    limit = len(text)
    if one_line and (line_end := text.find("\n", start)) >= 0:
        limit = line_end
    while True:
        window = text[start : start + width]
        try:
            value, length = _DECODER.raw_decode(window)
            return _without_surrogates(value, window), start + length
        except json.JSONDecodeError as error:
            ended_early = error.msg.startswith("Unterminated string") or error.pos >= len(window.rstrip()) - _CUT_WORD
            if not ended_early or start + width >= limit:
                return f"not JSON: {error.msg}"
            width = min(max(2 * width, _SMALLEST_WINDOW), limit - start)
        except RecursionError:
            return "not JSON that can be read: nested too deeply"
        except ValueError as error:  # Python limits the digits of a number
            return f"not JSON that can be read: {error}"


_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _without_surrogates(value: dict[str, Json], text: str) -> dict[str, Json]:
    """Half of a UTF-16 pair is no character and no column can hold it: U+FFFD."""
    if not _ESCAPED_SURROGATE.search(text):
        return value
    plain = json.dumps(value, ensure_ascii=False)
    cleaned: dict[str, Json] = _DECODER.decode(_SURROGATE.sub("\ufffd", plain))
    return cleaned
