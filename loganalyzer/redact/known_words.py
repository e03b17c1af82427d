"""Known names in a text: each as a whole word, in any case, all of them in one search."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from loganalyzer.redact.kinds import TOKEN

# A word also begins behind an escape: \n of JSON, %2F of a URL. What is before it is no letter of the word then.
_BEGIN: Final = r"(?:(?<![^\W_])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u00[0-9A-Fa-f]{2})|(?<=&[lg]t;))"
_END: Final = r"(?![^\W_])"


class KnownWords:
    """Words to look for. Equal but for their case is equal."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words: Final = frozenset(word.lower() for word in words if word)
        self._pattern = self._compiled() if self.words else None

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Start, end and word (in lower case), from left to right; of words that begin at one place the longest.

        Tokens are passed over.
        """
        if self._pattern is None:
            return
        for found in self._pattern.finditer(text):
            if found["word"] is not None and (word := found["word"].lower()) in self.words:
                yield found.start(), found.end(), word

    def _compiled(self) -> re.Pattern[str]:
        return re.compile(rf"{TOKEN.pattern}|{_BEGIN}(?P<word>{any_of(sorted(self.words))}){_END}", re.IGNORECASE)


def any_of(words: list[str]) -> str:
    """A pattern of all words as a tree of their beginnings, so that a search costs one step a character."""
    tree: dict[str, Any] = {}
    for word in words:
        node = tree
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}
    return _pattern(tree)


def _pattern(tree: dict[str, Any]) -> str:
    """Iterative where the tree does not branch, since a word may be long."""
    prefix = ""
    while len(tree) == 1 and "" not in tree:
        char, tree = next(iter(tree.items()))
        prefix += re.escape(char)
    further = [re.escape(char) + _pattern(inner) for char, inner in tree.items() if char]
    if not further:
        return prefix
    grouped = f"(?:{'|'.join(further)})"
    return prefix + (f"{grouped}?" if "" in tree else grouped)
