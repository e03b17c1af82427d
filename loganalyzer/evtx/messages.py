"""What Windows prints for an event, back to the values that the event holds: message templates as data.

Only events that rules and tables ask for by their values. Templates are those of the message tables (in English),
``%1`` is the first value and ``...`` any text; a description that fits none is one value, so that no text is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_SCM = "service control manager"
_DHCP = "microsoft-windows-dhcp-client"
_APPLOCKER = "microsoft-windows-applocker"
_INTEGRITY = "microsoft-windows-codeintegrity"
_UPDATES = "microsoft-windows-windowsupdateclient"
_FIREWALL = "microsoft-windows-windows firewall with advanced security"

#: Provider (lower case), event ids, template, names of the values by number; no names: the event's values have none.
_TEMPLATES: tuple[tuple[str, tuple[int, ...], str, tuple[str, ...]], ...] = (
    ("vss", (8193,), "Unexpected error calling routine %1. hr = %2. %3", ()),
    ("vss", (8194,), "Unexpected error querying for the IVssWriterCallback interface. hr = %1. %2", ()),
    ("vss", (8213,), "The process that hosts the writer with name %1 and ID %2 does not run under ... rights. %3", ()),
    ("vss", (8214,), "The shadow copy writer could not communicate with the Shadow Copy publisher. hr = %1. %2", ()),
    ("vss", (8229,), "A VSS writer has rejected an event with error %1. %2", ()),
    ("vss", (8230,), "Failed resolving account %1 with status %2. %3", ()),
    ("vss", (6015,), "a call to Jet function %1 failed with status = %2. %3", ()),
    ("vss", (11, 12, 13), "The COM Server with CLSID %1 and name %2 cannot be started. ...[%3] %4", ()),
    ("vss", (19,), "The EventSystem service is disabled or ... CLSID:%1 Name:%2 [%3] %4", ()),
    ("vss", (21,), "Writers will not receive events since ... CLSID %1 Name %2 [%3] %4", ()),
    ("vss", (22,), "CoCreateInstance on class with CLSID %1 and Name %2 is [%3]. %4", ()),
    ("vss", (12289,), "Volume Shadow Copy Service error: Unexpected error %1. hr = %2. %3", ()),
    ("vss", (12290,), "Volume Shadow Copy Service warning: %1. hr = %2. %3", ()),
    ("vss", (12292,), "Error creating the Shadow Copy Provider COM class with CLSID %1 [%2]. %3", ()),
    ("vss", (12293,), "Error calling a routine on a Shadow Copy Provider %1. Routine details %2 [hr = %3]. %4", ()),
    ("vss", (12301,), "Writer %1 did not respond to a GatherWriterStatus call. %2", ()),
    ("vss", (12310,), "The shadow copy could not be committed - operation timed out. Error context: %1. %2", ()),
    (_SCM, (7000,), "The %1 service failed to start due to the following error: %2", ("param1", "param2")),
    (
        _SCM,
        (7001,),
        "The %1 service depends on the %2 service which failed to start because of the following error: %3",
        ("param1", "param2", "param3"),
    ),
    (
        _SCM,
        (7009,),
        "A timeout was reached (%1 milliseconds) while waiting for the %2 service to connect.",
        ("param1", "param2"),
    ),
    (
        _SCM,
        (7011,),
        "A timeout (%1 milliseconds) was reached while waiting for a transaction response from the %2 service.",
        ("param1", "param2"),
    ),
    (_SCM, (7022,), "The %1 service hung on starting.", ("param1",)),
    (_SCM, (7023,), "The %1 service terminated with the following error: %2", ("param1", "param2")),
    (_SCM, (7024,), "The %1 service terminated with ... service-specific error: %2", ("param1", "param2")),
    (_SCM, (7024,), "The %1 service terminated with service-specific error %2", ("param1", "param2")),
    (
        _SCM,
        (7031,),
        "The %1 service terminated unexpectedly. It has done this %2 time(s). The following corrective action will be "
        "taken in %3 milliseconds: %5.",
        ("param1", "param2", "param3", "param4", "param5"),
    ),
    (
        _SCM,
        (7034,),
        "The %1 service terminated unexpectedly. It has done this %2 time(s).",
        ("param1", "param2"),
    ),
    (_SCM, (7036,), "The %1 service entered the %2 state.", ("param1", "param2")),
    (
        _SCM,
        (7038, 7041),
        "The %1 service was unable to log on as %2 with the currently configured password due to the following error: "
        "%3",
        ("param1", "param2", "param3"),
    ),
    (
        _SCM,
        (7040,),
        "The start type of the %1 service was changed from %2 to %3.",
        ("param1", "param2", "param3", "param4"),
    ),
    (
        "microsoft-windows-distributedcom",
        (10005,),
        'DCOM got error "%1" attempting to start the service %2 with arguments "%3" in order to run the server: %4',
        ("param1", "param2", "param3", "param4"),
    ),
    (
        "microsoft-windows-distributedcom",
        (10010,),
        "The server %1 did not register with DCOM within the required timeout.",
        ("param1",),
    ),
    ("eventlog", (6008,), "The previous system shutdown at %1 on %2 was unexpected.", ()),
    ("eventlog", (6009,), "Microsoft (R) Windows (R) %1 %2 %3 %4.", ()),
    ("tcpip", (4199,), "... conflict for IP address %2 with the system having network hardware address %3.", ()),
    (_DHCP, (50037,), "... ShutDown Flag value is %1", ("DwordVal",)),
    ("microsoft-windows-dns-client", (1014,), "Name resolution for the name %1 timed out after none", ("QueryName",)),
    (
        "schannel",
        (36871,),
        "A fatal error occurred while creating a... %1 credential. The internal error state is %2.",
        ("Type", "ErrorState"),
    ),
    (
        "microsoft-windows-wer-systemerrorreporting",
        (1001,),
        "The computer has rebooted from a bugcheck. The bugcheck was: %1. A dump was saved in: %2. Report Id: %3.",
        ("param1", "param2", "param3"),
    ),
    (
        "user32",
        (1074,),
        "The process %1 has initiated the %5 of computer %2 on behalf of user %7 for the following reason: %3 Reason "
        "Code: %4 Shutdown Type: ... Comment: %6",
        ("param1", "param2", "param3", "param4", "param5", "param6", "param7"),
    ),
    ("application popup", (26,), "Application popup: %1 : %2", ("Caption", "Message")),
    (_APPLOCKER, (8002,), "%1 was allowed to run.", ("FilePath",)),
    (_APPLOCKER, (8003, 8006), "%1 was allowed to run but would have been prevented", ("FilePath",)),
    (_APPLOCKER, (8004, 8007, 8029, 8036), "%1 was prevented from running", ("FilePath",)),
    (
        _INTEGRITY,
        (3033, 3076, 3077),
        "Code Integrity determined that a process (%2) attempted to load %1 that did not meet the %3 signing level",
        ("File Name", "Process Name", "Requested Signing Level"),
    ),
    (
        _UPDATES,
        (19,),
        "Installation Successful: Windows successfully installed the following update: %1",
        ("updateTitle",),
    ),
    (
        _UPDATES,
        (20,),
        "Installation Failure: Windows failed to install the following update with error %1: %2",
        ("errorCode", "updateTitle"),
    ),
    (
        _UPDATES,
        (43,),
        "Installation Started: Windows has started installing the following update: %1",
        ("updateTitle",),
    ),
    ("ntfs", (55,), "A corruption was discovered in the file system structure on volume %1.", ("DriveName",)),
    (
        "microsoft-windows-ntfs",
        (55,),
        "A corruption was discovered in the file system structure on volume %1.",
        ("DriveName",),
    ),
    ("disk", (7,), "The device, %1, has a bad block.", ()),
    ("disk", (11,), "The driver detected a controller error on %1.", ()),
    ("disk", (15,), "The device, %1, is not ready for access yet.", ()),
    ("disk", (51,), "An error was detected on device %1 during a paging operation.", ()),
    ("disk", (153,), "The IO operation at logical block address %2 for Disk %1 (PDO name: %3) was retried.", ()),
    ("disk", (157,), "Disk %1 has been surprise removed.", ()),
)

_FIREWALL_RULE = {
    "rule id": "RuleId",
    "rule name": "RuleName",
    "direction": "Direction",
    "action": "Action",
    "remote addresses": "RemoteAddresses",
    "application path": "ApplicationPath",
}
#: Lines ``Label: value`` in a description, to names of values, with the codes that the event has in place of words.
_LABELLED: Mapping[tuple[str, str], Mapping[str, str]] = {
    (_SCM, "7045"): {
        "service name": "ServiceName",
        "service file name": "ImagePath",
        "service type": "ServiceType",
        "service start type": "StartType",
        "service account": "AccountName",
    },
    (_FIREWALL, "2004"): _FIREWALL_RULE,
    (_FIREWALL, "2071"): _FIREWALL_RULE,
    (_FIREWALL, "2097"): _FIREWALL_RULE,
}
_CODES = {"Direction": {"inbound": "1", "outbound": "2"}, "Action": {"allow": "3", "block": "2"}}

#: Characters of a description in which values are looked for.
_LONGEST = 16384
_HEX = re.compile(r"0x([0-9A-Fa-f]+)\Z")
#: In the pattern of a literal: it has a word, not marks and blanks alone.
_WORDS = re.compile(r"[A-Za-z]{2}")

#: Providers that Event Viewer shows by another name.
_OTHER_NAMES = {
    "dcom": "microsoft-windows-distributedcom",
    "distributedcom": "microsoft-windows-distributedcom",
    "dhcp-client": _DHCP,
    "applocker": _APPLOCKER,
    "codeintegrity": _INTEGRITY,
    "windowsupdateclient": _UPDATES,
    "microsoft-windows-schannel-events": "schannel",
    "microsoft-windows-user32": "user32",
    "dns client events": "microsoft-windows-dns-client",
}

#: What Windows prints for a message reference: ``%%1053`` stands in the event (windows.md 3.1, 5).
_REFERENCES = (
    ("%%2", "The system cannot find the file specified"),
    ("%%5", "Access is denied"),
    ("%%1053", "The service did not respond to the start or control request in a timely fashion"),
    ("%%1058", "The service cannot be started, either because it is disabled"),
    ("%%1066", "The service has returned a service-specific error code"),
    ("%%1067", "The process terminated unexpectedly"),
    ("%%1068", "The dependency service or group failed to start"),
    ("%%1069", "The service did not start due to a logon failure"),
    ("%%1115", "A system shutdown is in progress"),
    ("%%1079", "The account specified for this service is different"),
)


@dataclass(frozen=True, slots=True)
class EventValues:
    """Values of an event: without names (in order), and by their names."""

    unnamed: tuple[str, ...]
    named: Mapping[str, str]


def values_of(provider: str | None, event_id: str | None, description: str) -> EventValues:
    """The values that a printed description was made of; where that is not known, the description is the one value."""
    name = (provider or "").lower()
    name = _OTHER_NAMES.get(name, name)
    if name == "application error" and event_id == "1000" and (crash := _crash(description)):
        return EventValues(crash, {})
    labelled = _labelled(_LABELLED.get((name, event_id or ""), {}), description)
    if labelled:
        return EventValues((), labelled)
    for template in _templates().get((name, event_id or ""), ()):
        found = template.read(description[:_LONGEST])
        if found is not None:
            return found
    return EventValues((description,) if description else (), {})


def _reference(value: str) -> str:
    return next((code for code, words in _REFERENCES if value.casefold().startswith(words.casefold())), value)


@dataclass(frozen=True, slots=True)
class _Template:
    """Literals between values, each searched behind the one before: no backtracking, whatever the text."""

    pieces: tuple[re.Pattern[str] | int | None, ...]
    names: tuple[str, ...]

    def read(self, text: str) -> EventValues | None:
        found: dict[int, str] = {}
        position, pending, open_value = 0, None, False
        for place, piece in enumerate(self.pieces):
            if not isinstance(piece, re.Pattern):
                pending, open_value = piece, True
                continue
            literal = piece.search(text, position)
            if literal is None and 0 < place == len(self.pieces) - 2 and not _WORDS.search(piece.pattern):
                break  # nothing was printed for the last value, nor the mark in front of it
            if literal is None:
                return None
            if open_value and pending is not None:
                found[pending] = text[position : literal.start()].strip()
            position, pending, open_value = literal.end(), None, False
        if open_value and pending is not None:
            found[pending] = text[position:].strip()
        ordered = [found.get(number, "") for number in range(1, max(found, default=0) + 1)]
        if not self.names:
            return EventValues(tuple(ordered), {})
        return EventValues((), {name: _reference(value) for name, value in zip(self.names, ordered, strict=False)})


@lru_cache(maxsize=1)
def _templates() -> Mapping[tuple[str, str], Sequence[_Template]]:
    found: dict[tuple[str, str], list[_Template]] = {}
    for provider, event_ids, text, names in _TEMPLATES:
        template = _Template(tuple(_pieces(text)), names)
        for event_id in event_ids:
            found.setdefault((provider, str(event_id)), []).append(template)
    return found


def _pieces(template: str) -> Iterator[re.Pattern[str] | int | None]:
    """Literals as patterns, values as their numbers, ``...`` as None. Blanks between words are any blanks."""
    for piece in re.split(r"(%\d|\.\.\.)", template):
        if piece == "...":
            yield None
        elif re.fullmatch(r"%\d", piece):
            yield int(piece[1])
        elif piece:
            words = r"\s+".join(map(re.escape, piece.strip().split(" ")))
            before, behind = piece.startswith(" ") * r"\s+", piece.endswith(" ") * r"(?:\s+|\Z)"
            yield re.compile(r"\s" if piece.isspace() else f"{before}{words}{behind}", re.IGNORECASE)


def _labelled(labels: Mapping[str, str], description: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in description.splitlines() if labels else ():
        label, colon, value = line.partition(":")
        name = labels.get(label.strip().casefold())
        if colon and name is not None:
            found[name] = _CODES.get(name, {}).get(value.strip().casefold(), value.strip())
    return found


def _crash(description: str) -> tuple[str, ...] | None:
    """A crash's values: three of the program, three of the module, and one a line, whatever the language."""
    lines = [line.strip() for line in description.splitlines() if ":" in line]
    if len(lines) < 5:
        return None
    values: list[str] = []
    for line in lines[:2]:
        parts = [part.partition(":")[2].strip() for part in re.split(r",\s+(?=[^,:]{2,40}:\s)", line)]
        if len(parts) != 3:
            return None
        values += parts
    values += [line.partition(":")[2].strip() for line in lines[2:11]]
    return tuple(found[1] if (found := _HEX.match(value)) else value for value in values)


def event_of(description: str) -> tuple[str, str] | None:
    """Provider and id of an event of which only the description was copied; None: more than one has such a text.

    Only where the wording belongs to one event: VSS and the Service Control Manager.
    """
    for provider, event_ids, _, _ in _TEMPLATES:
        if provider not in ("vss", _SCM) or len(event_ids) > 1:
            continue
        found = values_of(provider, str(event_ids[0]), description)
        if found.named or len(found.unnamed) > 1:
            return "VSS" if provider == "vss" else "Service Control Manager", str(event_ids[0])
    return None
