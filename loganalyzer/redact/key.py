"""The key of ``--redact-key``: with it a value has the same token in every bundle, which nobody else can compute."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from loganalyzer.errors import Location, UsageError

SHORTEST_KEY: Final = 16
#: Bytes of a key file that are read: what is longer is no key but a file named by mistake.
_LONGEST_KEY: Final = 64 * 1024
_DIGITS: Final = 16


def read_key(path: Path) -> bytes:
    """The bytes of a key file, as they are.

    Raises:
        UsageError: it cannot be read, or has fewer than 16 bytes or more than 64 KiB.
    """
    help = f"give --redact-key a file of at least {SHORTEST_KEY} random bytes: head -c 32 /dev/urandom > redact.key"
    try:
        with path.open("rb") as file:
            key = file.read(_LONGEST_KEY + 1)
    except OSError as error:
        raise UsageError(f"the key cannot be read: {error.strerror}", Location(str(path)), help) from error
    if len(key) < SHORTEST_KEY:
        raise UsageError(f"the key has {len(key)} bytes, which is too short", Location(str(path)), help)
    if len(key) > _LONGEST_KEY:
        raise UsageError(f"the key has more than {_LONGEST_KEY} bytes", Location(str(path)), help)
    return key


def keyed_digits(key: bytes, kind: str, value: str) -> str:
    """16 hexadecimal digits: the beginning of HMAC-SHA256 over the kind, a NUL and the value in UTF-8."""
    told = f"{kind}\0{value}".encode("utf-8", errors="surrogatepass")
    return hmac.new(key, told, hashlib.sha256).hexdigest()[:_DIGITS]
