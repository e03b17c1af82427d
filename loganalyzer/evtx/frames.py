"""Events of a Windows event log to frames: one a channel, with Sigma's service name and one column for each field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from loganalyzer.evtx.events import SYSTEM_FIELDS, Event, as_text
from loganalyzer.evtx.fields import SERVICES
from loganalyzer.schema import SHARED_COLUMNS, EventFrame, LogSource, conform

#: Columns of our own making, which no payload value may take.
_OWN_COLUMNS = ("EventRecordID", "RecordNumber", "Data", "DataValues", "Binary")
_RESERVED = (*SHARED_COLUMNS, *SYSTEM_FIELDS, *_OWN_COLUMNS)

#: The names that Windows shows; 0 (always logged) is shown as Information.
LEVELS = {"0": "Information", "1": "Critical", "2": "Error", "3": "Warning", "4": "Information", "5": "Verbose"}

#: Characters of ``message``; the whole event is in ``event.original``.
MESSAGE_LIMIT = 2048
#: A channel with more payload names than this gives a further frame: a table of rows x names must stay small.
PAYLOAD_COLUMNS_LIMIT = 600

_LARGEST_INTEGER = (1 << 63) - 1


def message_of(event: Event) -> str:
    """``<Provider> <EventID>: `` and the values, at most ``MESSAGE_LIMIT`` characters.

    A crash (Application Error 1000) reads as Windows words it, whichever form the record has.
    """
    fields = {**event.aliases, **event.named}
    provider, event_id = event.system["Provider_Name"] or event.system["EventSourceName"], event.system["EventID"]
    if event_id == "1000" and fields.get("AppName") and (provider or "").lower() == "application error":
        return _crash(fields)[:MESSAGE_LIMIT]
    parts = [value or "" for value in event.values or ()]
    parts += [f"{name}={value or ''}" for name, value in event.named.items()]
    head = f"{provider or '(no provider)'} {event_id or '(no id)'}"
    return (f"{head}: " + "; ".join(parts) if parts else head)[:MESSAGE_LIMIT]


def _crash(fields: Mapping[str, str | None]) -> str:
    wording = (
        ("Faulting application name", "AppName"),
        ("version", "AppVersion"),
        ("Faulting module name", "ModuleName"),
        ("version", "ModuleVersion"),
        ("Exception code", "ExceptionCode"),
        ("Fault offset", "FaultingOffset"),
        ("Faulting process id", "ProcessId"),
        ("Faulting application path", "AppPath"),
        ("Faulting module path", "ModulePath"),
    )
    return ", ".join(f"{words}: {fields[name]}" for words, name in wording if fields.get(name))


def service_of(channel: str | None) -> str | None:
    """Sigma's service of a channel; of an unknown one its name in lower case with ``-`` for ``/`` and blanks."""
    if not channel:
        return None
    lower = channel.lower()
    if lower.startswith("microsoft-windows-applocker/"):
        return "applocker"
    return SERVICES.get(lower, re.sub(r"[/\s]+", "-", lower))


def frames_of(events: Sequence[Event], path: str) -> tuple[EventFrame, ...]:
    """One frame for each channel that the events name, in order of first appearance (a very wide one is split)."""
    by_channel: dict[str | None, list[Event]] = {}
    for event in events:
        by_channel.setdefault(event.system["Channel"] or None, []).append(event)
    return tuple(
        EventFrame(LogSource("windows", service_of(channel)), _rows(part, path))
        for channel, members in by_channel.items()
        for part in _narrow_parts(members)
    )


def _narrow_parts(events: Sequence[Event]) -> Iterator[list[Event]]:
    part: list[Event] = []
    names: set[str] = set()
    for event in events:
        own = {*event.named, *event.aliases}
        if part and not own <= names and len(names | own) > PAYLOAD_COLUMNS_LIMIT:
            yield part
            part, names = [], set()
        names |= own
        part.append(event)
    yield part


def _rows(events: Sequence[Event], path: str) -> pl.DataFrame:
    columns = [*_times(events), *_shared_columns(events), *_system_columns(events), *_payload_columns(events)]
    return conform(pl.DataFrame(columns), log_file_path=path)


def _times(events: Sequence[Event]) -> list[pl.Series]:
    """``@timestamp`` and ``time.assumed``, made apart: a payload may have names of its own like those used here."""
    created = pl.Series("system_time", [event.system_time for event in events], dtype=pl.String)
    written = pl.Series("written", [event.written for event in events], dtype=pl.Int64)
    return pl.DataFrame([created, written]).select(_timestamp(), _assumed()).get_columns()


def _shared_columns(events: Sequence[Event]) -> Iterator[pl.Series]:
    yield pl.Series("event.original", [event.original for event in events], dtype=pl.String)
    yield pl.Series("message", [message_of(event) for event in events], dtype=pl.String)
    yield pl.Series("log.level", [LEVELS.get(event.system["Level"] or "") for event in events], dtype=pl.String)
    yield pl.Series("log.offset", [event.offset for event in events], dtype=pl.Int64)
    yield pl.Series("log.length", [event.length for event in events], dtype=pl.Int64)
    yield pl.Series("event.sequence", [event.sequence for event in events], dtype=pl.Int64)
    for name, field in (("host.name", "Computer"), ("event.code", "EventID"), ("event.provider", "Provider_Name")):
        yield pl.Series(name, [event.system[field] for event in events], dtype=pl.String)
    pids = [_integer(event.system["Execution_ProcessID"]) for event in events]
    yield pl.Series("process.pid", pids, dtype=pl.Int64)


def _system_columns(events: Sequence[Event]) -> Iterator[pl.Series]:
    for name in SYSTEM_FIELDS:
        yield pl.Series(name, [event.system[name] for event in events], dtype=pl.String)
    numbers = [event.number if event.number <= _LARGEST_INTEGER else None for event in events]
    own = [_integer(event.record_id) for event in events]
    yield pl.Series("EventRecordID", [a if a is not None else b for a, b in zip(own, numbers, strict=True)], pl.Int64)
    yield pl.Series("RecordNumber", numbers, dtype=pl.Int64)
    yield pl.Series("Data", [as_text(list(event.values)) if event.values else None for event in events], pl.String)
    values = [None if event.values is None else list(event.values) for event in events]
    yield pl.Series("DataValues", values, dtype=pl.List(pl.String))
    yield pl.Series("Binary", [event.binary for event in events], dtype=pl.String)


def _integer(text: str | None) -> int | None:
    if text is None or not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > _LARGEST_INTEGER:
        return None
    return int(text)


def _payload_columns(events: Sequence[Event]) -> Iterator[pl.Series]:
    """One text column for each payload name, then for each alias; both may fill one column in different rows."""
    cells: dict[str, list[tuple[int, str | None]]] = {}
    for aliases in (False, True):
        for row, event in enumerate(events):
            for name, value in (event.aliases if aliases else event.named).items():
                cells.setdefault(name, []).append((row, value))
    columns = _column_names(list(cells))
    for name, column in columns.items():
        values: list[str | None] = [None] * len(events)
        for row, value in cells[name]:
            values[row] = value
        yield pl.Series(column, values, dtype=pl.String)


def _column_names(names: Sequence[str]) -> dict[str, str]:
    """Payload name to column: the name itself, and rules mind its case: ``ProcessId`` and ``ProcessID`` are two fields.

    A format that cannot hold both must rename one when it is written. A shared or System column keeps its name; the
    value is in ``EventData_<name>``, or ``EventData_<name>_2``, ...
    """
    taken = {*_RESERVED, *names}
    columns: dict[str, str] = {}
    for name in names:
        column = name
        if name in _RESERVED:
            stem = column = f"EventData_{name}"
            count = 1
            while column in taken:
                count += 1
                column = f"{stem}_{count}"
            taken.add(column)
        columns[name] = column
    return columns


def _timestamp() -> pl.Expr:
    """When the event was created; an event without that time has the time at which its record was written."""
    written = pl.col("written").cast(pl.Datetime("us"))
    return _created().fill_null(written).dt.replace_time_zone("UTC").alias("@timestamp")


def created_times(system_times: Sequence[str]) -> pl.Series:
    """``SystemTime`` of events as times (UTC); null: it is none."""
    texts = pl.DataFrame({"system_time": pl.Series(system_times, dtype=pl.String)})
    return texts.select(_created().dt.replace_time_zone("UTC").alias("@timestamp")).to_series()


def _created() -> pl.Expr:
    return pl.col("system_time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)


def _assumed() -> pl.Expr:
    why = "the event has no TimeCreated: the time at which its record was written"
    return pl.when(_created().is_null() & pl.col("written").is_not_null()).then(pl.lit(why)).alias("time.assumed")
