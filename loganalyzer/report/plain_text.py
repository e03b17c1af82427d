"""Text of a log made safe for a terminal: nothing in it can move the cursor, colour or reorder what is shown."""

from __future__ import annotations

import json
import re
from typing import Final

from rich.cells import cell_len

# Complete control sequences (CSI; OSC, DCS and the like up to their end), so that no remains of them are shown.
_SEQUENCE: Final = re.compile(r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]*+(?:\x07|\x1b\\|\x9c)")
# What else a terminal obeys: C0 but tab and line feed, DEL, C1, bidirectional marks and overrides, tags.
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_LINE_END: Final = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """The text without anything that a terminal obeys but line feeds; tabs become four blanks."""
    text = _CONTROL.sub("", _LINE_END.sub("\n", _SEQUENCE.sub("", text)))
    return without_surrogates(text).expandtabs(4)


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for halves of UTF-16 pairs, which no encoding of Unicode can hold."""
    return _SURROGATE.sub("\ufffd", text)


def plain_json(text: str) -> str:
    """JSON text with escapes for what a terminal obeys; it reads as the same values."""
    return _CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """The text made plain, in one line: line ends are shown as ``⏎``, runs of blanks as one."""
    lines = [" ".join(line.split()) for line in plain(text).strip().split("\n")]
    return " ⏎ ".join(line for line in lines if line)


def cut_end(text: str, cells: int) -> str:
    """The text, with ``…`` for what goes beyond that many cells of a terminal."""
    if cell_len(text) <= cells:
        return text
    kept = text[: max(cells, 0)]
    while kept and cell_len(kept) > cells - 1:
        kept = kept[:-1]
    return kept + "…"
