"""Regular expressions with possessive groups, the same on every Python that is supported."""

from __future__ import annotations

import re

_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d*,?\d*\})\+")


def compile_possessive(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compiles a pattern in which a possessive repeat of a group, ``(...)*+``, is written as ``(?>(...)*)``.

    Both mean the same. Before 3.11.5 Python reads the first one wrongly where the group itself has to go back
    (https://github.com/python/cpython/issues/106052); Debian 12 has 3.11.2.
    """
    return re.compile(as_atomic(pattern), flags)


def as_atomic(pattern: str) -> str:
    """The pattern with atomic groups in the place of possessive repeats of groups."""
    written: list[str] = []
    opened: list[int] = []  # where in ``written`` each open group begins
    position = 0
    while position < len(pattern):
        piece = _piece(pattern, position)
        position += len(piece)
        if piece == "(":
            opened.append(len(written))
        written.append(piece)
        if piece != ")":
            continue
        begin = opened.pop()
        quantifier = _QUANTIFIER.match(pattern, position)
        if quantifier is not None:
            written.insert(begin, "(?>")
            written.append(quantifier[0][:-1] + ")")
            position = quantifier.end()
    return "".join(written)


def _piece(pattern: str, position: int) -> str:
    """An escape, a whole set of characters, or a single character."""
    if pattern[position] == "\\":
        return pattern[position : position + 2]
    if pattern[position] != "[":
        return pattern[position]
    end = position + 2 if pattern[position + 1 : position + 2] == "^" else position + 1
    end += pattern[end : end + 1] == "]"  # a bracket that comes first stands for itself
    while pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return pattern[position : end + 1]
