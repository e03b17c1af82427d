"""How much a record's BinXML unfolds to, counted before any decoder makes it: a bound in steps, the same everywhere.

A definition is written once and put wherever an instance names it, with values that may be instances again: a chunk of
64 KiB can describe more than any memory holds. A decoder that follows it never ends, or ends the process. Here nothing
is unfolded. An instance is its definition, and its values as often as one of them can stand in that definition; what
an instance comes to is remembered by its place. So a record costs what it has bytes, not what it unfolds to.

A step is a byte of a definition or of a value, put where it belongs. The count may only be too high: a place for a
value is any bytes that could be read as one, and a stream that is not the one instance of all real records counts every
byte that could begin an instance. What repeats without nesting (long names, arrays) is not counted: such a record
grows with the square of its bytes at most, and the process that decodes it (``binding``) has its own limits.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

from loganalyzer.evtx.chunks import RECORD_HEAD_SIZE, SIZE_COPY, Place, without

#: Steps of one record. The largest of real logs take 15,000.
STEPS_A_RECORD = 1 << 20
#: Steps of all records of a chunk. Full chunks of real logs take 400,000.
STEPS_A_CHUNK = 4 << 20

TOO_MUCH = "not read: it unfolds to more than any real record"
TOO_MUCH_IN_CHUNK = "not read: the records of its chunk unfold to more than those of any real chunk"

#: Instances within values of instances. Real records have two of them.
_DEEPEST = 32
#: Values, possible instances and pieces of definitions that may be looked at for one chunk. Real ones have 4,300.
_LOOKS = 1 << 18
#: Bytes of a definition that are one look.
_BYTES_A_LOOK = 16
#: Times that a chunk is judged again after records were taken out of it: their bytes may have been a part of others.
_ROUNDS = 4

_INSTANCE, _FRAGMENT, _END = 0x0C, 0x0F, 0x00
#: Tokens with which a stream begins: elements, BinXML as a value, instances, fragments. Another is its end or an error.
_BEGINNINGS = frozenset((0x01, 0x41, 0x05, 0x45, _INSTANCE, _FRAGMENT))
_NESTED = 0x21
#: In front of the bytes of a definition: the next one's place, a GUID, its size.
_DEFINITION_HEAD = 24

#: A place for a value, wherever it could begin: its token and index.
_SUBSTITUTION = re.compile(rb"(?=[\x0d\x0e](..))", re.DOTALL)
#: BinXML that stands as a value in the text of an element: token, kind, and the length that follows.
_LITERAL = re.compile(rb"(?=[\x05\x45]\x21(..))", re.DOTALL)

#: Bytes that a decoder reads for a value of a kind even where fewer are declared.
_WIDTHS = {0x03: 1, 0x04: 1, 0x05: 2, 0x06: 2, 0x07: 4, 0x08: 4, 0x09: 8, 0x0A: 8, 0x0B: 4, 0x0C: 8, 0x0D: 4}
_WIDTHS |= {0x0F: 16, 0x10: 4, 0x11: 8, 0x12: 16, 0x13: 8, 0x14: 4, 0x15: 8}
_WIDTH_OF_KIND = bytes(_WIDTHS.get(kind, 0) for kind in range(256))
#: Kinds of values; every decoder stops at another.
_KNOWN_KINDS = frozenset((*range(0x16), 0x20, _NESTED, 0x23, *range(0x81, 0x96)))
#: A SID counts its own parts, BinXML has to be followed.
_OF_ITS_OWN_LENGTH = re.compile(rb"[\x13\x21]")

_SIZE = struct.Struct("<I")

#: Where a value begins behind the first, the bytes it takes, the bytes it is declared with, whether it is BinXML.
_Row: TypeAlias = tuple[int, int, int, bool]
_Table: TypeAlias = tuple[int | None, list[_Row]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record may not be decoded. ``guessed``: its bytes are not as Windows writes them, it may be harmless."""

    why: str
    guessed: bool = False


def refused(raw: bytes, places: Iterable[Place]) -> Mapping[int, Refusal]:
    """The records of a chunk of 64 KiB that the binding may not be given, by offset.

    Judged again without them: the bytes by which ``chunks.without`` takes a record out may be a part of another.
    """
    rest, found = [*places], dict[int, Refusal]()
    for _ in range(_ROUNDS):
        more = _refused_once(without(raw, found), rest)
        if not more:
            return found
        found |= more
        rest = [place for place in rest if place.offset not in found]
    return found | dict.fromkeys((place.offset for place in rest), Refusal(TOO_MUCH_IN_CHUNK))


def _refused_once(raw: bytes, places: list[Place]) -> dict[int, Refusal]:
    chunk, left, found = _Chunk(raw), STEPS_A_CHUNK, dict[int, Refusal]()
    for place in places:
        try:
            steps = chunk.record(place)
        except _TooMuchError as too_much:
            found[place.offset] = Refusal(TOO_MUCH, too_much.guessed)
            continue
        if steps > left:
            found[place.offset] = Refusal(TOO_MUCH_IN_CHUNK)
        else:
            left -= steps
    return found


class _TooMuchError(Exception):
    """More than any record may come to, or more looks than a chunk is worth. ``guessed``: it may only look so."""

    def __init__(self, guessed: bool = False) -> None:
        super().__init__()
        self.guessed = guessed


@dataclass(frozen=True, slots=True)
class _Definition:
    """What a definition comes to without values, and how often each value can stand in it, by index."""

    steps: int
    places: Counter[int]


@dataclass
class _Chunk:
    """What is known of definitions and instances so far; of what came to too much, whether that is a guess."""

    raw: bytes
    looks: int = _LOOKS
    definitions: dict[int, _Definition | bool] = field(default_factory=dict)
    repeats: dict[tuple[int, int], int] = field(default_factory=dict)
    tables: dict[bytes, _Table] = field(default_factory=dict)
    instances: dict[int, tuple[int, int] | bool] = field(default_factory=dict)

    def record(self, place: Place) -> int:
        return self.stream(place.offset + RECORD_HEAD_SIZE, place.end - SIZE_COPY, 0)

    def stream(self, start: int, end: int, depth: int) -> int:
        """One instance behind the head of a fragment, as in all real records; else whatever could be an instance."""
        raw = self.raw
        at = start + 4 if start < len(raw) and raw[start] == _FRAGMENT else start
        if at < end and raw[at] == _INSTANCE:
            steps, behind = self.instance(at, depth)
            if behind and (behind >= end or raw[behind] == _END):
                return steps
        return self.any_stream(start, end, depth)

    def any_stream(self, start: int, end: int, depth: int) -> int:
        """BinXML that stands in it as a value may reach past its end."""
        if start >= end or self.raw[start] not in _BEGINNINGS:
            return 0
        at, steps = start, 0
        while at < end:
            literal = _LITERAL.search(self.raw, at, end + 4)
            if literal is None or literal.start() >= end:
                break
            end = max(end, min(literal.start() + 4 + int.from_bytes(literal[1], "little"), len(self.raw)))
            at = literal.start() + 1
            self.look()
        at = self.raw.find(_INSTANCE, start, end)
        while at >= 0 and steps <= STEPS_A_RECORD:
            try:
                self.look()
                steps += self.instance(at, depth)[0]
            except _TooMuchError:
                steps = STEPS_A_RECORD + 1
            at = self.raw.find(_INSTANCE, at + 1, end)
        if steps + end - start > STEPS_A_RECORD:
            raise _TooMuchError(guessed=True)
        return steps + end - start

    def instance(self, at: int, depth: int) -> tuple[int, int]:
        """Steps of an instance at its token, and where it ends. It ends nowhere (0) if no decoder can read it."""
        if at not in self.instances:
            self.instances[at] = False  # until it is known: one that holds itself comes to too much
            try:
                self.instances[at] = self.unfolded(at, depth)
            except _TooMuchError as too_much:
                self.instances[at] = too_much.guessed
        known = self.instances[at]
        if isinstance(known, bool):
            raise _TooMuchError(known)
        return known

    def unfolded(self, at: int, depth: int) -> tuple[int, int]:
        raw, declared = self.raw, at + 10
        self.look()
        if declared + 4 > len(raw):
            return 0, 0
        (definition,) = _SIZE.unpack_from(raw, at + 6)
        if definition == declared:
            declared += _DEFINITION_HEAD + self.size_of(definition)
        count = _SIZE.unpack_from(raw, declared)[0] if declared + 4 <= len(raw) else len(raw)
        values = declared + 4 + 4 * count
        if values > len(raw):
            return 0, 0
        self.look(count)
        table = raw[declared + 4 : values]
        total, end = self.values(table, values, depth)
        if not end:
            return 0, 0
        body = self.definition(definition, depth)
        return _bounded(body.steps + self.most_repeated(definition, body, count) * total), end

    def values(self, table: bytes, at: int, depth: int) -> tuple[int, int]:
        """Steps of the values that a table (size, kind, nothing) declares, and where they end; nowhere: 0."""
        length, rows = self.table(table)
        if length is None:
            return 0, 0
        total, behind = 0, 0
        for row, size, declared, is_nested in rows:
            start = at + row + behind
            if is_nested:
                total += self.nested(start, min(start + declared, len(self.raw)), depth + 1)
            elif start + 1 < len(self.raw):
                behind += max(0, 8 + 4 * self.raw[start + 1] - size)
        return _bounded(total + length + behind), at + length + behind

    def table(self, table: bytes) -> _Table:
        """Bytes of all declared values (None where a kind is none), and the values whose bytes have to be looked at."""
        known = self.tables.get(table)
        if known is None:
            kinds = table[2::4]
            declared = struct.unpack(f"<{len(table) // 2}H", table)[::2]
            sizes = [*map(max, declared, kinds.translate(_WIDTH_OF_KIND))]
            starts = [*accumulate(sizes, initial=0)]
            rows = [found.start() for found in _OF_ITS_OWN_LENGTH.finditer(kinds)]
            length = starts[-1] if _KNOWN_KINDS.issuperset(kinds) else None
            known = length, [(starts[row], sizes[row], declared[row], kinds[row] == _NESTED) for row in rows]
            self.tables[table] = known
        return known

    def nested(self, start: int, end: int, depth: int) -> int:
        if depth > _DEEPEST:
            raise _TooMuchError
        return self.stream(start, end, depth)

    def definition(self, offset: int, depth: int) -> _Definition:
        if offset not in self.definitions:
            self.definitions[offset] = False  # until it is known: one that holds itself comes to too much
            try:
                self.definitions[offset] = self.described(offset, depth)
            except _TooMuchError as too_much:
                self.definitions[offset] = too_much.guessed
        known = self.definitions[offset]
        if isinstance(known, bool):
            raise _TooMuchError(known)
        return known

    def described(self, offset: int, depth: int) -> _Definition:
        start = offset + _DEFINITION_HEAD
        end = start + self.size_of(offset)
        if end > len(self.raw):
            return _Definition(0, Counter())
        body = self.raw[start:end]
        self.look(1 + len(body) // _BYTES_A_LOOK)
        steps = len(body)
        for literal in _LITERAL.finditer(body):
            at = start + literal.start() + 4
            length = int.from_bytes(literal[1], "little")
            steps += self.nested(at, min(at + length, len(self.raw)), depth + 1)
        places = Counter(int.from_bytes(index, "little") for index in _SUBSTITUTION.findall(body))
        return _Definition(_bounded(steps), places)

    def most_repeated(self, offset: int, body: _Definition, count: int) -> int:
        """How often one of ``count`` values can stand in a definition; each is read at least once."""
        known = self.repeats.get((offset, count))
        if known is None:
            known = max((often for index, often in body.places.items() if index < count), default=1)
            self.repeats[offset, count] = known
        return known

    def size_of(self, definition: int) -> int:
        at = definition + 20
        return int(_SIZE.unpack_from(self.raw, at)[0]) if at + 4 <= len(self.raw) else len(self.raw)

    def look(self, count: int = 1) -> None:
        self.looks -= count
        if self.looks < 0:
            raise _TooMuchError


def _bounded(steps: int) -> int:
    if steps > STEPS_A_RECORD:
        raise _TooMuchError
    return steps
