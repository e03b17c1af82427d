"""What one run of a program costs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a process and its children: CPU and wall seconds; MiB of the greatest resident memory of one of them."""

    cpu: float
    wall: float
    mib: float


def run(words: Sequence[str]) -> Cost:
    """One run; its exit status may tell of a finding or of damage, but what ends with a traceback has failed.

    Raises:
        SystemExit: it failed.
    """
    begin = time.perf_counter()
    with TemporaryFile() as complaints:
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=complaints)  # noqa: S603
        _, status, used = os.wait4(child.pid, 0)
        complaints.seek(0)
        told = complaints.read().decode(errors="replace")
    if os.waitstatus_to_exitcode(status) not in (0, 1, 3) or "Traceback" in told:
        raise SystemExit(f"{words[0]} failed: {told}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - begin, used.ru_maxrss / 1024)
