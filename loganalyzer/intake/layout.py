"""What kind of collection a bundle is, and where its root lies, so that every packing gives the same relative paths.

Facts: linux.md 1.1, windows.md 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: Where the paths of a disk begin, or those of a collector: these folders are never taken for a wrapping folder.
_ROOT = re.compile(
    r"""(device_\d+
        | var/(log|lib|opt|run) | etc | boot | opt | run | usr
        | ([a-z]/)?(windows | windowsazure | packages/plugins | programdata | program\ files[^/]*)
        | eventlogs | azurelogs)/""",
    re.IGNORECASE | re.VERBOSE,
)
_DISK_INSPECT = re.compile(r"device_\d+/|diskinfo\.txt$|scanfilelist\.tsv$", re.IGNORECASE)
_GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GUEST_LOGS = re.compile(rf"(^|/)(CollectGuestLogs[^/]*|{_GUID}\.zip(\.json$|!))", re.IGNORECASE)
_MSRD = re.compile(r"_evt_[^/!]*\.evtx$", re.IGNORECASE)
_STEP = re.compile(r"[^/!]*[/!]")

#: What packers add by themselves; it says nothing about the bundle.
_BY_PACKERS = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$)")


@dataclass(frozen=True, slots=True)
class Layout:
    """``name``: how the bundle was collected. ``root``: the beginning of paths that ``relative`` takes away.

    Names: ``disk-inspect``, ``collect-logs``, ``guest-logs``, ``msrd``, ``plain-copy`` (disk paths), ``flat`` (bare
    files), ``single-file``, ``unknown``.
    """

    name: str
    root: str


def recognise_layout(paths: Sequence[str]) -> Layout:
    """The layout of a bundle, from the paths of all its files.

    The root is what all paths begin with, folders and archives alike, up to the first folder of a disk or collector.
    """
    told = [path for path in paths if not _BY_PACKERS.search(path)] or list(paths)
    root = _wrapping(told)
    return Layout(_name([relative(path, root) for path in told], root), root)


def relative(path: str, root: str) -> str:
    """The path below the root; a path that does not lie there stays as it is."""
    return path.removeprefix(root)


def _wrapping(paths: Sequence[str]) -> str:
    """The longest common beginning of whole folders and archives that stops before ``_ROOT``."""
    if not paths:
        return ""
    first, last = min(paths), max(paths)  # what these two share, all share
    position = 0
    while (step := _STEP.match(first, position)) and last.startswith(first[: step.end()]):
        if _ROOT.match(first, position) or _is_compressed_file(first[position:]):
            break
        position = step.end()
    return first[:position]


def _is_compressed_file(path: str) -> bool:
    """``waagent.log.1.gz!waagent.log.1``: the archive is the file itself, and no wrapping."""
    file, mark, content = path.partition("!")
    return mark == "!" and "/" not in file and file.startswith(content)


def _name(paths: Sequence[str], root: str) -> str:
    if any(_DISK_INSPECT.match(path) for path in paths):
        return "disk-inspect"
    if any(path.lower() == "results.txt" for path in paths) and len(paths) > 1:
        return "collect-logs"
    if _GUEST_LOGS.search(root) or any(_GUEST_LOGS.search(path) for path in paths):
        return "guest-logs"
    if any(_MSRD.search(path) for path in paths):
        return "msrd"
    if any(_ROOT.match(path) for path in paths):
        return "plain-copy"
    if len(paths) == 1:
        return "single-file"
    return "flat" if paths and not any("/" in path for path in paths) else "unknown"
