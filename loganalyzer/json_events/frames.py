"""Events as JSON, in whatever way they stand in a file, to frames that Sigma rules read.

Two forms: that of Windows events (``{"Event": {"System": ..., "EventData": ...}}``, as evtx_dump, xmltodict or
Velociraptor write it) becomes what the event log itself would give; any other object is flattened to fields with dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from loganalyzer.event_time import read_time
from loganalyzer.evtx.events import Event, read_event
from loganalyzer.evtx.frames import PAYLOAD_COLUMNS_LIMIT, frames_of, service_of
from loganalyzer.evtx.spellings import NO_NUMBER, read_windows_event, windows_form
from loganalyzer.json_events.objects import LONGEST_REJECTED, OPENING, FoundObject, Json, RejectedLine, objects
from loganalyzer.parser import HEAD_SIZE, decode, text_head
from loganalyzer.schema import REJECTED_COLUMNS, TIMESTAMP, EventFrame, LogSource, conform
from loganalyzer.sigma.rows import concat_rows, rows_of
from loganalyzer.source import Source

#: The log source of events that do not say what they are.
UNDECLARED = LogSource()

#: Where a flat event may have its time, by the names of Elastic, Sysmon, Windows, nxlog, Velociraptor, CloudTrail,
#: Azure, Microsoft 365, Splunk, auditbeat and others; the first that can be read counts.
TIME_FIELDS = (
    *("@timestamp", "timestamp", "Timestamp", "ts", "time", "TimeCreated", "SystemTime", "UtcTime", "EventTime"),
    *("TimeCreated.SystemTime", "System.TimeCreated.SystemTime", "winlog.time_created", "eventTime", "event_time"),
    *("TimeGenerated", "CreationTime", "created_at", "datetime", "date_time", "event.created", "_time", "published"),
    *("unixTime", "epoch", "date"),
)
_TIME_ORDER = {name: place for place, name in enumerate(TIME_FIELDS)}
#: Those of them that say by their name that they are UTC.
_UTC_FIELDS = frozenset({"UtcTime", "SystemTime", "TimeCreated.SystemTime", "System.TimeCreated.SystemTime"})

#: Other names of what Sigma's rules for Windows ask for, in flat events that name a channel: Winlogbeat, nxlog,
#: PowerShell. The first that is there counts.
_WINDOWS_NAMES: Mapping[str, tuple[str, ...]] = {
    "Channel": ("winlog.channel",),
    "EventID": ("winlog.event_id", "event_id", "event.code", "System.EventID"),
    "Provider_Name": ("winlog.provider_name", "ProviderName", "SourceName", "source_name", "Provider.Name"),
    "Computer": ("winlog.computer_name", "computer_name", "MachineName", "Hostname", "System.Computer"),
}
_PAYLOADS = ("winlog.event_data.", "winlog.user_data.", "event_data.", "EventData.", "UserData.")
_RECORD_IDS = ("EventRecordID", "EventRecordId", "RecordID", "RecordId", "RecordNumber", "winlog.record_id")
_HOSTS = ("host.name", "host.hostname", "hostname", "host", "Computer", "Hostname", "computer_name", "MachineName")

#: Columns that say where and how an event was read: an event's own field of this name becomes ``EventData_<name>``.
_OURS = frozenset(
    {
        *("@timestamp", "time.assumed", "event.original", "event.sequence", "event.end", "derived_from"),
        *("log.file.path", "log.offset", "log.length", "log.line", "EventRecordID", "process.pid"),
    }
)

#: An object with more fields than this is no event; its columns would be too many for a table.
MOST_FIELDS = 2000
#: Events that become one table at a time.
_BATCH = 20_000
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class JsonEvents:
    """What came of a file: event frames, rejected lines (``REJECTED_COLUMNS``), and how many events there are.

    Rows have ``log.line`` (1-based, where the event begins) and ``event.sequence``; ``log.offset`` is not known.
    ``EventRecordID`` is null where the event holds none. ``undeclared``: events that do not say what they are.
    ``telling``: events with a known time or a Windows channel, as few other documents have them.
    """

    frames: tuple[EventFrame, ...]
    rejected: pl.DataFrame
    events: int
    undeclared: int
    telling: int


def read_json_events(
    source: Source, logsource: LogSource | None = None, time_zone: str | None = None
) -> JsonEvents | None:
    """Reads a file of JSON events; None: it is no such file, for not one object of it can be read.

    A line an event, a JSON array, one object or several over many lines, CloudTrail's ``Records``; in UTF-8 or UTF-16.
    What is no event is rejected line by line, and costs nothing else.

    Args:
        source: any bytes.
        logsource: what events are that name no Windows channel; None: `UNDECLARED`.
        time_zone: IANA name for times without a zone; None: UTC. Either way ``time.assumed`` says so.
    """
    if not OPENING.search(text_head(source.data[:HEAD_SIZE])):
        return None
    text = decode(source.data)
    reading = _Reading(logsource or UNDECLARED, ZoneInfo(time_zone) if time_zone else None)
    for found in objects(text):
        if isinstance(found, RejectedLine):
            reading.rejected.append(found)
        else:
            reading.add(found)
    if reading.rejected and not reading.count:
        return None
    frames = (*_windows_frames(reading, source.path), *_flat_frames(reading, source.path))
    known = sum(frame.rows["@timestamp"].count() for frame in frames if frame.logsource.product != "windows")
    windows = sum(frame.rows.height for frame in frames if frame.logsource.product == "windows")
    undeclared = sum(flat.logsource == UNDECLARED for flat in reading.flat)
    return JsonEvents(frames, _rejected_rows(reading.rejected), reading.count, undeclared, windows + known)


@dataclass(frozen=True, slots=True)
class _Flat:
    """A flat event as plain values: shared columns and its own, and what it is."""

    logsource: LogSource
    fields: dict[str, object]
    time: datetime | None
    assumed: str | None
    record_id: int | None


@dataclass(slots=True)
class _Reading:
    """What is known after some of the objects: events of both forms, with their lines and order."""

    logsource: LogSource
    zone: ZoneInfo | None
    windows: list[Event] = field(default_factory=list)
    flat: list[_Flat] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)
    lines: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def add(self, found: FoundObject) -> None:
        """One more event, or a rejected line."""
        try:
            self._add(found)
        except RecursionError:
            self._reject(found, "nested too deeply")

    def _add(self, found: FoundObject) -> None:
        event = windows_form(found.value)
        if event is not None:
            read = read_windows_event(event, found.text, self.count, self.zone)
            if read is not None and len(read.named) <= MOST_FIELDS:
                self.windows.append(read)
                self._count(found)
                return
        fields = _flatten(found.value)
        if len(fields) > MOST_FIELDS:
            self._reject(found, f"more than {MOST_FIELDS} fields")
            return
        self.flat.append(_flat_event(fields, found, self.count, self.logsource, self.zone))
        self._count(found)

    def _count(self, found: FoundObject) -> None:
        self.lines[self.count] = found.line
        self.count += 1

    def _reject(self, found: FoundObject, why: str) -> None:
        self.rejected.append(RejectedLine(found.line, found.text[:LONGEST_REJECTED], why))


def _rejected_rows(rejected: Iterable[RejectedLine]) -> pl.DataFrame:
    rows = [(None, None, one.line, one.text, one.why) for one in rejected]
    return pl.DataFrame(rows, schema=dict(REJECTED_COLUMNS), orient="row")


def _windows_frames(reading: _Reading, path: str) -> Iterator[EventFrame]:
    """The frames of an event log; places are lines."""
    for frame in frames_of(reading.windows, path):
        sequences = frame.rows["event.sequence"].to_list()
        yield EventFrame(
            frame.logsource,
            frame.rows.with_columns(
                pl.Series("log.line", [reading.lines[one] for one in sequences], dtype=pl.Int64),
                pl.lit(None, dtype=pl.Int64).alias("log.offset"),
                pl.lit(None, dtype=pl.Int64).alias("log.length"),
            ),
        )


def _flatten(value: Mapping[str, Json]) -> dict[str, object]:
    """Fields by their names with dots. What stands in a list, or twice, is a list under its name."""
    fields: dict[str, object] = {}
    for key, inner in value.items():
        _put(fields, key, inner, False)
    return {name.replace("\x1f", "\ufffd"): one for name, one in fields.items()}  # it marks columns of our own


def _put(fields: dict[str, object], name: str, value: Json, listed: bool) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _put(fields, f"{name}.{key}", inner, listed)
    elif isinstance(value, list):
        for inner in value:
            _put(fields, name, inner, True)
        if not value:
            fields.setdefault(name, [])
    elif not listed and name not in fields:
        fields[name] = value
    else:
        held = fields.get(name)
        if isinstance(held, list):
            held.append(value)
        else:
            fields[name] = [held, value] if name in fields else [value]


def _flat_event(
    fields: dict[str, object], found: FoundObject, sequence: int, logsource: LogSource, zone: ZoneInfo | None
) -> _Flat:
    channel = _first(fields, ("Channel", *_WINDOWS_NAMES["Channel"]))
    if isinstance(channel, str) and channel:
        logsource = LogSource("windows", service_of(channel))
        fields = _in_windows_words(fields, found.text)
    time, assumed, time_field = _time_of(fields, zone)
    record_id = next((number for name in _RECORD_IDS if (number := _whole(fields.get(name))) is not None), None)
    own = dict(fields)
    for name in _OURS & own.keys():
        own[f"EventData_{name}"] = own.pop(name)
    shared: dict[str, object] = {
        "event.original": found.text,
        "event.sequence": sequence,
        "log.line": found.line,
        "process.pid": _whole(fields.get("process.pid")),
        "host.name": next((name for name in map(fields.get, _HOSTS) if isinstance(name, str)), None),
        "event.code": _first(fields, ("event.code", "EventID")),
        "event.provider": _first(fields, ("event.provider", "Provider_Name")),
    }
    held = {"@timestamp": time_field == "@timestamp", "EventRecordID": record_id is not None}
    for name, is_held in (*held.items(), ("process.pid", shared["process.pid"] is not None)):
        if is_held:
            own.pop(f"EventData_{name}", None)
    return _Flat(logsource, {**own, **shared}, time, assumed, record_id)


def _first(fields: Mapping[str, object], names: Iterable[str]) -> object:
    return next((value for name in names if (value := fields.get(name)) is not None), None)


def _whole(value: object) -> int | None:
    """A whole number of 64 bits, also from its decimal text."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else None


def _in_windows_words(fields: Mapping[str, object], text: str) -> dict[str, object]:
    """Adds Sigma's names for Windows events where the event has none of its own; nothing is taken away."""
    added: dict[str, object] = {}
    for name in fields:
        for prefix in _PAYLOADS:
            if name.startswith(prefix):
                added.setdefault(name.removeprefix(prefix), fields[name])
    for name, others in _WINDOWS_NAMES.items():
        value = _first(fields, others)
        if value is not None:
            added.setdefault(name, value)
    known = {**added, **fields}
    system: dict[str, Json] = {"EventID": _scalar(known.get("EventID"))}
    system["Provider"] = {"#attributes": {"Name": _scalar(known.get("Provider_Name"))}}
    payload = {name: _scalar(value) for name, value in known.items() if not isinstance(value, list)}
    event = read_event(
        {"Event": {"System": system, "EventData": payload}},
        text,
        offset=0,
        length=0,
        sequence=0,
        number=NO_NUMBER,
        written=None,
    )
    aliases = event.aliases if event is not None else {}
    return {**{name: value for name, value in aliases.items() if value is not None}, **known}


def _scalar(value: object) -> Json:
    return value if isinstance(value, str | int | float | bool) else None


def _time_of(fields: Mapping[str, object], zone: ZoneInfo | None) -> tuple[datetime | None, str | None, str | None]:
    """The time of a flat event, what was assumed of it, and the field that has it."""
    for name in sorted(_TIME_ORDER.keys() & fields.keys(), key=_TIME_ORDER.__getitem__):
        time, assumed = read_time(fields[name], None if name in _UTC_FIELDS else zone)
        if time is not None:
            return time, None if name in _UTC_FIELDS else assumed, name
    return None, None, None


def _flat_frames(reading: _Reading, path: str) -> Iterator[EventFrame]:
    """One frame a log source, or more if the events name very many fields."""
    by_source: dict[LogSource, list[_Flat]] = {}
    for flat in reading.flat:
        by_source.setdefault(flat.logsource, []).append(flat)
    for logsource, members in by_source.items():
        for part in _narrow_parts(members):
            tables = [_table(part[start : start + _BATCH]) for start in range(0, len(part), _BATCH)]
            yield EventFrame(logsource, conform(concat_rows(tables), log_file_path=path))


def _narrow_parts(events: Sequence[_Flat]) -> Iterator[list[_Flat]]:
    part: list[_Flat] = []
    names: set[str] = set()
    for event in events:
        own = event.fields.keys()
        if part and not own <= names and len(names | own) > PAYLOAD_COLUMNS_LIMIT:
            yield part
            part, names = [], set()
        names |= own
        part.append(event)
    yield part


def _table(events: Sequence[_Flat]) -> pl.DataFrame:
    return rows_of([event.fields for event in events]).with_columns(
        pl.Series("@timestamp", [event.time for event in events], dtype=TIMESTAMP),
        pl.Series("time.assumed", [event.assumed for event in events], dtype=pl.String),
        pl.Series("EventRecordID", [event.record_id for event in events], dtype=pl.Int64),
    )
