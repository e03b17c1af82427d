"""The parser kit for Windows events that were printed as text, XML or JSON: one way to frames as event logs give them.

Each form gives an ``Event`` with SigmaHQ's field names, so that every rule on a channel reads it (windows.md 3.1, 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl
from lxml import etree

from loganalyzer.event_time import read_time
from loganalyzer.evtx.events import Event, Json, read_event
from loganalyzer.evtx.frames import frames_of
from loganalyzer.evtx.messages import values_of
from loganalyzer.evtx.spellings import NO_NUMBER, read_windows_event
from loganalyzer.schema import EventFrame
from loganalyzer.source import Source

#: Words for a level in en, de, fr, it, es and ja, to the number that an event has.
_LEVELS = {
    "1": ("critical", "kritisch", "critique", "critico", "crítico", "重大"),
    "2": ("error", "fehler", "erreur", "errore", "エラー", "failure audit"),
    "3": ("warning", "warnung", "avertissement", "avviso", "advertencia", "警告"),
    "4": ("information", "informationen", "informations", "informazioni", "información", "informacion", "情報", "info"),
    "5": ("verbose", "ausführlich", "commentaires", "dettagliato", "detallado", "詳細"),
}
_LEVEL_NUMBERS = {word: number for number, words in _LEVELS.items() for word in words}
LEVEL_WORDS = tuple(_LEVEL_NUMBERS)

_CHANNELS = {
    "anwendung": "Application",
    "applicazione": "Application",
    "aplicación": "Application",
    "アプリケーション": "Application",
    "système": "System",
    "sistema": "System",
    "システム": "System",
    "sicherheit": "Security",
    "sécurité": "Security",
    "sicurezza": "Security",
    "seguridad": "Security",
    "セキュリティ": "Security",
    "application": "Application",
    "system": "System",
    "security": "Security",
}
#: Where a provider writes, for events that do not name their channel (windows.md 1.3, 3.2).
_CHANNEL_OF = {
    "Application": (
        *("vss", "application error", "application hang", "windows error reporting", ".net runtime", "sidebyside"),
        *("msiinstaller", "esent", "sqlwriter", "sqlvdi", "mssqlserver", "microsoft-windows-capi2", "system restore"),
        *(
            "microsoft-windows-complus",
            "com+",
            "complus",
            "microsoft-windows-msdtc",
            "msdtc",
            "microsoft-windows-backup",
        ),
        *("microsoft-windows-eventsystem", "microsoft-windows-perflib", "microsoft-windows-loadperf"),
        *("ese", "msexchangeis", "msexchangeis mailbox store", "msexchangerepl", "chkdsk", "srmsvc"),
        "microsoft-windows-softwarerestrictionpolicies",
    ),
    "System": (
        *(
            "service control manager",
            "volsnap",
            "disk",
            "ntfs",
            "microsoft-windows-ntfs",
            "tcpip",
            "eventlog",
            "user32",
        ),
        *(
            "microsoft-windows-distributedcom",
            "dcom",
            "schannel",
            "microsoft-windows-kernel-power",
            "application popup",
        ),
        *("microsoft-windows-wer-systemerrorreporting", "bugcheck", "microsoft-windows-windowsupdateclient"),
        *("microsoft-windows-dns-client", "microsoft-windows-resource-exhaustion-detector"),
        "microsoft-windows-failoverclustering",
    ),
    "Microsoft-Windows-CodeIntegrity/Operational": ("microsoft-windows-codeintegrity",),
    "Microsoft-Windows-AppLocker/EXE and DLL": ("microsoft-windows-applocker",),
    "Microsoft-Windows-Windows Defender/Operational": ("microsoft-windows-windows defender",),
    "Security": ("microsoft-windows-security-auditing",),
}
_CHANNEL_BY_PROVIDER = {provider: channel for channel, providers in _CHANNEL_OF.items() for provider in providers}
#: What Event Viewer shows for a provider, to the name that events and rules have.
_PROVIDERS = {
    "dcom": "Microsoft-Windows-DistributedCOM",
    "distributedcom": "Microsoft-Windows-DistributedCOM",
    "applocker": "Microsoft-Windows-AppLocker",
    "codeintegrity": "Microsoft-Windows-CodeIntegrity",
    "windowsupdateclient": "Microsoft-Windows-WindowsUpdateClient",
    "kernel-power": "Microsoft-Windows-Kernel-Power",
    "kernel-general": "Microsoft-Windows-Kernel-General",
    "capi2": "Microsoft-Windows-CAPI2",
    "dns client events": "Microsoft-Windows-DNS-Client",
    "dhcp-client": "Microsoft-Windows-Dhcp-Client",
    "resource-exhaustion-detector": "Microsoft-Windows-Resource-Exhaustion-Detector",
    "windows defender": "Microsoft-Windows-Windows Defender",
    "failoverclustering": "Microsoft-Windows-FailoverClustering",
    "microsoft-windows-failovercluster": "Microsoft-Windows-FailoverClustering",
}

_NAMESPACE = re.compile(r"\A\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Printed:
    """An event and where it stands: 1-based line, byte offset and length; ``assumed``: what its time rests on."""

    event: Event
    line: int
    offset: int
    length: int
    assumed: str | None = None


def level_number(word: str | None) -> str | None:
    """``2`` for ``Error`` in six languages; a number stays; None for any other word."""
    folded = (word or "").strip().casefold()
    return folded if re.fullmatch(r"\d{1,2}", folded) else _LEVEL_NUMBERS.get(folded)


def text_event(fields: Mapping[str, str], time: datetime | None, description: str, original: str) -> Event | None:
    """The event that was printed with these System fields (SigmaHQ's names; ``Level`` in words, too).

    Where the message's wording is known its values are the event's again; else the description is its one value.
    """
    shown = fields.get("Provider_Name")
    provider = _PROVIDERS.get((shown or "").casefold(), shown)
    event_id = _event_id(fields.get("EventID"))
    channel = fields.get("Channel")
    channel = _CHANNELS.get(channel.casefold(), channel) if channel else None
    channel = channel or _CHANNEL_BY_PROVIDER.get((provider or "").casefold())
    values = values_of(provider, event_id, description)
    system: dict[str, Json] = {
        "Provider": {"#attributes": {"Name": provider, "Guid": fields.get("Provider_Guid")}},
        "EventID": event_id,
        "Level": level_number(fields.get("Level")),
        "Channel": channel,
        "Computer": fields.get("Computer"),
        "EventRecordID": fields.get("EventRecordID"),
        "Execution": {
            "#attributes": {
                "ProcessID": fields.get("Execution_ProcessID"),
                "ThreadID": fields.get("Execution_ThreadID"),
            }
        },
        "Security": {"#attributes": {"UserID": fields.get("Security_UserID")}},
        "TimeCreated": {"#attributes": {"SystemTime": None if time is None else f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"}},
    }
    payload: dict[str, Json] = dict(values.named)
    if values.unnamed:
        payload["Data"] = {"#text": list(values.unnamed)}
    return _read({"Event": {"System": system, "EventData": payload}}, original)


def _event_id(shown: str | None) -> str | None:
    """The id without qualifiers, which older tools show in its upper half; without leading zeros."""
    if shown is None or not re.fullmatch(r"-?\d{1,20}", shown.strip()):
        return None
    return str(int(shown) & 0xFFFF)


def _read(decoded: Json, original: str) -> Event | None:
    return read_event(decoded, original, offset=0, length=0, sequence=0, number=NO_NUMBER, written=None)


def xml_event(text: str) -> Event | None:
    """The event of one ``<Event>`` element as XML views and ``wevtutil /f:xml`` print it; None: it is none."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text.encode(errors="replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root is None or _local(root) != "Event":
        return None
    sections: dict[str, Json] = {}
    for section in root.iterchildren(etree.Element):
        name = _local(section)
        sections[name] = _event_data(section) if name == "EventData" else _form(section)
    return _read({"Event": sections}, text) if isinstance(sections.get("System"), dict) else None


def _local(element: etree._Element) -> str:
    return _NAMESPACE.sub("", str(element.tag))


def _form(element: etree._Element, depth: int = 0) -> Json:
    """An element as the Rust ``evtx`` binding renders it: attributes under ``#attributes``, text, children by name."""
    attributes: dict[str, Json] = {_NAMESPACE.sub("", str(key)): str(value) for key, value in element.attrib.items()}
    children: dict[str, Json] = {}
    for child in element.iterchildren(etree.Element) if depth < 20 else ():
        name, count = _local(child), 0
        while (f"{name}_{count}" if count else name) in children:
            count += 1
        children[f"{name}_{count}" if count else name] = _form(child, depth + 1)
    text = element.text if element.text and (element.text.strip() or not children) else None
    if not attributes and not children:
        return text
    form: dict[str, Json] = {"#attributes": attributes} if attributes else {}
    return {**form, **({"#text": text} if text is not None else {}), **children}


def _event_data(section: etree._Element) -> Json:
    """Named ``Data`` under their names, unnamed ones in a list, and ``Binary``."""
    found: dict[str, Json] = {}
    unnamed: list[Json] = []
    for child in section.iterchildren(etree.Element):
        name = child.get("Name") if _local(child) == "Data" else _local(child)
        if name:
            count = 0
            while (f"{name}_{count}" if count else name) in found:
                count += 1
            found[f"{name}_{count}" if count else name] = child.text
        else:
            unnamed.append(child.text or "")
    return {**found, "Data": {"#text": unnamed}} if unnamed else found


#: Names of what PowerShell, Winlogbeat, KQL tables and people's summaries call the fields of an event, in any case.
_JSON_NAMES: Mapping[str, tuple[str, ...]] = {
    "EventID": ("eventid", "id", "event_id", "event id", "eventcode"),
    "Provider_Name": ("providername", "provider", "source", "provider_name", "sourcename", "eventsource"),
    "Channel": ("logname", "channel", "log", "log_name", "eventlog"),
    "Level": ("leveldisplayname", "level", "entrytype", "eventlevelname", "severity"),
    "Computer": ("machinename", "computer", "computername", "computer_name", "hostname"),
    "EventRecordID": ("recordid", "eventrecordid", "record_id", "record_number", "recordnumber", "index"),
    "Execution_ProcessID": ("processid",),
    "Execution_ThreadID": ("threadid",),
    "time": ("timecreated", "time", "timestamp", "@timestamp", "timegenerated", "date", "time_created", "systemtime"),
    "message": ("message", "description", "renderedmessage", "rendereddescription", "text", "msg"),
}


def json_event(value: Mapping[str, Json], original: str, zone: ZoneInfo | None) -> tuple[Event, str | None] | None:
    """The event of an object as PowerShell or a summary writes it, with what its time takes for given; None: none.

    It must have an event id, and a provider or a channel.
    """
    folded = {key.casefold(): inner for key, inner in value.items()}
    fields: dict[str, str] = {}
    for name, keys in _JSON_NAMES.items():
        found = next((text for key in keys if (text := _scalar_text(folded.get(key))) is not None), None)
        if found is not None:
            fields[name] = found
    if _event_id(fields.get("EventID")) is None or not {"Provider_Name", "Channel"} & fields.keys():
        return None
    raw = next((folded[key] for key in _JSON_NAMES["time"] if key in folded), None)
    time, assumed = read_time(raw.get("value", raw.get("DateTime")) if isinstance(raw, dict) else raw, zone)
    event = text_event(fields, time, fields.get("message", ""), original)
    if event is None:
        return None
    properties = _properties(folded.get("properties")) or _properties(folded.get("replacementstrings"))
    return (with_values(event, properties) if properties and not event.named else event), assumed


def _scalar_text(value: Json) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _properties(value: Json) -> tuple[str, ...]:
    """``Properties`` of Get-WinEvent (objects with a ``Value``), ``ReplacementStrings`` of Get-EventLog."""
    if not isinstance(value, list):
        return ()
    inner = [one.get("Value", one.get("value")) if isinstance(one, dict) else one for one in value]
    return tuple("" if one is None else str(one) for one in inner if not isinstance(one, dict | list))


def with_values(event: Event, values: Sequence[str]) -> Event:
    """The event with these unnamed values, and the names that they have by position."""
    system: dict[str, Json] = {
        "Provider": {"#attributes": {"Name": event.system["Provider_Name"]}},
        "EventID": event.system["EventID"],
    }
    named = _read({"Event": {"System": system, "EventData": {"Data": {"#text": list(values)}}}}, event.original)
    assert named is not None
    return replace(event, values=named.values, aliases={**event.aliases, **named.aliases})


def windows_json_event(form: Mapping[str, Json], original: str, zone: ZoneInfo | None) -> Event | None:
    """The event of an object with ``System`` and a payload, in the spellings of evtx_dump, xmltodict, Velociraptor."""
    return read_windows_event(form, original, 0, zone)


def printed_frames(printed: Iterable[Printed], source: Source) -> tuple[EventFrame, ...]:
    """One frame a channel, as an event log gives them; places are those of the printed text."""
    events = list(printed)
    numbered = [
        replace(one.event, sequence=number, offset=one.offset, length=one.length) for number, one in enumerate(events)
    ]
    frames = []
    for frame in frames_of(numbered, source.path):
        members = [events[number] for number in frame.rows["event.sequence"].to_list()]
        lines = pl.Series("log.line", [one.line for one in members], dtype=pl.Int64)
        assumed = pl.Series("time.assumed", [one.assumed for one in members], dtype=pl.String)
        frames.append(EventFrame(frame.logsource, frame.rows.with_columns(lines, assumed)))
    return tuple(frames)
