"""Searches that were made ready, kept in the user's cache folder, so that the next scan need not make them again.

What is kept is bytes that a library reads back without checking them: a file is used only if it is the user's own, no
one else can write to it or to its folder, and its checksum is right. Without a folder, or without a right to it, all is
as if nothing were kept. ``LOGANALYZER_CACHE=off`` keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

#: Files that are kept, those used last. Each is made for the signatures of one release, or with one's own.
MOST_FILES = 16
#: Bytes of one; that of the built-in signatures has 120,000.
LARGEST = 16 << 20

_SUFFIX = ".search"
_CHECKSUM = hashlib.sha256().digest_size


def key_of(parts: Sequence[bytes]) -> str:
    """Of all that a search is made of: other parts, or the same ones cut otherwise, have another key."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little") + part)
    return whole.hexdigest()


def recalled(key: str) -> bytes | None:
    """What was kept under a key. None: nothing, or nothing that can be trusted."""
    folder = _folder()
    if folder is None:
        return None
    path = folder / (key + _SUFFIX)
    with suppress(OSError):
        if not _is_ours(folder) or not _is_ours(path) or path.stat().st_size > LARGEST + _CHECKSUM:
            return None
        raw = path.read_bytes()
        if hashlib.sha256(raw[_CHECKSUM:]).digest() == raw[:_CHECKSUM]:
            with suppress(OSError):
                os.utime(path)
            return raw[_CHECKSUM:]
    return None


def keep(key: str, content: bytes) -> None:
    """Keeps what a search is, for the next time; that it cannot be kept is no error."""
    folder = _folder()
    if folder is None or len(content) > LARGEST:
        return
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(hashlib.sha256(content).digest() + content)
        Path(file.name).replace(folder / (key + _SUFFIX))
        _forget_the_oldest(folder)


def _folder() -> Path | None:
    if os.environ.get("LOGANALYZER_CACHE", "").lower() in ("off", "0", "no", "false"):
        return None
    import platformdirs  # only a scan of a long log asks

    with suppress(OSError, RuntimeError):  # a user without a home
        return platformdirs.user_cache_path("loganalyzer", appauthor=False)
    return None


def _is_ours(path: Path) -> bool:
    """Whether nobody else can have written it. Windows' cache folder is the user's own by its rights."""
    if os.name == "nt":
        return True
    status = path.lstat()
    kept = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return kept and status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _forget_the_oldest(folder: Path) -> None:
    kept = sorted(folder.glob("*" + _SUFFIX), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[MOST_FILES:]:
        path.unlink(missing_ok=True)
