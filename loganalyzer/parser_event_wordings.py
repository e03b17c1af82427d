"""The parser kit: which event a description belongs to that was copied without its head, or with its number alone.

The sentences are those of the message tables (windows-events of the domain reference). Windows prints them in the
language of the system; codes, routines and names of interfaces stay, so that other languages are known by those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["KnownEvent", "described_event", "provider_of"]


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event by its wording: its provider and id, its level's number, and where the description begins."""

    provider: str
    event_id: str
    level: str
    start: int


_SERVICES = "Service Control Manager"
_APPLOCKER = "Microsoft-Windows-AppLocker"
_INTEGRITY = "Microsoft-Windows-CodeIntegrity"
_RESTRICTION = "Microsoft-Windows-SoftwareRestrictionPolicies"
#: A path as AppLocker and people write it, from its root.
_FILE = r"(?:%\w{1,20}%|\b[A-Za-z]:)\\[^\n\"<>|]{1,300}?"
#: Provider, id, level, and words that stand in no other event's description.
_SENTENCES: tuple[tuple[str, int, int, str], ...] = (
    ("VSS", 22, 2, r"A critical component required by the Volume Shadow Copy service is not registered"),
    ("VSS", 34, 2, r"The VSS event class is not registered"),
    ("VSS", 19, 2, r"The EventSystem service is disabled or is attempting to start during Safe Mode"),
    ("VSS", 21, 2, r"Writers will not receive events since the COM\+ database is corrupt"),
    ("VSS", 26, 2, r"This machine is a Domain Controller with the Active Directory service .{0,40}stopped"),
    ("VSS", 6015, 2, r"Jetwriter error: a call to Jet function"),
    ("VSS", 8213, 2, r"The process that hosts the writer with name .{1,200}? and ID \{[^}]*\} does not run under"),
    ("VSS", 8194, 2, r"Unexpected error querying for the IVssWriterCallback interface"),
    ("VSS", 8224, 4, r"The VSS service is shutting down due to idle timeout"),
    ("VSS", 8225, 4, r"The VSS service is shutting down due to shutdown event from the Service Control Manager"),
    ("VSS", 8229, 3, r"A VSS writer has rejected an event with error 0x"),
    ("VSS", 8230, 3, r"Failed resolving account .{1,200}? with status \d"),
    ("VSS", 11, 3, r"The COM Server with CLSID \{[^}]*\} and name .{1,80}? cannot be started\. Most likely the CPU"),
    ("VSS", 12, 3, r"The COM Server with CLSID \{[^}]*\} and name .{1,80}? cannot be started\. Most likely the server"),
    ("VSS", 13, 2, r"The COM Server with CLSID \{[^}]*\} and name .{1,80}? cannot be started"),
    ("VSS", 12291, 2, r"Error on creating/using the COM\+ Writers publisher interface"),
    ("VSS", 12292, 2, r"Error creating the Shadow Copy Provider COM class with CLSID"),
    ("VSS", 12293, 2, r"Error calling a routine on a Shadow Copy Provider"),
    ("VSS", 12294, 2, r"Error calling a routine on the Shadow Copy Provider"),
    ("VSS", 12296, 2, r"The system may be low on resources\.\s+Unexpected error at background thread creation"),
    ("VSS", 12297, 2, r"The I/O writes cannot be flushed during the shadow copy creation period"),
    ("VSS", 12298, 2, r"The I/O writes cannot be held during the shadow copy creation period"),
    ("VSS", 12301, 2, r"Writer .{1,200}? did not respond to a GatherWriterStatus call"),
    ("VSS", 12302, 2, r"An internal inconsistency was detected in trying to contact shadow copy service writers"),
    ("VSS", 12305, 2, r"Volume/disk not connected or not found"),
    ("VSS", 12308, 2, r"Volume .{1,120}? appears to be invalid or dismounted during shadow copy creation"),
    ("VSS", 12310, 2, r"The shadow copy could not be committed - operation timed out"),
    ("VSS", 12338, 2, r"VSS spent more than \d+ seconds trying to open and flush all the volumes"),
    ("VSS", 12340, 2, r"VSS waited more than \d+ seconds for all volumes to be flushed"),
    ("VSS", 12345, 2, r"The Registry Writer experienced an out-of-space condition"),
    ("VSS", 12347, 2, r"The Registry Writer failed to respond to a query from VSS"),
    ("VSS", 12348, 3, r"VSS was denied access to the root of volume"),
    ("VSS", 12366, 2, r"An unhandled exception was encountered while processing a VSS writer event callback"),
    ("VSS", 8193, 2, r"Volume Shadow Copy Service error: Unexpected error calling routine"),
    ("VSS", 12289, 2, r"Volume Shadow Copy Service error: Unexpected error (?!querying)"),
    ("VSS", 12290, 3, r"Volume Shadow Copy Service warning: "),
    ("volsnap", 5, 2, r"The shadow copy of volume .{1,80}? could not be created due to insufficient non-paged memory"),
    ("volsnap", 6, 2, r"The shadow copy of volume .{1,80}? could not create a new paged heap"),
    ("volsnap", 8, 2, r"The flush and hold writes operation on volume .{1,80}? timed out while waiting for a release"),
    ("volsnap", 9, 2, r"The flush and hold writes operation on volume .{1,80}? timed out while waiting for file"),
    ("volsnap", 10, 2, r"The shadow copy of volume .{1,80}? took too long to install"),
    ("volsnap", 13, 2, r"The shadow copy of volume .{1,80}? could not grow its shadow copy storage"),
    ("volsnap", 14, 2, r"The shadow copies of volume .{1,80}? were aborted because of an IO failure"),
    ("volsnap", 15, 2, r"The shadow copies of volume .{1,80}? were aborted because of insufficient paged heap"),
    ("volsnap", 16, 2, r"The shadow copies of volume .{1,80}? were aborted because volume .{1,80}? force dismounted"),
    ("volsnap", 20, 2, r"The shadow copies of volume .{1,80}? were aborted because of a failed free space"),
    ("volsnap", 21, 2, r"The flush and hold operation for volume .{1,80}? was aborted because of low available"),
    ("volsnap", 23, 2, r"There was insufficient disk space on volume .{1,80}? to create the shadow copy"),
    ("volsnap", 24, 3, r"There was insufficient disk space on volume .{1,80}? to grow the shadow copy storage"),
    (
        "volsnap",
        25,
        2,
        r"The shadow copies of volume .{1,80}? were (?:deleted|aborted) because the shadow copy storage "
        r"could not grow in time",
    ),
    ("volsnap", 28, 2, r"The shadow copy of volume .{1,80}? could not be created due to a failure in creating the"),
    (
        "volsnap",
        32,
        2,
        r"The shadow copies of volume .{1,80}? were aborted because the shadow copy storage volume was not"
        r" present",
    ),
    ("volsnap", 33, 4, r"The oldest shadow copy of volume .{1,80}? was deleted to keep disk space usage"),
    ("volsnap", 35, 2, r"The shadow copies of volume .{1,80}? were aborted because the shadow copy storage failed to"),
    (
        "volsnap",
        36,
        2,
        r"The shadow copies of volume .{1,80}? were aborted because the shadow copy storage could not "
        r"grow due to a user imposed limit",
    ),
    ("volsnap", 67, 2, r"The shadow copy of volume .{1,80}? being created failed to install"),
    ("volsnap", 83, 2, r"Volume .{1,80}? is offline for shadow copy protection\.\s+A memory allocation failed"),
    ("SQLWRITER", 24583, 2, r"Sqllib error: OLEDB Error encountered calling"),
    ("SQLVDI", 1, 2, r"SQLVDI: Loc="),
    ("MSSQLSERVER", 3041, 2, r"BACKUP failed to complete the command BACKUP "),
    ("MSSQLSERVER", 18210, 2, r"BackupVirtualDevice(?:File|Set)::\w+:\s+failure on backup device"),
    ("MSSQLSERVER", 9001, 2, r"The log for database '.{1,200}?' is not available"),
    ("ESENT", 2004, 2, r"Shadow copy \d{1,9} time-?out \(\d+ ms\)"),
    ("Microsoft-Windows-MSDTC", 4163, 2, r"MS DTC log file not found"),
    ("Microsoft-Windows-MSDTC", 4185, 2, r"MS DTC Transaction Manager start failed\. LogInit returned"),
    ("Microsoft-Windows-MSDTC", 4112, 2, r"Could not start the MS DTC Transaction Manager"),
    ("Microsoft-Windows-MSDTC", 4102, 2, r"Could not initialize the MS DTC Transaction Manager"),
    ("Microsoft-Windows-Complus", 4691, 2, r"The run-time environment was unable to initialize for transactions"),
    ("Microsoft-Windows-Complus", 4689, 2, r"The run-time environment has detected an inconsistency in its internal"),
    (
        "Microsoft-Windows-Resource-Exhaustion-Detector",
        2004,
        3,
        r"Windows successfully diagnosed a low virtual memory condition",
    ),
    ("SRMSVC", 12310, 3, r"Shadow copy .{1,200}? was deleted during storage report generation\."),
    (
        _SERVICES,
        7031,
        2,
        r"The [^\n]{2,80}? service terminated unexpectedly\.\s+It has done this \d+ time\(s\)\."
        r"\s+The following corrective",
    ),
    (_SERVICES, 7034, 2, r"The [^\n]{2,80}? service terminated unexpectedly\.\s+It has done this \d+ time\(s\)"),
    (_SERVICES, 7000, 2, r"The [^\n]{2,80}? service failed to start due to the following error:"),
    (_SERVICES, 7001, 2, r"The [^\n]{2,80}? service depends on the [^\n]{2,80}? service which failed to start because"),
    (
        _SERVICES,
        7009,
        2,
        r"A timeout was reached \(\d+ milliseconds\) while waiting for the [^\n]{2,80}? service to connect",
    ),
    (
        _SERVICES,
        7011,
        2,
        r"A timeout \(\d+ milliseconds\) was reached while waiting for a transaction response from the [^\n]{2,80}?"
        r" service",
    ),
    (
        _SERVICES,
        7038,
        2,
        r"The [^\n]{2,80}? service was unable to log on as [^\n]{1,120}? with the currently configured password",
    ),
    (_SERVICES, 7024, 2, r"The [^\n]{2,80}? service terminated with (?:the following )?service-specific error"),
    (_SERVICES, 7022, 2, r"The [^\n]{2,80}? service hung on starting"),
    (_SERVICES, 7023, 2, r"The [^\n]{2,80}? service terminated with the following error:"),
    (_APPLOCKER, 8003, 3, rf"{_FILE} was allowed to run but would have been prevented from running"),
    (_APPLOCKER, 8004, 2, rf"{_FILE} was prevented from running"),
    (_RESTRICTION, 865, 3, rf"Access to {_FILE} has been restricted by your Administrator by the default software"),
    (
        _RESTRICTION,
        866,
        3,
        rf"Access to {_FILE} has been restricted by your Administrator by location with policy rule",
    ),
    (
        _RESTRICTION,
        867,
        3,
        rf"Access to {_FILE} has been restricted by your Administrator by software publisher policy",
    ),
    (_RESTRICTION, 868, 3, rf"Access to {_FILE} has been restricted by your Administrator by policy rule"),
    (
        _INTEGRITY,
        3076,
        3,
        r"Code Integrity determined that a process [^\n]{3,700}? violated code integrity policy"
        r"(?=[^\n]{0,200}\bauditing policy)",
    ),
    (_INTEGRITY, 3077, 2, r"Code Integrity determined that a process [^\n]{3,700}? violated code integrity policy"),
)
#: In other languages than English: VSS by the routine, interface or code that is not translated.
_UNTRANSLATED: tuple[tuple[str, int, int, str], ...] = (
    ("VSS", 8194, 2, r"^(?=[^\n]{0,400}IVssWriterCallback)[^\n]*\bhr\s?= 0x[0-9A-Fa-f]{8}"),
    # A writer's own errors are 0x800423F0 to F5; only the event of its veto opens with one beside the name VSS.
    ("VSS", 8229, 3, r"^(?=[^\n]{0,200}\bVSS\b|[^\n]{0,200}VSS(?![A-Za-z_]))(?![^\n]*[._]VSS|[^\n]*VSS_E)"
     r"(?![^\n]*\bhr\b)[^\n:]{0,120}0x800423[Ff][0-5]\b[,、，]? ?[^\n]{0,300}$"),
    ("VSS", 12293, 2, r"^[^\n]{3,90}[:：] ?[^\n]{0,120}\{b5946137-7b9f-4925-af80-51abd60b20d5\}[^\n]*\[hr\s?="),
    ("VSS", 8193, 2, r"^[^\n]{3,60} ?[:：] ?[^\n]{0,160}\b(?:CoCreateInstance|RegOpenKeyExW|RegSaveKeyExW"
     r"|QueryFullProcessImageNameW|ConvertStringSidToSid|LookupAccount\w+|OpenProcess|NetLocalGroupGetMemebers|CoSetProxyBlanket)\b"
     r"[^\n]{0,300}\bhr\s?= 0x[0-9A-Fa-f]{8}"),
    ("VSS", 12289, 2, r"^[^\n]{3,60} ?[:：] ?[^\n]{0,160}\b(?:CreateFileW|DeviceIoControl|VerifyVolume\w*"
     r"|GetVolumeInformation\w*)\([^\n]{0,300}\bhr\s?= 0x[0-9A-Fa-f]{8}"),
)  # fmt: skip

_OPENING = re.compile(r"Volume Shadow Copy Service (?:error|warning|information): ")
_PATTERNS = [(provider, str(number), str(level), re.compile(words)) for provider, number, level, words in _SENTENCES]
_FOREIGN = [(provider, str(number), str(level), re.compile(words)) for provider, number, level, words in _UNTRANSLATED]
#: Characters of a line that are looked at.
_LONGEST = 4000

#: A provider by the beginning of what it says, where an event's number was told without its source.
_SPEAKERS: tuple[tuple[str, str], ...] = (
    ("VSS", r"Volume Shadow Copy Service (?:error|warning|information)|\bVSS\b|IVss\w+|Volume(?:n)?schattenkopie"
     r"|cliché instantané|instantáneas? de volumen|[Cc]opia [Ss]hadow|[Cc]ópias? de [Ss]ombra|シャドウ コピー"
     r"|卷影|陰影複製|[Тт]енев"),
    ("volsnap", r"\bshadow cop(?:y|ies) (?:of|for|storage)\b"),
    ("SQLWRITER", r"Sqllib error|\bSqlServerWriter\b"),
    ("SQLVDI", r"SQLVDI: "),
    ("ESENT", r"[Ss]hadow copy (?:instance )?\d+ "),
)  # fmt: skip
_SPEAKER_PATTERNS = [(provider, re.compile(words)) for provider, words in _SPEAKERS]
#: Ids that belong to one of the providers that matter here; others have no such id.
_IDS: Mapping[str, frozenset[int]] = {
    "VSS": frozenset(
        {*range(12288, 12375), *range(8193, 8235), 6013, 6015, 11, 12, 13, 18, 19, 21, 22, 24, 25, 26, 34}
    ),
    "volsnap": frozenset(range(1, 86)),
    "SQLWRITER": frozenset({24579, 24581, 24582, 24583}),
    "SQLVDI": frozenset({1}),
    "ESENT": frozenset({2001, 2003, 2004, 2005, 2006, 2007}),
}


def described_event(text: str) -> KnownEvent | None:
    """The event whose description stands in a line, whatever stands before it; None: no wording that is known."""
    line = text[:_LONGEST]
    for provider, number, level, words in _PATTERNS:
        if found := words.search(line):
            opening = _OPENING.search(line[: found.start()])
            return KnownEvent(provider, number, level, opening.start() if opening else found.start())
    for provider, number, level, words in _FOREIGN:
        if words.search(line):
            return KnownEvent(provider, number, level, 0)
    return None


def provider_of(event_id: str, text: str) -> str | None:
    """Who wrote an event of which the number and the description are known; None: nobody that is known."""
    if not event_id.isdigit():
        return None
    known = described_event(text)
    if known is not None and known.event_id == event_id:
        return known.provider
    for provider, words in _SPEAKER_PATTERNS:
        if int(event_id) in _IDS[provider] and words.search(text[:_LONGEST]):
            return provider
    return None
