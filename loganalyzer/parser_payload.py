"""The parser kit for text that a message carries in base64, plain or compressed: it is read, never run.

Extensions hand scripts and documents on in this form. What stands under the name of a secret stays as it is
(linux.md 3.12), and so does what is no text behind the encoding: keys, hashes, encrypted settings.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

import polars as pl

#: Characters of an encoded payload that are read, and of what they hold: a few KiB can unpack to gigabytes.
ENCODED_LIMIT = 64 * 1024
PAYLOAD_LIMIT = 8 * 1024

#: What every payload holds.
ENCODED = "[A-Za-z0-9+/]{40}"
_RUN = r"(?:^|[^A-Za-z0-9+/=_.-])(?P<run>[A-Za-z0-9+/]{40,}={0,2})(?:$|[^A-Za-z0-9+/=_-])"
_SECRET_BEFORE = re.compile(
    r"(?:protectedSettings|objectStr|token|sig|signature|password|pwd|key|secret|credential|thumbprint|customdata)"
    r"\w{0,20}[\\\"']{0,4}\s*[:=]\s*[\\\"']{0,4}\Z",
    re.IGNORECASE,
)
#: A text that holds a secret is left alone as a whole: behind the cut nobody could see where the secret ends.
_SECRET_INSIDE = re.compile(
    r"protectedSettings|objectStr|SASUri|BlobUri|token|[?&]sig=|passw(?:or)?d|pwd\s*=|secret|credential|private key"
    r"|AccountKey",
    re.IGNORECASE,
)
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


def with_payloads(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds ``payload``: the text that the first run of base64 in ``message`` holds, cut to its limit; else null."""
    likely = rows["message"].str.contains(_RUN).fill_null(False)
    texts = rows["message"].filter(likely).to_list()
    found = {text: payload_of(text) for text in dict.fromkeys(texts)}
    values = [found.get(text) for text in rows["message"]] if found else [None] * rows.height
    return rows.with_columns(pl.Series("payload", values, dtype=pl.String))


def payload_of(message: str) -> str | None:
    """The text behind the first run of base64 that holds any; UTF-8 or UTF-16, plain or packed by zlib or gzip."""
    for run in re.finditer(_RUN, message):
        if _SECRET_BEFORE.search(message, max(0, run.start("run") - 80), run.start("run")):
            continue
        if (text := _text_in(run["run"][:ENCODED_LIMIT])) is not None:
            return text[:PAYLOAD_LIMIT]
    return None


def _text_in(run: str) -> str | None:
    body = run.rstrip("=")
    try:
        data = base64.b64decode(body[: len(body) // 4 * 4] if len(body) % 4 == 1 else body + "=" * (-len(body) % 4))
        if data.startswith((b"\x1f\x8b\x08", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")):
            data = zlib.decompressobj(47).decompress(data, 4 * PAYLOAD_LIMIT)
        text = data.decode("utf-16-le") if data[1:16:2].count(0) > 4 else _utf_8(data)
    except (binascii.Error, zlib.error, UnicodeDecodeError):
        return None
    if not text or _NO_TEXT.search(text) or _SECRET_INSIDE.search(text) or not re.search(r"\s|[{<]", text):
        return None
    return text


def _utf_8(data: bytes) -> str:
    """A last character that a limit cut is left out."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if len(data) - error.start > 3:
            raise
        return data[: error.start].decode()
