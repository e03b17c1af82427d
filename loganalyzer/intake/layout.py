"""What kind of collection a bundle is, and where its root lies, so that every packing gives the same relative paths.

Facts: linux.md 1.1, windows.md 1.1.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from loganalyzer.intake.items import Archive, Skipped
from loganalyzer.intake.places import WHOLE_DISK
from loganalyzer.lazy_pattern import LazyPattern

#: Where the paths of a disk begin.
_DISK = r"""(var/(log|lib|opt|run) | etc | boot | opt | run | usr
        | ([a-z]/)?(windows | windowsazure | packages/plugins | programdata | program\ files[^/]*))/"""
_ON_DISK = LazyPattern(rf"(?:^|[/!])(?P<place>{_DISK}.*)", re.IGNORECASE | re.VERBOSE)

#: Where those of a disk or of a collector begin: these folders are never taken for a wrapping folder.
_HANDLER = r"microsoft\.azure\.recoveryservices\.vmsnapshot(linux)?(-[\d.]+)?"
_ROOT = LazyPattern(
    rf"{_DISK} | (device_\d+ | eventlogs | azurelogs | sos_(commands|logs|reports) | {_HANDLER})/",
    re.IGNORECASE | re.VERBOSE,
)
_DISK_INSPECT = LazyPattern(r"device_\d+/|diskinfo\.txt$|scanfilelist\.tsv$", re.IGNORECASE)
_GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GUEST_LOGS = LazyPattern(rf"(^|/)(CollectGuestLogs[^/]*|{_GUID}\.zip(\.json$|!))", re.IGNORECASE)
_GUEST_LOGS_FILE = LazyPattern(rf"(CollectGuestLogs[^/!]*|{_GUID})\.zip$", re.IGNORECASE)
_COLLECT_LOGS = LazyPattern(r"(results\.txt$|truncated_+[^/!]*$)", re.IGNORECASE)
_MSRD = LazyPattern(r"_evt_[^/!]*\.evtx$|(^|/)(MSRD-Results|TSS_)[^/!]*[/!]", re.IGNORECASE)
_SOS = LazyPattern(r"sos_(commands|logs|reports)/", re.IGNORECASE)
_PLUGIN = LazyPattern(rf"{_HANDLER}/|([^!]*/)?(IaaSBcdrExtension[^/!]*|host_based_extension)\.log", re.IGNORECASE)
_STEP = LazyPattern(r"[^/!]*[/!]")

#: What packers add by themselves; it says nothing about the bundle.
_BY_PACKERS = LazyPattern(r"(^|/)(__MACOSX/|\.DS_Store$)")


class Layout(Struct, frozen=True):
    """``name``: how the bundle was collected. ``root``: the beginning of paths that ``relative`` takes away.

    Names: ``whole-disk`` (a running machine or a mounted disk), ``disk-inspect``, ``collect-logs``, ``guest-logs``,
    ``msrd`` (MSRD-Collect and TSS), ``sosreport``, ``plain-copy`` (disk paths), ``vmsnapshot-folder`` (the plug-in's
    own logs), ``flat`` (bare files), ``single-file``, ``unknown``. Several inputs have the names of all, joined with
    `` + ``, and no common root.
    """

    name: str
    root: str


def recognise_layout(paths: Sequence[str], others: Sequence[Archive | Skipped] = (), several: bool = False) -> Layout:
    """The layout of a bundle, from the paths of all its files and what else the walk told.

    The root is what all paths begin with, folders and archives alike, up to the first folder of a disk or collector.
    ``several``: there were several inputs, whose names stand in front of the paths.
    """
    told = [path for path in paths if not _BY_PACKERS.search(path)] or list(paths)
    if not several:
        root = _wrapping(told)
        return Layout(_name([relative(path, root) for path in told], root, others), root)
    inputs: dict[str, list[str]] = defaultdict(list)
    for path in told:
        step = _STEP.match(path)
        inputs[step[0] if step and not _is_compressed_file(path) else ""].append(path)
    names = set()
    for label, own in inputs.items():
        of_input = [one for one in others if one.path == label[:-1]]
        root = label + _wrapping([path.removeprefix(label) for path in own])
        names.add(_name([relative(path, root) for path in own], root, of_input))
    return Layout(" + ".join(sorted(names)) or "unknown", "")


def begins_a_disk(path: str) -> bool:
    """Whether a path that ends with ``/`` is one with which the paths of a disk or of a collector begin."""
    return _ROOT.match(path) is not None


def place(path: str, several: bool = False) -> str:
    """Where the file lay on its disk, as far as the path tells: two equal files of one place are the same file.

    ``several``: there were several inputs, whose names stand in front of the paths.
    """
    found = _ON_DISK.search(path)
    label = _STEP.match(path) if several and not _is_compressed_file(path) else None
    return (found["place"] if found else path[label.end() :] if label else path).replace("!", "/").lower()


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


def _name(paths: Sequence[str], root: str, others: Sequence[Archive | Skipped]) -> str:
    if any(isinstance(one, Skipped) and one.why == WHOLE_DISK for one in others):
        return "whole-disk"
    if any(_DISK_INSPECT.match(path) for path in paths):
        return "disk-inspect"
    if any(_COLLECT_LOGS.match(path) for path in paths) and len(paths) > 1:
        return "collect-logs"
    if any(_SOS.match(path) for path in paths):
        return "sosreport"
    if _GUEST_LOGS.search(root) or any(_GUEST_LOGS.search(path) for path in paths):
        return "guest-logs"
    if any(isinstance(one, Archive) and _GUEST_LOGS_FILE.search(one.path) for one in others):
        return "guest-logs"
    if _MSRD.search(root) or any(_MSRD.search(path) for path in paths):
        return "msrd"
    if any(_ON_DISK.match(path) or (_ROOT.match(path) and not _PLUGIN.match(path)) for path in paths):
        return "plain-copy"
    if len(paths) > 1 and any(_PLUGIN.match(path) for path in paths):
        return "vmsnapshot-folder"
    if len(paths) == 1:
        return "single-file"
    return "flat" if paths and not any("/" in path for path in paths) else "unknown"
