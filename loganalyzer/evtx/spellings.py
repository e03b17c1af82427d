"""Windows events in JSON as other programs write them, to events as the Rust ``evtx`` binding renders them.

Known: evtx_dump, xmltodict and .NET (attributes as ``@Name``, named ``Data`` elements in a list), Velociraptor
(attributes as plain keys, ``Value`` for the text, times as numbers).
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from loganalyzer.event_time import read_time
from loganalyzer.evtx.events import Event, Json, read_event

#: As a record's own number: there is none, so that `loganalyzer.evtx.frames.frames_of` leaves it empty.
NO_NUMBER = 2**63


def windows_form(value: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """What stands under ``Event``, also where that one key is left out; None: another object."""
    event = value.get("Event")
    if isinstance(event, dict) and isinstance(event.get("System"), dict):
        return event
    if isinstance(value.get("System"), dict) and ("EventData" in value or "UserData" in value):
        return value
    return None


def read_windows_event(event: Mapping[str, Json], text: str, sequence: int, zone: ZoneInfo | None) -> Event | None:
    gathered = _attributes_gathered(dict(event))
    assert isinstance(gathered, dict)
    rendered = {name: _section(name, body) for name, body in gathered.items()}
    system = rendered["System"]
    if isinstance(system, dict):
        rendered["System"] = {**system, "TimeCreated": _time_created(system.get("TimeCreated"), zone)}
    return read_event({"Event": rendered}, text, offset=0, length=0, sequence=sequence, number=NO_NUMBER, written=None)


def _section(name: str, body: Json) -> Json:
    """One part of an event as the Rust ``evtx`` binding renders it, from this and from other spellings."""
    if not isinstance(body, dict):
        return body
    if name == "System":
        return {element: _element(value) for element, value in body.items()}
    if name == "EventData":
        return _named_data(body)
    return body


def _attributes_gathered(value: Json) -> Json:
    """Attributes that are spelled ``@Name`` (xmltodict, .NET) under ``#attributes``."""
    if isinstance(value, list):
        return [_attributes_gathered(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _attributes_gathered(one) for name, one in value.items() if not name.startswith("@")}
    if len(kept) < len(value):
        own = kept.get("#attributes")
        found = {name[1:]: one for name, one in value.items() if name.startswith("@")}
        kept["#attributes"] = {**found, **own} if isinstance(own, dict) else found
    return kept


def _element(value: Json) -> Json:
    """An element of System. Velociraptor writes attributes as plain keys, and the text as ``Value``."""
    if not isinstance(value, dict) or "#attributes" in value or "#text" in value:
        return value
    attributes = {name: one for name, one in value.items() if name != "Value"}
    return {"#attributes": attributes, "#text": value.get("Value")}


def _named_data(body: dict[str, Json]) -> Json:
    """``Data`` elements that have a name, as a reader of XML gives them, under their names."""
    data = body.get("Data")
    elements = data if isinstance(data, list) else [data]
    names = [_name_of(element) for element in elements]
    if not any(names):
        return body
    named: dict[str, Json] = {name: value for name, value in body.items() if name != "Data"}
    unnamed: list[Json] = []
    for name, element in zip(names, elements, strict=True):
        if name is None:
            unnamed.append(element)
            continue
        free, count = name, 0
        while free in named:
            count += 1
            free = f"{name}_{count}"
        named[free] = element.get("#text") if isinstance(element, dict) else None
    return {**named, "Data": unnamed} if unnamed else named


def _name_of(element: Json) -> str | None:
    attributes = element.get("#attributes") if isinstance(element, dict) else None
    name = attributes.get("Name") if isinstance(attributes, dict) else None
    return name if isinstance(name, str) and name else None


def _time_created(element: Json, zone: ZoneInfo | None) -> Json:
    """``TimeCreated`` with its time written as event logs do."""
    attributes = element.get("#attributes") if isinstance(element, dict) else None
    written = attributes.get("SystemTime") if isinstance(attributes, dict) else element
    time, _ = read_time(written, zone)
    return {"#attributes": {"SystemTime": None if time is None else f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"}}
