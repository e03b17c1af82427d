"""Which lines of a block of bytes hold one of many texts, in one pass over the bytes.

Hyperscan's cost does not grow with the number of texts; what it makes of them is kept for the next scan. Where it has
no wheel, polars searches the lines: the same answer, several times slower.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loganalyzer import search_cache

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
        caseless = [_escaped(text.encode()) for text in sorted(texts)]
        self._database = _database(caseless, [one.encode() for one in sorted(regexes)])

    def lines(self, block: memoryview, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        places: list[int] = []
        self._database.scan(block, match_event_handler=_note, context=places.append)
        found = np.zeros(len(ends), np.bool_)
        found[np.searchsorted(ends, np.array(places, np.int64) - 1)] = True
        return found


def _database(caseless: Sequence[bytes], exact: Sequence[bytes]) -> Any:
    """Of expressions, from the cache if it is there. Which of them it was is not told: it is asked of the rows."""
    expressions = [*caseless, *exact]
    flags = [hyperscan.HS_FLAG_CASELESS] * len(caseless) + [0] * len(exact)
    made_by = f"hyperscan {version('hyperscan')} {platform.platform()} {len(caseless)}"
    key = search_cache.key_of([made_by.encode(), *expressions])
    kept = search_cache.recalled(key)
    if kept is not None:
        with suppress(hyperscan.error):  # made on a machine with another processor
            database = hyperscan.loadb(kept, hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
            return database
    database = hyperscan.Database()
    database.compile(expressions=expressions, ids=[0] * len(expressions), elements=len(expressions), flags=flags)
    search_cache.keep(key, hyperscan.dumpb(database))
    return database


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
        self._database = _database(*([_escaped(one) for one in sorted(own)] for own in (letters, values)))

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


def _note(number: int, start: int, end: int, flags: int, note: Any) -> None:
    note(end)


@lru_cache(maxsize=8)
def _hyperscan(texts: frozenset[str], regexes: frozenset[str]) -> _Hyperscan:
    """Texts are compiled once in a process."""
    return _Hyperscan(texts, regexes)


def _escaped(wanted: bytes) -> bytes:
    return b"".join(bytes([one]) if bytes([one]).isalnum() else b"\\x%02x" % one for one in wanted)


class _Portable:
    def __init__(self, texts: Collection[str], regexes: Collection[str]) -> None:
        self._texts, self._regexes = sorted(texts), sorted(regexes)

    def lines(self, block: memoryview, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        lines = pl.Series(bytes(block).decode("latin-1").split("\n")[: len(ends)], dtype=pl.String)
        found = lines.str.contains_any(self._texts, ascii_case_insensitive=True)
        for regex in self._regexes:
            found |= lines.str.contains(regex)
        return np.array(found.to_list(), np.bool_)
