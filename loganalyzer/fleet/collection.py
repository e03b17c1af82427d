"""Which bundles a run is about: folders of bundles, globs, single bundles and manifests become named members."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from loganalyzer.errors import Location, UsageError
from loganalyzer.fleet import storage
from loganalyzer.fleet.storage import Stored, is_url
from loganalyzer.intake import begins_a_disk

#: The column of a CSV manifest that names the bundle; all others are labels.
BUNDLE: Final = "bundle"
#: Archives as collectors name them; a compressed log (``waagent.log.1.gz``) is none.
_PACKED: Final = re.compile(r"\.(zip|7z|tar|tgz|tbz2?|txz|tzst|tar\.\w{1,4})$", re.IGNORECASE)
#: Bytes of a manifest: a million paths of 250 characters.
_LARGEST_MANIFEST: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One bundle of a run. ``name`` is what the dataset calls it, ``path`` where it lies (a path or a URL), ``labels``
    what a manifest says of it. ``size`` (bytes) and ``etag`` (changes with the content): as object storage tells them.
    """

    name: str
    path: str
    labels: tuple[tuple[str, str], ...] = ()
    size: int | None = None
    etag: str | None = None

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that depend on the name alone: the bundle keeps them when its bytes change."""
        return hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def members(sources: Sequence[str], manifests: Sequence[Path] = ()) -> tuple[Member, ...]:
    """The bundles of these sources, sorted by name.

    A source is a path, a glob, or a URL of object storage. A folder that holds the folders of a disk (``var/log``,
    ``WindowsAzure``, ...) or nothing but plain files is one bundle. Any other folder is a collection: each entry of it
    is one bundle. A file is one bundle. Names are paths below the collection.

    Raises:
        UsageError: a source does not exist or cannot be listed, a manifest cannot be read, or two bundles have one
        name.
    """
    found = [one for source in sources for path in _expanded(source) for one in _of_path(path)]
    found += [one for manifest in manifests for one in _of_manifest(manifest)]
    return tuple(sorted(_told_apart(found), key=lambda member: member.name))


def _expanded(source: str) -> list[str]:
    """The paths or URLs that a glob fits; a path that exists is no glob, whatever characters it has."""
    if is_url(source):
        path = storage.local_path(source)
        return storage.fitting(source) if path is None else _expanded(path)
    try:
        if Path(source).exists() or not glob.has_magic(source):
            Path(source).stat()
            return [source]
    except (OSError, ValueError) as error:
        raise _unusable(source, error) from error
    found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207  (a pattern may be absolute)
    if not found:
        raise UsageError(f"nothing fits {source}", None, "give folders, files or globs of bundles")
    return found


def _of_path(path: str) -> list[Member]:
    if is_url(path):
        return _of_url(path)
    try:
        if not Path(path).is_dir() or is_one_bundle(Path(path)):
            return [Member(Path(path).resolve().name, path)]
        entries = sorted(entry.name for entry in os.scandir(path) if not entry.name.startswith("."))
    except OSError as error:
        raise _unusable(path, error) from error
    return [Member(name, str(Path(path) / name)) for name in entries]


def _of_url(url: str) -> list[Member]:
    """As of a folder; what lies in the storage is asked for at once, with the sizes and marks of all objects."""
    objects = storage.below(url)
    name = PurePosixPath(url).name
    if not objects[0].path or _are_one_bundle(objects):
        return [_stored_member(name, url, objects)]
    by_entry: dict[str, list[Stored]] = defaultdict(list)
    for one in objects:
        if not one.path.startswith("."):
            by_entry[one.path.partition("/")[0]].append(one)
    return [_stored_member(entry, f"{url}/{entry}", of_it) for entry, of_it in by_entry.items()]


def _stored_member(name: str, url: str, objects: list[Stored]) -> Member:
    return Member(name, url, (), sum(one.size for one in objects), storage.joint_etag(objects))


def _are_one_bundle(objects: list[Stored]) -> bool:
    folders = {"/".join(steps[:2]) + "/" for one in objects if len(steps := one.path.split("/")[:-1])}
    folders |= {folder.partition("/")[0] + "/" for folder in folders}
    return _is_one_bundle(folders, [one.path for one in objects if "/" not in one.path])


def is_one_bundle(folder: Path) -> bool:
    """Whether a folder is a bundle, and no collection of bundles.

    Raises:
        OSError: it cannot be listed.
    """
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    folders = {path for entry in entries if entry.is_dir() for path in _two_steps(entry)}
    return _is_one_bundle(folders, [entry.name for entry in entries if not entry.is_dir()])


def _is_one_bundle(folders: Collection[str], files: Sequence[str]) -> bool:
    """``folders``: of the first two steps, each with a ``/`` at its end; ``files``: names beside the first ones."""
    if any(begins_a_disk(path) for path in folders):
        return True
    return bool(files) and not folders and not any(_PACKED.search(name) for name in files)


def _two_steps(folder: os.DirEntry[str]) -> Iterator[str]:
    yield f"{folder.name}/"
    try:
        yield from (f"{folder.name}/{inner.name}/" for inner in os.scandir(folder) if inner.is_dir())
    except OSError:
        return  # what cannot be listed tells nothing; the scan of it will say so


def _of_manifest(manifest: Path) -> list[Member]:
    """Lines of paths, or CSV with a column ``bundle``; relative paths begin at the manifest's folder."""
    try:
        if manifest.stat().st_size > _LARGEST_MANIFEST:
            raise UsageError(f"the manifest is larger than {_LARGEST_MANIFEST >> 20} MiB", Location(str(manifest)))
        text = manifest.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unusable(str(manifest), error) from error
    except UnicodeDecodeError as error:
        what = f"the manifest is not UTF-8: {error.reason} at byte {error.start}"
        raise UsageError(what, Location(str(manifest)), "save it as UTF-8") from error
    rows = list(csv.DictReader(io.StringIO(text))) if _is_table(text) else _lines(text)
    return [_listed(manifest, row) for row in rows if row.get(BUNDLE)]


def _is_table(text: str) -> bool:
    return BUNDLE in next(csv.reader(io.StringIO(text.partition("\n")[0])), [])


def _lines(text: str) -> list[dict[str, str]]:
    stripped = (line.strip() for line in text.splitlines())
    return [{BUNDLE: line} for line in stripped if line and not line.startswith("#")]


def _listed(manifest: Path, row: dict[str, str]) -> Member:
    labels = tuple(
        (name, value) for name, value in row.items() if name and name != BUNDLE and isinstance(value, str) and value
    )
    named = row[BUNDLE]
    if is_url(named):
        return Member(named.partition("://")[2], storage.local_path(named) or named, labels)
    return Member(Path(named).as_posix(), str(manifest.parent / named), labels)


def _told_apart(found: Iterable[Member]) -> list[Member]:
    """Members of one name get the folder before it, as ``north/vm1.zip``; one that was named twice is one."""
    once = list({_whole_path(one): one for one in found}.values())
    count = Counter(one.name for one in once)
    told = [one if count[one.name] == 1 else replace(one, name=_longer(one)) for one in once]
    for name, times in Counter(one.name for one in told).items():
        if times > 1:
            raise UsageError(
                f"two bundles are called {name!r}", None, "give the folder above them as the source, or a manifest"
            )
    return told


def _longer(member: Member) -> str:
    return f"{PurePosixPath(_whole_path(member)).parent.name}/{member.name}"


def _whole_path(member: Member) -> str:
    return member.path if is_url(member.path) else Path(member.path).absolute().as_posix()


def _unusable(source: str, error: OSError | ValueError) -> UsageError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(f"cannot read {source}: {why}", None, "give folders, files or globs of bundles")
