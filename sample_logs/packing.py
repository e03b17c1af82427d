"""What a sample bundle is, and how its files become a directory, a zip or a tar: same input, same bytes."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Packing: TypeAlias = Literal["directory", "zip", "tar.gz", "zip in zip"]

#: Time stamp of every archive member: 2025-07-01 00:00:00, in UTC where the format says so.
_ZIP_TIME = (2025, 7, 1, 0, 0, 0)
_TAR_TIME = 1751328000


@dataclass(frozen=True, slots=True)
class SampleBundle:
    """A bundle and what must be found in it.

    ``files`` are the members by path with ``/``. ``verdict`` is the bundle's, ``cause`` that of the first diagnosis
    (None: there is none; where the bundle's verdict is not cause-found, the diagnosis is only possible),
    ``exit_status`` what the scan ends with; ``secrets`` are texts inside that no report may show.
    """

    name: str
    about: str
    packing: Packing
    files: Mapping[str, bytes]
    verdict: Literal["cause-found", "no-fault-found", "cannot-tell"]
    cause: str | None
    exit_status: int
    secrets: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """Name below ``bundles/``."""
        return self.name + {"directory": "", "zip": ".zip", "tar.gz": ".tar.gz", "zip in zip": ".zip"}[self.packing]


def write_bundle(bundle: SampleBundle, folder: Path) -> Path:
    """Writes the bundle below ``folder``, in place of an older one, and returns its path."""
    path = folder / bundle.file_name
    if path.is_dir():
        shutil.rmtree(path)
    if bundle.packing == "directory":
        write_directory(bundle.files, path)
    else:
        path.write_bytes(packed(bundle))
    return path


def packed(bundle: SampleBundle) -> bytes:
    """The bytes of a bundle that is an archive.

    Raises:
        ValueError: the bundle is a directory.
    """
    match bundle.packing:
        case "zip":
            return zip_bytes(bundle.files)
        case "tar.gz":
            return tar_gz_bytes(bundle.files)
        case "zip in zip":
            return zip_bytes({f"{bundle.name}.zip": zip_bytes(bundle.files)})
        case "directory":
            raise ValueError(f"{bundle.name} is a directory")


def write_directory(files: Mapping[str, bytes], path: Path) -> None:
    """Writes the files below ``path``."""
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """A zip with the files in order of their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in sorted(files.items()):
            member = zipfile.ZipInfo(name, _ZIP_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, data, compresslevel=9)
    return buffer.getvalue()


def tar_gz_bytes(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar with the files in order of their names, each below ``./`` as ``tar czf x.tar.gz .`` writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            member.mtime = _TAR_TIME
            archive.addfile(member, io.BytesIO(data))
    return gzip_bytes(buffer.getvalue())


def gzip_bytes(data: bytes) -> bytes:
    """A gzip member without a file name."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=_TAR_TIME) as stream:
        stream.write(data)
    return buffer.getvalue()
