"""Uploads: names that stay in their folder, and parts of files that are on disk before their client hears of it.

What was received of a file is the file itself, so that a part that a crash cut off is told by its length, and the
client goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect

from loganalyzer.intake.limits import in_words
from loganalyzer.web.problems import ProblemError, busy, no_room, not_found
from loganalyzer.web.rows import Scan, Upload, UploadFile, User
from loganalyzer.web.settings import MIB, ServerSettings
from loganalyzer.web.store import Store, new_id, now

#: What no part of a name may hold: controls, and what separates folders or drives somewhere.
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f/\\]|^\.{1,2}$|^[A-Za-z]:")
_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 1024
_DEEPEST: Final = 40
#: Bytes that are left free on the disk of the data folder.
_SPARE: Final = 256 * MIB


@dataclass(frozen=True, slots=True)
class Named:
    """A file that is to come: its path within the upload and its size in bytes."""

    path: str
    size: int


def safe_path(path: str) -> str:
    """A path within an upload, with slashes.

    Raises:
        ProblemError: it leaves its folder, or a part of it is no name that a file can have.
    """
    parts = path.replace("\\", "/").split("/")
    bad = any(not part or _FORBIDDEN.search(part) or _length(part) > _LONGEST_NAME for part in parts)
    if bad or len(parts) > _DEEPEST or _length(path) > _LONGEST_PATH:
        raise ProblemError(422, "bad-path", f"{path[:200]!r} is no name that a file of an upload can have")
    return "/".join(parts)


def _length(name: str) -> int:
    """Bytes of a name; half a surrogate pair makes it longer than any."""
    try:
        return len(name.encode())
    except UnicodeEncodeError:
        return _LONGEST_PATH + 1


class Uploads:
    """The uploads of one server."""

    def __init__(self, settings: ServerSettings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._at_work: set[tuple[str, int]] = set()
        self._parts = 0

    def create(self, user: User, files: Sequence[Named]) -> Upload:
        """A new upload, whose files are empty so far.

        Raises:
            ProblemError: too many or too large files, a bad or doubled name, or no room.
        """
        most = self._settings.upload_files
        if not 1 <= len(files) <= most:
            raise ProblemError(422, "too-many", f"an upload has 1 to {most:,} files; pack them into one archive")
        total = sum(one.size for one in files)
        if total > self._settings.upload_bytes:
            raise ProblemError(413, "too-large", f"an upload may have {in_words(self._settings.upload_bytes)}")
        self._check_room(user, total)
        paths = [safe_path(one.path) for one in files]
        _check_names(paths)
        upload = Upload(new_id(), user.id, now(), started=False)
        try:
            for path in paths:
                target = self._settings.upload(upload.id) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch(mode=0o600, exist_ok=False)
        except OSError as error:
            shutil.rmtree(self._settings.upload(upload.id), ignore_errors=True)
            raise _no_room(error) from None
        with self._store.change():
            self._store.add("uploads", upload)
            for number, (path, one) in enumerate(zip(paths, files, strict=True)):
                self._store.add("files", UploadFile(upload.id, number, path, one.size))
        return upload

    def _check_room(self, user: User, size: int) -> None:
        quota = self._settings.quota
        kept = self._store.count("scans", "user = ?", user.id, of="sum(stored)")
        coming = self._store.count(
            "files", "upload IN (SELECT id FROM uploads WHERE user = ? AND NOT started)", user.id, of="sum(size)"
        )
        if kept + coming + size > quota.stored_bytes:
            raise ProblemError(
                403, "quota", f"{in_words(quota.stored_bytes)} may be kept for a user: delete older scans"
            )
        if self._store.count("scans", "user = ?", user.id) >= quota.scans:
            raise ProblemError(403, "quota", f"{quota.scans:,} scans may be kept for a user: delete older ones")
        if shutil.disk_usage(self._settings.data).free < size + _SPARE:
            raise no_room()

    def of(self, user: User, upload: str) -> Upload:
        """An upload of this user.

        Raises:
            ProblemError: there is none of this id.
        """
        found = self._store.one(Upload, "uploads", "id = ? AND user = ?", upload, user.id)
        if found is None:
            raise not_found("upload")
        return found

    def files(self, upload: str) -> list[tuple[UploadFile, int]]:
        """Its files and how many bytes of each are here, in the order of their numbers."""
        found = self._store.all(UploadFile, "files", "upload = ? ORDER BY number", upload)
        return [(one, self._received(one)) for one in found]

    def file(self, upload: str, number: int) -> UploadFile:
        """
        Raises:
            ProblemError: it has no file of this number.
        """
        found = self._store.one(UploadFile, "files", "upload = ? AND number = ?", upload, number)
        if found is None:
            raise not_found("file")
        return found

    def _place(self, file: UploadFile) -> Path:
        return self._settings.upload(file.upload) / file.path

    def _received(self, file: UploadFile) -> int:
        with contextlib.suppress(OSError):
            return self._place(file).stat().st_size
        return 0

    async def append(self, upload: Upload, file: UploadFile, offset: int, stream: AsyncIterator[bytes]) -> int:
        """Adds a part at the end of the file; how many bytes are here now, all of them on disk.

        Raises:
            ProblemError: the file ends elsewhere, the part is too long, too much is going on, or the disk is full.
        """
        if upload.started:
            raise ProblemError(409, "conflict", "the scan of this upload was started; make a new upload")
        with self._working_on(file):
            here = self._received(file)
            if offset != here:
                raise ProblemError(
                    409, "wrong-offset", f"the file has {here} bytes: go on from there", {"Upload-Offset": str(here)}
                )
            most = min(self._settings.part_bytes, file.size - here)
            return await _append(self._place(file), here, most, stream)

    @contextmanager
    def _working_on(self, file: UploadFile) -> Iterator[None]:
        key = (file.upload, file.number)
        if key in self._at_work:
            raise ProblemError(409, "conflict", "another part of this file is coming in", {"Retry-After": "1"})
        if self._parts >= self._settings.parts_at_once:
            raise busy("too many parts are coming in at once")
        self._at_work.add(key)
        self._parts += 1
        try:
            yield
        finally:
            self._at_work.discard(key)
            self._parts -= 1

    def take(self, file: UploadFile, stream: BinaryIO) -> None:
        """A whole file at once, as a form brings it.

        Raises:
            ProblemError: the disk is full.
        """
        try:
            with self._place(file).open("wb") as target:
                shutil.copyfileobj(stream, target, MIB)
                target.flush()
                os.fsync(target.fileno())
        except OSError as error:
            raise _no_room(error) from None

    def start(self, upload: Upload) -> Scan:
        """A scan of all that came; the upload takes no more.

        Raises:
            ProblemError: not all bytes are here, or the scan was started before.
        """
        files = self.files(upload.id)
        missing = [f"{one.path}: {here} of {one.size} bytes" for one, here in files if here != one.size]
        if missing:
            raise ProblemError(409, "conflict", f"not all is here: {'; '.join(missing[:3])}")
        name, size = _name_of([one for one, _ in files]), sum(here for _, here in files)
        scan = Scan(new_id(), upload.id, upload.user, name, now(), "queued", tries=0, shared=False, stored=size)
        with self._store.change():
            if not self._store.update("uploads", "id = ? AND NOT started", [upload.id], started=True):
                raise ProblemError(409, "conflict", "the scan of this upload was started before")
            self._store.add("scans", scan)
        return scan

    def scanned_path(self, scan: Scan) -> Path:
        """What is scanned: the file, if there is one and it came without a folder; else the folder that holds all."""
        files = self._store.all(UploadFile, "files", "upload = ? ORDER BY number LIMIT 2", scan.upload)
        folder = self._settings.upload(scan.upload)
        return folder / files[0].path if len(files) == 1 and "/" not in files[0].path else folder

    def delete(self, upload: str) -> None:
        """The upload and its files, first from the database: what a crash leaves of them is swept."""
        self._store.delete("uploads", "id = ?", upload)
        shutil.rmtree(self._settings.upload(upload), ignore_errors=True)

    def sweep(self) -> None:
        """Deletes folders that no upload owns."""
        folder = self._settings.data / "uploads"
        for path in folder.iterdir() if folder.is_dir() else ():
            if not self._store.count("uploads", "id = ?", path.name):
                shutil.rmtree(path, ignore_errors=True)


def _name_of(files: Sequence[UploadFile]) -> str:
    tops = {one.path.partition("/")[0] for one in files}
    return tops.pop() if len(tops) == 1 else f"{len(files)} files"


def _check_names(paths: Iterable[str]) -> None:
    """No name twice, and none that is a file and a folder."""
    seen: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        parents = [path[:place] for place, letter in enumerate(path) if letter == "/"]
        if path in seen or path in folders or not seen.isdisjoint(parents):
            raise ProblemError(422, "bad-path", f"{path[:200]!r} is there twice, or is a file and a folder")
        seen.add(path)
        folders.update(parents)


async def _append(path: Path, offset: int, most: int, stream: AsyncIterator[bytes]) -> int:
    """Writes what comes behind ``offset``; a client that goes away leaves what came of it."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0))
    written, held = 0, bytearray()
    try:
        try:
            async for chunk in stream:
                held += chunk
                if written + len(held) > most:
                    raise ProblemError(413, "too-large", f"{most} bytes may come at once here")
                if len(held) >= MIB:
                    written += await run_sync(_write, file, held)
                    held = bytearray()
        except (ClientDisconnect, asyncio.CancelledError):
            _write(file, held)
            raise
        written += await run_sync(_write, file, held)
        await run_sync(os.fsync, file)
    except ProblemError:
        os.ftruncate(file, offset)
        raise
    except OSError as error:
        os.ftruncate(file, offset)
        raise _no_room(error) from None
    finally:
        os.close(file)
    return offset + written


def _no_room(error: OSError) -> ProblemError | OSError:
    """What a full disk means to a client; any other error stays what it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return no_room()
    return error


def _write(file: int, data: bytearray) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return len(data)
