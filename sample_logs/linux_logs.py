"""Lines as the Azure Linux agent and the VMSnapshotLinux extension write them, for generated samples.

Wordings and order are those of linux.md (sections 2.1 to 2.6, 3, 4.1, 6.1 and 6.2); names, ids and times are made up.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"
MONITOR = "Microsoft.Azure.Monitor.AzureMonitorLinuxAgent"
WIRESERVER = "http://168.63.129.16"


@dataclass(frozen=True, slots=True)
class LinuxVm:
    """A VM with its versions. ``offset``: what its local time is ahead of UTC, for the stamps that are local."""

    name: str
    agent: str = "2.14.0.1"
    daemon: str = "2.2.46"
    extension: str = "1.0.9225.0"
    system: str = "ubuntu 22.04"
    python: str = "3.10.12"
    offset: timedelta = timedelta()
    booted: datetime = datetime(2025, 6, 9, 18, 2, 11, tzinfo=UTC)
    collected: datetime = datetime(2025, 6, 11, 8, 30, tzinfo=UTC)

    @property
    def handler(self) -> str:
        """Full name of the snapshot extension, as the agent brackets it."""
        return f"{EXTENSION}-{self.extension}"


@dataclass
class Log:
    """A text log while it is written: entries get a random fraction of a second and are put in order at the end."""

    rng: random.Random
    stamp: Callable[[datetime], str]
    entries: list[tuple[datetime, str]] = field(default_factory=list)

    def add(self, time: datetime, text: str) -> None:
        """One entry at ``time`` (the second; its fraction is random)."""
        exact = time.replace(microsecond=self.rng.randrange(1000, 999_000))
        self.entries.append((exact, f"{self.stamp(exact)}{text}\n"))

    def raw(self, time: datetime, text: str) -> None:
        """An entry that brings its own stamp."""
        self.entries.append((time, text + "\n"))

    def text(self, first: datetime | None = None, last: datetime | None = None) -> bytes:
        """The entries from ``first`` up to but not at ``last``, in order of time."""
        kept = [
            (time, text)
            for time, text in self.entries
            if (first is None or time >= first) and (last is None or time < last)
        ]
        return "".join(text for _, text in sorted(kept, key=lambda entry: entry[0])).encode()


def utc_stamp(time: datetime) -> str:
    """As agents after 2.2.45 write it."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z "


def local_stamp(offset: timedelta) -> Callable[[datetime], str]:
    """As agents up to 2.2.45 write it: local time without a zone."""
    return lambda time: f"{time + offset:%Y/%m/%d %H:%M:%S.%f} "


def guid(rng: random.Random) -> str:
    """A random id in lower case."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def ticks(time: datetime) -> int:
    """.NET ticks: 100 ns since 0001-01-01 UTC."""
    return (time - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


# The agent


def agent_log(rng: random.Random) -> Log:
    """An empty waagent.log with UTC stamps."""
    return Log(rng, utc_stamp)


def agent_start(log: Log, vm: LinuxVm, at: datetime) -> None:
    """The daemon starts, its child follows and reaches the wire server."""
    child = f"WALinuxAgent-{vm.agent}"
    for text in (
        f"INFO Daemon Azure Linux Agent Version: {vm.daemon}",
        f"INFO Daemon OS: {vm.system}",
        f"INFO Daemon Python: {vm.python}",
        "INFO Daemon Run daemon",
        "INFO Daemon Test for route to 168.63.129.16",
        "INFO Daemon Route to 168.63.129.16 exists",
        "INFO Daemon RDMA capabilities are not enabled, skipping",
        f"INFO Daemon Determined Agent {child} to be the latest agent",
    ):
        log.add(at, text)
    child_start(log, vm, at + timedelta(seconds=2))
    log.add(
        at + timedelta(minutes=15),
        f"INFO Daemon Agent {child} launched with command 'python3 -u bin/{child}-py3.9.egg -run-exthandlers' is "
        "successfully running",
    )


def child_start(log: Log, vm: LinuxVm, at: datetime) -> None:
    """What the ExtHandler writes first when the wire server answers."""
    for text in (
        f"Azure Linux Agent (Goal State Agent version {vm.agent})",
        f"OS: {vm.system}",
        f"Python: {vm.python}",
        "WireServer endpoint 168.63.129.16 read from file",
        "Wire server endpoint:168.63.129.16",
        "HostGAPlugin version: 1.0.8.165",
        "Fetched a new incarnation for the WireServer goal state [incarnation 1]",
        "",
        "Fetching full goal state from the WireServer [incarnation 1]",
        "Fetch goal state from WireServer completed",
        "Using iptables [version 1.8.7] to manage firewall rules",
        "Starting env monitor service.",
        "Goal State Period: 6 sec. This indicates how often the agent checks for new goal states and reports status.",
    ):
        log.add(at, f"INFO ExtHandler ExtHandler {text}")


def heartbeats(
    log: Log, vm: LinuxVm, first: datetime, last: datetime, errors: Callable[[datetime], int] = lambda time: 0
) -> None:
    """One heartbeat each half hour. ``errors``: failed goal-state polls before the heartbeat at a time."""
    ident = guid(log.rng).upper()
    time, counter = first, 0
    while time <= last:
        log.add(
            time,
            f"INFO ExtHandler ExtHandler [HEARTBEAT] Agent WALinuxAgent-{vm.agent} is running as the goal state agent "
            f"[DEBUG HeartbeatCounter: {counter};HeartbeatId: {ident};UpdateGSErrors: {errors(time)};AutoUpdate: 1;"
            "UpdateMode: SelfUpdate;]",
        )
        time, counter = time + timedelta(minutes=30, seconds=log.rng.randrange(3)), counter + 1


def goal_state(log: Log, vm: LinuxVm, at: datetime, number: int) -> None:
    """A new goal state is fetched and its processing begins; ``backup_command`` or another handler follows."""
    created = at - timedelta(seconds=9)
    thumbprint = random.Random(vm.name).getrandbits(160)
    for text in (
        f"Fetched a new incarnation for the WireServer goal state [incarnation {number}]",
        "",
        f"Fetching full goal state from the WireServer [incarnation {number}]",
        f"Downloaded certificate {{'thumbprint': '{thumbprint:040X}', 'hasPrivateKey': True}}",
        "Fetch goal state from WireServer completed",
        f"ProcessExtensionsGoalState started [incarnation_{number} channel: WireServer source: Fabric "
        f"activity: {guid(log.rng)} correlation {guid(log.rng)} created: {created:%Y-%m-%dT%H:%M:%S}.000000Z]",
    ):
        log.add(at, f"INFO ExtHandler ExtHandler {text}")


def backup_command(log: Log, vm: LinuxVm, at: datetime, number: int, sequence: int) -> None:
    """The agent hands a backup to the extension, up to the start of the command (linux.md 6.1)."""
    environment = {
        "AZURE_GUEST_AGENT_EXTENSION_PATH": f"/var/lib/waagent/{vm.handler}",
        "AZURE_GUEST_AGENT_EXTENSION_VERSION": vm.extension,
        "ConfigSequenceNumber": str(sequence),
    }
    for text in (
        f"Target handler state: enabled [incarnation_{number}]",
        "[Enable] current handler state is: enabled",
        f"Update settings file: {sequence}.settings",
        "Requested extension state: enabled",
        "Enable extension: [main/handle.sh enable]",
        f"Executing command: /var/lib/waagent/{vm.handler}/main/handle.sh enable with environment variables: "
        f"{json.dumps(environment)}",
    ):
        log.add(at, f"INFO ExtHandler [{vm.handler}] {text}")


def command_output(log: Log, vm: LinuxVm, at: datetime, number: int) -> None:
    """The enable command came back well; that says nothing about the snapshot (linux.md 4.1)."""
    log.add(
        at,
        f"INFO ExtHandler [{vm.handler}] Command: main/handle.sh enable\n[stdout]\n"
        f"Information: Space available in event directory : {log.rng.randrange(10**10, 4 * 10**10)}B\n[stderr]\n",
    )
    goal_state_done(log, at + timedelta(seconds=1), number, [(EXTENSION, "success")])


def goal_state_done(log: Log, at: datetime, number: int, states: Sequence[tuple[str, str]]) -> None:
    """Processing ended; ``states`` are handlers and how each ended."""
    told = "[" + ", ".join(f"('{name}', '{state}')" for name, state in states) + "]"
    for text in (
        f"ProcessExtensionsGoalState completed [incarnation_{number} {log.rng.randrange(1500, 9000)} ms]",
        f"Extension status: {told}",
        f"All extensions in the goal state have reached a terminal state: {told}",
    ):
        log.add(at, f"INFO ExtHandler ExtHandler {text}")


# The snapshot extension


def extension_log(rng: random.Random) -> Log:
    """An empty extension.log of a release that writes UTC."""
    return Log(rng, lambda time: f"{time:%Y-%m-%d %H:%M:%S.%f} [{EXTENSION}-1.0]")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the snapshot extension: its command, and when it was given."""

    vm: LinuxVm
    start: datetime
    sequence: int
    task: str

    def after(self, seconds: float) -> datetime:
        """A time in this run."""
        return self.start + timedelta(seconds=seconds)


def run_begins(log: Log, run: Run, presnapshot: int = 200) -> None:
    """From the enable process to the daemon that has asked the host (linux.md 6.2)."""
    for seconds, text in (
        (0, f"try_parse_context : Sequence Number received {run.sequence}"),
        (0, f"setting file path is/var/lib/waagent/{run.vm.handler}/config/{run.sequence}.settings"),
        (0, "Config decoded correctly."),
        (0, "starting enable"),
        (0, f"set most recent sequence number to {run.sequence}"),
        (0, f"taskId: {run.task}"),
        (1, "Enable,success,4,Transitioning state in extension,"),
        (2, "starting daemon initially"),
        (2, "safeFreezeBinary exists True"),
        (2, "final thread timeout60"),
        (3, "starting daemon for freezing the file system"),
        (3, "removing the protected settings"),
        (5, f"PreSnapshot: Status Code: {presnapshot}"),
        (5, f"command start time is {run.start:%Y-%m-%d %H:%M:%S} and utcNow is {run.after(5):%Y-%m-%d %H:%M:%S}"),
        (5, "commandToExecute for backup is snapshot"),
        (6, "Loading script modules now..."),
    ):
        log.add(run.after(seconds), text)


def extension_error(log: Log, run: Run, seconds: float, text: str) -> None:
    """A line of the extension's ``error()``: local time, another shape (linux.md 2.5, shape B)."""
    time = run.after(seconds)
    log.raw(time, f"{time + run.vm.offset:%Y/%m/%d %H:%M:%S} ERROR:[{EXTENSION}-1.0]{text}")


def no_scripts(log: Log, run: Run) -> None:
    """What every VM without pre- and post-scripts writes: harmless (linux.md 6.3)."""
    for text in (
        "Plugin host Config file does not exist in the location /etc/azure/VMSnapshotPluginHost.conf",
        "Triggering File System Consistent Backup because of error code StatusCode.FailedPrepostPluginConfigNotFound,",
        "Calling do snapshot method",
    ):
        log.add(run.after(7), text)


def freeze_block(log: Log, run: Run, mounts: Sequence[str], failed: str | None = None) -> None:
    """The block that is written after the thaw, with the true times inside. ``failed``: what the binary could not."""
    log.add(run.after(8), "T:S freeze, timeout value 60")
    for mount in mounts:
        log.add(run.after(8), f"fsfreeze mount :{mount}")
    steps = ["****** 1. Starting Freeze Binary", "****** 2. Binary Freeze Started"]
    if failed is None:
        steps += [
            "****** 3. Binary Freeze Completed",
            "****** 4. Freeze Completed (Signal=1 received)",
            "****** 5. Snaphotting (Host) Started",
            "****** 6. Snaphotting (Host) Completed",
            "****** 7. Sending Thaw Signal to Binary",
            "****** 8. Binary Thaw Signal Received",
            "****** 9. Binary Process completed (Signal=2 received)",
        ]
    else:
        steps += [
            "============== Binary output traces start ================= ",
            *(f"{run.after(12) + run.vm.offset:%Y-%m-%d %H:%M:%S} Freezing: {mount} " for mount in mounts),
            f"{run.after(12) + run.vm.offset:%Y-%m-%d %H:%M:%S} {failed}",
            "============== Binary output traces end ================= ",
            "freeze failed for some mount",
        ]
    inner = [
        f"{run.after(11 + number / 2):%Y/%m/%d %H:%M:%S}.{log.rng.randrange(10**6):06}  Info  {step} \n"
        for number, step in enumerate(steps)
    ]
    start, end = (f"================== Logs during Freeze {word} ==============" for word in ("Start", "End"))
    log.add(run.after(18), f"{start}\n{''.join(inner)}{end}\n")


def run_ends(log: Log, run: Run, at: float, code: int, message: str = "") -> None:
    """The result of the run and the final empty record; the word is success whatever the code (linux.md 0.5)."""
    status = "success" if code == 1 else "error"
    log.add(run.after(at), f"doFreezeSnapshot : run_result - {code} run_status - {status} error_msg - {message}")
    log.add(run.after(at + 1), f"Enable,success,{code},{message}")
    log.add(run.after(at + 1), "")


def good_run(log: Log, run: Run, disks: int = 2) -> None:
    """A snapshot through the host that goes well."""
    run_begins(log, run)
    no_scripts(log, run)
    freeze_block(log, run, ["/boot", "/"])
    log.add(run.after(18), "T:S thaw result ")
    for number in range(disks):
        blob = f"https://md-{run.task[:8]}.z{number}.blob.storage.azure.net/abcd/abcd?snapshot={run.start:%Y-%m-%d}"
        log.add(run.after(19), f"From Host- IsSuccessful:true, SnapshotUri:{blob}, ErrorMessage:, StatusCode:200")
    log.add(run.after(19), "T:S snapshotall ends...")
    run_ends(log, run, 20, 1, "snapshotCreator=backupHostService, hostStatusCodePreSnapshot=200, ")


def shell_log(runs: Sequence[tuple[datetime, int]], interpreter: str | None = "python3") -> bytes:
    """shell.log of the launcher: one pair of lines a run; ``interpreter`` None: none is installed (linux.md 2.6)."""
    lines = []
    for time, code in runs:
        stamp = f"{time:%a %b} {time.day:2} {time:%H:%M:%S} UTC {time.year}- "
        found = f"{interpreter} path exists" if interpreter is not None else "python version unknown"
        lines += [f"{stamp}{found}", f"{stamp}{code} returned from handle.py"]
    return "".join(f"{line}\n" for line in lines).encode()


def status_file(run: Run, at: float, code: int, message: str = "") -> bytes:
    """status/N.status: the outer report says success, the inner one holds the true code (linux.md 3.7)."""
    time = run.after(at)
    inner_message = json.dumps({"messageStr": message, "snapshotConsistency": 0, "isSizeComputationFailed": False})
    telemetry = {"guestAgentVersion": run.vm.agent, "extensionVersion": run.vm.extension, "osVersion": run.vm.system}
    inner = {
        "version": "1.0",
        "timestampUTC": f"\\/Date({int(time.timestamp() * 1000)})\\/",
        "status": {
            "name": EXTENSION,
            "operation": "Enable",
            "status": "success" if code == 1 else "error",
            "code": str(code),
            "taskId": run.task,
            "formattedMessage": {"lang": "en-US", "message": inner_message},
            "telemetryData": [{"Key": key, "Value": value} for key, value in telemetry.items()],
        },
    }
    outer = {
        "version": "1.0",
        "timestampUTC": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "status": {
            "name": EXTENSION,
            "operation": "Enable",
            "status": "success",
            "code": str(code),
            "taskId": run.task,
            "commandStartTimeUTCTicks": str(ticks(run.start)),
            "formattedMessage": {"lang": "en-US", "message": inner_message},
            "telemetryData": None,
            "substatus": [
                {
                    "code": "0",
                    "name": json.dumps([inner]).replace("\\\\/", "\\/"),
                    "status": "success",
                    "formattedMessage": None,
                }
            ],
        },
    }
    return json.dumps([outer]).encode()
