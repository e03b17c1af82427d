#!/usr/bin/env python3
"""Holds the Sigma engine against SigmaHQ's rules, its recorded events, and a second evaluator in plain Python.

    python bench/sigmahq.py --sigma CHECKOUT [--events FOLDER ...] [--processes 2]

CHECKOUT is a checkout of github.com/SigmaHQ/sigma. Three questions, each with its numbers; exit status 1 if one fails:

- Which rules of ``rules*/`` convert? What does not must need the value of a placeholder (``expand``).
- Does each rule of ``regression_data`` find the events recorded for it, from .evtx and from the .json beside it?
- Do the engine and ``tests/plain_sigma.py`` agree on every rule over every recorded event, and over every .evtx below
  each FOLDER (for example EVTX-ATTACK-SAMPLES)? Once with the frames of each file, once with all events of a channel
  in one frame, where names of many kinds of events meet. The first alone would say little: an engine that reports
  everything passes it.

The evaluator, the reading of log sources and the flattening of an event stand apart from the engine's: a fault would
have to be made twice not to show.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml
from msgspec import structs

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # tests/ is no part of the installed package
    sys.path.insert(0, str(ROOT))

from loganalyzer.evtx.events import read_event  # noqa: E402
from loganalyzer.evtx.fields import POSITIONAL_NAMES  # noqa: E402
from loganalyzer.evtx.frames import frames_of  # noqa: E402
from loganalyzer.parser import ParseContext, Source  # noqa: E402
from loganalyzer.registry import parsers  # noqa: E402
from loganalyzer.schema import SHARED_COLUMNS, EventFrame  # noqa: E402
from loganalyzer.sigma.load import load_rules  # noqa: E402
from loganalyzer.sigma.match import match  # noqa: E402
from loganalyzer.sigma.rule import (  # noqa: E402
    Loaded,
    Rule,
    SigmaRuleError,
)
from tests.plain_sigma import compile_rule  # noqa: E402

#: Why a rule of SigmaHQ may be refused.
PLACEHOLDER = "placeholder"

# --- log sources, as the specification's taxonomy appendix 2.1.0 and SigmaHQ's tests/thor.yml give them ---

SYSMON = "Microsoft-Windows-Sysmon/Operational"
POWERSHELL = ("Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational")
DEFENDER = "Microsoft-Windows-Windows Defender/Operational"

CHANNELS: Mapping[str, tuple[str, ...]] = {
    "application": ("Application",),
    "application-experience": (
        "Microsoft-Windows-Application-Experience/Program-Telemetry",
        "Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant",
    ),
    "applocker": (
        "Microsoft-Windows-AppLocker/MSI and Script",
        "Microsoft-Windows-AppLocker/EXE and DLL",
        "Microsoft-Windows-AppLocker/Packaged app-Deployment",
        "Microsoft-Windows-AppLocker/Packaged app-Execution",
    ),
    "appmodel-runtime": ("Microsoft-Windows-AppModel-Runtime/Admin",),
    "appxdeployment-server": ("Microsoft-Windows-AppXDeploymentServer/Operational",),
    "appxpackaging-om": ("Microsoft-Windows-AppxPackaging/Operational",),
    "bitlocker": ("Microsoft-Windows-BitLocker/BitLocker Management",),
    "bits-client": ("Microsoft-Windows-Bits-Client/Operational",),
    "capi2": ("Microsoft-Windows-CAPI2/Operational",),
    "certificateservicesclient-lifecycle-system": (
        "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational",
    ),
    "codeintegrity-operational": ("Microsoft-Windows-CodeIntegrity/Operational",),
    "dhcp": ("Microsoft-Windows-DHCP-Server/Operational",),
    "diagnosis-scripted": ("Microsoft-Windows-Diagnosis-Scripted/Operational",),
    "dns-client": ("Microsoft-Windows-DNS Client Events/Operational",),
    "dns-server": ("DNS Server",),
    "dns-server-analytic": ("Microsoft-Windows-DNS-Server/Analytical",),
    "dns-server-audit": ("Microsoft-Windows-DNS-Server/Audit",),
    "driver-framework": ("Microsoft-Windows-DriverFrameworks-UserMode/Operational",),
    "firewall-as": ("Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",),
    "hyper-v-worker": ("Microsoft-Windows-Hyper-V-Worker",),
    "iis-configuration": ("Microsoft-IIS-Configuration/Operational",),
    "kernel-event-tracing": ("Microsoft-Windows-Kernel-EventTracing",),
    "kernel-shimengine": (
        "Microsoft-Windows-Kernel-ShimEngine/Operational",
        "Microsoft-Windows-Kernel-ShimEngine/Diagnostic",
    ),
    "ldap": ("Microsoft-Windows-LDAP-Client/Debug",),
    "lsa-server": ("Microsoft-Windows-LSA/Operational",),
    "msexchange-management": ("MSExchange Management",),
    "ntfs": ("Microsoft-Windows-Ntfs/Operational",),
    "ntlm": ("Microsoft-Windows-NTLM/Operational",),
    "openssh": ("OpenSSH/Operational",),
    "powershell": POWERSHELL,
    "powershell-classic": ("Windows PowerShell",),
    "printservice-admin": ("Microsoft-Windows-PrintService/Admin",),
    "printservice-operational": ("Microsoft-Windows-PrintService/Operational",),
    "security": ("Security",),
    "security-mitigations": (
        "Microsoft-Windows-Security-Mitigations/Kernel Mode",
        "Microsoft-Windows-Security-Mitigations/User Mode",
    ),
    "sense": ("Microsoft-Windows-SENSE/Operational",),
    "servicebus-client": ("Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"),
    # what one rule writes for the former; neither source has it
    "microsoft-servicebus-client": ("Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"),
    "shell-core": ("Microsoft-Windows-Shell-Core/Operational",),
    "smbclient-connectivity": ("Microsoft-Windows-SmbClient/Connectivity",),
    "smbclient-security": ("Microsoft-Windows-SmbClient/Security",),
    "smbserver-connectivity": ("Microsoft-Windows-SMBServer/Connectivity",),
    "sysmon": (SYSMON,),
    "system": ("System",),
    "taskscheduler": ("Microsoft-Windows-TaskScheduler/Operational",),
    "terminalservices-localsessionmanager": ("Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",),
    "vhdmp": ("Microsoft-Windows-VHDMP/Operational",),
    "windefend": (DEFENDER,),
    "wmi": ("Microsoft-Windows-WMI-Activity/Operational",),
}

SYSMON_IDS: Mapping[str, tuple[int, ...]] = {
    "process_creation": (1,),
    "file_change": (2,),
    "network_connection": (3,),
    "sysmon_status": (4, 16),
    "process_termination": (5,),
    "driver_load": (6,),
    "image_load": (7,),
    "create_remote_thread": (8,),
    "raw_access_thread": (9,),
    "process_access": (10,),
    "file_event": (11,),
    "registry_event": (12, 13, 14),
    "registry_add": (12,),
    "registry_delete": (12,),
    "registry_set": (13,),
    "registry_rename": (14,),
    "create_stream_hash": (15,),
    "pipe_created": (17, 18),
    "wmi_event": (19, 20, 21),
    "dns_query": (22,),
    # The appendix has 23 alone; 26 is the same deletion where Sysmon keeps no copy, and pySigma's pipeline reads both.
    "file_delete": (23, 26),
    "clipboard_capture": (24,),
    "process_tampering": (25,),
    "file_delete_detected": (26,),
    "file_block_executable": (27,),
    "file_block_shredding": (28,),
    "file_executable_detected": (29,),
    "sysmon_error": (255,),
}

OTHER_IDS: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "ps_classic_start": (("Windows PowerShell",), (400,)),
    "ps_classic_provider_start": (("Windows PowerShell",), (600,)),
    "ps_classic_script": (("Windows PowerShell",), (800,)),
    "ps_module": (POWERSHELL, (4103,)),
    "ps_script": (POWERSHELL, (4104,)),
}

#: Names of Sysmon 1 that Security 4688 has, too (tests/thor.yml; all but the first two, and the words for integrity
#: levels, are those of pySigma's pipeline for Windows audit events).
AUDIT_NAMES: Mapping[str, str] = {
    "Image": "NewProcessName",
    "ParentImage": "ParentProcessName",
    "ProcessId": "NewProcessId",
    "ParentProcessId": "ProcessId",
    "LogonId": "SubjectLogonId",
    "User": "SubjectUserName",
    "IntegrityLevel": "MandatoryLabel",
}
INTEGRITY_LEVELS = {"S-1-16-4096": "Low", "S-1-16-8192": "Medium", "S-1-16-12288": "High", "S-1-16-16384": "System"}
#: Fields of antivirus in Defender's log (tests/thor.yml).
DEFENDER_NAMES: Mapping[str, str] = {"Signature": "Threat Name", "Filename": "Path"}
DEFENDER_IDS = (1006, 1007, 1008, 1009, 1010, 1011, 1012, 1017, 1018, 1019, 1115, 1116)


@dataclass(frozen=True, slots=True)
class Part:
    """Events of some channels (None: all) and ids (None: all), and further names for their fields."""

    channels: tuple[str, ...] | None
    ids: tuple[int, ...] | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def view(self, record: Record) -> dict[str, Any] | None:
        """The fields of the record under the names that rules use; None: it is not of this part."""
        if self.channels is not None and record.channel not in {each.lower() for each in self.channels}:
            return None
        if self.ids is not None and record.fields.get("EventID") not in {str(each) for each in self.ids}:
            return None
        return {**{name: record.fields.get(other) for name, other in self.names.items()}, **record.fields}


def parts_of(logsource: Mapping[str, str]) -> list[Part]:
    """What of Windows' event logs a rule of this log source reads."""
    product, category, service = (logsource.get(key) for key in ("product", "category", "service"))
    if category == "antivirus" and product in (None, "windows"):
        return [Part((DEFENDER,), DEFENDER_IDS, DEFENDER_NAMES)]
    if product != "windows":
        return []
    if category is None:
        return [Part(None if service is None else CHANNELS.get(service, ()))]
    parts = []
    if category in SYSMON_IDS:
        parts.append(Part((SYSMON,), SYSMON_IDS[category]))
    if category == "process_creation":
        parts.append(Part(("Security",), (4688,)))
    if category in OTHER_IDS:
        parts.append(Part(*OTHER_IDS[category]))
    return parts


# --- events ---


@dataclass(frozen=True, slots=True)
class Record:
    """One event: the file that it is from, its channel in lower case, and its fields."""

    path: str
    channel: str
    fields: Mapping[str, Any]


#: What of System is a time, or not kept by the engine: the processor and its times.
UNREAD = {"TimeCreated", "ProcessorID", "SessionID", "KernelTime", "UserTime", "ProcessorTime"}


def record_of(path: str, original: str) -> Record:
    """An event from the JSON of a record; names that are not the event's own never replace one that is."""
    event = json.loads(original)["Event"]
    system = dict(_flat_system(event["System"]))
    payload: dict[str, Any] = {}
    for section, body in event.items():
        if section not in ("System", "#attributes"):
            payload.update(_flat_payload(section, body))
    own = {(f"EventData_{name}" if name in system else name): value for name, value in payload.items()}
    further = {"UserID": system.get("Security_UserID")}
    further |= {"".join(name.split()): value for name, value in payload.items()}
    if system["EventID"] == "4688" and system["Provider_Name"] == "Microsoft-Windows-Security-Auditing":
        further |= {name: payload[other] for name, other in AUDIT_NAMES.items() if other in payload}
        further["IntegrityLevel"] = INTEGRITY_LEVELS.get(
            str(further.get("IntegrityLevel")), further.get("IntegrityLevel")
        )
    return Record(path, str(system.get("Channel")).lower(), {**further, **own, **system})


def _flat_system(system: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Elements by their names, attributes as ``Element_Attribute``; two go by their attributes' names alone."""
    for name, value in system.items():
        if name in UNREAD:
            continue
        if not isinstance(value, dict):
            yield name, _text(value)
            continue
        for key, inner in value.items():
            if key == "#text":
                yield name, _text(inner)
            elif key == "#attributes":
                for attribute, each in inner.items():
                    alone = attribute in ("Qualifiers", "EventSourceName")
                    if attribute not in UNREAD:
                        yield attribute if alone else f"{name}_{attribute}", _text(each)


def _flat_payload(section: str, body: Any) -> Iterator[tuple[str, str | None]]:
    """EventData by its names, unnamed values as the lines of ``Data``; UserData by the names below its one element."""
    if not isinstance(body, dict):
        if body is not None:
            yield section, _text(body)
        return
    if section == "EventData":
        for name, value in body.get("#attributes", {}).items():
            yield f"EventData_{name}", _text(value)
        yield from _flat_map(body)
        return
    for name, inner in body.items():
        if isinstance(inner, dict):
            yield from _flat_map(inner)
        elif not name.startswith("#"):
            yield name, _text(inner)


def _flat_map(body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for name, value in body.items():
        if name == "#attributes":
            for attribute, each in value.items():
                if prefix and not attribute.startswith("xmlns"):
                    yield f"{prefix}{attribute}", _text(each)
        elif name == "Data":
            inner = value.get("#text") if isinstance(value, dict) else value
            lines = [_text(each) or "" for each in inner] if isinstance(inner, list) else [_text(inner)]
            yield "Data", None if lines in ([], [None]) else "\n".join(str(line) for line in lines)
        elif isinstance(value, dict) and set(value) <= {"#text", "#attributes"}:
            yield f"{prefix}{name}", _text(value.get("#text"))
            yield from _flat_map({"#attributes": value.get("#attributes", {})}, f"{prefix}{name}_")
        elif isinstance(value, dict):
            yield from _flat_map(value, f"{prefix}{name}_")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(_text(each) or "" for each in value)
    return str(value)


@dataclass(frozen=True, slots=True)
class Events:
    """Frames and records; ``order`` has for each row, frame by frame, the index of its record."""

    frames: tuple[EventFrame, ...]
    records: tuple[Record, ...]
    order: tuple[int, ...]

    def pooled(self) -> Events:
        """The same records in one frame a channel."""
        originals = [text for frame in self.frames for text in frame.rows["event.original"]]
        frames = _frames_of_json(originals, "pooled")
        rows = [row for frame in frames for row in frame.rows["event.sequence"]]
        return Events(frames, self.records, tuple(self.order[row] for row in rows))


def join(several: Iterable[Events]) -> Events:
    """All frames behind each other."""
    several = list(several)
    frames = tuple(frame for each in several for frame in each.frames)
    records = tuple(each.records[index] for each in several for index in each.order)
    return Events(frames, records, tuple(range(len(records))))


def read_evtx(path: Path) -> Events:
    """An event log, read by the engine's own parser."""
    (parser,) = [parser for parser in parsers() if parser.name == "evtx_log"]
    parsed = parser.parse(Source(path.as_posix().lstrip("/"), path.read_bytes()), ParseContext())
    return _events(parsed.frames, path)


def read_json(path: Path) -> Events:
    """A file of one or several ``{"Event": ...}`` objects, or a list of them."""
    text, decoder, position = path.read_text("utf-8-sig").strip(), json.JSONDecoder(), 0
    objects: list[Any] = []
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        objects += value if isinstance(value, list) else [value]
        while position < len(text) and text[position] in " \r\n\t,":
            position += 1
    return _events(_frames_of_json([json.dumps(each) for each in objects], path.name), path)


def _frames_of_json(originals: Sequence[str], name: str) -> tuple[EventFrame, ...]:
    events = [
        read_event(json.loads(text), text, offset=0, length=0, sequence=index, number=index + 1, written=None)
        for index, text in enumerate(originals)
    ]
    return frames_of([event for event in events if event is not None], name)


def _events(frames: Sequence[EventFrame], path: Path) -> Events:
    records = [record_of(str(path), text) for frame in frames for text in frame.rows["event.original"]]
    return Events(tuple(frames), tuple(records), tuple(range(len(records))))


# --- (a) conversion ---


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules as the engine has loaded them, and every document by its path."""

    loaded: Loaded
    documents: Mapping[str, Mapping[str, Any]]

    @property
    def foreign_faults(self) -> list[SigmaRuleError]:
        """Faults that are not a placeholder without a value."""
        return [fault for fault in self.loaded.faults if PLACEHOLDER not in str(fault)]


def load(sigma: Path) -> Rules:
    """All rules of ``rules*/``."""
    paths = sorted(path for folder in sigma.glob("rules*") for path in folder.rglob("*.yml"))
    files = {path.relative_to(sigma).as_posix(): path.read_text("utf-8") for path in paths}
    documents = {path: yaml.load(text, Loader=yaml.CSafeLoader) for path, text in files.items()}
    return Rules(load_rules(files), documents)


def with_probes(rules: Rules) -> Rules:
    """The rules, and those that probe more."""
    probes = load_rules({path: yaml.safe_dump(document) for path, document in PROBES.items()})
    loaded = structs.replace(rules.loaded, rules=(*rules.loaded.rules, *probes.rules))
    return Rules(loaded, {**rules.documents, **PROBES})


# --- (b) regression ---


@dataclass(frozen=True, slots=True)
class Recording:
    """Events that were recorded for a rule; ``count``: how many of them it must match, if the suite says."""

    rule_id: str
    evtx: Path
    count: int | None

    @property
    def json(self) -> Path:
        """The same events as text."""
        return self.evtx.with_suffix(".json")


def recordings(sigma: Path) -> list[Recording]:
    """The suite's recordings, in the order of their paths."""
    found = []
    for info in sorted((sigma / "regression_data").rglob("info.yml")):
        data = yaml.safe_load(info.read_text("utf-8"))
        for test in data.get("regression_tests_info") or ():
            count = test.get("match_count")
            found.append(Recording(data["rule_metadata"][0]["id"], sigma / test["path"], count))
    return found


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many events of a recording its rule matches from each form; None: the rule or the file is not there."""

    recording: Recording
    evtx: int | None
    json: int | None


def replay(rules: Rules, suite: Iterable[Recording]) -> Iterator[Replayed]:
    """Runs the rule of each recording over its events."""
    by_id = {rule.id: rule for rule in rules.loaded.rules}
    for recording in suite:
        rule = by_id.get(recording.rule_id)
        yield Replayed(
            recording,
            _count(rule, read_evtx(recording.evtx)) if rule and recording.evtx.exists() else None,
            _count(rule, read_json(recording.json)) if rule and recording.json.exists() else None,
        )


def _count(rule: Rule, events: Events) -> int:
    return len(match([rule], events.frames).matches)


# --- (c) agreement ---

#: What of a frame's row is not a field of the event: how and where it was read, and what was made from it.
NO_FIELDS = {*SHARED_COLUMNS, "RecordNumber", "DataValues"}


def unlike_fields(events: Events) -> Counter[str]:
    """Fields whose value in the engine's frames is not that of the plain reading; how often each."""
    unlike: Counter[str] = Counter()
    rows = (row for frame in events.frames for row in frame.rows.iter_rows(named=True))
    for row, index in zip(rows, events.order, strict=True):
        fields = events.records[index].fields
        positional = POSITIONAL_NAMES.get((str(row["Provider_Name"]).lower(), str(row["EventID"])), ())
        for name in {*fields, *row} - NO_FIELDS - {*positional}:
            if _text(row.get(name)) != fields.get(name):
                unlike[name] += 1
    return unlike


#: Rules for what SigmaHQ's do not ask: keywords that span two fields, that are the name of a field, that are made by
#: the reader; fields whose names differ only in case; fields of System; nothing at all.
PROBES: Mapping[str, Mapping[str, Any]] = {
    f"probe/{index:02}.yml": {"title": str(detection), "logsource": {"product": "windows"}, "detection": {
        "probe": detection, "condition": "probe"}}
    for index, detection in enumerate(
        [
            ["a*b*c*d*e"],
            ["Sysmon 1"],
            ["ProcessGuid"],
            ["Image=*cmd"],
            ["information"],
            ["error"],
            ["4688"],
            {"|all": ["cmd", "/c"]},
            {"|re": r"^\d{4}$"},
            {"|cidr": "10.0.0.0/8"},
            *({field: None} for field in ("ProcessID", "ProcessId", "SourceProcessGUID", "UserID", "Image", "Message")),
            {"SourceProcessGUID": "*", "SourceProcessGuid": None},
            {"Level|lt": 4, "Version|gte": 1},
            {"Security_UserID|fieldref|neq": "UserID"},
            {"ProcessId|re": "^0x[0-9a-f]+$"},
            {"Data|re|m": "^.+$"},
            {"IntegrityLevel": ["high", "System"], "EventID": 4688},
            {"UtcTime|hour": [0, 12], "UtcTime|year|neq": 2019},
        ]
    )
}  # fmt: skip

#: Path of a rule, index of a record.
Found = set[tuple[str, int]]


def engine_found(rules: Rules, events: Events) -> Found:
    """What the engine matches.

    Raises:
        RuntimeError: a rule fails on a frame.
    """
    outcome = match(rules.loaded.rules, events.frames)
    failed = {each for each in outcome.unable if not each.why.startswith("log source")}
    if failed:
        raise RuntimeError(f"rules that fail: {sorted(failed)[:5]}")
    starts = list(accumulate((frame.rows.height for frame in events.frames), initial=0))
    return {(each.rule.location.path, events.order[starts[each.frame] + each.row]) for each in outcome.matches}


def plain_found(documents: Mapping[str, Mapping[str, Any]], records: Sequence[Record]) -> Found:
    """What the plain evaluator matches."""
    by_source: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for path, document in documents.items():
        source = {key: value for key, value in document["logsource"].items() if key != "definition"}
        by_source[tuple(sorted(source.items()))].append(path)
    found: Found = set()
    for key, paths in by_source.items():
        views = [
            (index, view)
            for part in parts_of(dict(key))
            for index, record in enumerate(records)
            if (view := part.view(record)) is not None
        ]
        for path in paths if views else ():
            holds = compile_rule(documents[path])
            found.update((path, index) for index, view in views if holds(view))
    return found


def plain_found_by(processes: int, documents: Mapping[str, Mapping[str, Any]], records: Sequence[Record]) -> Found:
    """The same, shared among processes."""
    if processes < 2:
        return plain_found(documents, records)
    shares = [dict(list(documents.items())[start::processes]) for start in range(processes)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return set().union(*pool.map(plain_found, shares, [records] * processes))


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both find, what the engine misses, and what it finds on its own."""

    both: Found
    missed: Found
    extra: Found


def expected_of(rules: Rules, events: Events, processes: int = 1) -> Found:
    """What the plain evaluator matches with the rules that the engine has loaded."""
    documents = {rule.location.path: rules.documents[rule.location.path] for rule in rules.loaded.rules}
    return plain_found_by(processes, documents, events.records)


def agreement(rules: Rules, events: Events, expected: Found) -> Agreement:
    """Both sides over the events."""
    engine = engine_found(rules, events)
    return Agreement(engine & expected, expected - engine, engine - expected)


# --- the report ---


def main() -> int:
    """Asks all three questions and prints the answers; 1: one of them is not what it must be."""
    options = _options()
    rules = load(options.sigma)
    good = _report_conversion(rules)
    suite = recordings(options.sigma)
    good &= _report_regression(list(replay(rules, suite)))
    probed = with_probes(rules)
    sets = {"recorded .evtx": [each.evtx for each in suite], "recorded .json": [each.json for each in suite]}
    sets |= {str(folder): sorted(folder.rglob("*.evtx")) for folder in options.events}
    for name, paths in sets.items():
        read = read_json if name == "recorded .json" else read_evtx
        good &= _report_agreement(name, probed, join(map(read, paths)), options)
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sigma", type=Path, required=True, help="checkout of github.com/SigmaHQ/sigma")
    parser.add_argument("--events", type=Path, action="append", default=[], help="folder with .evtx files")
    parser.add_argument("--processes", type=int, default=1, help="processes of the plain evaluator")
    parser.add_argument("--show", type=int, default=20, help="differences to print for each set of events")
    return parser.parse_args()


def _report_conversion(rules: Rules) -> bool:
    total, converted = len(rules.documents), len(rules.loaded.rules)
    print(f"conversion: {converted} of {total} rules; {len(rules.loaded.faults)} faults")
    for reason, count in Counter(str(fault.what) for fault in rules.loaded.faults).most_common():
        print(f"  {count:4} {reason}")
    for fault in rules.foreign_faults:
        print(f"  NOT A PLACEHOLDER: {fault.where}: {fault.what}")
    without = Counter(
        document["logsource"].get("service")
        for document in rules.documents.values()
        if document["logsource"].get("product") == "windows"
        and document["logsource"].get("service") not in {None, *CHANNELS}
    )
    print(f"  Windows services without a channel: {dict(without) or 'none'}")
    return not rules.foreign_faults


def _report_regression(replayed: Sequence[Replayed]) -> bool:
    def hits(counts: Iterable[int | None]) -> str:
        return f"{sum(bool(count) for count in counts)} of {len(replayed)}"

    print(f"regression: .evtx {hits(each.evtx for each in replayed)}, .json {hits(each.json for each in replayed)}")
    counted = [each for each in replayed if each.recording.count is not None]
    exact = [each for each in counted if each.evtx == each.recording.count]
    print(f"  match_count: {len(exact)} of {len(counted)} exactly")
    for each in counted:
        if each not in exact:
            print(f"  {each.recording.evtx.name}: {each.evtx} of {each.recording.count}")
    bad = [each for each in replayed if not each.evtx or each.evtx != each.json]
    for each in bad:
        print(f"  DIFFERS: {each.recording.evtx}: .evtx {each.evtx}, .json {each.json}")
    return not bad


def _report_agreement(name: str, rules: Rules, events: Events, options: argparse.Namespace) -> bool:
    files = len({record.path for record in events.records})
    print(f"agreement, {name}: {files} files, {len(events.records)} events", flush=True)
    good, started = True, time.monotonic()
    expected = expected_of(rules, events, options.processes)
    print(f"  plain evaluator: {time.monotonic() - started:.0f} s", flush=True)
    unlike = unlike_fields(events)
    print(f"  fields read otherwise: {dict(unlike.most_common(options.show)) or 'none'}")
    good &= not unlike
    for way, part in (("a frame a file", events), ("pooled", events.pooled())):
        started = time.monotonic()
        agreed = agreement(rules, part, expected)
        size = f"{len(part.frames)} frames, {time.monotonic() - started:.0f} s"
        numbers = f"both {len(agreed.both)}, missed {len(agreed.missed)}, extra {len(agreed.extra)}"
        print(f"  {way}: {numbers} ({size})", flush=True)
        for kind, found in (("MISSED", agreed.missed), ("EXTRA", agreed.extra)):
            for path, index in sorted(found)[: options.show]:
                record = events.records[index]
                print(f"    {kind} {path} {record.path} record {record.fields.get('EventRecordID')}")
            good &= not found
    return good


if __name__ == "__main__":
    sys.exit(main())
