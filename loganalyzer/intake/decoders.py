"""What kind of archive some bytes begin, and the streams of compressed data.

Kinds are told by magic bytes, never by name. A decoder gives every byte that it can, then raises for the damage.
"""

from __future__ import annotations

import bz2
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import zstandard

from loganalyzer.intake.limits import KIB, MIB
from loganalyzer.intake.streams import UNREADABLE, Expansion, Stream, damage_into

#: Bytes that telling the kind needs: one tar header.
HEAD_SIZE = tarfile.BLOCKSIZE

_INPUT = 64 * KIB
_OUTPUT = 256 * KIB
#: bz2 and lzma lose the output of the call that finds the damage, so their calls are small.
_SMALL_OUTPUT = 512
#: What xz, LZMA and zstd may use for a dictionary, which they ask for before the first byte comes out; xz -9 needs
#: 65 MiB, zstd --long 128.
DICTIONARY_MEMORY = 128 * MIB

_MAGIC: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("zip", re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08PK)")),
    ("gz", re.compile(rb"\x1f\x8b\x08")),
    ("bz2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("zst", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),  # a frame, or one to be skipped
    ("7z", re.compile(rb"7z\xbc\xaf\x27\x1c")),
    ("rar", re.compile(rb"Rar!\x1a\x07")),
)

NOT_READ = ("rar",)
_SUFFIXES = {
    "gz": (".gz", ".tgz"),
    "bz2": (".bz2", ".tbz2"),
    "xz": (".xz", ".txz"),
    "zst": (".zst", ".zstd", ".tzst"),
}


def kind_of(head: bytes) -> str | None:
    """The kind of archive that begins with ``head`` (``HEAD_SIZE`` bytes, fewer at the end); None: a plain file."""
    for kind, magic in _MAGIC:
        if magic.match(head):
            return kind
    return "tar" if _is_tar(head) else None


def _is_tar(head: bytes) -> bool:
    if head[257:262] == b"ustar":
        return True
    with damage_into([]):  # tar of the seventh edition has no magic, but its header has a checksum
        return bool(tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape").name)
    return False


def content_name(name: str, kind: str) -> str:
    """The name of what a bare compressed file holds: its own without the suffix of the compression."""
    for suffix in _SUFFIXES[kind]:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


class _Decompressor(Protocol):
    """What ``bz2`` and ``lzma`` decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Inflater:
    """``zlib`` with the interface of ``bz2``; where the data break, the output before the break is still given."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)
        self._broken: zlib.error | None = None

    @property
    def eof(self) -> bool:
        """The end of the compressed data was seen."""
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        """All input was used, apart from what is in ``unused_data``."""
        return not self._zlib.unconsumed_tail and self._broken is None

    @property
    def unused_data(self) -> bytes:
        """Bytes behind the end."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most ``max_length`` bytes.

        Raises:
            zlib.error: the data are broken; all bytes before were given by earlier calls.
        """
        if self._broken is not None:
            raise self._broken
        before, data = self._zlib.copy(), self._zlib.unconsumed_tail + data
        try:
            return self._zlib.decompress(data, max(0, max_length))
        except zlib.error as error:
            self._broken = error
            return _bytewise(before, data)


def _bytewise(decompressor: zlib._Decompress, data: bytes) -> bytes:
    output = bytearray()
    try:
        for position in range(len(data)):
            output += decompressor.decompress(data[position : position + 1])
    except zlib.error:
        pass
    return bytes(output)


class Unzstd:
    """One zstd frame with the interface of ``bz2``.

    ``zstandard`` gives all output of its input at once, up to 128 KiB for each four bytes, so it gets little at a time.
    """

    _PIECE = 64

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor(max_window_size=DICTIONARY_MEMORY).decompressobj()
        self._waiting = memoryview(b"")
        self._behind = b""
        self._broken: zstandard.ZstdError | None = None

    @property
    def eof(self) -> bool:
        """The end of the frame was seen."""
        return self._zstd.eof

    @property
    def needs_input(self) -> bool:
        """All input was used, apart from what is in ``unused_data``."""
        return not self._waiting and self._broken is None

    @property
    def unused_data(self) -> bytes:
        """Bytes behind the end."""
        return self._behind

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At least ``max_length`` bytes if the input has them, and at most 2 MiB more.

        Raises:
            ValueError: the data are broken, or ask for too much memory; all blocks before were given by earlier calls.
        """
        if self._broken is not None:
            raise ValueError(str(self._broken)) from self._broken
        if data:
            self._waiting = memoryview(bytes(self._waiting) + data)
        output = bytearray()
        while self._waiting and not self._zstd.eof and not 0 <= max_length <= len(output):
            piece, self._waiting = self._waiting[: self._PIECE], self._waiting[self._PIECE :]
            try:
                output += self._zstd.decompress(piece)
            except zstandard.ZstdError as error:
                self._broken, self._waiting = error, memoryview(b"")
        if self._zstd.eof and not self._behind:
            self._behind, self._waiting = self._zstd.unused_data + bytes(self._waiting), memoryview(b"")
        return bytes(output)


_NEW: Mapping[str, Callable[[], _Decompressor]] = {
    "gz": lambda: Inflater(31),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DICTIONARY_MEMORY),
    "zst": Unzstd,
}


def decompressed(raw: Stream, kind: str, expansion: Expansion) -> Stream:
    """The content of a gz, bz2, xz or zst stream, all of its concatenated parts."""
    return Stream(_all_parts(raw, kind, _NEW[kind]), expansion)


def _all_parts(raw: Stream, kind: str, new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    rest = b""
    while True:
        decompressor = new()
        yield from one_part(raw, decompressor, rest)
        rest = decompressor.unused_data
        while not rest.lstrip(b"\0") and (more := raw.read(_INPUT)):  # tapes and xz pad with zeros
            rest = more
        rest = rest.lstrip(b"\0")
        rest += raw.read(HEAD_SIZE - len(rest)) if 0 < len(rest) < HEAD_SIZE else b""
        if not rest:
            if raw.damage:
                raise EOFError(raw.damage)
            return
        if kind_of(rest) != kind:
            raise ValueError(f"the {kind} data end, but further bytes follow; they were not read")


def one_part(raw: Stream, decompressor: _Decompressor, data: bytes = b"") -> Iterator[bytes]:
    """The output of one decompressor up to its end, from ``data`` and then from ``raw``.

    Raises:
        EOFError: the input ends before the compressed data do.
    """
    step = _OUTPUT if isinstance(decompressor, Inflater | Unzstd) else _SMALL_OUTPUT
    output = bytearray()
    try:
        while not decompressor.eof:
            starved = False
            if decompressor.needs_input and not data:
                data = raw.read(_INPUT)
                starved = not data
            piece = decompressor.decompress(data, step)
            if starved and not piece and not decompressor.eof:
                raise EOFError(raw.damage or "cut: the compressed data end early")
            output += piece
            data = b""
            if len(output) >= _OUTPUT:
                yield bytes(output)
                output.clear()
    except UNREADABLE:
        if output:
            yield bytes(output)
        raise
    yield bytes(output)
