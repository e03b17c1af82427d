"""The places of known files on a disk, so that of a whole disk only these are read.

A machine's own root, or a disk of it that is mounted somewhere, holds a million files of which a few hundred tell
something. The places are the paths that the parsers declare.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

#: Why the rest of a whole disk is not in the report.
WHOLE_DISK = "a whole disk: only the places of known files were looked at"

#: What every installed system has and no collection of logs.
_SYSTEM = ("usr/bin/env", "Windows/System32/ntoskrnl.exe", "WINDOWS/system32/ntoskrnl.exe")

_DRIVE = re.compile(r"^[A-Za-z]:")
_VARIABLE = re.compile(r"<[^<>/]*>")
_CHOICE = re.compile(r"\{([^{}]*)\}")
#: Packed files may stand for the folder that a place names: ``history/<time>.zip`` for ``history/*/GoalState.xml``.
_PACKED = re.compile(r"\.(zip|7z|tar|tgz|gz|bz2|xz|zst)$", re.IGNORECASE)


def is_whole_disk(path: str) -> bool:
    """Whether the directory is the root of an installed system, this machine's or a mounted one."""
    return Path(path).resolve().parent == Path(path).resolve() or any(Path(path, one).exists() for one in _SYSTEM)


class Places(Struct, frozen=True):
    """Patterns of paths, each as its folders and its file; case does not matter."""

    patterns: tuple[tuple[re.Pattern[str], ...], ...]

    def lead_on(self, folder: str) -> bool:
        """Whether a known file may lie somewhere below the folder (with ``/``, relative to the disk)."""
        parts = folder.split("/")
        return any(len(parts) < len(one) and _fits(parts, one) for one in self.patterns)

    def hold(self, path: str) -> bool:
        """Whether the path is that of a known file, or of an archive in place of a folder of them."""
        parts = path.split("/")
        packed = _PACKED.search(path) is not None
        return any(
            (len(parts) == len(one) or (packed and len(parts) < len(one))) and _fits(parts, one)
            for one in self.patterns
        )


def _fits(parts: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> bool:
    return all(pattern.match(part) for part, pattern in zip(parts, patterns, strict=False))


def places(paths: Iterable[str]) -> Places:
    r"""From paths as people write them: ``/var/log/x*``, ``C:\Logs\<name>\{a,b}.log``; no commands, no bare names."""
    globs = {one for path in paths if _is_place(path) for one in _alternatives(_plain(path))}
    return Places(
        tuple(
            tuple(re.compile(fnmatch.translate(part), re.IGNORECASE) for part in one.split("/"))
            for one in sorted(globs)
        )
    )


def _is_place(path: str) -> bool:
    """Bare names and commands (``sc query > services.txt``) name no place."""
    return "/" in _plain(path) and not re.search(r" [>|] ", path)


def _plain(path: str) -> str:
    return _VARIABLE.sub("*", _DRIVE.sub("", path.replace("\\", "/"))).lstrip("/")


def _alternatives(glob: str) -> Iterator[str]:
    pieces = _CHOICE.split(glob)
    for chosen in itertools.product(*(piece.split(",") for piece in pieces[1::2])):
        yield "".join(itertools.chain(*itertools.zip_longest(pieces[::2], chosen, fillvalue="")))
