"""Members of a zip, in place: from its central directory or, where that is missing, from the local headers.

The central directory is read by ``zipfile``. Members are decompressed here, because ``zipfile`` gives nothing of a
member with a wrong checksum, trusts declared sizes and has no limits.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from msgspec import Struct

from loganalyzer.intake.decoders import DICTIONARY_MEMORY, Inflater, Unzstd, one_part
from loganalyzer.intake.limits import KIB, MIB, Limits
from loganalyzer.intake.members import Member
from loganalyzer.intake.streams import Expansion, LimitReached, Stream, damage_into, file_stream, section

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_LOCAL = b"PK\x03\x04"
_LOCAL_SIGNATURE = re.compile(rb"PK\x03\x04")
_ANY_SIGNATURE = re.compile(rb"PK(\x03\x04|\x01\x02|\x07\x08)")
_DESCRIPTOR_SIZE = 24
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_STORED, _DEFLATE, _BZIP2, _LZMA, _ZSTD, _AES = 0, 8, 12, 14, 93, 99
_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 95: "xz", 98: "PPMd"}
_UNKNOWN = 0xFFFFFFFF

#: Bytes of central directory that a member is worth on average; a directory beyond is taken for hostile.
_DIRECTORY_ENTRY = 512


class _Entry(Struct, frozen=True):
    """``offset`` is that of the local header; ``size`` and ``crc`` are None where no central directory tells them."""

    name: str
    flags: int
    method: int
    mode: int
    offset: int
    compressed: int
    size: int | None
    crc: int | None


def zip_members(file: BinaryIO, limits: Limits, outer: Expansion, notes: list[str]) -> Iterator[Member]:
    """The files of a zip, sorted by path; damage of the archive itself goes into ``notes``.

    Raises:
        LimitReached: the directory is too large.
    """
    length = file.seek(0, io.SEEK_END)
    expansion = Expansion(limits, outer, lambda: length)
    entries: list[_Entry] | None = None
    directory_damage: list[str] = []
    with damage_into(directory_damage):
        entries = _directory(file, limits)
    if entries is None:
        entries = list(_recovered(file, length, limits))
        why = directory_damage[0]
        notes.append(f"no readable central directory ({why}): {len(entries)} members found by their own headers")
    for entry in sorted(entries, key=lambda entry: (entry.name.split("/"), entry.offset)):
        skip = _reason_to_skip(entry)
        stream = None if skip else _content(file, entry, limits, expansion, length)
        yield Member(entry.name, entry.size if entry.size is not None else entry.compressed, stream, skip)


class _Guarded(io.BufferedIOBase):
    """The file as ``zipfile`` sees it while it reads the directory: no single read beyond ``most`` bytes."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(self._most + 1 if size is None or size < 0 else min(size, self._most + 1))
        if len(data) > self._most:
            raise LimitReached("its directory has room for more members than the limit allows")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _directory(file: BinaryIO, limits: Limits) -> list[_Entry]:
    guarded = _Guarded(file, max(MIB, limits.max_members * _DIRECTORY_ENTRY))
    with zipfile.ZipFile(cast("BinaryIO", guarded)) as archive:
        return [
            _Entry(
                name=_slashed(info.orig_filename),
                flags=info.flag_bits,
                method=info.compress_type,
                mode=info.external_attr >> 16,
                offset=info.header_offset,
                compressed=info.compress_size,
                size=info.file_size,
                crc=info.CRC,
            )
            for info in archive.infolist()
            if not _slashed(info.orig_filename).endswith("/")
        ]


def _slashed(name: str) -> str:
    """Windows zips may separate with backslashes."""
    return name.replace("\\", "/")


def _reason_to_skip(entry: _Entry) -> str | None:
    kind = stat.S_IFMT(entry.mode)
    if stat.S_ISLNK(entry.mode):
        return "symbolic link, not followed"
    if kind not in (0, stat.S_IFREG):
        return "no regular file"
    if entry.flags & _ENCRYPTED or entry.method == _AES:
        return "encrypted"
    if entry.method not in (_STORED, _DEFLATE, _BZIP2, _LZMA, _ZSTD):
        return f"compressed with method {entry.method} ({_METHODS.get(entry.method, 'unknown')}), which is not read"
    return None


def _content(file: BinaryIO, entry: _Entry, limits: Limits, archive: Expansion, length: int) -> Stream:
    taken = min(entry.compressed, length)
    return Stream(_verified(file, entry), Expansion(limits, archive, lambda: taken))


def _verified(file: BinaryIO, entry: _Entry) -> Iterator[bytes]:
    """The bytes of a member, all that there are, then the complaint about what is wrong with them."""
    crc, size = 0, 0
    for chunk in _decoded(file, entry):
        crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        yield chunk
    if entry.size is not None and size != entry.size:
        raise zipfile.BadZipFile(f"{size} bytes instead of the declared {entry.size}")
    if entry.crc is not None and crc != entry.crc:
        raise zipfile.BadZipFile("wrong checksum (CRC-32)")


def _decoded(file: BinaryIO, entry: _Entry) -> Iterator[bytes]:
    file.seek(entry.offset)
    header = file.read(_LOCAL_HEADER.size)
    signature, *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    if signature != _LOCAL:
        raise zipfile.BadZipFile("no member where the directory says")
    file.seek(name_length + extra_length, io.SEEK_CUR)
    raw = section(file_stream(file), entry.compressed)
    if entry.method == _DEFLATE:
        return one_part(raw, Inflater(-zlib.MAX_WBITS))
    if entry.method == _BZIP2:
        return one_part(raw, bz2.BZ2Decompressor())
    if entry.method == _ZSTD:
        return one_part(raw, Unzstd())
    if entry.method == _LZMA:
        return _lzma_part(raw, entry)
    return _stored(raw)


def _stored(raw: Stream) -> Iterator[bytes]:
    while chunk := raw.read_some():
        yield chunk
    if raw.damage:
        raise EOFError(raw.damage)


def _lzma_part(raw: Stream, entry: _Entry) -> Iterator[bytes]:
    """Zip's own LZMA header (version, size of the properties) is swapped for that of a .lzma file."""
    _, properties_length = struct.unpack("<HH", raw.read(4))
    size = -1 if entry.size is None or entry.flags & 0x2 else entry.size
    header = raw.read(properties_length) + struct.pack("<q", size)
    return one_part(raw, lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=DICTIONARY_MEMORY), header)


def _recovered(file: BinaryIO, length: int, limits: Limits) -> Iterator[_Entry]:
    """Members of a cut zip, one after the other by their local headers, up to the first that makes no sense."""
    position = 0
    for _ in range(limits.max_members + 1):
        file.seek(position)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL):
            return
        _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        name = file.read(name_length).decode("utf-8" if flags & _UTF8 else "cp437", errors="replace")
        start = position + _LOCAL_HEADER.size + name_length + extra_length
        untold = bool(flags & _SIZES_FOLLOW) or _UNKNOWN in (compressed, size)
        if untold:
            compressed = max(0, _find(file, _ANY_SIGNATURE, start, length) - start)
        if name and not _slashed(name).endswith("/"):
            told = (None, None) if untold else (size, crc)
            yield _Entry(_slashed(name), flags, method, 0, position, compressed, *told)
        position = start + compressed
        if untold:
            position = _find(file, _LOCAL_SIGNATURE, position, min(length, position + _DESCRIPTOR_SIZE + 4))


def _find(file: BinaryIO, signature: re.Pattern[bytes], start: int, end: int) -> int:
    """Offset of the first ``signature`` (of 4 bytes) between ``start`` and ``end``; ``end`` if there is none."""
    while start < end:
        file.seek(start)
        if found := signature.search(file.read(64 * KIB + 3)):
            return min(start + found.start(), end)
        start += 64 * KIB
    return end
