"""Which lines of a block of bytes hold one of many texts, in one pass over the bytes.

Hyperscan's cost does not grow with the number of texts. Where it has no wheel, polars searches the lines: the same
answer, several times slower.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

try:
    import hyperscan
except ImportError:  # no wheel for this platform
    hyperscan = None  # type: ignore[assignment]


class LineSearch(Protocol):
    """A search that was made ready for its texts."""

    def lines(self, block: memoryview, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each line of a block whether it holds one of the texts; ``ends`` are the places of the line ends."""


def line_search(texts: frozenset[str], regexes: frozenset[str] = frozenset(), *, portable: bool = False) -> LineSearch:
    """A search for lower-case ASCII texts in any case, and for regexes that no line end fits.

    ``portable``: without hyperscan, even where it is here.
    """
    return _Portable(texts, regexes) if portable or hyperscan is None else _hyperscan(texts, regexes)


class _Hyperscan:
    def __init__(self, texts: Collection[str], regexes: Collection[str]) -> None:
        expressions = [*(_escaped(text) for text in sorted(texts)), *sorted(regexes)]
        flags = [hyperscan.HS_FLAG_CASELESS] * len(texts) + [0] * len(regexes)
        self._database: Any = hyperscan.Database()
        self._database.compile(
            expressions=[one.encode() for one in expressions],
            ids=[0] * len(expressions),  # which of them it was is asked of the rows
            elements=len(expressions),
            flags=flags,
        )

    def lines(self, block: memoryview, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        places: list[int] = []
        self._database.scan(block, match_event_handler=_note, context=places.append)
        found = np.zeros(len(ends), np.bool_)
        found[np.searchsorted(ends, np.array(places, np.int64) - 1)] = True
        return found


class ByteSearch(Protocol):
    """A search for bytes that was made ready for them."""

    def ends(self, block: memoryview) -> NDArray[np.int64]:
        """Where occurrences end in a block: behind the last byte of each, in no order, some more than once."""


def byte_search(letters: frozenset[bytes], values: frozenset[bytes], *, portable: bool = False) -> ByteSearch:
    """A search for bytes: for ``letters`` in any case of ASCII, for ``values`` as they are (or, portably, nearly so).

    ``portable``: without hyperscan, even where it is here.
    """
    if portable or hyperscan is None:
        return _PortableBytes(letters, values)
    return _hyperscan_bytes(letters, values)


class _HyperscanBytes:
    def __init__(self, letters: Collection[bytes], values: Collection[bytes]) -> None:
        expressions = [_escaped_bytes(one) for one in (*sorted(letters), *sorted(values))]
        self._database: Any = hyperscan.Database()
        self._database.compile(
            expressions=expressions,
            ids=[0] * len(expressions),
            elements=len(expressions),
            flags=[hyperscan.HS_FLAG_CASELESS] * len(letters) + [0] * len(values),
        )

    def ends(self, block: memoryview) -> NDArray[np.int64]:
        places: list[int] = []
        self._database.scan(block, match_event_handler=_note, context=places.append)
        return np.array(places, np.int64)


class _PortableBytes:
    def __init__(self, letters: Collection[bytes], values: Collection[bytes]) -> None:
        self._wanted = sorted({one.lower() for one in (*letters, *values)})

    def ends(self, block: memoryview) -> NDArray[np.int64]:
        lower, places = bytes(block).lower(), list[int]()
        for wanted in self._wanted:
            at = lower.find(wanted)
            while at >= 0:
                places.append(at + len(wanted))
                at = lower.find(wanted, at + 1)
        return np.array(places, np.int64)


@lru_cache(maxsize=8)
def _hyperscan_bytes(letters: frozenset[bytes], values: frozenset[bytes]) -> _HyperscanBytes:
    """Bytes are compiled once in a process."""
    return _HyperscanBytes(letters, values)


def _escaped_bytes(wanted: bytes) -> bytes:
    return b"".join(bytes([one]) if bytes([one]).isalnum() else b"\\x%02x" % one for one in wanted)


def _note(number: int, start: int, end: int, flags: int, note: Any) -> None:
    note(end)


@lru_cache(maxsize=8)
def _hyperscan(texts: frozenset[str], regexes: frozenset[str]) -> _Hyperscan:
    """Texts are compiled once in a process."""
    return _Hyperscan(texts, regexes)


def _escaped(text: str) -> str:
    return "".join(char if char.isalnum() else f"\\x{ord(char):02x}" for char in text)


class _Portable:
    def __init__(self, texts: Collection[str], regexes: Collection[str]) -> None:
        self._texts, self._regexes = sorted(texts), sorted(regexes)

    def lines(self, block: memoryview, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        lines = pl.Series(bytes(block).decode("latin-1").split("\n")[: len(ends)], dtype=pl.String)
        found = lines.str.contains_any(self._texts, ascii_case_insensitive=True)
        for regex in self._regexes:
            found |= lines.str.contains(regex)
        return np.array(found.to_list(), np.bool_)
