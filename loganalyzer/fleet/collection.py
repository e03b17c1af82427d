"""Which bundles a run is about: folders of bundles, globs, single bundles and manifests become named members."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from loganalyzer.errors import Location, UsageError
from loganalyzer.intake import begins_a_disk

#: The column of a CSV manifest that names the bundle; all others are labels.
BUNDLE: Final = "bundle"
#: Archives as collectors name them; a compressed log (``waagent.log.1.gz``) is none.
_PACKED: Final = re.compile(r"\.(zip|7z|tar|tgz|tbz2?|txz|tzst|tar\.\w{1,4})$", re.IGNORECASE)
#: Bytes of a manifest: a million paths of 250 characters.
_LARGEST_MANIFEST: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One bundle of a run. ``name`` is what the dataset calls it, ``path`` where it lies, ``labels`` what a manifest
    says of it.
    """

    name: str
    path: str
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that depend on the name alone: the bundle keeps them when its bytes change."""
        return hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def members(sources: Sequence[str], manifests: Sequence[Path] = ()) -> tuple[Member, ...]:
    """The bundles of these sources, sorted by name.

    A folder that holds the folders of a disk (``var/log``, ``WindowsAzure``, ...) or nothing but plain files is one
    bundle. Any other folder is a collection: each entry of it is one bundle. A file is one bundle. Names are paths
    below the collection.

    Raises:
        UsageError: a source does not exist or cannot be listed, a manifest cannot be read, or two bundles have one
        name.
    """
    found = [one for source in sources for path in _expanded(source) for one in _of_path(path)]
    found += [one for manifest in manifests for one in _of_manifest(manifest)]
    return tuple(sorted(_told_apart(found), key=lambda member: member.name))


def _expanded(source: str) -> list[Path]:
    """The paths that a glob fits; a path that exists is no glob, whatever characters it has."""
    path = Path(source)
    try:
        if path.exists() or not glob.has_magic(source):
            path.stat()
            return [path]
    except (OSError, ValueError) as error:
        raise _unusable(source, error) from error
    fitting = [Path(one) for one in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207  (a pattern may be absolute)
    if not fitting:
        raise UsageError(f"nothing fits {source}", None, "give folders, files or globs of bundles")
    return fitting


def _of_path(path: Path) -> list[Member]:
    try:
        if not path.is_dir() or is_one_bundle(path):
            return [Member(path.resolve().name, str(path))]
        entries = sorted(entry.name for entry in os.scandir(path) if not entry.name.startswith("."))
    except OSError as error:
        raise _unusable(str(path), error) from error
    return [Member(name, str(path / name)) for name in entries]


def is_one_bundle(folder: Path) -> bool:
    """Whether a folder is a bundle, and no collection of bundles.

    Raises:
        OSError: it cannot be listed.
    """
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    if any(begins_a_disk(path) for entry in folders for path in _two_steps(entry)):
        return True
    return bool(entries) and not folders and not any(_PACKED.search(entry.name) for entry in entries)


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
    return Member(Path(row[BUNDLE]).as_posix(), str(manifest.parent / row[BUNDLE]), labels)


def _told_apart(found: Iterable[Member]) -> list[Member]:
    """Members of one name get the folder before it, as ``north/vm1.zip``; one that was named twice is one."""
    once = list({Path(one.path).absolute(): one for one in found}.values())
    count = Counter(one.name for one in once)
    told = [one if count[one.name] == 1 else replace(one, name=_longer(one)) for one in once]
    for name, times in Counter(one.name for one in told).items():
        if times > 1:
            raise UsageError(
                f"two bundles are called {name!r}", None, "give the folder above them as the source, or a manifest"
            )
    return told


def _longer(member: Member) -> str:
    return f"{Path(member.path).absolute().parent.name}/{member.name}"


def _unusable(source: str, error: OSError | ValueError) -> UsageError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(f"cannot read {source}: {why}", None, "give folders, files or globs of bundles")
