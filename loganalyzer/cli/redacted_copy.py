"""Where a redacted copy goes: a folder, a zip or a tar.gz, whole or not at all, the same bytes each time."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from loganalyzer.errors import Location, UsageError
from loganalyzer.redact.copy import CopiedFile

_TIME: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644


def refuse_to_overwrite(output: Path, force: bool) -> None:
    """
    Raises:
        UsageError: something is there and ``force`` is not given, or it is neither a folder nor a file.
    """
    if not os.path.lexists(output):
        return
    if not force:
        raise UsageError("-o names what is there already", Location(str(output)), "give --force, or another name")
    if not (output.is_dir() or output.is_file()) or output.is_symlink():
        raise UsageError("-o names no folder and no file", Location(str(output)), "give another name")


def write_copy(output: Path, files: Iterable[CopiedFile], force: bool) -> int:
    """Writes all files beside the output and puts them in its place at the end; how many there were.

    Raises:
        UsageError: it cannot be written there.
    """
    name = output.name.lower()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
            made = Path(folder, "new")
            if name.endswith(".zip"):
                count = _zip(made, files)
            elif name.endswith((".tar.gz", ".tgz")):
                count = _tar(made, files)
            else:
                count = _folder(made, files)
            refuse_to_overwrite(output, force)
            _put(made, output, Path(folder, "old"))
    except OSError as error:
        help = "give -o a new name in a writable folder"
        raise UsageError(
            f"the copy cannot be written: {error.strerror or error}", Location(str(output)), help
        ) from error
    return count


def _put(made: Path, output: Path, old: Path) -> None:
    if os.path.lexists(output):
        output.rename(old)
    try:
        made.rename(output)
    except OSError:
        if os.path.lexists(old):
            old.rename(output)
        raise
    if old.is_dir():
        shutil.rmtree(old)


def _folder(root: Path, files: Iterable[CopiedFile]) -> int:
    root.mkdir()
    count = 0
    for one in files:
        path = root.joinpath(*one.path.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.data)
        count += 1
    return count


def _zip(path: Path, files: Iterable[CopiedFile]) -> int:
    count = 0
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for one in files:
            info = zipfile.ZipInfo(one.path, _TIME)
            info.external_attr = _MODE << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, one.data)
            count += 1
    return count


def _tar(path: Path, files: Iterable[CopiedFile]) -> int:
    count = 0
    with (
        path.open("xb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for one in files:
            info = tarfile.TarInfo(one.path)
            info.size, info.mode = len(one.data), _MODE
            archive.addfile(info, io.BytesIO(one.data))
            count += 1
    return count
