"""The parser kit for registry hives: walks the keys and values of a ``regf`` file that may be damaged or hostile.

The layout is that of Windows NT 4.0 and later (versions 1.3 to 1.6). Cells are found by the offsets that keys hold, and
each visit of one is counted, so that a file cannot keep the walk busy by pointing in circles. Transaction logs are not
applied.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAGIC = b"regf"
#: Where the cells begin; offsets of cells are counted from here.
CELLS_AT = 4096
#: Bytes of a value that are read.
VALUE_LIMIT = 16 * 1024
#: Visits of cells in one hive. A SYSTEM hive has some 1000 services of 10 values.
MOST_VISITS = 100_000

_HEADER = struct.Struct("<4s II Q IIII I I")
_KEY = struct.Struct("<2sH Q 4x 4x I 4x I 4x II 4x 4x 4x 4x 4x 4x 4x HH")
_VALUE = struct.Struct("<2sH II I H 2x")
_ASCII_NAME = {b"nk": 0x20, b"vk": 0x01}
_INLINE = 0x80000000
#: Bytes of each piece of a value that was too large for one cell.
_SEGMENT = 16344
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class HiveError(ValueError):
    """The bytes are no hive; the text says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its name, where its cell stands in the file and how long it is (bytes), when it was last written to."""

    name: str
    offset: int
    length: int
    written: datetime | None
    subkey_count: int
    subkey_list: int
    value_count: int
    value_list: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value: its name (empty: the key's own), the number of its type, its first bytes, and the place of its cell."""

    name: str
    kind: int
    data: bytes
    offset: int
    length: int


class Hive:
    """A hive in memory.

    ``dirty``: Windows was writing to it, so that its newest changes may stand in its transaction logs alone.
    ``faults`` counts cells that are not there or not what they should be; ``exhausted``: the walk was given up.

    Raises:
        HiveError: no header, or no root key.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.faults = 0
        self._visits = 0
        if len(data) < CELLS_AT or not data.startswith(MAGIC):
            raise HiveError("not a registry hive: its header is missing or cut")
        header = _HEADER.unpack_from(data)
        self.dirty = header[1] != header[2]
        self.file_name = data[48:112].decode("utf-16-le", errors="replace").partition("\0")[0]
        #: Bytes that the header speaks of; fewer in the file: it was cut.
        self.declared = CELLS_AT + header[9]
        root = self._key(header[8])
        if root is None:
            raise HiveError("not a registry hive that can be read: its root key is missing")
        self.root = root

    @property
    def exhausted(self) -> bool:
        """Whether there was more than is read of one hive."""
        return self._visits > MOST_VISITS

    def subkeys(self, key: Key) -> Iterator[Key]:
        """The keys right below, in the order of the file."""
        if key.subkey_count:
            for offset in self._listed(key.subkey_list, deeper=True):
                found = self._key(offset)
                if found is not None:
                    yield found

    def find(self, key: Key, name: str) -> Key | None:
        """The key of this name right below, in any case."""
        folded = name.casefold()
        return next((one for one in self.subkeys(key) if one.name.casefold() == folded), None)

    def values(self, key: Key) -> Iterator[Value]:
        """The values of a key, in the order of the file."""
        if not key.value_count:
            return
        _, cell = self._cell(key.value_list)
        for number in range(min(key.value_count, len(cell) // 4)):
            found = self._value(int.from_bytes(cell[4 * number : 4 * number + 4], "little"))
            if found is not None:
                yield found
            if self.exhausted:
                return

    def _cell(self, offset: int) -> tuple[int, memoryview]:
        """Where a cell begins in the file, and what it holds; nothing where it is not one that is in use."""
        self._visits += 1
        place = CELLS_AT + offset
        if self.exhausted or place + 4 > len(self._data):
            self.faults += not self.exhausted
            return place, memoryview(b"")
        size = -int.from_bytes(self._data[place : place + 4], "little", signed=True)
        if size < 8 or place + size > len(self._data):
            self.faults += 1
            return place, memoryview(b"")
        return place, memoryview(self._data)[place + 4 : place + size]

    def _listed(self, offset: int, deeper: bool) -> Iterator[int]:
        """Offsets of keys in a list: with hints or hashes of their names, plain, or a list of lists."""
        _, cell = self._cell(offset)
        kind, count = bytes(cell[:2]), int.from_bytes(cell[2:4], "little")
        step = 8 if kind in (b"lf", b"lh") else 4
        if kind not in (b"lf", b"lh", b"li") and not (kind == b"ri" and deeper):
            self.faults += bool(cell)
            return
        for place in range(4, min(4 + count * step, len(cell) - 3), step):
            inner = int.from_bytes(cell[place : place + 4], "little")
            if self.exhausted:
                return
            if kind == b"ri":
                yield from self._listed(inner, deeper=False)
            else:
                yield inner

    def _key(self, offset: int) -> Key | None:
        place, cell = self._cell(offset)
        if len(cell) < _KEY.size or bytes(cell[:2]) != b"nk":
            self.faults += bool(cell)
            return None
        _, flags, written, subkeys, subkey_list, values, value_list, length, _ = _KEY.unpack_from(cell)
        name = _name(b"nk", flags, bytes(cell[_KEY.size : _KEY.size + length]))
        return Key(name, place, len(cell) + 4, _time(written), subkeys, subkey_list, values, value_list)

    def _value(self, offset: int) -> Value | None:
        place, cell = self._cell(offset)
        if len(cell) < _VALUE.size or bytes(cell[:2]) != b"vk":
            self.faults += bool(cell)
            return None
        _, length, size, data, kind, flags = _VALUE.unpack_from(cell)
        name = _name(b"vk", flags, bytes(cell[_VALUE.size : _VALUE.size + length]))
        if size & _INLINE:
            read = bytes(cell[8 : 8 + min(size - _INLINE, 4)])
        else:
            read = self._content(data, size) if size else b""
        return Value(name, kind, read, place, len(cell) + 4)

    def _content(self, offset: int, size: int) -> bytes:
        _, cell = self._cell(offset)
        wanted = min(size, VALUE_LIMIT)
        if size <= _SEGMENT or bytes(cell[:2]) != b"db" or len(cell) < 8:
            return bytes(cell[:wanted])
        _, pieces = self._cell(int.from_bytes(cell[4:8], "little"))
        found = b""
        for place in range(0, len(pieces) - 3, 4):
            _, piece = self._cell(int.from_bytes(pieces[place : place + 4], "little"))
            found += bytes(piece[:_SEGMENT])
            if len(found) >= wanted or not piece:
                break
        return found[:wanted]


def _name(kind: bytes, flags: int, raw: bytes) -> str:
    return raw.decode("latin-1") if flags & _ASCII_NAME[kind] else raw.decode("utf-16-le", errors="replace")


def _time(filetime: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=filetime // 10) if filetime else None
    except OverflowError:
        return None
