"""The outer layout of a Windows event log: file header, 64 KiB chunks, records (windows.md 6.1).

Nothing here reads a record's content. It says where records are, where bytes lie that should be records and are not,
and rebuilds a chunk so that a decoder can read what survived. All integers are little-endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

FILE_MAGIC = b"ElfFile\0"
CHUNK_MAGIC = b"ElfChnk\0"
RECORD_MAGIC = b"\x2a\x2a\0\0"

FILE_HEADER_SIZE = 4096
CHUNK_SIZE = 65536
#: Where the records of a chunk start, after its header and the two tables.
FIRST_RECORD = 512
#: Magic, size, id, time; then the content, then the size again.
RECORD_HEAD_SIZE = 24
SIZE_COPY = 4
SMALLEST_RECORD = RECORD_HEAD_SIZE + SIZE_COPY
#: More records than this do not fit into a chunk: a header that claims more is damaged.
MOST_RECORDS = (CHUNK_SIZE - FIRST_RECORD) // SMALLEST_RECORD

#: Chunks that are asked for a definition at most.
_LENDERS = 8

#: A byte that begins nothing in BinXML.
_NO_TOKEN = 0xFF
#: Where a chunk's header says where its free space starts.
_FREE_SPACE = 48

#: A flag of the file header.
_DIRTY = 0x1

_MAGIC_NUMBER = int.from_bytes(RECORD_MAGIC, "little")

_RECORD = struct.Struct("<4sIQQ")
_NUMBERS = struct.Struct("<QQQQIII")
_SIZE = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes of a chunk that are a record: chunk-relative offset, length, record id, time of writing (FILETIME).

    ``sought``: the sizes of records before it do not lead to it; it, or one of those, was found by its magic.
    """

    offset: int
    length: int
    number: int
    written: int
    sought: bool = False

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Span:
    """A range of bytes, relative to whatever it is a part of."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """What a chunk says about itself: ids of its first and last record, and where its free space starts."""

    first: int
    last: int
    free: int

    @property
    def count(self) -> int | None:
        """How many records the chunk should have; None where the ids cannot be true."""
        count = self.last - self.first + 1
        return count if 0 <= count <= MOST_RECORDS else None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One slot of 64 KiB that holds records. ``size`` is less than that where the file ends inside of it.

    ``gaps`` are ranges where a record should be and none is. Without a ``header`` the magic was missing. ``sound``: its
    records are those that its header says, and are not told here (``sound_chunks``).
    """

    index: int
    offset: int
    size: int
    header: ChunkHeader | None
    records: tuple[Place, ...]
    gaps: tuple[Span, ...]
    sound: bool = False

    @property
    def numbers(self) -> tuple[int, int] | None:
        """Ids of its first and its last record; None: it has none."""
        if self.sound and self.header is not None:
            return self.header.first, self.header.last
        return (self.records[0].number, self.records[-1].number) if self.records else None

    @property
    def expected(self) -> int:
        """Records that must have been here: by the header if it can be true, else what was found."""
        count = self.header.count if self.header is not None and self.header.free > FIRST_RECORD else None
        return len(self.records) + len(self.gaps) if count is None else max(len(self.records), count)


@dataclass(frozen=True, slots=True)
class Layout:
    """Every byte of a file: ``base`` bytes of file header, then chunks, unreadable ranges and unused (all zero) slots.

    ``chunk_count`` is the header's (it may be stale and too low in a log that was not closed); None: no file header.
    ``next_number`` is the id that the header keeps for the next record, where its checksum says that it is sound.
    ``dirty``: the log was not closed when it was copied, so that headers may be behind their records.
    """

    base: int
    chunk_count: int | None
    next_number: int | None
    dirty: bool
    chunks: tuple[Chunk, ...]
    unreadable: tuple[Span, ...]
    unused: tuple[Span, ...]

    @property
    def slots(self) -> int:
        """Chunks, used or not, whole or not."""
        return len(self.chunks) + len(self.unreadable) + len(self.unused)


def read_layout(data: bytes, sound: Container[int] = ()) -> Layout:
    """Walks a whole event log. Never raises; the number of chunks that the file header claims is not trusted.

    ``sound``: offsets of chunks that are known to be sound.
    """
    base, chunk_count, next_number = _file_header(data)
    dirty = chunk_count is not None and bool(_size_at(data, 120) & _DIRTY)
    chunks: list[Chunk] = []
    unreadable: list[Span] = []
    unused: list[Span] = []
    for index, offset in enumerate(range(base, len(data), CHUNK_SIZE)):
        if offset in sound:
            chunks.append(Chunk(index, offset, CHUNK_SIZE, _chunk_header(data, offset), (), (), sound=True))
            continue
        raw = data[offset : offset + CHUNK_SIZE]
        if not raw.strip(b"\0"):
            unused.append(Span(offset, len(raw)))
            continue
        chunk = _read_chunk(index, offset, raw)
        if chunk is None:
            unreadable.append(Span(offset, len(raw)))
        else:
            chunks.append(chunk)
    return Layout(base, chunk_count, next_number, dirty, tuple(chunks), tuple(unreadable), tuple(unused))


def _file_header(data: bytes) -> tuple[int, int | None, int | None]:
    """Where the chunks start, how many the header counts, and the id of the next record.

    Without a header the first chunk's magic decides where chunks start.
    """
    if data.startswith(FILE_MAGIC) and len(data) >= 128:
        sound = _size_at(data, 124) == zlib.crc32(data[:120])
        next_number = int(struct.unpack_from("<Q", data, 24)[0]) if sound else None
        return min(FILE_HEADER_SIZE, len(data)), int(struct.unpack_from("<H", data, 42)[0]), next_number
    first = data.find(CHUNK_MAGIC)
    return (first % CHUNK_SIZE if first >= 0 else min(FILE_HEADER_SIZE, len(data))), None, None


def _read_chunk(index: int, offset: int, raw: bytes) -> Chunk | None:
    header = None
    if raw.startswith(CHUNK_MAGIC) and len(raw) >= 128:
        header = _chunk_header(raw, 0)
    records, gaps = _walk(raw, header)
    if header is None and not records:
        return None
    return Chunk(index, offset, len(raw), header, records, gaps)


def _chunk_header(data: bytes, offset: int) -> ChunkHeader:
    _, _, first, last, _, _, free = _NUMBERS.unpack_from(data, offset + 8)
    return ChunkHeader(first, last, free)


def _walk(raw: bytes, header: ChunkHeader | None) -> tuple[tuple[Place, ...], tuple[Span, ...]]:
    """Follows the records by their sizes; where one is broken, goes on at the next whole one on an 8 byte step.

    Behind the start of free space lie old records, so there only the id that follows is believed: a log that was not
    closed may hold a record more than its header says. A chunk without a header is walked as long as ids increase.
    """
    limit = header.free if header is not None and FIRST_RECORD <= header.free <= CHUNK_SIZE else CHUNK_SIZE
    records: list[Place] = []
    gaps: list[Span] = []
    position, sought = FIRST_RECORD, header is None
    while position < len(raw):
        place = _record_at(raw, position)
        if place is None and position < limit:
            place = _mended(raw, position, position + _size_at(raw, position + 4)) or _next_record(raw, position, limit)
        if place is None or not _believed(place, records, limit, header):
            break
        if place.offset > position:
            lost = _mended(raw, position, place.offset) or _sandwiched(raw, position, records, place)
            found = [lost] if lost else _two(raw, position, place.offset)
            records += [replace(one, sought=sought) if sought else one for one in found]
            gaps += [] if found else [Span(position, place.offset - position)]
            sought = True
        records.append(replace(place, sought=sought) if sought else place)
        position = place.end
    rest = _unread_tail(raw, position, limit, records, header)
    return tuple(_numbered(records, header)), (*gaps, rest) if rest else tuple(gaps)


def _record_at(raw: bytes, offset: int) -> Place | None:
    """The record at an offset: magic, a size that fits, and the size again or another record behind it."""
    if offset + SMALLEST_RECORD > len(raw):
        return None
    magic, size, number, written = _RECORD.unpack_from(raw, offset)
    end = offset + size
    if magic != RECORD_MAGIC or size < SMALLEST_RECORD or end > len(raw):
        return None
    if not _is_like(_size_at(raw, end - 4), size) and not _is_like(_size_at(raw, end), _MAGIC_NUMBER):
        return None
    return Place(offset, size, number, written)


def _is_like(found: int, wanted: int) -> bool:
    """The same but for a bit or two; zeros are what a lost block leaves, and like nothing."""
    return found != 0 and (found ^ wanted).bit_count() <= 2


def _size_at(raw: bytes, offset: int) -> int:
    return int(_SIZE.unpack_from(raw, offset)[0]) if 0 <= offset <= len(raw) - 4 else 0


def _mended(raw: bytes, offset: int, end: int) -> Place | None:
    """A record between two offsets whose magic or first size is broken, while the size at its end still fits."""
    length = end - offset
    if length < SMALLEST_RECORD or end > len(raw) or _size_at(raw, end - 4) != length:
        return None
    _, _, number, written = _RECORD.unpack_from(raw, offset)
    return Place(offset, length, number, written)


def _next_record(raw: bytes, start: int, limit: int) -> Place | None:
    """The next whole record behind a broken one; both of its sizes must agree."""
    offset = raw.find(RECORD_MAGIC, start + 1, limit)
    while offset >= 0:
        place = _record_at(raw, offset) if offset % 8 == 0 else None
        if place is not None and _size_at(raw, place.end - 4) == place.length:
            return place
        offset = raw.find(RECORD_MAGIC, offset + 1, limit)
    return None


def _sandwiched(raw: bytes, offset: int, before: list[Place], after: Place) -> Place | None:
    """A record without any size, between its two neighbours by id: their places bound it."""
    magic, _, number, written = _RECORD.unpack_from(raw, offset)
    whole = magic == RECORD_MAGIC and before and before[-1].number + 1 == number == after.number - 1
    return Place(offset, after.offset - offset, number, written) if whole else None


def _two(raw: bytes, offset: int, end: int) -> list[Place]:
    """Two records of which the end of the first and the head of the second are broken: the outer sizes fit together.

    Zeros in between are what a lost block leaves: it may have begun anywhere in the values of the first.
    """
    magic, size, number, written = (
        _RECORD.unpack_from(raw, offset) if offset + SMALLEST_RECORD <= end else (b"", 0, 0, 0)
    )
    between = offset + size
    second = _mended(raw, between, end) if size >= SMALLEST_RECORD and between < end else None
    if magic != RECORD_MAGIC or second is None or not _size_at(raw, between - 4):
        return []
    return [Place(offset, size, number, written), second]


def _believed(place: Place, before: list[Place], limit: int, header: ChunkHeader | None) -> bool:
    if not before:
        return True
    if header is None:
        return place.number > before[-1].number
    return place.offset < limit or place.number == before[-1].number + 1


def _numbered(records: list[Place], header: ChunkHeader | None) -> Iterator[Place]:
    """An id that is another than both neighbours say is damaged; the header stands in at the ends of a chunk."""
    known = header is not None and header.count == len(records)
    for row, place in enumerate(records):
        before = records[row - 1].number if row else header.first - 1 if header is not None and known else None
        is_last = row + 1 == len(records)
        after = records[row + 1].number if not is_last else header.last + 1 if header is not None and known else None
        wrong = before is not None and after is not None and before + 2 == after and place.number != before + 1
        yield replace(place, number=after - 1) if wrong and after is not None else place


def _unread_tail(
    raw: bytes, position: int, limit: int, records: list[Place], header: ChunkHeader | None
) -> Span | None:
    """What lies between the last record and the free space, unless that was the chunk's last record."""
    if header is None:
        end = len(raw.rstrip(b"\0"))
    elif records and records[-1].number == header.last:
        return None
    else:
        end = min(limit, len(raw))
    return Span(position, end - position) if end > position else None


#: Names of elements and attributes without which an event is none, or is another.
_NAMES = (
    *("Event", "System", "Provider", "Name", "Guid", "EventSourceName", "EventID", "Qualifiers", "Version", "Level"),
    *("Task", "Opcode", "Keywords", "TimeCreated", "SystemTime", "EventRecordID", "Correlation", "ActivityID"),
    *(
        "Execution",
        "ProcessID",
        "ThreadID",
        "Channel",
        "Computer",
        "Security",
        "UserID",
        "EventData",
        "UserData",
        "Data",
    ),
)


def _name_hash(name: str) -> int:
    """The hash that stands before a name (windows.md 6.2)."""
    value = 0
    for letter in name:
        value = (value * 65599 + ord(letter)) & 0xFFFFFFFF
    return value & 0xFFFF


_NAME_HEADS = tuple((struct.pack("<HH", _name_hash(name), len(name)), name.encode("utf-16-le")) for name in _NAMES)


def _mend_names(raw: bytearray) -> None:
    """Names that are not what the hash and the length before them say, though most of their letters are."""
    for head, name in _NAME_HEADS:
        at = raw.find(head, FIRST_RECORD)
        while at >= 0:
            found = raw[at + 4 : at + 4 + len(name)]
            same = sum(one == other for one, other in zip(found, name, strict=False))
            if found != name and 4 * same >= 3 * len(name):
                raw[at + 4 : at + 4 + len(name)] = name
            at = raw.find(head, at + 4)


def _is_sound(raw: bytes, header: ChunkHeader | None) -> bool:
    """Whether the checksum of the records is right; an open log may have a stale one."""
    if header is None or not FIRST_RECORD <= header.free <= len(raw):
        return False
    return _size_at(raw, 52) == zlib.crc32(raw[FIRST_RECORD : header.free])


def lenders(data: bytes, layout: Layout, chunk: Chunk) -> list[bytes]:
    """Sound chunks around a chunk: they may hold definitions that are damaged in it."""
    found: list[bytes] = []
    for other in sorted(layout.chunks, key=lambda one: abs(one.index - chunk.index))[1 : 2 * _LENDERS]:
        raw = data[other.offset : other.offset + other.size]
        if other.size == CHUNK_SIZE and _is_sound(raw, other.header):
            found.append(raw)
    return found[:_LENDERS]


def rebuilt(data: bytes, chunk: Chunk) -> bytes:
    """A file of this one chunk under a header of our own, for a decoder that gives up too early.

    Tables of names and templates are left empty (decoders then read the definitions where they stand), ids and free
    space come from the walk, broken heads of records are mended, and a gap is dressed as a record to be stepped over:
    records behind it may use definitions that stand in it.
    """
    raw = bytearray(data[chunk.offset : chunk.offset + chunk.size].ljust(CHUNK_SIZE, b"\0"))
    for place in chunk.records:
        _RECORD.pack_into(raw, place.offset, RECORD_MAGIC, place.length, place.number, place.written)
    for gap in chunk.gaps:
        if gap.length >= SMALLEST_RECORD:
            raw[gap.offset : gap.offset + 8] = RECORD_MAGIC + _SIZE.pack(gap.length)
    _bridge_small_gaps(raw, chunk)
    ends = [place.end for place in chunk.records] + [gap.offset + gap.length for gap in chunk.gaps]
    raw[:FIRST_RECORD] = _own_header(max(ends, default=FIRST_RECORD))
    if not _is_sound(data[chunk.offset : chunk.offset + chunk.size], chunk.header):
        _mend_names(raw)
    return _one_chunk_file_header() + bytes(raw)


def _own_header(free: int) -> bytes:
    everything = (1 << 64) - 1  # a decoder stops at the last id; the free space alone shall end it
    head = bytearray(FIRST_RECORD)
    head[:8] = CHUNK_MAGIC
    _NUMBERS.pack_into(head, 8, 1, everything, 1, everything, 128, FIRST_RECORD, free)
    return bytes(head)


def rebuilt_for(data: bytes, offset: int, places: Sequence[Place]) -> bytes:
    """A file of a sound chunk of which a decoder reads these records only; definitions in all others can be used."""
    raw, at = bytearray(data[offset : offset + CHUNK_SIZE]), FIRST_RECORD
    for place in places:
        if place.offset > at:
            _RECORD.pack_into(raw, at, RECORD_MAGIC, place.offset - at, 0, place.written)
            raw[at + RECORD_HEAD_SIZE] = _NO_TOKEN
        at = place.end
    raw[:FIRST_RECORD] = _own_header(at)
    return _one_chunk_file_header() + bytes(raw)


def without(raw: bytes, offsets: Iterable[int]) -> bytes:
    """A chunk in which no decoder reads the records at some offsets; definitions in them can still be used."""
    taken = bytearray(raw)
    for offset in offsets:
        taken[offset + RECORD_HEAD_SIZE] = _NO_TOKEN
    return bytes(taken)


def alone(raw: bytes, place: Place) -> bytes:
    """A rebuilt chunk of which a decoder reads one record; definitions in all others can still be used."""
    one = bytearray(raw)
    if place.offset > FIRST_RECORD:
        _RECORD.pack_into(one, FIRST_RECORD, RECORD_MAGIC, place.offset - FIRST_RECORD, 0, place.written)
        one[FIRST_RECORD + RECORD_HEAD_SIZE] = _NO_TOKEN
    _SIZE.pack_into(one, _FREE_SPACE, place.end)
    return bytes(one)


def _bridge_small_gaps(raw: bytearray, chunk: Chunk) -> None:
    """A gap too small for a record's head becomes padding of the record before it."""
    for gap in chunk.gaps:
        if gap.length < SMALLEST_RECORD:
            for place in chunk.records:
                if place.end == gap.offset:
                    _SIZE.pack_into(raw, place.offset + 4, place.length + gap.length)


def _one_chunk_file_header() -> bytes:
    header = bytearray(FILE_HEADER_SIZE)
    struct.pack_into("<8sQQQIHHHH", header, 0, FILE_MAGIC, 0, 0, 1, 128, 1, 3, FILE_HEADER_SIZE, 1)
    _SIZE.pack_into(header, 124, zlib.crc32(header[:120]))
    return bytes(header)


def holds_record(raw: bytes) -> bool:
    """Whether a whole record stands where the first one of a chunk does, whatever the chunk's header says."""
    return _record_at(raw, FIRST_RECORD) is not None


def is_torn(place: Place, data: bytes, chunk: Chunk) -> bool:
    """Whether a gap starts with the head of a record that fits into it: only its end was overwritten."""
    if place.length < SMALLEST_RECORD:
        return False
    magic, size, _, _ = _RECORD.unpack_from(data, chunk.offset + place.offset)
    return bool(magic == RECORD_MAGIC and SMALLEST_RECORD <= size <= place.length)


def candidates(chunk: Chunk, data: bytes) -> list[tuple[Place, bool]]:
    """Records and gaps in order of their bytes; True marks a gap, which has the id and time that its bytes hold."""
    places = [(place, False) for place in chunk.records]
    for gap in chunk.gaps:
        number = written = 0
        if gap.length >= SMALLEST_RECORD:
            _, _, number, written = _RECORD.unpack_from(data, chunk.offset + gap.offset)
        places.append((Place(gap.offset, gap.length, number, written), True))
    return sorted(places, key=lambda pair: pair[0].offset)
