"""Small bundles of made-up machines, as many as are wanted: enough to be read and judged, and cheap."""

from __future__ import annotations

import random
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from sample_logs.linux_files import waagent_conf

_LOG = """\
2025-06-10T01:00:00.100000Z INFO Daemon Daemon Azure Linux Agent Version: 2.2.46
2025-06-10T01:00:00.200000Z INFO Daemon Daemon OS: ubuntu 22.04
2025-06-10T01:00:01.300000Z INFO ExtHandler Agent WALinuxAgent-2.9.{patch}.1 is running as the goal state agent
{beats}"""
_BEAT = (
    "2025-06-10T0{hour}:00:05.500000Z INFO ExtHandler ExtHandler [HEARTBEAT] Agent WALinuxAgent-2.9.{patch}.1"
    " is running as the goal state agent [DEBUG HeartbeatCounter: {hour}]\n"
)


def write_fleet(folder: Path, count: int, seed: int = 0) -> Path:
    """Zips ``vm00000.zip`` and so on, of which about one in three has its extensions switched off."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_bundle(folder / f"vm{number:05}.zip", random.Random(f"{seed} {number}"))
    return folder


def write_bundle(path: Path, rng: random.Random) -> None:
    """One bundle, whose content depends on the generator alone."""
    patch = rng.randrange(1, 12)
    beats = "".join(_BEAT.format(hour=hour, patch=patch) for hour in range(1, rng.randrange(3, 9)))
    files = {
        "var/log/waagent.log": _LOG.format(patch=patch, beats=beats).encode(),
        "etc/waagent.conf": waagent_conf(rng.choice("yyn")),
    }
    with ZipFile(path, "w") as zipped:
        for name, data in files.items():
            zipped.writestr(ZipInfo(name, (2025, 6, 10, 2, 0, 0)), data)
