"""The parser kit for histories of package managers: one row a package and what was done with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import polars as pl

from loganalyzer.event_time import read_time
from loganalyzer.schema import TIMESTAMP, LogSource

LOGSOURCE = LogSource("linux", "packages")

#: ``action``: install, upgrade, downgrade, reinstall, remove, or the tool's own word for any other step. ``version``:
#: which is there afterwards, of a removal the one that went; ``old_version``: which was there before.
PACKAGE_COLUMNS: Mapping[str, pl.DataType] = {
    "@timestamp": TIMESTAMP,
    "time.assumed": pl.String(),
    "tool": pl.String(),
    "action": pl.String(),
    "package": pl.String(),
    "version": pl.String(),
    "old_version": pl.String(),
    "arch": pl.String(),
    "command": pl.String(),
}

#: Words of the tools for one thing, in lower case.
_ACTIONS = {
    **dict.fromkeys(("install", "installed", "installing", "dep-install"), "install"),
    **dict.fromkeys(("upgrade", "upgraded", "update", "updated", "upgrading"), "upgrade"),
    **dict.fromkeys(("downgrade", "downgraded"), "downgrade"),
    **dict.fromkeys(("reinstall", "reinstalled"), "reinstall"),
    **dict.fromkeys(("remove", "removed", "erase", "erased", "purge", "purged", "obsoleted"), "remove"),
}
_NEVRA = re.compile(
    r"(?:(?P<epoch>\d+):)?(?P<name>\S+?)-(?:\d+:)?(?P<version>[^\s-]+-[^\s-]+?)(?:\.(?P<arch>[a-z]\w*))?\Z"
)


def action_of(word: str) -> str:
    """The tools' words for installing, upgrading and removing as one word each; any other as it stands."""
    plain = word.strip().lower()
    return _ACTIONS.get(plain, plain)


def package_of(text: str) -> dict[str, object]:
    """Name, version and architecture of ``1:WALinuxAgent-2.2.46-2.el7.noarch``; of anything else the name alone."""
    found = _NEVRA.match(text[:512])
    if found is None:
        return {"package": text[:512]}
    return {"package": found["name"], "version": found["version"], "arch": found["arch"]}


def local_time(text: str, time_zone: str | None) -> dict[str, object]:
    """The columns of a time that has no zone, or its own."""
    time, assumed = read_time(text, ZoneInfo(time_zone) if time_zone else None)
    if assumed is not None and time_zone is None:
        assumed = "local time of an unknown zone, read as UTC"
    return {"@timestamp": time, "time.assumed": assumed}
