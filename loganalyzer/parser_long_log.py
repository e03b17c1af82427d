"""The parser kit for long text logs: rows are made of those entries only that something may ask for.

The bytes are passed over once, with numpy and one search for all texts. An entry becomes a row if it holds one of the
texts, is of a level that is told for itself, holds anything beyond ASCII, or bounds the log in time or place. Of the
others stay their number and their times, and the text of those that stand beside a row. Where a log is not as plain as
this asks, nothing is selected: all of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loganalyzer.fixed_head import FixedHead
from loganalyzer.literal_search import LineSearch

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Bytes that are looked at at a time: few enough to stay in the processor's cache, enough to be worth a call.
BLOCK = 4 << 20
#: Entries before and after one that is asked for: what a report shows around a line.
BESIDE = 2
#: Entries at the end of a log that are rows whatever they hold: there is sought what came nearest to a finding.
LAST_ENTRIES = 5_000

_STAMP = len("2025-06-10T00:00:01.123646Z ")
_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 22, 23, 24, 25])
_MARKS = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "."), (26, "Z"), (27, " "))
_FIRST_YEAR, _LAST_YEAR = 1980, 2200


@dataclass(frozen=True, slots=True)
class Selected:
    """The entries that are to become rows, and all that is known of the others.

    ``entries``: their places among all entries, sorted; ``beside``: those of others that stand beside one. ``starts``:
    where each entry of the log starts, and behind it where the last one ends. ``first_lines``: the number of the first
    line of each (1-based); ``lines``: how many there are. ``times``: of all entries, in microseconds since 1970;
    ``timed``: which of them have one. ``odd_lines``: see `select`.
    """

    entries: Ints
    beside: Ints
    starts: Ints
    first_lines: Ints
    lines: int
    times: Ints
    timed: Bools
    odd_lines: tuple[bytes, ...]


def select(data: bytes, head: FixedHead, search: LineSearch, longest_entry: int) -> Selected | None:
    """Which entries of a log become rows; None: it is not as plain as a selection needs.

    ``odd_lines`` begin with a digit, or hold anything beyond ASCII, and open no entry by this head: if one of them
    opens one in another way, nothing must be selected.
    """
    if b"\r" in data or b"\0" in data or data.startswith(b"\xef\xbb\xbf"):
        return None
    parts = []
    line, odd = 0, dict[bytes, None]()
    for start, stop in _blocks(data):
        part = _look_at(memoryview(data)[start:stop], head, search) if stop > start else None
        if part is None:
            return None
        parts.append((start, line, part))
        line += part.lines
        odd.update(dict.fromkeys(part.odd))
        if len(odd) > _MOST_ODD:
            return None
    return _together(parts, len(data), line, tuple(odd), longest_entry)


#: Lines within entries that begin with a digit, as listings have them; a log with more of them is read as usual.
_MOST_ODD = 10_000


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Ranges of whole lines; one that is empty where a line is longer than a block, and then no more."""
    start = 0
    while start < len(data):
        stop = len(data) if len(data) - start <= BLOCK else data.rfind(b"\n", start, start + BLOCK) + 1 or start
        yield start, stop
        if start == stop:
            return
        start = stop


@dataclass(frozen=True, slots=True)
class _Part:
    """Of a block: places in it of the lines that open an entry, their lines, times, and which lines are asked for."""

    lines: int
    heads: Ints
    head_lines: Ints
    times: Ints
    loud: Bools
    wanted_lines: Ints
    odd: tuple[bytes, ...]


def _look_at(block: memoryview, head: FixedHead, search: LineSearch) -> _Part | None:
    bytes_ = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(bytes_ == 10)
    if bytes_[-1] != 10:  # the last line of a log that was cut
        ends = np.append(ends, len(bytes_))
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1] + 1
    is_head, loud = _heads(bytes_, starts, ends, head)
    heads = starts[is_head]
    times = _times(bytes_, heads)
    if times is None:
        return None
    foreign = np.zeros(len(starts), np.bool_)
    foreign[np.searchsorted(ends, np.flatnonzero(bytes_ >= 128))] = True
    maybe_head = foreign.copy()
    filled = ends > starts
    first = bytes_[starts[filled]]
    maybe_head[filled] |= (first >= ord("0")) & (first <= ord("9"))
    odd = np.flatnonzero(maybe_head & ~is_head)
    if len(odd) > _MOST_ODD:
        return None
    wanted = search.lines(block, ends) | foreign
    texts = tuple(bytes(block[starts[one] : ends[one]]) for one in odd)
    return _Part(len(ends), heads, np.flatnonzero(is_head), times, loud[is_head], np.flatnonzero(wanted), texts)


def _heads(text: NDArray[np.uint8], starts: Ints, ends: Ints, head: FixedHead) -> tuple[Bools, Bools]:
    """Which lines open an entry, and which of them are of a level that is told for itself."""
    is_head = ends - starts >= _STAMP + min(map(len, head.levels))
    loud = np.zeros(len(starts), np.bool_)
    candidates = np.flatnonzero(is_head)
    for place, mark in _MARKS:
        candidates = candidates[text[starts[candidates] + place] == ord(mark)]
    for place in _DIGITS:
        digits = text[starts[candidates] + place]
        candidates = candidates[(digits >= 48) & (digits <= 57)]
    is_head[:] = False
    for level in head.levels:
        fitting = candidates[ends[candidates] - starts[candidates] >= _STAMP + len(level)]
        for place, letter in enumerate(level):
            fitting = fitting[text[starts[fitting] + _STAMP + place] == ord(letter)]
        behind = starts[fitting] + _STAMP + len(level)
        at_end = behind == ends[fitting]
        follows = text[np.minimum(behind, len(text) - 1)]
        fitting = fitting[at_end | (follows == ord(" "))]
        is_head[fitting] = True
        loud[fitting] = level not in head.quiet
    return is_head, loud


def _times(text: NDArray[np.uint8], heads: Ints) -> Ints | None:
    """Microseconds since 1970; None: a stamp is of no day or time that exists, or of a year that none is written in."""
    digits = [text[heads + place].astype(np.int64) - 48 for place in _DIGITS]

    def number(first: int, count: int) -> Ints:
        value: Ints = digits[first]
        for digit in digits[first + 1 : first + count]:
            value = value * 10 + digit
        return value

    year, month, day = number(0, 4), number(4, 2), number(6, 2)
    hour, minute, second, micro = number(8, 2), number(10, 2), number(12, 2), number(14, 6)
    sound = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    if not (sound & (hour <= 23) & (minute <= 59) & (second <= 59)).all():
        return None
    months = (year - 1970) * 12 + month - 1
    begins = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    if (day > following - begins).any():
        return None
    seconds = (begins + day - 1) * 86_400 + hour * 3600 + minute * 60 + second
    found: Ints = seconds * 1_000_000 + micro
    return found


def _together(
    parts: list[tuple[int, int, _Part]], size: int, lines: int, odd: tuple[bytes, ...], longest_entry: int
) -> Selected | None:
    starts = np.concatenate([start + part.heads for start, _, part in parts])
    if not len(starts):
        return None
    head_lines = np.concatenate([line + part.head_lines for _, line, part in parts])
    times = np.concatenate([part.times for _, _, part in parts])
    loud = np.concatenate([part.loud for _, _, part in parts])
    wanted_lines = np.concatenate([line + part.wanted_lines for _, line, part in parts])
    timed = np.ones(len(starts), np.bool_)
    if starts[0]:  # lines before the first head are an entry without a time
        starts, head_lines = np.insert(starts, 0, 0), np.insert(head_lines, 0, 0)
        times, loud, timed = np.insert(times, 0, 0), np.insert(loud, 0, True), np.insert(timed, 0, False)
    bounds = np.append(starts, size)
    if (np.diff(bounds) > longest_entry).any():
        return None
    wanted = loud
    wanted[np.searchsorted(head_lines, wanted_lines, side="right") - 1] = True
    chosen = wanted | _bounding(times, timed)
    beside = np.flatnonzero(_with_neighbours(chosen) & ~chosen)
    return Selected(np.flatnonzero(chosen), beside, bounds, head_lines + 1, lines, times, timed, odd)


def _with_neighbours(wanted: Bools) -> Bools:
    found = wanted.copy()
    for away in range(1, BESIDE + 1):
        found[away:] |= wanted[:-away]
        found[:-away] |= wanted[away:]
    return found


def _bounding(times: Ints, timed: Bools) -> Bools:
    """The first entries and the last, those of the first and the last time, those between which the clock went back."""
    found = np.zeros(len(times), np.bool_)
    found[: 1 + BESIDE] = True
    found[-LAST_ENTRIES:] = True
    places = np.flatnonzero(timed)
    known = times[places]
    found[places[np.argmin(known)]] = True
    found[places[len(known) - 1 - np.argmax(known[::-1])]] = True
    back = np.flatnonzero(np.diff(known) < 0)
    found[places[back]] = True
    found[places[back + 1]] = True
    return found


def beside_of(data: bytes, selected: Selected) -> pl.DataFrame:
    """The entries beside the selected ones, as a reader sees them: place, first line, time (UTC), text.

    Raises:
        UnicodeDecodeError: one is not UTF-8.
    """
    bounds, places = selected.starts, selected.beside
    texts = [data[bounds[one] : bounds[one + 1]].removesuffix(b"\n").decode() for one in places.tolist()]
    times = pl.Series(selected.times[places], dtype=pl.Int64)  # what has no time is always a row
    return pl.DataFrame(
        {
            "event.sequence": places,
            "log.line": selected.first_lines[places],
            "@timestamp": pl.from_epoch(times, time_unit="us").dt.replace_time_zone("UTC"),
            "event.original": pl.Series(texts, dtype=pl.String),
        }
    )


def lines_of(data: bytes, selected: Selected) -> pl.DataFrame:
    """The physical lines of the selected entries: ``line``, ``offset``, ``length`` (line end included), ``text``.

    Raises:
        UnicodeDecodeError: one is not UTF-8.
    """
    numbers: list[int] = []
    offsets: list[int] = []
    lengths: list[int] = []
    texts: list[str] = []
    bounds = selected.starts
    for entry in selected.entries.tolist():
        offset = int(bounds[entry])
        number = int(selected.first_lines[entry])
        for piece in data[offset : int(bounds[entry + 1])].splitlines(keepends=True):
            numbers.append(number)
            offsets.append(offset)
            lengths.append(len(piece))
            texts.append(piece.removesuffix(b"\n").decode())
            number += 1
            offset += len(piece)
    return pl.DataFrame(
        {"line": numbers, "offset": offsets, "length": lengths, "text": texts},
        schema={"line": pl.Int64, "offset": pl.Int64, "length": pl.Int64, "text": pl.String},
    )
