"""Bytes in one pass, counted against the limits. A stream never raises for bad bytes: it ends and tells its damage."""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from loganalyzer.intake.limits import MIB, Limits, in_words

#: Everything that the standard library raises when an archive is damaged or hostile.
UNREADABLE = (
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,  # also UnicodeDecodeError
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
)

CHUNK = MIB


@contextmanager
def damage_into(notes: list[str]) -> Iterator[None]:
    """The one place where unreadable bytes become a note; what follows in the block is not run."""
    try:
        yield
    except UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) else None
        notes.append(reason or str(error) or type(error).__name__)


class LimitReached(Exception):  # noqa: N818  (nothing is wrong: reading stops here on purpose)
    """A limit says stop; ``why`` is the reason as it is reported."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Expansion:
    """Counts the bytes that come out of an archive or a member, and passes them on to what it lies in."""

    def __init__(self, limits: Limits, parent: Expansion | None = None, taken: Callable[[], int] | None = None) -> None:
        """``taken`` tells the bytes that went in so far; the outermost one has none and guards the total."""
        self._limits = limits
        self._parent = parent
        self._taken = taken
        self._given = 0

    def add(self, size: int) -> None:
        """Counts ``size`` more bytes.

        Raises:
            LimitReached: too many bytes, for what went in or altogether.
        """
        self._given += size
        limits = self._limits
        if self._parent is None and self._given > limits.max_expanded_bytes:
            raise LimitReached(f"more than {in_words(limits.max_expanded_bytes)} came out of archives")
        if self._parent is not None:
            self._parent.add(size)
        if self._taken is not None and self._given > limits.ratio_floor_bytes:
            ratio = self._given / max(1, self._taken())
            if ratio > limits.max_ratio:
                raise LimitReached(f"expands more than {limits.max_ratio} times: an archive bomb")


class Stream:
    """Reads an iterator of chunks. ``damage`` is None until the chunks end badly; a limit that was reached stays so."""

    def __init__(self, chunks: Iterator[bytes], expansion: Expansion | None = None) -> None:
        self._chunks = chunks
        self._expansion = expansion
        self._ahead = b""
        self._ended = False
        self._stopped: LimitReached | None = None
        self._notes: list[str] = []
        self.given = 0

    @property
    def damage(self) -> str | None:
        """Why the bytes ended early or cannot be trusted."""
        return self._notes[0] if self._notes else None

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes (fewer at the end), which stay to be read."""
        while len(self._ahead) < size and (chunk := self._next_chunk()):
            self._ahead += chunk
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end.

        Raises:
            LimitReached: this and every later time.
        """
        parts, missing = [], size
        while missing and (chunk := self._ahead or self._next_chunk()):
            parts.append(chunk[:missing])
            self._ahead = chunk[missing:]
            missing -= len(parts[-1])
        data = b"".join(parts)
        self.given += len(data)
        return data

    def read_some(self) -> bytes:
        """The next chunk as it comes, empty at the end."""
        chunk = self._ahead or self._next_chunk()
        self._ahead = b""
        self.given += len(chunk)
        return chunk

    def readinto(self, buffer: memoryview) -> int:
        """Fills a buffer from its start on and tells with how many bytes; 0 at the end.

        Raises:
            LimitReached: this and every later time.
        """
        chunk = self._ahead or self._next_chunk()
        count = min(len(chunk), len(buffer))
        buffer[:count] = chunk[:count]
        self._ahead = chunk[count:]
        self.given += count
        return count

    def read_whole(self, limit: int, before: bytes = b"") -> bytes:
        """All the rest, behind what was read ``before``.

        Raises:
            LimitReached: together they are more than ``limit``.
        """
        whole = io.BytesIO()  # gives its bytes away without a copy
        whole.write(before)
        while chunk := self.read_some():
            if whole.tell() + len(chunk) > limit:
                raise LimitReached(too_big(limit))
            whole.write(chunk)
        return whole.getvalue()

    def _next_chunk(self) -> bytes:
        if self._stopped is not None:
            raise self._stopped
        chunk = b""
        try:
            with damage_into(self._notes):
                while not self._ended and not chunk:
                    more = next(self._chunks, None)
                    chunk, self._ended = more or b"", more is None
            self._ended = self._ended or bool(self._notes)
            if self._expansion is not None:
                self._expansion.add(len(chunk))
        except LimitReached as limit:
            self._stopped = limit
            raise
        return chunk


def too_big(limit: int) -> str:
    """The reason for a file that does not fit into memory."""
    return f"larger than {in_words(limit)}, the memory for one member"


def file_stream(file: BinaryIO) -> Stream:
    """The rest of an open file."""
    return Stream(iter(lambda: file.read(CHUNK), b""))


def section(parent: Stream, size: int) -> Stream:
    """The next ``size`` bytes of a stream as a stream; damaged when the parent ends before."""
    return Stream(_section_chunks(parent, size))


def _section_chunks(parent: Stream, size: int) -> Iterator[bytes]:
    while size:
        chunk = parent.read(min(CHUNK, size))
        if not chunk:
            raise EOFError(f"cut: {size} bytes are missing")
        size -= len(chunk)
        yield chunk
