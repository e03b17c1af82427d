"""Decoded Windows records to events: System fields and payload under the names that Sigma rules use, all as text.

An event is the object that the Rust ``evtx`` binding renders as JSON (windows.md 6.4): ``#attributes`` hold attributes,
named values directly under ``EventData``, unnamed ones as ``Data`` with a ``#text``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from loganalyzer.evtx.codes import decoded
from loganalyzer.evtx.fields import POSITIONAL_NAMES

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

#: System fields by Sigma's names: the way to each in the JSON. ``EventRecordID`` is the event's own number; a forwarded
#: event keeps that of its first host, so ``RecordNumber`` is the record's id in this file.
SYSTEM_FIELDS: Mapping[str, tuple[str, str | None]] = {
    "EventID": ("EventID", None),
    "Qualifiers": ("EventID", "Qualifiers"),
    "Version": ("Version", None),
    "Provider_Name": ("Provider", "Name"),
    "Provider_Guid": ("Provider", "Guid"),
    "EventSourceName": ("Provider", "EventSourceName"),
    "Channel": ("Channel", None),
    "Computer": ("Computer", None),
    "Level": ("Level", None),
    "Task": ("Task", None),
    "Opcode": ("Opcode", None),
    "Keywords": ("Keywords", None),
    "Security_UserID": ("Security", "UserID"),
    "Execution_ProcessID": ("Execution", "ProcessID"),
    "Execution_ThreadID": ("Execution", "ThreadID"),
    "Correlation_ActivityID": ("Correlation", "ActivityID"),
    "Correlation_RelatedActivityID": ("Correlation", "RelatedActivityID"),
}
#: Sigma's process_creation names for Security 4688, set only where the event has no such value (as pySigma's
#: windows-audit pipeline maps them; ``ProcessId`` is the creator's there, and both ids are hexadecimal).
_PROCESS_ALIASES = {
    "Image": "NewProcessName",
    "ParentImage": "ParentProcessName",
    "ProcessId": "NewProcessId",
    "ParentProcessId": "ProcessId",
    "LogonId": "SubjectLogonId",
    "User": "SubjectUserName",
}
_INTEGRITY = {"S-1-16-4096": "Low", "S-1-16-8192": "Medium", "S-1-16-12288": "High", "S-1-16-16384": "System"}

_UNNAMED = re.compile(r"Data(?:_\d+)?")


@dataclass(frozen=True, slots=True)
class Event:
    """One record: its bytes in the file, its order there, id, time of writing (µs since 1970) and its fields."""

    offset: int
    length: int
    sequence: int
    number: int
    written: int | None
    original: str
    system: Mapping[str, str | None]
    system_time: str | None
    record_id: str | None
    values: tuple[str | None, ...] | None
    binary: str | None
    named: Mapping[str, str | None]
    aliases: Mapping[str, str | None]


def read_event(
    decoded: Json, original: str, *, offset: int, length: int, sequence: int, number: int, written: int | None
) -> Event | None:
    """The event of a decoded record; None: it has no System element, so it is none."""
    event = decoded.get("Event") if isinstance(decoded, dict) else None
    system = event.get("System") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(system, dict):
        return None
    fields = {name: _system_value(system, *way) for name, way in SYSTEM_FIELDS.items()}
    values, binary, named = _payload(event)
    return Event(
        offset=offset,
        length=length,
        sequence=sequence,
        number=number,
        written=written,
        original=original,
        system=fields,
        system_time=_system_value(system, "TimeCreated", "SystemTime"),
        record_id=_system_value(system, "EventRecordID", None),
        values=values,
        binary=binary,
        named=named,
        aliases=_aliases(fields, values or (), named, binary),
    )


def _system_value(system: Mapping[str, Json], element: str, attribute: str | None) -> str | None:
    value = system.get(element)
    if isinstance(value, dict):
        attributes = value.get("#attributes")
        if attribute is None:
            return as_text(value.get("#text"))
        return as_text(attributes.get(attribute)) if isinstance(attributes, dict) else None
    return as_text(value) if attribute is None else None


def as_text(value: Json) -> str | None:
    """Text as Windows writes it: decimal numbers, ``true``/``false``; lists line by line; nothing stays nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(as_text(item) or "" for item in value)
    if isinstance(value, dict):
        return as_text(value.get("#text"))
    return str(value)


def _payload(event: Mapping[str, Json]) -> tuple[tuple[str | None, ...] | None, str | None, dict[str, str | None]]:
    """Unnamed values (None: there is no ``Data`` at all), ``Binary``, and named values in their order."""
    values: list[str | None] | None = None
    binary: str | None = None
    named: dict[str, str | None] = {}
    for section, body in event.items():
        if section in ("System", "#attributes"):
            continue
        if section != "EventData":
            _add_leaves(named, _roots(section, body))
            continue
        for name, value in body.items() if isinstance(body, dict) else [("#text", body)]:
            if _UNNAMED.fullmatch(name):
                values = [*(values or []), *_unnamed(value)]
            elif name == "Binary":
                binary = as_text(value)
            elif name == "#attributes" or (name == "#text" and value is not None):
                _add_leaves(named, _leaves("EventData", {name: value}))
            elif name != "#text":
                _add_leaves(named, _leaves(name, value))
    return None if values is None else tuple(values), binary, named


def _unnamed(value: Json) -> list[str | None]:
    inner = value.get("#text") if isinstance(value, dict) else value
    if isinstance(inner, list):
        return [as_text(item) for item in inner]
    return [] if inner is None else [as_text(inner)]


def _roots(section: str, body: Json) -> Iterator[tuple[str, str | None]]:
    """Leaves under ``UserData`` go by their own names, its root element's name is dropped; other sections have none."""
    if not isinstance(body, dict):
        yield from _leaves(section, body)
        return
    for name, value in body.items():
        if section == "UserData" and isinstance(value, dict):
            for leaf, inner in value.items():
                if leaf == "#attributes":
                    yield from _attributes("", inner)
                else:
                    yield from _leaves(name if leaf == "#text" else leaf, inner)
        elif section == "RenderingInfo":
            yield from _leaves(f"RenderingInfo_{name.lstrip('#')}", value)
        else:
            yield from _leaves(section if name.startswith("#") else name, value)


def _leaves(name: str, value: Json) -> Iterator[tuple[str, str | None]]:
    """Flattens: a child is ``Parent_Child``, an attribute ``Element_Attribute``; namespaces are not data."""
    if isinstance(value, dict):
        for inner, part in value.items():
            if inner == "#attributes":
                yield from _attributes(f"{name}_", part)
            elif inner == "#text":
                yield from _leaves(name, part)
            else:
                yield from _leaves(f"{name}_{inner}", part)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(f"{name}_{index}", item)
    else:
        yield name, as_text(value)


def _attributes(prefix: str, value: Json) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("xmlns"):
                yield f"{prefix}{name}", as_text(inner)


def _add_leaves(named: dict[str, str | None], leaves: Iterator[tuple[str, str | None]]) -> None:
    """Two leaves of one name are both kept, the later as ``name_1``, as the binding does it."""
    for name, value in leaves:
        free, count = name, 0
        while free in named:
            count += 1
            free = f"{name}_{count}"
        named[free] = value


def _aliases(
    system: Mapping[str, str | None],
    values: Sequence[str | None],
    named: Mapping[str, str | None],
    binary: str | None,
) -> dict[str, str | None]:
    """Further names for values that are there already; none replaces a name that the event has."""
    aliases = dict(_positional(system, values))
    for name, value in named.items():
        if (joined := "".join(name.split())) != name:
            aliases.setdefault(joined, value)
    aliases.setdefault("UserID", system["Security_UserID"])
    provider = system["Provider_Name"] or system["EventSourceName"]
    for name, code in decoded(provider, system["EventID"], (*values, *named.values()), binary):
        aliases.setdefault(name, code)
    if system["EventID"] == "4688" and (system["Provider_Name"] or "").lower() == "microsoft-windows-security-auditing":
        aliases.update({alias: named[name] for alias, name in _PROCESS_ALIASES.items() if name in named})
        label = named.get("MandatoryLabel")
        if label is not None:
            aliases["IntegrityLevel"] = _INTEGRITY.get(label, label)
    return {name: value for name, value in aliases.items() if name not in named}


def _positional(system: Mapping[str, str | None], values: Sequence[str | None]) -> Iterator[tuple[str, str | None]]:
    """Names for unnamed values; the context block of VSS is the last value however many there are (windows.md 3.4)."""
    event_id = system["EventID"] or ""
    for provider in (system["Provider_Name"], system["EventSourceName"]):
        names = POSITIONAL_NAMES.get(((provider or "").lower(), event_id))
        if names is not None and values:
            before = values
            if names[-1] == "context":
                yield "context", values[-1]
                names, before = names[:-1], values[:-1]
            yield from zip(names, before, strict=False)
            return
