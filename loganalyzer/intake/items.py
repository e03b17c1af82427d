"""What a walk yields beside the files themselves: what was left out and why, and what each archive was like."""

from __future__ import annotations

from msgspec import Struct


class Skipped(Struct, frozen=True):
    """A file, or the rest of a container, that was not read. ``size`` in bytes, 0 where nobody knows it.

    ``by_design``: left out on purpose (limits, links, devices, encryption, a path that leaves the bundle, a format that
    is not read); otherwise it could not be read, and a scan must say so in its exit status.
    """

    path: str
    size: int
    why: str
    by_design: bool


class Archive(Struct, frozen=True):
    """A container that was walked; it comes after its members. ``size``: bytes as stored, ``members``: files in it.

    ``kind``: ``zip``, ``7z``, ``tar``, ``tar.gz``, ``tar.bz2``, ``tar.xz``, ``tar.zst``, or ``gz``, ``bz2``, ``xz``,
    ``zst`` for one compressed file.
    ``damage``: what could not be read to its end, or None; members that came before it are valid.
    """

    path: str
    kind: str
    size: int
    members: int
    damage: str | None
