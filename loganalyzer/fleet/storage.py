"""Bundles in object storage: what lies below a URL, and a copy of one bundle on the disk of the machine that scans it.

Credentials come from the environment, as the libraries of the storages read them; a URL carries none.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from fsspec import AbstractFileSystem
from fsspec.callbacks import Callback
from fsspec.core import url_to_fs

from loganalyzer.errors import UsageError

#: The schemes that are read, and the extra that brings what reads them.
SCHEMES: Final[Mapping[str, str | None]] = {
    "file": None,
    "memory": None,
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
    "s3": "s3",
}
#: Two letters at least: ``C://`` begins a path of Windows.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_GLOB: Final = re.compile(r"[*?\[]")
_CREDENTIALS: Final = "give credentials in the environment: docs/object-storage.md names the variables"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object below a URL: its path below it (empty: the object is what the URL names), its size in bytes, and the
    mark that the storage changes with its content.
    """

    path: str
    size: int
    etag: str | None


def is_url(source: str) -> bool:
    """Whether a source is a URL, and no path of this machine."""
    return _SCHEME.match(source) is not None


def local_path(url: str) -> str | None:
    """The path that a ``file://`` URL names; null for other URLs."""
    if not url.lower().startswith("file://"):
        return None
    _, path = _opened(url)
    return path


def fitting(url: str) -> list[str]:
    """The URLs that a glob fits, sorted; a URL without the characters of a glob is itself.

    Raises:
        UsageError: nothing fits, or the storage cannot be read.
    """
    if not _GLOB.search(url):
        return [url.rstrip("/")]
    storage, path = _opened(url)
    found = sorted(_told(url, lambda: storage.glob(path)))
    if not found:
        raise UsageError(f"nothing fits {url}", None, "give folders, files or globs of bundles")
    return [_url(url, storage.unstrip_protocol(one)) for one in found]


def below(url: str) -> list[Stored]:
    """All objects of a URL, sorted by path: those in all its folders, or the one that it names.

    Raises:
        UsageError: there is nothing, or the storage cannot be read.
    """
    storage, root = _opened(url)
    found = _told(url, lambda: _found(storage, root))
    if not found:
        raise UsageError(f"there is nothing at {url}", None, "give the URL of a bundle, or of what bundles lie below")
    return sorted((_stored(root, name, info) for name, info in found.items()), key=lambda one: one.path)


def _found(storage: AbstractFileSystem, root: str) -> Mapping[str, Mapping[str, Any]]:
    """What the storage tells of each object, by path. Not every storage answers ``find`` for an object itself."""
    if storage.isfile(root):
        return {root: storage.info(root)}
    found: Mapping[str, Mapping[str, Any]] = storage.find(root, detail=True)
    return found


def joint_etag(objects: list[Stored]) -> str | None:
    """One mark for several objects; null if one of them has none."""
    if any(one.etag is None for one in objects):
        return None
    told = "\n".join(f"{one.path}\t{one.size}\t{one.etag}" for one in objects)
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


@contextlib.contextmanager
def at_hand(path: str, seconds: float) -> Iterator[Path]:
    """A bundle as a path of this machine: where it lies, or a copy of what the URL names that is removed at the end.

    Raises:
        TooSlowError: it was not copied within these seconds.
        OSError: it cannot be copied.
        UsageError: the storage cannot be read.
    """
    if not is_url(path):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="loganalyzer-") as folder:
        yield _copied(path, Path(folder), seconds)


def _copied(url: str, folder: Path, seconds: float) -> Path:
    deadline = time.monotonic() + seconds
    objects = below(url)
    size, free = sum(one.size for one in objects), shutil.disk_usage(folder).free
    if size > free:
        raise OSError(errno.ENOSPC, f"a copy of it takes {size >> 20} MiB, and {folder} has {free >> 20} MiB left")
    storage, root = _opened(url)
    copy = folder / _file_name(PurePosixPath(root).name or "bundle")
    here = [_beneath(copy, one.path) for one in objects]
    for path in here:
        path.parent.mkdir(parents=True, exist_ok=True)
    there = [f"{root.rstrip('/')}/{one.path}" if one.path else root for one in objects]
    _told(url, lambda: storage.get(there, [str(path) for path in here], callback=_Clock(deadline, seconds)))
    return copy


class TooSlowError(OSError):
    """A copy was not there in the time that it may take."""


class _Clock(Callback):  # type: ignore[misc]  # fsspec has no types
    """Ends a copy that takes too long, between two pieces of it."""

    def __init__(self, deadline: float, seconds: float) -> None:
        super().__init__()
        self._deadline = deadline
        self._seconds = seconds

    def call(self, *names: Any, **values: Any) -> None:
        if time.monotonic() > self._deadline:
            raise TooSlowError(errno.ETIMEDOUT, f"it was not copied within {self._seconds:g} seconds")

    def branched(self, path_1: str, path_2: str, **options: Any) -> Callback:
        return self


def _beneath(copy: Path, path: str) -> Path:
    """Where an object goes; a name that would leave the folder of its bundle is no name of a file."""
    steps = path.split("/") if path else []
    if any(step in ("", ".", "..") or "\0" in step or _file_name(step) != step for step in steps):
        raise OSError(errno.EINVAL, f"the object {path!r} has a name that no file can have")
    return copy.joinpath(*steps)


def _file_name(step: str) -> str:
    """The step without what separates paths on this machine."""
    return step.replace(os.sep, "_").replace(os.altsep or os.sep, "_").replace(":", "_" if os.name == "nt" else ":")


def _stored(root: str, name: str, info: Mapping[str, Any]) -> Stored:
    etag = info.get("ETag") or info.get("etag")
    return Stored(name.removeprefix(root).lstrip("/"), int(info.get("size") or 0), None if etag is None else str(etag))


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    """The storage of a URL, and the path in it.

    Raises:
        UsageError: the URL has another scheme or a secret, or what reads this scheme is not installed.
    """
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    if scheme not in SCHEMES or "::" in url:
        known = ", ".join(f"{one}://" for one in SCHEMES if one != "memory")
        raise UsageError(f"{scheme}:// is no storage that is read", None, f"give a path, or a URL with one of {known}")
    parts = urlsplit(url)
    if "sig=" in parts.query.lower() or parts.password is not None:
        what = f"the URL of {parts.hostname} has a secret in it, and URLs are written to logs and reports"
        raise UsageError(what, None, _CREDENTIALS)
    try:
        storage, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        help = f"install it: pip install 'azure-vm-loganalyzer[{SCHEMES[scheme]}]'"
        raise UsageError(f"{scheme}:// needs a package that is not installed: {error}", None, help) from error
    except Exception as error:  # each storage has errors of its own
        raise _unreadable(url, error) from error
    return storage, path.rstrip("/")


def _told(url: str, asked: Callable[[], _Answer]) -> _Answer:
    """The storage's answer.

    Raises:
        UsageError: it has none; each storage has errors of its own.
    """
    try:
        return asked()
    except TooSlowError:
        raise
    except Exception as error:
        raise _unreadable(url, error) from error


def _unreadable(url: str, error: Exception) -> UsageError:
    told = str(error).strip().splitlines() or [""]
    why = "there is nothing" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {told[0]}"
    help = (
        "give the URL of a bundle or of a folder of them, and credentials in the environment (docs/object-storage.md)"
    )
    return UsageError(f"cannot read {url}: {why}", None, help)


def _url(asked: str, found: str) -> str:
    """A URL of the storage with the host that was asked for: an account that stands in it is part of it."""
    account = urlsplit(asked).netloc
    container, at, _ = account.partition("@")
    scheme, rest = asked.partition("://")[0], found.partition("://")[2].lstrip("/")
    return f"{scheme}://{account}{rest.removeprefix(container)}" if at else f"{scheme}://{rest}"
