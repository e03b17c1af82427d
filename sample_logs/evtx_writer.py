"""Writes Windows event logs (EVTX) for generated samples: templates with substitutions, as Windows (windows.md 6.3).

The same events give the same bytes. Both the Rust ``evtx`` binding and ``python-evtx`` read what this writes.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

_FILE_HEADER_SIZE = 4096
_CHUNK_SIZE = 65536
_FIRST_RECORD = 512
_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"

# Value types (windows.md 6.2).
_NULL, _STRING, _U8, _U16, _U32, _U64, _BOOL, _BINARY, _GUID, _FILETIME, _SID, _HEX64, _STRINGS = (
    0x00, 0x01, 0x04, 0x06, 0x08, 0x0A, 0x0D, 0x0E, 0x0F, 0x11, 0x13, 0x15, 0x81,
)  # fmt: skip

PayloadValue: TypeAlias = str | int | bool | None


@dataclass(frozen=True, slots=True)
class UserData:
    """A payload under ``UserData``: the root element, its namespace, its children in order.

    AppLocker's is ``RuleAndFileData`` in ``http://schemas.microsoft.com/schemas/event/Microsoft.Windows/1.0.0.0``.
    """

    root: str
    namespace: str
    fields: Mapping[str, PayloadValue]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as Windows would write it.

    ``time`` is aware; microseconds are kept. ``data`` is a mapping for named values, a sequence for unnamed ones (as
    classic providers write them), None for no EventData values. ``binary``: None writes no ``Binary`` element, ``b""``
    an empty one. ``record_id`` None: the one after the record before. Classic events have ``qualifiers`` and no
    ``version``, ``opcode``, process and thread: leave those None.
    """

    provider: str
    event_id: int
    channel: str
    computer: str
    time: datetime
    level: int = 4
    task: int = 0
    keywords: int = 0x80000000000000
    qualifiers: int | None = None
    version: int | None = None
    opcode: int | None = None
    provider_guid: UUID | None = None
    event_source_name: str | None = None
    process_id: int | None = None
    thread_id: int | None = None
    user_sid: str | None = None
    activity_id: UUID | None = None
    data: Mapping[str, PayloadValue] | Sequence[str] | None = None
    binary: bytes | None = None
    user_data: UserData | None = None
    record_id: int | None = None


def write_evtx(events: Sequence[EventRecord], *, dirty: bool = False) -> bytes:
    """A whole file: header and as many chunks as the events need (at least one). ``dirty``: not closed properly.

    Raises:
        ValueError: a time without a zone, a value longer than 65535 bytes, or an event too large for a chunk.
    """
    chunks = [_Chunk()]
    number = 0
    for event in events:
        number = event.record_id if event.record_id is not None else number + 1
        if not chunks[-1].add(event, number):
            chunks.append(_Chunk())
            if not chunks[-1].add(event, number):
                raise ValueError(f"event {number} does not fit into a chunk")
    return _file_header(len(chunks), number + 1, dirty) + b"".join(chunk.closed() for chunk in chunks)


def _file_header(chunks: int, next_number: int, dirty: bool) -> bytes:
    header = bytearray(_FILE_HEADER_SIZE)
    struct.pack_into(
        "<8sQQQIHHHH",
        header,
        0,
        b"ElfFile\0",
        0,
        chunks - 1,
        next_number,
        128,
        1,
        3,
        _FILE_HEADER_SIZE,
        chunks & 0xFFFF,
    )
    struct.pack_into("<II", header, 120, int(dirty), zlib.crc32(header[:120]))
    return bytes(header)


# An event as a tree: attributes and content are literal text or substitutions.


@dataclass(frozen=True, slots=True)
class _Value:
    """A substitution: its type and its bytes. An empty one of type null drops out in the reader."""

    kind: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class _Element:
    name: str
    attributes: tuple[tuple[str, str | _Value], ...] = ()
    content: tuple[_Element | _Value, ...] = ()


def _event(event: EventRecord, number: int) -> _Element:
    sections = [_system(event, number)]
    if event.user_data is not None:
        children = tuple(_Element(name, (), (_payload(value),)) for name, value in event.user_data.fields.items())
        root = _Element(event.user_data.root, (("xmlns", event.user_data.namespace),), children)
        sections.append(_Element("UserData", (), (root,)))
    else:
        sections.append(_Element("EventData", (), tuple(_event_data(event))))
    return _Element("Event", (("xmlns", _NAMESPACE),), tuple(sections))


def _event_data(event: EventRecord) -> list[_Element]:
    parts: list[_Element] = []
    if isinstance(event.data, Mapping):
        parts += [_Element("Data", (("Name", name),), (_payload(value),)) for name, value in event.data.items()]
    elif event.data is not None:
        strings = "".join(f"{text}\0" for text in event.data).encode("utf-16-le")
        parts.append(_Element("Data", (), (_Value(_STRINGS if strings else _NULL, strings),)))
    if event.binary is not None:
        parts.append(_Element("Binary", (), (_Value(_BINARY if event.binary else _NULL, event.binary),)))
    return parts


def _system(event: EventRecord, number: int) -> _Element:
    source = [("Name", _string(event.provider))]
    if event.provider_guid is not None:
        source.append(("Guid", _Value(_GUID, event.provider_guid.bytes_le)))
    if event.event_source_name is not None:
        source.append(("EventSourceName", _string(event.event_source_name)))
    qualifiers = () if event.qualifiers is None else (("Qualifiers", _number(_U16, event.qualifiers)),)
    process = [
        (name, _number(_U32, value))
        for name, value in (("ProcessID", event.process_id), ("ThreadID", event.thread_id))
        if value is not None
    ]
    activity = event.activity_id
    user = event.user_sid
    parts = [
        _Element("Provider", tuple(source)),
        _Element("EventID", qualifiers, (_number(_U16, event.event_id),)),
        *([] if event.version is None else [_Element("Version", (), (_number(_U8, event.version),))]),
        _Element("Level", (), (_number(_U8, event.level),)),
        _Element("Task", (), (_number(_U16, event.task),)),
        *([] if event.opcode is None else [_Element("Opcode", (), (_number(_U8, event.opcode),))]),
        _Element("Keywords", (), (_number(_HEX64, event.keywords),)),
        _Element("TimeCreated", (("SystemTime", _number(_FILETIME, _filetime(event.time))),)),
        _Element("EventRecordID", (), (_number(_U64, number),)),
        *([] if activity is None else [_Element("Correlation", (("ActivityID", _Value(_GUID, activity.bytes_le)),))]),
        *([_Element("Execution", tuple(process))] if process else []),
        _Element("Channel", (), (_string(event.channel),)),
        _Element("Computer", (), (_string(event.computer),)),
        _Element("Security", () if user is None else (("UserID", _Value(_SID, _sid(user))),)),
    ]
    return _Element("System", (), tuple(parts))


def _string(text: str) -> _Value:
    return _Value(_STRING, text.encode("utf-16-le"))


_NUMBER_FORMATS = {_U8: "<B", _U16: "<H", _U32: "<I", _U64: "<Q", _HEX64: "<Q", _FILETIME: "<Q"}


def _number(kind: int, value: int) -> _Value:
    return _Value(kind, struct.pack(_NUMBER_FORMATS[kind], value))


def _payload(value: PayloadValue) -> _Value:
    """Text, a whole number up to 64 bits, true/false; None is an empty element."""
    if value is None:
        return _Value(_NULL, b"")
    if isinstance(value, bool):
        return _Value(_BOOL, struct.pack("<I", value))
    return _number(_U64, value) if isinstance(value, int) else _string(value)


def _filetime(time: datetime) -> int:
    """100 ns since 1601."""
    if time.tzinfo is None:
        raise ValueError(f"the time {time} has no zone")
    return (time - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


def _sid(text: str) -> bytes:
    """``S-1-5-18`` as Windows stores it: revision, count, authority (6 bytes, big-endian), sub-authorities."""
    revision, authority, *parts = (int(part) for part in text.removeprefix("S-").split("-"))
    return struct.pack("<BB", revision, len(parts)) + authority.to_bytes(6) + struct.pack(f"<{len(parts)}I", *parts)


def _shape(element: _Element) -> object:
    """What two events of one template have in common: all names and literal texts, and the types of values."""
    attributes = [(name, value if isinstance(value, str) else value.kind) for name, value in element.attributes]
    content = [_shape(part) if isinstance(part, _Element) else part.kind for part in element.content]
    return (element.name, attributes, content)


def _values(element: _Element) -> list[_Value]:
    """Substitutions in the order in which the template refers to them."""
    found = [value for _, value in element.attributes if isinstance(value, _Value)]
    for part in element.content:
        found += [part] if isinstance(part, _Value) else _values(part)
    return found


@dataclass
class _Chunk:
    """A chunk while it is filled. Offsets are relative to its start; names and templates are written at first use."""

    raw: bytearray = field(default_factory=lambda: bytearray(_FIRST_RECORD))
    names: dict[str, int] = field(default_factory=dict)
    templates: dict[str, int] = field(default_factory=dict)
    buckets: dict[int, int] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    last: int = _FIRST_RECORD

    def add(self, event: EventRecord, number: int) -> bool:
        """Appends a record; False, and nothing changed, if it does not fit."""
        before = (len(self.raw), dict(self.names), dict(self.templates), dict(self.buckets))
        start = len(self.raw)
        self.raw += struct.pack("<4sIQQ", b"\x2a\x2a\0\0", 0, number, _filetime(event.time))
        self.raw += b"\x0f\x01\x01\x00"
        self._instance(_event(event, number))
        self.raw += b"\0"
        self.raw += bytes(-(len(self.raw) - start + 4) % 8)
        size = len(self.raw) - start + 4
        self.raw += struct.pack("<I", size)
        struct.pack_into("<I", self.raw, start + 4, size)
        if len(self.raw) > _CHUNK_SIZE:
            del self.raw[before[0] :]
            _, self.names, self.templates, self.buckets = before
            return False
        self.numbers.append(number)
        self.last = start
        return True

    def _instance(self, root: _Element) -> None:
        """A template instance: the definition at first use in this chunk, then the values."""
        shape = repr(_shape(root))
        guid = hashlib.sha256(shape.encode()).digest()[:16]
        known = self.templates.get(shape)
        self.raw += b"\x0c\x01" + guid[:4]
        if known is None:
            self.templates[shape] = len(self.raw) + 4
            self.raw += struct.pack("<I", len(self.raw) + 4)
            self.raw += struct.pack("<I", 0) + guid
            size_at = self._hole()
            self.raw += b"\x0f\x01\x01\x00"
            self._element(root, 0)
            self.raw += b"\0"
            self._fill(size_at)
        else:
            self.raw += struct.pack("<I", known)
        values = _values(root)
        self.raw += struct.pack("<I", len(values))
        for value in values:
            if len(value.raw) > 0xFFFF:
                raise ValueError(f"a value of {len(value.raw)} bytes is longer than 65535")
            self.raw += struct.pack("<HBB", len(value.raw), value.kind, 0)
        self.raw += b"".join(value.raw for value in values)

    def _element(self, element: _Element, index: int) -> int:
        """Writes an element of a definition; returns the index of the next substitution."""
        self.raw += (b"\x41" if element.attributes else b"\x01") + b"\xff\xff"
        size_at = self._hole()
        self._name(element.name)
        if element.attributes:
            list_at = self._hole()
            for position, (name, value) in enumerate(element.attributes):
                self.raw += b"\x06" if position == len(element.attributes) - 1 else b"\x46"
                self._name(name)
                index = self._content(value, index)
            self._fill(list_at)
        if element.content:
            self.raw += b"\x02"
            for part in element.content:
                index = self._element(part, index) if isinstance(part, _Element) else self._content(part, index)
            self.raw += b"\x04"
        else:
            self.raw += b"\x03"
        self._fill(size_at)
        return index

    def _content(self, value: str | _Value, index: int) -> int:
        """Literal text, or an optional substitution of which a null value drops out."""
        if isinstance(value, str):
            self.raw += struct.pack("<BBH", 0x05, _STRING, len(value)) + value.encode("utf-16-le")
            return index
        self.raw += struct.pack("<BHB", 0x0E, index, value.kind)
        return index + 1

    def _name(self, name: str) -> None:
        known = self.names.get(name)
        if known is not None:
            self.raw += struct.pack("<I", known)
            return
        offset = len(self.raw) + 4
        bucket = _hash(name) % 64
        self.raw += struct.pack("<I", offset)
        self.raw += struct.pack("<IHH", self.buckets.get(bucket, 0), _hash(name), len(name.encode("utf-16-le")) // 2)
        self.raw += name.encode("utf-16-le") + b"\0\0"
        self.names[name] = self.buckets[bucket] = offset

    def _hole(self) -> int:
        self.raw += bytes(4)
        return len(self.raw) - 4

    def _fill(self, hole: int) -> None:
        """Writes how many bytes follow a size field."""
        struct.pack_into("<I", self.raw, hole, len(self.raw) - hole - 4)

    def closed(self) -> bytes:
        """The chunk with header, tables, checksums, and zeros up to 64 KiB."""
        raw, free = self.raw, len(self.raw)
        first, last = (self.numbers[0], self.numbers[-1]) if self.numbers else (1, 0)
        struct.pack_into("<8sQQQQIII", raw, 0, b"ElfChnk\0", first, last, first, last, 128, self.last, free)
        struct.pack_into("<I", raw, 52, zlib.crc32(raw[_FIRST_RECORD:]))
        for bucket, offset in self.buckets.items():
            struct.pack_into("<I", raw, 128 + 4 * bucket, offset)
        struct.pack_into("<I", raw, 120, 1)
        struct.pack_into("<I", raw, 124, zlib.crc32(raw[:120] + raw[128:_FIRST_RECORD]))
        return bytes(raw.ljust(_CHUNK_SIZE, b"\0"))


def _hash(name: str) -> int:
    """The hash of a name (windows.md 6.2); its bucket is the remainder by 64."""
    value = 0
    units = name.encode("utf-16-le")
    for (unit,) in struct.iter_unpack("<H", units):
        value = (value * 65599 + unit) & 0xFFFFFFFF
    return value & 0xFFFF
