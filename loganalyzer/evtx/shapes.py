"""Shapes of records: of which definitions they are instances, and values of which kinds they hold (windows.md 6.3).

An instance names its definition, then says of each value its size and kind, then come the values. Instances of the same
definition whose values are of the same kinds have one shape; values that are instances again have shapes of their own.
Records of a shape differ in nothing but their values, so a decoder reads all of them, or none, and a field of
``System`` is the same value in each. What is not as in most records has no shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loganalyzer.evtx.chunks import CHUNK_SIZE
from loganalyzer.evtx.definitions import HEAD, Definition, UnknownFormError, read_definition
from loganalyzer.evtx.unaligned import Marks, Numbers, Places

#: Of an instance: its token and a one, the definition's number and place.
_INSTANCE_HEAD = 10
_INSTANCE = int.from_bytes(b"\x0c\x01", "little")
#: What an instance stands behind, in most places.
_FRAGMENT_HEAD = 4
_FRAGMENT = int.from_bytes(b"\x0f\x01\x01\x00", "little")
#: Values of an instance; real ones have fewer than 100.
_MOST_VALUES = 256
#: Definitions of a file, those of them with the same id, and different kinds of values of one of them, that are told
#: apart. Real logs have fewer; instances of more have no shape.
_MOST_DEFINITIONS, _MOST_OF_AN_ID, _MOST_KINDS = 1_000, 10, 100
#: Instances within values of instances.
_DEEPEST = 2

NULL, TEXT, U8, U16, BYTES, GUID, SIZE_T, FILETIME, TEXTS = 0x00, 0x01, 0x04, 0x06, 0x0E, 0x0F, 0x10, 0x11, 0x81
_SID, _NESTED = 0x13, 0x21
#: Bytes of a value of a kind; of text an even number, of a SID what itself says, of nothing and of bytes (0x0e) any.
_WIDTHS = {0x03: 1, U8: 1, 0x05: 2, U16: 2, 0x07: 4, 0x08: 4, 0x09: 8, 0x0A: 8, 0x0D: 4, GUID: 16}
_WIDTHS |= {FILETIME: 8, 0x14: 4, 0x15: 8}
_WIDTHS_OF_SIZE_T = (4, 8)
_KNOWN_KINDS = frozenset({*_WIDTHS, NULL, TEXT, TEXTS, BYTES, _SID, SIZE_T, _NESTED})
#: FILETIME of the year 9999: what is later is none.
_LATEST = (11_644_473_600 + 253_402_300_800) * 10_000_000

NO_SHAPE = -1


@dataclass(frozen=True, slots=True)
class Shape:
    """What all instances of a shape have in common: names and texts of their definitions, and kinds of values."""

    words: frozenset[str]
    kinds: frozenset[int]


@dataclass(frozen=True, slots=True)
class Instances:
    """Instances of one definition with values of the same kinds: ``rows`` of those that were asked about.

    ``starts``: where each value is in the file, by row and index; ``sizes``: its bytes. ``shape``: of each row, by
    number, or ``NO_SHAPE``.
    """

    rows: Places
    definition: Definition
    kinds: bytes
    starts: Places
    sizes: Places
    shape: Places


@dataclass
class Shapes:
    """Those of one file. ``known``: the shapes met so far, by number."""

    numbers: Numbers
    known: list[Shape] = field(default_factory=list)
    _of_key: dict[tuple[object, ...], int] = field(default_factory=dict)
    _definitions: list[Definition] = field(default_factory=list)
    _alike: dict[bytes, list[int]] = field(default_factory=dict)

    def instances(self, at: Places, chunk: Places, end: Places, depth: int = 0) -> Iterator[Instances]:
        """Instances, with or without the head of a fragment; ``at``, ``chunk`` and ``end`` are places in the file."""
        rows = np.flatnonzero(at + _INSTANCE_HEAD + 4 <= end)
        token = at[rows] + np.where(self.numbers.u32[at[rows]] == _FRAGMENT, _FRAGMENT_HEAD, 0)
        ok = token + _INSTANCE_HEAD + 4 <= end[rows]
        rows, token = rows[ok], token[ok]
        place = self.numbers.u32[token + 6].astype(np.int64)
        ok = (self.numbers.u16[token] == _INSTANCE) & (place + HEAD <= CHUNK_SIZE)
        rows, token, place = rows[ok], token[ok], place[ok]
        definition, table = chunk[rows] + place, token + _INSTANCE_HEAD
        size = self.numbers.u32[definition + HEAD - 4].astype(np.int64)
        table += np.where(definition == table, HEAD + size, 0)
        ok = (table + 4 <= end[rows]) & (place + HEAD + size <= CHUNK_SIZE)
        rows, definition, table = rows[ok], definition[ok], table[ok]
        count = self.numbers.u32[table].astype(np.int64)
        ok = (count <= _MOST_VALUES) & (table + 4 + 4 * count <= end[rows])
        rows, definition, table, count = rows[ok], definition[ok], table[ok], count[ok]
        group = self._definitions_at(definition, chunk[rows]) * (_MOST_VALUES + 1) + count
        for one in np.unique(group[group >= 0]).tolist():
            number, values = divmod(one, _MOST_VALUES + 1)
            alike = np.flatnonzero(group == one)
            yield from self._of_definition(number, values, rows[alike], table[alike] + 4, chunk, end, depth)

    def _definitions_at(self, places: Places, chunks: Places) -> Places:
        """The number of the definition at each place; negative: it is of no known form."""
        distinct, first, which = np.unique(places, return_index=True, return_inverse=True)
        raw = memoryview(self.numbers.data)
        found = []
        for place, chunk in zip(distinct.tolist(), chunks[first].tolist(), strict=True):
            found.append(self._definition_number(raw[chunk : chunk + CHUNK_SIZE], place - chunk))
        return np.array(found, np.int64)[which]

    def _definition_number(self, chunk: memoryview, offset: int) -> int:
        alike = self._alike.setdefault(bytes(chunk[offset + 4 : offset + HEAD]), [])
        for number in alike:
            if self._definitions[number].is_at(chunk, offset):
                return number
        if len(self._definitions) >= _MOST_DEFINITIONS or len(alike) >= _MOST_OF_AN_ID:
            return NO_SHAPE
        try:
            self._definitions.append(read_definition(chunk, offset))
        except UnknownFormError:
            return NO_SHAPE
        alike.append(len(self._definitions) - 1)
        return alike[-1]

    def _of_definition(
        self, number: int, values: int, rows: Places, table: Places, chunk: Places, end: Places, depth: int
    ) -> Iterator[Instances]:
        declared = self.numbers.u32[table[:, None] + 4 * np.arange(values)].astype(np.int64)
        sizes, kinds = declared & 0xFFFF, (declared >> 16 & 0xFF).astype(np.uint8)
        ends = np.cumsum(sizes, axis=1) + table[:, None] + 4 * values
        starts = ends - sizes
        last = ends[:, -1] if values else table
        fits = (last <= end[rows]) & ((declared >> 24) == 0).all(axis=1)
        for alike in _same_rows(kinds, np.flatnonzero(fits)):
            own = kinds[alike[0]].tobytes()
            if _KNOWN_KINDS.issuperset(own):
                key, part = (number, own), (starts[alike], sizes[alike])
                shape = self._shapes(key, part, chunk[rows[alike]], depth)
                shape[~self._ends_well(last[alike], end[rows[alike]])] = NO_SHAPE
                yield Instances(rows[alike], self._definitions[number], own, *part, shape)

    def _ends_well(self, last: Places, end: Places) -> Marks:
        """Behind the values nothing stands but, at most, what says so."""
        behind = np.minimum(last, len(self.numbers.u8) - 1)
        return np.asarray((last == end) | (self.numbers.u8[behind] == 0), np.bool_)

    def _shapes(self, key: tuple[int, bytes], part: tuple[Places, Places], chunk: Places, depth: int) -> Places:
        """The shape of each of some instances of a definition with values of the same kinds."""
        number, kinds = key
        starts, sizes = part
        ok, nested = np.ones(len(chunk), np.bool_), list[Places]()
        for index, kind in enumerate(kinds):
            start, size = starts[:, index], sizes[:, index]
            if kind == _NESTED:
                inner = self._shapes_within(start, start + size, chunk, depth + 1)
                nested.append(inner)
                ok &= inner != NO_SHAPE
            else:
                ok &= self._is_value(kind, start, size)
        found = np.full(len(chunk), NO_SHAPE, np.int64)
        combined = np.stack([np.zeros(len(chunk), np.int64), *nested], axis=1)
        for alike in _same_rows(combined, np.flatnonzero(ok)):
            found[alike] = self._shape_number(number, kinds, combined[alike[0], 1:].tolist())
        return found

    def _shapes_within(self, at: Places, end: Places, chunk: Places, depth: int) -> Places:
        found = np.full(len(at), NO_SHAPE, np.int64)
        if depth <= _DEEPEST:
            for one in self.instances(at, chunk, end, depth):
                found[one.rows] = one.shape
        return found

    def _is_value(self, kind: int, start: Places, size: Places) -> Marks | bool:
        if kind in (TEXT, TEXTS):
            return np.asarray(size % 2 == 0)
        if kind == SIZE_T:
            return np.isin(size, _WIDTHS_OF_SIZE_T)
        if kind == _SID:
            ok = size >= 8
            count = self.numbers.u8[np.where(ok, start + 1, 0)].astype(np.int64)
            return np.asarray(ok & (size == 8 + 4 * count))
        ok = size == _WIDTHS.get(kind, size)
        if kind == FILETIME:
            ok &= self.numbers.u64[np.where(ok, start, 0)] < _LATEST
        return np.asarray(ok)

    def _shape_number(self, definition: int, kinds: bytes, nested: Sequence[int]) -> int:
        key = (definition, kinds, *nested)
        if key not in self._of_key:
            inner = [self.known[number] for number in nested]
            words = self._definitions[definition].words.union(*(one.words for one in inner))
            self.known.append(Shape(words, frozenset(kinds).union(*(one.kinds for one in inner))))
            self._of_key[key] = len(self.known) - 1
        return self._of_key[key]


def _same_rows(table: NDArray[np.generic], rows: Places) -> Iterator[Places]:
    """Of some rows of a table those that are equal, group by group, up to a number of groups."""
    for _ in range(_MOST_KINDS):
        if not len(rows):
            return
        same = (table[rows] == table[rows[0]]).all(axis=1)
        yield rows[same]
        rows = rows[~same]
