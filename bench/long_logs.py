"""Long logs of the Linux agent as a machine writes them in months, the same bytes for the same seed.

``python bench/long_logs.py MIB FILE [--seed N] [--loud SHARE]`` writes one. Most lines tell of the agent's ordinary
work; ``--loud`` is the share of those about heartbeats, goal states, commands and failures, which rules ask for.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

_QUIET = (
    "INFO ExtHandler ExtHandler Downloading manifest version {n}",
    "INFO ExtHandler ExtHandler Checking state of resource disk, pass {n}",
    "INFO EnvHandler ExtHandler Set block dev timeout: sd{letter} with timeout: 300",
    "INFO MonitorHandler ExtHandler Collected {n} telemetry events in {m} ms",
    "INFO TelemetryEventsCollector ExtHandler Collected {m} events for extension: Contoso.Monitoring.Sample",
    "INFO SendTelemetryHandler ExtHandler Sent {n} events, dropped 0",
    "INFO ExtHandler [Contoso.Monitoring.Sample-1.{m}.0] Handler heartbeat interval {n}",
    "VERBOSE ExtHandler ExtHandler Report vm agent status, pass {n}\n  state: Ready\n  sequence: {m}",
    "INFO CollectLogsHandler ExtHandler Starting log collection, period {n}",
)
_LOUD = (
    "INFO ExtHandler ExtHandler [HEARTBEAT] Agent WALinuxAgent-2.9.1.1 is running as the goal state agent "
    "[DEBUG HeartbeatCounter: {n}]",
    "INFO ExtHandler ExtHandler ProcessExtensionsGoalState started "
    "[incarnation_{n} channel: WireServer source: Fabric]",
    "INFO ExtHandler ExtHandler Fetch goal state from WireServer completed",
    "INFO ExtHandler [Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9225.0] Target handler state: enabled "
    "[incarnation_{n}]",
    "WARNING ExtHandler ExtHandler Failed to report status, attempt {m}: timed out",
    "ERROR ExtHandler ExtHandler Event: name=Contoso, op=Enable, message=[ExtensionError] failed, code {m}\nTraceback "
    '(most recent call last):\n  File "bin/contoso.py", line {n}, in main\nValueError: {m}, duration=0',
)


def lines(size: int, seed: int, loud: float) -> Iterator[str]:
    """Entries until so many bytes are there."""
    rng = random.Random(seed)  # noqa: S311
    time = datetime(2024, 1, 3, 4, 5, 6, tzinfo=UTC)
    while size > 0:
        time += timedelta(seconds=rng.choice((0, 0, 1, 3, 6, 20)), microseconds=rng.randrange(10**6))
        text = rng.choice(_LOUD if rng.random() < loud else _QUIET)
        told = text.format(n=rng.randrange(10**5), m=rng.randrange(1000), letter=rng.choice("abc"))
        line = f"{time:%Y-%m-%dT%H:%M:%S.%f}Z {told}\n"
        size -= len(line)
        yield line


def write(path: Path, mib: int, seed: int = 1, loud: float = 0.02) -> None:
    """Writes a log of about so many MiB."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines(mib << 20, seed, loud))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mib", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loud", type=float, default=0.02)
    given = parser.parse_args()
    write(given.file, given.mib, given.seed, given.loud)
