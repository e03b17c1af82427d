"""One file of a bundle, wherever it lies: its path, its bytes, its hash. One that is long need not be in memory."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeAlias

#: What the console of a machine shows while nobody has logged in.
_PROMPT = re.compile(rb"(?:^|[\r\n])[\w.-]{1,64} login: ?\Z")


@dataclass(frozen=True)
class Source:
    """A leaf of a bundle, held in memory while it is parsed.

    ``path`` uses ``/``, has no ``..`` and no leading ``/``; a member of a nested archive is ``outer.zip!inner/name``.
    ``damage`` says why the bytes end early or may be wrong (a cut archive, a bad checksum); None: they are all there.
    """

    path: str
    data: bytes
    damage: str | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        """Lower-case hex digest of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def ends_torn(self) -> bool:
        """Whether the last line has no end. A program ends its lines, so that a log of which this holds was cut.

        The prompt of a screen waits for its end.
        """
        return _is_torn(self.data[-_END:])

    @property
    def name(self) -> str:
        """The last part of the path, inside the innermost archive."""
        return _name(self.path)


#: Fills a buffer from its start on and tells with how many bytes, as ``io.RawIOBase.readinto``; 0: there are no more.
ReadInto: TypeAlias = Callable[[memoryview], int]


@dataclass(slots=True)
class LongSource:
    """A leaf of a bundle that is read in pieces, once, as it may be too long to be held in memory.

    ``path`` as of `Source`; ``head``: its first bytes; ``fill`` gives all of them. ``size`` (bytes), ``sha256`` and
    ``ends_torn`` are those of what was read so far.
    """

    path: str
    head: bytes
    fill: ReadInto
    size: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _end: bytes = b""

    def readinto(self, buffer: memoryview) -> int:
        """See `ReadInto`."""
        count = self.fill(buffer)
        read = buffer[:count]
        self.size += count
        self._hash.update(read)
        self._end = (self._end + bytes(read[-_END:]))[-_END:]
        return count

    @property
    def sha256(self) -> str:
        """Lower-case hex digest."""
        return self._hash.hexdigest()

    @property
    def ends_torn(self) -> bool:
        """See `Source.ends_torn`."""
        return _is_torn(self._end)

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return _name(self.path)


#: Bytes at the end of a source that tell how it ends.
_END = 96


def _is_torn(end: bytes) -> bool:
    text = end.rstrip(b"\0")
    return bool(text) and not text.endswith((b"\n", b"\r")) and _PROMPT.search(text) is None


def _name(path: str) -> str:
    return path.rsplit("!", 1)[-1].rsplit("/", 1)[-1]


def fits_glob(path: str, glob: str) -> bool:
    """Whether a path fits a glob as a whole or from any of its folders on; in any case, as Windows has it.

    ``*`` crosses folders: ``*.evtx`` is every event log, ``azure/*.log`` every log below any folder ``azure``.
    """
    return _glob(glob).match("/" + path.replace("!", "/")) is not None


@lru_cache(maxsize=256)
def _glob(glob: str) -> re.Pattern[str]:
    glob = glob.replace("\\", "/").replace("!", "/")
    below = fnmatch.translate(f"*/{glob.removeprefix('/')}")
    return re.compile(f"{below}|{fnmatch.translate(glob)}", re.IGNORECASE)
