"""What a scan of one long event log costs beside bare iteration: ``python bench/event_speed.py [--mib N ...]``.

The log is of the Security channel, in chunks that ``sample_logs/evtx_writer.py`` writes once and that are repeated to
the size. Each round runs, one after the other:

``bare``
    iteration over all records as JSON with the Rust binding, and nothing else, less a bare interpreter.
``scan``
    ``loganalyzer scan LOG -f json``, less the same of a log of one chunk.
``whole``
    the scan with a row for every event, less the same of a log of one chunk.

Prints medians of CPU and wall seconds, the greatest resident memory, and the ratios of CPU to ``bare``. ``--most``
bounds that of ``scan``: the exit status is 1 if it is greater.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import struct
import sys
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.costs import Cost, run
from sample_logs.evtx_writer import EventRecord, write_evtx

_HEADER, _CHUNK = 4096, 65536
_BARE = "import sys, evtx\nfor _ in evtx.PyEvtxParser(sys.argv[1]).records_json(): pass"
_WHOLE = "import sys; from loganalyzer.pipeline import *; scan([sys.argv[1]], ScanOptions(long_log=None))"


def main() -> int:
    """Prints what was measured; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, nargs="+", default=[20, 120], help="sizes (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program (default: %(default)s)")
    parser.add_argument("--most", type=float, help="ratio of scan to bare that must not be exceeded")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    worst = 0.0
    with TemporaryDirectory() as work:
        written = write_evtx(list(security_events(2_000)))
        small = Path(work, "one", "Security.evtx")
        write_log(small, written, 1)
        for size in options.mib:
            log = Path(work, str(size), "Security.evtx")
            write_log(log, written, (size << 20) // _CHUNK)
            worst = max(worst, _compare(size, log, small, options.rounds))
            log.unlink()
    return 1 if options.most is not None and worst > options.most else 0


def security_events(count: int) -> list[EventRecord]:
    """Logons, logoffs, privileges and processes, as the Security log of an idle server holds them."""
    rng, time, events = random.Random(1), datetime(2024, 5, 6, tzinfo=UTC), []  # noqa: S311
    for _ in range(count):
        time += timedelta(milliseconds=rng.randrange(5_000))
        event_id = rng.choice([4624, 4634, 4672, 4688, 4689, 5156])
        values = {f"Value{number}": f"{rng.randrange(10**6)}" for number in range(12)}
        values |= {"SubjectUserName": "SYSTEM", "NewProcessName": "C:\\Windows\\System32\\svchost.exe"}
        provider = "Microsoft-Windows-Security-Auditing"
        events.append(EventRecord(provider, event_id, "Security", "vm-01", time, level=0, version=2, data=values))
    return events


def write_log(path: Path, written: bytes, chunks: int) -> None:
    """A log of so many chunks: those of the written one, again and again."""
    own = [written[at : at + _CHUNK] for at in range(_HEADER, len(written), _CHUNK)]
    header = bytearray(written[:_HEADER])
    struct.pack_into("<QQ", header, 8, 0, chunks - 1)
    struct.pack_into("<H", header, 42, min(chunks, 0xFFFF))
    struct.pack_into("<I", header, 124, zlib.crc32(bytes(header[:120])))
    path.parent.mkdir()
    with path.open("wb") as file:
        file.write(header)
        for number in range(chunks):
            file.write(own[number % len(own)])


def _compare(size: int, log: Path, small: Path, rounds: int) -> float:
    python = sys.executable
    programs = {
        "bare": ([python, "-c", _BARE, str(log)], [python, "-c", "import evtx"]),
        "scan": ([python, "-m", "loganalyzer", "scan", "-f", "json", str(log)],) * 2,
        "whole": ([python, "-c", _WHOLE, str(log)],) * 2,
    }
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    starts: dict[str, list[Cost]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, (words, start) in programs.items():
            costs[name].append(run(words))
            starts[name].append(run(start if name == "bare" else [*words[:-1], str(small)]))
    cpu = {}
    for name, own in costs.items():
        cpu[name] = median(one.cpu for one in own) - median(one.cpu for one in starts[name])
        wall, mib = median(one.wall for one in own), max(one.mib for one in own)
        print(f"{size:5} MiB  {name:6} cpu {cpu[name]:7.2f} s more  wall {wall:7.2f} s  {mib:6.0f} MiB resident")
    for name in ("scan", "whole"):
        print(f"{size:5} MiB  {name} is {cpu[name] / cpu['bare']:.1f} of bare iteration")
    return cpu["scan"] / cpu["bare"]


if __name__ == "__main__":
    raise SystemExit(main())
