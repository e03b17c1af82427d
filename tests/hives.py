"""Writes small registry hives: whole ones as Windows lays them out, and the parts of broken ones."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

NONE = 0xFFFFFFFF
SEGMENT = 16344

#: Name, number of the type, data.
Value: TypeAlias = tuple[str, int, bytes]


@dataclass(frozen=True)
class Node:
    """A key with its values and the keys below it."""

    values: Sequence[Value] = ()
    keys: Mapping[str, Node] = field(default_factory=dict)


def text(name: str, value: str, kind: int = 1) -> Value:
    return name, kind, value.encode("utf-16-le") + b"\0\0"


def number(name: str, value: int) -> Value:
    return name, 4, struct.pack("<I", value)


def at(path: str, *values: Value) -> Node:
    """The keys of a path, the last with these values."""
    node = Node(values)
    for name in reversed(path.split("\\")):
        node = Node(keys={name: node})
    return node


def merged(*nodes: Node) -> Node:
    """All values and keys of these in one tree; keys of the same name become one."""
    keys: dict[str, Node] = {}
    for node in nodes:
        for name, below in node.keys.items():
            keys[name] = merged(keys[name], below) if name in keys else below
    return Node([value for node in nodes for value in node.values], keys)


def hive(root: Node, *, dirty: bool = False, name: str = "", lists: str = "lf") -> bytes:
    """A hive of this tree. ``lists``: lf, lh, li, or ri, which are lists of lists of two keys."""
    writer = _Writer(lists)
    top = writer.key("ROOT", root)
    cells = bytes(writer.cells)
    size = -(-len(cells) // 4096) * 4096
    free = size - len(cells)
    cells += struct.pack("<i", free) + bytes(free - 4) if free else b""
    header = struct.pack("<4s2IQ6II", b"regf", 7, 6 if dirty else 7, 0, 1, 5, 0, 1, top, size, 1)
    return (header + name.encode("utf-16-le")[:64]).ljust(4096, b"\0") + cells


class _Writer:
    def __init__(self, lists: str) -> None:
        self.cells = bytearray(struct.pack("<4s2I20x", b"hbin", 0, 4096))
        self._lists = lists

    def cell(self, data: bytes) -> int:
        """Adds a cell; its offset."""
        offset = len(self.cells)
        size = -(-(len(data) + 4) // 8) * 8
        self.cells += struct.pack("<i", -size) + data.ljust(size - 4, b"\0")
        return offset

    def key(self, name: str, node: Node) -> int:
        below = [self.key(one, child) for one, child in node.keys.items()]
        values = [self.value(*value) for value in node.values]
        value_list = self.cell(struct.pack(f"<{len(values)}I", *values)) if values else NONE
        raw, flags = _name(name, 0x20)
        fields = (
            b"nk",
            flags,
            133595712000000000,
            0,
            0,
            len(below),
            0,
            self.keys(below),
            NONE,
            len(values),
            value_list,
        )
        tail = (NONE, NONE, 0, 0, 0, 0, 0, len(raw), 0)
        return self.cell(struct.pack("<2sHQ8I7IHH", *fields, *tail) + raw)

    def keys(self, offsets: Sequence[int]) -> int:
        if not offsets:
            return NONE
        if self._lists == "ri":
            pairs = [_plain(b"li", offsets[start : start + 2]) for start in range(0, len(offsets), 2)]
            return self.cell(_plain(b"ri", [self.cell(pair) for pair in pairs]))
        if self._lists == "li":
            return self.cell(_plain(b"li", offsets))
        hinted = b"".join(struct.pack("<II", offset, 0) for offset in offsets)
        return self.cell(struct.pack("<2sH", self._lists.encode(), len(offsets)) + hinted)

    def value(self, name: str, kind: int, data: bytes) -> int:
        raw, flags = _name(name, 0x01)
        if len(data) <= 4:
            size, place = len(data) | 0x80000000, int.from_bytes(data, "little")
        else:
            size, place = len(data), self.data(data)
        return self.cell(struct.pack("<2sHIIIHH", b"vk", len(raw), size, place, kind, flags, 0) + raw)

    def data(self, data: bytes) -> int:
        if len(data) <= SEGMENT:
            return self.cell(data)
        pieces = [self.cell(data[start : start + SEGMENT] + bytes(4)) for start in range(0, len(data), SEGMENT)]
        listed = self.cell(struct.pack(f"<{len(pieces)}I", *pieces))
        return self.cell(struct.pack("<2sHI", b"db", len(pieces), listed))


def _plain(kind: bytes, offsets: Sequence[int]) -> bytes:
    return struct.pack(f"<2sH{len(offsets)}I", kind, len(offsets), *offsets)


def _name(name: str, ascii_flag: int) -> tuple[bytes, int]:
    return (name.encode(), ascii_flag) if name.isascii() else (name.encode("utf-16-le"), 0)
