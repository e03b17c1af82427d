"""States and settings of Windows services as text: ``sc``, ``net start``, ``Get-Service``, ``tasklist /svc``.

``sc`` prints states and start types as words that no language changes, so they are read wherever they stand; the tables
of PowerShell are read by the columns above their ruler.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_listing import Line, cited, console_head, console_lines, key_value, listing, paragraphs

_LOGSOURCE = LogSource("windows", "services", "config")

#: ``state``: 1 stopped to 7 paused; ``start_type``: 0 boot, 1 system, 2 auto, 3 demand, 4 disabled. ``kind``: which
#: program printed it. A service is known by its short name; where only the display name was printed, by that.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "service": pl.String(),
    "display_name": pl.String(),
    "state": pl.Int64(),
    "state_name": pl.String(),
    "start_type": pl.Int64(),
    "start_type_name": pl.String(),
    "account": pl.String(),
    "win32_exit_code": pl.Int64(),
    "service_exit_code": pl.Int64(),
    "pid": pl.Int64(),
    "binary_path": pl.String(),
    "image": pl.String(),
}

_STATES = ("", "stopped", "start pending", "stop pending", "running", "continue pending", "pause pending", "paused")
_START_TYPES = ("boot", "system", "auto", "demand", "disabled")
#: An object of one service, whole or in a fragment: Win32_Service and Get-Service as JSON, the agent's health report.
_JSON_SERVICE = re.compile(r"\{[^{}]{0,4000}?\"(?:startmode|starttype)\"\s*:[^{}]{0,4000}\}", re.IGNORECASE)
_JSON_NAME = re.compile(r"\"(?:name|servicename)\"\s*:\s*\"", re.IGNORECASE)
_JSON_STATE = re.compile(r"\"(?:state|status)\"\s*:", re.IGNORECASE)
_STATE_WORDS = {
    **{name.replace(" ", ""): number for number, name in enumerate(_STATES) if name},
    **{"beendet": 1, "ausgeführt": 4, "arrêté": 1, "arrestato": 1, "detenido": 1, "停止": 1, "実行中": 4},
}
_START_WORDS = {
    **{name: number for number, name in enumerate(_START_TYPES)},
    **{"automatic": 2, "automaticdelayedstart": 2, "manual": 3},
}
#: Short names of services that matter here, by their English display names (windows.md 3.6).
_SHORT_NAMES = {
    "rdagent": "RdAgent",
    "windows azure guest agent": "WindowsAzureGuestAgent",
    "volume shadow copy": "VSS",
    "microsoft software shadow copy provider": "swprv",
    "com+ system application": "COMSysApp",
    "com+ event system": "EventSystem",
    "distributed transaction coordinator": "MSDTC",
    "dhcp client": "Dhcp",
    "cng key isolation": "KeyIso",
    "cryptographic services": "CryptSvc",
    "windows installer": "msiserver",
    "sql server vss writer": "SQLWriter",
}

_SC_NAME = re.compile(r"^\s*SERVICE_NAME\s*:\s*(\S.*?)\s*$")
_SC_STATE = re.compile(
    r":\s*([1-7])\s+(STOPPED|START_PENDING|STOP_PENDING|RUNNING|CONTINUE_PENDING|PAUSE_PENDING|PAUSED)\b"
)
_SC_START = re.compile(r":\s*([0-4])\s+(BOOT|SYSTEM|AUTO|DEMAND|DISABLED)(?:_START)?\b")
_SC_EXIT = re.compile(r":\s*(\d{1,10})\s+\(0x[0-9A-Fa-f]+\)")
_SC_PID = re.compile(r"^\s*PID\s*:\s*(\d{1,9})\s*$")
_SC_DISPLAY = re.compile(r"^\s*DISPLAY_NAME\s*:\s*(\S.*?)\s*$")
_SC_PATH = re.compile(r"^\s*BINARY_PATH_NAME\s*:\s*(\S.*?)\s*$")
_SC_ACCOUNT = re.compile(r"^\s*SERVICE_START_NAME\s*:\s*(\S.*?)\s*$")
_RULER = re.compile(r"^\s*(-{2,}|={2,})(?:\s+(?:-{2,}|={2,}))+\s*$")
_PROPERTY = re.compile(r"^(\w{3,30})\s*[:=]\s?(.*)$")
_NET_START = re.compile(
    r"^(?:These Windows services are started|Folgende Windows-Dienste (?:wurden|sind) gestartet"
    r"|Les services Windows suivants (?:ont été|sont) (?:lancés|démarrés)|Sono stati avviati i seguenti servizi"
    r"|Se han iniciado estos servicios|次の Windows サービスが開始されています)",
    re.MULTILINE,
)
_CLAIMED = re.compile(
    r"^\s*SERVICE_NAME\s*: \S|^Status\s+Name\s+DisplayName\s*$|^(?:Name|DisplayName|StartType|StartMode|State|Status)"
    r"(?:\s+(?:Name|DisplayName|StartType|StartMode|State|Status|ExitCode|ProcessId|StartName|Caption)){2,}\s*$"
    r"|^Name\s*: \S+\s*\n(?:\w+\s*: .*\n){0,6}?(?:StartType|StartMode|CanPauseAndContinue)\s*: "
    r"|^=+ =+ =+\s*\n\S.*?\s+\d+ \S",
    re.MULTILINE,
)
#: Columns of PowerShell's tables and lists of services.
_NAMES = {
    "name": "service",
    "servicename": "service",
    "displayname": "display_name",
    "caption": "display_name",
    "status": "state",
    "state": "state",
    "starttype": "start_type",
    "startmode": "start_type",
    "startname": "account",
    "username": "account",
    "exitcode": "win32_exit_code",
    "servicespecificexitcode": "service_exit_code",
    "processid": "pid",
    "pathname": "binary_path",
    "binarypathname": "binary_path",
}

_SC_TEXT = (
    "\r\nSERVICE_NAME: MSDTC\r\nDISPLAY_NAME: Distributed Transaction Coordinator\r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS  \r\n        STATE              : 1  STOPPED \r\n"
    "        WIN32_EXIT_CODE    : 1066  (0x42a)\r\n        SERVICE_EXIT_CODE  : 3221229584  (0xc0001010)\r\n"
    "        CHECKPOINT         : 0x0\r\n        WAIT_HINT          : 0x0\r\n\r\n"
    "[SC] QueryServiceConfig SUCCESS\r\n\r\nSERVICE_NAME: VSS\r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS \r\n"
    "        START_TYPE         : 4   DISABLED\r\n        ERROR_CONTROL      : 1   NORMAL\r\n"
    "        BINARY_PATH_NAME   : C:\\Windows\\system32\\vssvc.exe  \r\n"
    "        DISPLAY_NAME       : Volume Shadow Copy  \r\n        SERVICE_START_NAME : LocalSystem  \r\n"
)
_POWERSHELL_TEXT = (
    "\r\nStatus   Name               DisplayName                           \r\n"
    "------   ----               -----------                           \r\n"
    "Running  RdAgent            RdAgent                               \r\n"
    "Stopped  VSS                Volume Shadow Copy                    \r\n\r\n\r\n"
)
_TASKLIST_TEXT = (
    "\r\nImage Name                     PID Services                                    \r\n"
    "========================= ======== ============================================\r\n"
    "System                           4 N/A                                         \r\n"
    "svchost.exe                    900 DcomLaunch, PlugPlay,                       \r\n"
    "                                   Power                                       \r\n"
)


@dataclass(frozen=True, slots=True)
class WindowsServicesText:
    """One row a service."""

    name: str = "windows_services_text"
    title: str = "services of Windows: sc query, sc qc, net start, Get-Service, tasklist /svc"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("sc queryex type= service state= all > services.txt", "Get-Service > services.txt")
    strongest = 60
    samples: tuple[Sample, ...] = (
        Sample(
            "sc query and sc qc",
            "sc-query.txt",
            _SC_TEXT.encode(),
            (
                {
                    "kind": "sc",
                    "service": "MSDTC",
                    "display_name": "Distributed Transaction Coordinator",
                    "state": 1,
                    "state_name": "stopped",
                    "win32_exit_code": 1066,
                    "service_exit_code": 3221229584,
                },
                {
                    "service": "VSS",
                    "start_type": 4,
                    "start_type_name": "disabled",
                    "account": "LocalSystem",
                    "binary_path": "C:\\Windows\\system32\\vssvc.exe",
                },
            ),
        ),
        Sample(
            "Get-Service in UTF-16",
            "services.txt",
            _POWERSHELL_TEXT.encode("utf-16"),
            (
                {"kind": "powershell", "service": "RdAgent", "state": 4, "state_name": "running"},
                {"service": "VSS", "display_name": "Volume Shadow Copy", "state": 1},
            ),
        ),
        Sample(
            "a list of PowerShell",
            "svc.txt",
            b"\nName      : VSS\nStartType : Disabled\nStatus    : Stopped\n\n"
            b"Name      : Dhcp\nStartType : Automatic\n",
            ({"service": "VSS", "start_type": 4, "state": 1}, {"service": "Dhcp", "start_type": 2}),
        ),
        Sample(
            "tasklist /svc",
            "tasklist.txt",
            _TASKLIST_TEXT.encode(),
            (
                {"kind": "tasklist", "service": "DcomLaunch", "pid": 900, "image": "svchost.exe", "state": 4},
                {"service": "PlugPlay"},
                {"service": "Power", "pid": 900, "log.line": 6},
            ),
        ),
        Sample(
            "services in a report of the agent's health, without its beginning",
            "report.txt",
            b'"ExitCode": 3 }, {\n "exitCode":1053,\n "name":"RdAgent",\n "processId":0,\n "startMode":"Auto",\n'
            b' "startName":"LocalSystem",\n "state":"Stopped",\n "status":"OK"\n},\n',
            (
                {
                    "kind": "json",
                    "service": "RdAgent",
                    "state": 1,
                    "start_type": 2,
                    "win32_exit_code": 1053,
                    "account": "LocalSystem",
                    "log.line": 1,
                },
            ),
        ),
        Sample(
            "net start",
            "net_start.txt",
            b"These Windows services are started:\r\n\r\n   COM+ Event System\r\n   Contoso Backup\r\n\r\n"
            b"The command completed successfully.\r\n",
            (
                {"kind": "net start", "service": "EventSystem", "display_name": "COM+ Event System", "state": 4},
                {"service": None, "display_name": "Contoso Backup", "state_name": "running"},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the shape of the programs' output."""
        text = console_head(head).replace("\r\n", "\n")
        if _CLAIMED.search(text) or _NET_START.search(text):
            return Claim(60, "built like a list of Windows services")
        if any(_JSON_NAME.search(found[0]) and _JSON_STATE.search(found[0]) for found in _JSON_SERVICE.finditer(text)):
            return Claim(44, "holds Windows services as JSON")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a service; states have no time of their own."""
        lines = console_lines(source.data)
        rows = [row | cited(run) for run, row in _rows(lines)]
        if not rows and source.data.strip():
            return rejected_whole(source, "no service in it")
        rows.sort(key=lambda row: int(str(row["log.line"])))
        return listing(source, self.logsource, lines, [_finished(row) for row in rows], _COLUMNS)


def _rows(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], dict[str, object]]]:
    yield from _of_sc(lines)
    yield from _of_json(lines)
    yield from _of_tables(lines)
    yield from _of_lists(lines)
    yield from _of_net_start(lines)


def _finished(row: dict[str, object]) -> dict[str, object]:
    """Adds the names of numbers, a short name that is known, and a line for people."""
    state, start = row.get("state"), row.get("start_type")
    row["state_name"] = _STATES[state] if isinstance(state, int) and 0 < state < len(_STATES) else None
    row["start_type_name"] = _START_TYPES[start] if isinstance(start, int) and start < len(_START_TYPES) else None
    display = row.get("display_name")
    if row.get("service") is None and isinstance(display, str):
        row["service"] = _SHORT_NAMES.get(display.casefold())
    told = [row.get(name) for name in ("state_name", "start_type_name", "account")]
    row["message"] = f"{row.get('service') or display}: {', '.join(str(one) for one in told if one)}"
    return row


def _of_sc(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], dict[str, object]]]:
    starts = [place for place, line in enumerate(lines) if _SC_NAME.match(line.text)]
    for start, following in zip(starts, [*starts[1:], len(lines)], strict=False):
        run = list(_until_blank(lines[start:following]))
        yield run, _sc_row(run)


def _of_json(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], dict[str, object]]]:
    """Objects of services in JSON that may be cut on either side."""
    text = "\n".join(line.text for line in lines)
    starts = [0, *accumulate(len(line.text) + 1 for line in lines)]
    for found in _JSON_SERVICE.finditer(text):
        try:
            told = orjson.loads(found[0])
        except orjson.JSONDecodeError:
            continue
        values = {
            name: str(value)
            for key, value in told.items()
            if (name := _NAMES.get(key.casefold())) and isinstance(value, str | int) and not isinstance(value, bool)
        }
        states = [value for key, value in told.items() if key.casefold() == "state" and isinstance(value, str)]
        values |= {"state": states[0]} if states else {}  # the status beside it says that the object is well
        first, last = bisect_right(starts, found.start()) - 1, bisect_left(starts, found.end()) - 1
        if values.get("service"):
            yield lines[first : last + 1], _powershell_row(values) | {"kind": "json"}


def _until_blank(lines: Sequence[Line]) -> Iterator[Line]:
    for line in lines:
        if line.blank:
            return
        yield line


def _sc_row(run: Sequence[Line]) -> dict[str, object]:
    def first(pattern: re.Pattern[str]) -> str | None:
        return next((found[1] for line in run if (found := pattern.search(line.text))), None)

    exits = [int(found[1]) for line in run if (found := _SC_EXIT.search(line.text))]
    return {
        "kind": "sc",
        "service": first(_SC_NAME),
        "display_name": first(_SC_DISPLAY),
        "state": _number(first(_SC_STATE)),
        "start_type": _number(first(_SC_START)),
        "account": first(_SC_ACCOUNT),
        "win32_exit_code": exits[0] if exits else None,
        "service_exit_code": exits[1] if len(exits) > 1 else None,
        "pid": _number(first(_SC_PID)),
        "binary_path": first(_SC_PATH),
    }


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,12}", text.strip()) else None


def _of_tables(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], dict[str, object]]]:
    """Rows below a ruler: those of PowerShell by the words above it, those of tasklist by their three columns."""
    for place, ruler in enumerate(lines):
        if place == 0 or not _RULER.match(ruler.text):
            continue
        starts = [found.start() for found in re.finditer(r"[-=]{2,}", ruler.text)]
        body = list(_below(lines, place))
        if "=" in ruler.text:
            yield from _of_tasklist(body, starts)
            continue
        names = [_NAMES.get(cell.casefold()) for cell in _cells(lines[place - 1].text, starts)]
        if "service" not in names and "display_name" not in names:
            continue
        for line in body:
            cells = zip(names, _cells(line.text, starts), strict=True)
            yield [line], _powershell_row({name: cell for name, cell in cells if name and cell})


def _below(lines: Sequence[Line], place: int) -> Iterator[Line]:
    """The lines behind a ruler, up to a blank one or the next ruler."""
    for following in range(place + 1, len(lines)):
        if lines[following].blank or _RULER.match(lines[following].text):
            return
        yield lines[following]


def _cells(text: str, starts: Sequence[int]) -> list[str]:
    return [text[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]


def _powershell_row(cells: Mapping[str, str]) -> dict[str, object]:
    words = {name: cell.casefold().replace(" ", "") for name, cell in cells.items()}
    kept: dict[str, object] = {
        name: cell for name, cell in cells.items() if name in ("service", "display_name", "account", "binary_path")
    }
    numbers = {name: _number(cells.get(name)) for name in ("win32_exit_code", "service_exit_code", "pid")}
    return {
        **kept,
        **numbers,
        "kind": "powershell",
        "state": _STATE_WORDS.get(words.get("state", "")),
        "start_type": _START_WORDS.get(words.get("start_type", "")),
    }


def _of_tasklist(body: Sequence[Line], starts: Sequence[int]) -> Iterator[tuple[Sequence[Line], dict[str, object]]]:
    image, pid = "", None
    for line in body if len(starts) == 3 else ():
        cells = _cells(line.text, starts)
        if cells[0]:
            image, pid = cells[0], _number(cells[1])
        for service in (one.strip() for one in cells[2].split(",")):
            if re.fullmatch(r"[\w.$ -]{1,80}", service) and pid is not None:
                yield [line], {"kind": "tasklist", "service": service, "image": image, "pid": pid, "state": 4}


def _of_lists(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], dict[str, object]]]:
    """Lists of PowerShell and WMI: a paragraph a service, ``Name : value`` or ``Name=value`` each."""
    for run in paragraphs(lines):
        pairs = [(found, line) for line in run if (found := _PROPERTY.match(line.text))]
        cells = {name: found[2].strip() for found, _ in pairs if (name := _NAMES.get(found[1].casefold()))}
        if "service" in cells and {"state", "start_type"} & cells.keys() and not _SC_NAME.match(run[0].text):
            yield run, _powershell_row({name: cell for name, cell in cells.items() if cell})


def _of_net_start(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], dict[str, object]]]:
    begun = False
    for line in lines:
        if _NET_START.match(line.text):
            begun = True
        elif begun and line.indent == 3 and key_value(line.text) is None:
            yield [line], {"kind": "net start", "display_name": line.text.strip(), "state": 4}
        elif begun and not line.blank:
            begun = False


parser: Parser = WindowsServicesText()
