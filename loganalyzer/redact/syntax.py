"""How a value is written down: quotes at any depth of escaping, brackets, XML, bare words.

All scans go left to right and never try a character twice for the same purpose (possessive quantifiers), so that
hostile text costs linear time.
"""

from __future__ import annotations

import html
from typing import Final
from urllib.parse import unquote

from loganalyzer.possessive import compile_possessive

#: A quote of JSON, Python, XML or a percent-encoded URL, with the backslashes that escape it.
QUOTE: Final = (
    r"""(?:\\*+(?:["']|(?<=\\)u002[27]|&(?:amp;)*+(?:quot|\#34|apos|\#39);)"""
    r"""|(?:%(?:25)*+5[cC])*+%(?:25)*+2[27])"""
)

_MARK: Final = compile_possessive(r"""["']|u002[27]|&|%(?:25)*+2[27]""")

#: White space, also as JSON and URLs write it.
SPACE: Final = r"(?:\s|%20|\\++[nrt](?![A-Za-z]))*+"

_BRACKETS: Final = compile_possessive(rf"(?P<quote>{QUOTE})|(?P<open>[\[{{])|(?P<close>[\]}}])")

# What may follow a separator inside a bare value: "a,b" is one value, "a, b" and "a,user=b" are two.
_NEXT: Final = r"(?=\s|$|[\w .-]{1,40}[=:])"
_ENTITY: Final = r"(?=(?:amp;)*+(?:quot|apos|lt|gt|\#34|\#39|[\w.-]{1,40}=))"
_ESCAPED: Final = r"(?=[\"'nr]|u00)"

_BARE: Final = compile_possessive(
    rf"""(?:[^\s"'<>,;&\\]|,(?!{_NEXT})|;(?!{_NEXT})|&(?!{_ENTITY})|\\++(?!{_ESCAPED}))*+"""
)
_BARE_ENCODED: Final = compile_possessive(r"""(?:[^\s"'<>,;&\\%]|%(?!(?:25)*(?:2[0267cC]|3[bBcCeE]|0[aAdD])))*+""")

# JSON escapes of characters that secrets hold: \/ and \u0026 (.NET writes & = + ' < > so).
_JSON_ESCAPE: Final = compile_possessive(r"\\+u00([0-9A-Fa-f]{2})|\\+(?=[\"'/\\])")


def quoted_end(text: str, start: int, quote: str) -> tuple[int, int]:
    r"""End of the value that starts after ``quote``, and the position after its closing quote.

    A value in ``\"`` may hold ``\\\"``: escaped once more, that quote belongs to the value. A value that is never
    closed reaches to the end.
    """
    found = _MARK.search(quote)
    mark = quote[found.start() :] if found else quote
    escape = mark[:-2] + "5C" if mark.startswith("%") else "\\"
    depth = (len(quote) - len(mark)) // len(escape)
    at = text.find(mark, start)
    while at != -1:
        run = _escapes_before(text, at, start, escape)
        if _closes(mark, depth, run):
            return at - min(run, depth) * len(escape), at + len(mark)
        at = text.find(mark, at + len(mark))
    return len(text), len(text)


def _escapes_before(text: str, at: int, floor: int, escape: str) -> int:
    """How many times ``escape`` (in either case) stands right before ``at``."""
    width, begin = len(escape), at
    while begin - width >= floor and text[begin - width : begin].upper() == escape:
        begin -= width
    return (at - begin) // width


def _closes(mark: str, depth: int, run: int) -> bool:
    """Whether a quote after ``run`` backslashes ends a string whose own quotes have ``depth`` of them."""
    if mark.startswith("u00"):  # each level doubles the backslash: \u0022, \\u0022
        return 0 < run <= depth
    for _ in range((depth + 1).bit_length() - 1):
        if run % 2 == 0:
            return True  # an outer string ends here, and all inner ones with it
        run = (run - 1) // 2
    return run % 2 == 0


def bracket_end(text: str, start: int) -> int:
    """The position after the bracket that closes the one at ``start``; the end of the text if none does."""
    open_brackets, at = 0, start
    while (piece := _BRACKETS.search(text, at)) is not None:
        at = piece.end()
        if piece.lastgroup == "quote":
            _, at = quoted_end(text, at, piece.group())
        else:
            open_brackets += 1 if piece.lastgroup == "open" else -1
            if open_brackets == 0:
                return at
    return len(text)


def bare_end(text: str, start: int, *, encoded: bool) -> int:
    """End of a value without quotes. ``encoded``: its separator was percent-encoded, so the next one is, too."""
    found = (_BARE_ENCODED if encoded else _BARE).match(text, start)
    end = found.end() if found else start
    while end > start and text[end - 1] in ".:)]},":
        end -= 1
    return end


def line_end(text: str, start: int) -> int:
    """The position of the next line end, or the end of the text."""
    at = text.find("\n", start)
    return len(text) if at == -1 else at


def canonical(value: str) -> str:
    """The value without the escapes of JSON, XML and URLs, so that one secret is one secret in every syntax."""
    plain = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", value)
    return unquote(html.unescape(html.unescape(plain)), errors="replace")
