"""Regular expressions that are compiled when they are first used: most of a module's are not, in most runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import cached_property

from loganalyzer.possessive import as_atomic


class LazyPattern:
    """The methods of a compiled pattern. Repeats of groups may be possessive, see `loganalyzer.possessive`."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self._flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(as_atomic(self.pattern), self._flags)

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        """As that of a compiled pattern; so are the others."""
        return self._compiled.search(text, start)

    def match(self, text: str, start: int = 0, end: int = sys.maxsize) -> re.Match[str] | None:
        """The match that begins at ``start``."""
        return self._compiled.match(text, start, end)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The match of all of the text."""
        return self._compiled.fullmatch(text)

    def finditer(self, text: str, start: int = 0) -> Iterator[re.Match[str]]:
        """The matches from left to right."""
        return self._compiled.finditer(text, start)

    def sub(self, new: str | Callable[[re.Match[str]], str], text: str) -> str:
        """The text with something in the place of each match."""
        return self._compiled.sub(new, text)
