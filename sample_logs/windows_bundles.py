"""Sample bundles of Windows VMs. Each function tells what happens on the VM; the wordings are in ``windows_logs``."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sample_logs.evtx_writer import EventRecord, write_evtx
from sample_logs.packing import SampleBundle
from sample_logs.windows_logs import (
    ERROR,
    EXTENSION,
    WARNING,
    Machine,
    Run,
    WindowsVm,
    aggregate_status,
    applocker,
    boot,
    command,
    context,
    crash_values,
    daily_noise,
    good_run,
    guid,
    hearts,
    no_status,
    service_state,
    shut_down,
    status_file,
    vss_binary,
)

FIRST_NIGHT = datetime(2025, 6, 10, 1, 30, 4, tzinfo=UTC)
SECOND_NIGHT = datetime(2025, 6, 11, 1, 30, 7, tzinfo=UTC)

LOGS = "Windows/System32/winevt/Logs"


def start_vm(vm: WindowsVm, hearts_until: datetime | None = None) -> tuple[Machine, Run, Run]:
    """A VM whose first backup went well, and the two backups that it was asked for."""
    machine = Machine(vm, random.Random(vm.name))
    first = Run(FIRST_NIGHT, 40, guid(machine.rng))
    second = Run(SECOND_NIGHT, 41, guid(machine.rng))
    boot(machine)
    daily_noise(machine)
    hearts(machine, hearts_until or vm.collected)
    good_run(machine, first)
    return machine, first, second


def evtx(machine: Machine, *channels: str) -> dict[str, bytes]:
    """Event logs by file name."""
    return {f"{name.replace('/', '%4')}.evtx": write_evtx(machine.channel(name)) for name in channels}


def disk(
    machine: Machine, logs: Mapping[str, bytes], states: Mapping[int, bytes], aggregate: bytes
) -> dict[str, bytes]:
    """What lies where on drive C. ``states`` are status files by their number."""
    status = f"Packages/Plugins/{EXTENSION}/{machine.vm.extension}/Status"
    return {
        "WindowsAzure/Logs/WaAppAgent.log": machine.agent_text().encode(),
        "WindowsAzure/Logs/AggregateStatus/aggregatestatus.json": aggregate,
        **{f"{LOGS}/{name}": data for name, data in logs.items()},
        **{f"{status}/{number}.status": data for number, data in states.items()},
    }


def inspected(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The layout of a disk inspection (windows.md 1.1)."""
    listing = "08:41:02  Copying files of manifest: agents\n08:41:03  Listing contents of /WindowsAzure/Logs:\n"
    info = "[Device: /dev/sda2, mountpoint: /sysroot ]\nbavail: 18339021\nbsize: 4096\nfavail: 262143\n"
    return {
        **{f"device_0/{name}": data for name, data in files.items()},
        "results.txt": listing.encode(),
        "diskinfo.txt": info.encode(),
    }


def well(run: Run) -> bytes:
    """The status file of a good run."""
    return status_file(run, 1, "success", "Command execution finished")


def healthy() -> SampleBundle:
    """Two good nights."""
    machine, first, second = start_vm(WindowsVm("WEB01"))
    good_run(machine, second)
    states = {40: well(first), 41: well(second)}
    aggregate = aggregate_status(machine, machine.vm.collected, "success", 41, "Ready")
    logs = evtx(machine, "System", "Application")
    return SampleBundle(
        "windows-healthy",
        "Two backups in two nights, both well. Layout of a disk inspection.",
        "zip",
        inspected(disk(machine, logs, states, aggregate)),
        "no-fault-found",
        None,
        0,
    )


def applocker_block() -> SampleBundle:
    """AppLocker stops the extension's program, and a user's download, which is nobody's cause."""
    machine, first, second = start_vm(WindowsVm("FILE02"))
    program = rf"{machine.vm.plugin_folder}\IaaSBcdrExtension.exe"
    applocker(machine, 8003, first.after(3), program)
    applocker(machine, 8004, first.after(36000), r"C:\Users\kim\Downloads\setup.exe")
    command(machine, second)
    applocker(machine, 8004, second.after(2), program)
    no_status(machine, second)
    logs = evtx(machine, "System", "Application", "Microsoft-Windows-AppLocker/EXE and DLL")
    aggregate = aggregate_status(machine, machine.vm.collected, "transitioning", 41, "NotReady")
    return SampleBundle(
        "windows-applocker",
        "AppLocker (8004) stops IaaSBcdrExtension.exe since its policy is enforced. Layout of a disk inspection.",
        "zip",
        inspected(disk(machine, logs, {40: well(first)}, aggregate)),
        "cause-found",
        "app-control-blocks-bcdr",
        1,
    )


def antivirus_named() -> SampleBundle:
    """The extension crashes; the event has named values as from Windows 11 22H2 on. Another program crashes too."""
    machine, first, second = start_vm(WindowsVm("ERP03", agent="2.7.41491.1186", extension="1.0.98.0"))
    command(machine, second)
    for program, path, module, time in (
        ("ReportViewer.exe", r"C:\Program Files\Reports\ReportViewer.exe", "ntdll.dll", first.after(30000)),
        (
            "IaaSBcdrExtension.exe",
            rf"{machine.vm.plugin_folder}\IaaSBcdrExtension.exe",
            "epp_hook64.dll",
            second.after(14),
        ),
    ):
        machine.modern(
            EventRecord(
                "Application Error",
                1000,
                "Application",
                machine.vm.name,
                time,
                level=ERROR,
                task=100,
                keywords=0x8000000000000000,
                version=0,
                opcode=0,
                process_id=6112,
                thread_id=5204,
                user_sid="S-1-5-18",
                data=crash_values(program, path, module, time, machine.rng),
            )
        )
    no_status(machine, second)
    aggregate = aggregate_status(machine, machine.vm.collected, "transitioning", 41, "NotReady")
    return SampleBundle(
        "windows-antivirus-named",
        "IaaSBcdrExtension.exe crashes in a module of a security product (named values in event 1000). Tar.",
        "tar.gz",
        disk(machine, evtx(machine, "System", "Application"), {40: well(first)}, aggregate),
        "cause-found",
        "antivirus-blocks-extension",
        1,
    )


def antivirus_unnamed() -> SampleBundle:
    """The same on an old Windows: the event has 13 values without names, and the agent log another era's stamps."""
    machine, first, second = start_vm(WindowsVm("OLD04", agent="2.7.41491.1012", extension="1.0.75.0"))
    command(machine, second)
    for program, path, time in (
        ("iexplore.exe", r"C:\Program Files\Internet Explorer\iexplore.exe", first.after(28000)),
        ("IaaSBcdrExtension.exe", rf"{machine.vm.plugin_folder}\IaaSBcdrExtension.exe", second.after(17)),
    ):
        values = crash_values(program, path, "ntdll.dll", time, machine.rng)
        machine.classic("Application Error", 1000, time, tuple(values.values())[:13], level=ERROR)
    machine.classic(
        "VSS",
        8214,
        second.after(18),
        ("0x800706be, The remote procedure call failed.\r\n", context("Execution Context: Requestor")),
        level=ERROR,
        binary=vss_binary("vssvc.exe"),
    )
    no_status(machine, second)
    aggregate = aggregate_status(machine, machine.vm.collected, "transitioning", 41, "NotReady")
    return SampleBundle(
        "windows-antivirus-unnamed",
        "IaaSBcdrExtension.exe crashes on an old Windows (event 1000 with 13 values without names). Zip of drive C.",
        "zip",
        disk(machine, evtx(machine, "System", "Application"), {40: well(first)}, aggregate),
        "cause-found",
        "antivirus-blocks-extension",
        1,
    )


def vss_writer() -> SampleBundle:
    """A writer refuses the freeze. Event logs under the names of a support collector."""
    machine, first, second = start_vm(WindowsVm("SQL05"))
    command(machine, second)
    service_state(machine, second.after(6), "Volume Shadow Copy", "VSS", True)
    writer = context(
        "Execution Context: Writer",
        "Writer Class Id: {4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f}",
        "Writer Name: Shadow Copy Optimization Writer",
        "Writer Instance ID: {6f1f7c0e-6a77-4cf1-9a51-7f0a0d7f6a01}",
        operation="OnFreeze event\r\n   Freeze Event",
    )
    for seconds in (41, 162):
        machine.classic(
            "VSS",
            8229,
            second.after(seconds),
            (
                "0x800423f3, The writer experienced a transient error.  If the backup process is retried,\r\n"
                "the error may not reoccur.\r\n",
                writer,
            ),
            level=WARNING,
            binary=vss_binary("vssvc.exe"),
        )
    machine.say(second.after(190), "INFO", f"Command enable.cmd of {EXTENSION} has exited with Exit code: 0")
    message = "Snapshot operation failed because VSS Writers were in a bad state. ExtensionFailedVssWriterInBadState"
    failed = status_file(second, 3, "error", message)
    aggregate = aggregate_status(machine, machine.vm.collected, "error", 41, "Ready")
    plain = disk(machine, {}, {40: well(first), 41: failed}, aggregate)
    logs = {f"EventLogs/SQL05_evt_{name}": data for name, data in evtx(machine, "System", "Application").items()}
    return SampleBundle(
        "windows-vss-writer",
        "A VSS writer rejects the freeze (event 8229). Event logs as a support collector names them.",
        "zip",
        {**plain, **logs},
        "cause-found",
        "vss-writers-bad-state",
        1,
    )


def agent_stopped() -> SampleBundle:
    """An administrator disables and stops both services of the agent. Bare files; the agent log is UTF-16."""
    stopped = datetime(2025, 6, 10, 16, 20, 33, tzinfo=UTC)
    machine, first, _ = start_vm(WindowsVm("APP06"), stopped)
    for display, short in (("RdAgent", "RdAgent"), ("Windows Azure Guest Agent", "WindowsAzureGuestAgent")):
        machine.service(
            7040,
            stopped,
            {"param1": display, "param2": "auto start", "param3": "disabled", "param4": short},
            f"{short}\0",
        )
        service_state(machine, stopped + timedelta(seconds=4), display, short, False)
    machine.say(stopped + timedelta(seconds=3), "INFO", "WindowsAzureGuestAgent stopping.")
    return SampleBundle(
        "windows-agent-stopped",
        "Both services of the agent are disabled and stopped in the afternoon. Bare files, the agent log in UTF-16 "
        "with CR LF.",
        "zip",
        {
            "WaAppAgent.log": b"\xff\xfe" + machine.agent_text().encode("utf-16-le"),
            "40.status": well(first),
            **evtx(machine, "System", "Application"),
        },
        "cause-found",
        "agent-unresponsive-windows",
        1,
    )


def restart_during_snapshot() -> SampleBundle:
    """Updates restart Windows while the snapshot is made. A restart by hand in the evening before hurt nobody."""
    evening = datetime(2025, 6, 10, 18, 30, 12, tzinfo=UTC)
    restart = SECOND_NIGHT + timedelta(seconds=74)
    machine, first, second = start_vm(WindowsVm("HR09"), evening)
    by_hand = (r"C:\Windows\Explorer.EXE (HR09)", "Other (Planned)", "0x85000000", r"HR09\opsadmin")
    updates = (
        r"C:\Windows\servicing\TrustedInstaller.exe (HR09)",
        "Operating System: Upgrade (Planned)",
        "0x80020003",
        r"NT AUTHORITY\SYSTEM",
    )
    for going_down, why, until in ((evening, by_hand, restart), (restart, updates, machine.vm.collected)):
        shut_down(machine, going_down, *why)
        up = going_down + timedelta(minutes=2, seconds=31)
        boot(machine, up)
        hearts(machine, until, up)
    command(machine, second)
    service_state(machine, second.after(6), "Volume Shadow Copy", "VSS", True)
    aggregate = aggregate_status(machine, machine.vm.collected, "transitioning", 41, "NotReady")
    return SampleBundle(
        "windows-restart-during-snapshot",
        "Updates restart Windows between the command of a snapshot and its end. Zip of drive C.",
        "zip",
        disk(machine, evtx(machine, "System", "Application"), {40: well(first)}, aggregate),
        "cause-found",
        "job-cancelled-or-rebooted",
        1,
    )


def cannot_tell() -> SampleBundle:
    """The extension leaves no status; the channels that would say why were not collected."""
    machine, first, second = start_vm(WindowsVm("PRN07"))
    command(machine, second)
    no_status(machine, second)
    aggregate = aggregate_status(machine, machine.vm.collected, "transitioning", 41, "NotReady")
    return SampleBundle(
        "windows-cannot-tell",
        "The extension leaves no status and nothing crashed; the channels of application control were not collected.",
        "zip",
        disk(machine, evtx(machine, "System", "Application"), {40: well(first)}, aggregate),
        "cannot-tell",
        "snapshot-status-unavailable",
        0,
    )


def damaged() -> SampleBundle:
    """A healthy VM whose System log was cut while it was copied."""
    machine, first, second = start_vm(WindowsVm("DC08"))
    good_run(machine, second)
    for number in range(260):
        at = machine.vm.booted + timedelta(minutes=8 * number + 3)
        service_state(machine, at, "Application Experience", "AeLookupSvc", number % 2 == 0)
    states = {40: well(first), 41: well(second)}
    aggregate = aggregate_status(machine, machine.vm.collected, "success", 41, "Ready")
    logs = evtx(machine, "System", "Application")
    logs["System.evtx"] = logs["System.evtx"][: 4096 + 65536 + 30000]
    return SampleBundle(
        "windows-damaged-evtx",
        "Two good backups; System.evtx was cut in its second chunk, so the scan ends with 3.",
        "zip",
        disk(machine, logs, states, aggregate),
        "no-fault-found",
        None,
        3,
    )


def bundles() -> tuple[SampleBundle, ...]:
    """All of them."""
    return (
        healthy(),
        applocker_block(),
        antivirus_named(),
        antivirus_unnamed(),
        vss_writer(),
        agent_stopped(),
        restart_during_snapshot(),
        cannot_tell(),
        damaged(),
    )
