"""A Linux VM that has run for two days and was backed up in two nights: what its bundles have in common."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sample_logs.linux_files import handler_files, os_release, waagent_conf
from sample_logs.linux_logs import (
    EXTENSION,
    LinuxVm,
    Log,
    Run,
    agent_log,
    agent_start,
    backup_command,
    command_output,
    extension_log,
    goal_state,
    good_run,
    guid,
    heartbeats,
    shell_log,
    status_file,
)

FIRST_NIGHT = datetime(2025, 6, 10, 1, 30, 4, tzinfo=UTC)
SECOND_NIGHT = datetime(2025, 6, 11, 1, 30, 7, tzinfo=UTC)

AGENT_LOG = "var/log/waagent.log"
EXTENSION_LOG = f"var/log/azure/{EXTENSION}/extension.log"
SHELL_LOG = f"var/log/azure/{EXTENSION}/shell.log"


@dataclass(frozen=True, slots=True)
class BackedUpVm:
    """A VM that has run for two days, its logs while they are written, and the two backups that it was asked for."""

    vm: LinuxVm
    rng: random.Random
    agent: Log
    extension: Log
    first: Run
    second: Run

    def files(self, code: int, message: str = "") -> dict[str, bytes]:
        """What a copy of the disk holds after the second backup ended with ``code``."""
        status = f"var/lib/waagent/{self.vm.handler}/status/{self.second.sequence}.status"
        return {
            AGENT_LOG: self.agent.text(),
            EXTENSION_LOG: self.extension.text(),
            SHELL_LOG: shell_log([(self.first.start, 0), (self.second.start, 0)]),
            "etc/waagent.conf": waagent_conf(),
            "etc/os-release": os_release(self.vm),
            status: status_file(self.second, 22, code, message),
            **handler_files(self.vm, "Enabled", "Ready", 0, "Plugin enabled"),
        }

    def files_without_second_run(self) -> dict[str, bytes]:
        """The same where the second backup never reached the extension."""
        folder = f"var/lib/waagent/{self.vm.handler}/status"
        files = self.files(1)
        del files[f"{folder}/{self.second.sequence}.status"]
        files[f"{folder}/{self.first.sequence}.status"] = status_file(self.first, 22, 1)
        files[SHELL_LOG] = shell_log([(self.first.start, 0)])
        return files


def start_vm(vm: LinuxVm) -> BackedUpVm:
    """A VM that was started and whose first backup went well; nothing has happened after it."""
    rng = random.Random(vm.name)
    first = Run(vm, FIRST_NIGHT, 11, guid(rng))
    second = Run(vm, SECOND_NIGHT, 12, guid(rng))
    one = BackedUpVm(vm, rng, agent_log(rng), extension_log(rng), first, second)
    agent_start(one.agent, vm, vm.booted)
    good_night(one, first, 5)
    return one


def command(one: BackedUpVm, run: Run, number: int) -> None:
    """The agent gets the goal state and starts the extension, which comes back at once."""
    goal_state(one.agent, one.vm, run.after(-3), number)
    backup_command(one.agent, one.vm, run.after(-2), number, run.sequence)
    command_output(one.agent, one.vm, run.after(2), number)


def good_night(one: BackedUpVm, run: Run, number: int) -> None:
    """A backup that goes well."""
    command(one, run, number)
    good_run(one.extension, run)


def quiet_life(one: BackedUpVm) -> None:
    """Heartbeats without an error from the start to the end of the bundle."""
    heartbeats(one.agent, one.vm, one.vm.booted + timedelta(seconds=5), one.vm.collected)
