"""Sample bundles of Linux VMs. Each function tells what happens on the VM; the wordings are in ``linux_logs``."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from sample_logs.linux_files import os_release, waagent_conf
from sample_logs.linux_logs import (
    EXTENSION,
    WIRESERVER,
    LinuxVm,
    Log,
    agent_log,
    agent_start,
    backup_command,
    child_start,
    extension_error,
    freeze_block,
    goal_state,
    goal_state_done,
    heartbeats,
    no_scripts,
    run_begins,
    run_ends,
    shell_log,
)
from sample_logs.linux_vm import (
    AGENT_LOG,
    FIRST_NIGHT,
    SECOND_NIGHT,
    BackedUpVm,
    command,
    good_night,
    quiet_life,
    start_vm,
)
from sample_logs.packing import SampleBundle, gzip_bytes


def healthy() -> SampleBundle:
    """Two good nights."""
    one = start_vm(LinuxVm("web-01"))
    good_night(one, one.second, 6)
    quiet_life(one)
    return SampleBundle(
        "linux-healthy",
        "Two backups in two nights, both well. Copy of the disk's paths.",
        "directory",
        one.files(1),
        "no-fault-found",
        None,
        0,
    )


def extensions_disabled() -> SampleBundle:
    """Somebody switches extensions off in the afternoon; the next backup is refused by the agent."""
    one = start_vm(LinuxVm("app-02", agent="2.15.0.1"))
    child_start(one.agent, one.vm, datetime(2025, 6, 10, 15, 2, 40, tzinfo=UTC))
    quiet_life(one)
    goal_state(one.agent, one.vm, one.second.after(-3), 6)
    one.agent.add(
        one.second.after(-2),
        f"ERROR ExtHandler ExtHandler Event: name={EXTENSION}, op=ExtensionProcessing, message=Extension '{EXTENSION}' "
        "will not be processed since extension processing is disabled. To enable extension processing, set "
        "Extensions.Enabled=y in '/etc/waagent.conf', duration=0",
    )
    goal_state_done(one.agent, one.second.after(-1), 6, [(EXTENSION, "error")])
    files = one.files_without_second_run()
    files["etc/waagent.conf"] = waagent_conf(extensions="n")
    return SampleBundle(
        "linux-extensions-disabled",
        "Extensions.Enabled=n in waagent.conf: the agent refuses the second backup. Tar of the disk's paths.",
        "tar.gz",
        files,
        "cause-found",
        "waagent-options-not-set",
        1,
    )


def wireserver_blocked() -> SampleBundle:
    """From the evening on nothing from 168.63.129.16 answers, a restart of the agent included."""
    one = start_vm(LinuxVm("db-03"))
    blocked = datetime(2025, 6, 10, 19, 12, 30, tzinfo=UTC)
    heartbeats(
        one.agent,
        one.vm,
        one.vm.booted + timedelta(seconds=5),
        datetime(2025, 6, 11, 7, 0, tzinfo=UTC),
        lambda time: 0 if time < blocked else 7 + (time.hour % 2),
    )
    silence(one, blocked, datetime(2025, 6, 11, 7, 5, tzinfo=UTC))
    restart = datetime(2025, 6, 11, 7, 10, 2, tzinfo=UTC)
    for text in (
        f"INFO Daemon Azure Linux Agent Version: {one.vm.daemon}",
        "INFO Daemon Test for route to 168.63.129.16",
        "INFO Daemon Route to 168.63.129.16 exists",
        f"INFO ExtHandler ExtHandler Azure Linux Agent (Goal State Agent version {one.vm.agent})",
        "INFO ExtHandler ExtHandler WireServer endpoint 168.63.129.16 read from file",
        "INFO ExtHandler ExtHandler Wire server endpoint:168.63.129.16",
    ):
        one.agent.add(restart, text)
    for number in range(12):
        at = restart + timedelta(minutes=6 * number + 2)
        one.agent.add(at, "INFO ExtHandler ExtHandler WireServer is not responding. Reset dhcp endpoint")
        one.agent.add(
            at,
            "INFO ExtHandler ExtHandler Protocol endpoint not found: [ProtocolError] [Wireserver Exception] "
            f"[HttpError] [HTTP Failed] GET {WIRESERVER}/?comp=versions -- IOError timed out -- 6 attempts made",
        )
        one.agent.add(at, f"INFO ExtHandler ExtHandler Retry detect protocol: retry={number}")
    files = one.files_without_second_run()
    return SampleBundle(
        "linux-wireserver-blocked",
        "No packet from 168.63.129.16 since the evening before: the second backup never reaches the VM.",
        "directory",
        files,
        "cause-found",
        "wireserver-blocked",
        1,
    )


def silence(one: BackedUpVm, start: datetime, end: datetime) -> None:
    """Goal states cannot be fetched because nothing answers: three errors, then one each six hours (linux.md 0.12)."""
    error = (
        f"[ProtocolError] [Wireserver Exception] [HttpError] [HTTP Failed] GET {WIRESERVER}/machine/?comp=goalstate "
        "-- IOError timed out -- 6 attempts made"
    )
    for number in range(3):
        one.agent.add(
            start + timedelta(minutes=4 * number),
            f"ERROR ExtHandler ExtHandler Error fetching the goal state: {error}",
        )
    at = start + timedelta(hours=6)
    while at < end:
        one.agent.add(at, f"ERROR ExtHandler ExtHandler Fetching the goal state is still failing: {error}")
        at += timedelta(hours=6)


def wireserver_recovered() -> SampleBundle:
    """An outage of half an hour between two good nights. The older half of the log is rotated and compressed."""
    one = start_vm(LinuxVm("web-04"))
    start, end = datetime(2025, 6, 10, 14, 1, 20, tzinfo=UTC), datetime(2025, 6, 10, 14, 31, tzinfo=UTC)
    heartbeats(
        one.agent,
        one.vm,
        one.vm.booted + timedelta(seconds=5),
        one.vm.collected,
        lambda time: 7 if start < time < end + timedelta(minutes=5) else 0,
    )
    silence(one, start, end)
    good_night(one, one.second, 6)
    rotated = datetime(2025, 6, 10, 12, tzinfo=UTC)
    files = one.files(1)
    files[AGENT_LOG] = one.agent.text(first=rotated)
    files[f"{AGENT_LOG}-2025-06-10-1749556800.gz"] = gzip_bytes(one.agent.text(last=rotated))
    return SampleBundle(
        "linux-wireserver-recovered",
        "Half an hour without the wire server, long over: both backups went well. One log is rotated and gzipped.",
        "tar.gz",
        files,
        "no-fault-found",
        None,
        0,
    )


def dhcp_245() -> SampleBundle:
    """After a restart the VM has a lease of a foreign DHCP server, without the address of the wire server."""
    one = start_vm(LinuxVm("gw-05"))
    restart = datetime(2025, 6, 10, 21, 40, 3, tzinfo=UTC)
    heartbeats(one.agent, one.vm, one.vm.booted + timedelta(seconds=5), restart - timedelta(minutes=9))
    for text in (
        f"INFO Daemon Azure Linux Agent Version: {one.vm.daemon}",
        f"INFO Daemon OS: {one.vm.system}",
        f"INFO Daemon Python: {one.vm.python}",
        "INFO Daemon Run daemon",
        f"INFO ExtHandler ExtHandler Azure Linux Agent (Goal State Agent version {one.vm.agent})",
        "INFO ExtHandler ExtHandler WireServer endpoint is not found. Rerun dhcp handler",
    ):
        one.agent.add(restart, text)
    at = restart
    number = 0
    while at < one.vm.collected:
        dhcp_round(one.agent, at, number)
        at, number = at + timedelta(minutes=24), number + 1
    files = one.files_without_second_run()
    files["var/lib/dhcp/dhclient.eth0.leases"] = (
        b'lease {\n  interface "eth0";\n  fixed-address 10.20.0.7;\n  option routers 10.20.0.1;\n'
        b"  option dhcp-server-identifier 10.20.0.2;\n  expire 3 2025/06/18 21:40:01;\n}\n"
    )
    return SampleBundle(
        "linux-dhcp-245",
        "After a restart no DHCP answer holds option 245, and the agent finds no wire server.",
        "zip",
        files,
        "cause-found",
        "dhcp-option-245-unavailable",
        1,
    )


def dhcp_round(log: Log, at: datetime, number: int) -> None:
    """One try to find the wire server through DHCP (linux.md 7.2)."""
    for text in (
        "INFO ExtHandler ExtHandler Test for route to 168.63.129.16",
        "WARNING ExtHandler ExtHandler No route exists to 168.63.129.16",
        "INFO ExtHandler ExtHandler Checking for dhcp lease cache",
        "INFO ExtHandler ExtHandler Cache exists [False]",
        "INFO ExtHandler ExtHandler cached endpoint not found",
        "INFO ExtHandler ExtHandler Send dhcp request",
    ):
        log.add(at, text)
    for retry in range(5):
        log.add(
            at + timedelta(seconds=11 * (retry + 1)),
            "WARNING ExtHandler ExtHandler Failed to send DHCP request: [DhcpError] timed out",
        )
    for text in (
        "Protocol endpoint not found: [ProtocolError] [DhcpError] Failed to receive dhcp response.",
        f"Retry detect protocol: retry={number}",
    ):
        log.add(at + timedelta(seconds=70), f"INFO ExtHandler ExtHandler {text}")


def python_missing() -> SampleBundle:
    """The launcher of the extension finds no interpreter; the agent brings its own. Bare files in one folder."""
    vm = LinuxVm("erp-06", system="rhel 9.4", python="3.9.18")
    rng = random.Random(vm.name)
    log = agent_log(rng)
    agent_start(log, vm, vm.booted)
    heartbeats(log, vm, vm.booted + timedelta(seconds=5), vm.collected)
    for number, start in enumerate((FIRST_NIGHT, SECOND_NIGHT), start=5):
        goal_state(log, vm, start, number)
        backup_command(log, vm, start + timedelta(seconds=1), number, number + 6)
        at = start + timedelta(seconds=3)
        log.add(
            at,
            f"ERROR ExtHandler ExtHandler Event: name={EXTENSION}, op=Enable, message=[ExtensionOperationError] "
            f"Non-zero exit code: 3, /var/lib/waagent/{vm.handler}/main/handle.sh enable\n[stdout]\n\n[stderr]\n"
            ", duration=1034",
        )
        goal_state_done(log, at, number, [(EXTENSION, "error")])
    return SampleBundle(
        "linux-python-missing",
        "No Python in /usr/bin for the extension (shell.log: python version unknown). Bare files in one folder.",
        "directory",
        {
            "waagent.log": log.text(),
            "shell.log": shell_log([(night + timedelta(seconds=2), 3) for night in (FIRST_NIGHT, SECOND_NIGHT)], None),
            "waagent.conf": waagent_conf(),
            "os-release": os_release(vm),
        },
        "cause-found",
        "linux-agent-dependency-python",
        1,
    )


def other_extension_failed() -> SampleBundle:
    """A custom script fails, and the snapshot extension that waits for it is skipped."""
    one = start_vm(LinuxVm("ci-07"))
    quiet_life(one)
    script = "Microsoft.Azure.Extensions.CustomScript"
    run = one.second
    goal_state(one.agent, one.vm, run.after(-3), 6)
    for text in (
        f"INFO ExtHandler [{script}-2.1.10] Target handler state: enabled [incarnation_6]",
        f"INFO ExtHandler [{script}-2.1.10] Enable extension: [bin/custom-script-shim enable]",
        f"ERROR ExtHandler ExtHandler Event: name={script}, op=Enable, message=[ExtensionOperationError] Non-zero exit "
        f"code: 1, /var/lib/waagent/{script}-2.1.10/bin/custom-script-shim enable\n[stdout]\n\n[stderr]\n"
        "mount: /srv/share: special device //files/share does not exist.\n, duration=2071",
        f"WARNING ExtHandler ExtHandler Dependent extension {script} failed or timed out, will skip processing the "
        "rest of the extensions",
        f"ERROR ExtHandler ExtHandler Event: name={EXTENSION}, op=ExtensionProcessing, message=Skipping processing of "
        f"extensions since execution of dependent extension {script} failed, duration=0",
    ):
        one.agent.add(run.after(-1), text)
    goal_state_done(one.agent, run.start, 6, [(script, "error"), (EXTENSION, "error")])
    files = one.files_without_second_run()
    return SampleBundle(
        "linux-other-extension-failed",
        "CustomScript fails and the snapshot extension, which depends on it, is not processed.",
        "zip",
        files,
        "cause-found",
        "other-extension-failed",
        1,
    )


def freeze_failed() -> SampleBundle:
    """A file system that needs cleaning cannot be frozen."""
    one = start_vm(LinuxVm("nfs-08", offset=timedelta(hours=2)))
    quiet_life(one)
    run = one.second
    command(one, run, 6)
    run_begins(one.extension, run)
    no_scripts(one.extension, run)
    why = "Failed to FIFREEZE: /data with error message: Structure needs cleaning"
    freeze_block(one.extension, run, ["/data", "/"], why)
    message = "T:S Enable failed with error: freeze failed for some mount\n StatusCode.FailedRetryableFsFreezeFailed, "
    one.extension.add(run.after(19), message)
    run_ends(one.extension, run, 20, 121, message)
    return SampleBundle(
        "linux-freeze-failed",
        "fsfreeze of /data fails: Structure needs cleaning (code 121).",
        "tar.gz",
        one.files(121, message),
        "cause-found",
        "filesystem-not-clean",
        1,
    )


def prescript_failed() -> SampleBundle:
    """The pre-script of the application-consistency framework fails. Collected by waagent -collect-logs."""
    one = start_vm(LinuxVm("ora-09", offset=timedelta(hours=-5)))
    quiet_life(one)
    run = one.second
    command(one, run, 6)
    run_begins(one.extension, run)
    one.extension.add(run.after(7), "Executing Pre-Script for plugin dbquiesce")
    extension_error(one.extension, run, 12, "Prescript for dbquiesce failed with error code: 3 .")
    message = "PreScript failed for the plugin dbquiesce StatusCode.FailedPrepostPreScriptFailed,"
    one.extension.add(run.after(12), "PreScript failed for the plugin dbquiesce")
    run_ends(one.extension, run, 13, 300, message)
    stamp = f"{one.vm.collected:%Y-%m-%dT%H:%M:%SZ}"
    results = [f"{stamp} INFO {text}" for text in ("Running log collector in normal mode", "### Gathering Files ###")]
    results.append(f"{stamp} INFO Adding file {AGENT_LOG}, size {len(one.agent.text())}b")
    results.append(f"{stamp} WARNING File /var/lib/dhcp/dhclient.eth0.leases does not exist, skipping collection")
    files = one.files(300, message)
    files["results.txt"] = "".join(f"{line}\n" for line in results).encode()
    return SampleBundle(
        "linux-prescript-failed",
        "The pre-script exits with 3 (code 300). Layout of waagent -collect-logs.",
        "zip",
        files,
        "cause-found",
        "prescript-or-postscript-failed",
        1,
    )


def host_unreachable() -> SampleBundle:
    """The host accepts the pre-snapshot call and does not answer the snapshot call. A zip inside a zip."""
    one = start_vm(LinuxVm("web-10", agent="2.15.0.1"))
    quiet_life(one)
    run = one.second
    command(one, run, 6)
    run_begins(one.extension, run)
    no_scripts(one.extension, run)
    freeze_block(one.extension, run, ["/boot", "/"])
    reason = "T:S Enable failed with FailedRetryableSnapshotFailedNoNetwork error"
    message = (
        f"{reason} StatusCode.FailedRetryableSnapshotFailedNoNetwork,snapshotCreator=backupHostService, "
        "hostStatusCodePreSnapshot=200, hostStatusCodeDoSnapshot=555, "
    )
    one.extension.add(run.after(59), "dosnapshot Hitting wrong WireServer IP")
    one.extension.add(run.after(60), "T:S thaw result ")
    extension_error(one.extension, run, 60, reason)
    run_ends(one.extension, run, 61, 76, message)
    return SampleBundle(
        "linux-host-backup-service-unreachable",
        "The host's backup service does not answer the snapshot call (555, code 76). A zip inside a zip.",
        "zip in zip",
        one.files(76, message),
        "cause-found",
        "host-backup-service-unreachable",
        1,
    )


def bundles() -> tuple[SampleBundle, ...]:
    """All of them but the one with secrets."""
    return (
        healthy(),
        extensions_disabled(),
        wireserver_blocked(),
        wireserver_recovered(),
        dhcp_245(),
        python_missing(),
        other_extension_failed(),
        freeze_failed(),
        prescript_failed(),
        host_unreachable(),
    )
