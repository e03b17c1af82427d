"""What parts of a scan cost beside each other and beside other programs: ``python bench/ratios.py [PART ...]``.

``start``
    ``loganalyzer --help`` beside a bare ``python -I``, and a scan of a bundle of a few KiB beside ``import polars``.
``packed``
    a long log of the Linux agent as gzip, and in a ZIP archive, beside the plain file.
``signatures``
    the scan of that log with 300 of the signatures for Linux beside 100 of them.
``python-evtx``
    records a second of an event log of 20 MiB, less a scan of one chunk, beside those that python-evtx renders as XML.

Each round runs both sides one after the other. Prints medians of CPU seconds and their ratio beside what the ratio may
be at most, or must be at least; the exit status is 1 if one of them is not met.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.costs import run
from bench.event_speed import security_events, write_log
from bench.long_logs import write
from sample_logs.evtx_writer import write_evtx

_SCAN = (sys.executable, "-m", "loganalyzer", "scan", "-f", "json")
_SOME_SIGNATURES = """
import sys
from dataclasses import replace
from loganalyzer import pipeline
every = pipeline.rules_with((), ())
linux = [rule for rule in every.rules if rule.logsource.product == "linux"]
assert len(linux) >= 300, len(linux)
pipeline.rules_with = lambda paths, packs: replace(every, rules=tuple(linux[:int(sys.argv[2])]), correlations=())
pipeline.scan([sys.argv[1]])
"""
_PYTHON_EVTX = """
import sys
from Evtx.Evtx import Evtx
with Evtx(sys.argv[1]) as log:
    for record in log.records(): record.xml()
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two programs, each less another one, and how often the work of the second is done by the first.

    ``most`` or ``least``: bounds of the ratio of the first's CPU to that of the second, or the other way round.
    """

    name: str
    words: Sequence[str]
    peer: Sequence[str]
    less: Sequence[str] | None = None
    peer_less: Sequence[str] | None = None
    times: float = 1.0
    most: float | None = None
    least: float | None = None


def main() -> int:
    """Prints what was measured; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"start": _start, "packed": _packed, "signatures": _signatures, "python-evtx": _python_evtx}
    parser.add_argument("parts", nargs="*", metavar="PART", help="of " + ", ".join(parts))
    parser.add_argument("--mib", type=int, default=100, help="size of the long log (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each program (default: %(default)s)")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    missed = 0
    for name in options.parts or parts:
        with TemporaryDirectory() as work:
            for one in parts[name](Path(work), options.mib):
                missed += not _is_met(one, options.rounds)
    return 1 if missed else 0


def _is_met(one: Comparison, rounds: int) -> bool:
    programs = [words for words in (one.words, one.peer, one.less, one.peer_less) if words is not None]
    costs: dict[tuple[str, ...], list[float]] = {tuple(words): [] for words in programs}
    for _ in range(rounds):
        for words, own in costs.items():
            own.append(run(words).cpu)
    cpu, peer, less, peer_less = (
        median(costs[tuple(words)]) if words is not None else 0.0
        for words in (one.words, one.peer, one.less, one.peer_less)
    )
    ratio = (cpu - less) / (peer - peer_less) / one.times
    shown = f"{one.name:42} {cpu - less:7.3f} s beside {peer - peer_less:7.3f} s of CPU"
    if one.least is not None:
        print(f"{shown}: {1 / ratio:7.0f} times as fast, at least {one.least:g}", flush=True)
        return 1 / ratio >= one.least
    print(f"{shown}: {ratio:7.2f} times, at most {one.most:g}", flush=True)
    return one.most is None or ratio <= one.most


def _start(work: Path, mib: int) -> Iterator[Comparison]:
    log = work / "waagent.log"
    log.write_text("2024-05-06T07:08:09.123456Z INFO Daemon Azure Linux Agent Version: 2.9.1.1\n", encoding="utf-8")
    program = [shutil.which("loganalyzer") or "loganalyzer"]
    yield Comparison("--help beside python -I", [*program, "--help"], [sys.executable, "-I", "-c", ""], most=6)
    imported = [sys.executable, "-c", "import polars"]
    yield Comparison("a tiny bundle beside import polars", [*program, "scan", str(log)], imported, most=2.2)


def _packed(work: Path, mib: int) -> Iterator[Comparison]:
    plain = work / "waagent.log"
    write(plain, mib, loud=0.002)
    with plain.open("rb") as read, gzip.open(work / "waagent.log.gz", "wb", 6) as written:
        shutil.copyfileobj(read, written)
    with zipfile.ZipFile(work / "bundle.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "var/log/waagent.log")
    for name, most in (("waagent.log.gz", 1.4), ("bundle.zip", 1.5)):
        yield Comparison(f"{name} beside the plain log", [*_SCAN, str(work / name)], [*_SCAN, str(plain)], most=most)


def _signatures(work: Path, mib: int) -> Iterator[Comparison]:
    log = work / "waagent.log"
    write(log, mib, loud=0.002)
    many, few = ([sys.executable, "-c", _SOME_SIGNATURES, str(log), count] for count in ("300", "100"))
    yield Comparison("300 signatures beside 100", many, few, most=1.3)


def _python_evtx(work: Path, mib: int) -> Iterator[Comparison]:
    written = write_evtx(list(security_events(2_000)))
    logs = {}
    for name, chunks in (("one", 1), ("few", 3), ("many", 320)):
        logs[name] = work / name / "Security.evtx"
        write_log(logs[name], written, chunks)
    yield Comparison(
        "an event of 20 MiB beside python-evtx",
        [*_SCAN, str(logs["many"])],
        [sys.executable, "-c", _PYTHON_EVTX, str(logs["few"])],
        less=[*_SCAN, str(logs["one"])],
        peer_less=[sys.executable, "-c", _PYTHON_EVTX, str(logs["one"])],
        times=(320 - 1) / (3 - 1),
        least=300,
    )


if __name__ == "__main__":
    raise SystemExit(main())
