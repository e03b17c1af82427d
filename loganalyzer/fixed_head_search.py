"""Where the entries of a log begin, and when they were written, with numpy alone: heads as `FixedHead` has them.

The first 40 bytes of each line are looked at as five words of eight bytes, each of all lines at a time.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from loganalyzer.fixed_head import FixedHead

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Bytes: TypeAlias = NDArray[np.uint8]
_Words: TypeAlias = NDArray[np.uint64]

#: Bytes that must be there behind the last line of a text; they should hold line feeds.
HEAD_BYTES = 40

#: The beginning of a head; ``0`` is any digit. A level of up to seven letters follows.
_STAMP = b"0000-00-00T00:00:00.000000Z "
_FIRST_YEAR, _LAST_YEAR = 1980, 2200
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Heads:
    """The lines that open an entry, in order: their numbers, where they start, their times (microseconds since 1970).

    ``loud``: which of them are of a level that is told for itself.
    """

    lines: Ints
    places: Ints
    times: Ints
    loud: Bools

    def without_last(self) -> Heads:
        """All but the last one."""
        return Heads(self.lines[:-1], self.places[:-1], self.times[:-1], self.loud[:-1])


def heads_of(text: Bytes, starts: Ints, head: FixedHead) -> Heads | None:
    """The heads among the lines that start there, in a text with ``HEAD_BYTES`` behind it.

    None: a stamp is of no day or time that exists, or of a year that none is written in.
    """
    words = _words(text, starts)
    lines = np.flatnonzero(_is_stamped(words))
    words = [word[lines] for word in words]
    known, loud = _levels(_shifted(words[3], words[4], 4), head)
    lines, loud = lines[known], loud[known]
    times = _times([word[known] for word in words])
    return None if times is None else Heads(lines, starts[lines], times, loud)


def _words(text: Bytes, starts: Ints) -> list[_Words]:
    windows = np.ndarray((len(text) - HEAD_BYTES + 1,), f"V{HEAD_BYTES}", text.data, strides=(1,))
    columns = windows[starts].view("<u8").reshape(-1, HEAD_BYTES // 8)
    return [np.ascontiguousarray(columns[:, place]) for place in range(HEAD_BYTES // 8)]


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


@dataclass(frozen=True, slots=True)
class _WordOfStamp:
    """A word of a stamp: its ``value`` under the mask ``fixed``; of its ``digits`` the low halves, which are up to 9.

    They are so if with ``six`` more none of them reaches ``sixteen``.
    """

    value: np.uint64
    fixed: np.uint64
    digits: np.uint64
    six: np.uint64
    sixteen: np.uint64


def _word_of_stamp(stamp: bytes) -> _WordOfStamp:
    is_digit = [char == ord("0") for char in stamp]
    fixed = _word(bytes(0xF0 if digit else 0xFF for digit in is_digit))
    return _WordOfStamp(_word(stamp), fixed, *(_word(bytes(by * digit for digit in is_digit)) for by in (0x0F, 6, 16)))


_WORDS_OF_STAMP = tuple(_word_of_stamp(_STAMP[place : place + 8]) for place in range(0, len(_STAMP), 8))


def _is_stamped(words: Sequence[_Words]) -> Bools:
    fits = np.ones(len(words[0]), np.bool_)
    for word, own in zip(words, _WORDS_OF_STAMP, strict=False):
        fits &= (word & own.fixed) == own.value
        fits &= ((word & own.digits) + own.six) & own.sixteen == 0
    return fits


def _shifted(word: _Words, following: _Words, by: int) -> _Words:
    """The eight bytes that begin ``by`` bytes behind those of ``word``."""
    found: _Words = (word >> np.uint64(8 * by)) | (following << np.uint64(64 - 8 * by))
    return found


def _levels(word: _Words, head: FixedHead) -> tuple[Bools, Bools]:
    """Which words begin with a level and what ends one, and which with one that is told for itself."""
    known, loud = np.zeros(len(word), np.bool_), np.zeros(len(word), np.bool_)
    for level in head.levels:
        mask = _word(b"\xff" * (len(level) + 1))
        begins = word & mask
        fits = (begins == _word(level.encode() + b" ")) | (begins == _word(level.encode() + b"\n"))
        known |= fits
        if level not in head.quiet:
            loud |= fits
    return known, loud


def _times(words: Sequence[_Words]) -> Ints | None:
    days = _days(words[0], words[1] & np.uint64(0xFFFF))
    clock = _pairs(_shifted(words[1], words[2], 3))
    fraction = _pairs(_shifted(words[2], words[3], 4))
    hour, minute, second = (_byte(clock, place) for place in (0, 3, 6))
    if days is None or not ((hour <= 23) & (minute <= 59) & (second <= 59)).all():
        return None
    seconds = (hour * 60 + minute) * 60 + second
    micro = (_byte(fraction, 0) * 100 + _byte(fraction, 2)) * 100 + _byte(fraction, 4)
    found: Ints = days * _DAY + seconds * 1_000_000 + micro
    return found


_LOW_HALVES = _word(b"\x0f" * 8)


def _pairs(word: _Words) -> _Words:
    """In the byte of each digit that another one follows, what the two mean together; the others mean nothing."""
    digits = word & _LOW_HALVES
    found: _Words = digits * np.uint64(10) + (digits >> np.uint64(8))  # 15 * 10 + 15 at most: no byte runs over
    return found


def _byte(word: _Words, place: int) -> Ints:
    found: Ints = ((word >> np.uint64(8 * place)) & np.uint64(0xFF)).astype(np.int64)
    return found


def _days(months: _Words, days: _Words) -> Ints | None:
    """Days since 1970 of ``2025-06-`` and ``10``; those of neighbours are mostly equal."""
    if not len(months):
        return np.empty(0, np.int64)
    changes = (months[1:] != months[:-1]) | (days[1:] != days[:-1])
    first = np.concatenate([[0], np.flatnonzero(changes) + 1])
    known: dict[tuple[int, int], int] = {}
    try:
        numbers = [
            known[both] if both in known else known.setdefault(both, _day(*both))
            for both in zip(months[first].tolist(), days[first].tolist(), strict=True)
        ]
    except ValueError:
        return None
    return np.repeat(np.array(numbers, np.int64), np.diff(np.append(first, len(months))))


def _day(month: int, day: int) -> int:
    """Days since 1970.

    Raises:
        ValueError: there is no such day, or nobody writes logs of its year.
    """
    found = datetime.date.fromisoformat((month.to_bytes(8, "little") + day.to_bytes(2, "little")).decode("ascii"))
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError(f"no log is of the year {found.year}")
    return found.toordinal() - _EPOCH
