"""What a machine is set to, as far as a bundle tells: versions and settings, so that two reports can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import polars as pl
from msgspec import Struct

from loganalyzer.report.model import Setting
from loganalyzer.report.quoting import cut
from loganalyzer.schema import EventFrame

#: Facts that say how a machine is; others count or tell of a moment.
_LASTING_FACTS: Final = frozenset(
    {"cpu_arch", "mount_point", "os", "os_build", "service_start_type", "time_zone", "wire_endpoint"}
)
_VERSION: Final = "_version"


class _Listed(Struct, frozen=True):
    """What a log lists of a machine: the rows whose columns fit ``where``, each named by ``column``."""

    name: str
    product: str
    service: str
    column: str
    where: Mapping[str, str]


_LISTED: Final = (
    _Listed("vss_writer", "windows", "vss", "writer", {"kind": "^writer$"}),
    # a device with a path, an address or an id: file systems of the kernel's own are the same on all machines
    _Listed("file_system", "linux", "mounts", "fs_type", {"kind": "^(?:fstab|mounts)$", "device": "[/=]"}),
)

#: Settings told of one log source, and characters of a value.
MOST_OF_A_SOURCE: Final = 200
VALUE_LIMIT: Final = 200


def settings(frames: Sequence[EventFrame]) -> tuple[Setting, ...]:
    """Versions, lasting facts and what is listed first, then settings by log source and place; each value once."""
    facts = [one for frame in frames if frame.logsource.category == "fact" for one in _facts(frame)]
    facts += [one for frame in frames for listed in _LISTED for one in _rows_listed(frame, listed)]
    told = dict.fromkeys(sorted(facts, key=lambda one: (one.name, one.object or "", one.value, one.source)))
    for frame in sorted(frames, key=lambda one: str(one.logsource)):
        if frame.logsource.category == "config" and {"key", "value"} <= set(frame.rows.columns):
            told.update(dict.fromkeys(islice(_config(frame), MOST_OF_A_SOURCE)))
    return tuple(told)


def _facts(frame: EventFrame) -> Iterator[Setting]:
    for row in frame.rows.iter_rows(named=True):
        name = str(row["fact"])
        if name in _LASTING_FACTS or name.endswith(_VERSION):
            yield _setting(frame, row, name, row.get("object"), row["value"])


def _rows_listed(frame: EventFrame, listed: _Listed) -> Iterator[Setting]:
    """Each value once, with the place where it stands first."""
    columns = {listed.column, *listed.where}
    of_it = (frame.logsource.product, frame.logsource.service) == (listed.product, listed.service)
    if not of_it or not columns <= set(frame.rows.columns):
        return
    fitting = frame.rows.filter(pl.col(listed.column).is_not_null(), *_fits(listed))
    for row in fitting.unique(listed.column, keep="first", maintain_order=True).iter_rows(named=True):
        yield _setting(frame, row, listed.name, None, row[listed.column])


def _fits(listed: _Listed) -> Iterator[pl.Expr]:
    return (pl.col(column).str.contains(pattern) for column, pattern in listed.where.items())


def _config(frame: EventFrame) -> Iterator[Setting]:
    seen: set[tuple[Any, ...]] = set()
    for row in frame.rows.iter_rows(named=True):
        if row["key"] is None or row["value"] is None:
            continue
        one = _setting(frame, row, str(row["key"]), row.get("section"), row["value"])
        if (one.name, one.object, one.value, one.source) not in seen:
            seen.add((one.name, one.object, one.value, one.source))
            yield one


def _setting(frame: EventFrame, row: dict[str, Any], name: str, object_name: object, value: object) -> Setting:
    return Setting(
        logsource=str(frame.logsource),
        name=name,
        object=None if object_name is None else str(object_name),
        value=cut(str(value), VALUE_LIMIT),
        source=row["log.file.path"] or "",
        line=row["log.line"],
    )
