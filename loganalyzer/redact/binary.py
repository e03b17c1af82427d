"""Event logs and registry hives: secrets are overwritten in place, in as many bytes, so that every offset stays."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import polars as pl

from loganalyzer.evtx.chunks import CHUNK_MAGIC, CHUNK_SIZE, FILE_MAGIC, FIRST_RECORD, read_layout
from loganalyzer.parser_hive import MAGIC as HIVE_MAGIC
from loganalyzer.parser_hive import Hive, HiveError, Key
from loganalyzer.redact.copying import CopyRedactor
from loganalyzer.redact.field_names import names_a_secret, names_an_identity
from loganalyzer.redact.kinds import IDENTITY_KINDS, Secret
from loganalyzer.redact.names import says_nothing
from loganalyzer.redact.stand_ins import fitted
from loganalyzer.schema import EventFrame

_WIDE: Final = re.compile(rb"(?:[\x20-\x7e\xa0-\xff]\0){5,}")
_NARROW: Final = re.compile(rb"[\x20-\x7e]{5,}")
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NOT_IN_BYTES: Final = frozenset({"event.original", "message", "log.file.path", "time.assumed", "log.level"})
_STRINGS_OF_VALUES: Final = frozenset({1, 2, 6, 7})
_SHORTEST: Final = 3


@dataclass(frozen=True, slots=True)
class Told:
    """A string that stands somewhere in ``length`` bytes from ``offset`` on, and the name of its field."""

    name: str
    text: str
    offset: int
    length: int


def is_event_log(data: bytes) -> bool:
    """Whether the bytes are those of an event log."""
    return data.startswith((FILE_MAGIC, CHUNK_MAGIC))


def is_hive(data: bytes) -> bool:
    """Whether the bytes are those of a registry hive."""
    return data.startswith(HIVE_MAGIC)


def told_by_events(frames: Sequence[EventFrame], size: int) -> Iterator[Told]:
    """Every string of every record that was read."""
    for frame in frames:
        rows = frame.rows
        if "log.length" not in rows.columns or frame.logsource.category is not None:
            continue
        names = [
            name
            for name, dtype in rows.schema.items()
            if name not in _NOT_IN_BYTES and (dtype == pl.String or dtype == pl.List(pl.String))
        ]
        for row in rows.select(["log.offset", "log.length", *names]).iter_rows(named=True):
            offset, length = row["log.offset"] or 0, row["log.length"] or size
            for name in names:
                for text in [row[name]] if isinstance(row[name], str) else row[name] or ():
                    if text:
                        yield Told(name, text, offset, length)


def told_by_hive(data: bytes) -> Iterator[Told]:
    """Names of keys, and names and strings of values, each of which may stand anywhere in the hive."""
    try:
        hive = Hive(data)
    except HiveError:
        return
    todo: list[Key] = [hive.root]
    while todo and not hive.exhausted:
        key = todo.pop()
        todo += hive.subkeys(key)
        yield Told("", key.name, 0, len(data))
        for value in hive.values(key):
            if value.kind in _STRINGS_OF_VALUES:
                for text in value.data.decode("utf-16-le", errors="replace").split("\0"):
                    if text:
                        yield Told(value.name, text, 0, len(data))


def runs(data: bytes, start: int, end: int) -> Iterator[Told]:
    """Text in bytes of which nothing is known."""
    for pattern, encoding in ((_WIDE, "utf-16-le"), (_NARROW, "ascii")):
        for found in pattern.finditer(data, start, end):
            yield Told("", found.group().decode(encoding), found.start(), found.end() - found.start())


def unread_spans(data: bytes, told: Iterable[Told]) -> list[tuple[int, int]]:
    """The ranges of an event log that hold no record that was read: rests of old records, damage."""
    read = sorted({(one.offset, one.offset + one.length) for one in told})
    layout = read_layout(data)
    heads = [(chunk.offset, chunk.offset + FIRST_RECORD) for chunk in layout.chunks if chunk.header is not None]
    spans, at = [], min(layout.base, len(data))
    for start, end in sorted([*read, *heads]):
        if start > at:
            spans.append((at, start))
        at = max(at, end)
    return [*spans, (at, len(data))] if at < len(data) else spans


def found_in(told: Told, redactor: CopyRedactor) -> list[tuple[str, Secret]]:
    """What has to go from a string: as it is written there, and as the secret that it is."""
    text, name = told.text, told.name
    if name and names_a_secret(name) and not says_nothing(text):
        return [(text, _of_field(name, text, redactor) or Secret(0, len(text), "secret", text))]
    if name in ("host.name", "Computer") and redactor.mode == "all":
        label, _, domain = text.partition(".")
        pairs = [(label, "host"), (domain, "domain")]
        return [(part, Secret(0, len(part), kind, part.lower())) for part, kind in pairs if len(part) >= _SHORTEST]
    if name and redactor.mode == "all" and names_an_identity(name):
        identity = _of_field(name, text, redactor)
        if identity is not None:
            return [(text[identity.start : identity.end], identity)]
    return [(text[one.start : one.end], one) for one in redactor.found_in(text)]


def _of_field(name: str, text: str, redactor: CopyRedactor) -> Secret | None:
    """The secret that the value of a field is, found beside its name; its place is that in the value."""
    prefix = f'{name}="'
    for one in redactor.found_in(f'{prefix}{text}"'):
        start, end = one.start - len(prefix), min(one.end - len(prefix), len(text))
        if 0 <= start < end:
            return Secret(start, end, one.kind, one.value)
    return None


def overwritten(data: bytes, told: Iterable[Told], redactor: CopyRedactor) -> bytes:
    """The bytes with every secret overwritten where it stands; checksums that held before hold again."""
    changed = bytearray(data)
    done: set[tuple[str, int, int]] = set()
    for one in told:
        for written, secret in found_in(one, redactor):
            if (written, one.offset, one.length) in done:
                continue
            done.add((written, one.offset, one.length))
            _overwrite(changed, one, written, secret, redactor.shown(secret))
    result = bytes(changed)
    if result == data:
        return data
    return _with_checksums(data, changed) if is_event_log(data) else _with_hive_checksum(data, changed)


def _overwrite(data: bytearray, told: Told, written: str, secret: Secret, shown: str) -> None:
    ways = list(_ways(written, secret, shown))
    start, end = told.offset, min(told.offset + told.length, len(data))
    replaced = sum(_replace(data, old, new, start, end) for old, new in ways)
    if not replaced and len(written) > _SHORTEST:
        for old, new in ways:
            _replace(data, old, new, 0, len(data))


def _ways(written: str, secret: Secret, shown: str) -> Iterator[tuple[bytes, bytes]]:
    """How a string may be written in bytes, and what stands there in as many."""
    for form in (
        dict.fromkeys((written, written.upper(), written.lower())) if secret.kind in IDENTITY_KINDS else (written,)
    ):
        for encoding, width in (("utf-16-le", 2), ("utf-8", 1), ("cp1252", 1)):
            old = form.encode(encoding, errors="replace")
            new = fitted(shown, secret.kind, len(old) // width)
            yield old, new.encode(encoding)
    if _GUID.fullmatch(written) and _GUID.fullmatch(shown):
        yield UUID(written).bytes_le, UUID(shown).bytes_le
    if secret.kind == "sid" and shown.upper().startswith("S-"):
        yield _sid_bytes(written), _sid_bytes(shown)
    if secret.kind == "payload" and re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", written):
        yield bytes.fromhex(written), b"*" * (len(written) // 2)


def _sid_bytes(sid: str) -> bytes:
    _, revision, authority, *rest = sid.split("-")
    numbers = struct.pack(f"<{len(rest)}I", *(int(one) & 0xFFFFFFFF for one in rest))
    return bytes([int(revision), len(rest)]) + int(authority).to_bytes(6, "big") + numbers


def _replace(data: bytearray, old: bytes, new: bytes, start: int, end: int) -> bool:
    if not old or len(old) != len(new):
        return False
    at, found = data.find(old, start, end), False
    while at >= 0:
        data[at : at + len(old)] = new
        found = True
        at = data.find(old, at + len(old), end)
    return found


def _with_checksums(before: bytes, data: bytearray) -> bytes:
    """A chunk has one checksum of its records and one of its header; a wrong one stays as wrong as it was."""
    for chunk in read_layout(before).chunks:
        at = chunk.offset
        if chunk.header is None or chunk.size < CHUNK_SIZE or not FIRST_RECORD <= chunk.header.free <= CHUNK_SIZE:
            continue
        records = slice(at + FIRST_RECORD, at + chunk.header.free)
        if struct.unpack_from("<I", before, at + 52)[0] == zlib.crc32(before[records]):
            struct.pack_into("<I", data, at + 52, zlib.crc32(data[records]))
        if struct.unpack_from("<I", before, at + 124)[0] == _of_header(before, at):
            struct.pack_into("<I", data, at + 124, _of_header(data, at))
    return bytes(data)


def _of_header(data: bytes | bytearray, at: int) -> int:
    return zlib.crc32(data[at + 128 : at + FIRST_RECORD], zlib.crc32(data[at : at + 120]))


def _with_hive_checksum(before: bytes, data: bytearray) -> bytes:
    if len(data) >= 512 and struct.unpack_from("<I", before, 508)[0] == _of_hive(before):
        struct.pack_into("<I", data, 508, _of_hive(data))
    return bytes(data)


def _of_hive(data: bytes | bytearray) -> int:
    total = 0
    for number in struct.unpack_from("<127I", data):
        total ^= number
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)
