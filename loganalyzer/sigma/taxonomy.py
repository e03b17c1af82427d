"""Which frames a rule's log source speaks about, and which columns its field names mean. All of it is data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from loganalyzer.schema import LogSource

#: Names that rules may write for shared columns; a column of the literal name wins.
FIELD_ALIASES: Mapping[str, str] = {
    "ts": "@timestamp",
    "seq": "event.sequence",
    "host": "host.name",
    "file": "log.file.path",
    "line": "log.line",
    "level": "log.level",
    "thread": "process.thread.name",
    "component": "log.logger",
    "process": "process.name",
    "pid": "process.pid",
}

#: Columns that tell where and how an event was read, not what it says; and derived copies of the whole. A keyword
#: does not look at them: a log called ``error.log`` does not make every line of it an error.
PROVENANCE_COLUMNS = frozenset(
    {
        "@timestamp",
        "time.assumed",
        "event.original",
        "event.end",
        "event.sequence",
        "log.file.path",
        "log.offset",
        "log.length",
        "log.line",
        "host.name",
        "derived_from",
        "grammar",
        "RecordNumber",
        "DataValues",
    }
)

#: Columns of an event log that were made for people to read: all values with their names in one line, and the word for
#: a level's number. A keyword that looked there would find names of fields, and span two of them.
COMPOSED_COLUMNS = frozenset({"message", "log.level"})


def unsearched(columns: Collection[str]) -> frozenset[str]:
    """Which of a frame's columns a keyword does not look at. Events of an event log have a provider."""
    return PROVENANCE_COLUMNS | (COMPOSED_COLUMNS if "Provider_Name" in columns else frozenset())


#: Categories of our own frames: derived rows and status documents.
OWN_CATEGORIES = frozenset({"config", "fact", "gap", "extension_operation", "attempt", "status", "correlation"})

#: Categories of rows that were made from events. They repeat an event's text, so a rule must ask for them by name.
DERIVED_CATEGORIES = OWN_CATEGORIES - {"status"}

#: Products whose logs are read here.
PRODUCTS = frozenset({"windows", "linux", "azure"})

#: Services of Windows and Linux that are this project's names, not SigmaHQ's.
OWN_SERVICES: Mapping[str, frozenset[str]] = {
    "windows": frozenset(
        {
            *("waappagent", "transparentinstaller", "vmsnapshot", "vss", "setupapi", "cbs", "extension"),
            *(
                "monitoringagent",
                "telemetry",
                "appagentruntime",
                "netagent",
                "agentinstaller",
                "sqlwriter",
                "sqlserver",
                "backupprogram",
            ),
            *("services", "registry", "os", "configfile", "clock"),
        }
    ),
    "linux": frozenset(
        {
            *("waagent", "vmsnapshot", "extension", "handler", "workloadbackup"),
            *("kernel", "journald", "systemd", "cloud-init", "dhcp", "firewall", "clock", "waagentpolicy"),
        }
    ),
}

#: Services of Azure that SigmaHQ uses for logs of the cloud; no bundle of a VM has them.
FOREIGN_AZURE_SERVICES = frozenset({"activitylogs", "auditlogs", "signinlogs", "riskdetection", "pim"})

#: Security 4688 (process creation) in the words of Sysmon 1. ``ProcessId`` is left alone: 4688 has one, the creator's.
SECURITY_4688_FIELDS: Mapping[str, str] = {
    "Image": "NewProcessName",
    "ParentImage": "ParentProcessName",
    "LogonId": "SubjectLogonId",
    "User": "SubjectUserName",
    "IntegrityLevel": "MandatoryLabel",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of the events: a log source, of it only ``event_ids`` (None: all), and names that rules use for fields.

    ``fields`` maps a rule's name to the column that fills it wherever the event has no field of that name.
    """

    source: LogSource
    event_ids: frozenset[int] | None = None
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)


def _scope(service: str, *event_ids: int, fields: Mapping[str, str] | None = None) -> Scope:
    return Scope(LogSource("windows", service), frozenset(event_ids), fields or {})


#: Category ``antivirus`` in the log of Microsoft Defender (SigmaHQ's ``tests/thor.yml``): its events that name a
#: threat or a path.
DEFENDER_EVENTS = (1006, 1007, 1008, 1009, 1010, 1011, 1012, 1017, 1018, 1019, 1115, 1116)
DEFENDER_FIELDS: Mapping[str, str] = {"Signature": "ThreatName", "Filename": "Path"}

#: SigmaHQ's categories for Windows as channels and event ids (Sysmon's manual; SigmaHQ's taxonomy appendix 2.1.0,
#: which leaves 26, a deletion without a kept copy, out of ``file_delete``).
WINDOWS_CATEGORIES: Mapping[str, tuple[Scope, ...]] = {
    "process_creation": (_scope("sysmon", 1), _scope("security", 4688, fields=SECURITY_4688_FIELDS)),
    "file_change": (_scope("sysmon", 2),),
    "network_connection": (_scope("sysmon", 3),),
    "sysmon_status": (_scope("sysmon", 4, 16),),
    "process_termination": (_scope("sysmon", 5),),
    "driver_load": (_scope("sysmon", 6),),
    "image_load": (_scope("sysmon", 7),),
    "create_remote_thread": (_scope("sysmon", 8),),
    "raw_access_thread": (_scope("sysmon", 9),),
    "process_access": (_scope("sysmon", 10),),
    "file_event": (_scope("sysmon", 11),),
    "registry_add": (_scope("sysmon", 12),),
    "registry_delete": (_scope("sysmon", 12),),
    "registry_set": (_scope("sysmon", 13),),
    "registry_rename": (_scope("sysmon", 14),),
    "registry_event": (_scope("sysmon", 12, 13, 14),),
    "create_stream_hash": (_scope("sysmon", 15),),
    "pipe_created": (_scope("sysmon", 17, 18),),
    "wmi_event": (_scope("sysmon", 19, 20, 21),),
    "dns_query": (_scope("sysmon", 22),),
    "file_delete": (_scope("sysmon", 23, 26),),
    "clipboard_capture": (_scope("sysmon", 24),),
    "process_tampering": (_scope("sysmon", 25),),
    "file_delete_detected": (_scope("sysmon", 26),),
    "file_block_executable": (_scope("sysmon", 27),),
    "file_block_shredding": (_scope("sysmon", 28),),
    "file_executable_detected": (_scope("sysmon", 29),),
    "sysmon_error": (_scope("sysmon", 255),),
    "ps_module": (_scope("powershell", 4103),),
    "ps_script": (_scope("powershell", 4104),),
    "ps_classic_start": (_scope("powershell-classic", 400),),
    "ps_classic_provider_start": (_scope("powershell-classic", 600),),
    "ps_classic_script": (_scope("powershell-classic", 800),),
    "antivirus": (_scope("windefend", *DEFENDER_EVENTS, fields=DEFENDER_FIELDS),),
}

#: The same for Sysmon for Linux. No parser here reads its log; a plug-in may.
LINUX_CATEGORIES: Mapping[str, tuple[Scope, ...]] = {
    category: (Scope(LogSource("linux", "sysmon"), frozenset({event_id})),)
    for category, event_id in (("process_creation", 1), ("network_connection", 3), ("file_event", 11))
}

#: Other names that rules use for a service.
SERVICE_ALIASES: Mapping[str, str] = {"microsoft-servicebus-client": "servicebus-client"}

#: Categories that no event log has: they need a live trace (Event Tracing for Windows).
TRACE_CATEGORIES = frozenset({"file_access", "file_rename"})


def scopes(source: LogSource) -> tuple[Scope, ...]:
    """The events that a rule with this log source speaks about; none if its service contradicts its category.

    A category without a product is that of every product.
    """
    category, service = source.category or "", SERVICE_ALIASES.get(source.service or "", source.service)
    source = LogSource(source.product, service, source.category)
    windows = WINDOWS_CATEGORIES.get(category, ()) if source.product in (None, "windows") else ()
    linux = LINUX_CATEGORIES.get(category, ()) if source.product in (None, "linux") else ()
    mapped = tuple(scope for scope in (*windows, *linux) if service in (None, scope.source.service))
    return mapped if windows and source.product == "windows" else (*mapped, Scope(source))


def unmapped(source: LogSource) -> str | None:
    """Why a log source means nothing here, or None: it is one of ours, or maps to one.

    A rule whose log source maps to nothing must stay inert; running it on everything gives wrong matches. A frame
    that a plug-in brings under exactly that log source is still its own.
    """
    if not scopes(source):
        return f"log source {source}: the service has no events of this category"
    if source.product is not None and source.product not in PRODUCTS:
        return f"log source {source}: no log of product {source.product!r} is read"
    if source.product == "azure" and source.service in FOREIGN_AZURE_SERVICES:
        return f"log source {source}: a log of the cloud, which no bundle of a VM holds"
    if source.category is None or source.category in OWN_CATEGORIES:
        return None
    if source.product in (None, "windows") and source.category in WINDOWS_CATEGORIES:
        return None
    if source.category in TRACE_CATEGORIES:
        return f"log source {source}: needs a live trace, no event log has this category"
    return f"log source {source}: category {source.category!r} maps to no log that is read"


def speaks_of(rule: LogSource, frame: LogSource) -> bool:
    """Whether a rule of this log source reads a frame: Sigma's covering, but derived rows only for those who name them.

    Without that, a rule on a line of a log would find the line again in every row that was made from it.
    """
    return rule.covers(frame) and (frame.category not in DERIVED_CATEGORIES or rule.category == frame.category)


def is_own(source: LogSource) -> bool:
    """Whether the log source is this project's, so that its rules write ``taxonomy: loganalyzer``."""
    if source.category in OWN_CATEGORIES:
        return True
    if source.product == "azure":
        return source.service not in FOREIGN_AZURE_SERVICES
    services = (
        OWN_SERVICES.get(source.product, frozenset()) if source.product else frozenset().union(*OWN_SERVICES.values())
    )
    return source.service in services


def is_text_log(source: LogSource) -> bool:
    """Whether the events are lines of a text log, which the fast way searches for literals."""
    if source.category is not None:
        return False
    return source.product == "linux" or (source.product == "windows" and is_own(source))
