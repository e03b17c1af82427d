"""What a scan of one long text log costs beside other programs: ``python bench/text_speed.py [--mib N ...]``.

Each round runs, one after the other, on a log that ``bench/long_logs.py`` writes:

``scan``
    ``loganalyzer scan LOG -f json``: every built-in signature, times, levels, evidence, coverage, and the hash of the
    file.
``hash``
    the hash alone, in Python, less a bare interpreter: what of ``scan`` it is.
``whole``
    the scan with a row for every entry, on the smallest log only.
``lnav``
    ``lnav -n``, which indexes the log and counts entries by level.
``rg``
    ``rg -c -F -i -f TEXTS``, which counts the lines that hold one of the texts that the signatures ask for.

Programs that are not installed are left out. Prints medians of CPU and wall seconds, the greatest resident memory,
and the ratios of CPU. ``--most`` bounds that of ``scan`` to ``lnav`` on the longest log: the exit status is 1 if it is
greater.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.costs import Cost, run
from bench.long_logs import write
from loganalyzer.facts import load_tables
from loganalyzer.schema import LogSource
from loganalyzer.selection import selection_for
from loganalyzer.signatures_in_use import builtin_rules

_HASH = "import hashlib,sys; hashlib.file_digest(open(sys.argv[1], 'rb'), 'sha256')"
_WHOLE = "import sys; from loganalyzer.pipeline import *; scan([sys.argv[1]], ScanOptions(long_log=None))"
_COUNT = ";SELECT log_level, count(*) FROM all_logs GROUP BY log_level"


def main() -> int:
    """Prints what was measured; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, nargs="+", default=[20, 100, 250], help="sizes (default: %(default)s)")
    parser.add_argument("--loud", type=float, default=0.02, help="share of lines asked for (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program (default: %(default)s)")
    parser.add_argument("--most", type=float, help="ratio of scan to lnav that must not be exceeded")
    options = parser.parse_args()
    ratio = 0.0
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    with TemporaryDirectory() as work:
        texts = Path(work, "texts.txt")
        asked = selection_for(builtin_rules().rules, load_tables()).texts(LogSource("linux", "waagent")) or ()
        texts.write_text("\n".join(sorted(asked)) + "\n", encoding="utf-8")
        for size in options.mib:
            log = Path(work, str(size), "waagent.log")
            log.parent.mkdir()
            write(log, size, loud=options.loud)
            ratio = _compare(size, _programs(log, texts, whole=size == min(options.mib)), options.rounds)
            log.unlink()
    return 1 if options.most is not None and ratio > options.most else 0


def _programs(log: Path, texts: Path, *, whole: bool) -> dict[str, list[str]]:
    python = sys.executable
    found = {
        "scan": [python, "-m", "loganalyzer", "scan", str(log), "-f", "json"],
        "bare": [python, "-I", "-c", "import hashlib"],
        "hash": [python, "-I", "-c", _HASH, str(log)],
        "lnav": ["lnav", "-n", "-q", "-c", _COUNT, str(log)],
        "rg": ["rg", "-c", "-F", "-i", "-f", str(texts), str(log)],
    }
    if whole:
        found["whole"] = [python, "-c", _WHOLE, str(log)]
    return {name: words for name, words in found.items() if shutil.which(words[0])}


def _compare(size: int, programs: dict[str, list[str]], rounds: int) -> float:
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, words in programs.items():
            costs[name].append(run(words))
    cpu = {name: median(one.cpu for one in own) for name, own in costs.items()}
    hashing = cpu["hash"] - cpu["bare"]
    for name, own in costs.items():
        wall, mib = median(one.wall for one in own), max(one.mib for one in own)
        print(f"{size:5} MiB  {name:6} cpu {cpu[name]:7.2f} s  wall {wall:7.2f} s  {mib:6.0f} MiB resident")
    for peer in ("lnav", "rg"):
        if peer in cpu:
            with_hash, without = cpu["scan"] / cpu[peer], (cpu["scan"] - hashing) / cpu[peer]
            print(f"{size:5} MiB  scan is {with_hash:.2f} of {peer}'s CPU, {without:.2f} without hashing")
    return cpu["scan"] / cpu["lnav"] if "lnav" in cpu else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
