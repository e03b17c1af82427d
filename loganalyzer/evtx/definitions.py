"""Definitions of BinXML, read for one purpose: to know which value of a record is which field (windows.md 6.3).

A definition stands in each chunk that uses it, with the places of its names in that chunk, so the same one has other
bytes in each. `Definition.is_at` compares what does not depend on the place.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: In front of the bytes of a definition: the next one's place, a GUID, its size.
HEAD = 24
#: Of a name: the next one's place, its hash and length; behind its letters a zero.
_NAME_HEAD, _NAME_END = 8, 2
_FRAGMENT, _END = 0x0F, 0x00
_OPEN, _CLOSE_START, _CLOSE_EMPTY, _CLOSE, _TEXT, _ATTRIBUTE = 1, 2, 3, 4, 5, 6
_SUBSTITUTIONS = (0x0D, 0x0E)
_MORE = 0x40
_STRING = 1

_U16, _U32 = struct.Struct("<H"), struct.Struct("<I")

#: A way to a value: names of elements, and ``@`` with the name of an attribute.
Path = tuple[str, ...]


class UnknownFormError(Exception):
    """Bytes that are no definition as Windows writes most of them."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a definition says, and what it looks like wherever it stands.

    ``values``: the index of the value that alone is the content of an element or attribute; ``literals``: the text that
    is it. A content of several parts is in neither. ``words``: all names and texts. ``body`` are the bytes behind the
    head, ``fixed`` marks those that do not depend on the place; at ``names`` stand the places of names, with the hash
    and length of each in ``heads``.
    """

    values: Mapping[Path, int]
    literals: Mapping[Path, str]
    words: frozenset[str]
    body: NDArray[np.uint8]
    fixed: NDArray[np.bool_]
    names: NDArray[np.int64]
    heads: NDArray[np.uint32]

    def is_at(self, chunk: memoryview, offset: int) -> bool:
        """Whether it stands at an offset of a chunk. Names are compared by hash and length."""
        start = offset + HEAD
        if start + len(self.body) > len(chunk) - 4:
            return False
        body = np.frombuffer(chunk, np.uint8, len(self.body), start)
        if not ((body == self.body) | ~self.fixed).all():
            return False
        numbers = np.ndarray((len(chunk) - 3,), "<u4", chunk, strides=(1,))
        places = numbers[start + self.names].astype(np.int64) + 4
        return bool((places < len(numbers)).all() and (numbers[places] == self.heads).all())


def read_definition(chunk: memoryview, offset: int) -> Definition:
    """The definition at an offset of a chunk of 64 KiB.

    Raises:
        UnknownFormError: it is not made of elements, attributes, texts and values alone, or is cut.
    """
    size = _U32.unpack_from(chunk, offset + HEAD - 4)[0]
    if offset + HEAD + size > len(chunk):
        raise UnknownFormError
    reader = _Reader(chunk, offset + HEAD, offset + HEAD + size)
    try:
        reader.read()
    except (struct.error, IndexError):
        raise UnknownFormError from None
    return reader.definition()


@dataclass
class _Reader:
    chunk: memoryview
    start: int
    end: int
    at: int = 0
    stack: list[str] = field(default_factory=list)
    attribute: str | None = None
    contents: dict[Path, list[int | str]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    names: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)

    def read(self) -> None:
        self.at = self.start
        while self.at < self.end:
            token = self.chunk[self.at]
            kind = token & ~_MORE
            if token == _FRAGMENT:
                self.at += 4
            elif kind == _OPEN:
                self._opened(has_attributes=bool(token & _MORE))
            elif kind == _ATTRIBUTE:
                self.at += 1
                self.attribute = "@" + self._name()
            elif kind == _TEXT:
                self._text()
            elif token in _SUBSTITUTIONS:
                self._add(_U16.unpack_from(self.chunk, self.at + 1)[0])
                self.at += 4
            elif token in (_CLOSE_START, _CLOSE_EMPTY, _CLOSE):
                self.at += 1
                self.attribute = None
                if token != _CLOSE_START:
                    self._closed()
            elif token == _END:
                break
            else:
                raise UnknownFormError
        if self.stack:
            raise UnknownFormError

    def definition(self) -> Definition:
        body = np.frombuffer(self.chunk, np.uint8, self.end - self.start, self.start).copy()
        fixed = np.ones(len(body), np.bool_)
        for place in (*self.names, *self.moved):
            fixed[place : place + 4] = False
        alone = {path: parts[0] for path, parts in self.contents.items() if len(parts) == 1}
        return Definition(
            values={path: one for path, one in alone.items() if isinstance(one, int)},
            literals={path: one for path, one in alone.items() if isinstance(one, str)},
            words=frozenset(self.words),
            body=body,
            fixed=fixed,
            names=np.array(self.names, np.int64),
            heads=np.array(self.heads, np.uint32),
        )

    def _opened(self, *, has_attributes: bool) -> None:
        self.at += 7
        self.stack.append(self._name())
        self.attribute = None
        if has_attributes:
            self.at += 4

    def _closed(self) -> None:
        if not self.stack:
            raise UnknownFormError
        self.stack.pop()

    def _name(self) -> str:
        """The name whose place stands here; it may stand here itself."""
        place = int(_U32.unpack_from(self.chunk, self.at)[0])
        length = int(_U16.unpack_from(self.chunk, place + 6)[0])
        letters = place + _NAME_HEAD
        name = bytes(self.chunk[letters : letters + 2 * length]).decode("utf-16-le", "replace")
        self.names.append(self.at - self.start)
        self.heads.append(_U32.unpack_from(self.chunk, place + 4)[0])
        self.at += 4
        if place == self.at:
            self.moved.append(self.at - self.start)
            self.at += _NAME_HEAD + 2 * length + _NAME_END
        self.words.add(name)
        return name

    def _text(self) -> None:
        if self.chunk[self.at + 1] != _STRING:
            raise UnknownFormError
        length = int(_U16.unpack_from(self.chunk, self.at + 2)[0])
        self.at += 4
        text = bytes(self.chunk[self.at : self.at + 2 * length]).decode("utf-16-le", "replace")
        self.at += 2 * length
        self.words.add(text)
        self._add(text)

    def _add(self, part: int | str) -> None:
        path = (*self.stack, self.attribute) if self.attribute else tuple(self.stack)
        self.contents.setdefault(path, []).append(part)
