"""Writing a file that a user names."""

from __future__ import annotations

import os
from pathlib import Path

from loganalyzer.errors import UsageError


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file whole or not at all, text in UTF-8: another process may be reading it.

    Raises:
        UsageError: it cannot be written there.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():  # a device or a pipe is written to, not replaced
            path.write_bytes(data)
            return
        path = path.resolve()
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            new.write_bytes(data)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        help = "give -o a file in a writable folder"
        raise UsageError(f"cannot write {path}: {error.strerror}", None, help) from error
