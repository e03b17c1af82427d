"""Names of members: made safe to report, kept inside the bundle, told apart."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"[A-Za-z]:")


def printable(name: str) -> str:
    """The name with control characters and undecodable bytes as U+FFFD, so that no report carries them on."""
    return _CONTROL.sub("\ufffd", name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def inside(name: str) -> str | None:
    """The member's path inside its archive, without ``.`` and doubled ``/``; None when it would leave the archive.

    That is: ``..``, an absolute path, a drive letter or a NUL, with ``/`` and with ``\\``.
    """
    slashed = name.replace("\\", "/")
    if "\0" in name or slashed.startswith("/") or _DRIVE.match(slashed) or ".." in slashed.split("/"):
        return None
    return "/".join(printable(part) for part in name.split("/") if part not in ("", ".")) or None


class UniqueNames:
    """Tells equal names of one container apart: the second ``a`` becomes ``a#2``."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def tell_apart(self, name: str) -> str:
        """The name itself the first time, later the name with the next free ``#N``."""
        unique = name
        while unique in self._seen:
            self._seen[name] += 1
            unique = f"{name}#{self._seen[name]}"
        self._seen[unique] = 1
        return unique
