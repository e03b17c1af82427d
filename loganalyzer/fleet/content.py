"""The hash by which a bundle is known again, whatever its name and the times of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def content_sha256(bundle: Path) -> str:
    """The hash of a bundle as it lies there: of a file its bytes, of a folder the paths and bytes of all regular files,
    by path.

    Raises:
        OSError: something cannot be read.
    """
    if not bundle.is_dir():
        return _file_sha256(bundle)
    whole = hashlib.sha256()
    for path in sorted(path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink()):
        name = path.relative_to(bundle).as_posix().encode("utf-8", "surrogateescape")
        whole.update(b"%d\n%s %s\n" % (len(name), name, _file_sha256(path).encode()))
    return whole.hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
