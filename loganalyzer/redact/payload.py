"""Text behind an encoding: base64, hexadecimal digits, and what is packed inside of them."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Final

from loganalyzer.possessive import compile_possessive

#: Bytes that are unpacked of one payload: a few KiB can hold gigabytes.
UNPACKED_LIMIT: Final = 4 * 1024 * 1024

_PACKED: Final = (b"\x1f\x8b\x08", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_HEX: Final = compile_possessive(r"(?:[0-9A-Fa-f]{2})++")
_SPACES: Final = compile_possessive(r"\\++[nr/]|[\s\\,]++")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd]")


def texts_behind(written: str) -> tuple[list[str], bool]:
    """The texts that an encoded run may hold, and whether there is more behind it than was unpacked.

    ``written``: base64 (also of URLs), or hexadecimal digits with or without commas; line ends and JSON's escapes of
    them and of ``/`` may stand in it.
    """
    plain = _SPACES.sub(lambda found: "/" if found[0].endswith("/") else "", written)
    texts, is_cut = [], False
    for data in _decoded(plain):
        unpacked, more = _unpacked(data)
        is_cut = is_cut or more
        if (text := text_of(unpacked)) is not None:
            texts.append(text)
    return texts, is_cut


def _decoded(plain: str) -> list[bytes]:
    if _HEX.fullmatch(plain):
        return [bytes.fromhex(plain)]
    body = plain.rstrip("=").replace("-", "+").replace("_", "/")
    body = body[: len(body) // 4 * 4] if len(body) % 4 == 1 else body
    try:
        return [base64.b64decode(body + "=" * (-len(body) % 4), validate=True)]
    except (binascii.Error, ValueError):
        return []


def _unpacked(data: bytes) -> tuple[bytes, bool]:
    if not data.startswith(_PACKED):
        return data, False
    unpacker = zlib.decompressobj(47)
    try:
        unpacked = unpacker.decompress(data, UNPACKED_LIMIT)
    except zlib.error:
        return data, False
    return unpacked, bool(unpacker.unconsumed_tail)


def text_of(data: bytes) -> str | None:
    """UTF-8 or UTF-16 text, or None: it is none."""
    head = data[:512]
    for zeros, encoding in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
        if len(head) > 3 and zeros.count(0) * 3 > len(zeros) and (b"\0" in zeros):
            text = data[: len(data) & ~1].decode(encoding, errors="replace").replace("\0", "\n")
            return None if _is_noise(text) else text
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if len(data) - error.start > 3:
            return None
        text = data[: error.start].decode()
    return text.replace("\0", "\n") if text and not _is_noise(text) else None


def _is_noise(text: str) -> bool:
    sample = text[:4096].replace("\0", "")
    return not sample or len(_CONTROLS.findall(sample)) * 20 > len(sample)
