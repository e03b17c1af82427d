"""The hash by which a bundle is known again, whatever its name and the times of its files."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path


def content_sha256(bundle: Path) -> str:
    """The hash of a bundle as it lies there: of a file its bytes, of a folder the paths and bytes of all regular files,
    by path.

    Raises:
        OSError: something cannot be read; so are devices and pipes, which may never end.
    """
    if bundle.is_file():
        return _file_sha256(bundle)
    if not bundle.is_dir():
        bundle.stat()  # raises what is wrong, if it is not there
        raise OSError(errno.EINVAL, "it is neither a regular file nor a folder")
    whole = hashlib.sha256()
    for path in sorted(path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink()):
        name = path.relative_to(bundle).as_posix().encode("utf-8", "surrogateescape")
        whole.update(b"%d\n%s %s\n" % (len(name), name, _file_sha256(path).encode()))
    return whole.hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
