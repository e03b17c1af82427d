"""What kind of archive some bytes begin, and the streams of compressed data.

Kinds are told by magic bytes, never by name. A decoder gives every byte that it can, then raises for the damage.
"""

from __future__ import annotations

import bz2
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from loganalyzer.intake.limits import KIB, MIB
from loganalyzer.intake.streams import UNREADABLE, Expansion, Stream, damage_into

#: Bytes that telling the kind needs: one tar header.
HEAD_SIZE = tarfile.BLOCKSIZE

_INPUT = 64 * KIB
_OUTPUT = 256 * KIB
#: bz2 and lzma lose the output of the call that finds the damage, so their calls are small.
_SMALL_OUTPUT = 512
#: What xz and LZMA may use for a dictionary, which they ask for before the first byte comes out; xz -9 needs 65 MiB.
DICTIONARY_MEMORY = 128 * MIB

_MAGIC: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("zip", re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08PK)")),
    ("gz", re.compile(rb"\x1f\x8b\x08")),
    ("bz2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("zstd", re.compile(rb"[\x28]\xb5\x2f\xfd")),
    ("7z", re.compile(rb"7z\xbc\xaf\x27\x1c")),
    ("rar", re.compile(rb"Rar!\x1a\x07")),
)

COMPRESSED = ("gz", "bz2", "xz")
NOT_READ_YET = ("zstd", "7z", "rar")
_SUFFIXES = {"gz": (".gz", ".tgz"), "bz2": (".bz2", ".tbz2"), "xz": (".xz", ".txz")}


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


def decompressed(raw: Stream, kind: str, expansion: Expansion) -> Stream:
    """The content of a gz, bz2 or xz stream, all of its concatenated parts."""
    new: Callable[[], _Decompressor]
    if kind == "gz":
        new = lambda: Inflater(31)  # noqa: E731
    elif kind == "bz2":
        new = bz2.BZ2Decompressor
    else:
        new = lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DICTIONARY_MEMORY)  # noqa: E731
    return Stream(_all_parts(raw, kind, new), expansion)


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
    step = _OUTPUT if isinstance(decompressor, Inflater) else _SMALL_OUTPUT
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
