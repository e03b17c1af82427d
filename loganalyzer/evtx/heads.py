"""Fields of ``System`` of the records of sound chunks, as columns, without decoding one of them.

What is read here of a shape (``shapes``) is certain once a decoder says the same of one record of it: `Seen.unsure` are
the records of which it must be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from loganalyzer.evtx.chunks import RECORD_HEAD_SIZE, SIZE_COPY
from loganalyzer.evtx.definitions import Path
from loganalyzer.evtx.shapes import FILETIME, NO_SHAPE, TEXT, U8, U16, Instances, Shapes
from loganalyzer.evtx.sound_chunks import Records
from loganalyzer.evtx.unaligned import Marks, Numbers, Places

#: FILETIME counts 100 ns since 1601; this is 1970 in µs of it.
_UNIX_EPOCH = 11_644_473_600_000_000
#: Different texts of a field, in one batch of records, that are told apart; of others nothing is known.
_MOST_TEXTS = 64

#: Provider, EventID, Level, Channel, Computer.
System = tuple[str, str, str, str, str]

_PROVIDER: Path = ("Event", "System", "Provider", "@Name")
_EVENT_ID: Path = ("Event", "System", "EventID")
_LEVEL: Path = ("Event", "System", "Level")
_CREATED: Path = ("Event", "System", "TimeCreated", "@SystemTime")
_CHANNEL: Path = ("Event", "System", "Channel")
_COMPUTER: Path = ("Event", "System", "Computer")
_FIELDS = ((_PROVIDER, TEXT), (_EVENT_ID, U16), (_LEVEL, U8), (_CHANNEL, TEXT), (_COMPUTER, TEXT))

#: Of a field of some records: its different texts, and which of them each record has (negative: it is not known).
_Column = tuple[list[str], Places]

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Heads:
    """Of events in their order: which of ``systems`` each has, and when it was created (µs since 1970, UTC).

    Where ``which`` is ``UNKNOWN``, nothing is known of the event, and ``created`` says nothing.
    """

    systems: Sequence[System]
    which: Places
    created: Places


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of records: ``heads``, the shape of each by number, and which of them a decoder must confirm."""

    heads: Heads
    shape: Places
    unsure: Marks


@dataclass
class HeadReader:
    """Reads the records of one file."""

    numbers: Numbers
    shapes: Shapes
    _systems: list[System] = field(default_factory=list)
    _number_of: dict[System, int] = field(default_factory=dict)
    _met: set[int] = field(default_factory=set)

    def read(self, records: Records) -> Seen:
        """The next records. ``unsure``: those of no shape, and the first of each shape."""
        count = len(records.offset)
        which, created, shape = (np.full(count, UNKNOWN, np.int64) for _ in range(3))
        end = np.where(records.whole, records.offset + records.length - SIZE_COPY, 0)
        for one in self.shapes.instances(records.offset + RECORD_HEAD_SIZE, records.chunk, end):
            known = np.flatnonzero(one.shape != NO_SHAPE)
            index = _indexes(one)
            if index is None or not len(known):
                continue
            system = self._systems_of(one, known, index)
            known, system = known[system != UNKNOWN], system[system != UNKNOWN]
            rows = one.rows[known]
            which[rows], shape[rows] = system, one.shape[known]
            created[rows] = self.numbers.u64[one.starts[known, index[_CREATED]]].astype(np.int64) // 10 - _UNIX_EPOCH
        return Seen(Heads(self._systems, which, created), shape, self._unsure(shape))

    def _unsure(self, shape: Places) -> Marks:
        unsure: Marks = shape == NO_SHAPE
        for number, first in zip(*np.unique(shape, return_index=True), strict=True):
            if int(number) not in self._met:
                unsure[first] = True
                self._met.add(int(number))
        return unsure

    def _systems_of(self, one: Instances, known: Places, index: dict[Path, int]) -> Places:
        """Which of ``systems`` each of the known instances has."""
        columns = [self._column(one, known, path, index) for path, _ in _FIELDS]
        found = np.full(len(known), UNKNOWN, np.int64)
        codes = np.stack([numbers for _, numbers in columns], axis=1)
        sizes = [len(texts) for texts, _ in columns]
        combined = np.ravel_multi_index(tuple(np.maximum(codes, 0).T), sizes)
        combined[(codes < 0).any(axis=1)] = UNKNOWN
        for code in np.unique(combined[combined != UNKNOWN]).tolist():
            places = np.unravel_index(code, sizes)
            provider, event_id, level, channel, computer = (
                texts[int(place)] for (texts, _), place in zip(columns, places, strict=True)
            )
            found[combined == code] = self._system_number((provider, event_id, level, channel, computer))
        return found

    def _system_number(self, system: System) -> int:
        if system not in self._number_of:
            self._number_of[system] = len(self._systems)
            self._systems.append(system)
        return self._number_of[system]

    def _column(self, one: Instances, known: Places, path: Path, index: dict[Path, int]) -> _Column:
        if path not in index:
            return [one.definition.literals[path]], np.zeros(len(known), np.int64)
        start, size = one.starts[known, index[path]], one.sizes[known, index[path]]
        if path in (_EVENT_ID, _LEVEL):
            values = (self.numbers.u16 if path == _EVENT_ID else self.numbers.u8)[start]
            distinct, which = np.unique(values, return_inverse=True)
            return [str(value) for value in distinct.tolist()], which.astype(np.int64)
        return self._texts(start, size)

    def _texts(self, start: Places, size: Places) -> _Column:
        texts, which = [""], np.full(len(start), UNKNOWN, np.int64)
        for width in np.unique(size).tolist():
            rows = np.flatnonzero(size == width)
            letters = self.numbers.u8[start[rows, None] + np.arange(width)]
            while len(rows) and len(texts) < _MOST_TEXTS:
                same = (letters == letters[0]).all(axis=1)
                text = letters[0].tobytes().decode("utf-16-le", "replace")
                if _is_plain(text):
                    which[rows[same]] = len(texts)
                texts.append(text)
                rows, letters = rows[~same], letters[~same]
        return texts, which


def _indexes(one: Instances) -> dict[Path, int] | None:
    """The index of the value of each field that is one; None: a field is missing, or of another kind."""
    found = {}
    for path, kind in (*_FIELDS, (_CREATED, FILETIME)):
        index = one.definition.values.get(path)
        if index is not None:
            if index >= len(one.kinds) or one.kinds[index] != kind:
                return None
            found[path] = index
        elif kind != TEXT or not _is_plain(one.definition.literals.get(path, "")):
            return None
    return found


def _is_plain(text: str) -> bool:
    """Whether it stands in JSON as it is."""
    return bool(text) and text.isprintable() and not any(char in text for char in '"\\\ufffd')
