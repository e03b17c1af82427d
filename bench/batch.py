"""What ``loganalyzer batch`` costs beside the scans: ``python bench/batch.py [--small N ...] [--large N] [--dask]``.

For each number of ``--small`` bundles (a few kilobytes, as the tests make them) and for ``--large`` ones of ``--size``
MiB, two ways to the same reports take turns, ``--rounds`` times:

``pool``
    a bare ``ProcessPoolExecutor`` of spawned processes that scans each bundle and writes its report.
``batch``
    ``loganalyzer batch`` into an empty dataset, as a program of its own.
``dask``
    the same with ``--executor dask``, if asked for.

Prints the seconds of each, the ratios to ``pool``, bundles a second, and the greatest resident memory of the program
(without the processes that scan). The ratios must stay under ``--bar`` and ``--dask-bar``: the exit status is 1 if one
does not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.long_logs import lines
from tests.small_fleet import write_fleet


def main() -> int:
    """Prints what each way costs; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, nargs="*", default=[100, 1000], help="bundles (default: %(default)s)")
    parser.add_argument("--large", type=int, default=8, help="large bundles (default: %(default)s)")
    parser.add_argument("--size", type=int, default=20, help="MiB of a large bundle (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="scans at a time (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each way (default: %(default)s)")
    parser.add_argument("--dask", action="store_true", help="a local Dask cluster too, on the large ones")
    parser.add_argument("--bar", type=float, default=1.2, help="ratio of batch to pool (default: %(default)s)")
    parser.add_argument("--dask-bar", type=float, default=1.6, help="ratio of dask to pool (default: %(default)s)")
    options = parser.parse_args()
    good = True
    with TemporaryDirectory() as work:
        for count in options.small:
            fleet = write_fleet(Path(work, f"small{count}"), count)
            good &= _compared(f"{count} small", fleet, options, ["pool", "batch"])
        if options.large:
            fleet = _large_fleet(Path(work, "large"), options.large, options.size)
            ways = ["pool", "batch", *(["dask"] if options.dask else [])]
            good &= _compared(f"{options.large} of {options.size} MiB", fleet, options, ways)
    return 0 if good else 1


def _large_fleet(folder: Path, count: int, size: int) -> Path:
    """Bundles with an agent's log of so many MiB, each another one."""
    folder.mkdir()
    for number in range(count):
        with ZipFile(folder / f"vm{number:05}.zip", "w", ZIP_DEFLATED) as zipped:
            zipped.writestr("var/log/waagent.log", "".join(lines(size << 20, number, 0.02)))
    return folder


def _compared(name: str, fleet: Path, options: argparse.Namespace, ways: Sequence[str]) -> bool:
    """Prints a row for each way; whether all stay under their bars."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            out = fleet.parent / f"out-{way}"
            shutil.rmtree(out, ignore_errors=True)
            start = time.perf_counter()
            _pool(fleet, out, options.jobs) if way == "pool" else _batch(fleet, out, options.jobs, way)
            seconds[way].append(time.perf_counter() - start)
    bars = {"pool": 1.0, "batch": options.bar, "dask": options.dask_bar}
    count, base = len(list(fleet.iterdir())), median(seconds["pool"])
    for way in ways:
        own = median(seconds[way])
        told = f"{own:8.1f} s  {count / own:7.2f} bundles/s  {own / base:5.2f} of pool (bar {bars[way]})"
        print(f"{name:>14}  {way:<6} {told}", flush=True)
    # what a child had at most is kept for the greatest of all children so far
    print(f"{name:>14}  greatest resident memory of a program so far: {_most_resident() >> 20} MiB", flush=True)
    return all(median(seconds[way]) / base <= bars[way] for way in ways)


def _most_resident() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


def _batch(fleet: Path, out: Path, jobs: int, way: str) -> None:
    words = [sys.executable, "-m", "loganalyzer", "batch", str(fleet), "-o", str(out), "-j", str(jobs), "-q"]
    words += ["--executor", "dask"] if way == "dask" else []
    subprocess.run(words, check=True)  # noqa: S603


def _pool(fleet: Path, out: Path, jobs: int) -> None:
    out.mkdir()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        bundles = sorted(fleet.iterdir())
        size = max(1, min(8, len(bundles) // (jobs * 4)))
        list(pool.map(_scanned, bundles, [out / f"{one.name}.json" for one in bundles], chunksize=size))


def _scanned(bundle: Path, report: Path) -> None:
    from loganalyzer.pipeline import scan
    from loganalyzer.report.json_report import to_json

    report.write_bytes(to_json(scan([bundle]).report))


if __name__ == "__main__":
    raise SystemExit(main())
