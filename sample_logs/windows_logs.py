"""Agent logs, events and status files as a Windows VM writes them, for generated samples.

Wordings and shapes are those of windows.md (2.1, 2.5, 3.2 to 3.4) and of the event table beside it; names, ids and
times are made up.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sample_logs.evtx_writer import EventRecord, UserData

EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshot"
APPLOCKER_NAMESPACE = "http://schemas.microsoft.com/schemas/event/Microsoft.Windows/1.0.0.0"
#: Keywords of a classic event.
CLASSIC = 0x80000000000000
ERROR, WARNING, INFORMATION = 2, 3, 4


@dataclass(frozen=True, slots=True)
class WindowsVm:
    """A VM with its versions."""

    name: str
    agent: str = "2.7.41491.1172"
    extension: str = "1.0.92.0"
    booted: datetime = datetime(2025, 6, 9, 18, 2, 11, tzinfo=UTC)
    collected: datetime = datetime(2025, 6, 11, 8, 30, tzinfo=UTC)

    @property
    def plugin_folder(self) -> str:
        """The extension's folder as Windows writes it."""
        return rf"C:\Packages\Plugins\{EXTENSION}\{self.extension}"


@dataclass(frozen=True, slots=True)
class Run:
    """One backup: when its command was given, the number of its settings, and its task."""

    start: datetime
    sequence: int
    task: str

    def after(self, seconds: float) -> datetime:
        """A time in this run."""
        return self.start + timedelta(seconds=seconds)


@dataclass
class Machine:
    """A VM while its logs are written. Events go to their channels in order of time when the bundle is made."""

    vm: WindowsVm
    rng: random.Random
    agent: list[tuple[datetime, str]] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)

    def say(self, time: datetime, level: str, text: str, thread: int = 6) -> None:
        """One entry of WaAppAgent.log, of the era with milliseconds (windows.md 2.1, era C)."""
        exact = time.replace(microsecond=self.rng.randrange(1000) * 1000)
        tag = f"[{level}]".ljust(7)
        self.agent.append(
            (exact, f"[{thread:08}] {exact:%Y-%m-%dT%H:%M:%S}.{exact.microsecond // 1000:03}Z {tag} {text}")
        )

    def agent_text(self) -> str:
        """WaAppAgent.log with CR LF."""
        return "".join(f"{text}\r\n" for _, text in sorted(self.agent, key=lambda entry: entry[0]))

    def channel(self, name: str) -> list[EventRecord]:
        """The events of one channel in order of time."""
        return sorted((event for event in self.events if event.channel == name), key=lambda event: event.time)

    def classic(
        self,
        provider: str,
        event_id: int,
        time: datetime,
        values: tuple[str, ...],
        *,
        level: int = INFORMATION,
        channel: str = "Application",
        binary: bytes | None = b"",
    ) -> None:
        """An event of a classic provider: unnamed values, whole seconds, no process."""
        self.events.append(
            EventRecord(
                provider,
                event_id,
                channel,
                self.vm.name,
                time.replace(microsecond=0),
                level=level,
                keywords=CLASSIC,
                qualifiers=0,
                data=values,
                binary=binary,
            )
        )

    def service(
        self, event_id: int, time: datetime, values: dict[str, str], short: str, *, level: int = INFORMATION
    ) -> None:
        """An event of the Service Control Manager; ``short`` is what its binary part says (windows.md 3.2)."""
        self.events.append(
            EventRecord(
                "Service Control Manager",
                event_id,
                "System",
                self.vm.name,
                time.replace(microsecond=self.rng.randrange(10**6)),
                level=level,
                keywords=0x8080000000000000,
                qualifiers=16384 if level == INFORMATION else 49152,
                version=0,
                opcode=0,
                provider_guid=UUID("555908d1-a6d7-4695-8e1e-26931d2012f4"),
                event_source_name="Service Control Manager",
                process_id=648,
                thread_id=self.rng.randrange(700, 9000, 4),
                data=values,
                binary=short.encode("utf-16-le"),
            )
        )

    def modern(self, record: EventRecord) -> None:
        """Any other event."""
        self.events.append(record)


def guid(rng: random.Random) -> str:
    """A random id in lower case."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def service_state(machine: Machine, time: datetime, display: str, short: str, running: bool) -> None:
    """7036: a service runs (4) or stopped (1)."""
    word, number = ("running", 4) if running else ("stopped", 1)
    machine.service(7036, time, {"param1": display, "param2": word}, f"{short}/{number}\0")


def boot(machine: Machine, at: datetime | None = None) -> None:
    """A start of Windows (as a rule the VM's first) in the System log and in the agent's."""
    at = at or machine.vm.booted
    machine.classic("EventLog", 6009, at, ("10.00.", "20348", "", "Multiprocessor Free", "0"), channel="System")
    machine.classic("EventLog", 6005, at, ("",), channel="System")
    for display, short in (("RdAgent", "RdAgent"), ("Windows Azure Guest Agent", "WindowsAzureGuestAgent")):
        service_state(machine, at + timedelta(seconds=21), display, short, True)
    machine.say(at + timedelta(seconds=24), "INFO", f"WindowsAzureGuestAgent starting. Version {machine.vm.agent}")
    machine.say(at + timedelta(seconds=31), "INFO", "StateExecutor initialization completed.")


def hearts(machine: Machine, last: datetime, booted: datetime | None = None) -> None:
    """A heartbeat of the agent each five minutes after a start of Windows (as a rule the VM's first)."""
    time = (booted or machine.vm.booted) + timedelta(minutes=1)
    while time <= last:
        machine.say(time, "HEART", "WindowsAzureGuestAgent Heartbeat.", 11)
        time += timedelta(minutes=5, seconds=machine.rng.randrange(2))


def shut_down(machine: Machine, at: datetime, process: str, reason: str, code: str, user: str) -> None:
    """Somebody asks for a restart (User32 1074), the agent stops, and Windows goes down in order (EventLog 6006)."""
    values = (process, machine.vm.name, reason, code, "restart", "", user)
    machine.modern(
        EventRecord(
            "User32",
            1074,
            "System",
            machine.vm.name,
            at,
            level=INFORMATION,
            keywords=0x8080000000000000,
            qualifiers=32768,
            version=0,
            opcode=0,
            provider_guid=UUID("b0aa8734-56f7-41cc-b2f4-de228e98b946"),
            event_source_name="User32",
            process_id=588,
            thread_id=1960,
            data={f"param{number}": value for number, value in enumerate(values, start=1)},
        )
    )
    machine.say(at + timedelta(seconds=2), "INFO", "WindowsAzureGuestAgent stopping.")
    machine.classic("EventLog", 6006, at + timedelta(seconds=9), ("",), channel="System")


def daily_noise(machine: Machine) -> None:
    """What every Windows writes day by day and what is never a cause (windows.md 3.2 and 5)."""
    time = machine.vm.booted + timedelta(minutes=7)
    number = 0
    while time < machine.vm.collected:
        short = ("BITS", "wuauserv", "TrustedInstaller", "WdiSystemHost")[number % 4]
        display = {
            "BITS": "Background Intelligent Transfer Service",
            "wuauserv": "Windows Update",
            "TrustedInstaller": "Windows Modules Installer",
            "WdiSystemHost": "Diagnostic System Host",
        }[short]
        service_state(machine, time, display, short, number % 8 < 4)
        if number % 6 == 2:
            machine.classic(
                "ESENT", 327, time, ("svchost", "1204,D,35", "DS_Token_DB: ", "1", "tokens.dat", "0", "", "0")
            )
        time, number = time + timedelta(minutes=37, seconds=machine.rng.randrange(50)), number + 1
    for day in (10, 11):
        noon = datetime(2025, 6, day, 8, 0, 1, tzinfo=UTC)
        uptime = int((noon - machine.vm.booted).total_seconds())
        machine.classic(
            "EventLog", 6013, noon, ("", "", "", "", str(uptime), "60", "0 GMT Standard Time"), channel="System"
        )
    machine.classic(
        "VSS",
        8194,
        machine.vm.booted + timedelta(hours=3),
        ("0x80070005, Access is denied.\r\n", context("Writer Class Id: {e8132975-6f93-4464-a53e-1050253ae220}")),
        level=ERROR,
        binary=vss_binary("vssvc.exe"),
    )


def context(*lines: str, operation: str = "Gathering Writer Data") -> str:
    """The last value of a VSS event (windows.md 3.4)."""
    return f"\r\n\r\nOperation:\r\n   {operation}\r\n\r\nContext:\r\n" + "\r\n".join(f"   {line}" for line in lines)


def vss_binary(program: str) -> bytes:
    """The binary part of a VSS event: who wrote it (windows.md 3.4)."""
    return (
        "- Code: WRTWRTIC00000823- Call: WRTWRTIC00000774- PID:  00003120- TID:  00004216- "
        f"CMD:  C:\\Windows\\system32\\{program}   - User: Name: NT AUTHORITY\\SYSTEM, SID:S-1-5-18 "
    ).encode()


def command(machine: Machine, run: Run) -> None:
    """The agent starts the extension's enable command."""
    version = machine.vm.extension
    for level, text in (
        ("WARN", f"Starting installation/update of plugins. Incarnation: {run.sequence}, extension count: 1"),
        ("INFO", f"Start the root task for Plugin handler '{EXTENSION}'"),
        ("WARN", f"Processing plugin {EXTENSION} version {version}, state: enabled, autoupgrade: True, isJson: True"),
        ("INFO", f"Beginning enable of plugin {EXTENSION}."),
        ("INFO", rf"Plugin enable command: {machine.vm.plugin_folder}\enable.cmd and params:"),
        ("ERROR", "Error SetCPUNotification: 87"),
    ):
        machine.say(run.start, level, text)


def good_run(machine: Machine, run: Run) -> None:
    """A backup that goes well: VSS starts, the extension reports, VSS stops when idle."""
    command(machine, run)
    service_state(machine, run.after(6), "Volume Shadow Copy", "VSS", True)
    service_state(machine, run.after(8), "Microsoft Software Shadow Copy Provider", "swprv", True)
    machine.say(run.after(19), "INFO", f"Command enable.cmd of {EXTENSION} has exited with Exit code: 0")
    machine.say(
        run.after(20), "INFO", f"Plugin enabled (name: {EXTENSION}, version: {machine.vm.extension}), completed: True"
    )
    machine.classic("VSS", 8224, run.after(240), ("",), binary=vss_binary("vssvc.exe"))
    service_state(machine, run.after(241), "Volume Shadow Copy", "VSS", False)


def no_status(machine: Machine, run: Run, minutes: int = 40) -> None:
    """The agent waits for a status file that never comes (windows.md 2.1)."""
    for number in range(minutes * 2):
        machine.say(
            run.after(20 + 30 * number),
            "WARN",
            rf"Status file {machine.vm.plugin_folder}\Status\{run.sequence}.status is not available for the Extension "
            "'' yet.",
        )


def status_file(run: Run, code: int, word: str, message: str) -> bytes:
    r"""``Status\N.status`` of the extension (windows.md 2.5)."""
    report = {
        "version": "1.0",
        "timestampUTC": f"/Date({int(run.after(21).timestamp() * 1000)})/",
        "status": {
            "name": EXTENSION,
            "operation": "Enable",
            "status": word,
            "code": code,
            "taskId": run.task,
            "formattedMessage": {"lang": "en-US", "message": message},
            "substatus": [],
        },
    }
    return json.dumps([report]).encode()


def aggregate_status(machine: Machine, time: datetime, word: str, sequence: int, handler_state: str) -> bytes:
    """aggregatestatus.json: what the agent told the host last."""
    report = {
        "version": "1.1",
        "timestampUTC": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "aggregateStatus": {
            "guestAgentStatus": {
                "version": machine.vm.agent,
                "status": "Ready",
                "formattedMessage": {
                    "lang": "en-US",
                    "message": "GuestAgent is running and accepting new configurations.",
                },
            },
            "handlerAggregateStatus": [
                {
                    "handlerName": EXTENSION,
                    "handlerVersion": machine.vm.extension,
                    "status": handler_state,
                    "code": 0,
                    "runtimeSettingsStatus": {
                        "sequenceNumber": sequence,
                        "settingsStatus": {
                            "timestampUTC": f"{time:%Y-%m-%dT%H:%M:%SZ}",
                            "status": {"status": word, "operation": "Enable", "code": 1 if word == "success" else 4},
                        },
                    },
                }
            ],
        },
        "guestOSInfo": {"computerName": machine.vm.name, "osName": "Windows", "osVersion": "10.0.20348"},
    }
    return json.dumps(report).encode()


def crash_values(program: str, path: str, module: str, time: datetime, rng: random.Random) -> dict[str, str]:
    """The values of Application Error 1000 by name, in their order (windows.md 3.2)."""
    created = (time - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
    return {
        "AppName": program,
        "AppVersion": "1.0.0.0",
        "AppTimeStamp": f"{rng.getrandbits(32):08x}",
        "ModuleName": module,
        "ModuleVersion": "10.0.20348.1",
        "ModuleTimeStamp": f"{rng.getrandbits(32):08x}",
        "ExceptionCode": "c0000005",
        "FaultingOffset": f"{rng.getrandbits(20):016x}",
        "ProcessId": f"{rng.getrandbits(13):x}",
        "ProcessCreationTime": f"{created:x}",
        "AppPath": path,
        "ModulePath": rf"C:\Windows\SYSTEM32\{module}",
        "IntegratorReportId": guid(rng),
        "PackageFullName": "",
        "PackageRelativeAppId": "",
    }


def applocker(machine: Machine, event_id: int, time: datetime, path: str) -> None:
    """AppLocker judges a program: 8003 audit only, 8004 blocked."""
    shown = path.upper().replace("C:", "%OSDRIVE%")
    fields: dict[str, str | int] = {
        "PolicyNameLength": 3,
        "PolicyName": "EXE",
        "RuleId": "{00000000-0000-0000-0000-000000000000}",
        "RuleNameLength": 1,
        "RuleName": "-",
        "RuleSddlLength": 1,
        "RuleSddl": "-",
        "TargetUser": "S-1-5-18",
        "TargetProcessId": machine.rng.randrange(2000, 9000, 4),
        "FilePathLength": len(shown),
        "FilePath": shown,
        "FileHashLength": 0,
        "FileHash": "",
        "FqbnLength": 1,
        "Fqbn": "-",
        "TargetLogonId": "0x3e7",
        "FullFilePathLength": len(path),
        "FullFilePath": path,
    }
    machine.modern(
        EventRecord(
            "Microsoft-Windows-AppLocker",
            event_id,
            "Microsoft-Windows-AppLocker/EXE and DLL",
            machine.vm.name,
            time.replace(microsecond=machine.rng.randrange(10**6)),
            level=ERROR if event_id == 8004 else WARNING,
            keywords=0x8000000000000000,
            version=0,
            opcode=0,
            provider_guid=UUID("cbda4dbf-8d5d-4f69-9578-be14aa540d22"),
            process_id=machine.rng.randrange(2000, 9000, 4),
            thread_id=machine.rng.randrange(2000, 9000, 4),
            user_sid="S-1-5-18",
            user_data=UserData("RuleAndFileData", APPLOCKER_NAMESPACE, fields),
        )
    )
