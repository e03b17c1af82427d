"""The parser kit for the Windows registry: one row a value, whether it was printed, exported or read from a hive."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from loganalyzer.schema import LogSource

LOGSOURCE = LogSource("windows", "registry", "config")

#: ``section``: the key's path with the root in full; ``hive``: SOFTWARE, SYSTEM, ... of HKEY_LOCAL_MACHINE. ``key``:
#: the value's name (``(Default)`` for the one without, null for a key alone). ``value``: text, numbers in decimal.
REGISTRY_COLUMNS: Mapping[str, pl.DataType] = {
    "section": pl.String(),
    "hive": pl.String(),
    "key": pl.String(),
    "value": pl.String(),
    "value_type": pl.String(),
    "effective": pl.Boolean(),
    "service": pl.String(),
    "pending_restart": pl.Boolean(),
}

#: Names of the types of values (winnt.h), of those that keep a name.
VALUE_TYPES: Mapping[int, str] = {
    0: "REG_NONE",
    1: "REG_SZ",
    2: "REG_EXPAND_SZ",
    3: "REG_BINARY",
    4: "REG_DWORD",
    7: "REG_MULTI_SZ",
    11: "REG_QWORD",
}

HIDDEN = "<left out>"
#: Characters of a value; the file itself has the rest.
LONGEST_VALUE = 2048

_PENDING_KEY = re.compile(
    r"\\(?:Component Based Servicing\\(?:RebootPending|RebootInProgress)|WindowsUpdate\\Auto Update\\RebootRequired)$",
    re.I,
)
_SERVICE = re.compile(r"\\(?:ControlSet\d{3}|CurrentControlSet)\\Services\\([^\\]+)$", re.IGNORECASE)
_SECRET = re.compile(r"password|secret|accountkey|sastoken|defaultpassword|\bkey$", re.IGNORECASE)


def value_text(kind: str, data: bytes) -> str:
    """A value's bytes as text: numbers in decimal, the strings of a list on lines of their own, other types in hex."""
    if kind in ("REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ"):
        return data.decode("utf-16-le", errors="replace").rstrip("\0").replace("\0", "\n")
    if kind in ("REG_DWORD", "REG_QWORD"):
        return str(int.from_bytes(data[:8], "little"))
    return data[:256].hex()


def registry_row(section: str, name: str | None, value: str | None, kind: str | None) -> dict[str, object]:
    """The row of a value, or of a key that has none (``name`` null). Values whose names speak of secrets stay out."""
    parts = section.split("\\")
    service = _SERVICE.search(section)
    if name is not None and _SECRET.search(name):
        value = HIDDEN
    shown = None if value is None else value[:LONGEST_VALUE]
    pending = _PENDING_KEY.search(section) is not None
    pending |= name == "PendingFileRenameOperations" and bool((value or "").strip())
    return {
        "section": section,
        "hive": parts[1].upper() if len(parts) > 1 and parts[0] == "HKEY_LOCAL_MACHINE" else None,
        "key": name,
        "value": shown,
        "value_type": kind,
        "effective": True,
        "service": service[1] if service else None,
        "pending_restart": pending or None,
        "message": section if name is None else f"{section}\\{name}={shown or ''}",
    }
