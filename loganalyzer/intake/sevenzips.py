"""Members of a 7z, in place and in one pass over each of its solid blocks, which the format calls folders.

The records of the header are decoded by ``py7zr.archiveinfo``; the walk over them is ours, so that counts are held
against the limits before anything is built from them. Blocks are decompressed here: py7zr writes files or pushes whole
members, gives up the archive for one bad checksum or one bad name, and its deflate and zstd know no bound of output.

7-Zip's own notes on the format (7zFormat.txt) name the properties.
"""

from __future__ import annotations

import bz2
import io
import lzma
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeAlias

from msgspec import Struct

from loganalyzer.intake.decoders import Inflater, Unzstd, one_part
from loganalyzer.intake.limits import KIB, MIB, Limits
from loganalyzer.intake.members import Member
from loganalyzer.intake.streams import Expansion, LimitReached, Stream, file_stream, section

_SIGNATURE = struct.Struct("<6s2BLQQL")
_END, _HEADER, _ARCHIVE_PROPERTIES, _STREAMS, _FILES = b"\x00", b"\x01", b"\x02", b"\x04", b"\x05"
_PACK, _UNPACK, _SUBSTREAMS, _FOLDERS, _ENCODED = b"\x06", b"\x07", b"\x08", b"\x0b", b"\x17"

#: Bytes of header that a member is worth on average; a header beyond is taken for hostile.
_HEADER_ENTRY = 128
#: 7-Zip's strongest setting asks for 256 MiB of dictionary; memory is used up to what has come out of it.
_DICTIONARY = 256 * MIB
_REPARSE_POINT, _UNIX = 0x400, 0x8000

_COPY, _LZMA, _LZMA2 = b"\x00", b"\x03\x01\x01", b"\x21"
_DEFLATE, _BZIP2, _ZSTD = b"\x04\x01\x08", b"\x04\x02\x02", b"\x04\xf7\x11\x01"
_AES = b"\x06\xf1\x07\x01"
_DELTA = b"\x03"
_BRANCHES: Mapping[bytes, int] = {
    b"\x04": lzma.FILTER_X86,
    b"\x03\x03\x01\x03": lzma.FILTER_X86,
    b"\x03\x03\x02\x05": lzma.FILTER_POWERPC,
    b"\x03\x03\x04\x01": lzma.FILTER_IA64,
    b"\x03\x03\x05\x01": lzma.FILTER_ARM,
    b"\x03\x03\x07\x01": lzma.FILTER_ARMTHUMB,
    b"\x03\x03\x08\x05": lzma.FILTER_SPARC,
}
_NAMES: Mapping[bytes, str] = {
    b"\x03\x04\x01": "PPMd",
    b"\x03\x03\x01\x1b": "BCJ2",
    b"\x04\x01\x09": "deflate64",
    b"\x04\xf7\x11\x02": "Brotli",
    b"\x04\xf7\x11\x04": "LZ4",
    b"\x0a": "ARM64",
    **dict.fromkeys(_BRANCHES, "a branch filter behind another method than LZMA2"),
}


class _Block(Struct, frozen=True):
    """Some files packed as one. ``coders``: method and properties, in the order in which unpacking needs them."""

    offset: int
    packed: int
    size: int
    coders: tuple[tuple[bytes, bytes], ...]
    skip: str | None


#: Where the bytes of a file lie, how many there are, and their checksum.
_Packed: TypeAlias = tuple[_Block, int, int | None]


class _Entry(Struct, frozen=True):
    """``block`` is None for a file of no bytes; ``crc``: None where the header tells none."""

    name: str
    mode: int
    size: int
    crc: int | None
    block: _Block | None


def sevenzip_members(file: BinaryIO, limits: Limits, outer: Expansion, notes: list[str]) -> Iterator[Member]:
    """The files of a 7z, in the order of the archive; damage of a block goes into ``notes``.

    Raises:
        ValueError, EOFError: the header cannot be read, and without it nothing of a 7z can.
        LimitReached: too many members are declared, or the header itself is encrypted.
    """
    length = file.seek(0, io.SEEK_END)
    expansion = Expansion(limits, outer, lambda: length)
    entries = _entries(_header(file, length, limits), limits)
    current: _Block | None = None
    content = Stream(iter(()))
    for entry in entries:
        if entry.block is None:
            yield Member(entry.name, 0, *_given(entry, Stream(iter(()))))
            continue
        if entry.block is not current:
            notes.extend([content.damage] if content.damage else [])
            current, content = entry.block, _unpacked(file, entry.block, limits, expansion)
        if current.skip is not None:
            yield Member(entry.name, entry.size, None, current.skip)
            continue
        body = Stream(_verified(section(content, entry.size), entry, content))
        yield Member(entry.name, entry.size, *_given(entry, body))
        _pass_over(body)
    notes.extend([content.damage] if content.damage else [])


def _given(entry: _Entry, body: Stream) -> tuple[Stream | None, str | None]:
    """The bytes of a file, or why it is left out."""
    if stat.S_ISLNK(entry.mode):
        return None, "symbolic link, not followed"
    if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
        return None, "no regular file"
    return body, None


def _pass_over(body: Stream) -> None:
    """What is left of a member has to come out before the next one can; a limit ends the block and not the archive."""
    try:
        while body.read_some():
            pass
    except LimitReached:
        pass


def _verified(body: Stream, entry: _Entry, block: Stream) -> Iterator[bytes]:
    """The bytes of a member, all that there are, then the complaint about what is wrong with them."""
    crc = 0
    while chunk := body.read_some():
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if body.damage:
        raise EOFError(block.damage or body.damage)
    if entry.crc is not None and crc != entry.crc:
        raise ValueError("wrong checksum (CRC-32)")


def _unpacked(file: BinaryIO, block: _Block, limits: Limits, archive: Expansion) -> Stream:
    return Stream(_block_bytes(file, block), Expansion(limits, archive, lambda: block.packed))


def _block_bytes(file: BinaryIO, block: _Block) -> Iterator[bytes]:
    """The unpacked bytes of a block, no more than it declares: raw LZMA does not know its end."""
    file.seek(block.offset)
    missing = block.size
    for chunk in _decoded(section(file_stream(file), block.packed), block):
        yield chunk[:missing]
        missing -= len(chunk)
        if missing <= 0:
            return


def _decoded(raw: Stream, block: _Block) -> Iterator[bytes]:
    method = block.coders[0][0]
    if method == _COPY:
        return iter(raw.read_some, b"")
    if method == _DEFLATE:
        return one_part(raw, Inflater(-zlib.MAX_WBITS))
    if method == _BZIP2:
        return one_part(raw, bz2.BZ2Decompressor())
    if method == _ZSTD:
        return one_part(raw, Unzstd())
    return one_part(raw, lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(block.coders)))


def _filters(coders: Sequence[tuple[bytes, bytes]]) -> list[dict[str, int]]:
    """What liblzma needs to know, in its order: that of packing.

    Raises:
        ValueError: properties that make no sense, or a dictionary beyond all reason.
    """
    filters: list[dict[str, int]] = []
    for method, properties in coders:
        if method == _LZMA:
            packed, size = struct.unpack("<BL", properties)
            lc, rest = packed % 9, packed // 9
            one = {"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": lc, "lp": rest % 5, "pb": rest // 5}
        elif method == _LZMA2:
            (bits,) = struct.unpack("<B", properties)
            one = {"id": lzma.FILTER_LZMA2, "dict_size": (2 | bits & 1) << (bits // 2 + 11)}
        elif method == _DELTA:
            (distance,) = struct.unpack("<B", properties)
            one = {"id": lzma.FILTER_DELTA, "dist": distance + 1}
        else:
            one = {"id": _BRANCHES[method]}
        if one.get("dict_size", 0) > _DICTIONARY:
            raise ValueError(f"it asks for a dictionary of {one['dict_size'] // MIB} MiB")
        filters.insert(0, one)
    return filters


def _reason_to_skip(coders: Sequence[tuple[bytes, bytes]], streams: int) -> str | None:
    """Why a block is not read. LZMA with a branch filter is out: liblzma keeps back its last bytes."""
    methods = [method for method, _ in coders]
    if _AES in methods:
        return "encrypted"
    first, rest = methods[0], methods[1:]
    filters = {_DELTA, *_BRANCHES} if first == _LZMA2 else {_DELTA} if first == _LZMA else set()
    if streams == 1 and first in (_COPY, _LZMA, _LZMA2, _DEFLATE, _BZIP2, _ZSTD) and filters.issuperset(rest):
        return None
    odd = next((one for one in methods if one in _NAMES), methods[-1])
    return f"compressed with {_NAMES.get(odd, f'method {odd.hex()}')}, which is not read"


def _header(file: BinaryIO, length: int, limits: Limits) -> io.BytesIO:
    """The header behind the data; it may itself be packed, even twice."""
    file.seek(0)
    start = file.read(_SIGNATURE.size)
    if len(start) < _SIGNATURE.size:
        raise EOFError("cut: the 7z has no header")
    *_, offset, size, crc = _SIGNATURE.unpack(start)
    most = max(64 * KIB, limits.max_members * _HEADER_ENTRY)
    if offset + size > length - _SIGNATURE.size:
        raise EOFError("cut: a 7z has its header at its end, and that is missing")
    _hold(size, most)
    file.seek(_SIGNATURE.size + offset)
    data = file.read(size)
    if zlib.crc32(data) != crc:
        raise ValueError("the header has a wrong checksum (CRC-32)")
    for _ in range(4):
        header = io.BytesIO(data)
        kind = header.read(1)
        if kind in (_HEADER, b""):
            return header
        if kind != _ENCODED:
            break
        data = _packed_header(file, header, most)
    raise ValueError("the header cannot be understood")


def _hold(size: int, most: int) -> None:
    if size > most:
        raise LimitReached("its header has room for more members than the limit allows")


def _packed_header(file: BinaryIO, header: io.BytesIO, most: int) -> bytes:
    blocks, *_ = _streams(header, 1)
    if len(blocks) != 1:
        raise ValueError("the header cannot be understood")
    (block,) = blocks
    if block.skip is not None:
        raise LimitReached(f"its list of files is {block.skip}")
    _hold(block.size, most)
    data = b"".join(_block_bytes(file, block))
    if len(data) != block.size:
        raise EOFError("cut: the list of files is not whole")
    return data


@contextmanager
def _decoding() -> Iterator[None]:
    """Whatever py7zr makes of a broken record is told as one kind of error."""
    from py7zr.exceptions import ArchiveError

    try:
        yield
    except (ArchiveError, AssertionError, AttributeError, TypeError) as error:
        raise ValueError(f"the header cannot be understood: {error}") from error


def _streams(header: io.BytesIO, most: int) -> tuple[list[_Block], list[int], list[int], list[int | None]]:
    """The blocks; how many files are in each; and of each file the size and checksum."""
    from py7zr.archiveinfo import PackInfo, SubstreamsInfo, UnpackInfo

    with _decoding():
        kind, pack = header.read(1), PackInfo()
        if kind == _PACK:
            pack, kind = PackInfo.retrieve(header), header.read(1)
        unpack = UnpackInfo()  # type: ignore[no-untyped-call]
        if kind == _UNPACK:
            _hold(_ahead(header, skip=1), most)
            unpack, kind = UnpackInfo.retrieve(header), header.read(1)
        counts, sizes = [1] * unpack.numfolders, [folder.get_unpack_size() for folder in unpack.folders]
        checksums = [folder.crc if folder.digestdefined else None for folder in unpack.folders]
        if kind == _SUBSTREAMS:
            parts = SubstreamsInfo.retrieve(header, unpack.numfolders, unpack.folders)
            kind, counts = header.read(1), parts.num_unpackstreams_folders
            if parts.unpacksizes is not None:
                sizes = parts.unpacksizes
            told = zip(parts.digests, parts.digestsdefined, strict=True)
            checksums = [crc if defined else None for crc, defined in told]
        if kind != _END or min(sizes, default=0) < 0:
            raise ValueError("the header cannot be understood")
        return _blocks(pack, unpack.folders), counts, sizes, checksums


def _ahead(header: io.BytesIO, skip: int = 0) -> int:
    """The number that stands ``skip`` bytes further on, which stays to be read."""
    from py7zr.archiveinfo import read_uint64

    place = header.tell()
    header.seek(skip, io.SEEK_CUR)
    number = read_uint64(header)
    header.seek(place)
    return number


def _blocks(pack: Any, folders: Sequence[Any]) -> list[_Block]:
    blocks, stream = [], 0
    for folder in folders:
        streams = len(folder.packed_indices)
        coders = _in_order(folder)
        offset = _SIGNATURE.size + pack.packpos + pack.packpositions[stream]
        skip = _reason_to_skip(coders, streams)
        blocks.append(_Block(offset, pack.packsizes[stream], folder.get_unpack_size(), coders, skip))
        stream += streams
    return blocks


def _in_order(folder: Any) -> tuple[tuple[bytes, bytes], ...]:
    """The coders from the packed bytes outwards, as the bonds between their streams tell."""
    told = [(coder["method"], coder["properties"] or b"") for coder in folder.coders]
    if len(folder.packed_indices) != 1 or len(folder.bindpairs) != len(told) - 1:
        return tuple(told)
    following = {bond.outcoder: bond.incoder for bond in folder.bindpairs}
    place: int | None = folder.packed_indices[0]
    ordered: list[tuple[bytes, bytes]] = []
    while place is not None and len(ordered) < len(told):
        ordered.append(told[place])
        place = following.get(place)
    return tuple(ordered)


def _entries(header: io.BytesIO, limits: Limits) -> list[_Entry]:
    """Every file that the header names; folders are left out."""
    from py7zr.archiveinfo import FilesInfo

    with _decoding():
        kind, packed = header.read(1), list[_Packed]()
        if kind == _STREAMS:
            blocks, counts, sizes, checksums = _streams(header, limits.max_members)
            each = [block for block, count in zip(blocks, counts, strict=True) for _ in range(count)]
            packed, kind = list(zip(each, sizes, checksums, strict=True)), header.read(1)
        if kind in (_END, b""):
            return []
        if kind != _FILES:
            raise ValueError("the header cannot be understood")
        _hold(_ahead(header), limits.max_members)
        told = FilesInfo.retrieve(header)
        if len(packed) != sum(not one["emptystream"] for one in told.files):
            raise ValueError("the header names another number of files than it has contents")
        return list(_named(told.files, packed, told.emptyfiles))


def _named(
    files: Sequence[Mapping[str, Any]], packed: Sequence[_Packed], are_files: Sequence[bool]
) -> Iterator[_Entry]:
    """Gives names their contents. Of what has none, ``are_files`` tells empty files from folders."""
    contents, empty = iter(packed), iter(are_files)
    for one in files:
        attributes = one.get("attributes") or 0
        mode = attributes >> 16 if attributes & _UNIX else stat.S_IFLNK if attributes & _REPARSE_POINT else 0
        name = one.get("filename", "")
        if not one["emptystream"]:
            block, size, crc = next(contents)
            yield _Entry(name, mode, size, crc, block)
        elif next(empty, False):
            yield _Entry(name, mode, 0, None, None)
