"""Chunks whose checksums are right, and where their records are. Most chunks of most logs are sound."""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loganalyzer.evtx.chunks import (
    CHUNK_MAGIC,
    CHUNK_SIZE,
    FILE_HEADER_SIZE,
    FILE_MAGIC,
    FIRST_RECORD,
    MOST_RECORDS,
    RECORD_MAGIC,
    SIZE_COPY,
    SMALLEST_RECORD,
)
from loganalyzer.evtx.unaligned import Marks, Numbers, Places

_SIZE = struct.Struct("<I")
_IDS = struct.Struct("<QQ")
_FREE_AND_SUM = struct.Struct("<II")
_MAGIC = int.from_bytes(RECORD_MAGIC, "little")


@dataclass(frozen=True, slots=True)
class SoundChunk:
    """``offset`` of a chunk in its file, its records' ids (each the next of the one before) and their offsets in it."""

    offset: int
    numbers: range
    starts: array[int]
    free: int


def sound_chunks(data: bytes) -> Mapping[int, SoundChunk]:
    """Those of a file with a whole header, by offset."""
    if not data.startswith(FILE_MAGIC):
        return {}
    offsets = range(FILE_HEADER_SIZE, len(data) - CHUNK_SIZE + 1, CHUNK_SIZE)
    return {offset: chunk for offset in offsets if (chunk := sound_chunk(data, offset)) is not None}


def sound_chunk(data: bytes, offset: int) -> SoundChunk | None:
    """The chunk at an offset of a file. None: a checksum is wrong, or sizes do not lead from record to record."""
    raw = memoryview(data)[offset : offset + CHUNK_SIZE]
    if len(raw) < CHUNK_SIZE or raw[:8] != CHUNK_MAGIC:
        return None
    first, last = _IDS.unpack_from(raw, 24)
    free, checksum = _FREE_AND_SUM.unpack_from(raw, 48)
    count = last - first + 1
    if not (FIRST_RECORD < free <= CHUNK_SIZE and 0 < count <= MOST_RECORDS and last < 1 << 63):
        return None
    if raw[8:24] != raw[24:40] or zlib.crc32(raw[FIRST_RECORD:free]) != checksum:
        return None
    if zlib.crc32(raw[128:FIRST_RECORD], zlib.crc32(raw[:120])) != _SIZE.unpack_from(raw, 124)[0]:
        return None
    starts, at = array("H"), FIRST_RECORD
    while at <= free - SMALLEST_RECORD and len(starts) < count:
        starts.append(at)
        at += max(_SIZE.unpack_from(raw, at + 4)[0], SMALLEST_RECORD)
    whole = at == free and len(starts) == count
    return SoundChunk(offset, range(first, last + 1), starts, free) if whole else None


@dataclass(frozen=True, slots=True)
class Records:
    """Records that follow each other: offsets in the file of each and of its chunk, bytes, id, time (FILETIME).

    ``whole``: its magic, the copy of its size and its id are what they should be.
    """

    chunk: Places
    offset: Places
    length: Places
    number: Places
    written: NDArray[np.uint64]
    whole: Marks


def records_of(chunks: Sequence[SoundChunk], numbers: Numbers) -> Records:
    """All records of some sound chunks of a file."""
    counts = [len(chunk.starts) for chunk in chunks]
    base = np.repeat(np.array([chunk.offset for chunk in chunks], np.int64), counts)
    offset = base + np.concatenate([np.frombuffer(chunk.starts, np.uint16) for chunk in chunks])
    length = numbers.u32[offset + 4].astype(np.int64)
    number = numbers.u64[offset + 8].astype(np.int64)
    expected = np.concatenate([np.arange(one.numbers.start, one.numbers.stop) for one in chunks])
    copy = numbers.u32[offset + length - SIZE_COPY]
    whole = (numbers.u32[offset] == _MAGIC) & (copy == length) & (number == expected)
    return Records(base, offset, length, number, numbers.u64[offset + 16], whole)
