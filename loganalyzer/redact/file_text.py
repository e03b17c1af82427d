"""A file as text and back again, byte for byte where nothing was changed."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Control characters that text does not have; a NUL is padding.
_CONTROLS: Final = bytes(byte for byte in range(1, 32) if byte not in b"\b\t\n\v\f\r\x1b")


@dataclass(frozen=True, slots=True)
class FileText:
    """``head`` and ``tail`` are bytes around the text: a byte order mark, half a character.

    ``odd``: numbers of the lines that are Windows-1252 in a file that else is UTF-8.
    """

    text: str
    encoding: str
    head: bytes = b""
    tail: bytes = b""
    odd: frozenset[int] = frozenset()

    def encoded(self, text: str) -> bytes:
        """Another text of as many lines in the encoding of this one."""
        if not self.odd:
            return self.head + text.encode(self.encoding, errors="surrogatepass") + self.tail
        lines = text.split("\n")
        return self.head + b"\n".join(_odd(line) if n in self.odd else line.encode() for n, line in enumerate(lines))


def read_text(data: bytes) -> FileText | None:
    """The text of a file in UTF-8, UTF-16 or Windows-1252; None: it is no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _utf_16(data, encoding, mark) if encoding != "utf-8" else _utf_8(data[len(mark) :], mark)
    told = _utf_16_without_mark(data)
    if told is not None:
        return _utf_16(data, told, b"")
    return None if _is_binary(data) else _utf_8(data, b"")


def _utf_16(data: bytes, encoding: str, mark: bytes) -> FileText | None:
    end = len(data) - (len(data) - len(mark)) % 2
    text = data[len(mark) : end].decode(encoding, errors="surrogatepass")
    try:
        text.encode(encoding, errors="surrogatepass")
    except UnicodeError:
        return None
    return FileText(text, encoding, mark, data[end:])


def _utf_16_without_mark(data: bytes) -> str | None:
    """As `loganalyzer.parser` tells it: by zeros in every other byte of the beginning."""
    head = data.lstrip(b"\0")[:4096] if len(data) % 2 == 0 else data[:4096]
    head = data[(len(data) - len(data.lstrip(b"\0"))) & ~1 :][:4096] or head
    units = [unit for unit in zip(head[::2], head[1::2], strict=False) if unit != (0, 0)]
    if b"\0" not in head or len(head) < 16 or not units:
        return None
    low, high = sum(not unit[0] for unit in units), sum(not unit[1] for unit in units)
    for zeros, others, encoding in ((high, low, "utf-16-le"), (low, high, "utf-16-be")):
        if zeros * 10 > len(units) * 3 and others == 0:
            return encoding
    return None


def _is_binary(data: bytes) -> bool:
    plain = data.replace(b"\0", b"")
    return (len(plain) - len(plain.translate(None, _CONTROLS))) * 20 > len(plain) or len(plain) * 2 < len(data)


def _utf_8(data: bytes, mark: bytes) -> FileText:
    try:
        return FileText(data.decode(), "utf-8", mark)
    except UnicodeDecodeError:
        pass
    lines, odd = [], set()
    for number, line in enumerate(data.split(b"\n")):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            lines.append(line.decode("cp1252", errors="surrogateescape"))
            odd.add(number)
    return FileText("\n".join(lines), "utf-8", mark, b"", frozenset(odd))


def _odd(line: str) -> bytes:
    return line.encode("cp1252", errors="surrogateescape")
