"""Whether ``loganalyzer batch`` survives being killed: ``python bench/kills.py [--bundles N] [--kills N] [--seed N]``.

A run over small bundles is ended with SIGKILL at a random moment, the program itself or one of the processes that it
started, and started again, until so many kills were dealt. Whenever a run ends by itself, its dataset is compared, byte
by byte, with that of a run that nobody disturbed; then an empty one is begun. The exit status is 1 if any differs.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.small_fleet import write_fleet


def main() -> int:
    """Prints what was killed and compared; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundles", type=int, default=500, help="of the run (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=200, help="in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of moments and victims (default: %(default)s)")
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311
    dealt = {"the program": 0, "a process of it": 0}
    compared = same = 0
    with TemporaryDirectory() as work:
        fleet = write_fleet(Path(work, "fleet"), options.bundles)
        calm, target = Path(work, "calm"), Path(work, "dataset")
        _run(fleet, calm).wait()
        while sum(dealt.values()) < options.kills:
            process = _run(fleet, target)
            _disturb(process, rng, dealt, options.kills)
            if process.wait() == 0:
                compared, same = compared + 1, same + _alike(target, calm)
                shutil.rmtree(target)
        if target.exists():
            _run(fleet, target).wait()
            compared, same = compared + 1, same + _alike(target, calm)
    print(", ".join(f"{count} kills of {name}" for name, count in dealt.items()))
    print(f"{compared} runs of {options.bundles} bundles ended, {same} like the one that nobody disturbed")
    return 0 if compared and same == compared else 1


def _run(fleet: Path, target: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "loganalyzer", "batch", str(fleet), "-o", str(target), "-q"]
    )


def _disturb(process: subprocess.Popen[bytes], rng: random.Random, dealt: dict[str, int], most: int) -> None:
    """Kills until the program itself is dead or done, or enough was killed."""
    while process.poll() is None and sum(dealt.values()) < most:
        time.sleep(rng.uniform(0.2, 4.0))
        try:
            program = psutil.Process(process.pid)
            children = program.children(recursive=True)
            victim = program if not children or rng.random() < 0.4 else rng.choice(children)
            if process.poll() is None:
                victim.send_signal(signal.SIGKILL)
                dealt["the program" if victim is program else "a process of it"] += 1
        except psutil.Error:
            continue


def _alike(one: Path, calm: Path) -> bool:
    """Whether two datasets hold the same; says which files differ."""
    found, expected = _content(one), _content(calm)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            print(f"differs: {name}: {len(found.get(name, b''))} bytes, {len(expected.get(name, b''))} in the calm one")
    return found == expected


def _content(dataset: Path) -> dict[str, bytes]:
    """All that a reader may look at."""
    paths = [path for path in dataset.rglob("*") if path.is_file() and "_work" not in path.parts]
    return {path.relative_to(dataset).as_posix(): path.read_bytes() for path in paths}


if __name__ == "__main__":
    sys.exit(main())
