"""What is known of the clocks behind the times of a bundle: zones of sources and of the machine, and jumps, as facts.

Times of sources whose zone is unknown may be off by hours; whoever compares them has to see that (windows.md 2.4).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from msgspec import Struct

from loganalyzer.clock import FARTHEST
from loganalyzer.facts.fact_rows import FACT_COLUMNS
from loganalyzer.facts.hits import derived_frame
from loganalyzer.schema import CITATION, SHARED_COLUMNS, EventFrame, LogSource

#: ``offset_minutes`` is local time minus UTC, null where it is unknown or changes; ``how`` says how a zone is known.
CLOCK_COLUMNS = {**FACT_COLUMNS, "offset_minutes": pl.Int64(), "how": pl.String()}

#: ``clock_zone``: of a source's stamps; ``time_zone``: of the machine; ``clock_jump``: ``value`` is in seconds.
CLOCK_ZONE, TIME_ZONE, CLOCK_JUMP = "clock_zone", "time_zone", "clock_jump"

#: Corrections that a time service makes all the time are smaller.
SMALLEST_JUMP = timedelta(seconds=30)
MOST_JUMPS = 20

#: Logs that programs only append to: there a stamp before the one above shows a clock that was set back.
APPENDED = {
    "linux": {"waagent", "extension", "vmsnapshot_shell", "syslog", "kernel", "auth", "cron", "handler", "cloud-init"},
    "windows": {"waappagent", "transparentinstaller"},
}

_MEASURED = re.compile(r"\b(UTC([+-])(\d\d):(\d\d)) (measured .+)$")
_GIVEN = re.compile(r"read in the given zone (\S+?)(?:;|$)")
_UNKNOWN = re.compile(r"\bunknown zone\b|\bnames no zone\b")
_UNKNOWN_ZONE = "unknown"
_EVENT_6013 = re.compile(r"(-?\d{1,4}) (\S.*)")
_SYSTEMINFO_ZONE = re.compile(r"\(UTC(?:([+-])(\d\d):(\d\d))?\)\s*\S.*")


class Zone(Struct, frozen=True):
    """A zone by its name or offset (``UTC+02:00``, ``Europe/Rome``, ``unknown``), and how it is known."""

    name: str
    minutes: int | None
    how: str


def zone_of(assumed: str | None) -> Zone:
    """The zone of stamps by what ``time.assumed`` says of them."""
    if assumed is None:
        return Zone("UTC", 0, "the stamps say so, or their format does")
    if found := _MEASURED.search(assumed):
        return Zone(found[1], _minutes(found[2], found[3], found[4]), found[5])
    if found := _GIVEN.search(assumed):
        return Zone(found[1], None, "given")
    if _UNKNOWN.search(assumed):
        return Zone(_UNKNOWN_ZONE, None, "assumed to be UTC")
    return Zone("UTC", 0, assumed)


def zone_is_unknown(assumed: str | None) -> bool:
    """Whether a stamp may be off by a zone; a measured or given zone is as good as a written one."""
    return zone_of(assumed).name == _UNKNOWN_ZONE


def clock_frames(frames: Sequence[EventFrame]) -> list[EventFrame]:
    """One frame a product: service ``clock``, category ``fact``; ``object`` is the source that a row speaks of."""
    rows: dict[LogSource, list[dict[str, Any]]] = defaultdict(list)
    for frame in frames:
        source = LogSource(frame.logsource.product, "clock", "fact")
        if frame.logsource.category is None:
            rows[source] += [*_source_zones(frame), *_machine_zones(frame.rows), *_set_clocks(frame.rows)]
            if frame.logsource.service in APPENDED.get(frame.logsource.product or "", ()):
                rows[source] += _steps_back(frame)
        elif frame.logsource.category == "config":
            rows[source] += _configured_zones(frame)
    return [derived_frame(source, own, CLOCK_COLUMNS) for source, own in sorted(rows.items()) if own]


def zone_notes(derived: Sequence[EventFrame]) -> Mapping[str, tuple[str, ...]]:
    """What a reader of a source's times has to know of its zone, by path; nothing where the stamps themselves tell."""
    notes: dict[str, dict[str, None]] = defaultdict(dict)
    for frame in derived:
        if frame.logsource.category == "fact" and "how" in frame.rows.columns:
            told = frame.rows.filter((pl.col("fact") == CLOCK_ZONE) & (pl.col("value") != "UTC"))
            for path, zone, count, how in told.select("log.file.path", "value", "count", "how").iter_rows():
                zone = "a zone that is not known" if zone == "unknown" else zone
                entries = "1 entry" if count == 1 else f"{count} entries"
                notes[path].setdefault(f"{entries} in local time of {zone}, {how}")
    return {path: tuple(own) for path, own in notes.items()}


def _minutes(sign: str | None, hours: str | None, minutes: str | None) -> int:
    return (-1 if sign == "-" else 1) * (int(hours or 0) * 60 + int(minutes or 0))


def _row(fact: str, rows: Sequence[dict[str, Any]], zone: Zone | None, value: str | None) -> dict[str, Any]:
    """A fact that these events show, from the first of them to the last."""
    first, times = rows[0], [row["@timestamp"] for row in rows if row["@timestamp"] is not None]
    own = ("event.code", "event.provider", "process.name", "process.pid", "process.thread.name", "log.logger")
    return {
        **{name: first[name] for name in SHARED_COLUMNS if name not in own},
        "@timestamp": min(times, default=None),
        "event.end": max(times, default=None),
        "EventRecordID": first.get("EventRecordID"),
        "derived_from": [{name: first.get(name) for name in CITATION.to_schema()}],
        "fact": fact,
        "value": value if zone is None else zone.name,
        "object": first["log.file.path"],
        "count": len(rows),
        "offset_minutes": None if zone is None else zone.minutes,
        "how": None if zone is None else zone.how,
    }


#: The kinds of Windows events that clocks are read from: provider in lower case, id.
EVENTS_OF_CLOCKS = frozenset({("eventlog", "6008"), ("eventlog", "6013"), ("microsoft-windows-kernel-general", "1")})


def _source_zones(frame: EventFrame) -> Iterator[dict[str, Any]]:
    """A row for each zone in which a source has stamps, whatever else had to be assumed of them."""
    dated = frame.rows.filter(pl.col("@timestamp").is_not_null())
    columns = [name for name in (*SHARED_COLUMNS, "EventRecordID") if name in dated.columns]
    found: dict[tuple[str, Zone], list[dict[str, Any]]] = defaultdict(list)
    counts: dict[tuple[str, Zone], int] = defaultdict(int)
    for (path, assumed), own in dated.select(columns).group_by("log.file.path", "time.assumed", maintain_order=True):
        key = (str(path), zone_of(None if assumed is None else str(assumed)))
        by_time = own.sort("@timestamp", maintain_order=True)
        found[key] += [*by_time.head(1).to_dicts(), *by_time.tail(1).to_dicts()]
        counts[key] += own.height
    for one in frame.passed:  # they stand between others of their log, and tell their zone as those do
        counts[(one.path, zone_of(None))] += one.timed
    for (_, zone), ends in found.items():
        ends.sort(key=lambda row: row["@timestamp"])
        yield {**_row(CLOCK_ZONE, ends, zone, None), "count": counts[(_, zone)]}


def _machine_zones(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """EventLog 6013 names the machine's zone, with the minutes that local time lacks to UTC; 6008 has both times."""
    found: dict[tuple[str, Zone], list[dict[str, Any]]] = defaultdict(list)
    for row in _events(rows, "EventLog", "6013", ("timezone",)):
        if named := _EVENT_6013.fullmatch(str(row["timezone"] or "")):
            found[(row["log.file.path"], Zone(named[2], -int(named[1]), "EventLog 6013"))].append(row)
    for row in _events(rows, "EventLog", "6008", ("Binary",)):
        if (offset := _offset_in(str(row["Binary"] or ""))) is not None:
            sign, minutes = "-" if offset < 0 else "+", abs(offset)
            name = f"UTC{sign}{minutes // 60:02}:{minutes % 60:02}"
            found[(row["log.file.path"], Zone(name, offset, "EventLog 6008"))].append(row)
    for (_, zone), own in found.items():
        yield _row(TIME_ZONE, own, zone, None)


def _events(rows: pl.DataFrame, provider: str, code: str, columns: Iterable[str]) -> list[dict[str, Any]]:
    needed = {"Provider_Name", "EventID", *columns}
    if not needed <= set(rows.columns):
        return []
    is_it = (pl.col("Provider_Name").str.to_lowercase() == provider.lower()) & (
        pl.col("EventID").cast(pl.String) == code
    )
    kept = [name for name in (*SHARED_COLUMNS, "EventRecordID", *columns) if name in rows.columns]
    return rows.filter(is_it.fill_null(False)).select(kept).to_dicts()


def _offset_in(binary: str) -> int | None:
    """Minutes between the local and the UTC SYSTEMTIME that EventLog 6008 begins with (windows.md 3.2)."""
    try:
        data = bytes.fromhex(binary[:64])
        numbers = [int.from_bytes(data[place : place + 2], "little") for place in range(0, 32, 2)]
        local, utc = (
            datetime(year, month, day, hour, minute, second)
            for year, month, _, day, hour, minute, second, _ in (numbers[:8], numbers[8:])
        )
    except ValueError:
        return None
    offset = local - utc
    quarters = round(offset / timedelta(minutes=15))
    fits = abs(offset - quarters * timedelta(minutes=15)) <= timedelta(seconds=2) and abs(offset) <= FARTHEST
    return quarters * 15 if fits else None


def _configured_zones(frame: EventFrame) -> Iterator[dict[str, Any]]:
    """The zone that Windows is set to, as the registry and ``systeminfo`` have it."""
    if not {"key", "value", "section"} <= set(frame.rows.columns):
        return
    if frame.logsource.service == "registry":
        yield from _registry_zone(frame.rows)
    elif frame.logsource.service == "os":
        for row in frame.rows.filter(pl.col("value").str.contains(_SYSTEMINFO_ZONE.pattern)).to_dicts():
            if zone := _SYSTEMINFO_ZONE.fullmatch(row["value"]):
                yield _row(
                    TIME_ZONE, [row], Zone(row["value"], _minutes(zone[1], zone[2], zone[3]), "systeminfo"), None
                )


def _registry_zone(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    own = rows.filter(pl.col("section").str.to_lowercase().str.ends_with(r"\control\timezoneinformation"))
    for _, values in own.group_by("log.file.path", "section", maintain_order=True):
        by_key = {str(row["key"]).lower(): row for row in values.to_dicts()}
        named = by_key.get("timezonekeyname") or by_key.get("standardname")
        bias = by_key.get("activetimebias") or by_key.get("bias")
        if named is None and bias is None:
            continue
        minutes = _bias(bias["value"]) if bias is not None else None
        name = str(named["value"]) if named is not None else "unknown"
        yield _row(
            TIME_ZONE,
            [row for row in (named, bias) if row is not None],
            Zone(name, minutes, "TimeZoneInformation"),
            None,
        )


def _bias(value: object) -> int | None:
    """Minutes of local time minus UTC, from a DWORD that holds UTC minus local time."""
    text = str(value or "")
    if not re.fullmatch(r"-?\d{1,10}", text):
        return None
    number = int(text)
    minutes = -(number - 2**32 if number >= 2**31 else number)
    return minutes if abs(minutes) <= FARTHEST / timedelta(minutes=1) else None


def _set_clocks(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Kernel-General 1: the clock was set, with the times before and after."""
    told = 0
    for row in _events(rows, "Microsoft-Windows-Kernel-General", "1", ("NewTime", "OldTime")):
        jump = _between(row["OldTime"], row["NewTime"])
        if jump is not None and abs(jump) >= SMALLEST_JUMP and told < MOST_JUMPS:
            told += 1
            yield _jump(row, jump, "Kernel-General 1")


def _between(before: object, after: object) -> timedelta | None:
    times = []
    for text in (before, after):
        found = re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?", str(text or ""))
        if found is None:
            return None
        try:
            times.append(datetime.fromisoformat(found[0]))
        except ValueError:
            return None
    return times[1] - times[0]


def _jump(row: dict[str, Any], jump: timedelta, how: str) -> dict[str, Any]:
    seconds = f"{jump.total_seconds():+.3f}".rstrip("0").rstrip(".")
    return {**_row(CLOCK_JUMP, [row], None, seconds), "how": how}


def _steps_back(frame: EventFrame) -> Iterator[dict[str, Any]]:
    """Where a stamp lies before the one above it, of the same file and read in the same way."""
    group = ["log.file.path", "time.assumed"]
    passed = {one.path: one.timed for one in frame.passed}
    ordered = frame.rows.filter(pl.col("@timestamp").is_not_null()).sort(
        "log.file.path", "event.sequence", maintain_order=True
    )
    step = (pl.col("@timestamp") - pl.col("@timestamp").shift().over(group)).alias("step")
    stepped = ordered.with_columns(step)
    for (path,), own in stepped.group_by("log.file.path", maintain_order=True):
        back = own.filter(pl.col("step") <= -SMALLEST_JUMP)
        if back.height * 2 > own.height + passed.get(str(path), 0):  # printed with the newest first
            continue
        for row in back.head(MOST_JUMPS).to_dicts():
            yield _jump(row, row["step"], "a stamp lies before the one above it")
