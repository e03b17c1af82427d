"""How a text that may stand in the JSON of an event looks in the bytes of its record (windows.md 6.3, 6.4).

Text is UTF-16 there. Numbers, ids and bytes are themselves, and become text only when they are decoded: of a text that
could be one of those, the bytes are told that such a value must have, or that the text cannot be looked for in values
of a kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from loganalyzer.evtx.shapes import BYTES, FILETIME, GUID, SIZE_T

#: What values of a kind are when they are decoded, in lower case: pieces of them fit this.
_PIECES: Mapping[int, re.Pattern[str]] = {
    **dict.fromkeys((0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A), re.compile(r"-?\d{0,20}")),
    0x0D: re.compile(r"[truefals]{1,5}"),
    BYTES: re.compile(r"[\da-f]+"),
    GUID: re.compile(r"(?=.{1,36}$)[\da-f]{0,12}(?:-[\da-f]{0,12}){0,4}"),
    SIZE_T: re.compile(r"(?:0?x)?[\da-f]{0,16}"),
    FILETIME: re.compile(r"[-\d:.tzuc ]{1,40}"),
    0x13: re.compile(r"s?[-\d]+"),
    0x14: re.compile(r"(?:0?x)?[\da-f]{0,8}"),
    0x15: re.compile(r"(?:0?x)?[\da-f]{0,16}"),
}
_HEXADECIMAL = frozenset({0x14, 0x15})
#: Fewer bytes than this would be found everywhere.
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class BinaryForms:
    """Of texts in lower case: ``letters`` (in any case) or ``values``, of which one stands in each record that has one.

    ``not_found``: kinds of values of which that is not so, as one of the texts could be such a value.
    """

    letters: frozenset[bytes]
    values: frozenset[bytes]
    not_found: frozenset[int]


def binary_forms(texts: frozenset[str]) -> BinaryForms:
    """What to look for in records instead of ASCII texts."""
    values, not_found = set[bytes](), set[int]()
    for text in texts:
        for kind, pieces in _PIECES.items():
            if pieces.fullmatch(text):
                found = _values(text, kind)
                values |= found
                not_found |= set() if found else {kind}
    return BinaryForms(frozenset(text.encode("utf-16-le") for text in texts), frozenset(values), frozenset(not_found))


def _values(text: str, kind: int) -> set[bytes]:
    """Bytes of which one stands in every value of a kind that holds the text; none: they are not known."""
    if kind == BYTES:
        return _aligned(text)
    if kind == GUID:
        with suppress(ValueError):
            return {UUID(text).bytes_le} if len(text) == 36 else set()
    if kind in _HEXADECIMAL:
        return {found[::-1] for found in _aligned(text.rpartition("x")[2])}
    return set()


def _aligned(digits: str) -> set[bytes]:
    """Whole bytes within hexadecimal digits, whether a byte begins with the first digit or with the second."""
    found = {bytes.fromhex(digits[at : at + (len(digits) - at) // 2 * 2]) for at in (0, 1)}
    return found if min(map(len, found)) >= _SHORTEST else set()
