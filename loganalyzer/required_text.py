"""Texts of which one stands in whatever a regular expression fits: what can be sought before the expression is run."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from re import _constants as code  # type: ignore[attr-defined]  # the parse tree has no public door
from re import _parser as tree  # type: ignore[attr-defined]
from typing import Any

#: Shorter texts stand nearly everywhere.
SHORTEST = 3
#: From this length on a longer text tells no more.
_LONG_ENOUGH = 12

_Texts = frozenset[str]


def texts_of_regex(pattern: str) -> frozenset[str]:
    """Lower-case ASCII texts, of which one is a part of any string that the expression fits; empty: none is known.

    Only what Python and Rust read alike is looked at; an expression that Python does not read has no known text.
    """
    return most_telling(choices_of_regex(pattern))


def choices_of_regex(pattern: str) -> list[frozenset[str]]:
    """Sets of texts; of each set one text is a part of any string that the expression fits."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of sets in sets, which are something else in Rust
            parsed = tree.parse(pattern)
    except (re.error, OverflowError, RecursionError, Warning):
        return []
    return _of_sequence(list(parsed))


def most_telling(choices: Iterable[_Texts]) -> frozenset[str]:
    """The set whose shortest text is longest, of equals the smallest, of these the first; short or foreign texts tell
    nothing.
    """
    good = [one for one in choices if one and all(len(text) >= SHORTEST and text.isascii() for text in one)]
    return max(good, key=_worth, default=frozenset())


def _worth(texts: _Texts) -> tuple[int, int]:
    return min(_LONG_ENOUGH, *map(len, texts)), -len(texts)


def _of_sequence(items: Sequence[tuple[Any, Any]]) -> list[_Texts]:
    """Each run of letters, and what of the parts is required, in their order."""
    found: list[_Texts] = []
    run = ""
    for operation, value in items:
        if operation is code.LITERAL and value < 128:
            run += chr(value).lower()
            continue
        if run:
            found.append(frozenset({run}))
            run = ""
        found += _of_part(operation, value)
    return [*found, frozenset({run})] if run else found


def _of_part(operation: Any, value: Any) -> list[_Texts]:
    if operation is code.SUBPATTERN:
        return _of_sequence(list(value[3]))
    if operation is code.BRANCH:
        branches = [most_telling(_of_sequence(list(branch))) for branch in value[1]]
        return [frozenset().union(*branches)] if all(branches) else []
    repeats = (code.MAX_REPEAT, code.MIN_REPEAT, getattr(code, "POSSESSIVE_REPEAT", None))
    if operation in repeats and value[0] >= 1:
        return _of_sequence(list(value[2]))
    return []
