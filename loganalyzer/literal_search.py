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
