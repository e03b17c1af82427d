"""What each token stands for, in an encrypted file: ``--redact-map``.

The file is one JSON object: ``format`` (``loganalyzer/redaction-map/1``), ``secret`` (``passphrase`` or ``key-file``),
``kdf`` (scrypt with ``n``, ``r``, ``p`` and ``salt``), ``nonce`` and ``data``, bytes in base64. ``data`` is AES-256-GCM
of a JSON object from token to value; the bytes of ``format`` are its associated data. The key is scrypt of the
passphrase in UTF-8, or of the bytes of the file of ``--redact-key``. Salt and nonce are random: no two files are equal.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from loganalyzer.errors import Location, UsageError

FORMAT: Final = "loganalyzer/redaction-map/1"
PASSPHRASE: Final = "passphrase"  # noqa: S105  (the name of one)
KEY_FILE: Final = "key-file"

#: Cost of scrypt: 64 MiB and some tenths of a second. A file may ask for this much at most.
_N, _R, _P = 1 << 16, 8, 1
_KEY_BYTES: Final = 32


def refuse_to_overwrite_map(path: Path) -> None:
    """
    Raises:
        UsageError: there is something at the path already, or what encrypts is not installed.
    """
    _cryptography()
    if os.path.lexists(path):
        help = "give --redact-map another file, or move that one away: it may be the only key to earlier tokens"
        raise UsageError("there is a file already, which is not overwritten", Location(str(path)), help)


def write_map(path: Path, values: Mapping[str, str], secret: bytes, kind: str) -> None:
    """Writes the values by their tokens to a new file that only its owner can read.

    Raises:
        UsageError: the file exists or cannot be written, or what encrypts is not installed.
    """
    salt, nonce = os.urandom(16), os.urandom(12)
    plain = json.dumps(dict(values), ensure_ascii=True).encode()
    kdf = {"name": "scrypt", "n": _N, "r": _R, "p": _P, "salt": _text(salt)}
    sealed = _cipher(secret, salt, _N).encrypt(nonce, plain, FORMAT.encode())
    whole = {"format": FORMAT, "secret": kind, "kdf": kdf, "nonce": _text(nonce), "data": _text(sealed)}
    refuse_to_overwrite_map(path)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(json.dumps(whole, indent=1) + "\n")
    except OSError as error:
        help = "give --redact-map a new file in a writable folder"
        raise UsageError(f"the map cannot be written: {error.strerror}", Location(str(path)), help) from error


def kind_of_secret(path: Path) -> str:
    """What opens a map: ``passphrase`` or ``key-file``.

    Raises:
        UsageError: the file cannot be read, or is no map.
    """
    return str(_read(path)["secret"])


def open_map(path: Path, secret: bytes) -> dict[str, str]:
    """The values by their tokens.

    Raises:
        UsageError: the file is no map, was changed, or is sealed with another secret.
    """
    whole = _read(path)
    from cryptography.exceptions import InvalidTag

    try:
        salt, nonce, data = (_bytes(one) for one in (whole["kdf"]["salt"], whole["nonce"], whole["data"]))
        plain = _cipher(secret, salt, whole["kdf"]["n"]).decrypt(nonce, data, FORMAT.encode())
        values: dict[str, str] = json.loads(plain)
    except (InvalidTag, ValueError, KeyError, TypeError) as error:
        help = f"it was sealed with a {whole['secret']}: give that one"
        raise UsageError(
            "the map does not open: another secret, or a damaged file", Location(str(path)), help
        ) from error
    return values


def _read(path: Path) -> dict[str, Any]:
    _cryptography()
    try:
        whole = json.loads(path.read_bytes())
        if whole["format"] == FORMAT and whole["secret"] in (PASSPHRASE, KEY_FILE) and whole["kdf"]["n"] <= _N:
            return dict(whole)
    except OSError as error:
        raise UsageError(f"the map cannot be read: {error.strerror}", Location(str(path))) from error
    except (ValueError, KeyError, TypeError):
        pass
    raise UsageError("this is no map of tokens", Location(str(path)), "name a file that --redact-map wrote")


def _cipher(secret: bytes, salt: bytes, n: int) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return AESGCM(Scrypt(salt=salt, length=_KEY_BYTES, n=n, r=_R, p=_P).derive(secret))


def _cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        help = "install it with: python3 -m pip install 'azure-vm-loganalyzer[crypto]'"
        raise UsageError("a map of tokens needs the package cryptography", None, help) from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
