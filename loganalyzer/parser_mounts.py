"""The parser kit for mounts: one set of columns for fstab, mount tables and what df, lsblk and findmnt print."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from loganalyzer.parser import Claim, claim_by, text_head
from loganalyzer.schema import LogSource

LOGSOURCE = LogSource("linux", "mounts", "config")

#: ``kind``: fstab, mounts, findmnt, lsblk, df or df_inodes. ``mount`` is null for what is not mounted; ``options`` is a
#: comma list as it stands. Counts of inodes are in ``inodes`` and ``inodes_available``. A size is rounded as printed.
MOUNT_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "device": pl.String(),
    "mount": pl.String(),
    "fs_type": pl.String(),
    "options": pl.String(),
    "device_type": pl.String(),
    "uuid": pl.String(),
    "read_only": pl.Boolean(),
    "pass_number": pl.Int64(),
    "size_bytes": pl.Int64(),
    "used_bytes": pl.Int64(),
    "available_bytes": pl.Int64(),
    "used_percent": pl.Int64(),
    "inodes": pl.Int64(),
    "inodes_available": pl.Int64(),
}

#: A longer line is no row of these: patterns with several open ends are not tried on it.
LONGEST_LINE = 2048

_OCTAL = re.compile(r"\\([0-7]{3})")
_SIZE = re.compile(r"(\d{1,16})(?:[.,](\d{1,6}))?([KMGTPE])?(?:i?B)?\Z", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_LARGEST = 2**63 - 1


def claim_by_line(path: str, head: bytes, *, name: str, line: re.Pattern[str], text: str) -> Claim | None:
    """``claim_by`` with content that is a whole line of at most ``LONGEST_LINE`` characters."""
    lines = text_head(head).splitlines()
    known = any(len(one) <= LONGEST_LINE and line.match(one) for one in lines)
    return claim_by(path, head, name=name, content=r"\A" if known else r"(?!)", text=text)


def unescaped(field: str) -> str:
    r"""A field of fstab(5), which writes a blank as ``\040``."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), field)


def is_read_only(options: str | None) -> bool | None:
    """Whether ``ro`` is among the options; null where neither ``ro`` nor ``rw`` is, as in ``defaults``."""
    named = {option.strip() for option in (options or "").split(",")}
    return True if "ro" in named else False if "rw" in named else None


def size_in_bytes(text: str, unit: int = 1) -> int | None:
    """``4.0G``, ``96M`` or ``0`` as bytes, and a plain number in ``unit`` bytes; None for ``-`` and the like."""
    found = _SIZE.match(text.strip())
    if found is None:
        return None
    scale = 1024 ** _POWERS[(found[3] or "").upper()] if found[3] else unit
    fraction = found[2] or ""
    size = (int(found[1]) * 10 ** len(fraction) + int(fraction or 0)) * scale // 10 ** len(fraction)
    return size if size <= _LARGEST else None


def percent_of(text: str) -> int | None:
    """``12%`` as 12; None for ``-``."""
    digits = text.strip().removesuffix("%")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 4 else None
